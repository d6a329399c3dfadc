//! Requests that do not reach the filter in the order in which they reach Envoy.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::json;

use crate::harness::client::{Request, get};
use crate::harness::gateway::Setup;
use crate::harness::keys::{Key, jwks};
use crate::harness::policy::{ISSUER, only, provider, remote_provider};
use crate::harness::service::{Reply, Service};
use crate::harness::{PATIENCE, poll};

/// A filter before ours holds each request up for as long as it asks for: those who come later overtake it, and each
/// is judged as who it is.
#[test]
fn requests_that_are_held_up_before_the_filter_are_judged_each_by_itself() {
    let key = Key::new("ES256", "k");
    let gateway = Setup::of(only(provider([&key]))).held_up().start();
    thread::scope(|scope| {
        for i in 0..24_u64 {
            let (gateway, key) = (&gateway, &key);
            scope.spawn(move || {
                // The later ones wait less, and every third has no token.
                let delay = (24 - i) * 10;
                let request = get("/").header("x-envoy-fault-delay-request", delay.to_string());
                if i % 3 == 0 {
                    assert_eq!(gateway.send(&request).status, 401);
                    return;
                }
                let subject = format!("caller-{i}");
                let token = key.token(json!({ "sub": subject }));
                let answer = gateway.send(&request.bearer(token));
                let seen = answer.seen().expect("it passes");
                assert_eq!(seen.all("x-auth-subject"), [subject]);
            });
        }
    });
}

/// A client that leaves before the filter is called leaves no state behind for the next request.
#[test]
fn a_request_that_goes_away_before_the_filter_disturbs_nobody() {
    let key = Key::new("ES256", "k");
    let gateway = Setup::of(only(provider([&key]))).held_up().start();
    let slow = get("/").header("x-envoy-fault-delay-request", "60000");
    for round in 0..5 {
        let gone = slow.begin(gateway.port()).expect("a connection");
        let good = get("/").bearer(key.token(json!({ "jti": round.to_string() })));
        assert_eq!(gateway.send(&good).status, 200);
        drop(gone);
        assert_eq!(gateway.send(&good).status, 200);
        assert_eq!(gateway.send(&get("/")).status, 401);
    }
}

/// Where the filter stands in the chain twice, requests that it wakes together meet it again before it is done with
/// waking them, and Envoy brings the headers of one after it has created the context of the next.
#[test]
fn requests_that_wake_together_meet_the_filter_again() {
    const REQUESTS: u32 = 24;
    let key = Key::new("ES256", "k");
    let set = Reply::json(&jwks([&key]));
    let may_answer = Arc::new(AtomicBool::new(false));
    let gate = Arc::clone(&may_answer);
    let idp = Service::start(move |_| {
        let is_open = poll(PATIENCE, || gate.load(Ordering::Relaxed).then_some(()));
        is_open.expect("all requests wait");
        set.clone()
    });
    let mut provider = remote_provider(ISSUER, "/jwks");
    provider["jwks"]["remote"]["timeout"] = json!("30s");
    let mut policy = only(provider);
    policy["forward"] = json!({ "credential": "keep" });
    let gateway = Setup::of(policy).twice().cluster("idp", idp.port()).start();
    let request = |i: u32| -> Request {
        let token = key.token(json!({ "sub": format!("caller-{i}") }));
        get("/").bearer(token)
    };
    let outcomes = thread::scope(|scope| {
        let sent = scope.spawn(|| gateway.send_all((0..REQUESTS).map(request).collect()));
        // All but the first join its wait.
        let joined = || gateway.counter("portcullis.callout.jwks.joined");
        let all_wait = poll(PATIENCE, || {
            (joined() + 1 == u64::from(REQUESTS)).then_some(())
        });
        may_answer.store(true, Ordering::Relaxed);
        assert!(all_wait.is_some(), "{} joined", joined());
        sent.join().expect("answers")
    });
    for (i, outcome) in outcomes.iter().enumerate() {
        let seen = outcome.answer.seen().expect("it passes");
        assert_eq!(seen.all("x-auth-subject"), [format!("caller-{i}")]);
    }
}
