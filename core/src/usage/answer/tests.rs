#![allow(clippy::panic, clippy::unwrap_used)]

use super::*;
use crate::usage::counts::Usage;

const JSON: &[u8] = br#"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#;
const CHUNK: &[u8] = b"data: {\"choices\":[{}],\"usage\":null}\n\n";
const LAST: &[u8] =
    b"data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\n";

const USED: Outcome = Outcome::Used(Usage {
    input: 1,
    output: 2,
    total: 3,
});

fn unknown(input: u64, output: u64, events: u64) -> Outcome {
    let total = input.saturating_add(output);
    Outcome::Unknown {
        named: Usage {
            input,
            output,
            total,
        },
        events,
    }
}

fn ending(details: &str, is_upstream_reached: bool, status: Option<u16>) -> Ending<'_> {
    Ending {
        details: details.as_bytes(),
        is_upstream_reached,
        status,
    }
}

fn complete() -> Ending<'static> {
    ending("via_upstream", true, Some(200))
}

fn client_left() -> Ending<'static> {
    ending("downstream_remote_disconnect", true, Some(200))
}

/// A chat whose answer is 200 with this type.
fn begun(content_type: &str) -> Answer {
    let mut answer = Answer::new(Some(Api::Chat));
    assert_eq!(
        answer.begins(200, Some(content_type.as_bytes()), None, false),
        None
    );
    assert!(answer.wants_bytes());
    answer
}

/// Everything that may come after an outcome: none of it gives another one.
fn assert_settled(answer: &mut Answer) {
    assert!(answer.is_settled() && !answer.wants_bytes());
    assert_eq!(answer.read(LAST, false), None);
    assert_eq!(
        answer.begins(200, Some(b"application/json"), None, false),
        None
    );
    assert_eq!(answer.begins(500, None, None, true), None);
    assert!(!answer.wants_bytes());
    assert_eq!(answer.read(JSON, true), None);
    assert_eq!(answer.read(b"", true), None);
    for details in ["via_upstream", "response_timeout", ""] {
        for status in [None, Some(200), Some(504)] {
            assert_eq!(answer.ends(&ending(details, true, status)), None);
        }
    }
}

// === answers ===

#[test]
fn usage_is_given_as_soon_as_it_is_final() {
    let mut answer = begun("text/event-stream; charset=utf-8");
    assert_eq!(answer.read(CHUNK, false), None);
    assert!(!answer.is_settled());
    assert_eq!(answer.read(LAST, false), Some(USED));
    assert_settled(&mut answer);

    let mut answer = begun("application/json");
    let (body, end) = JSON.split_at_checked(JSON.len().saturating_sub(1)).unwrap();
    assert_eq!(answer.read(body, false), None);
    assert_eq!(answer.read(end, false), Some(USED));
    assert_settled(&mut answer);
}

#[test]
fn an_answer_ends_with_what_it_said() {
    let delta: &[u8] =
        b"data: {\"choices\":[{}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\n";
    let cases: [(&str, &[&[u8]], Outcome); 12] = [
        ("application/json", &[b"{}"], Outcome::UNSAID),
        ("application/json", &[b""], Outcome::UNSAID),
        (
            "application/json",
            &[br#"{"usage":{"prompt_tokens":9}}"#],
            unknown(9, 0, 0),
        ),
        (
            "application/json",
            &[br#"{"usage":{"prompt_tokens":1,"completion_tokens":2}"#],
            USED,
        ),
        ("application/json", &[CHUNK, LAST], Outcome::UNSAID),
        ("text/event-stream", &[JSON], Outcome::UNSAID),
        ("text/event-stream", &[CHUNK, CHUNK], unknown(0, 0, 2)),
        (
            "text/event-stream",
            &[CHUNK, CHUNK, b"data: [DONE]\n\n"],
            unknown(0, 0, 2),
        ),
        // The last event was delivered, though no blank line ends it.
        ("text/event-stream", &[CHUNK, b"data: {}"], unknown(0, 0, 2)),
        (
            "text/event-stream",
            &[CHUNK, b"data: {\"usage\":{\"prompt_tokens\":7,"],
            unknown(7, 0, 2),
        ),
        ("text/event-stream", &[delta, CHUNK], USED),
        (
            "text/event-stream",
            &[b"", b": comment\n\n"],
            Outcome::UNSAID,
        ),
    ];
    for (content_type, chunks, expected) in cases {
        let read = |answer: &mut Answer| {
            for chunk in chunks {
                assert_eq!(answer.read(chunk, false), None);
            }
        };
        // At the end of the body, by an empty chunk or with its last bytes, or by trailers.
        let mut answer = begun(content_type);
        read(&mut answer);
        assert_eq!(answer.read(b"", true), Some(expected), "{chunks:?}");
        assert_settled(&mut answer);
        let mut answer = begun(content_type);
        assert_eq!(
            answer.read(&chunks.concat(), true),
            Some(expected),
            "{chunks:?}"
        );
        let mut answer = begun(content_type);
        read(&mut answer);
        assert_eq!(answer.ends(&complete()), Some(expected), "{chunks:?}");
        assert_settled(&mut answer);
    }
}

#[test]
fn an_answer_that_breaks_off_costs_unless_its_usage_was_read() {
    let endings = [
        "downstream_remote_disconnect",
        "downstream_local_disconnect(on_idle_timeout)",
        "http2.remote_reset",
        "upstream_reset_after_response_started{protocol_error}",
        "upstream_reset_after_response_started{connection_termination}",
        "response_timeout",
        "upstream_response_timeout",
        "upstream_per_try_idle_timeout",
        "stream_idle_timeout",
        "max_duration_timeout",
        "upstream_max_stream_duration_reached",
        "response_payload_too_large",
        "of another filter",
        "",
    ];
    let delta: &[u8] =
        b"data: {\"choices\":[{}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\n";
    let cases: [(&str, &[u8], Outcome); 9] = [
        ("text/event-stream", b"", Outcome::UNSAID),
        ("text/event-stream", CHUNK, unknown(0, 0, 1)),
        // Numbers that more tokens would have followed.
        ("text/event-stream", delta, unknown(1, 2, 1)),
        (
            "text/event-stream",
            b"data: {\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\n",
            USED,
        ),
        // An event that is cut was not delivered.
        (
            "text/event-stream",
            b"data: {\"usage\":{\"prompt_tokens\":7,",
            unknown(7, 0, 0),
        ),
        ("application/json", br#"{"choices":["#, Outcome::UNSAID),
        (
            "application/json",
            br#"{"usage":{"prompt_tokens":1,"completion_tokens":2"#,
            unknown(1, 0, 0),
        ),
        (
            "application/json",
            br#"{"usage":{"prompt_tokens":1,"completion_tokens":2},"#,
            USED,
        ),
        (
            "application/json",
            br#"{"usage":{"prompt_tokens":1},"#,
            unknown(1, 0, 0),
        ),
    ];
    for details in endings {
        for (content_type, body, expected) in cases {
            // The answer was there, whatever the host says of the upstream.
            for is_reached in [true, false] {
                let mut answer = begun(content_type);
                assert_eq!(answer.read(body, false), None);
                let ending = ending(details, is_reached, Some(200));
                let shown = String::from_utf8_lossy(body);
                assert_eq!(answer.ends(&ending), Some(expected), "{details} {shown}");
                assert_settled(&mut answer);
            }
        }
    }
}

#[test]
fn the_first_count_of_a_message_is_no_usage() {
    const START: &[u8] = b"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":25,\"output_tokens\":1}}}\n\n";
    const DELTA: &[u8] = b"event: message_delta\ndata: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":8}}\n\n";
    const STOP: &[u8] = b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
    let used = |output| {
        Some(Outcome::Used(Usage {
            input: 25,
            output,
            total: output + 25,
        }))
    };
    let begin = || {
        let mut answer = Answer::new(Some(Api::Messages));
        assert_eq!(
            answer.begins(200, Some(b"text/event-stream"), None, false),
            None
        );
        assert_eq!(answer.read(START, false), None);
        answer
    };
    for ending in [complete(), client_left()] {
        assert_eq!(begin().ends(&ending), Some(unknown(25, 1, 1)));
        let mut answer = begin();
        assert_eq!(answer.read(DELTA, false), None);
        assert_eq!(answer.ends(&ending), used(8));
    }
    assert_eq!(begin().read(STOP, false), used(1));
    let mut answer = begin();
    assert_eq!(answer.read(DELTA, false), None);
    assert_eq!(answer.read(STOP, false), used(8));
}

/// The outcome comes with the headers.
fn check_unread(api: Option<Api>, status: u16, content_type: &str, encoding: &str, ends: bool) {
    let mut answer = Answer::new(api);
    assert!(!answer.is_settled() && !answer.wants_bytes());
    let shown = format!("{api:?} {status} {content_type} {encoding}");
    let [content_type, encoding] = [content_type, encoding].map(|value| match value {
        "" => None,
        value => Some(value.as_bytes()),
    });
    let outcome = answer.begins(status, content_type, encoding, ends);
    assert_eq!(outcome, Some(Outcome::UNSAID), "{shown}");
    assert_settled(&mut answer);
}

#[test]
fn what_is_not_read_costs_the_estimate_at_once() {
    // An API that nobody knows: only requests are charged.
    for ends in [false, true] {
        check_unread(None, 200, "application/json", "", ends);
    }
    let other_types = [
        "",
        " ",
        "text/plain",
        "text/html; application/json",
        "application/jsonp",
        "application/x-ndjson",
        "application/json, text/plain",
        "application/json text/plain",
        "application/json+x",
        "application/",
        "json",
        "text/event-stream-x",
        "text/event-stream, text/event-stream",
        "multipart/form-data",
        "\u{ff}",
    ];
    for content_type in other_types {
        check_unread(Some(Api::Chat), 200, content_type, "", false);
    }
    let encodings = [
        "gzip",
        "br",
        "identity, gzip",
        "gzip,identity",
        "identity;q=1",
        "\u{ff}",
    ];
    for encoding in encodings {
        check_unread(Some(Api::Chat), 200, "application/json", encoding, false);
        check_unread(Some(Api::Chat), 200, "text/event-stream", encoding, true);
    }
    // Without a body.
    for status in [0, 200, 204, 299] {
        check_unread(Some(Api::Messages), status, "application/json", "", true);
    }
    for status in [0, 101, 200] {
        check_unread(Some(Api::Messages), status, "", "", false);
    }
}

#[test]
fn the_type_decides_how_a_body_is_read() {
    let json: [&[u8]; 7] = [
        b"application/json",
        b"APPLICATION/JSON",
        b"Application/Json;charset=UTF-8",
        b" application/json ; charset=utf-8",
        b"application/json;",
        b"application/problem+json",
        b"application/vnd.openai+json; charset=utf-8",
    ];
    let streams: [&[u8]; 4] = [
        b"text/event-stream",
        b"Text/Event-Stream; charset=utf-8",
        b"text/event-stream;charset=utf-8;x=y",
        b"\ttext/event-stream\t",
    ];
    let encodings: [Option<&[u8]>; 6] = [
        None,
        Some(b""),
        Some(b"identity"),
        Some(b"Identity"),
        Some(b" identity , IDENTITY "),
        Some(b","),
    ];
    let types = json.map(|t| (t, JSON)).into_iter();
    for (content_type, body) in types.chain(streams.map(|t| (t, LAST))) {
        for encoding in encodings {
            let mut answer = Answer::new(Some(Api::Chat));
            assert_eq!(
                answer.begins(201, Some(content_type), encoding, false),
                None
            );
            assert!(answer.wants_bytes());
            let shown = String::from_utf8_lossy(content_type);
            assert_eq!(answer.read(body, false), Some(USED), "{shown} {encoding:?}");
        }
    }
}

// === refusals ===

/// An answer with a status of 300 or above that ended, or did not.
fn refused(status: u16, has_ended: bool) -> Answer {
    let mut answer = Answer::new(Some(Api::Chat));
    assert_eq!(
        answer.begins(status, Some(b"application/json"), None, false),
        None
    );
    assert!(!answer.is_settled() && !answer.wants_bytes());
    if has_ended {
        assert_eq!(answer.read(b"", false), None);
        assert_eq!(answer.read(b"", true), None);
    }
    answer
}

#[test]
fn an_answer_of_300_or_above_costs_nothing() {
    let broken_off = [
        "via_upstream",
        "upstream_reset_after_response_started{protocol_error}",
        "downstream_remote_disconnect",
        "downstream_local_disconnect(x)",
        "http2.remote_reset",
        // What begins before these are over is no reply of Envoy: it would be over too.
        "response_timeout",
        "stream_idle_timeout",
        "max_duration_timeout",
        "upstream_per_try_idle_timeout",
        "of another filter",
        "",
    ];
    for status in [300, 302, 400, 401, 404, 408, 429, 500, 503, 504, 599] {
        for details in broken_off {
            let mut answer = refused(status, false);
            let outcome = answer.ends(&ending(details, true, Some(status)));
            assert_eq!(outcome, Some(Outcome::Nothing), "{status} {details}");
            assert_settled(&mut answer);
        }
        // It was complete; the client that sent on after it is no news.
        for details in ["via_upstream", "downstream_remote_disconnect"] {
            let mut answer = refused(status, true);
            let outcome = answer.ends(&ending(details, true, Some(status)));
            assert_eq!(outcome, Some(Outcome::Nothing), "{status} {details}");
            let mut answer = Answer::new(None);
            assert_eq!(answer.begins(status, None, None, true), None);
            let outcome = answer.ends(&ending(details, true, Some(status)));
            assert_eq!(outcome, Some(Outcome::Nothing), "{status} {details}");
        }
    }
}

/// Envoy answers for an upstream that does not: such a reply is whole, and says why.
#[test]
fn a_timeout_before_the_answer_costs_the_estimate() {
    let timeouts = [
        ("response_timeout", 504),
        ("upstream_response_timeout", 504),
        ("upstream_per_try_timeout", 504),
        ("upstream_per_try_idle_timeout", 504),
        ("upstream_max_stream_duration_reached", 504),
        ("stream_idle_timeout", 504),
        ("stream_idle_timeout", 408),
        ("max_duration_timeout", 504),
        ("request_overall_timeout", 408),
        ("duration_timeout", 504),
        // What cannot be told.
        ("", 500),
        ("of_another_filter", 503),
        ("via_upstream_of_another_name", 500),
        ("request_payload_too_large", 413),
        ("http1.codec_error", 400),
    ];
    for (details, status) in timeouts {
        for (is_reached, expected) in [(true, Outcome::UNSAID), (false, Outcome::Nothing)] {
            let ending = ending(details, is_reached, Some(status));
            let mut answer = refused(status, true);
            assert_eq!(answer.ends(&ending), Some(expected), "{details}");
            assert_settled(&mut answer);
            // The same where the headers of the reply were not seen, and where only requests are charged.
            for api in [Some(Api::Chat), None] {
                assert_eq!(Answer::new(api).ends(&ending), Some(expected), "{details}");
            }
        }
    }
    // `x-envoy-upstream-rq-timeout-alt-response` makes it a 204.
    let mut answer = Answer::new(Some(Api::Chat));
    assert_eq!(answer.begins(204, None, None, true), Some(Outcome::UNSAID));
}

#[test]
fn a_request_that_the_upstream_never_had_or_dropped_costs_nothing() {
    let reset = [
        "upstream_reset_before_response_started{connection_termination}",
        "upstream_reset_before_response_started{remote_reset}",
        "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}",
        "upstream_reset_before_response_started{protocol_error}",
        "upstream_reset_before_response_started{overflow}",
        "upstream_reset_before_response_started",
    ];
    for details in reset {
        for is_reached in [true, false] {
            let ending = ending(details, is_reached, Some(503));
            let outcome = Some(Outcome::Nothing);
            assert_eq!(refused(503, true).ends(&ending), outcome, "{details}");
            assert_eq!(
                Answer::new(Some(Api::Chat)).ends(&ending),
                outcome,
                "{details}"
            );
        }
    }
    let unreached = [
        "no_healthy_upstream",
        "cluster_not_found",
        "route_not_found",
        "maintenance_mode",
        "overload",
        "response_timeout",
        "stream_idle_timeout",
        "downstream_remote_disconnect",
        "",
    ];
    for details in unreached {
        let outcome = Some(Outcome::Nothing);
        let with_reply = ending(details, false, Some(503));
        assert_eq!(refused(503, true).ends(&with_reply), outcome, "{details}");
        let without = ending(details, false, None);
        assert_eq!(
            Answer::new(Some(Api::Chat)).ends(&without),
            outcome,
            "{details}"
        );
        assert_eq!(Answer::new(None).ends(&without), outcome, "{details}");
    }
}

#[test]
fn a_client_that_leaves_before_the_answer_costs_the_estimate() {
    let left = [
        "downstream_remote_disconnect",
        "downstream_local_disconnect(max_connection_duration_reached)",
        "http2.remote_reset",
        "http2.remote_refuse",
        "http1.codec_error",
        "codec_error:something",
        "",
    ];
    for details in left {
        for api in [Some(Api::Chat), None] {
            let mut answer = Answer::new(api);
            let outcome = answer.ends(&ending(details, true, None));
            assert_eq!(outcome, Some(Outcome::UNSAID), "{details}");
            assert_settled(&mut answer);
        }
    }
}

/// The first of two answers, where Envoy follows a redirect by itself, is not seen at all.
#[test]
fn an_answer_that_was_not_seen_costs_by_its_status() {
    let cases = [
        ("internal_redirect", Some(302), Outcome::Nothing),
        ("via_upstream", Some(503), Outcome::Nothing),
        ("via_upstream", Some(300), Outcome::Nothing),
        ("via_upstream", Some(299), Outcome::UNSAID),
        ("via_upstream", Some(200), Outcome::UNSAID),
        ("via_upstream", None, Outcome::UNSAID),
        (
            "upstream_reset_after_response_started{x}",
            Some(500),
            Outcome::Nothing,
        ),
        (
            "upstream_reset_after_response_started{x}",
            Some(200),
            Outcome::UNSAID,
        ),
        (
            "upstream_reset_after_response_started{x}",
            None,
            Outcome::UNSAID,
        ),
    ];
    for (details, status, expected) in cases {
        let mut answer = Answer::new(Some(Api::Chat));
        let outcome = answer.ends(&ending(details, true, status));
        assert_eq!(outcome, Some(expected), "{details} {status:?}");
    }
}
