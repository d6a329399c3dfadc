//! Kinds of prompts: who says which it is, and who may send it.

use serde_json::{Value, json};

use crate::harness::{Ask, Filter, keys, post};

fn filter(category: Value) -> Filter {
    Filter::new(json!({
        "api_keys": keys(&[("coder", json!({ "scopes": ["prompt:code"] })), ("other", json!({}))]),
        "rules": [{ "prompt": { "category": category, "allow": [
            { "name": "chat" },
            { "name": "code_*", "scopes": { "all": ["prompt:code"] } },
        ] } }],
    }))
}

fn ask(key: &str, body: Value) -> Ask {
    post("/v1/chat/completions", key).json(body)
}

#[test]
fn a_member_of_the_body_says_it() {
    let mut filter = filter(json!({ "body": "metadata.category" }));
    let rows = [
        (
            "other",
            json!({ "metadata": { "category": "chat" } }),
            "passes",
        ),
        (
            "coder",
            json!({ "metadata": { "category": "code_review" } }),
            "passes",
        ),
        (
            "other",
            json!({ "metadata": { "category": "code_review" } }),
            "INSUFFICIENT_SCOPE",
        ),
        (
            "coder",
            json!({ "metadata": { "category": "poetry" } }),
            "PROMPT_NOT_ALLOWED",
        ),
        (
            "coder",
            json!({ "metadata": { "category": 1 } }),
            "PROMPT_NOT_ALLOWED",
        ),
        (
            "coder",
            json!({ "metadata.category": "chat" }),
            "PROMPT_NOT_ALLOWED",
        ),
        ("coder", json!({}), "PROMPT_NOT_ALLOWED"),
    ];
    for (key, body, expected) in rows {
        assert_eq!(
            filter.send(&ask(key, body.clone())).verdict(),
            expected,
            "{key} {body}"
        );
    }
}

#[test]
fn a_header_says_it_once() {
    let mut filter = filter(json!({ "header": "x-prompt-category" }));
    let ask = || post("/", "other").without("content-type");
    let rows = [
        (ask().with("x-prompt-category", "chat"), "passes"),
        (ask(), "PROMPT_NOT_ALLOWED"),
        (
            ask().twice("x-prompt-category", "chat"),
            "PROMPT_NOT_ALLOWED",
        ),
        (
            ask()
                .with("x-prompt-category", "chat")
                .with("x_prompt_category", "chat"),
            "PROMPT_NOT_ALLOWED",
        ),
        (
            ask().with("x-prompt-category", "code_x"),
            "INSUFFICIENT_SCOPE",
        ),
    ];
    for (ask, expected) in rows {
        assert_eq!(filter.send(&ask).verdict(), expected);
    }
}

#[test]
fn a_classifier_says_it() {
    let mut filter =
        filter(json!({ "classifier": { "cluster": "c", "uri": "http://c/classify" } }));
    let body = json!({ "model": "m", "messages": [
        { "role": "system", "content": "be kind" },
        { "role": "user", "content": [{ "type": "text", "text": "hello" }] },
    ] });
    for (category, expected) in [
        (Some("chat"), "passes"),
        (Some("poetry"), "PROMPT_NOT_ALLOWED"),
        (Some("code_x"), "INSUFFICIENT_SCOPE"),
        (None, "CLASSIFIER_UNAVAILABLE"),
    ] {
        filter.category = category;
        let answer = filter.send(&ask("other", body.clone()));
        assert_eq!(answer.verdict(), expected, "{category:?}");
        assert_eq!(answer.header("retry-after").is_some(), category.is_none());
    }
    assert_eq!(
        filter.asked[0],
        json!({ "model": "m", "text": "be kind\nhello" })
    );
}
