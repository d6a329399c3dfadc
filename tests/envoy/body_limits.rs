//! Bodies that are not awaited, or not any longer: too long, too late, encoded, of nobody, or none at all.

use std::io::Write as _;
use std::thread;
use std::time::{Duration, Instant};

use portcullis_testing::http2;
use serde_json::json;

use crate::bodies::{
    BOUNDED, CHAT, FOREIGN, FREE, MAX_BYTES, Models, TIMEOUT, assert_body, assert_refused, framed,
};
use crate::harness::client::{Answer, get, request};
use crate::harness::gateway::Setup;
use crate::harness::{NOISE, PATIENCE, poll};

/// A padded body of this length, which nothing is put into.
fn of_length(length: usize) -> String {
    let (begin, end) = (r#"{"model":"free","messages":""#, r#""}"#);
    let padding = "x".repeat(length - begin.len() - end.len());
    format!("{begin}{padding}{end}")
}

#[test]
fn a_body_may_have_so_many_bytes() {
    let models = Models::start();
    for length in [
        MAX_BYTES - 1,
        MAX_BYTES,
        MAX_BYTES + 1,
        4 * MAX_BYTES,
        100 * MAX_BYTES,
    ] {
        let body = of_length(length);
        for (how, request) in [
            ("announced", models.chat().body(&body)),
            ("not announced", models.chat().piece(&body)),
        ] {
            for is_http2 in [false, true] {
                let what = format!("{length} bytes, {how}, HTTP/2: {is_http2}");
                let answer = match is_http2 {
                    true => http2::send(&request, models.gateway.port()),
                    false => request.send(models.gateway.port()),
                };
                // Envoy may reset a connection whose request it answers before it has read all of it.
                if length > MAX_BYTES && answer.is_err() {
                    models.assert_no_call(&what);
                    continue;
                }
                let answer = answer.expect("an answer");
                if length > MAX_BYTES {
                    assert_refused(&answer, "BODY_TOO_LARGE", &what);
                    models.assert_no_call(&what);
                } else {
                    assert_eq!(answer.status, 200, "{what}: {answer:?}");
                    assert_body(&models.only_call(&what), &body, &what);
                }
            }
        }
    }
}

/// What is known from the headers is not awaited.
#[test]
fn what_the_headers_say_is_refused_at_once() {
    let models = Models::start();
    let scopeless = models.key.token(json!({ "scope": "other" }));
    let post = || request("POST", CHAT);
    let announced = (MAX_BYTES + 1).to_string();
    for (what, head, code) in [
        (
            "too long",
            models.chat().header("content-length", announced),
            "BODY_TOO_LARGE",
        ),
        (
            "gzip",
            models
                .chat()
                .header("content-encoding", "gzip")
                .header("content-length", "9"),
            "UNSUPPORTED_ENCODING",
        ),
        (
            "br",
            models
                .chat()
                .header("content-encoding", "br")
                .header("transfer-encoding", "chunked"),
            "UNSUPPORTED_ENCODING",
        ),
        (
            "two encodings",
            models
                .chat()
                .header("content-encoding", "identity, gzip")
                .header("content-length", "9"),
            "UNSUPPORTED_ENCODING",
        ),
        (
            "no token",
            post().header("content-length", "9"),
            "MISSING_TOKEN",
        ),
        (
            "a bad token",
            post().bearer("x.y.z").header("content-length", "9"),
            "MALFORMED_TOKEN",
        ),
        (
            "no scope",
            post().bearer(scopeless).header("content-length", "9"),
            "INSUFFICIENT_SCOPE",
        ),
    ] {
        let start = Instant::now();
        let mut stream = models.begin(&head);
        let answer = Answer::read(&mut stream, false).expect("an answer");
        assert_refused(&answer, code, what);
        assert!(start.elapsed() < NOISE, "{what}: {:?}", start.elapsed());
        models.assert_no_call(what);
    }
    let identity = models
        .chat()
        .header("content-encoding", "identity")
        .body(FREE);
    assert_eq!(models.gateway.send(&identity).status, 200);
}

/// `BODY_TIMEOUT` also for a body that never stops coming.
#[test]
fn a_slow_body_is_not_awaited_for_ever() {
    let models = Models::start();
    let head = models.chat().header("transfer-encoding", "chunked");
    for is_trickling in [false, true] {
        let what = format!("trickling: {is_trickling}");
        let start = Instant::now();
        let mut stream = models.begin(&head);
        stream.write_all(b"1\r\n{\r\n").expect("written");
        let mut writer = stream.try_clone().expect("the same connection");
        let trickle = thread::spawn(move || {
            let is_over = || start.elapsed() > TIMEOUT + NOISE;
            while is_trickling && !is_over() && writer.write_all(b"1\r\n \r\n").is_ok() {
                thread::sleep(Duration::from_millis(50));
            }
        });
        let answer = Answer::read(&mut stream, false).expect("an answer");
        let elapsed = start.elapsed();
        assert_refused(&answer, "BODY_TIMEOUT", &what);
        assert_eq!(
            answer.header("x-should-retry").as_deref(),
            Some("false"),
            "{what}"
        );
        assert!(elapsed >= TIMEOUT, "{what}: after {elapsed:?}");
        assert!(elapsed < TIMEOUT + NOISE, "{what}: after {elapsed:?}");
        drop(stream);
        trickle.join().expect("it ends");
        models.assert_no_call(&what);
    }
    models
        .gateway
        .assert_counts(&[("portcullis.denied.body_timeout", 2)]);
}

/// Without the switch the filter does not see bodies. It says so once, and lets nothing pass.
#[test]
fn without_the_switch_every_body_is_late() {
    const COMPLAINT: &str = "allow_on_headers_stop_iteration";
    let models = Models::with(|setup| setup.stop_iteration(false));
    for (how, request) in framed(&models.chat(), BOUNDED) {
        // Trailers are seen: what came before them was not.
        let answer = models.gateway.send(&request);
        assert_refused(&answer, "BODY_TIMEOUT", how);
        models.assert_no_call(how);
    }
    let lines = || {
        let log = models.gateway.log();
        log.lines().filter(|line| line.contains(COMPLAINT)).count()
    };
    poll(PATIENCE, || (lines() > 0).then_some(())).expect("a line in the log");
    assert_eq!(lines(), 1, "{}", models.gateway.log_tail());
    assert!(
        models
            .gateway
            .log()
            .contains("portcullis: bodies of requests"),
        "{}",
        models.gateway.log_tail()
    );
    // Others do not need it.
    let token = models.key.token(json!({}));
    let other = request("POST", "/other").bearer(token).body(FOREIGN);
    assert_eq!(models.gateway.send(&other).status, 200);
}

/// Their bytes are no body, or do not end before the answer begins: nobody could judge them whole.
#[test]
fn upgrades_and_grpc_are_not_held() {
    let models = Models::with(Setup::web_sockets);
    let token = models.key.token(json!({ "scope": "chat" }));
    let socket = get(CHAT)
        .bearer(&token)
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    assert_refused(
        &models.gateway.send(&socket),
        "MALFORMED_BODY",
        "an upgrade",
    );
    let connect = get(CHAT).bearer(&token);
    let answer = http2::open_socket(&connect, models.gateway.port()).expect("an answer");
    assert_refused(&answer, "MALFORMED_BODY", "CONNECT");
    for content_type in ["application/grpc", "application/grpc+proto"] {
        let call = models
            .chat()
            .header("content-type", content_type)
            .header("te", "trailers");
        let answer = http2::send(&call.body(BOUNDED), models.gateway.port()).expect("an answer");
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(
            answer.header("x-portcullis-code").as_deref(),
            Some("MALFORMED_BODY")
        );
        assert_eq!(
            answer.header("grpc-status").as_deref(),
            Some("3"),
            "{answer:?}"
        );
    }
    models.assert_no_call("none is held");
}
