//! What the clients tell their users of refusals: the exception, its code, and the reason in its text.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::stage::{Stage, amended_all};

/// The status of a refusal, and the exceptions of OpenAI's and of Anthropic's client.
type Class = (u16, &'static str, &'static str);

const UNAUTHENTICATED: Class = (401, "AuthenticationError", "AuthenticationError");
const FORBIDDEN: Class = (403, "PermissionDeniedError", "PermissionDeniedError");
const BAD: Class = (400, "BadRequestError", "BadRequestError");
/// OpenAI's client has no name for these.
const TOO_LARGE: Class = (413, "APIStatusError", "ContentTooLargeError");
const ENCODED: Class = (415, "APIStatusError", "APIStatusError");
const LIMITED: Class = (429, "RateLimitError", "RateLimitError");

/// For each API: what is added to a call, the code and the class.
fn rows(stage: &Stage) -> Vec<(Value, &'static str, Class)> {
    let expired = stage.expired_token();
    let narrow = stage.token("llm:read");
    let model = |name: &str| json!({ "arguments": { "model": name } });
    let long = json!({ "arguments": { "model": "gpt-bounded", "max_tokens": 65 } });
    vec![
        (
            json!({ "token": "rubbish" }),
            "MALFORMED_TOKEN",
            UNAUTHENTICATED,
        ),
        (
            json!({ "token": expired }),
            "TOKEN_EXPIRED",
            UNAUTHENTICATED,
        ),
        (
            json!({ "base": "/keys", "headers": { "x-api-key": "sk-unknown" } }),
            "INVALID_API_KEY",
            UNAUTHENTICATED,
        ),
        (json!({ "token": narrow }), "INSUFFICIENT_SCOPE", FORBIDDEN),
        (model("gpt-premium"), "INSUFFICIENT_SCOPE", FORBIDDEN),
        (model("llama-3"), "MODEL_NOT_ALLOWED", FORBIDDEN),
        (model(""), "MODEL_NOT_ALLOWED", FORBIDDEN),
        (json!({ "base": "/nowhere" }), "NO_RULE", FORBIDDEN),
        (long, "MAX_TOKENS_EXCEEDED", BAD),
        (
            json!({ "base": "/kinds", "headers": { "x-kind": "code" } }),
            "PROMPT_NOT_ALLOWED",
            FORBIDDEN,
        ),
        (json!({ "base": "/short" }), "BODY_TOO_LARGE", TOO_LARGE),
        (
            json!({ "headers": { "content-encoding": "gzip" } }),
            "UNSUPPORTED_ENCODING",
            ENCODED,
        ),
        // Its window ends in days, and Anthropic's client would sleep until then.
        (json!({ "base": "/poor" }), "BUDGET_EXCEEDED", LIMITED),
    ]
}

#[test]
fn an_exception_says_why() {
    let stage = Stage::open();
    let (mut calls, mut expected) = (Vec::new(), Vec::new());
    let mut add = |call: Value, more: Value, code: &'static str, class: Class| {
        let token = json!({ "token": stage.token("llm:use") });
        calls.extend(amended_all(amended_all(vec![call], &token), &more));
        expected.push((code, class));
    };
    for (more, code, class) in rows(&stage) {
        for api in ["chat", "messages"] {
            let is_no_rule = code == "NO_RULE";
            // Only the refusals of rules that know models have these bodies.
            if !is_no_rule {
                add(json!({ "api": api }), more.clone(), code, class);
                add(
                    json!({ "api": api, "stream": true }),
                    more.clone(),
                    code,
                    class,
                );
            }
        }
    }
    let responses = |arguments: Value| json!({ "api": "responses", "arguments": arguments });
    let stored = responses(json!({ "previous_response_id": "resp_1" }));
    let closed = json!({ "base": "/closed" });
    add(stored, closed, "REFERENCE_NOT_ALLOWED", FORBIDDEN);
    let background = responses(json!({ "background": true }));
    add(background, json!({}), "MALFORMED_BODY", BAD);

    let told = stage.run(&calls);
    // By code: what either client's user reads.
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for ((call, told), (code, (status, openai, anthropic))) in calls.iter().zip(&told).zip(expected)
    {
        let is_anthropic = call["api"] == "messages";
        let refused = &told["refused"];
        assert_eq!(refused["status_code"], status, "{call}: {told}");
        let class = if is_anthropic { anthropic } else { openai };
        assert_eq!(refused["class"], class, "{call}: {told}");
        // None of these helps to try again.
        assert_eq!(told["tries"], 1, "{call}: {told}");
        let text = refused["text"].as_str().expect("a text");
        let reason = if is_anthropic {
            // It prints the whole body.
            assert!(text.contains(code), "{call}: {told}");
            assert_eq!(refused["body"]["type"], "error", "{call}: {told}");
            let error = &refused["body"]["error"];
            assert_eq!(refused["type"], error["type"], "{call}: {told}");
            error["message"].as_str().expect("a reason")
        } else {
            assert_eq!(refused["code"], code, "{call}: {told}");
            let text = text.strip_prefix(&format!("Error code: {status} - "));
            text.unwrap_or_else(|| panic!("no reason: {call}: {told}"))
        };
        assert!(text.contains(reason) && reason.len() > 10, "{call}: {told}");
        reasons.entry(code).or_default().push(reason.to_owned());
    }
    for (code, mut said) in reasons {
        said.dedup();
        assert_eq!(said.len(), 1, "{code} has one reason: {said:?}");
    }
    assert_eq!(stage.upstream.received(), 0);
}

/// What the provider itself refuses is told as it would be without us.
#[test]
fn a_provider_s_own_refusal_passes() {
    let stage = Stage::open();
    let fault = |api: &str, stream: bool, fault: &str| {
        json!({
            "api": api, "stream": stream, "token": stage.token("llm:use"), "retries": 1,
            "headers": { "x-model-fault": fault },
        })
    };
    let told = stage.run(&[
        fault("messages", false, "status:529"),
        fault("chat", true, "status:429"),
        fault("chat", true, "break-after:3"),
    ]);
    let classes: Vec<&Value> = told.iter().map(|told| &told["refused"]["class"]).collect();
    let expected = ["OverloadedError", "RateLimitError", "APIConnectionError"];
    assert_eq!(classes, expected, "{told:?}");
    let tries: Vec<&Value> = told.iter().map(|told| &told["tries"]).collect();
    assert_eq!(tries, [2, 2, 1], "{told:?}");
    let text = told[0]["refused"]["text"].as_str().expect("a text");
    assert!(text.contains("Refused, as the request wants"), "{text}");
}

/// Each call uses a window up, and the clients wait for the next by themselves.
#[test]
fn a_client_waits_for_the_next_window() {
    let stage = Stage::open();
    let mut calls = Vec::new();
    for api in ["chat", "messages", "chat", "messages"] {
        calls.push(json!({
            "api": api, "base": "/bursts", "token": stage.token("llm:use"),
            "headers": { "x-model-input-tokens": "100" }, "arguments": { "max_tokens": 8 },
        }));
    }
    let told = stage.run(&calls);
    for told in &told {
        assert_eq!(told["status"], 200, "{told}");
    }
    // Not all: a window may end between two calls.
    assert!(told.iter().any(|told| told["tries"] == 2), "{told:?}");
    assert_eq!(stage.upstream.received(), 4);
}
