//! Bodies of MCP messages that are verified or decide, and lists in answers that lose what their reader may not use.

use std::io::{BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use portcullis_testing::service::Call;
use serde_json::{Value, json};

use crate::harness::PATIENCE;
use crate::harness::client::{Request, request};
use crate::harness::gateway::Setup;
use crate::harness::keys::Key;
use crate::harness::policy::{only, provider};

const VERSION: &str = "2026-07-28";

fn policy(key: &Key) -> Value {
    let admin = json!({ "all": ["admin"] });
    let rule = json!({
        "match": { "path": { "exact": "/mcp" } },
        "mcp": {
            "body": "verify",
            "list": "filter",
            "tools": [{ "name": "look" }, { "name": "delete", "scopes": admin }],
        },
    });
    let mut policy = only(provider([key]));
    policy["rules"] = json!([rule]);
    policy
}

fn message(key: &Key, body: &Value) -> Request {
    request("POST", "/mcp")
        .bearer(key.token(json!({})))
        .header("content-type", "application/json")
        .header("accept-encoding", "gzip")
        .body(body.to_string())
}

fn described(message: Request, method: &str) -> Request {
    message
        .header("mcp-protocol-version", VERSION)
        .header("mcp-method", method)
}

fn old(method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": "a-1", "method": method, "params": params })
}

fn current(method: &str, mut params: Value) -> Value {
    params["_meta"] = json!({ "io.modelcontextprotocol/protocolVersion": VERSION });
    old(method, params)
}

fn call(tool: &str) -> Value {
    current("tools/call", json!({ "name": tool }))
}

// === verify ===

#[test]
fn a_body_goes_on_as_it_came_or_not_at_all() {
    let key = Key::new("ES256", "k");
    let gateway = Setup::of(policy(&key)).with_bodies().start();
    let named =
        |body: &Value| described(message(&key, body), "tools/call").header("mcp-name", "look");
    let old_call = |tool: &str| old("tools/call", json!({ "name": tool }));
    let list = described(message(&key, &call("look")), "tools/list");
    let batch = json!([old("ping", json!({})), old_call("look")]);
    let bad_batch = json!([old_call("look"), old_call("delete")]);
    let older = message(&key, &old_call("look")).header("mcp-protocol-version", "2025-06-18");
    let unknown = message(&key, &old_call("look")).header("mcp-protocol-version", "2024-11-05");
    for (request, code, id) in [
        (named(&call("look")), None, Value::Null),
        (message(&key, &old_call("look")), None, Value::Null),
        (older, None, Value::Null),
        (message(&key, &batch), None, Value::Null),
        (
            message(&key, &old("initialize", json!({}))),
            None,
            Value::Null,
        ),
        (
            named(&call("delete")),
            Some("MCP_HEADER_MISMATCH"),
            json!("a-1"),
        ),
        (
            named(&old_call("look")),
            Some("MCP_HEADER_MISMATCH"),
            json!("a-1"),
        ),
        (
            named(&json!([call("look")])),
            Some("MCP_HEADER_MISMATCH"),
            Value::Null,
        ),
        (list, Some("MCP_HEADER_MISMATCH"), json!("a-1")),
        (
            named(&call("look")).body("{"),
            Some("MALFORMED_BODY"),
            Value::Null,
        ),
        (
            named(&call("look")).body(""),
            Some("MALFORMED_BODY"),
            Value::Null,
        ),
        (
            message(&key, &old_call("delete")),
            Some("INSUFFICIENT_SCOPE"),
            json!("a-1"),
        ),
        (
            message(&key, &old_call("other")),
            Some("TOOL_NOT_ALLOWED"),
            json!("a-1"),
        ),
        (
            message(&key, &bad_batch),
            Some("INSUFFICIENT_SCOPE"),
            Value::Null,
        ),
        (unknown, Some("MCP_HEADERS_REQUIRED"), Value::Null),
    ] {
        let answer = gateway.send(&request);
        let Some(code) = code else {
            let seen = answer
                .seen()
                .unwrap_or_else(|why| panic!("{why} {request:?}"));
            let sent: usize = request.parts().1.body.iter().map(Vec::len).sum();
            assert_eq!(seen.body_bytes as usize, sent, "{request:?}");
            continue;
        };
        let body = answer
            .json()
            .unwrap_or_else(|why| panic!("{why} {answer:?}"));
        assert_eq!(
            (&body["code"], &body["id"]),
            (&json!(code), &id),
            "{request:?}"
        );
    }
    let calls = gateway.upstream_calls();
    assert_eq!(calls, 5, "{}", gateway.log_tail());
}

// === answers ===

/// An upstream that answers with these bytes, each piece as soon as it is told to.
struct Upstream {
    port: u16,
    calls: Receiver<Call>,
    go_on: Sender<()>,
}

fn upstream(pieces: Vec<Vec<u8>>) -> Upstream {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("a port").port();
    let (seen, calls) = channel();
    let (go_on, told) = channel::<()>();
    let told = Arc::new(Mutex::new(told));
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let _ = answer(
                &stream,
                &pieces,
                &seen,
                &told.lock().expect("one at a time"),
            );
        }
    });
    Upstream { port, calls, go_on }
}

fn answer(
    mut stream: &TcpStream,
    pieces: &[Vec<u8>],
    seen: &Sender<Call>,
    told: &Receiver<()>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let Some(mut call) = Call::read_head(&mut reader)? else {
        return Ok(());
    };
    call.read_body(&mut reader)?;
    let _ = seen.send(call);
    for (i, piece) in pieces.iter().enumerate() {
        if i > 0 {
            let _ = told.recv_timeout(PATIENCE);
        }
        stream.write_all(piece)?;
        stream.flush()?;
    }
    Ok(())
}

const LIST: &str = r#"{"jsonrpc":"2.0", "id":"a-1","result":{"tools":[ {"name":"look"}, {"name":"delete"} ,{"name":"other"}],"nextCursor":"x"}}"#;
const SHORT: &str =
    r#"{"jsonrpc":"2.0", "id":"a-1","result":{"tools":[ {"name":"look"}  ],"nextCursor":"x"}}"#;

fn head(status: &str, more: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nconnection: close\r\n{more}\r\n").into_bytes()
}

fn chunk(bytes: &str) -> Vec<u8> {
    format!("{:x}\r\n{bytes}\r\n", bytes.len()).into_bytes()
}

/// The answer of an upstream to a request for a list.
fn listed(key: &Key, pieces: Vec<Vec<u8>>) -> crate::harness::client::Answer {
    let count = pieces.len();
    let upstream = upstream(pieces);
    let gateway = Setup::of(policy(key))
        .with_bodies()
        .upstream(upstream.port)
        .start();
    let go_on = upstream.go_on.clone();
    thread::spawn(move || {
        for _ in 1..count {
            thread::sleep(Duration::from_millis(50));
            let _ = go_on.send(());
        }
    });
    let body = current("tools/list", json!({}));
    let answer = gateway.send(&described(message(key, &body), "tools/list"));
    let call = upstream.calls.recv_timeout(PATIENCE).expect("a call");
    assert_eq!(call.header("accept-encoding"), None);
    answer
}

#[test]
fn a_list_in_json_is_shorter_however_it_comes() {
    let key = Key::new("ES256", "k");
    let json = "content-type: application/json; charset=utf-8\r\n";
    let length = format!("{json}content-length: {}\r\n", LIST.len());
    let chunked = format!("{json}transfer-encoding: chunked\r\n");
    let (one, two) = LIST.split_at(50);
    for pieces in [
        vec![[head("200 OK", &length), LIST.into()].concat()],
        vec![head("200 OK", &length), one.into(), two.into()],
        vec![
            [head("200 OK", &chunked), chunk(one)].concat(),
            chunk(two),
            b"0\r\n\r\n".to_vec(),
        ],
        vec![head("200 OK", json), LIST.into()],
    ] {
        let answer = listed(&key, pieces.clone());
        let shown = String::from_utf8_lossy(&answer.body);
        let sent: Vec<_> = pieces.iter().map(|p| String::from_utf8_lossy(p)).collect();
        assert_eq!((answer.status, &*shown), (200, SHORT), "{sent:?}");
    }
}

#[test]
fn what_lists_nothing_passes_as_it_is() {
    let key = Key::new("ES256", "k");
    let json = "content-type: application/json\r\n";
    let error = r#"{"jsonrpc":"2.0","id":"a-1","error":{"code":-32601,"message":"no"}}"#;
    let empty = r#"{"jsonrpc":"2.0","id":"a-1","result":{"tools":[]}}"#;
    for (status, more, body) in [
        (200, json, error),
        (200, json, empty),
        (404, json, error),
        (404, "content-type: text/plain\r\n", "not here"),
        (500, "content-encoding: gzip\r\n", "no gzip"),
        (202, json, ""),
    ] {
        let more = format!("{more}content-length: {}\r\n", body.len());
        let answer = listed(
            &key,
            vec![[head(&format!("{status} X"), &more), body.into()].concat()],
        );
        let shown = String::from_utf8_lossy(&answer.body);
        assert_eq!((answer.status, &*shown), (status, body));
    }
}

#[test]
fn an_answer_that_cannot_be_read_is_a_bad_gateway() {
    let key = Key::new("ES256", "k");
    let json = "content-type: application/json\r\n";
    let gzip = "content-type: application/json\r\ncontent-encoding: gzip\r\n";
    for (more, body) in [
        (json, "{"),
        (json, "[7]"),
        (json, r#"{"result":{"tools":[{}]}}"#),
        (
            json,
            r#"{"result":{"tools":[],"tools":[{"name":"delete"}]}}"#,
        ),
        (gzip, LIST),
        ("content-type: text/html\r\n", LIST),
        ("", LIST),
        (
            "content-type: text/event-stream\r\ncontent-encoding: br\r\n",
            "data: 1\n\n",
        ),
    ] {
        let more = format!("{more}content-length: {}\r\n", body.len());
        let answer = listed(&key, vec![[head("200 OK", &more), body.into()].concat()]);
        let refused = answer
            .json()
            .unwrap_or_else(|why| panic!("{why} {more} {answer:?}"));
        let found = (answer.status, &refused["code"], &refused["error"]["code"]);
        assert_eq!(
            found,
            (502, &json!("LIST_UNREADABLE"), &json!(-32010)),
            "{more} {body}"
        );
    }
}

#[test]
fn a_stream_loses_entries_however_it_comes() {
    let key = Key::new("ES256", "k");
    let head = head(
        "200 OK",
        "content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n",
    );
    let stream = format!(
        ": hello\n\nid: 1\ndata: {{\"jsonrpc\":\"2.0\",\"method\":\"x\"}}\n\ndata: no JSON\n\nevent: message\r\ndata: {LIST}\r\n\r\n"
    );
    let expected = format!(
        ": hello\n\nid: 1\ndata: {{\"jsonrpc\":\"2.0\",\"method\":\"x\"}}\n\nevent: message\r\ndata: {SHORT}\r\n\r\n"
    );
    let end = b"0\r\n\r\n".to_vec();
    let (one, two) = stream.split_at(140);
    let unfinished = format!("data: {LIST}");
    for (pieces, expected) in [
        (
            vec![[head.clone(), chunk(&stream), end.clone()].concat()],
            expected.clone(),
        ),
        (
            vec![head.clone(), chunk(one), chunk(two), end.clone()],
            expected,
        ),
        (
            vec![[head, chunk(&unfinished)].concat(), end],
            format!("data: {SHORT}"),
        ),
    ] {
        let sent: Vec<_> = pieces
            .iter()
            .map(|p| String::from_utf8_lossy(p).into_owned())
            .collect();
        let answer = listed(&key, pieces);
        let shown = String::from_utf8_lossy(&answer.body);
        assert_eq!(
            (answer.status, &*shown),
            (200, expected.as_str()),
            "{sent:?}"
        );
    }
}

/// Its body has no end of its own then.
#[test]
fn an_answer_with_trailers_is_filtered_too() {
    let key = Key::new("ES256", "k");
    let json = "content-type: application/json\r\n";
    let events = "content-type: text/event-stream\r\n";
    let event = |data: &str| format!("data: {data}\n\n");
    for (kind, body, expected) in [
        (json, LIST.to_owned(), SHORT.to_owned()),
        (events, event(LIST), event(SHORT)),
        // What does not end is no event.
        (events, format!("{}data: {LIST}", event(LIST)), event(SHORT)),
    ] {
        let head = head("200 OK", &format!("{kind}transfer-encoding: chunked\r\n"));
        let answer = listed(
            &key,
            vec![
                [head, chunk(&body)].concat(),
                b"0\r\nx-trailer: a\r\n\r\n".to_vec(),
            ],
        );
        let shown = String::from_utf8_lossy(&answer.body);
        assert_eq!((answer.status, &*shown), (200, expected.as_str()), "{body}");
    }
}

/// A client reads an event while the stream goes on.
#[test]
fn an_event_does_not_wait_for_the_next() {
    let key = Key::new("ES256", "k");
    let head = head(
        "200 OK",
        "content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n",
    );
    let first = chunk("data: {\"jsonrpc\":\"2.0\",\"method\":\"first\"}\n\n");
    let upstream = upstream(vec![
        [head, first].concat(),
        chunk(&format!("data: {LIST}\n\n")),
        b"0\r\n\r\n".to_vec(),
    ]);
    let gateway = Setup::of(policy(&key))
        .with_bodies()
        .upstream(upstream.port)
        .start();
    let body = current("tools/list", json!({}));
    let request = described(message(&key, &body), "tools/list");
    let mut stream = request.begin(gateway.port()).expect("a connection");
    let mut read_until = |wanted: &str| {
        let mut read = Vec::new();
        while !String::from_utf8_lossy(&read).contains(wanted) {
            let mut bytes = [0; 4096];
            let count = stream.read(&mut bytes).expect("more");
            assert!(count > 0, "{}", String::from_utf8_lossy(&read));
            read.extend_from_slice(&bytes[..count]);
        }
        String::from_utf8_lossy(&read).into_owned()
    };
    assert!(!read_until("first").contains("look"));
    upstream.go_on.send(()).expect("it waits");
    let second = read_until("look");
    assert!(!second.contains("delete"), "{second}");
    upstream.go_on.send(()).expect("it waits");
    read_until("0\r\n\r\n");
}

/// In shadow mode everything passes as it is.
#[test]
fn in_shadow_mode_nothing_is_held_or_filtered() {
    let key = Key::new("ES256", "k");
    let body = LIST.as_bytes();
    let more = format!(
        "content-type: application/json\r\ncontent-length: {}\r\n",
        body.len()
    );
    let upstream = upstream(vec![[head("200 OK", &more), body.into()].concat()]);
    let mut policy = policy(&key);
    policy["mode"] = json!("shadow");
    let gateway = Setup::of(policy)
        .with_bodies()
        .upstream(upstream.port)
        .start();
    let lie = current("tools/call", json!({ "name": "delete" }));
    let answer = gateway.send(&described(message(&key, &lie), "tools/list"));
    assert_eq!((answer.status, answer.body.as_slice()), (200, body));
    let call = upstream.calls.recv_timeout(PATIENCE).expect("a call");
    assert_eq!(call.body, lie.to_string().as_bytes());
    assert_eq!(call.header("accept-encoding").as_deref(), Some("gzip"));
}
