//! Keys that come from the identity provider, and an identity provider that does not come.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::client::{Request, get};
use crate::harness::faults;
use crate::harness::gateway::Setup;
use crate::harness::keys::{Key, amended, encode, jwks};
use crate::harness::policy::{ISSUER, only, remote_provider};
use crate::harness::service::{Reply, Service};
use crate::harness::{PATIENCE, poll};

/// A provider whose key source has these settings.
fn remote(issuer: &str, path: &str, changes: Value) -> Value {
    let mut provider = remote_provider(issuer, path);
    let remote = &mut provider["jwks"]["remote"];
    *remote = amended(remote.take(), changes);
    provider
}

fn publishing(keys: &[&Key]) -> Service {
    let set = jwks(keys.iter().copied());
    Service::start(move |_| Reply::json(&set))
}

/// A token that no cache has seen.
fn fresh(key: &Key, issuer: &str) -> Request {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let jti = COUNT.fetch_add(1, Ordering::Relaxed).to_string();
    get("/").bearer(key.token(json!({ "iss": issuer, "jti": jti })))
}

#[test]
fn one_fetch_serves_all_workers_before_the_first_request() {
    let key = Key::new("ES256", "k");
    let idp = publishing(&[&key]);
    let policy = only(remote(ISSUER, "/jwks?tenant=a", json!({})));
    let gateway = Setup::of(policy)
        .workers(2)
        .cluster("idp", idp.port())
        .start();
    idp.await_count("/jwks", 1);
    gateway.table(|rows| {
        for _ in 0..40 {
            rows.passes("a good token", fresh(&key, ISSUER));
        }
        rows.refuses(
            "a stranger's",
            fresh(&Key::new("ES256", "k"), ISSUER),
            "INVALID_SIGNATURE",
        );
    });
    thread::sleep(Duration::from_millis(1500));
    assert_eq!(
        idp.count("/jwks"),
        1,
        "fetches of one process with two workers"
    );
    let call = &idp.calls()[0];
    assert_eq!(
        (call.method.as_str(), call.path.as_str()),
        ("GET", "/jwks?tenant=a")
    );
    assert_eq!(call.header("host").as_deref(), Some("idp.example.com"));
    gateway.assert_counts(&[("portcullis.callout.jwks.ok", 1)]);
}

#[test]
fn requests_wait_for_the_first_keys() {
    let key = Key::new("RS256", "k");
    let idp = publishing(&[&key]);
    let set = jwks([&key]);
    idp.script(move |_| Reply::json(&set).after(Duration::from_millis(1500)));
    let gateway = Setup::of(only(remote(ISSUER, "/jwks", json!({ "timeout": "5s" }))))
        .workers(2)
        .cluster("idp", idp.port())
        .start();
    for outcome in gateway.send_all((0..20).map(|_| fresh(&key, ISSUER)).collect()) {
        outcome.assert_passed();
        outcome.assert_within(Duration::from_secs(5));
    }
    assert_eq!(idp.count("/jwks"), 1, "fetches while requests waited");
    gateway.assert_counts_at_least("portcullis.callout.jwks.joined", 1);
}

/// A request that waits keeps its body, outlives an update of the configuration, and if its client goes away
/// nobody is hurt.
#[test]
fn waiting_loses_nothing() {
    let key = Key::new("ES256", "k");
    let idp = publishing(&[&key]);
    let set = jwks([&key]);
    idp.script(move |_| Reply::json(&set).after(Duration::from_secs(3)));
    let policy = |realm: &str| {
        let provider = remote(ISSUER, "/jwks", json!({ "timeout": "10s" }));
        amended(only(provider), json!({ "realm": realm }))
    };
    let gateway = Setup::of(policy("before"))
        .over_lds()
        .cluster("idp", idp.port())
        .start();
    let body = "x".repeat(300_000);
    let post = || fresh(&key, ISSUER).body(&body);
    drop(post().begin(gateway.port()).expect("Envoy listens"));
    thread::scope(|scope| {
        let waiting = scope.spawn(|| gateway.timed(post()));
        idp.await_count("/jwks", 1);
        thread::sleep(Duration::from_millis(300));
        assert!(gateway.update(policy("after")), "{}", gateway.log_tail());
        gateway.timed(post()).assert_passed();
        let outcome = waiting.join().expect("no panic");
        outcome.assert_passed();
        assert_eq!(
            outcome.answer.json().expect("an echo")["body_bytes"],
            body.len()
        );
    });
    assert_eq!(gateway.counter("wasm.portcullis.vm_reload_success"), 0);
}

#[test]
fn what_is_unusable_in_a_set_is_skipped() {
    let (key, other) = (Key::new("ES256", "k"), Key::new("EdDSA", "other"));
    let set = json!({ "keys": [
        "no key", null, 7, {}, { "kty": 7 }, { "kty": "RSA" }, { "kty": "RSA", "kid": "odd", "n": "*", "e": "AQAB" },
        { "kty": "EC", "crv": "P-256", "kid": "off-the-curve", "x": encode([1; 32]), "y": encode([2; 32]) },
        { "kty": "OKP", "crv": "Ed25519", "kid": "low-order", "x": encode([0; 32]) },
        { "kty": "OKP", "crv": "X25519", "kid": "agreement", "x": encode([9; 32]) },
        amended(key.jwk(), json!({ "kid": 7 })),
        key.jwk(), amended(other.jwk(), json!({ "x5c": ["rubbish"], "x-unknown": { "a": [null] } })),
    ], "unknown": true });
    let idp =
        Service::start(move |_| Reply::with(200, "application/jwk-set+json", set.to_string()));
    let gateway = Setup::of(only(remote(ISSUER, "/jwks", json!({}))))
        .cluster("idp", idp.port())
        .start();
    gateway.await_status(&fresh(&key, ISSUER), 200);
    gateway.table(|rows| {
        rows.passes("another key", fresh(&other, ISSUER));
        rows.refuses(
            "a key of low order",
            fresh(&Key::new("EdDSA", "low-order"), ISSUER),
            "UNKNOWN_KEY",
        );
        rows.refuses(
            "a point off the curve",
            fresh(&Key::new("ES256", "off-the-curve"), ISSUER),
            "UNKNOWN_KEY",
        );
    });
}

/// Each way in which a key source can fail is the source's fault: 503 in time, never 401, and the next good
/// answer heals it.
#[test]
fn a_source_that_fails_is_never_the_clients_fault() {
    let key = Key::new("ES256", "k");
    let set = jwks([&key]);
    let mut faults: BTreeMap<&str, Reply> = faults::of(
        set.to_string().as_bytes(),
        "application/json",
        Duration::from_secs(1),
    )
    .into_iter()
    .collect();
    faults.insert(
        "keys-of-another-type",
        Reply::json(&json!({ "keys": { "k": set["keys"][0] } })),
    );
    let mut providers: serde_json::Map<String, Value> = faults
        .keys()
        .map(|fault| {
            (
                fault.to_string(),
                remote(
                    fault,
                    &format!("/{fault}"),
                    json!({ "timeout": "1s", "min_refetch_interval": "1s" }),
                ),
            )
        })
        .collect();
    for (name, cluster) in [
        ("unknown-cluster", "nowhere"),
        ("no-host", "empty"),
        ("refused", "closed"),
    ] {
        providers.insert(
            name.to_owned(),
            remote(name, "/", json!({ "timeout": "1s", "cluster": cluster })),
        );
    }
    let names: Vec<String> = providers.keys().cloned().collect();

    let script = faults.clone();
    let idp = Service::start(move |call| script[call.route().trim_start_matches('/')].clone());
    let mut closed = publishing(&[&key]);
    closed.stop();
    let gateway = Setup::of(json!({ "providers": providers, "rules": [{}] }))
        .workers(2)
        .cluster("idp", idp.port())
        .cluster("closed", closed.port())
        .cluster_without_hosts("empty")
        .start();

    for _ in ["at the start", "later"] {
        for outcome in gateway.send_all(names.iter().map(|name| fresh(&key, name)).collect()) {
            outcome.assert_refused("KEYS_UNAVAILABLE");
            outcome.assert_within(Duration::from_secs(2));
        }
    }
    for result in ["failed", "timeout"] {
        gateway.assert_counts_at_least(&format!("portcullis.callout.jwks.{result}"), 1);
    }
    for fault in faults.keys() {
        assert!(
            idp.count(&format!("/{fault}")) > 0,
            "nobody asked for {fault}"
        );
    }

    idp.script(move |_| Reply::json(&set));
    closed.resume();
    for name in names
        .iter()
        .filter(|name| !["unknown-cluster", "no-host"].contains(&name.as_str()))
    {
        gateway.await_status(&fresh(&key, name), 200);
    }
}

/// Who has keys to be judged by does not wait for a cluster that Envoy will not call.
#[test]
fn a_full_circuit_breaker_is_no_reason_to_wait() {
    const TIMEOUT: &str = "10s";
    let key = Key::new("ES256", "k");
    let stranger = Key::new("ES256", "stranger");
    let names = ["calm", "slow-1", "slow-2"];
    let providers: serde_json::Map<String, Value> = names
        .iter()
        .map(|name| {
            let settings = json!({ "timeout": TIMEOUT, "min_refetch_interval": "1s" });
            (
                name.to_string(),
                remote(name, &format!("/{name}"), settings),
            )
        })
        .collect();
    let idp = publishing(&[&key]);
    let gateway = Setup::of(json!({ "providers": providers, "rules": [{}] }))
        .narrow_cluster("idp", idp.port())
        .start();
    for name in names {
        gateway.await_status(&fresh(&key, name), 200);
    }
    // From now on an unknown key is asked for again.
    thread::sleep(Duration::from_millis(1200));
    let set = jwks([&key]);
    idp.script(move |_| Reply::json(&set).after(Duration::from_secs(8)));
    let asked = idp.calls().len();
    thread::scope(|scope| {
        // One call is let through, and then one waits behind it.
        for name in ["slow-1", "slow-2"] {
            let request = fresh(&stranger, name);
            let gateway = &gateway;
            scope.spawn(move || gateway.timed(request).assert_refused("UNKNOWN_KEY"));
            poll(PATIENCE, || (idp.calls().len() > asked).then_some(())).expect("a call");
            thread::sleep(Duration::from_millis(300));
        }
        let outcome = gateway.timed(fresh(&stranger, "calm"));
        outcome.assert_refused("UNKNOWN_KEY");
        outcome.assert_within(Duration::from_secs(1));
        assert!(
            gateway.log().contains("cluster idp cannot be called"),
            "it was called: {}",
            gateway.log_tail()
        );
        gateway.timed(fresh(&key, "calm")).assert_passed();
    });
}

#[test]
fn good_keys_outlive_their_source_for_a_while() {
    let (key, later) = (Key::new("ES256", "k"), Key::new("ES256", "later"));
    let mut idp = publishing(&[&key]);
    let settings = |more: Value| {
        amended(
            json!({ "timeout": "1s", "refresh_interval": "1s", "min_refetch_interval": "1s" }),
            more,
        )
    };
    let policy = json!({
        "providers": {
            "patient": remote("patient", "/patient", settings(json!({}))),
            "impatient": remote("impatient", "/impatient", settings(json!({ "max_staleness": "3s" }))),
        },
        "rules": [{}],
    });
    let gateway = Setup::of(policy)
        .workers(2)
        .cluster("idp", idp.port())
        .start();
    for issuer in ["patient", "impatient"] {
        gateway.await_status(&fresh(&key, issuer), 200);
    }
    idp.await_count("/patient", 3);
    idp.stop();
    let unavailable = poll(PATIENCE, || {
        let outcome = gateway.timed(fresh(&key, "impatient"));
        (outcome.answer.status != 200).then_some(outcome)
    });
    unavailable
        .expect("keys that are too old serve nobody")
        .assert_refused("KEYS_UNAVAILABLE");
    gateway.table(|rows| {
        for _ in 0..8 {
            rows.passes("the last good keys serve", fresh(&key, "patient"));
            rows.refuses(
                "an unknown kid is no reason to wait",
                fresh(&later, "patient"),
                "UNKNOWN_KEY",
            );
        }
    });
    gateway
        .timed(fresh(&later, "patient"))
        .assert_within(Duration::from_millis(500));

    let set = jwks([&key, &later]);
    idp.script(move |_| Reply::json(&set));
    idp.resume();
    gateway.await_status(&fresh(&key, "impatient"), 200);
    gateway.await_status(&fresh(&later, "patient"), 200);
}

#[test]
fn keys_are_refreshed_by_one_worker() {
    let key = Key::new("ES256", "k");
    let idp = publishing(&[&key]);
    let policy = only(remote(
        ISSUER,
        "/jwks",
        json!({ "refresh_interval": "1s", "timeout": "1s" }),
    ));
    let _gateway = Setup::of(policy)
        .workers(2)
        .cluster("idp", idp.port())
        .start();
    idp.await_count("/jwks", 1);
    thread::sleep(Duration::from_secs(6));
    let count = idp.count("/jwks");
    assert!(
        (3..=10).contains(&count),
        "{count} fetches in six seconds at an interval of one"
    );
}

#[test]
fn a_new_kid_is_asked_for() {
    let (old, new) = (Key::new("ES256", "old"), Key::new("ES256", "new"));
    let idp = publishing(&[&old]);
    let policy = only(remote(
        ISSUER,
        "/jwks",
        json!({ "min_refetch_interval": "1s" }),
    ));
    let gateway = Setup::of(policy)
        .workers(2)
        .cluster("idp", idp.port())
        .start();
    gateway.await_status(&fresh(&old, ISSUER), 200);
    let cached = fresh(&old, ISSUER);
    gateway.await_status(&cached, 200);

    pass_the_interval();
    let set = jwks([&old, &new]);
    idp.script(move |_| Reply::json(&set).after(Duration::from_millis(300)));
    for outcome in gateway.send_all((0..10).map(|_| fresh(&new, ISSUER)).collect()) {
        outcome.assert_passed();
    }
    assert_eq!(idp.count("/jwks"), 2, "one fetch for all who wait");
    gateway.table(|rows| {
        for _ in 0..10 {
            rows.passes("the old key still counts", fresh(&old, ISSUER));
            rows.passes("the new key counts everywhere", fresh(&new, ISSUER));
        }
    });

    let set = jwks([&new]);
    idp.script(move |_| Reply::json(&set));
    pass_the_interval();
    gateway.table(|rows| {
        rows.refuses(
            "a kid that asks",
            fresh(&Key::new("ES256", "x"), ISSUER),
            "UNKNOWN_KEY",
        )
    });
    for request in [fresh(&old, ISSUER), cached] {
        gateway
            .await_status(&request, 401)
            .assert_refused("UNKNOWN_KEY");
    }
}

#[test]
fn unknown_kids_cost_no_more_fetches_than_the_interval_allows() {
    let key = Key::new("ES256", "k");
    let idp = publishing(&[&key]);
    let policy = only(remote(
        ISSUER,
        "/jwks",
        json!({ "min_refetch_interval": "60s" }),
    ));
    let gateway = Setup::of(policy)
        .workers(2)
        .cluster("idp", idp.port())
        .start();
    gateway.await_status(&fresh(&key, ISSUER), 200);
    let random = (0..200)
        .map(|number| fresh(&Key::new("ES256", &format!("random-{number}")), ISSUER))
        .collect();
    for outcome in gateway.send_all(random) {
        outcome.assert_refused("UNKNOWN_KEY");
    }
    assert!(idp.count("/jwks") <= 2, "{} fetches", idp.count("/jwks"));
    gateway.table(|rows| rows.passes("a good token", fresh(&key, ISSUER)));
}

#[test]
fn a_remote_set_yields_no_secret() {
    let (secret, ec) = (Key::new("HS256", "secret"), Key::new("ES256", "k"));
    let idp = publishing(&[&secret, &ec]);
    let asymmetric = remote(ISSUER, "/jwks.json", json!({}));
    let listed = amended(
        asymmetric.clone(),
        json!({ "algorithms": ["HS256", "ES256"] }),
    );
    let refused = Setup::of(only(listed))
        .cluster("idp", idp.port())
        .try_start();
    let log = refused
        .err()
        .expect("HS256 for remote keys is a load error")
        .log;
    assert!(log.contains("providers.corp.algorithms: "), "{log}");

    let gateway = Setup::of(only(asymmetric))
        .cluster("idp", idp.port())
        .start();
    gateway.await_status(&fresh(&ec, ISSUER), 200);
    gateway.table(|rows| {
        rows.refuses("HS256", fresh(&secret, ISSUER), "UNSUPPORTED_ALGORITHM");
    });
}

/// Waits until `min_refetch_interval: 1s` allows another fetch.
fn pass_the_interval() {
    thread::sleep(Duration::from_millis(1300));
}
