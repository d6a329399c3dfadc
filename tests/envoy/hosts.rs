//! Filter and router read the host alike: a rule for a host says nothing about requests that Envoy sends elsewhere.

use portcullis_testing::http2;
use serde_json::{Value, json};

use crate::harness::client::{Answer, get};
use crate::harness::gateway::Setup;
use crate::harness::keys::Key;
use crate::harness::policy::provider;
use crate::harness::refusal::{self, Challenge};

fn vhost(name: &str, domain: &str) -> Value {
    let answer = json!({ "status": 200, "body": { "inline_string": name } });
    let route = json!({ "match": { "prefix": "/" }, "direct_response": answer });
    json!({ "name": name, "domains": [domain], "routes": [route] })
}

/// The site is open, everything else is not; and both are other virtual hosts.
#[test]
fn a_host_that_is_open_to_us_is_routed_as_such() {
    let policy = json!({
        "providers": { "corp": provider([&Key::new("ES256", "k")]) },
        "rules": [
            { "match": { "hosts": ["www.example.com", "192.0.2.1", "[::1]"] }, "access": "anonymous" },
            {},
        ],
    });
    let gateway = Setup::of(policy)
        .virtual_hosts(json!([
            vhost("open", "www.example.com"),
            vhost("open-v4", "192.0.2.1"),
            vhost("open-v6", "[::1]"),
            vhost("closed", "*"),
        ]))
        .start();
    for host in [
        "www.example.com",
        "WWW.Example.Com",
        "www.example.com:8443",
        "www.example.com:00080",
        "www.example.com.",
        "www.example.com.:8443",
        "192.0.2.1",
        "192.0.2.1:80",
        "[::1]",
        "[::1]:8443",
    ] {
        let answer = gateway.send(&get("/admin").host(host));
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, 200, "{host}: {answer:?}");
        assert!(body.starts_with("open"), "{host}: {body}");
    }
    for host in [
        "www.example.com:",
        "www.example.com..",
        "www.example.com.:",
        "www.example.com..:80",
        "www.example.com.:80.",
        "www.example.com:80:",
        "192.0.2.1.:00080.",
        "[::1]:",
        "[0:0:0:0:0:0:0:1]",
        "[::0001]",
        "[0::1]:80",
        "[::0.0.0.1]",
    ] {
        let answer = gateway.send(&get("/admin").host(host));
        let verdict = refusal::check(&answer, "AMBIGUOUS_HOST", Challenge::Bearer);
        // Some of these Envoy refuses by itself.
        let bare = answer.status == 400 && answer.json().is_err();
        assert!(bare || verdict.is_ok(), "{host}: {verdict:?} {answer:?}");
    }
    gateway.table(|rows| {
        for host in [
            "example.com",
            "www.example.com.evil.example",
            "xwww.example.com",
        ] {
            rows.refuses(host, get("/admin").host(host), "MISSING_TOKEN");
        }
    });
}

/// A request may name a host in three places: its target (RFC 9112 §3.2.2), `Host` or `:authority`, and headers that
/// other proxies have added. Filter and router go by the same one, and two of one kind are none.
#[test]
fn a_request_has_one_host_wherever_it_is_named() {
    let policy = json!({
        "providers": { "corp": provider([&Key::new("ES256", "k")]) },
        "rules": [
            { "match": { "hosts": ["www.example.com"] }, "access": "anonymous" },
            {},
        ],
    });
    let gateway = Setup::of(policy)
        .virtual_hosts(json!([
            vhost("open", "www.example.com"),
            vhost("closed", "*")
        ]))
        .start();
    const OPEN: &str = "www.example.com";
    const CLOSED: &str = "admin.example.com";
    let refused = |what: &str, answer: &Answer, code: &str| {
        let verdict = refusal::check(answer, code, Challenge::Bearer);
        // Some of these Envoy refuses by itself.
        let bare = answer.status == 400 && answer.json().is_err();
        assert!(bare || verdict.is_ok(), "{what}: {verdict:?} {answer:?}");
    };
    for (what, request, is_open) in [
        (
            "the target's host",
            get(format!("http://{OPEN}/")).host(CLOSED),
            true,
        ),
        (
            "not the header's",
            get(format!("http://{CLOSED}/")).host(OPEN),
            false,
        ),
        (
            "nor with a port",
            get(format!("http://{CLOSED}:80/")).host(OPEN),
            false,
        ),
        (
            "the host that others were asked for",
            get("/")
                .host(CLOSED)
                .header("x-forwarded-host", OPEN)
                .header("x-original-host", OPEN)
                .header("forwarded", format!("host={OPEN}")),
            false,
        ),
    ] {
        let answer = gateway.send(&request);
        match is_open {
            true => assert_eq!(answer.body, b"open", "{what}: {answer:?}"),
            false => refused(what, &answer, "MISSING_TOKEN"),
        }
    }
    for (what, request) in [
        ("twice", get("/").host(OPEN).header("host", CLOSED)),
        (
            "twice, the other way",
            get("/").host(CLOSED).header("host", OPEN),
        ),
        ("the same twice", get("/").host(OPEN).header("host", OPEN)),
        ("joined", get("/").host(format!("{OPEN}, {CLOSED}"))),
        ("with a user", get("/").host(format!("{OPEN}@{CLOSED}"))),
        (
            "with a user and a port",
            get("/").host(format!("{OPEN}:80@{CLOSED}")),
        ),
        ("empty", get("/").host("")),
        (
            "a path behind it",
            get("/").host(format!("{OPEN}/{CLOSED}")),
        ),
    ] {
        refused(what, &gateway.send(&request), "AMBIGUOUS_HOST");
    }
    // What stands before the `@` is no host (RFC 3986 §3.2.1). Some versions of Envoy remove it, others hand it on.
    let answer = gateway.send(&get(format!("http://{OPEN}@{CLOSED}/")).host(OPEN));
    let code = match answer.json() {
        Ok(body) if body["code"] == "AMBIGUOUS_HOST" => "AMBIGUOUS_HOST",
        _ => "MISSING_TOKEN",
    };
    refused("a target with a user", &answer, code);
    for (authority, header) in [(OPEN, CLOSED), (CLOSED, OPEN)] {
        let request = get("/").host(authority).header("host", header);
        let answer = http2::send(&request, gateway.port()).expect("an answer");
        match authority {
            OPEN => assert_eq!(answer.body, b"open", "{answer:?}"),
            _ => refused(":authority", &answer, "MISSING_TOKEN"),
        }
    }
}
