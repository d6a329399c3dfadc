//! Budgets: who shares one, what is reserved, and what a refusal says.

use serde_json::{Value, json};

use crate::harness::{Ask, Filter, NOW, keys, post};

fn filter(rule: Value, budgets: Value) -> Filter {
    Filter::new(json!({
        "api_keys": keys(&[
            ("a1", json!({ "client": "a", "tenant": "acme", "token_budget": 100 })),
            ("a2", json!({ "client": "a", "tenant": "globex" })),
            ("b1", json!({ "client": "b", "tenant": "acme", "token_budget": 0 })),
            ("c1", json!({ "client": "c" })),
        ]),
        "rules": [rule],
        "budgets": budgets,
    }))
}

/// A chat of 40 bytes, which are ten tokens, and of so much output.
fn chat(key: &str, output: u64) -> Ask {
    let body = format!(r#"{{"model":"m","messages":[],"max_tokens":{output}}}"#);
    let body = format!("{body:40}");
    assert_eq!(
        body.len().div_ceil(4),
        body.len() / 4 + usize::from(body.len() % 4 > 0)
    );
    post("/v1/chat/completions", key).body(body.as_bytes())
}

fn input_of(key: &str, output: u64) -> u64 {
    let mut whole = filter(
        json!({ "budgets": ["b"] }),
        json!({ "b": { "per": ["client_id"], "limit": 1_000_000, "window": "1h", "charge": "input_tokens" } }),
    );
    whole.send(&chat(key, output)).amounts()[0]
}

#[test]
fn an_estimate_is_reserved_or_refused() {
    let input = input_of("a1", 10);
    let limit = 2 * (input + 10);
    let mut filter = filter(
        json!({ "budgets": ["b"] }),
        json!({ "b": { "per": ["client_id"], "limit": limit, "window": "1h", "charge": "total_tokens" } }),
    );
    let ask = chat("a1", 10);
    for _ in 0..2 {
        let answer = filter.send(&ask);
        assert_eq!(
            (answer.verdict(), answer.amounts()),
            ("passes".to_owned(), vec![input + 10])
        );
    }
    let refused = filter.send(&ask);
    assert_eq!(refused.verdict(), "BUDGET_EXCEEDED");
    let left = 3600 - NOW % 3600;
    assert_eq!(
        refused.header("retry-after"),
        Some(left.to_string().as_str())
    );
    let policy = format!(r#""b";q={limit};w=3600"#);
    assert_eq!(refused.header("ratelimit-policy"), Some(policy.as_str()));
    assert_eq!(
        refused.header("ratelimit"),
        Some(format!(r#""b";r=0;t={left}"#).as_str())
    );
    assert_eq!(refused.header("x-should-retry"), Some("false"));
    let body = refused.body();
    assert_eq!(body["type"], "error");
    assert_eq!(body["error"]["code"], "BUDGET_EXCEEDED");
    assert_eq!(body["error"]["type"], "budget_exceeded");
    assert_eq!(body["error"]["message"], body["error_description"]);
    // Another caller has a budget of its own, and the next window begins anew.
    assert_eq!(filter.send(&chat("b1", 10)).verdict(), "passes");
    filter.now = portcullis_core::time::UnixTime::from_secs(NOW + left);
    assert_eq!(filter.send(&ask).verdict(), "passes");
}

#[test]
fn who_shares_a_budget() {
    let budget = |per: Value| json!({ "b": { "per": per, "limit": 1, "window": "1h", "charge": "requests" } });
    // The first takes it; who of the others has one left?
    let rows = [
        (json!(["client_id"]), vec!["b1", "c1"], vec!["a1", "a2"]),
        (json!(["tenant"]), vec!["a2"], vec!["a1", "b1"]),
        (json!(["key_id"]), vec!["a2", "b1", "c1"], vec!["a1"]),
        (json!(["tenant", "client_id"]), vec!["a2", "b1"], vec!["a1"]),
        (json!([]), vec![], vec!["a1", "a2", "b1", "c1"]),
    ];
    for (per, have, lack) in rows {
        let mut filter = filter(json!({ "budgets": ["b"] }), budget(per.clone()));
        assert_eq!(filter.send(&post("/", "a1")).verdict(), "passes", "{per}");
        for key in have {
            assert_eq!(
                filter.send(&post("/", key)).verdict(),
                "passes",
                "{per} {key}"
            );
        }
        for key in lack {
            assert_eq!(
                filter.send(&post("/", key)).verdict(),
                "BUDGET_EXCEEDED",
                "{per} {key}"
            );
        }
    }
    let mut by_tenant = filter(json!({ "budgets": ["b"] }), budget(json!(["tenant"])));
    assert_eq!(by_tenant.send(&post("/", "c1")).verdict(), "CLAIM_MISMATCH");
}

#[test]
fn the_callers_own_number() {
    let budget = |limit: Value| json!({ "b": { "per": ["client_id"], "limit": limit, "window": "1h", "charge": "output_tokens" } });
    let with_default = budget(json!({ "claim": "token_budget", "default": 10 }));
    let mut filter_default = filter(json!({ "budgets": ["b"] }), with_default);
    let mut filter_strict = filter(
        json!({ "budgets": ["b"] }),
        budget(json!({ "claim": "token_budget" })),
    );
    for (key, output, by_default, strictly) in [
        ("a1", 100, "passes", "passes"),
        ("b1", 0, "BUDGET_EXCEEDED", "BUDGET_EXCEEDED"),
        ("c1", 10, "passes", "CLAIM_MISMATCH"),
        ("c1", 1, "BUDGET_EXCEEDED", "CLAIM_MISMATCH"),
    ] {
        assert_eq!(
            filter_default.send(&chat(key, output)).verdict(),
            by_default,
            "{key} {output}"
        );
        assert_eq!(
            filter_strict.send(&chat(key, output)).verdict(),
            strictly,
            "{key} {output}"
        );
    }
}

#[test]
fn requests_alone_need_no_body() {
    let mut filter = filter(
        json!({ "budgets": ["b"] }),
        json!({ "b": { "per": [], "limit": 5, "window": "1s", "charge": "requests" } }),
    );
    let answer = filter.send(&post("/anything", "a1").body(b"no JSON"));
    assert_eq!(answer.amounts(), [1]);
    assert!(answer.passage.usage.is_none());
}

#[test]
fn a_path_that_is_no_api_is_charged_no_tokens() {
    let budgets =
        json!({ "b": { "per": [], "limit": 1000, "window": "1h", "charge": "total_tokens" } });
    let mut filter = filter(json!({ "budgets": ["b"] }), budgets);
    let unknown = post("/v1/audio", "a1").json(json!({ "model": "m" }));
    assert_eq!(filter.send(&unknown).verdict(), "MODEL_NOT_ALLOWED");
    let unseen = post("/v1/responses", "a1").json(json!({ "model": "m", "background": true }));
    assert_eq!(filter.send(&unseen).verdict(), "MALFORMED_BODY");
}

#[test]
fn streams_say_what_they_used() {
    let budgets =
        json!({ "b": { "per": [], "limit": 100_000, "window": "1h", "charge": "total_tokens" } });
    let mut filter = filter(json!({ "budgets": ["b"] }), budgets);
    let ask = post("/v1/chat/completions", "a1").with("accept-encoding", "gzip");
    let ask = ask.with("content-length", "60");
    let answer =
        filter.send(&ask.body(br#"{"model":"m","messages":[],"stream":true,"max_tokens":1}    "#));
    let edited = answer.edited().expect("stream_options");
    assert!(
        edited.contains(r#""stream_options":{"include_usage":true}"#),
        "{edited}"
    );
    assert!(answer.removed.contains(&"accept-encoding".to_owned()));
    let length = ("content-length".to_owned(), edited.len().to_string());
    assert!(answer.set.contains(&length), "{:?}", answer.set);
    assert!(answer.passage.usage.is_some());
}

#[test]
fn shadow_mode_counts_what_would_have_been() {
    let mut filter = Filter::new(json!({
        "mode": "shadow",
        "api_keys": keys(&[("a1", json!({ "client": "a" }))]),
        "rules": [{ "model": { "allow": [{ "name": "m", "max_output_tokens": 5 }] }, "budgets": ["b"] }],
        "budgets": { "b": { "per": ["client_id"], "limit": 1, "window": "1h", "charge": "total_tokens" } },
    }));
    let passing = filter.send(&chat("a1", 5));
    assert_eq!(passing.verdict(), "passes");
    assert!(passing.edited().is_none() && passing.removed.is_empty());
    assert_eq!(passing.amounts().len(), 1);
    let denied = filter.send(&chat("a1", 6));
    assert!(denied.refused.is_none() && denied.edited().is_none());
}
