//! The answers' forms and the faults, from the outside, over HTTP/1.1 and HTTP/2. That real clients read them is tested
//! with those.

// A test measures with clocks.
#![allow(clippy::disallowed_methods)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use portcullis_model_upstream::ModelUpstream;
use portcullis_model_upstream::journal::{Answered, Claimed, End};
use portcullis_testing::client::{Answer, Request, request};
use portcullis_testing::{PATIENCE, http2, poll};
use serde_json::{Value, json};

/// A request and its faults.
fn ask(path: &str, body: &Value) -> Request {
    request("POST", path)
        .header("content-type", "application/json")
        .body(body.to_string())
}

fn chat(more: Value) -> Request {
    let mut body =
        json!({ "model": "m", "messages": [{ "role": "user", "content": "two words" }] });
    let more = more.as_object().expect("members").clone();
    body.as_object_mut().expect("members").extend(more);
    ask("/v1/chat/completions", &body)
}

fn faulty(fault: &str) -> Request {
    chat(json!({})).header("x-model-fault", fault)
}

fn send(upstream: &ModelUpstream, request: &Request) -> Answer {
    let answer = request.send(upstream.port());
    answer.unwrap_or_else(|error| panic!("{error}: {request:?}"))
}

fn document(upstream: &ModelUpstream, request: &Request) -> Value {
    let answer = send(upstream, request);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json().expect("JSON")
}

/// The names and the data of a stream's events.
fn events(answer: &Answer) -> Vec<(String, Value)> {
    let content_type = answer.header("content-type");
    assert_eq!(
        content_type.as_deref(),
        Some("text/event-stream; charset=utf-8"),
        "{answer:?}"
    );
    read_events(&answer.body)
}

fn read_events(body: &[u8]) -> Vec<(String, Value)> {
    let text = str::from_utf8(body).expect("UTF-8");
    let (events, rest) = text.rsplit_once("\n\n").expect("an event");
    assert_eq!(rest, "", "the last event has no end");
    let read = |event: &str| {
        let (name, data) = match event.split_once('\n') {
            Some((name, data)) => (name.strip_prefix("event: ").expect("a name"), data),
            None => ("", event),
        };
        let data = data.strip_prefix("data: ").expect("data");
        let data = serde_json::from_str(data).unwrap_or_else(|_| json!(data));
        (name.to_owned(), data)
    };
    events.split("\n\n").map(read).collect()
}

fn claimed(input: u64, output: u64) -> Claimed {
    Claimed { input, output }
}

fn last(upstream: &ModelUpstream) -> Option<Answered> {
    let exchanges = upstream.exchanges();
    exchanges.last().expect("a request").answer.clone()
}

fn await_end(upstream: &ModelUpstream, end: End) -> Answered {
    let ended = poll(PATIENCE, || {
        last(upstream).filter(|answer| answer.end == end)
    });
    ended.unwrap_or_else(|| panic!("never {end:?}: {:?}", last(upstream)))
}

#[test]
fn documents_have_the_forms_of_their_apis() {
    let upstream = ModelUpstream::start();
    let answer = document(&upstream, &chat(json!({ "n": 2, "max_tokens": 3 })));
    assert_eq!(answer["object"], "chat.completion");
    assert_eq!(answer["model"], "m");
    assert_eq!(answer["id"], "chatcmpl-000000000000000000000001");
    for index in [0, 1] {
        let choice = &answer["choices"][index];
        assert_eq!(choice["index"], index);
        assert_eq!(choice["message"]["content"], "Every answer here");
        assert_eq!(choice["finish_reason"], "length");
    }
    assert_eq!(answer["usage"]["prompt_tokens"], 2);
    assert_eq!(answer["usage"]["completion_tokens"], 6);
    assert_eq!(answer["usage"]["total_tokens"], 8);

    let body = json!({ "model": "m", "prompt": ["a b", "c"], "n": 2, "best_of": 3 });
    let answer = document(&upstream, &ask("/v1/completions", &body));
    assert_eq!(answer["object"], "text_completion");
    assert_eq!(answer["choices"].as_array().map(Vec::len), Some(4));
    assert_eq!(answer["choices"][3]["finish_reason"], "stop");
    assert_eq!(answer["usage"]["prompt_tokens"], 3);
    // Three tries for each of two prompts.
    assert_eq!(answer["usage"]["completion_tokens"], 6 * 16);
    let tokens = json!({ "model": "m", "prompt": [1, 2, 3] });
    let answer = document(&upstream, &ask("/v1/completions", &tokens));
    assert_eq!(answer["choices"].as_array().map(Vec::len), Some(1));
    assert_eq!(answer["usage"]["prompt_tokens"], 3);

    let body = json!({ "model": "m", "input": ["a b", "c"] });
    let answer = document(&upstream, &ask("/v1/embeddings", &body));
    assert_eq!(answer["object"], "list");
    assert_eq!(answer["data"][1]["index"], 1);
    assert_eq!(answer["data"][1]["embedding"][2], -1.0);
    assert_eq!(
        answer["usage"],
        json!({ "prompt_tokens": 3, "total_tokens": 3 })
    );
    let body = json!({ "model": "m", "input": "a", "dimensions": 2, "encoding_format": "base64" });
    let answer = document(&upstream, &ask("/v1/embeddings", &body));
    assert_eq!(answer["data"][0]["embedding"], "AAAAAAAAAD8=");

    let body =
        json!({ "model": "m", "input": "a b", "instructions": "c", "max_output_tokens": 20 });
    let answer = document(&upstream, &ask("/v1/responses", &body));
    assert_eq!(answer["object"], "response");
    assert_eq!(answer["status"], "completed");
    assert_eq!(answer["output"][0]["content"][0]["type"], "output_text");
    assert_eq!(answer["usage"]["input_tokens"], 3);
    assert_eq!(answer["usage"]["output_tokens"], 16);
    assert_eq!(answer["usage"]["total_tokens"], 19);
    let body = json!({ "model": "m", "input": "a", "max_output_tokens": 2 });
    let answer = document(&upstream, &ask("/v1/responses", &body));
    assert_eq!(answer["status"], "incomplete");
    assert_eq!(answer["incomplete_details"]["reason"], "max_output_tokens");

    let body = json!({ "model": "m", "max_tokens": 4, "system": "a", "messages": [
        { "role": "user", "content": [{ "type": "text", "text": "b c" }] },
    ] });
    let cached = ask("/v1/messages", &body).header("x-model-cached-tokens", "100");
    let answer = document(&upstream, &cached);
    assert_eq!(answer["type"], "message");
    assert_eq!(answer["content"][0]["text"], "Every answer here is");
    assert_eq!(answer["stop_reason"], "max_tokens");
    let usage = &answer["usage"];
    assert_eq!(usage["input_tokens"], 3);
    assert_eq!(usage["cache_read_input_tokens"], 100);
    assert_eq!(usage["output_tokens"], 4);
    assert_eq!(
        last(&upstream).expect("an answer").claimed,
        Some(claimed(103, 4))
    );
}

#[test]
fn streams_have_the_forms_of_their_apis() {
    let upstream = ModelUpstream::start();
    let stream = json!({ "stream": true, "max_tokens": 2 });
    let answer = events(&send(&upstream, &chat(stream.clone())));
    let (done, chunks) = answer.split_last().expect("events");
    assert_eq!(done.1, "[DONE]");
    assert_eq!(chunks.len(), 4);
    for (name, chunk) in chunks {
        assert_eq!(name, "");
        assert_eq!(chunk["object"], "chat.completion.chunk");
        assert_eq!(chunk.get("usage"), None);
    }
    assert_eq!(chunks[0].1["choices"][0]["delta"]["role"], "assistant");
    assert_eq!(chunks[2].1["choices"][0]["delta"]["content"], " answer");
    assert_eq!(chunks[3].1["choices"][0]["finish_reason"], "length");
    let answered = last(&upstream).expect("an answer");
    assert_eq!((answered.claimed, answered.chunks), (None, 5));

    let mut asking = stream;
    asking["stream_options"] = json!({ "include_usage": true });
    let answer = events(&send(&upstream, &chat(asking)));
    let [chunks @ .., (_, usage), _] = &answer[..] else {
        panic!("{answer:?}")
    };
    for (_, chunk) in chunks {
        assert_eq!(chunk["usage"], Value::Null);
        assert!(chunk.as_object().expect("members").contains_key("usage"));
    }
    assert_eq!(usage["choices"], json!([]));
    assert_eq!(usage["usage"]["total_tokens"], 4);
    assert_eq!(
        last(&upstream).expect("an answer").claimed,
        Some(claimed(2, 2))
    );

    let body = json!({ "model": "m", "prompt": "a", "max_tokens": 2, "n": 2, "stream": true,
        "stream_options": { "include_usage": true } });
    let answer = events(&send(&upstream, &ask("/v1/completions", &body)));
    assert_eq!(answer.len(), 2 * 2 + 2 + 2);
    assert_eq!(answer[3].1["choices"][0]["text"], " answer");
    assert_eq!(answer[3].1["choices"][0]["index"], 1);
    assert_eq!(answer[6].1["usage"]["completion_tokens"], 4);

    let body = json!({ "model": "m", "input": "a", "max_output_tokens": 2, "stream": true });
    let answer = events(&send(&upstream, &ask("/v1/responses", &body)));
    let names: Vec<&str> = answer.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.incomplete",
    ];
    assert_eq!(names, expected);
    for (i, (name, data)) in answer.iter().enumerate() {
        assert_eq!(data["type"], *name);
        assert_eq!(data["sequence_number"], i);
    }
    assert_eq!(answer[0].1["response"]["usage"], Value::Null);
    assert_eq!(answer[9].1["response"]["usage"]["total_tokens"], 3);
    let body = json!({ "model": "m", "input": "a", "stream": true });
    let answer = events(&send(&upstream, &ask("/v1/responses", &body)));
    assert_eq!(answer.last().expect("events").0, "response.completed");

    let body = json!({ "model": "m", "max_tokens": 2, "stream": true, "messages": [
        { "role": "user", "content": "a" },
    ] });
    let answer = events(&send(&upstream, &ask("/v1/messages", &body)));
    let names: Vec<&str> = answer.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ];
    assert_eq!(names, expected);
    let start = &answer[0].1["message"]["usage"];
    assert_eq!(
        (&start["input_tokens"], &start["output_tokens"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(answer[6].1["usage"], json!({ "output_tokens": 2 }));
    assert_eq!(
        last(&upstream).expect("an answer").claimed,
        Some(claimed(1, 2))
    );
    // All five that said so, the last by its end alone.
    let (input, output) = (2 + 1 + 1 + 1 + 1, 2 + 4 + 2 + 16 + 2);
    assert_eq!(upstream.claimed(), claimed(input, output));
}

#[test]
fn usage_may_be_absent_odd_or_wrong() {
    let upstream = ModelUpstream::start();
    let usage = |fault: &str| document(&upstream, &faulty(fault))["usage"].clone();
    assert_eq!(usage("no-usage"), Value::Null);
    assert_eq!(last(&upstream).expect("an answer").claimed, None);
    let wrong = usage("wrong-usage");
    let numbers = ["prompt_tokens", "completion_tokens", "total_tokens"].map(|it| &wrong[it]);
    assert_eq!(numbers, [&json!("2"), &json!(-1), &Value::Null]);
    assert_eq!(upstream.claimed(), claimed(0, 0));
    let float = send(
        &upstream,
        &faulty("float-usage").header("x-model-input-tokens", "1234"),
    );
    let text = String::from_utf8_lossy(&float.body).into_owned();
    assert!(text.contains("\"prompt_tokens\":1234.0"), "{text}");
    assert!(text.contains("\"total_tokens\":1250.0"), "{text}");
    assert_eq!(upstream.claimed(), claimed(1234, 16));

    let body = json!({ "model": "m", "max_tokens": 2, "stream": true, "messages": [] });
    let stream = ask("/v1/messages", &body).header("x-model-fault", "no-usage");
    let answer = events(&send(&upstream, &stream));
    assert!(answer.iter().all(|(_, data)| data["usage"].is_null()));
    assert_eq!(upstream.claimed(), claimed(1234, 16));
}

#[test]
fn a_client_may_choose_how_much_is_said_and_claimed() {
    let upstream = ModelUpstream::start();
    let steered = chat(json!({ "max_tokens": 2 }))
        .header("x-model-output-tokens", "300")
        .header("x-model-input-tokens", "7")
        .header("x-model-cached-tokens", "5");
    let answer = document(&upstream, &steered);
    let text = answer["choices"][0]["message"]["content"].as_str();
    assert_eq!(text.map(|text| text.split(' ').count()), Some(300));
    assert_eq!(answer["usage"]["prompt_tokens"], 12);
    assert_eq!(answer["usage"]["prompt_tokens_details"]["cached_tokens"], 5);
    assert_eq!(upstream.claimed(), claimed(12, 300));
    let nothing = chat(json!({ "max_tokens": 0 }));
    let answer = document(&upstream, &nothing);
    assert_eq!(answer["choices"][0]["message"]["content"], "");
    assert_eq!(answer["usage"]["completion_tokens"], 0);
}

#[test]
fn what_is_not_known_is_refused() {
    let upstream = ModelUpstream::start();
    let refused = |request: Request, status: u16| {
        let answer = send(&upstream, &request);
        assert_eq!(answer.status, status, "{answer:?}");
        answer.json().expect("JSON")["error"]["message"].clone()
    };
    let misspelled = chat(json!({})).header("x-model-falt", "silent");
    assert_eq!(refused(misspelled, 400), "x-model-falt: \"silent\"");
    for fault in [
        "slow",
        "none, slow",
        "status",
        "status:99",
        "break-after:x",
        "",
    ] {
        refused(faulty(fault), 400);
    }
    for (name, value) in [
        ("x-model-api", "bedrock"),
        ("x-model-output-tokens", "10000001"),
        ("x-model-chunk-bytes", "0"),
        ("x-model-answer-header", "no colon"),
    ] {
        refused(chat(json!({})).header(name, value), 400);
    }
    refused(chat(json!({ "n": 129 })), 400);
    refused(ask("/v1/chat/completions", &json!([])), 400);
    refused(request("POST", "/v1/responses").body("{\"model\""), 400);
    refused(request("POST", "/v1/responses"), 400);
    refused(request("GET", "/v1/chat/completions"), 405);
    for path in ["/", "/v1/models", "/v1/chat", "/v1/messages/batches"] {
        refused(ask(path, &json!({})), 404);
    }
    assert_eq!(upstream.claimed(), claimed(0, 0));
}

#[test]
fn an_api_may_have_any_path() {
    let upstream = ModelUpstream::start();
    let body = json!({ "max_tokens": 2, "messages": [] });
    let invoke = ask("/model/claude/invoke?x=y", &body).header("x-model-api", "messages");
    let answer = document(&upstream, &invoke);
    assert_eq!(
        (&answer["type"], &answer["model"]),
        (&json!("message"), &json!("claude"))
    );
    let answer = document(
        &upstream,
        &ask("/openai/deployments/d/chat/completions", &json!({})),
    );
    assert_eq!(answer["object"], "chat.completion");
}

#[test]
fn an_answer_may_end_early_or_never_come() {
    let upstream = ModelUpstream::start();
    let stream = chat(json!({ "stream": true, "stream_options": { "include_usage": true } }));
    for chunks in [0, 1, 5] {
        let broken = stream
            .clone()
            .header("x-model-fault", format!("break-after:{chunks}"));
        let mut connection = broken.begin(upstream.port()).expect("a connection");
        let mut all = Vec::new();
        let _ = connection.read_to_end(&mut all);
        let text = String::from_utf8_lossy(&all).into_owned();
        assert!(text.starts_with("HTTP/1.1 200 OK"), "{text}");
        assert_eq!(text.matches("data: ").count(), chunks, "{text}");
        assert!(!text.contains("\r\n0\r\n"), "the stream ends: {text}");
        let answer = last(&upstream).expect("an answer");
        assert_eq!((answer.end, answer.chunks), (End::Broken, chunks));
        assert_eq!(answer.claimed, None);
    }
    // All that was said counts, however it ended.
    let broken = stream.clone().header("x-model-fault", "break-after:1000");
    assert!(broken.send(upstream.port()).is_err());
    assert_eq!(
        await_end(&upstream, End::Broken).claimed,
        Some(claimed(2, 16))
    );
    let half = faulty("break-after:1").send(upstream.port());
    let half = half.expect("a part of an answer");
    let announced = half.header("content-length").expect("a length");
    assert_eq!(
        half.body.len(),
        announced.parse::<usize>().expect("a number") / 2
    );
    assert_eq!(upstream.claimed(), claimed(2, 16));

    let none = faulty("reset-before-answer").send(upstream.port());
    assert!(none.is_err(), "{none:?}");
    assert!(last(&upstream).is_none());

    let silent = faulty("silent").begin(upstream.port());
    let mut silent = silent.expect("a connection");
    silent
        .set_read_timeout(Some(Duration::from_millis(300)))
        .expect("a timeout");
    let read = silent.read(&mut [0]);
    assert!(read.is_err(), "{read:?}");
    assert!(last(&upstream).is_none());
    assert_eq!(upstream.received(), 7);
}

#[test]
fn http_2_has_the_same_answers_and_faults() {
    let upstream = ModelUpstream::start();
    let sent = |request: &Request| http2::send(request, upstream.port());
    let answer = sent(&chat(json!({}))).expect("an answer");
    assert_eq!(answer.json().expect("JSON")["object"], "chat.completion");
    let stream = chat(json!({ "stream": true }));
    let answer = sent(&stream).expect("an answer");
    assert_eq!(events(&answer).len(), 16 + 3);
    let broken = stream.header("x-model-fault", "break-after:2");
    assert!(sent(&broken).is_err());
    assert_eq!(await_end(&upstream, End::Broken).chunks, 2);
    assert!(sent(&faulty("reset-before-answer")).is_err());
    // In the pieces and with the trailers that came.
    let pieces = request("POST", "/v1/messages")
        .piece("{\"max_tokens\"")
        .piece(":1}");
    let answer = sent(&pieces.trailer("x-last", "yes")).expect("an answer");
    assert_eq!(answer.json().expect("JSON")["usage"]["output_tokens"], 1);
    let call = upstream.exchanges().pop().expect("a request").call;
    assert_eq!(call.body, b"{\"max_tokens\":1}");
    assert_eq!(call.trailers, [("x-last".to_owned(), b"yes".to_vec())]);
}

#[test]
fn an_answer_may_be_refused() {
    let upstream = ModelUpstream::start();
    let answer = send(
        &upstream,
        &faulty("status:429").header("x-model-answer-header", "retry-after: 9"),
    );
    assert_eq!(answer.status, 429);
    assert_eq!(answer.header("retry-after").as_deref(), Some("9"));
    assert_eq!(
        answer.json().expect("JSON")["error"]["type"],
        "rate_limit_error"
    );
    let body = json!({ "stream": true });
    let overloaded = ask("/v1/messages", &body).header("x-model-fault", "status:529");
    let answer = send(&upstream, &overloaded);
    let error = answer.json().expect("JSON");
    assert_eq!((answer.status, &error["type"]), (529, &json!("error")));
    assert_eq!(error["error"]["type"], "overloaded_error");
    assert_eq!(upstream.claimed(), claimed(0, 0));
    let answer = send(&upstream, &faulty("status:203"));
    assert_eq!(answer.status, 203);
    assert_eq!(answer.json().expect("JSON")["object"], "chat.completion");
    assert_eq!(upstream.claimed(), claimed(2, 16));
}

#[test]
fn an_answer_may_be_compressed() {
    let upstream = ModelUpstream::start();
    let unpack = |answer: &Answer| {
        assert_eq!(
            answer.header("content-encoding").as_deref(),
            Some("gzip"),
            "{answer:?}"
        );
        let mut text = Vec::new();
        let mut decoder = GzDecoder::new(&answer.body[..]);
        decoder.read_to_end(&mut text).expect("gzip");
        text
    };
    let answer = send(&upstream, &faulty("gzip"));
    let document: Value = serde_json::from_slice(&unpack(&answer)).expect("JSON");
    assert_eq!(document["object"], "chat.completion");
    let stream = chat(json!({ "stream": true })).header("accept-encoding", "br, gzip, deflate");
    let answer = send(&upstream, &stream);
    assert_eq!(read_events(&unpack(&answer)).len(), 16 + 3);
    let plain = chat(json!({})).header("accept-encoding", "br, identity");
    assert_eq!(send(&upstream, &plain).header("content-encoding"), None);
}

#[test]
fn an_answer_may_be_huge() {
    let upstream = ModelUpstream::start();
    for size in [200_000, 9_999_999] {
        for (path, body) in [
            ("/v1/chat/completions", json!({})),
            ("/v1/completions", json!({})),
            ("/v1/embeddings", json!({ "input": "a" })),
            ("/v1/messages", json!({})),
            ("/v1/responses", json!({})),
        ] {
            let huge = ask(path, &body).header("x-model-fault", format!("huge:{size}"));
            let answer = send(&upstream, &huge);
            assert_eq!(answer.body.len(), size, "{path}");
            assert!(answer.json().expect("JSON")["usage"].is_object(), "{path}");
            let end = String::from_utf8_lossy(&answer.body[size - 400..]).into_owned();
            assert!(end.contains("\"usage\""), "{path}: {end}");
        }
    }
    let stream = chat(json!({ "stream": true })).header("x-model-fault", "huge:3000000");
    let answer = send(&upstream, &stream);
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let longest = text.split_inclusive("\n\n").map(str::len).max();
    assert_eq!(longest, Some(3_000_000));
    assert_eq!(events(&answer).len(), 16 + 3);
}

#[test]
fn an_answer_may_be_cut_anywhere_and_take_its_time() {
    let upstream = ModelUpstream::start();
    let stream = chat(json!({ "stream": true, "stream_options": { "include_usage": true } }));
    let whole = send(&upstream, &stream).body;
    for size in [1, 7, 100_000] {
        let cut = stream
            .clone()
            .header("x-model-chunk-bytes", size.to_string());
        let answer = send(&upstream, &cut);
        assert_eq!(answer.body.len(), whole.len());
        assert_eq!(events(&answer).len(), 16 + 4);
        let ended = last(&upstream).expect("an answer");
        assert_eq!(ended.chunks, whole.len().div_ceil(size));
        assert_eq!(ended.claimed, Some(claimed(2, 16)));
    }
    let started = Instant::now();
    send(
        &upstream,
        &stream.clone().header("x-model-chunk-delay-ms", "10"),
    );
    assert!(started.elapsed() >= Duration::from_millis(19 * 10));
    let started = Instant::now();
    send(&upstream, &stream.header("x-model-answer-delay-ms", "200"));
    assert!(started.elapsed() >= Duration::from_millis(200));
}

#[test]
fn an_answer_may_have_more_headers_and_trailers() {
    let upstream = ModelUpstream::start();
    let more = chat(json!({ "stream": true }))
        .header("te", "trailers")
        .header("x-model-answer-header", "ratelimit: \"own\";r=5;t=1")
        .header("x-model-answer-trailer", "x-last: yes");
    let answer = send(&upstream, &more);
    assert_eq!(
        answer.header("ratelimit").as_deref(),
        Some("\"own\";r=5;t=1")
    );
    let mut connection = more.begin(upstream.port()).expect("a connection");
    let mut all = Vec::new();
    connection.read_to_end(&mut all).expect("an answer");
    let text = String::from_utf8_lossy(&all).into_owned();
    assert!(text.ends_with("\r\n0\r\nx-last: yes\r\n\r\n"), "{text}");
}

#[test]
fn a_client_that_leaves_is_noticed() {
    let upstream = ModelUpstream::start();
    let slow = chat(json!({ "stream": true })).header("x-model-chunk-delay-ms", "20");
    let mut connection = slow.begin(upstream.port()).expect("a connection");
    connection.read_exact(&mut [0; 100]).expect("a beginning");
    drop(connection);
    let answer = await_end(&upstream, End::Abandoned);
    assert!(answer.chunks < 16 + 3, "{answer:?}");
}

/// What `GET /requests` says.
#[test]
fn it_tells_what_arrived() {
    let upstream = ModelUpstream::start();
    let body = "{\"model\": \"m\",  \"max_tokens\": 1}";
    let arrives = request("POST", "/v1/chat/completions?q=1")
        .header("authorization", "Bearer of-the-provider")
        .header("x-twice", "a")
        .header("x-twice", "b")
        .body(body);
    send(&upstream, &arrives);
    send(
        &upstream,
        &request("POST", "/v1/chat/completions").body(b"\xff"),
    );
    let told = document(&upstream, &request("GET", "/requests"));
    let [first, second] = &told["requests"].as_array().expect("a list")[..] else {
        panic!("{told}")
    };
    assert_eq!(first["number"], 1);
    assert_eq!(first["method"], "POST");
    assert_eq!(first["path"], "/v1/chat/completions?q=1");
    assert_eq!(first["body"], body);
    assert_eq!(first["json"], json!({ "model": "m", "max_tokens": 1 }));
    let headers = first["headers"].as_array().expect("a list");
    for pair in [
        json!(["authorization", "Bearer of-the-provider"]),
        json!(["content-length", body.len().to_string()]),
        json!(["x-twice", "a"]),
        json!(["x-twice", "b"]),
    ] {
        assert!(headers.contains(&pair), "{pair} in {headers:?}");
    }
    let tokens = json!({ "input": 1, "output": 1, "total": 2 });
    assert_eq!(
        first["answer"],
        json!({ "status": 200, "chunks": 2, "tokens": tokens, "end": "complete" })
    );
    assert_eq!(
        (&second["body"], &second["json"]),
        (&json!("\\xff"), &Value::Null)
    );
    assert_eq!(second["answer"]["status"], 400);
    assert_eq!(told["received"], 2);
    assert_eq!(told["tokens"], tokens);
    assert_eq!(send(&upstream, &request("GET", "/healthz")).status, 200);
}

#[test]
fn the_last_thousand_are_kept_and_all_are_counted() {
    let upstream = ModelUpstream::start();
    let one = chat(json!({ "max_tokens": 1 }));
    let mut connection =
        portcullis_testing::client::Connection::open(upstream.port()).expect("a connection");
    for _ in 0..1010 {
        connection.send(&one).expect("an answer");
    }
    let kept = upstream.exchanges();
    assert_eq!((kept.len(), kept[0].number), (1000, 11));
    assert_eq!(upstream.received(), 1010);
    assert_eq!(upstream.claimed(), claimed(2 * 1010, 1010));
}

#[test]
fn hundreds_of_streams_run_at_a_time() {
    let upstream = ModelUpstream::start();
    let stream = chat(json!({ "stream": true, "stream_options": { "include_usage": true } }));
    let slow = stream.header("x-model-chunk-delay-ms", "25");
    let started = Instant::now();
    thread::scope(|scope| {
        for _ in 0..300 {
            scope.spawn(|| assert_eq!(events(&send(&upstream, &slow)).len(), 16 + 4));
        }
    });
    assert!(
        started.elapsed() < PATIENCE / 2,
        "one after the other: {:?}",
        started.elapsed()
    );
    assert_eq!(upstream.claimed(), claimed(300 * 2, 300 * 16));
}

/// A test that ends must not leave a port, nor a client that waits.
#[test]
fn its_connections_end_with_it() {
    let upstream = ModelUpstream::start();
    let port = upstream.port();
    let mut waiting = faulty("silent").begin(port).expect("a connection");
    poll(PATIENCE, || (upstream.received() == 1).then_some(())).expect("it arrives");
    drop(upstream);
    let end = waiting.read(&mut [0]);
    assert!(!matches!(end, Ok(1)), "{end:?}");
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    let _ = waiting.write_all(b"GET");
}
