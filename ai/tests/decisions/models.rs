//! Models: which pass, for whom, and how much they may say.

use portcullis_core::verification::callout::BodyArrival;
use serde_json::{Value, json};

use crate::harness::{Ask, Filter, keys, post};

const CHAT: &str = "/v1/chat/completions";

fn filter(rule: Value) -> Filter {
    let mut whole = json!({ "match": { "path": { "prefix": "/v1" } } });
    for (name, value) in rule.as_object().into_iter().flatten() {
        whole[name] = value.clone();
    }
    Filter::new(json!({
        "api_keys": keys(&[
            ("premium", json!({ "scopes": ["model:premium"], "models": ["gpt-4o", "*-mini"] })),
            ("plain", json!({ "models": ["*-mini"] })),
            ("bare", json!({})),
        ]),
        "rules": [whole],
    }))
}

fn models() -> Value {
    json!({ "allow": [
        { "name": "gpt-4o", "scopes": { "all": ["model:premium"] }, "max_output_tokens": 4096 },
        { "name": "*-mini" },
    ] })
}

fn chat(key: &str, more: Value) -> Ask {
    let mut body = json!({ "model": "x-mini", "messages": [{ "role": "user", "content": "hi" }] });
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    post(CHAT, key).json(body)
}

fn verdicts(filter: &mut Filter, rows: &[(&str, Ask, &str)]) {
    for (what, ask, expected) in rows {
        assert_eq!(filter.send(ask).verdict(), *expected, "{what}");
    }
}

#[test]
fn of_several_entries_the_first_that_matches_decides() {
    let mut filter = filter(json!({ "model": models() }));
    let named = |key, model: Value| chat(key, json!({ "model": model }));
    verdicts(
        &mut filter,
        &[
            ("a pattern", named("bare", json!("gpt-4o-mini")), "passes"),
            (
                "with its scope",
                named("premium", json!("gpt-4o")),
                "passes",
            ),
            (
                "without",
                named("bare", json!("gpt-4o")),
                "INSUFFICIENT_SCOPE",
            ),
            (
                "case counts",
                named("premium", json!("GPT-4o")),
                "MODEL_NOT_ALLOWED",
            ),
            (
                "so does white space",
                named("premium", json!("gpt-4o ")),
                "MODEL_NOT_ALLOWED",
            ),
            (
                "none",
                named("premium", json!("gpt-5")),
                "MODEL_NOT_ALLOWED",
            ),
            (
                "the empty one",
                named("premium", json!("")),
                "MODEL_NOT_ALLOWED",
            ),
            (
                "no string",
                named("premium", json!(["gpt-4o"])),
                "MALFORMED_BODY",
            ),
            ("null", named("premium", Value::Null), "MALFORMED_BODY"),
            (
                "absent",
                post(CHAT, "premium").json(json!({})),
                "MALFORMED_BODY",
            ),
        ],
    );
}

#[test]
fn a_challenge_lists_the_scopes_of_rule_and_model() {
    let mut filter = Filter::new(json!({
        "providers": { "corp": {
            "issuer": "https://idp.example.com", "audiences": ["api"],
            "jwks": { "remote": { "cluster": "idp", "uri": "https://idp.example.com/jwks" } },
        } },
        "api_keys": keys(&[("one", json!({ "scopes": ["chat"] }))]),
        "rules": [{ "scopes": { "all": ["chat"] }, "model": models() }],
    }));
    let answer = filter.send(&chat("one", json!({ "model": "gpt-4o" })));
    assert_eq!(answer.verdict(), "INSUFFICIENT_SCOPE");
    let challenge = answer.header("www-authenticate").unwrap_or_default();
    assert!(
        challenge.contains(r#"scope="chat model:premium""#),
        "{challenge}"
    );
}

#[test]
fn models_that_stand_in_must_all_be_allowed() {
    let mut filter = filter(json!({ "model": models() }));
    let with = |key, more| chat(key, more);
    verdicts(
        &mut filter,
        &[
            (
                "a fallback",
                with("bare", json!({ "fallbacks": ["y-mini"] })),
                "passes",
            ),
            (
                "of another kind",
                with("bare", json!({ "fallbacks": ["gpt-5"] })),
                "MODEL_NOT_ALLOWED",
            ),
            (
                "one of several",
                with("bare", json!({ "models": ["y-mini", "gpt-5"] })),
                "MODEL_NOT_ALLOWED",
            ),
            (
                "whose scope is missing",
                with("bare", json!({ "models": ["gpt-4o"] })),
                "INSUFFICIENT_SCOPE",
            ),
            (
                "no list",
                with("bare", json!({ "models": "y-mini" })),
                "MALFORMED_BODY",
            ),
            (
                "no strings",
                with("bare", json!({ "fallbacks": [{ "model": "y-mini" }] })),
                "MALFORMED_BODY",
            ),
        ],
    );
    // The smallest bound of all holds.
    let answer = filter.send(&with("premium", json!({ "models": ["gpt-4o"] })));
    let edited = answer.edited().expect("a bound is put in");
    assert!(
        edited.ends_with(r#","max_completion_tokens":4096}"#),
        "{edited}"
    );
}

#[test]
fn the_callers_own_list_must_name_the_model_too() {
    let mut own = models();
    own["claim"] = json!("models");
    let mut filter = filter(json!({ "model": own }));
    let named = |key, model: &str| chat(key, json!({ "model": model }));
    verdicts(
        &mut filter,
        &[
            ("listed", named("plain", "x-mini"), "passes"),
            ("not listed", named("plain", "gpt-4o"), "MODEL_NOT_ALLOWED"),
            ("listed and in scope", named("premium", "gpt-4o"), "passes"),
            (
                "without a list",
                named("bare", "x-mini"),
                "MODEL_NOT_ALLOWED",
            ),
        ],
    );
}

#[test]
fn output_is_bounded() {
    let mut filter = filter(json!({ "model": models() }));
    let premium = |mut more: Value| {
        more["model"] = json!("gpt-4o");
        chat("premium", more)
    };
    verdicts(
        &mut filter,
        &[
            (
                "at the bound",
                premium(json!({ "max_tokens": 4096 })),
                "passes",
            ),
            (
                "above",
                premium(json!({ "max_tokens": 4097 })),
                "MAX_TOKENS_EXCEEDED",
            ),
            (
                "by another name",
                premium(json!({ "max_output_tokens": 4097 })),
                "MAX_TOKENS_EXCEEDED",
            ),
            (
                "one of two",
                premium(json!({ "max_tokens": 1, "max_completion_tokens": 9999 })),
                "MAX_TOKENS_EXCEEDED",
            ),
            (
                "no number",
                premium(json!({ "max_tokens": "1" })),
                "MALFORMED_BODY",
            ),
            (
                "a fraction",
                premium(json!({ "max_tokens": 1.5 })),
                "MALFORMED_BODY",
            ),
            (
                "negative",
                premium(json!({ "max_tokens": -1 })),
                "MALFORMED_BODY",
            ),
            (
                "unseen",
                premium(json!({ "background": true })),
                "MALFORMED_BODY",
            ),
            (
                "no bound, nothing read",
                chat("bare", json!({ "max_tokens": "many" })),
                "passes",
            ),
        ],
    );
    let edited = filter.send(&premium(json!({}))).edited().expect("a bound");
    assert!(
        edited.ends_with(r#","max_completion_tokens":4096}"#),
        "{edited}"
    );
    assert_eq!(
        filter.send(&premium(json!({ "max_tokens": 7 }))).edited(),
        None
    );
    assert_eq!(filter.send(&chat("bare", json!({}))).edited(), None);
}

#[test]
fn what_an_api_calls_its_bound() {
    let bodies = [
        (
            "/v1/completions",
            r#"{"model":"gpt-4o","prompt":"x"}"#,
            r#","max_tokens":4096}"#,
        ),
        (
            "/v1/messages",
            r#"{"model":"gpt-4o","messages":[]}"#,
            r#","max_tokens":4096}"#,
        ),
        (
            "/v1/responses",
            r#"{"model":"gpt-4o","input":"x"}"#,
            r#","max_output_tokens":4096}"#,
        ),
    ];
    let mut filter = filter(json!({ "model": models() }));
    for (path, body, end) in bodies {
        let answer = filter.send(&post(path, "premium").body(body.as_bytes()));
        let edited = answer
            .edited()
            .unwrap_or_else(|| panic!("{path}: {}", answer.verdict()));
        assert!(edited.ends_with(end), "{path}: {edited}");
    }
    // Nobody knows what such a path would say.
    let unknown = post("/v1/unknown", "premium").json(json!({ "model": "gpt-4o" }));
    assert_eq!(filter.send(&unknown).verdict(), "MODEL_NOT_ALLOWED");
    let unbounded = post("/v1/unknown", "bare").json(json!({ "model": "x-mini" }));
    assert_eq!(filter.send(&unbounded).verdict(), "passes");
}

#[test]
fn a_model_in_the_path_is_decoded_once() {
    let rule = json!({
        "match": { "path": { "template": "/model/{model}/invoke" } },
        "model": { "from": { "path": "model" }, "api": "messages", "allow": [
            { "name": "anthropic.claude:0", "max_output_tokens": 10 },
        ] },
    });
    let mut filter = filter(rule);
    let invoke = |model: &str| {
        post(&format!("/model/{model}/invoke"), "bare").json(json!({ "messages": [] }))
    };
    verdicts(
        &mut filter,
        &[
            ("plain", invoke("anthropic.claude:0"), "passes"),
            ("escaped", invoke("anthropic.claude%3A0"), "passes"),
            ("another", invoke("anthropic.claude:1"), "MODEL_NOT_ALLOWED"),
            (
                "a body that names others",
                invoke("anthropic.claude:0").json(json!({ "fallbacks": ["x"] })),
                "MODEL_NOT_ALLOWED",
            ),
        ],
    );
    let edited = filter.send(&invoke("anthropic.claude:0")).edited();
    assert_eq!(
        edited.as_deref(),
        Some(r#"{"messages":[],"max_tokens":10}"#)
    );
}

#[test]
fn references_to_what_is_stored() {
    let mut denied = models();
    denied["references"] = json!("deny");
    let mut filter_denied = filter(json!({ "model": denied }));
    let mut filter_allowed = filter(json!({ "model": models() }));
    let respond = |more: Value| {
        let mut body = json!({ "model": "x-mini", "input": "hi" });
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        post("/v1/responses", "bare").json(body)
    };
    for more in [
        json!({ "previous_response_id": "resp_1" }),
        json!({ "conversation": "conv_1" }),
        json!({ "prompt": { "id": "pmpt_1" } }),
        json!({ "input": [{ "role": "user", "content": [{ "type": "input_file", "file_id": "file-1" }] }] }),
    ] {
        let ask = respond(more.clone());
        assert_eq!(
            filter_denied.send(&ask).verdict(),
            "REFERENCE_NOT_ALLOWED",
            "{more}"
        );
        assert_eq!(filter_allowed.send(&ask).verdict(), "passes", "{more}");
    }
    assert_eq!(filter_denied.send(&respond(json!({}))).verdict(), "passes");
}

#[test]
fn bodies_that_are_none() {
    let mut filter = filter(json!({ "model": models(), "body": { "max_bytes": 100 } }));
    let body = |text: &[u8]| post(CHAT, "bare").body(text);
    let good = br#"{"model":"x-mini"}"#;
    verdicts(
        &mut filter,
        &[
            ("an object", body(good), "passes"),
            ("nothing", body(b""), "MALFORMED_BODY"),
            ("an array", body(b"[]"), "MALFORMED_BODY"),
            ("a string", body(b"\"x\""), "MALFORMED_BODY"),
            (
                "two values",
                body(b"{\"model\":\"x-mini\"}{}"),
                "MALFORMED_BODY",
            ),
            (
                "a model twice",
                body(br#"{"model":"x-mini","model":"gpt-5"}"#),
                "MALFORMED_BODY",
            ),
            (
                "and in disguise",
                body(br#"{"model":"x-mini","\u006dodel":"gpt-5"}"#),
                "MALFORMED_BODY",
            ),
            (
                "twice below",
                body(br#"{"model":"x-mini","a":{"b":1,"b":2}}"#),
                "MALFORMED_BODY",
            ),
            (
                "a form",
                body(b"--x\r\ncontent-disposition: form-data"),
                "MALFORMED_BODY",
            ),
            (
                "no UTF-8",
                body(b"{\"model\":\"x-mini\",\"a\":\"\xff\"}"),
                "MALFORMED_BODY",
            ),
            (
                "a byte order mark",
                body(b"\xef\xbb\xbf{\"model\":\"x-mini\"}"),
                "MALFORMED_BODY",
            ),
            (
                "compressed",
                body(good).with("content-encoding", "gzip"),
                "UNSUPPORTED_ENCODING",
            ),
            (
                "said not to be",
                body(good).with("content-encoding", "identity"),
                "passes",
            ),
            (
                "announced too large",
                body(good).with("content-length", "101"),
                "BODY_TOO_LARGE",
            ),
            (
                "too large",
                body(good).arrives(BodyArrival::TooLarge),
                "BODY_TOO_LARGE",
            ),
            (
                "too late",
                body(good).arrives(BodyArrival::Late),
                "BODY_TIMEOUT",
            ),
            (
                "an upgrade",
                body(good).with("upgrade", "websocket"),
                "MALFORMED_BODY",
            ),
        ],
    );
}

/// Its clients read headers alone.
#[test]
fn calls_of_grpc_are_not_held() {
    let mut filter = filter(json!({ "model": models() }));
    let call = chat("bare", json!({})).with("content-type", "application/grpc");
    let reply = filter.send(&call).refused.expect("a refusal");
    assert_eq!(reply.grpc_status, Some(3));
    let code = ("x-portcullis-code", "MALFORMED_BODY".to_owned());
    assert!(reply.headers.contains(&code), "{reply:?}");
}
