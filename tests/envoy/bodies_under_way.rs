//! Bodies and what happens while they come: callouts, clients that leave, upstreams that fail, others at the same time.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use portcullis_testing::http2;
use serde_json::json;

use crate::bodies::{
    BOUNDED, CHAT, EDITED, MAX_BYTES, Models, TIMEOUT, assert_body, assert_refused, policy,
};
use crate::harness::client::{Answer, Request, request};
use crate::harness::gateway::{Gateway, Setup};
use crate::harness::keys::Key;
use crate::harness::policy::{AUDIENCE, ISSUER, provider};
use crate::harness::service::{Reply, Service};
use crate::harness::{NOISE, PATIENCE, poll};

/// A gateway for opaque tokens: `good…` is active once the gate is open, all others never are.
struct Introspected {
    authority: Service,
    is_open: Arc<AtomicBool>,
    upstream: Service,
    gateway: Gateway,
}

impl Introspected {
    fn start() -> Self {
        let is_open = Arc::new(AtomicBool::new(false));
        let gate = Arc::clone(&is_open);
        let authority = Service::start(move |call| {
            let opened = poll(PATIENCE, || gate.load(Ordering::Relaxed).then_some(()));
            opened.expect("the gate opens");
            let is_good = String::from_utf8_lossy(&call.body).contains("token=good");
            Reply::json(
                &json!({ "active": is_good, "aud": AUDIENCE, "sub": "alice", "scope": "chat" }),
            )
        });
        let provider = json!({ "issuer": ISSUER, "audiences": [AUDIENCE], "introspection": {
            "cluster": "authority", "uri": "http://authority/introspect", "timeout": "30s", "cache_ttl": "0s",
            "client_id": "gateway", "client_secret": { "env": "INTROSPECTION_SECRET" },
        } });
        let upstream = Service::echo();
        let gateway = Setup::of(policy(provider))
            .cluster("authority", authority.port())
            .environment("INTROSPECTION_SECRET", "secret")
            .upstream(upstream.port())
            .with_bodies()
            .start();
        Introspected {
            authority,
            is_open,
            upstream,
            gateway,
        }
    }

    /// A request with all of its body but the last bytes, whose caller is being asked about.
    fn begin(&self, request: &Request, body: &str) -> TcpStream {
        let before = self.authority.count("/introspect");
        let head = request
            .clone()
            .header("content-length", BOUNDED.len().to_string());
        let mut stream = head.begin(self.gateway.port()).expect("a connection");
        stream.write_all(body.as_bytes()).expect("written");
        let asked = || {
            poll(PATIENCE, || {
                (self.authority.count("/introspect") > before).then_some(())
            })
        };
        asked().expect("the caller is asked about");
        stream
    }

    fn open(&self) {
        self.is_open.store(true, Ordering::Relaxed);
    }

    fn chat(&self, token: &str) -> Request {
        request("POST", CHAT).bearer(token)
    }
}

fn answer(mut stream: TcpStream) -> Answer {
    Answer::read(&mut stream, false).expect("an answer")
}

/// The callout's time is its own: it may take longer than the body may.
#[test]
fn a_body_that_came_during_a_callout_is_there_after_it() {
    let introspected = Introspected::start();
    let stream = introspected.begin(&introspected.chat("good1"), BOUNDED);
    thread::sleep(2 * TIMEOUT);
    assert!(introspected.upstream.calls().is_empty());
    introspected.open();
    let answer = answer(stream);
    assert_eq!(answer.status, 200, "{answer:?}");
    let calls = introspected.upstream.calls();
    assert_eq!(calls.len(), 1);
    assert_body(&calls[0], EDITED, "after the callout");
    assert_eq!(calls[0].header("x-auth-subject").as_deref(), Some("alice"));
}

#[test]
fn a_callout_may_end_before_the_body() {
    let introspected = Introspected::start();
    let (most, last) = BOUNDED.split_at(BOUNDED.len() - 3);
    let mut stream = introspected.begin(&introspected.chat("good2"), most);
    introspected.open();
    thread::sleep(Duration::from_millis(300));
    assert!(introspected.upstream.calls().is_empty());
    stream.write_all(last.as_bytes()).expect("written");
    let answer = answer(stream);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_body(&introspected.upstream.calls()[0], EDITED, "after the body");
}

/// Who is nobody is not waited for, and a good caller's body is awaited from the answer on.
#[test]
fn the_callouts_answer_comes_first() {
    let introspected = Introspected::start();
    introspected.open();
    let start = Instant::now();
    let refused = answer(introspected.begin(&introspected.chat("nobody"), "{"));
    assert_refused(&refused, "TOKEN_INACTIVE", "nobody");
    assert!(start.elapsed() < NOISE, "{:?}", start.elapsed());
    let late = answer(introspected.begin(&introspected.chat("good3"), "{"));
    assert_refused(&late, "BODY_TIMEOUT", "it never ends");
    let foreign = introspected.chat("good4").body(r#"{"model":"large"}"#);
    assert_refused(
        &introspected.gateway.send(&foreign),
        "MODEL_NOT_ALLOWED",
        "foreign",
    );
    assert!(introspected.upstream.calls().is_empty());
}

/// How long it is shows while the callout is under way; who sends it is still told first.
#[test]
fn a_body_may_become_too_large_during_a_callout() {
    let introspected = Introspected::start();
    let large = "x".repeat(20 * MAX_BYTES);
    thread::scope(|scope| {
        let sent: Vec<_> = ["good5", "nobody"]
            .into_iter()
            .flat_map(|token| [false, true].map(|is_http2| (token, is_http2)))
            .map(|(token, is_http2)| {
                let request = introspected.chat(token).piece(&large).piece(&large);
                let port = introspected.gateway.port();
                let thread = scope.spawn(move || match is_http2 {
                    true => http2::send(&request, port).expect("an answer"),
                    false => request.send(port).expect("an answer"),
                });
                (token, is_http2, thread)
            })
            .collect();
        introspected.authority.await_count("/introspect", 2);
        thread::sleep(Duration::from_millis(300));
        introspected.open();
        for (token, is_http2, thread) in sent {
            let what = format!("{token}, HTTP/2: {is_http2}");
            let answer = thread.join().expect("an answer");
            match token {
                "nobody" => assert_refused(&answer, "TOKEN_INACTIVE", &what),
                _ => assert_refused(&answer, "BODY_TOO_LARGE", &what),
            }
        }
    });
    assert!(introspected.upstream.calls().is_empty());
}

/// Envoy says `100 Continue` before the filter decides, and the last word is the filter's.
#[test]
fn a_client_may_wait_before_it_sends_its_body() {
    let models = Models::start();
    let expecting = models.chat().header("expect", "100-continue");
    for (body, code) in [
        (BOUNDED.to_owned(), None),
        (r#"{"model":"large"}"#.to_owned(), Some("MODEL_NOT_ALLOWED")),
        ("x".repeat(MAX_BYTES + 1), Some("BODY_TOO_LARGE")),
    ] {
        let head = expecting
            .clone()
            .header("content-length", body.len().to_string());
        let mut stream = models.begin(&head);
        let may_send = skip_continue(&mut stream);
        if may_send {
            // It may be refused already.
            let _ = stream.write_all(body.as_bytes());
        }
        let answer = Answer::read(&mut stream, false).expect("an answer");
        match code {
            Some(code) => {
                assert_refused(&answer, code, &body);
                models.assert_no_call(&body);
            }
            None => {
                assert!(may_send);
                assert_eq!(answer.status, 200, "{answer:?}");
                assert_body(&models.only_call("it went on"), EDITED, "it went on");
            }
        }
    }
}

/// Reads `100 Continue`, if that comes next.
fn skip_continue(stream: &mut TcpStream) -> bool {
    let mut begin = [0; 12];
    let begun = poll(PATIENCE, || {
        (stream.peek(&mut begin).ok()? == begin.len()).then_some(())
    });
    begun.expect("an answer begins");
    if &begin != b"HTTP/1.1 100" {
        return false;
    }
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("the rest of it");
        head.extend(byte);
    }
    true
}

/// Whatever a client has sent of a request when it leaves, nothing of it goes on, and nobody else is disturbed.
#[test]
fn clients_leave_at_every_point() {
    let models = Models::start();
    let created = || models.gateway.counter("wasm.envoy.wasm.runtime.v8.created");
    let before = created();
    assert!(before > 0);
    let token = models.key.token(json!({ "scope": "chat" }));
    for framing in ["length", "chunks"] {
        let (header, body) = match framing {
            "length" => (
                format!("content-length: {}", BOUNDED.len()),
                BOUNDED.to_owned(),
            ),
            _ => {
                let (a, b) = BOUNDED.split_at(7);
                let chunks = format!(
                    "{:x}\r\n{a}\r\n{:x}\r\n{b}\r\n0\r\nx-a: b\r\n\r\n",
                    a.len(),
                    b.len()
                );
                ("transfer-encoding: chunked".to_owned(), chunks)
            }
        };
        let head = format!(
            "POST {CHAT} HTTP/1.1\r\nhost: api.example.com\r\nauthorization: Bearer {token}\r\n{header}\r\n\r\n"
        );
        let whole = [head.as_bytes(), body.as_bytes()].concat();
        let cuts = (0..head.len()).step_by(97).chain(head.len()..whole.len());
        for cut in cuts {
            let stream = TcpStream::connect(("127.0.0.1", models.gateway.port()));
            let mut stream = stream.expect("a connection");
            stream.write_all(&whole[..cut]).expect("written");
            // Some leave before Envoy has read it, others later.
            thread::sleep(Duration::from_millis([0, 15][cut % 2]));
            drop(stream);
        }
    }
    let good = models.gateway.send(&models.chat().body(BOUNDED));
    assert_eq!(good.status, 200, "{good:?}");
    assert_body(
        &models.only_call("only the good one"),
        EDITED,
        "the good one",
    );

    // Who leaves before the answer has left a request that went up.
    let slow = models
        .chat()
        .header("x-upstream-delay-ms", "300")
        .body(BOUNDED);
    drop(models.begin(&slow));
    let stream = models.begin(&slow);
    poll(PATIENCE, || {
        (!models.upstream.calls().is_empty()).then_some(())
    })
    .expect("it goes up");
    drop(stream);
    models.upstream.forget_calls();
    assert_eq!(
        models.gateway.send(&models.chat().body(BOUNDED)).status,
        200
    );
    assert_eq!(created(), before, "no VM was lost");
}

/// A request that is tried again goes up as it was edited, each time with its length.
#[test]
fn an_edited_body_is_sent_again() {
    let tries = Arc::new(AtomicUsize::new(0));
    let (key, upstream) = (Key::new("ES256", "k"), Service::echo());
    let counted = Arc::clone(&tries);
    upstream.script(move |_| match counted.fetch_add(1, Ordering::Relaxed) % 3 {
        0 => Reply::with(503, "text/plain", "not yet"),
        1 => Reply::HangUp,
        _ => Reply::with(200, "text/plain", "now"),
    });
    let retries = json!({ "retry_on": "5xx,reset", "num_retries": 3,
        "retry_back_off": { "base_interval": "0.01s", "max_interval": "0.05s" } });
    let route = json!({ "cluster": "upstream", "timeout": "15s", "retry_policy": retries });
    let hosts = json!([{ "name": "all", "domains": ["*"],
        "routes": [{ "match": { "prefix": "/" }, "route": route }] }]);
    let gateway = Setup::of(policy(provider([&key])))
        .with_bodies()
        .virtual_hosts(hosts)
        .upstream(upstream.port())
        .start();
    let post = || request("POST", CHAT).bearer(key.token(json!({ "scope": "chat" })));
    let (a, b) = BOUNDED.split_at(5);
    for request in [post().body(BOUNDED), post().piece(a).piece(b)] {
        upstream.forget_calls();
        let answer = gateway.send(&request);
        assert_eq!(answer.status, 200, "{answer:?}");
        let calls = upstream.calls();
        assert_eq!(calls.len(), 3);
        for call in &calls {
            assert_body(call, EDITED, "each try");
        }
    }
    // What is refused is not tried at all.
    upstream.forget_calls();
    let refused = gateway.send(&post().body(r#"{"model":"large"}"#));
    assert_refused(&refused, "MODEL_NOT_ALLOWED", "refused");
    assert!(upstream.calls().is_empty());
}

/// Many bodies at once on several workers: each goes up whole, and as its own caller's.
#[test]
fn bodies_are_not_mixed_up() {
    const REQUESTS: usize = 120;
    let models = Models::with(|setup| setup.workers(3));
    let body = |i: usize| match i % 4 {
        0 => format!(r#"{{"model":"small","user":"caller-{i}"}}"#),
        1 => format!(r#"{{"model":"large","user":"caller-{i}"}}"#),
        _ => format!(
            r#"{{"user":"caller-{i}","model":"free","pad":"{}"}}"#,
            "x".repeat(i * 20)
        ),
    };
    let request = |i: usize| {
        let token = models
            .key
            .token(json!({ "scope": "chat", "sub": format!("caller-{i}") }));
        let (request, body) = (request("POST", CHAT).bearer(token), body(i));
        match i % 3 {
            0 => request.body(body),
            _ => body.as_bytes().chunks(40 + i).fold(request, Request::piece),
        }
    };
    let outcomes = models
        .gateway
        .send_all((0..REQUESTS).map(request).collect());
    for (i, outcome) in outcomes.iter().enumerate() {
        match i % 4 {
            1 => assert_refused(&outcome.answer, "MODEL_NOT_ALLOWED", &body(i)),
            _ => assert_eq!(outcome.answer.status, 200, "{outcome:?}"),
        }
    }
    let arrived: BTreeSet<(String, String)> = models
        .upstream
        .calls()
        .iter()
        .map(|call| {
            let caller = call.header("x-auth-subject").expect("a caller");
            (caller, String::from_utf8_lossy(&call.body).into_owned())
        })
        .collect();
    let expected = (0..REQUESTS).filter(|i| i % 4 != 1).map(|i| {
        let body = match i % 4 {
            0 => body(i).replace('}', r#","max_completion_tokens":64}"#),
            _ => body(i),
        };
        // Its bound is another entry's: `free` has none.
        (format!("caller-{i}"), body)
    });
    assert_eq!(arrived, expected.collect());
}
