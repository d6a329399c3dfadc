//! A trap in the module: the worker that it hits loses its VM and gets another, and nobody gets in meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::client::{Answer, Connection, Request, get};
use crate::harness::gateway::{Gateway, Setup};
use crate::harness::keys::{Key, amended, jwks, tampered};
use crate::harness::policy::{ISSUER, only, provider, remote_provider};
use crate::harness::service::{Reply, Service};
use crate::harness::{PATIENCE, poll};

fn trap() -> Request {
    get("/").header("x-test-hook", "trap")
}

/// The name of the VM that serves this connection; `None` while it has none.
fn vm(connection: &mut Connection) -> Option<String> {
    let request = get("/").header("x-test-hook", "vm");
    let answer = connection.send(&request).expect("an answer");
    match answer.status {
        200 => Some(answer.header("x-test-hook-vm").expect("a VM has a name")),
        503 => {
            assert_bare(&answer);
            None
        }
        _ => panic!("{answer:?}"),
    }
}

/// Envoy's own answer, for want of a VM.
fn assert_bare(answer: &Answer) {
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.header("x-echo").is_none(), "{answer:?}");
}

/// How often a worker got another VM.
fn reloads(gateway: &Gateway) -> u64 {
    gateway.counter("wasm.portcullis.vm_reload_success")
}

/// Panics unless requests are judged as ever.
fn assert_judges(gateway: &Gateway, key: &Key) {
    let token = key.token(json!({}));
    gateway.table(|rows| {
        rows.forwards(
            "a good token",
            get("/").bearer(&token),
            &[("x-auth-subject", &["alice"])],
        );
        rows.passes("the same again", get("/").bearer(&token));
        rows.refuses("no credential", get("/"), "MISSING_TOKEN");
        rows.refuses(
            "a tampered token",
            get("/").bearer(tampered(&token)),
            "INVALID_SIGNATURE",
        );
        rows.refuses(
            "an expired token",
            get("/").bearer(key.token(json!({ "exp": 1 }))),
            "TOKEN_EXPIRED",
        );
        rows.refuses(
            "an identity that the client claims",
            get("/").header("x-auth-subject", "root"),
            "MISSING_TOKEN",
        );
    });
}

#[test]
fn the_released_module_has_no_such_switch() {
    let key = Key::new("ES256", "k");
    Gateway::start(only(provider([&key]))).table(|rows| {
        for switch in ["trap", "signature", "vm"] {
            let request = get("/").header("x-test-hook", switch);
            rows.refuses(switch, request.clone(), "MISSING_TOKEN");
            rows.passes(switch, request.bearer(key.token(json!({}))));
        }
    });
}

#[test]
fn a_worker_judges_again_after_each_trap() {
    let key = Key::new("ES256", "k");
    let gateway = Setup::of(only(provider([&key]))).with_test_hooks().start();
    assert_judges(&gateway, &key);
    for round in 1..=3 {
        assert_bare(&gateway.send(&trap()));
        assert_eq!(reloads(&gateway), round - 1);
        gateway.await_status(&get("/").bearer(key.token(json!({}))), 200);
        assert_eq!(reloads(&gateway), round);
        assert_judges(&gateway, &key);
    }
}

#[test]
fn nobody_gets_in_while_vms_trap_and_return() {
    const ROUNDS: usize = 10;
    const RELOADS: u64 = 3;
    let key = Key::new("RS256", "k");
    let gateway = Setup::of(only(provider([&key])))
        .with_test_hooks()
        .workers(2)
        .start();
    let is_over = AtomicBool::new(false);
    let intrude = || {
        let stranger = Key::new("ES256", "k").token(json!({}));
        let requests = [
            get("/"),
            get("/").header("x-auth-subject", "root"),
            get("/").bearer(stranger),
        ];
        let (mut refused, mut failed) = (0, 0);
        let began = Instant::now();
        while !is_over.load(Ordering::Relaxed) && began.elapsed() < 2 * PATIENCE {
            for request in &requests {
                let answer = gateway.send(request);
                match answer.status {
                    401 => refused += 1,
                    _ => {
                        assert_bare(&answer);
                        failed += 1;
                    }
                }
            }
        }
        (refused, failed)
    };
    thread::scope(|scope| {
        let intruders = [(); 2].map(|()| scope.spawn(intrude));
        // The kernel picks the worker, so a trap may meet one without a VM. Where builds or other tests
        // share the machine, ten rounds may pass before the first VM has returned.
        let mut rounds = 0;
        let trapped = poll(PATIENCE, || {
            assert_bare(&gateway.send(&trap()));
            gateway.await_status(&get("/").bearer(key.token(json!({}))), 200);
            rounds += 1;
            (rounds >= ROUNDS && reloads(&gateway) >= RELOADS).then_some(())
        });
        is_over.store(true, Ordering::Relaxed);
        for intruder in intruders {
            let (refused, failed) = intruder.join().expect("only refusals");
            println!("{refused} refused, {failed} without a VM");
            assert!(refused > 0);
        }
        trapped.expect("traps that hit a VM");
        assert_eq!(gateway.upstream_calls(), rounds);
    });
}

#[test]
fn the_other_worker_keeps_its_vm() {
    let key = Key::new("ES256", "k");
    let gateway = Setup::of(only(provider([&key])))
        .with_test_hooks()
        .workers(2)
        .start();
    let open = || Connection::open(gateway.port()).expect("a connection");
    let mut one = open();
    let name_of_one = vm(&mut one).expect("a VM");
    // The kernel picks the worker.
    let found = poll(PATIENCE, || {
        let mut other = open();
        let name = vm(&mut other).expect("a VM");
        (name != name_of_one).then_some((other, name))
    });
    let (mut other, name_of_other) = found.expect("a connection to the other worker");

    let token = key.token(json!({}));
    for _ in 0..3 {
        let before = poll(PATIENCE, || vm(&mut one)).expect("a VM");
        assert_bare(&one.send(&trap()).expect("an answer"));
        let after = poll(PATIENCE, || {
            assert_eq!(vm(&mut other).as_ref(), Some(&name_of_other));
            let answer = other.send(&get("/").bearer(&token)).expect("an answer");
            assert_eq!(answer.status, 200, "{answer:?}");
            let answer = other.send(&get("/")).expect("an answer");
            assert_eq!(answer.status, 401, "{answer:?}");
            vm(&mut one)
        });
        assert_ne!(after.expect("a VM for the trapped worker"), before);
        let answer = one.send(&get("/").bearer(&token)).expect("an answer");
        assert_eq!(answer.status, 200, "{answer:?}");
        let answer = one.send(&get("/")).expect("an answer");
        assert_eq!(answer.status, 401, "{answer:?}");
    }
}

/// The fetch dies with the VM that started it, and so does the claim to it, in the end.
#[test]
fn keys_that_a_trapped_worker_was_fetching_come_all_the_same() {
    let (old, new) = (Key::new("ES256", "old"), Key::new("ES256", "new"));
    let set = jwks([&old]);
    let idp = Service::start(move |_| Reply::json(&set));
    let mut provider = remote_provider(ISSUER, "/jwks");
    let remote = &mut provider["jwks"]["remote"];
    *remote = amended(
        remote.take(),
        json!({ "timeout": "5s", "min_refetch_interval": "1s" }),
    );
    let gateway = Setup::of(only(provider))
        .with_test_hooks()
        .cluster("idp", idp.port())
        .start();
    gateway.await_status(&get("/").bearer(old.token(json!({}))), 200);

    let set = jwks([&new]);
    idp.script(move |_| Reply::json(&set).after(Duration::from_secs(4)));
    let fetches = idp.count("/jwks");
    let with_new = get("/waiting").bearer(new.token(json!({})));
    thread::scope(|scope| {
        // Until another fetch is allowed, the answer is that there is no such key.
        let waiting = scope.spawn(|| {
            poll(PATIENCE, || {
                Some(gateway.timed(with_new.clone())).filter(|it| it.answer.status != 401)
            })
        });
        idp.await_count("/jwks", fetches + 1);
        assert_bare(&gateway.send(&trap()));
        gateway.await_status(&get("/").bearer(new.token(json!({}))), 200);
        assert_eq!(reloads(&gateway), 1);
        assert!(
            idp.count("/jwks") >= fetches + 2,
            "nobody repeated the fetch"
        );
        // Envoy tells nobody of the streams that a VM leaves behind, so this one ends by
        // `stream_idle_timeout`; it must not end upstream.
        let outcome = waiting.join().expect("a thread").expect("an answer");
        assert_bare(&outcome.answer);
    });
    assert_judges(&gateway, &new);
}

/// What was fetched outlives the VM that fetched it: the next one finds it where all workers share it.
#[test]
fn what_was_fetched_survives_a_trap_and_is_not_fetched_again() {
    let key = Key::new("ES256", "k");
    let set = jwks([&key]);
    let page = json!({ "cursor": "1", "revoked": [{ "jti": "revoked" }] });
    let authority = Service::start(move |call| match call.route() {
        "/jwks" => Reply::json(&set),
        _ => Reply::json(&page),
    });
    let list = json!({ "cluster": "idp", "uri": "http://idp.example.com/revocations", "refresh_interval": "600s", "timeout": "5s", "max_staleness": "1200s" });
    let provider = amended(
        remote_provider(ISSUER, "/jwks"),
        json!({ "revocation": { "list": list } }),
    );
    let gateway = Setup::of(only(provider))
        .with_test_hooks()
        .workers(2)
        .cluster("idp", authority.port())
        .start();
    let by = |jti: &str| get("/").bearer(key.token(json!({ "jti": jti })));
    gateway.await_status(&by("good"), 200);
    for round in 1..=3 {
        // Until both workers had one.
        poll(PATIENCE, || {
            gateway.send(&trap());
            (reloads(&gateway) >= 2 * round).then_some(())
        })
        .expect("reloads");
        gateway.await_status(&by("good"), 200);
        let outcomes =
            gateway.send_all(["good", "revoked"].repeat(8).into_iter().map(by).collect());
        for (index, outcome) in outcomes.iter().enumerate() {
            match outcome.answer.status {
                // The last trap hit a worker that had its VM back already.
                503 => assert_bare(&outcome.answer),
                _ if index % 2 == 0 => outcome.assert_passed(),
                _ => outcome.assert_refused("TOKEN_REVOKED"),
            }
        }
        let judged = outcomes.iter().filter(|it| it.answer.status != 503).count();
        assert!(judged > 0, "nobody was judged");
    }
    for route in ["/jwks", "/revocations"] {
        assert_eq!(authority.count(route), 1, "{route} was fetched again");
    }
}
