//! OpenAI's and Anthropic's own clients, with Envoy and the filter between them and a provider: what they read of answers,
//! and what they tell their users of refusals. `LLM_PACKAGES` names the folder of the Python packages (default:
//! `.cache/llm-clients`).

mod refusals;
mod stage;

use portcullis_model_upstream::journal::{Claimed, End};
use serde_json::{Value, json};

use self::stage::{LIMIT, Stage, amended_all};

/// Every API, whole and streamed, and as the clients' own classes put a stream together.
fn every_form() -> Vec<Value> {
    let mut forms = Vec::new();
    for api in ["chat", "completions", "responses", "messages"] {
        forms.push(json!({ "api": api }));
        forms.push(json!({ "api": api, "stream": true }));
        // Its client has no such class for completions.
        if api != "completions" {
            forms.push(json!({ "api": api, "stream": "helper" }));
        }
    }
    forms
}

/// What a client read that an answer took.
fn claimed(told: &Value) -> Claimed {
    let usage = &told["usage"];
    let number = |name: &str| usage[name].as_u64().unwrap_or_default();
    Claimed {
        input: number("prompt_tokens") + number("input_tokens") + number("cache_read_input_tokens"),
        output: number("completion_tokens") + number("output_tokens"),
    }
}

/// Also of the chunk with the usage, which only the filter asked for.
#[test]
fn clients_read_every_form_of_answer() {
    let stage = Stage::open();
    let steered = json!({ "token": stage.token("llm:use"), "headers": {
        "x-model-output-tokens": "5", "x-model-input-tokens": "40", "x-model-cached-tokens": "2",
    } });
    let calls = amended_all(every_form(), &steered);
    let took = Claimed {
        input: 42,
        output: 5,
    };
    for (call, told) in calls.iter().zip(&stage.run(&calls)) {
        assert_eq!(told["refused"], Value::Null, "{call}: {told}");
        let said = json!(["Every answer here is made"]);
        assert_eq!(told["texts"], said, "{call}: {told}");
        let end = match call["api"].as_str() {
            Some("messages") => "end_turn",
            Some("responses") => "completed",
            _ => "stop",
        };
        assert_eq!(told["end"], json!([end]), "{call}: {told}");
        assert_eq!(claimed(told), took, "{call}: {told}");
        assert_eq!(told["tries"], 1, "{call}: {told}");
        // The clients ask for gzip, which the filter could not read.
        let coding = &told["headers"]["content-encoding"];
        assert_eq!(*coding, Value::Null, "{call}: {told}");
    }
    for exchange in stage.upstream.exchanges() {
        let answer = exchange.answer.as_ref().expect("an answer");
        assert_eq!(
            (answer.end, answer.claimed),
            (End::Complete, Some(took)),
            "{exchange:?}"
        );
    }

    let token = stage.token("llm:use");
    let told = stage.run(&[
        json!({ "api": "embeddings", "token": token }),
        json!({ "api": "chat", "token": token, "arguments": { "max_tokens": LIMIT } }),
    ]);
    assert_eq!(told[0]["vectors"][1][2], -1.0, "{told:?}");
    assert_eq!(told[0]["usage"]["total_tokens"], 2, "{told:?}");
    // All that the provider claimed is spent: no more, no less.
    let spent = 47 * calls.len() as u64 + 2;
    assert_eq!(stage.upstream.claimed().total(), spent);
    assert_eq!(told[1]["refused"]["code"], "BUDGET_EXCEEDED", "{told:?}");
    let left = format!("\"monthly\";r={};t=", LIMIT - spent);
    let limit = told[1]["headers"]["ratelimit"].as_str().expect("a limit");
    assert!(limit.starts_with(&left), "{limit} instead of {left}");
}

/// Asked for or not, a stream says once what it took.
#[test]
fn a_stream_s_usage_comes_once() {
    let stage = Stage::open();
    let mut calls = Vec::new();
    for api in ["chat", "completions"] {
        for options in [
            json!({}),
            json!({ "include_usage": false }),
            json!({ "include_usage": true }),
        ] {
            let arguments = json!({ "stream_options": options });
            calls.push(json!({ "api": api, "stream": true, "arguments": arguments }));
        }
    }
    let token = json!({ "token": stage.token("llm:use") });
    for (call, told) in calls
        .iter()
        .zip(stage.run(&amended_all(calls.clone(), &token)))
    {
        assert_eq!(told["without_choices"], 1, "{call}: {told}");
        assert_eq!(claimed(&told).output, 16, "{call}: {told}");
    }
    for exchange in stage.upstream.exchanges() {
        let body = exchange.body().expect("JSON");
        assert_eq!(
            body["stream_options"],
            json!({ "include_usage": true }),
            "{body}"
        );
        let length = exchange.call.header("content-length");
        assert_eq!(
            length,
            Some(exchange.call.body.len().to_string()),
            "{exchange:?}"
        );
    }
}

/// Be the client's a token, or an API key in a header of its own, beside which these clients send what they take for a key.
#[test]
fn the_provider_sees_its_own_credential_alone() {
    let stage = Stage::open();
    let token = stage.token("llm:use");
    let mut calls = Vec::new();
    for api in ["chat", "messages"] {
        calls.push(json!({ "api": api, "token": token }));
        let key = json!({ "x-api-key": stage.api_key });
        calls.push(json!({ "api": api, "base": "/keys", "headers": key }));
    }
    for told in &stage.run(&calls) {
        assert_eq!(told["status"], 200, "{told}");
    }
    let exchanges = stage.upstream.exchanges();
    assert_eq!(exchanges.len(), calls.len());
    for exchange in exchanges {
        let call = &exchange.call;
        let authorization = call.all("authorization");
        assert_eq!(authorization, ["Bearer of-the-provider"], "{exchange:?}");
        for (name, value) in &call.headers {
            let value = String::from_utf8_lossy(value).into_owned();
            let is_secret = value.contains(&token) || value.contains(&stage.api_key);
            assert!(!is_secret, "{name}: {value}");
        }
    }
}
