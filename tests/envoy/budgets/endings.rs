//! What each way in which an answer can end costs.

use std::io::Read;
use std::thread;
use std::time::Duration;

use super::stage::{Cost, NOTHING, Stage, body, estimate, used};
use crate::harness::client::Request;
use crate::harness::keys::amended;
use serde_json::json;

/// A client that does something else than to read the answer.
type Client = fn(Request, u16);

/// Reads all there is, whether it comes to its end or not.
fn reads(request: Request, port: u16) {
    let mut stream = request.begin(port).expect("a connection");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
}

/// Leaves before there is an answer.
fn leaves(request: Request, port: u16) {
    let stream = request.begin(port).expect("a connection");
    thread::sleep(Duration::from_millis(400));
    drop(stream);
}

/// Leaves as soon as this is read.
fn leaves_at(request: Request, port: u16, text: &[u8]) {
    let mut stream = request.begin(port).expect("a connection");
    let mut answer = Vec::new();
    let mut byte = [0];
    while !answer.windows(text.len()).any(|window| window == text) {
        let read = stream.read(&mut byte).expect("more of the answer");
        assert_ne!(read, 0, "{}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&byte);
    }
}

fn leaves_at_the_first_event(request: Request, port: u16) {
    leaves_at(request, port, b"data: {");
}

fn leaves_at_the_usage(request: Request, port: u16) {
    leaves_at(request, port, b"total_tokens");
}

fn leaves_at_the_final_output(request: Request, port: u16) {
    leaves_at(request, port, b"message_delta\"");
}

#[test]
fn each_ending_costs_what_the_contract_says() {
    let stage = Stage::open(1);
    let (json, stream) = (estimate(false), estimate(true));
    let chat = "/v1/chat/completions";
    let short = "/short/v1/chat/completions";
    let idle = "/idle/v1/chat/completions";
    let messages = "/v1/messages";
    let said = "x-model-output-tokens: 7, x-model-input-tokens: 30";
    let slow = "x-model-chunk-delay-ms: 300";
    let stalls = format!("{said}, x-model-chunk-delay-ms: 3000");
    let begins = format!("{said}, x-model-input-tokens: 5000, x-model-chunk-delay-ms: 300");
    let begins = begins.replace("x-model-input-tokens: 30, ", "");
    let fault = |fault: &str| format!("{said}, x-model-fault: {fault}");
    let cases: Vec<(&str, &str, bool, String, Client, Cost)> = vec![
        ("JSON", chat, false, said.into(), reads, used(30, 7)),
        ("stream", chat, true, said.into(), reads, used(30, 7)),
        (
            "cut",
            chat,
            true,
            format!("{said}, x-model-chunk-bytes: 3"),
            reads,
            used(30, 7),
        ),
        (
            "trailers",
            chat,
            true,
            format!("{said}, x-model-answer-trailer: a:b"),
            reads,
            used(30, 7),
        ),
        ("messages", messages, true, said.into(), reads, used(30, 7)),
        (
            "messages-json",
            messages,
            false,
            said.into(),
            reads,
            used(30, 7),
        ),
        (
            "float",
            chat,
            true,
            fault("float-usage"),
            reads,
            used(30, 7),
        ),
        (
            "huge",
            chat,
            false,
            fault("huge:3000000"),
            reads,
            used(30, 7),
        ),
        (
            "huge-stream",
            chat,
            true,
            fault("huge:3000000"),
            reads,
            used(30, 7),
        ),
        ("wrong", chat, false, fault("wrong-usage"), reads, json),
        ("absent", chat, false, fault("no-usage"), reads, json),
        (
            "absent-stream",
            chat,
            true,
            fault("no-usage"),
            reads,
            stream,
        ),
        ("encoded", chat, true, fault("gzip"), reads, stream),
        (
            "status-500",
            chat,
            false,
            fault("status:500"),
            reads,
            NOTHING,
        ),
        (
            "status-429",
            chat,
            true,
            fault("status:429"),
            reads,
            NOTHING,
        ),
        (
            "status-302",
            chat,
            false,
            fault("status:302"),
            reads,
            NOTHING,
        ),
        (
            "status-504",
            chat,
            false,
            fault("status:504"),
            reads,
            NOTHING,
        ),
        (
            "reset",
            chat,
            false,
            fault("reset-before-answer"),
            reads,
            NOTHING,
        ),
        ("broken", chat, true, fault("break-after:2"), reads, stream),
        (
            "broken-json",
            chat,
            false,
            fault("break-after:1"),
            reads,
            json,
        ),
        (
            "closed",
            "/closed/v1/chat/completions",
            false,
            said.into(),
            reads,
            NOTHING,
        ),
        (
            "deaf",
            "/deaf/v1/chat/completions",
            false,
            said.into(),
            reads,
            NOTHING,
        ),
        (
            "deaf-left",
            "/deaf/v1/chat/completions",
            false,
            said.into(),
            leaves,
            NOTHING,
        ),
        ("late", short, false, fault("silent"), reads, json),
        ("idle", idle, true, fault("silent"), reads, stream),
        ("late-within", short, true, stalls.clone(), reads, stream),
        ("idle-within", idle, true, stalls.clone(), reads, stream),
        (
            "error-stalls",
            short,
            false,
            format!("{stalls}, x-model-fault: status:500"),
            reads,
            NOTHING,
        ),
        ("left", chat, false, fault("silent"), leaves, json),
        ("left-stream", chat, true, fault("silent"), leaves, stream),
        (
            "left-within",
            chat,
            true,
            format!("{said}, {slow}"),
            leaves_at_the_first_event,
            stream,
        ),
        (
            "left-behind",
            chat,
            true,
            format!("{said}, {slow}"),
            leaves_at_the_usage,
            used(30, 7),
        ),
        (
            "named-before",
            messages,
            true,
            begins.clone(),
            leaves_at_the_first_event,
            // One token of output is what such an answer begins with.
            [stream[0].max(5001), 5000, 1000, 1],
        ),
        (
            "left-behind-messages",
            messages,
            true,
            format!("{said}, {slow}"),
            leaves_at_the_final_output,
            used(30, 7),
        ),
    ];
    let results: Vec<_> = thread::scope(|scope| {
        let stage = &stage;
        let under_way = cases
            .iter()
            .map(|(name, path, is_stream, headers, client, cost)| {
                scope.spawn(move || {
                    let mut request = stage.request(name, path, &body(*is_stream));
                    for (header, value) in headers.split(", ").filter_map(|h| h.split_once(": ")) {
                        request = request.header(header, value);
                    }
                    client(request, stage.gateway.port());
                    stage.assert_spent(name, *cost);
                    // Once and for all.
                    thread::sleep(Duration::from_millis(300));
                    assert_eq!(stage.spent(name), *cost, "{name}");
                })
            });
        let under_way: Vec<_> = under_way.collect();
        under_way.into_iter().map(|thread| thread.join()).collect()
    });
    let failed = results
        .iter()
        .zip(&cases)
        .filter(|(result, _)| result.is_err());
    let failed: Vec<&str> = failed.map(|(_, case)| case.0).collect();
    assert!(failed.is_empty(), "{failed:?}");
}

/// Each data event that was delivered is a token where nothing else says how many there were.
#[test]
fn events_cost_where_they_are_more_than_the_estimate() {
    let stage = Stage::open(1);
    let body = amended(body(true), json!({ "max_tokens": 5 }));
    let request = stage.request("events", "/v1/chat/completions", &body);
    let answer = stage.gateway.send(
        &request
            .header("x-model-output-tokens", "60")
            .header("x-model-fault", "no-usage"),
    );
    let text = String::from_utf8_lossy(&answer.body);
    let events = text
        .lines()
        .filter(|line| line.starts_with("data: {"))
        .count() as u64;
    assert!(events >= 60, "{answer:?}");
    let input = (body.to_string().len() as u64).div_ceil(4);
    stage.assert_spent("events", [input + events, input, events, 1]);
}
