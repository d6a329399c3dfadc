//! Requests that do not reach the filter in the order in which they reach Envoy.

use std::thread;

use serde_json::json;

use crate::harness::client::get;
use crate::harness::gateway::Setup;
use crate::harness::keys::Key;
use crate::harness::policy::{only, provider};

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

/// Whoever goes away before the filter was asked leaves nothing behind that the next one could meet.
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
