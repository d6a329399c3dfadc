//! Tokens that only their issuer can read (RFC 7662).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::harness::client::{Request, get};
use crate::harness::faults;
use crate::harness::gateway::{Gateway, Setup};
use crate::harness::keys::{Key, amended, encode, fresh_api_key};
use crate::harness::policy::{AUDIENCE, ISSUER, only, provider};
use crate::harness::refusal::expect;
use crate::harness::service::{Call, Reply, Service};
use crate::harness::{now, poll};

const TIMEOUT: Duration = Duration::from_secs(1);

/// A provider of opaque tokens alone.
fn opaque(changes: Value) -> Value {
    let settings = json!({
        "cluster": "authority", "uri": "http://authority.example.com/introspect", "timeout": "1s",
        "client_id": "gate way", "client_secret": { "env": "INTROSPECTION_SECRET" },
    });
    json!({ "issuer": ISSUER, "audiences": [AUDIENCE], "tenant_claim": "tenant", "clock_tolerance": "0s", "introspection": amended(settings, changes) })
}

/// A provider of JWTs that are asked about as well.
fn always(key: &Key, changes: Value) -> Value {
    let introspection =
        opaque(amended(json!({ "when": "always" }), changes))["introspection"].take();
    amended(provider([key]), json!({ "introspection": introspection }))
}

fn setup(provider: Value, authority: &Service) -> Setup {
    Setup::of(only(provider))
        .cluster("authority", authority.port())
        .environment("INTROSPECTION_SECRET", "se:cr et")
}

/// An answer that lets its token in, but for these members.
fn active(changes: Value) -> Value {
    amended(
        json!({ "active": true, "aud": AUDIENCE, "sub": "alice", "exp": now() + 600 }),
        changes,
    )
}

/// The token that a call asks about.
fn asked(call: &Call) -> String {
    form(&call.body)
        .into_iter()
        .find(|(name, _)| name == "token")
        .map(|(_, value)| value)
        .unwrap_or_default()
}

fn form(body: &[u8]) -> Vec<(String, String)> {
    let decoded = |text: &str| {
        let mut bytes = Vec::new();
        let mut rest = text.bytes();
        while let Some(byte) = rest.next() {
            bytes.push(match byte {
                b'+' => b' ',
                b'%' => {
                    let digits = [rest.next().unwrap_or(b'0'), rest.next().unwrap_or(b'0')];
                    u8::from_str_radix(&String::from_utf8_lossy(&digits), 16).unwrap_or_default()
                }
                other => other,
            });
        }
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let text = String::from_utf8_lossy(body);
    text.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}

/// How often the authority was asked about a token.
fn times_asked(authority: &Service, token: &str) -> usize {
    authority
        .calls()
        .iter()
        .filter(|call| asked(call) == token)
        .count()
}

#[test]
fn the_question_is_well_put() {
    let authority = Service::start(|_| {
        Reply::json(&active(
            json!({ "client_id": "app", "scope": "a b", "tenant": "acme", "username": "x" }),
        ))
    });
    let gateway = setup(opaque(json!({})), &authority).start();
    let token = "AZaz09-._~+/x==";
    gateway.table(|rows| {
        rows.forwards(
            "an opaque token",
            get("/audit").bearer(token),
            &[
                ("x-auth-subject", &["alice"]),
                ("x-auth-client-id", &["app"]),
                ("x-auth-scopes", &["a b"]),
                ("x-auth-tenant", &["acme"]),
                ("x-auth-provider", &["corp"]),
                ("authorization", &[]),
            ],
        );
        rows.passes("again", get("/audit/again").bearer(token));
        for rubbish in ["a b", "a!b", "=", "a=b", "täst"] {
            rows.refuses(
                &format!("{rubbish:?} is no token"),
                get("/").bearer(rubbish),
                "MALFORMED_TOKEN",
            );
        }
    });
    let calls = authority.calls();
    assert_eq!(calls.len(), 1, "{calls:?}");
    let call = &calls[0];
    assert_eq!(
        (call.method.as_str(), call.path.as_str()),
        ("POST", "/introspect")
    );
    assert_eq!(
        call.header("host").as_deref(),
        Some("authority.example.com")
    );
    let content_type = call.header("content-type").unwrap_or_default();
    assert!(
        content_type.starts_with("application/x-www-form-urlencoded"),
        "{content_type}"
    );
    // RFC 6749 §2.3.1: both halves are form-encoded before they are joined.
    let basic = ["gate+way:se%3Acr+et", "gate%20way:se%3Acr%20et"]
        .map(|pair| format!("Basic {}", BASE64_STANDARD.encode(pair)));
    assert!(
        basic.contains(&call.header("authorization").unwrap_or_default()),
        "{:?}",
        call.header("authorization")
    );
    assert_eq!(asked(call), token);
    assert!(
        form(&call.body).contains(&("token_type_hint".to_owned(), "access_token".to_owned())),
        "{call:?}"
    );

    let log = gateway.log();
    assert!(!log.contains(token) && !log.contains("se:cr et"), "{log}");
    gateway.assert_counts(&[
        ("portcullis.callout.introspection.ok", 1),
        ("portcullis.cache.introspection.hit", 1),
        ("portcullis.denied.malformed_token", 5),
    ]);
}

#[test]
fn the_audit_says_where_a_fact_came_from() {
    let authority = Service::start(|_| Reply::json(&active(json!({}))));
    let policy = amended(only(opaque(json!({}))), json!({ "audit": "all" }));
    let gateway = Setup::of(policy)
        .cluster("authority", authority.port())
        .environment("INTROSPECTION_SECRET", "s")
        .start();
    let token = fresh_api_key();
    gateway.send(&get("/asked").bearer(&token));
    thread::sleep(Duration::from_millis(50));
    gateway.send(&get("/remembered").bearer(&token));
    let audit = |path: &str| {
        gateway
            .audit(path)
            .unwrap_or_else(|| panic!("no audit line for {path}:\n{}", gateway.log_tail()))
    };
    assert_eq!(audit("/asked")["source"], "callout");
    let remembered = audit("/remembered");
    assert_eq!(remembered["source"], "cache");
    assert!(
        remembered["age_ms"].as_u64().is_some_and(|age| age >= 40),
        "{remembered}"
    );
}

#[test]
fn an_answer_is_judged_like_a_token() {
    let now = now();
    let unavailable = "INTROSPECTION_UNAVAILABLE";
    let good = [
        ("all that is needed", active(json!({}))),
        ("the issuer", active(json!({ "iss": ISSUER }))),
        (
            "several audiences",
            active(json!({ "aud": ["x", AUDIENCE] })),
        ),
        ("no exp", active(json!({ "exp": null }))),
        ("no subject", active(json!({ "sub": null }))),
        (
            "token_type Bearer",
            active(json!({ "token_type": "Bearer" })),
        ),
        (
            "token_type access_token",
            active(json!({ "token_type": "access_token" })),
        ),
        (
            "members that nobody knows",
            active(json!({ "x": { "y": [1, 1.5, null] } })),
        ),
    ];
    let bad = [
        ("inactive", json!({ "active": false }), "TOKEN_INACTIVE"),
        (
            "inactive, with the rest",
            active(json!({ "active": false })),
            "TOKEN_INACTIVE",
        ),
        (
            "active is a string",
            active(json!({ "active": "true" })),
            unavailable,
        ),
        (
            "active is a number",
            active(json!({ "active": 1 })),
            unavailable,
        ),
        ("no active", active(json!({ "active": null })), unavailable),
        (
            "expired",
            active(json!({ "exp": now - 5 })),
            "TOKEN_EXPIRED",
        ),
        (
            "not yet valid",
            active(json!({ "nbf": now + 500 })),
            "TOKEN_NOT_YET_VALID",
        ),
        (
            "another issuer",
            active(json!({ "iss": "https://evil.example/" })),
            "INVALID_ISSUER",
        ),
        (
            "another audience",
            active(json!({ "aud": "other" })),
            "INVALID_AUDIENCE",
        ),
        (
            "no audience",
            active(json!({ "aud": null })),
            "INVALID_AUDIENCE",
        ),
        (
            "a refresh token",
            active(json!({ "token_type": "refresh_token" })),
            "INVALID_TOKEN",
        ),
        (
            "an ID token",
            active(json!({ "token_use": "id" })),
            "INVALID_TOKEN",
        ),
        (
            "a refresh token by typ",
            active(json!({ "typ": "Refresh" })),
            "INVALID_TOKEN",
        ),
        (
            "bound to a key",
            active(json!({ "cnf": { "jkt": "x" } })),
            "INVALID_TOKEN",
        ),
        (
            "bound to a certificate",
            active(json!({ "cnf": { "x5t#S256": encode([7; 32]) } })),
            "INVALID_TOKEN",
        ),
        (
            "exp is a string",
            active(json!({ "exp": (now + 60).to_string() })),
            "MALFORMED_TOKEN",
        ),
        (
            "sub is a number",
            active(json!({ "sub": 7 })),
            "MALFORMED_TOKEN",
        ),
        (
            "aud is a number",
            active(json!({ "aud": 7 })),
            "MALFORMED_TOKEN",
        ),
        (
            "a line break in the subject",
            active(json!({ "sub": "a\nb" })),
            "INVALID_TOKEN",
        ),
    ];
    let answers: Vec<Value> = good
        .iter()
        .map(|(_, answer)| answer.clone())
        .chain(bad.iter().map(|(_, answer, _)| answer.clone()))
        .collect();
    let authority = Service::start(move |call| {
        match asked(call)
            .split('-')
            .nth(1)
            .and_then(|number| number.parse::<usize>().ok())
        {
            Some(number) => Reply::json(&answers[number]),
            None => Reply::with(
                200,
                "application/json",
                format!("{{\"active\":false,{}", &active(json!({})).to_string()[1..]),
            ),
        }
    });
    let lax = amended(
        opaque(json!({})),
        json!({ "audiences": null, "danger_any_audience": true, "from": { "headers": [{ "name": "x-lax" }] }, "issuer": "lax" }),
    );
    let policy = json!({ "providers": { "corp": opaque(json!({})), "lax": lax }, "rules": [
        { "match": { "path": { "exact": "/scope" } }, "scopes": { "all": ["read"] } },
        { "match": { "path": { "exact": "/claim" } }, "claims": [{ "claim": "tenant", "equals": "acme" }] },
        {},
    ] });
    let gateway = Setup::of(policy)
        .cluster("authority", authority.port())
        .environment("INTROSPECTION_SECRET", "s")
        .start();
    gateway.table(|rows| {
        for (number, (name, _)) in good.iter().enumerate() {
            rows.passes(name, get("/").bearer(format!("t-{number}-x")));
        }
        for (number, (name, _, codes)) in bad.iter().enumerate() {
            for _ in ["asked", "remembered"] {
                rows.refuses(
                    name,
                    get("/").bearer(format!("t-{}-x", number + good.len())),
                    codes,
                );
            }
        }
        rows.refuses("active twice", get("/").bearer("twice"), unavailable);
        let no_audience = good.len()
            + bad
                .iter()
                .position(|(name, _, _)| *name == "no audience")
                .expect("a row");
        rows.passes(
            "any audience",
            get("/").header("x-lax", format!("t-{no_audience}-x")),
        );
        rows.refuses(
            "facts are remembered, not decisions: scopes",
            get("/scope").bearer("t-0-x"),
            "INSUFFICIENT_SCOPE",
        );
        rows.refuses(
            "facts are remembered, not decisions: claims",
            get("/claim").bearer("t-0-x"),
            "CLAIM_MISMATCH",
        );
        rows.passes("and not turned by a refusal", get("/").bearer("t-0-x"));
    });
    assert_eq!(times_asked(&authority, "t-0-x"), 1);
}

#[test]
fn facts_are_remembered_for_a_while() {
    let gone = Arc::new(AtomicBool::new(false));
    let revoked = Arc::clone(&gone);
    let authority = Service::start(move |call| {
        let exp = if asked(call).starts_with("short") {
            now() + 2
        } else {
            now() + 600
        };
        let dead = asked(call).starts_with("dead") || revoked.load(Ordering::SeqCst);
        Reply::json(&active(json!({ "active": !dead, "exp": exp })))
    });
    let gateway = setup(
        opaque(json!({ "cache_ttl": "2s", "negative_cache_ttl": "2s" })),
        &authority,
    )
    .start();
    gateway.table(|rows| {
        for _ in 0..5 {
            rows.passes("active", get("/").bearer("live"));
            rows.refuses("inactive", get("/").bearer("dead"), "TOKEN_INACTIVE");
            rows.row("short", get("/").bearer("short"), |_| Ok(()));
        }
    });
    for token in ["live", "dead", "short"] {
        assert!(
            (1..=2).contains(&times_asked(&authority, token)),
            "{token} asked {} times",
            times_asked(&authority, token)
        );
    }
    gone.store(true, Ordering::SeqCst);
    let refused = poll(Duration::from_secs(4), || {
        (gateway.send(&get("/").bearer("live")).status == 401).then_some(())
    });
    assert!(refused.is_some(), "remembered beyond cache_ttl");
    gateway.table(|rows| {
        rows.refuses(
            "its own exp ends it",
            get("/").bearer("short"),
            "TOKEN_INACTIVE",
        )
    });

    let every_time = setup(
        opaque(json!({ "cache_ttl": "0s", "negative_cache_ttl": "0s" })),
        &authority,
    )
    .start();
    gone.store(false, Ordering::SeqCst);
    every_time.table(|rows| {
        for _ in 0..3 {
            rows.passes("active", get("/").bearer("live-0"));
            rows.refuses("inactive", get("/").bearer("dead-0"), "TOKEN_INACTIVE");
        }
    });
    for token in ["live-0", "dead-0"] {
        assert_eq!(times_asked(&authority, token), 3, "{token}");
    }
}

#[test]
fn requests_with_one_token_share_a_call() {
    let authority = Service::start(|call| {
        let scope = if asked(call) == "reader" { "read" } else { "" };
        Reply::json(&active(json!({ "scope": scope }))).after(Duration::from_millis(600))
    });
    let policy = json!({ "providers": { "corp": opaque(json!({ "timeout": "5s" })) }, "rules": [
        { "match": { "path": { "exact": "/read" } }, "scopes": { "all": ["read"] } },
        { "match": { "path": { "exact": "/write" } }, "scopes": { "all": ["write"] } },
        {},
    ] });
    let gateway = Setup::of(policy)
        .workers(2)
        .cluster("authority", authority.port())
        .environment("INTROSPECTION_SECRET", "s")
        .start();
    for outcome in gateway.send_all((0..60).map(|_| get("/").bearer("shared")).collect()) {
        outcome.assert_passed();
        outcome.assert_within(Duration::from_secs(5));
    }
    assert!(
        times_asked(&authority, "shared") <= 2,
        "{} calls of two workers",
        times_asked(&authority, "shared")
    );
    gateway.assert_counts_at_least("portcullis.callout.introspection.joined", 50);

    let paths = ["/read", "/write"].repeat(10);
    let outcomes = gateway.send_all(
        paths
            .iter()
            .map(|path| get(path).bearer("reader"))
            .collect(),
    );
    for (path, outcome) in paths.iter().zip(outcomes) {
        if *path == "/read" {
            outcome.assert_passed()
        } else {
            outcome.assert_refused("INSUFFICIENT_SCOPE")
        }
    }
    assert!(times_asked(&authority, "reader") <= 2);
}

#[test]
fn a_client_that_goes_wakes_nobody_wrongly() {
    let authority =
        Service::start(|_| Reply::json(&active(json!({}))).after(Duration::from_millis(700)));
    let gateway = setup(opaque(json!({ "timeout": "5s" })), &authority).start();
    for round in 0..5 {
        let token = format!("left-{round}");
        for _ in 0..3 {
            drop(
                get("/")
                    .bearer(&token)
                    .begin(gateway.port())
                    .expect("Envoy listens"),
            );
        }
        thread::sleep(Duration::from_millis(100));
        gateway.timed(get("/").bearer(&token)).assert_passed();
    }
    gateway.table(|rows| rows.passes("the worker lives on", get("/").bearer("after")));
    assert_eq!(gateway.counter("wasm.portcullis.vm_reload_success"), 0);
}

#[test]
fn a_fault_of_the_authority_is_never_the_clients() {
    let good = active(json!({})).to_string();
    let faults = faults::of(good.as_bytes(), "application/json", TIMEOUT);
    let names: Vec<&str> = faults.iter().map(|(name, _)| *name).collect();
    let authority = Service::start(move |call| {
        let token = asked(call);
        faults
            .iter()
            .find(|(name, _)| *name == token)
            .map_or(Reply::HangUp, |(_, reply)| reply.clone())
    });
    let mut closed = Service::start(|_| Reply::json(&active(json!({}))));
    closed.stop();
    let elsewhere = |cluster: &str| {
        amended(
            opaque(json!({ "cluster": cluster })),
            json!({ "issuer": cluster, "from": { "headers": [{ "name": format!("x-{cluster}") }] } }),
        )
    };
    let providers = json!({ "corp": opaque(json!({})), "unknown": elsewhere("unknown"), "hostless": elsewhere("hostless"), "closed": elsewhere("closed") });
    let gateway = Setup::of(json!({ "providers": providers, "rules": [{}] }))
        .workers(2)
        .cluster("authority", authority.port())
        .cluster("closed", closed.port())
        .cluster_without_hosts("hostless")
        .environment("INTROSPECTION_SECRET", "s")
        .start();
    let requests = || -> Vec<Request> {
        let by_cluster = ["unknown", "hostless", "closed"]
            .map(|cluster| get("/").header(format!("x-{cluster}"), "token"));
        names
            .iter()
            .map(|name| get("/").bearer(name))
            .chain(by_cluster)
            .collect()
    };
    for _ in ["first", "again: failures are not remembered as answers"] {
        for outcome in gateway.send_all(requests()) {
            outcome.assert_refused("INTROSPECTION_UNAVAILABLE");
            outcome.assert_within(TIMEOUT + Duration::from_secs(1));
        }
    }
    authority.script(|_| Reply::json(&active(json!({}))));
    closed.resume();
    for name in &names {
        gateway.await_status(&get("/").bearer(name), 200);
    }
    gateway.await_status(&get("/").header("x-closed", "token"), 200);
    gateway.assert_counts_at_least("portcullis.callout.introspection.failed", 1);
    gateway.assert_counts_at_least("portcullis.callout.introspection.timeout", 1);
}

#[test]
fn a_full_circuit_breaker_is_our_fault() {
    let authority =
        Service::start(|_| Reply::json(&active(json!({}))).after(Duration::from_millis(600)));
    let provider = opaque(json!({ "timeout": "2s" }));
    let gateway = Setup::of(only(provider))
        .narrow_cluster("authority", authority.port())
        .environment("INTROSPECTION_SECRET", "s")
        .start();
    let outcomes = gateway.send_all(
        (0..12)
            .map(|number| get("/").bearer(format!("token-{number}")))
            .collect(),
    );
    let (passed, refused): (Vec<_>, Vec<_>) = outcomes
        .into_iter()
        .partition(|outcome| outcome.answer.status == 200);
    assert!(
        !passed.is_empty() && !refused.is_empty(),
        "{} passed, {} did not",
        passed.len(),
        refused.len()
    );
    for outcome in refused {
        outcome.assert_refused("INTROSPECTION_UNAVAILABLE");
        outcome.assert_within(Duration::from_secs(3));
    }
    gateway.await_status(&get("/").bearer("token-0"), 200);
    gateway.await_status(&get("/").bearer("token-11"), 200);
}

#[test]
fn random_tokens_push_out_no_good_one() {
    let authority = Service::start(|call| {
        Reply::json(&active(
            json!({ "active": asked(call).starts_with("good") }),
        ))
    });
    let policy = amended(
        only(opaque(
            json!({ "cache_ttl": "60s", "negative_cache_ttl": "60s" }),
        )),
        json!({ "limits": { "introspection_cache_entries": 64 } }),
    );
    let gateway = Setup::of(policy)
        .cluster("authority", authority.port())
        .environment("INTROSPECTION_SECRET", "s")
        .start();
    for number in 0..10 {
        gateway
            .timed(get("/").bearer(format!("good-{number}")))
            .assert_passed();
    }
    for _ in 0..10 {
        for outcome in gateway.send_all((0..30).map(|_| get("/").bearer(fresh_api_key())).collect())
        {
            outcome.assert_refused("TOKEN_INACTIVE");
        }
    }
    for number in 0..10 {
        let token = format!("good-{number}");
        gateway.timed(get("/").bearer(&token)).assert_passed();
        assert_eq!(times_asked(&authority, &token), 1, "{token} was pushed out");
    }
}

#[test]
fn a_jwt_may_be_asked_about_as_well() {
    let key = Key::new("ES256", "k");
    let authority = Service::start(|call| {
        let token = asked(call);
        let claims = token
            .split('.')
            .nth(1)
            .map(crate::harness::keys::decode)
            .unwrap_or_default();
        let subject = serde_json::from_slice(&claims)
            .map_or(json!("opaque"), |claims: Value| claims["sub"].clone());
        Reply::json(&active(
            json!({ "active": subject != "revoked", "sub": subject, "aud": if subject == "other" { "other" } else { AUDIENCE } }),
        ))
    });
    let with = |changes: Value| get("/").bearer(key.token(changes));
    let gateway = setup(always(&key, json!({})), &authority).start();
    gateway.table(|rows| {
        rows.forwards(
            "both agree",
            with(json!({})),
            &[("x-auth-subject", &["alice"])],
        );
        rows.refuses(
            "the authority does not",
            with(json!({ "sub": "revoked" })),
            "TOKEN_INACTIVE",
        );
        rows.refuses(
            "the answer is for another audience",
            with(json!({ "sub": "other" })),
            "INVALID_AUDIENCE",
        );
        rows.passes("an opaque token", get("/").bearer("opaque"));
    });
    let before = authority.calls().len();
    gateway.table(|rows| {
        rows.refuses("expired", with(json!({ "exp": 1 })), "TOKEN_EXPIRED");
        rows.refuses(
            "forged",
            get("/").bearer(Key::new("ES256", "k").token(json!({}))),
            "INVALID_SIGNATURE",
        );
    });
    assert_eq!(
        authority.calls().len(),
        before,
        "nobody asks about a token that does not verify"
    );
}

#[test]
fn an_authority_that_is_away_may_be_done_without() {
    let key = Key::new("ES256", "k");
    let mut authority = Service::start(|_| Reply::json(&active(json!({}))));
    authority.stop();
    let with = |changes: Value| get("/").bearer(key.token(changes));
    setup(always(&key, json!({})), &authority)
        .start()
        .table(|rows| {
            rows.refuses("deny", with(json!({})), "INTROSPECTION_UNAVAILABLE");
        });
    setup(
        always(&key, json!({ "on_unavailable": "danger_allow" })),
        &authority,
    )
    .start()
    .table(|rows| {
        rows.passes("allow what verified locally", with(json!({})));
        rows.refuses(
            "not what did not",
            with(json!({ "exp": 1 })),
            "TOKEN_EXPIRED",
        );
        rows.refuses(
            "nor an opaque token",
            get("/").bearer("opaque"),
            "INTROSPECTION_UNAVAILABLE",
        );
    });
    let shadow = amended(only(opaque(json!({}))), json!({ "mode": "shadow" }));
    let slow = Service::start(|_| Reply::json(&active(json!({}))).after(Duration::from_secs(5)));
    let shadow = Setup::of(shadow)
        .cluster("authority", slow.port())
        .environment("INTROSPECTION_SECRET", "s")
        .start();
    let outcome = shadow.timed(get("/").bearer("opaque"));
    outcome.assert_passed();
    // A request in shadow mode never waits for a callout.
    outcome.assert_within(Duration::ZERO);
}

#[test]
fn an_update_leaves_those_who_wait_alone() {
    let authority =
        Service::start(|_| Reply::json(&active(json!({}))).after(Duration::from_secs(2)));
    let key = Key::new("ES256", "k");
    let gateway = setup(opaque(json!({ "timeout": "8s" })), &authority)
        .over_lds()
        .start();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| gateway.timed(get("/").bearer("waiting")));
        authority.await_count("/introspect", 1);
        assert!(
            gateway.update(only(provider([&key]))),
            "{}",
            gateway.log_tail()
        );
        gateway.await_status(&get("/").bearer(key.token(json!({}))), 200);
        waiting.join().expect("no panic").assert_passed();
    });
}

#[test]
fn introspection_is_configured_strictly() {
    let key = Key::new("ES256", "k");
    let two = json!({ "one": opaque(json!({})), "two": amended(opaque(json!({})), json!({ "issuer": "two" })) });
    for (name, providers, told) in [
        ("two from one place", two, "two"),
        (
            "no secret",
            json!({ "corp": opaque(json!({ "client_secret": null })) }),
            "providers.corp.introspection.client_secret: required",
        ),
        (
            "a secret that is not set",
            json!({ "corp": opaque(json!({ "client_secret": { "env": "NOWHERE" } })) }),
            "providers.corp.introspection.client_secret",
        ),
        (
            "a plain secret",
            json!({ "corp": opaque(json!({ "client_secret": "s" })) }),
            "providers.corp.introspection.client_secret",
        ),
        (
            "no cluster",
            json!({ "corp": opaque(json!({ "cluster": null })) }),
            "providers.corp.introspection.cluster: required",
        ),
        (
            "no uri",
            json!({ "corp": opaque(json!({ "uri": null })) }),
            "providers.corp.introspection.uri: required",
        ),
        (
            "an unknown time",
            json!({ "corp": opaque(json!({ "when": "never" })) }),
            "providers.corp.introspection.when",
        ),
        (
            "allow what nobody verified",
            json!({ "corp": opaque(json!({ "on_unavailable": "danger_allow" })) }),
            "providers.corp.introspection.on_unavailable",
        ),
        (
            "an unknown key",
            json!({ "corp": opaque(json!({ "ttl": "1s" })) }),
            "providers.corp.introspection.ttl",
        ),
    ] {
        let policy = json!({ "providers": providers, "rules": [{}] });
        match Setup::of(policy)
            .environment("INTROSPECTION_SECRET", "s")
            .try_start()
        {
            Ok(_) => panic!("{name}: Envoy started"),
            Err(refused) => assert!(refused.log.contains(told), "{name}: {}", refused.log),
        }
    }
    let inline = opaque(json!({ "client_secret": { "danger_inline": "s" } }));
    let gateway = Gateway::start(
        json!({ "providers": { "corp": inline, "jwt": amended(provider([&key]), json!({ "issuer": "jwt" })) }, "rules": [{}] }),
    );
    gateway.table(|rows| {
        rows.row("an inline secret", get("/").bearer("opaque"), |answer| {
            expect("status", &answer.status, &503)
        });
        rows.passes(
            "a JWT beside",
            get("/").bearer(key.token(json!({ "iss": "jwt" }))),
        );
    });
}
