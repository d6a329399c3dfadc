//! Requests that are judged by their bodies: nothing of them goes on before the last byte has come and is found good,
//! however it comes.

use std::io::Write as _;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use portcullis_testing::http2;
use serde_json::{Value, json};

use crate::harness::client::{Answer, Request, get, request};
use crate::harness::codes::class;
use crate::harness::gateway::{Gateway, Setup};
use crate::harness::keys::Key;
use crate::harness::policy::provider;
use crate::harness::service::{Call, Service};

pub const CHAT: &str = "/v1/chat/completions";
pub const MAX_BYTES: usize = 4096;
pub const TIMEOUT: Duration = Duration::from_secs(1);

/// The model has a bound, which this body does not name.
pub const BOUNDED: &str = r#"{"model":"small"}"#;
pub const EDITED: &str = r#"{"model":"small","max_completion_tokens":64}"#;
/// Nothing has to be put into this one.
pub const FREE: &str = " {\"model\" :\t\"free\" , \"max_tokens\":5}\r\n";
pub const FOREIGN: &str = r#"{"model":"large"}"#;

/// A gateway whose rule for chat completions reads bodies, in front of an upstream that tells what it got.
pub struct Models {
    pub key: Key,
    pub upstream: Service,
    pub gateway: Gateway,
}

impl Models {
    pub fn start() -> Self {
        Self::with(|setup| setup)
    }

    pub fn with(more: impl FnOnce(Setup) -> Setup) -> Self {
        let (key, upstream) = (Key::new("ES256", "k"), Service::echo());
        let setup = Setup::of(policy(provider([&key]))).with_bodies();
        let gateway = more(setup.upstream(upstream.port())).start();
        Models {
            key,
            upstream,
            gateway,
        }
    }

    /// A chat completion of a caller who may have one, still without a body.
    pub fn chat(&self) -> Request {
        let token = self.key.token(json!({ "scope": "chat" }));
        request("POST", CHAT).bearer(token)
    }

    /// The head of a request whose body is to follow.
    pub fn begin(&self, request: &Request) -> TcpStream {
        request.begin(self.gateway.port()).expect("a connection")
    }

    /// The only call that reached the upstream since the last one.
    pub fn only_call(&self, what: &str) -> Call {
        let calls = self.upstream.calls();
        self.upstream.forget_calls();
        let [call] = calls.as_slice() else {
            panic!("{what}: {} calls", calls.len());
        };
        call.clone()
    }

    pub fn assert_no_call(&self, what: &str) {
        let calls = self.upstream.calls();
        assert!(calls.is_empty(), "{what}: {calls:?}");
    }
}

pub fn policy(provider: Value) -> Value {
    json!({
        "providers": { "corp": provider },
        "rules": [
            {
                "name": "chat",
                "match": { "path": { "exact": CHAT } },
                "scopes": { "all": ["chat"] },
                "body": { "max_bytes": MAX_BYTES, "timeout": "1s" },
                "model": { "allow": [{ "name": "small", "max_output_tokens": 64 }, { "name": "free" }] },
            },
            { "name": "rest" },
        ],
    })
}

/// That the answer is a refusal by this code, as clients of model providers read it.
pub fn assert_refused(answer: &Answer, code: &str, what: &str) {
    let (status, _) = class(code);
    assert_eq!(answer.status, status, "{what}: {answer:?}");
    let body = answer.json().expect("a JSON body");
    assert_eq!(body["code"], code, "{what}: {answer:?}");
    assert_eq!(body["type"], "error", "{what}: {answer:?}");
    assert_eq!(body["error"]["code"], code, "{what}: {answer:?}");
    assert!(answer.header("x-echo").is_none(), "{what}: {answer:?}");
}

/// That the upstream got these bytes, and that their length is the one announced, if one is.
pub fn assert_body(call: &Call, body: &str, what: &str) {
    let got = String::from_utf8_lossy(&call.body);
    assert_eq!(got, body, "{what}");
    if let Some(length) = call.header("content-length") {
        assert_eq!(length, body.len().to_string(), "{what}");
        assert_eq!(call.header("transfer-encoding"), None, "{what}");
    }
}

/// The same body in every way in which it may come.
pub fn framed(request: &Request, body: &str) -> Vec<(&'static str, Request)> {
    let (a, b) = body.split_at(body.len() / 2);
    let bytes = body.as_bytes().chunks(1);
    let bit_by_bit = bytes.fold(request.clone(), |request, byte| request.piece(byte));
    vec![
        ("at once", request.clone().body(body)),
        ("in one piece", request.clone().piece(body)),
        ("in two pieces", request.clone().piece(a).piece(b)),
        ("byte by byte", bit_by_bit),
        (
            "with trailers",
            request.clone().piece(a).piece(b).trailer("x-checksum", "1"),
        ),
    ]
}

/// Each way over HTTP/1.1 and HTTP/2: what is allowed arrives with what was put in, and what is not does not.
#[test]
fn a_body_is_judged_however_it_comes() {
    let models = Models::start();
    for (body, expected) in [
        (BOUNDED, Ok(EDITED)),
        (FREE, Ok(FREE)),
        (FOREIGN, Err("MODEL_NOT_ALLOWED")),
    ] {
        for (how, request) in framed(&models.chat(), body) {
            for is_http2 in [false, true] {
                let what = format!("{body} {how}, HTTP/2: {is_http2}");
                let answer = match is_http2 {
                    true => http2::send(&request, models.gateway.port()).expect("an answer"),
                    false => models.gateway.send(&request),
                };
                let Ok(expected) = expected else {
                    assert_refused(&answer, "MODEL_NOT_ALLOWED", &what);
                    models.assert_no_call(&what);
                    continue;
                };
                assert_eq!(answer.status, 200, "{what}: {answer:?}");
                let call = models.only_call(&what);
                assert_body(&call, expected, &what);
                let trailers: Vec<_> = call
                    .trailers
                    .iter()
                    .map(|(name, _)| name.as_str())
                    .collect();
                let sent: &[&str] = if how == "with trailers" {
                    &["x-checksum"]
                } else {
                    &[]
                };
                assert_eq!(trailers, sent, "{what}");
                // The credential is removed, and the caller is named.
                assert_eq!(call.header("authorization"), None, "{what}");
                assert_eq!(call.all("x-auth-subject").len(), 1, "{what}");
            }
        }
    }
}

#[test]
fn nothing_goes_up_before_the_last_byte() {
    let models = Models::start();
    let head = models
        .chat()
        .header("content-length", BOUNDED.len().to_string());
    let (most, last) = BOUNDED.split_at(BOUNDED.len() - 1);
    for part in 0..3 {
        let mut stream = models.begin(&head);
        let step = most.len() * part / 2;
        stream.write_all(&most.as_bytes()[..step]).expect("written");
        thread::sleep(Duration::from_millis(200));
        models.assert_no_call("before its last byte");
        stream.write_all(&most.as_bytes()[step..]).expect("written");
        stream.write_all(last.as_bytes()).expect("written");
        let answer = Answer::read(&mut stream, false).expect("an answer");
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_body(&models.only_call("whole"), EDITED, "whole");
    }
}

#[test]
fn without_a_body_there_is_no_model() {
    let models = Models::start();
    let empty = models.chat().header("content-length", "0");
    let token = models.key.token(json!({ "scope": "chat" }));
    for (what, request) in [
        ("none", models.chat()),
        ("of no bytes", empty),
        (
            "nothing but trailers",
            models.chat().trailer("x-checksum", "1"),
        ),
        ("of a GET", get(CHAT).bearer(token)),
        ("of spaces", models.chat().body("   ")),
        ("multipart", models.chat().body("--b\r\n\r\nx\r\n--b--\r\n")),
        ("an array", models.chat().body(r#"[{"model":"free"}]"#)),
        (
            "two objects",
            models.chat().body(r#"{"model":"free"}{"model":"large"}"#),
        ),
        (
            "two models",
            models.chat().body(r#"{"model":"free","model":"large"}"#),
        ),
        ("not whole", models.chat().body(r#"{"model":"free""#)),
        (
            "no UTF-8",
            models.chat().body(b"{\"model\":\"free\",\"a\":\"\xff\"}"),
        ),
    ] {
        let answer = http2::send(&request, models.gateway.port()).expect("an answer");
        assert_refused(&answer, "MALFORMED_BODY", what);
        assert_refused(&models.gateway.send(&request), "MALFORMED_BODY", what);
        models.assert_no_call(what);
    }
}
