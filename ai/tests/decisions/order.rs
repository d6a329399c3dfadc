//! Of several faults, the first of the contract's order answers.

use serde_json::{Value, json};

use crate::harness::{Filter, keys, post};

#[test]
fn the_first_that_fails_answers() {
    let mut filter = Filter::new(json!({
        "api_keys": keys(&[
            ("all", json!({ "scopes": ["chat", "premium", "code"], "tenant": "acme", "models": ["gpt-4o"] })),
            ("no-scope", json!({})),
            ("no-claim", json!({ "scopes": ["chat"] })),
            ("no-list", json!({ "scopes": ["chat"], "tenant": "acme" })),
            ("no-premium", json!({ "scopes": ["chat"], "tenant": "acme", "models": ["*"] })),
            ("no-budget", json!({ "scopes": ["chat", "premium"], "tenant": "acme", "models": ["*"] })),
        ]),
        "rules": [{
            "scopes": { "all": ["chat"] },
            "claims": [{ "claim": "tenant", "equals": "acme" }],
            "body": { "max_bytes": 1000 },
            "model": { "claim": "models", "allow": [
                { "name": "gpt-4o", "scopes": { "all": ["premium"] }, "max_output_tokens": 100 },
            ] },
            "prompt": { "category": { "body": "kind" }, "allow": [{ "name": "chat" }] },
            "budgets": ["b"],
        }],
        "budgets": { "b": {
            "per": ["client_id"], "limit": { "claim": "token_budget", "default": 50 },
            "window": "1h", "charge": "output_tokens",
        } },
    }));
    let good = json!({ "model": "gpt-4o", "kind": "chat", "max_tokens": 50 });
    let amended = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body
    };
    // Each row has the faults of all rows below it as well.
    let rows = [
        ("nobody", true, b"[".to_vec(), "INVALID_API_KEY"),
        ("no-scope", true, b"[".to_vec(), "INSUFFICIENT_SCOPE"),
        ("no-claim", true, b"[".to_vec(), "CLAIM_MISMATCH"),
        ("no-list", true, b"[".to_vec(), "UNSUPPORTED_ENCODING"),
        ("no-list", false, b"[".to_vec(), "MALFORMED_BODY"),
        (
            "no-list",
            false,
            amended("model", json!("gpt-5")).to_string().into(),
            "MODEL_NOT_ALLOWED",
        ),
        (
            "no-list",
            false,
            amended("max_tokens", json!(101)).to_string().into(),
            "MODEL_NOT_ALLOWED",
        ),
        (
            "no-premium",
            false,
            amended("max_tokens", json!(101)).to_string().into(),
            "INSUFFICIENT_SCOPE",
        ),
        (
            "no-budget",
            false,
            amended("max_tokens", json!(101)).to_string().into(),
            "MAX_TOKENS_EXCEEDED",
        ),
        (
            "no-budget",
            false,
            json!({ "model": "gpt-4o", "kind": "poem", "max_tokens": 51 })
                .to_string()
                .into(),
            "PROMPT_NOT_ALLOWED",
        ),
        (
            "no-budget",
            false,
            amended("max_tokens", json!(51)).to_string().into(),
            "BUDGET_EXCEEDED",
        ),
        ("all", false, good.to_string().into(), "passes"),
    ];
    for (key, is_encoded, body, expected) in rows {
        let ask = post("/v1/chat/completions", key).body(&body);
        let ask = match is_encoded {
            true => ask.with("content-encoding", "br"),
            false => ask,
        };
        let body = String::from_utf8_lossy(&body).into_owned();
        assert_eq!(filter.send(&ask).verdict(), expected, "{key} {body}");
    }
}
