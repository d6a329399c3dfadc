#![allow(
    clippy::disallowed_methods,
    reason = "an Instant has no other constructor"
)]

use std::rc::Rc;
use std::time::Duration;

use super::*;
use crate::evaluation::{self, Step};
use crate::policy::{Policy, ProviderId, compile};
use crate::request::Request;
use crate::secret::FingerprintKey;
use crate::time::UnixTime;
use crate::verification::State;
use crate::verification::callout::Callout;
use crate::verification::signature::Verifier;

const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

const KEYS: SourceId = SourceId::Keys(ProviderId(0));

/// A request that waits for keys.
fn waiting() -> Waiting {
    let configuration = br#"{
        "providers": {"corp": {
            "issuer": "https://idp.example",
            "audiences": ["api"],
            "jwks": {"remote": {"cluster": "idp", "uri": "http://idp/keys"}}
        }},
        "rules": [{}]
    }"#;
    let compiled = compile(configuration, &|_| None).unwrap();
    let policy: Rc<Policy> = Rc::new(compiled.policy);
    let mut state = State::new(&policy, Verifier::software(), FingerprintKey::new([7; 16]));
    // {"alg":"ES256"} . {"iss":"https://idp.example","aud":"api","exp":1700000100} . 64 zero bytes
    let token = format!(
        "Bearer eyJhbGciOiJFUzI1NiJ9.{}.{}",
        "eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwiYXVkIjoiYXBpIiwiZXhwIjoxNzAwMDAwMTAwfQ",
        "A".repeat(86)
    );
    let headers: [(&[u8], &[u8]); 4] = [
        (b":method", b"GET"),
        (b":authority", b"api.example"),
        (b":path", b"/"),
        (b"authorization", token.as_bytes()),
    ];
    let request = Request::from_headers(&headers);
    match evaluation::begin(&policy, &mut state, &request, NOW) {
        Step::Await(waiting, Callout::Source(KEYS)) => waiting,
        other => panic!("it should wait for keys: {other:?}"),
    }
}

fn pause(requests: &mut WaitingRequests, stream: u32, now: Instant) {
    let deadline = Deadline::after(now, Duration::from_secs(2));
    requests.pause(stream, waiting(), Awaited::Document(KEYS), deadline);
}

fn replies(requests: &mut WaitingRequests) -> Vec<(u32, Fetch)> {
    let ready = std::iter::from_fn(|| requests.take_ready());
    ready
        .map(|(stream, _, reply)| match reply {
            Reply::Source(KEYS, fetch) => (stream, fetch),
            other => panic!("not what was awaited: {other:?}"),
        })
        .collect()
}

#[test]
fn one_fetch_wakes_all_who_wait_for_it_and_nobody_else() {
    let now = Instant::now();
    let mut requests = WaitingRequests::default();
    for stream in [3, 1, 2] {
        pause(&mut requests, stream, now);
    }
    assert!(requests.is_awaited(KEYS) && requests.holds(2));
    requests.fetched(SourceId::ApiKeys, Fetch::Arrived);
    assert!(!requests.is_anybody_ready());

    requests.fetched(KEYS, Fetch::Arrived);
    assert!(!requests.is_anybody_paused() && requests.holds(2));
    let woken = replies(&mut requests);
    assert_eq!(
        woken,
        [1, 2, 3].map(|stream| (stream, Fetch::Arrived)),
        "in the order of their streams"
    );
    assert!(!requests.holds(2));
}

#[test]
fn nobody_waits_beyond_the_deadline() {
    let now = Instant::now();
    let mut requests = WaitingRequests::default();
    pause(&mut requests, 1, now);
    requests.expire(now + Duration::from_millis(1999));
    assert!(!requests.is_anybody_ready());
    requests.expire(now + Duration::from_secs(2));
    assert_eq!(replies(&mut requests), [(1, Fetch::FAILED)]);
}

#[test]
fn a_stream_that_is_gone_is_woken_by_nothing() {
    let now = Instant::now();
    let mut requests = WaitingRequests::default();
    pause(&mut requests, 1, now);
    pause(&mut requests, 2, now);
    requests.forget(1);
    requests.fetched(KEYS, Fetch::Arrived);
    requests.forget(2);
    assert!(replies(&mut requests).is_empty());
}
