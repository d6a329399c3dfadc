//! API keys that are issued and revoked without a push of configuration.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::client::get;
use crate::harness::faults;
use crate::harness::gateway::{Gateway, Setup};
use crate::harness::keys::{Key, amended, fresh_api_key, hmac_sha256, sha256};
use crate::harness::policy::{api_key, provider};
use crate::harness::service::{Reply, Service};
use crate::harness::{PATIENCE, poll};

const PEPPER: &str = "a pepper of more than sixteen bytes";

fn policy(key: &Key, changes: Value) -> Value {
    let remote = json!({ "cluster": "authority", "uri": "http://authority.example.com/api-keys", "timeout": "1s", "refresh_interval": "1s", "max_staleness": "60s" });
    json!({
        "providers": { "corp": provider([key]) },
        "api_keys": { "pepper": { "env": "API_KEY_PEPPER" }, "remote": amended(remote, changes) },
        "rules": [{}],
    })
}

fn start(policy: Value, authority: &Service) -> Gateway {
    Setup::of(policy)
        .workers(2)
        .cluster("authority", authority.port())
        .environment("API_KEY_PEPPER", PEPPER)
        .start()
}

fn keys(entries: Vec<Value>) -> Reply {
    Reply::json(&json!({ "keys": entries }))
}

#[test]
fn keys_come_and_go_without_a_push() {
    let (first, second) = (fresh_api_key(), fresh_api_key());
    let one = amended(
        api_key("one", &sha256(&first)),
        json!({ "client": "robot", "scopes": ["read"], "tenant": "acme" }),
    );
    let two = api_key("two", &hmac_sha256(PEPPER, &second));
    let entries = vec![one.clone()];
    let authority = Service::start(move |_| keys(entries.clone()));
    let gateway = start(policy(&Key::new("ES256", "k"), json!({})), &authority);
    let with = |secret: &str| get("/").header("x-api-key", secret);
    gateway.table(|rows| {
        for _ in 0..8 {
            rows.forwards(
                "a key from the list",
                with(&first),
                &[
                    ("x-auth-client-id", &["robot"]),
                    ("x-auth-key-id", &["one"]),
                    ("x-auth-scopes", &["read"]),
                    ("x-auth-tenant", &["acme"]),
                ],
            );
            rows.refuses("a key that is not on it", with(&second), "INVALID_API_KEY");
        }
    });
    let (revoked, issued) = (amended(one, json!({ "revoked": true })), two.clone());
    authority.script(move |_| keys(vec![revoked.clone(), issued.clone()]));
    gateway.await_status(&with(&second), 200);
    gateway
        .await_status(&with(&first), 401)
        .assert_refused("API_KEY_REVOKED");
    authority.script(move |_| keys(vec![two.clone()]));
    let forgotten = poll(PATIENCE, || {
        gateway
            .send(&with(&first))
            .json()
            .ok()
            .filter(|body| body["code"] == "INVALID_API_KEY")
    });
    assert!(
        forgotten.is_some(),
        "a key that is on no list still counts for something"
    );

    // One list for all workers.
    let before = authority.count("/api-keys");
    thread::sleep(Duration::from_secs(5));
    let polls = authority.count("/api-keys") - before;
    assert!(
        (3..=9).contains(&polls),
        "{polls} polls in five seconds at an interval of one"
    );
    gateway.assert_counts_at_least("portcullis.callout.api_keys.ok", 1);
}

/// A verdict on a key is remembered only as long as the list that it came from.
#[test]
fn a_key_stands_for_whom_the_newest_list_names() {
    let (first, second) = (fresh_api_key(), fresh_api_key());
    let entry = |id: &str, secret: &str, tenant: &str| {
        amended(api_key(id, &sha256(secret)), json!({ "tenant": tenant }))
    };
    let before = vec![entry("one", &first, "acme"), entry("two", &second, "acme")];
    // In another order, and both for others.
    let after = vec![
        entry("deux", &second, "globex"),
        entry("une", &first, "initech"),
    ];
    let authority = Service::start(move |_| keys(before.clone()));
    let gateway = start(policy(&Key::new("ES256", "k"), json!({})), &authority);
    let with = |secret: &str| get("/").header("x-api-key", secret);
    let seen = |secret: &str| {
        let seen = gateway.send(&with(secret)).seen().expect("it passes");
        ["x-auth-key-id", "x-auth-client-id", "x-auth-tenant"].map(|name| seen.all(name).join("|"))
    };
    for _ in 0..8 {
        assert_eq!(seen(&first), ["one", "one", "acme"]);
        assert_eq!(seen(&second), ["two", "two", "acme"]);
    }
    authority.script(move |_| keys(after.clone()));
    // Two workers adopt it, each by itself: so many requests in a row meet both.
    let adopted = poll(PATIENCE, || {
        let named = |_| {
            seen(&first) == ["une", "une", "initech"] && seen(&second) == ["deux", "deux", "globex"]
        };
        (0..16).all(named).then_some(())
    });
    assert!(
        adopted.is_some(),
        "{:?} and {:?} are of the old list",
        seen(&first),
        seen(&second)
    );
}

#[test]
fn a_list_that_does_not_come_is_never_the_clients_fault() {
    let (key, secret) = (Key::new("ES256", "k"), fresh_api_key());
    let entry = api_key("one", &sha256(&secret));
    let good = json!({ "keys": [entry] }).to_string();
    let with = |secret: &str| get("/").header("x-api-key", secret);
    let mut faults = faults::of(good.as_bytes(), "application/json", Duration::from_secs(1));
    let invalid = [
        (
            "plaintext",
            json!({ "keys": [entry, api_key("two", "plaintext")] }),
        ),
        (
            "one-id-twice",
            json!({ "keys": [entry, api_key("one", &sha256("x"))] }),
        ),
        (
            "one-hash-twice",
            json!({ "keys": [entry, api_key("two", &sha256(&secret))] }),
        ),
        (
            "an-unknown-member",
            json!({ "keys": [amended(entry.clone(), json!({ "role": "x" }))] }),
        ),
        ("no-keys", json!({})),
    ];
    faults.extend(invalid.map(|(name, body)| (name, Reply::json(&body))));
    // Such a list may be as long as a configuration, where five MiB of anything else are too many.
    faults.retain(|(name, _)| *name != "oversize");
    let longest = good.clone() + &" ".repeat((16 << 20) - good.len());
    let of_json = |text: String| Reply::with(200, "application/json", text);
    faults.push(("one-byte-over-16-mib", of_json(longest.clone() + " ")));
    let authority = Service::start(|_| Reply::HangUp);
    let gateway = start(policy(&key, json!({})), &authority);
    for (name, reply) in faults {
        authority.script(move |_| reply.clone());
        // The fetch after this one was surely answered by this fault.
        authority.await_count("/api-keys", authority.count("/api-keys") + 2);
        let outcome = gateway.timed(with(&secret));
        println!("{name}");
        outcome.assert_refused("KEYS_UNAVAILABLE");
        outcome.assert_within(Duration::from_secs(2));
    }
    gateway.table(|rows| rows.passes("tokens go on", get("/").bearer(key.token(json!({})))));
    let longest = of_json(longest);
    authority.script(move |_| longest.clone());
    gateway.await_status(&with(&secret), 200);
}

#[test]
fn the_last_good_list_serves_for_a_while() {
    let secret = fresh_api_key();
    let entry = api_key("one", &sha256(&secret));
    let mut authority = Service::start(move |_| keys(vec![entry.clone()]));
    let gateway = start(
        policy(&Key::new("ES256", "k"), json!({ "max_staleness": "3s" })),
        &authority,
    );
    let with = |secret: &str| get("/").header("x-api-key", secret);
    gateway.await_status(&with(&secret), 200);
    authority.stop();
    gateway.timed(with(&secret)).assert_passed();
    gateway
        .await_status(&with(&secret), 503)
        .assert_refused("KEYS_UNAVAILABLE");
    authority.resume();
    gateway.await_status(&with(&secret), 200);
}
