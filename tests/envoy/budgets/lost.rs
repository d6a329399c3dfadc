//! What outlives its worker, and what does not outlive its window.

use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use portcullis_model_upstream::ModelUpstream;
use serde_json::json;

use super::stage::{Stage, body, estimate};
use crate::harness::client::{get, request};
use crate::harness::gateway::Setup;
use crate::harness::keys::{Key, amended};
use crate::harness::policy::{only, provider};
use crate::harness::{PATIENCE, poll};

/// A worker that is lost settles nothing: what its requests had reserved is spent, and no more.
#[test]
fn what_a_lost_vm_had_reserved_is_spent() {
    let stage = Stage::that_traps();
    let silent = stage.request("lost", "/v1/chat/completions", &body(false));
    let silent = silent.header("x-model-fault", "silent");
    let held = silent.begin(stage.gateway.port()).expect("a connection");
    let arrived = poll(PATIENCE, || (stage.upstream.received() == 1).then_some(()));
    assert!(arrived.is_some(), "{}", stage.gateway.log_tail());
    stage.assert_spent("lost", estimate(false));
    let trapped = stage.gateway.send(&get("/").header("x-test-hook", "trap"));
    assert_eq!(trapped.status, 503, "{trapped:?}");
    let is_back = || {
        let probe = stage.request("other", "/v1/chat/completions", &body(false));
        let answer = stage.gateway.send(&probe);
        answer.header("ratelimit").is_some().then_some(())
    };
    let back = poll(PATIENCE, is_back);
    assert!(back.is_some(), "{}", stage.gateway.log_tail());
    drop(held);
    stage.assert_spent("lost", estimate(false));
}

/// Seconds since 1970.
fn now() -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("a clock")
}

/// Under load, each window admits what its limit is: no request belongs to two, and none to an old one.
#[test]
fn a_window_ends_under_load_and_the_next_begins_at_zero() {
    const LIMIT: usize = 20;
    const WINDOW: u64 = 2;
    let key = Key::new("ES256", "k");
    let upstream = ModelUpstream::start();
    let policy = amended(
        only(provider([&key])),
        json!({
            "rules": [{ "budgets": ["calls"] }],
            "budgets": { "calls": {
                "per": ["subject"], "limit": LIMIT, "window": format!("{WINDOW}s"), "charge": "requests",
            } },
        }),
    );
    let gateway = Setup::of(policy).with_bodies().workers(2);
    let gateway = gateway.upstream(upstream.port()).start();
    let token = key.token(json!({}));
    let call = request("POST", "/v1/chat/completions")
        .bearer(&token)
        .header("content-type", "application/json")
        .body(body(false).to_string());
    // Five windows as a whole, and what is left of the one that it begins in.
    let end = now() + Duration::from_secs(6 * WINDOW);
    let clients: Vec<_> = thread::scope(|scope| {
        let client = || {
            let mut admitted = Vec::new();
            while now() < end {
                let before = now().as_secs() / WINDOW;
                let answer = gateway.send(&call);
                assert!([200, 429].contains(&answer.status), "{answer:?}");
                if answer.status == 200 {
                    admitted.push((before, now().as_secs() / WINDOW));
                }
            }
            admitted
        };
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(client)).collect();
        let ended = clients.into_iter().map(|c| c.join().expect("answers"));
        ended.flatten().collect()
    });
    let first = clients.iter().map(|(before, _)| *before).min();
    let last = clients.iter().map(|(_, after)| *after).max();
    let (first, last) = first.zip(last).expect("some are admitted");
    for window in first..=last {
        let within = clients.iter().filter(|(b, a)| *b == window && *a == window);
        assert!(within.count() <= LIMIT, "{window}: {clients:?}");
    }
    let windows = usize::try_from(last - first + 1).unwrap();
    assert!(clients.len() <= LIMIT * windows, "{clients:?}");
    assert!(clients.len() >= LIMIT * (windows - 2), "{clients:?}");
}
