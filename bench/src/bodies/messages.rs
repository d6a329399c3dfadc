//! The bytes of requests and answers, as OpenAI's API has them.

use bench::traffic::{HOST, api_key};
use serde_json::{Value, json};

use crate::bodies::variants::{JSON_BYTES, Kind, REQUEST_BYTES};

/// Where requests go.
pub const PATH: &str = "/v1/chat/completions";
/// The model that requests name.
pub const MODEL: &str = "gpt-4o";
/// The bound of the policy for it.
pub const MOST_TOKENS: u64 = 4096;

/// The tokens of the prompt, as each answer says.
const INPUT: u64 = 911;

/// The header that tells the model's server which connection a request came from.
pub const LANE: &str = "x-lane";

/// An answer, ready to be written.
pub struct Answer {
    /// Written one after the other, each when the client has the one before it. The first has the head in front of it.
    pub writes: Vec<Vec<u8>>,
    /// The body that the client must get.
    pub body: Vec<u8>,
    /// The tokens that it says it used.
    pub tokens: u64,
}

/// A request with this body and these headers beside those that every client sends.
pub fn request(lane: usize, more: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "POST {PATH} HTTP/1.1\r\n\
         host: {HOST}\r\n\
         accept: application/json\r\n\
         accept-encoding: gzip, deflate\r\n\
         content-type: application/json\r\n\
         content-length: {length}\r\n\
         user-agent: OpenAI/Python 2.8.1\r\n\
         x-stainless-lang: python\r\n\
         x-stainless-package-version: 2.8.1\r\n\
         x-stainless-os: Linux\r\n\
         x-stainless-arch: x64\r\n\
         x-stainless-runtime: CPython\r\n\
         x-stainless-runtime-version: 3.13.1\r\n\
         x-stainless-retry-count: 0\r\n\
         {LANE}: {lane}\r\n\
         {more}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// The header with a credential that is known.
pub fn known_key() -> String {
    format!("x-api-key: {}", api_key(0))
}

/// The body of a request for this kind of answer. It names all that a filter would else put in.
pub fn chat(kind: Kind) -> Vec<u8> {
    padded(REQUEST_BYTES, |text| {
        let mut request = json!({
            "model": MODEL,
            "max_completion_tokens": 1024,
            "temperature": 0.2,
            "messages": [
                { "role": "system", "content": "You answer briefly, and cite the \"handbook\".\nNothing else." },
                { "role": "user", "content": text },
            ],
        });
        if let (Some(members), true) = (request.as_object_mut(), kind.events() > 0) {
            let options = json!({ "include_usage": true });
            members.insert("stream".to_owned(), json!(true));
            members.insert("stream_options".to_owned(), options);
        }
        request
    })
}

/// What the model's server answers.
pub fn answer(kind: Kind) -> Answer {
    match kind {
        Kind::Json => whole(),
        Kind::Long | Kind::Short => stream(kind.events()),
    }
}

fn usage(output: u64) -> Value {
    json!({
        "prompt_tokens": INPUT,
        "completion_tokens": output,
        "total_tokens": INPUT + output,
        "prompt_tokens_details": { "cached_tokens": 0, "audio_tokens": 0 },
        "completion_tokens_details": {
            "reasoning_tokens": 0, "audio_tokens": 0,
            "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0,
        },
    })
}

fn stream(events: usize) -> Answer {
    let event = |choices: Value, usage: Value| {
        json!({
            "id": "chatcmpl-CzTiuTjbtDiBdBSTbNYMKmRfKkVcC",
            "object": "chat.completion.chunk",
            "created": 1_767_225_600,
            "model": "gpt-4o-2024-08-06",
            "service_tier": "default",
            "system_fingerprint": "fp_44add55e8e",
            "choices": choices,
            "usage": usage,
            "obfuscation": "8SzoPQwbS",
        })
        .to_string()
    };
    let delta = |delta: Value, reason: Value| {
        let choice =
            json!({ "index": 0, "delta": delta, "logprobs": null, "finish_reason": reason });
        event(json!([choice]), Value::Null)
    };
    // What is there beside the text.
    let words = events - 4;
    let output = words as u64 + 1;
    let mut data = vec![delta(
        json!({ "role": "assistant", "content": "", "refusal": null }),
        Value::Null,
    )];
    let text = prose(8 * words);
    for word in text.split_inclusive(' ').cycle().take(words) {
        data.push(delta(json!({ "content": word }), Value::Null));
    }
    data.push(delta(json!({}), json!("stop")));
    data.push(event(json!([]), usage(output)));
    data.push("[DONE]".to_owned());

    let events: Vec<String> = data
        .iter()
        .map(|data| format!("data: {data}\n\n"))
        .collect();
    let mut writes: Vec<Vec<u8>> = events.iter().map(|event| chunk(event)).collect();
    let head = "HTTP/1.1 200 OK\r\n\
                content-type: text/event-stream; charset=utf-8\r\n\
                openai-processing-ms: 312\r\n\
                x-request-id: req_7b1c1b2a9d5e4f3c8a6b0d2e4f6a8c0e\r\n\
                transfer-encoding: chunked\r\n\r\n";
    if let Some(first) = writes.first_mut() {
        first.splice(..0, head.bytes());
    }
    if let Some(last) = writes.last_mut() {
        last.extend_from_slice(b"0\r\n\r\n");
    }
    Answer {
        writes,
        body: events.concat().into_bytes(),
        tokens: INPUT + output,
    }
}

/// RFC 9112 §7.1.
fn chunk(data: &str) -> Vec<u8> {
    format!("{:x}\r\n{data}\r\n", data.len()).into_bytes()
}

fn whole() -> Answer {
    let output = 1000;
    let body = padded(JSON_BYTES, |text| {
        json!({
            "id": "chatcmpl-CzTiuTjbtDiBdBSTbNYMKmRfKkVcC",
            "object": "chat.completion",
            "created": 1_767_225_600,
            "model": "gpt-4o-2024-08-06",
            "choices": [{
                "index": 0,
                "message": { "role": "assistant", "content": text, "refusal": null, "annotations": [] },
                "logprobs": null,
                "finish_reason": "stop",
            }],
            "usage": usage(output),
            "service_tier": "default",
            "system_fingerprint": "fp_44add55e8e",
        })
    });
    let head = format!(
        "HTTP/1.1 200 OK\r\n\
         content-type: application/json\r\n\
         content-length: {}\r\n\
         openai-processing-ms: 312\r\n\
         x-request-id: req_7b1c1b2a9d5e4f3c8a6b0d2e4f6a8c0e\r\n\r\n",
        body.len()
    );
    Answer {
        writes: vec![[head.as_bytes(), &body].concat()],
        body,
        tokens: INPUT + output,
    }
}

/// JSON of so many bytes, the rest of which is text.
fn padded(bytes: usize, json: impl Fn(&str) -> Value) -> Vec<u8> {
    let missing = bytes - json("").to_string().len();
    json(&prose(missing)).to_string().into_bytes()
}

/// So many bytes of text that takes as many in JSON.
fn prose(bytes: usize) -> String {
    const SENTENCE: &str =
        "The gate opens for those who are known, and the ledger keeps what they took. ";
    SENTENCE.chars().cycle().take(bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_answers_are_as_long_as_they_say() {
        for kind in Kind::ALL {
            assert_eq!(chat(kind).len(), REQUEST_BYTES);
        }
        assert_eq!(answer(Kind::Json).body.len(), JSON_BYTES);
        for kind in [Kind::Long, Kind::Short] {
            let answer = answer(kind);
            assert_eq!(answer.writes.len(), kind.events());
            let body = String::from_utf8(answer.body).unwrap();
            assert_eq!(body.matches("\n\n").count(), kind.events());
            assert_eq!(body.matches("\"total_tokens\"").count(), 1);
        }
    }
}
