//! What a request leaves behind: an audit line, counters, filter state.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::client::get;
use crate::harness::gateway::{Gateway, Setup, audit_lines};
use crate::harness::keys::{Key, amended, fresh_api_key, sha256};
use crate::harness::policy::{ISSUER, only, provider, remote_provider};
use crate::harness::poll;
use crate::harness::service::{Reply, Service};

fn policy(key: &Key, api_key: &str) -> Value {
    json!({
        "providers": { "corp": amended(provider([key]), json!({ "tenant_claim": "tenant" })) },
        "api_keys": { "keys": [{ "id": "robot-2026", "client": "robot", "hash": sha256(api_key) }] },
        "rules": [{ "name": "open", "match": { "path": { "prefix": "/open" } }, "access": "anonymous" }, { "name": "main" }],
        "audit": "all",
        "filter_state": ["subject", "client_id", "tenant", "scopes", "rule", "decision", "code"],
    })
}

#[test]
fn every_decision_is_audited_and_counted() {
    let (key, secret) = (Key::new("ES256", "k"), fresh_api_key());
    let token = key.token(json!({ "client_id": "app", "tenant": "acme", "scope": "a b", "secret": "a-claim-that-nobody-logs" }));
    let gateway = Gateway::start(policy(&key, &secret));
    gateway.table(|rows| {
        rows.passes("allowed", get("/audit/allowed?secret=1").bearer(&token));
        rows.passes(
            "allowed from the cache",
            get("/audit/cached").bearer(&token),
        );
        rows.passes("an API key", get("/audit/key").header("x-api-key", &secret));
        rows.passes("anonymous", get("/open/anonymous"));
        rows.refuses(
            "expired",
            get("/audit/expired").bearer(key.token(json!({ "exp": 1 }))),
            "TOKEN_EXPIRED",
        );
        rows.refuses(
            "missing",
            get("/audit/missing").header("x-request-id", "4a1c6e1e-0000-4000-8000-000000000000"),
            "MISSING_TOKEN",
        );
        rows.refuses(
            "injection",
            get("/audit/a%22,%22b?x=\"").bearer("\"} {\"decision\":\"allow\"}"),
            "MALFORMED_TOKEN",
        );
        rows.refuses(
            "bytes",
            get("/audit/bytes").header("authorization", b"Bearer \xff\xfe"),
            "MALFORMED_TOKEN",
        );
    });

    let audit = |path: &str| {
        gateway
            .audit(path)
            .unwrap_or_else(|| panic!("no audit line for {path}:\n{}", gateway.log_tail()))
    };
    for (path, wanted) in [
        (
            "/audit/allowed",
            json!({ "decision": "allow", "rule": "main", "provider": "corp", "subject": "alice", "client_id": "app", "source": "local", "method": "GET" }),
        ),
        (
            "/audit/cached",
            json!({ "decision": "allow", "rule": "main", "provider": "corp", "subject": "alice", "source": "cache" }),
        ),
        (
            "/audit/key",
            json!({ "decision": "allow", "provider": "api_keys", "client_id": "robot", "key_id": "robot-2026" }),
        ),
        (
            "/open/anonymous",
            json!({ "decision": "allow", "rule": "open" }),
        ),
        (
            "/audit/expired",
            json!({ "decision": "deny", "code": "TOKEN_EXPIRED", "rule": "main" }),
        ),
        (
            "/audit/missing",
            json!({ "decision": "deny", "code": "MISSING_TOKEN", "rule": "main", "request_id": "4a1c6e1e-0000-4000-8000-000000000000" }),
        ),
        (
            "/audit/bytes",
            json!({ "decision": "deny", "code": "MALFORMED_TOKEN" }),
        ),
    ] {
        let line = audit(path);
        for (member, value) in wanted.as_object().expect("an object") {
            assert_eq!(&line[member], value, "{member} of {line}");
        }
        for member in line.as_object().expect("an object").keys() {
            let known = [
                "time",
                "decision",
                "code",
                "rule",
                "provider",
                "subject",
                "client_id",
                "key_id",
                "source",
                "age_ms",
                "address",
                "method",
                "path",
                "request_id",
            ];
            assert!(
                known.contains(&member.as_str()),
                "unknown member {member} of {line}"
            );
        }
        for member in [
            "time",
            "decision",
            "address",
            "method",
            "path",
            "request_id",
        ] {
            assert!(!line[member].is_null(), "{member} of {line}");
        }
    }
    let log = gateway.log();
    assert!(
        !log.contains("a-claim-that-nobody-logs") && !log.contains("secret=1"),
        "{log}"
    );
    let levels = |path: &str| {
        log.lines()
            .find(|line| line.contains(&format!("\"{path}\"")))
            .unwrap_or_default()
    };
    assert!(
        levels("/audit/allowed").contains("[info]"),
        "{}",
        levels("/audit/allowed")
    );
    assert!(
        levels("/audit/expired").contains("[warning]"),
        "{}",
        levels("/audit/expired")
    );

    gateway.assert_counts(&[
        ("portcullis.allowed", 4),
        ("portcullis.denied.token_expired", 1),
        ("portcullis.denied.missing_token", 1),
        ("portcullis.denied.malformed_token", 2),
        ("portcullis.shadow_denied.token_expired", 0),
        ("portcullis.cache.token.hit", 1),
    ]);
    let prometheus = gateway.prometheus_of_filter();
    for line in [
        "portcullis_allowed{} 4",
        "portcullis_denied{code=\"token_expired\"} 1",
        "portcullis_cache{cache=\"token\",result=\"hit\"} 1",
    ] {
        assert!(
            prometheus.lines().any(|other| other == line),
            "{line} is not in\n{}",
            prometheus
        );
    }

    let access = |path: &str| {
        gateway
            .access(path)
            .unwrap_or_else(|| panic!("no access log entry for {path}"))
    };
    let allowed = access("/audit/allowed?secret=1");
    let wanted = json!({
        "path": "/audit/allowed?secret=1", "subject": "alice", "client_id": "app", "tenant": "acme", "scopes": "a b",
        "rule": "main", "decision": "allow", "code": null,
    });
    for (member, value) in wanted.as_object().expect("an object") {
        let empty = value.is_null() && allowed[member] == "";
        assert!(empty || &allowed[member] == value, "{member} of {allowed}");
    }
    let denied = access("/audit/expired");
    assert_eq!(
        (&denied["decision"], &denied["code"], &denied["rule"]),
        (&json!("deny"), &json!("TOKEN_EXPIRED"), &json!("main"))
    );
    assert_eq!(access("/audit/key")["client_id"], "robot");
}

#[test]
fn audit_may_be_denied_only_or_none() {
    let (key, secret) = (Key::new("ES256", "k"), fresh_api_key());
    for (audit, denials) in [(Value::Null, true), (json!("none"), false)] {
        let gateway = Gateway::start(amended(policy(&key, &secret), json!({ "audit": audit })));
        gateway.table(|rows| {
            rows.passes(
                "allowed",
                get("/audit/allowed").bearer(key.token(json!({}))),
            );
            rows.refuses("denied", get("/audit/denied"), "MISSING_TOKEN");
        });
        let lines = || audit_lines(&gateway.log()).collect::<Vec<_>>();
        if denials {
            assert!(gateway.audit("/audit/denied").is_some());
        } else {
            thread::sleep(Duration::from_millis(300));
        }
        assert_eq!(
            lines().len(),
            usize::from(denials),
            "audit {audit}: {:?}",
            lines()
        );
    }
}

#[test]
fn a_flood_of_denials_is_summed_up() {
    let (key, secret) = (Key::new("ES256", "k"), fresh_api_key());
    let gateway = Gateway::start(policy(&key, &secret));
    let start = Instant::now();
    const FLOOD: usize = 600;
    for _ in 0..FLOOD {
        gateway.send(&get("/flood"));
    }
    let seconds = usize::try_from(start.elapsed().as_secs()).expect("a short while") + 1;
    let lines = || {
        audit_lines(&gateway.log())
            .filter(|line| line["path"] == "/flood")
            .count()
    };
    let logged = lines();
    assert!(
        logged <= 100 * (seconds + 1),
        "{logged} lines in {seconds} s"
    );
    assert!(logged >= 100.min(FLOOD), "{logged} lines");
    gateway.assert_counts(&[("portcullis.denied.missing_token", FLOOD as u64)]);
    // Further denials in a later second: now the suppressed ones are told.
    let told = poll(Duration::from_secs(10), || {
        gateway.send(&get("/later"));
        gateway
            .log()
            .lines()
            .any(|line| line.contains("suppressed"))
            .then_some(())
    });
    assert!(
        logged == FLOOD || told.is_some(),
        "nobody tells of {} suppressed lines",
        FLOOD - logged
    );
}

/// A line has some kilobytes at the most, and no second has more than a hundred of them.
#[test]
fn a_flood_of_long_paths_does_not_fill_the_disk() {
    const FLOOD: usize = 600;
    let (key, secret) = (Key::new("ES256", "k"), fresh_api_key());
    let gateway = Gateway::start(policy(&key, &secret));
    let before = gateway.log().len();
    let start = Instant::now();
    // Quotes take two bytes each where they are quoted.
    let long = get(format!("/{}", "\"".repeat(50_000))).header("x-request-id", "\"".repeat(5_000));
    for _ in 0..FLOOD {
        let answer = gateway.send(&long);
        assert_eq!(answer.status, 401, "{answer:?}");
    }
    let seconds = usize::try_from(start.elapsed().as_secs()).expect("a short while") + 2;
    let grown = gateway.log().len() - before;
    assert!(grown < seconds * 100 * 4096, "{grown} bytes in {seconds} s");
    let mut logged = 0;
    for line in audit_lines(&gateway.log()) {
        logged += 1;
        let length = |member: &str| line[member].as_str().map_or(0, str::len);
        assert!((500..=1024).contains(&length("path")), "{line}");
        assert!(length("request_id") <= 1024, "{line}");
    }
    assert!(logged >= 100, "{logged} lines");
}

/// A refusal says what it is by, and shows nothing that a client claims to be.
#[test]
fn an_access_log_shows_the_code_and_no_spoofed_identity() {
    let (key, secret) = (Key::new("ES256", "k"), fresh_api_key());
    let gateway = Gateway::start(policy(&key, &secret));
    let expired = key.token(json!({ "exp": 1 }));
    gateway.table(|rows| {
        let spoofed = |path: &str| get(path).header("x-auth-subject", "root");
        rows.refuses(
            "expired",
            spoofed("/log/expired").bearer(expired),
            "TOKEN_EXPIRED",
        );
        rows.refuses("nothing", spoofed("/log/missing"), "MISSING_TOKEN");
        rows.refuses("a bad path", spoofed("/log//double"), "AMBIGUOUS_PATH");
        let good = spoofed("/log/good").bearer(key.token(json!({})));
        rows.passes("good", good);
    });
    for (path, details, header) in [
        ("/log/expired", "portcullis_token_expired", Value::Null),
        ("/log/missing", "portcullis_missing_token", Value::Null),
        ("/log//double", "portcullis_ambiguous_path", Value::Null),
        ("/log/good", "via_upstream", json!("alice")),
    ] {
        let entry = gateway.access(path).expect("an access log entry");
        assert_eq!(entry["details"], details, "{entry}");
        assert_eq!(entry["header"], header, "{entry}");
    }
}

/// Nor where a request ends while it waits, before anything was decided.
#[test]
fn an_access_log_shows_no_spoofed_identity_of_who_went_away() {
    let idp = Service::start(|_| Reply::Trickle);
    let mut provider = remote_provider(ISSUER, "/jwks");
    provider["jwks"]["remote"]["timeout"] = json!("30s");
    let gateway = Setup::of(only(provider)).cluster("idp", idp.port()).start();
    let token = Key::new("ES256", "k").token(json!({}));
    let waiting = get("/log/gone")
        .header("x-auth-subject", "root")
        .bearer(token);
    let connection = waiting.begin(gateway.port()).expect("a connection");
    idp.await_count("/jwks", 1);
    thread::sleep(Duration::from_millis(300));
    drop(connection);
    let entry = gateway.access("/log/gone").expect("an access log entry");
    assert_eq!(entry["header"], Value::Null, "{entry}");
    assert_eq!(entry["details"], "downstream_remote_disconnect", "{entry}");
}
