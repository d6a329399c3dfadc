//! Filter and router read the host alike: a rule for a host says nothing about requests that Envoy sends elsewhere.

use serde_json::json;

use crate::harness::client::get;
use crate::harness::gateway::Setup;
use crate::harness::keys::Key;
use crate::harness::policy::provider;
use crate::harness::refusal::{self, Challenge};

/// The site is open, everything else is not; and both are other virtual hosts.
#[test]
fn a_host_that_is_open_to_us_is_routed_as_such() {
    let vhost = |name: &str, domain: &str| {
        let answer = json!({ "status": 200, "body": { "inline_string": name } });
        let route = json!({ "match": { "prefix": "/" }, "direct_response": answer });
        json!({ "name": name, "domains": [domain], "routes": [route] })
    };
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
        let verdict = refusal::check(&answer, &["AMBIGUOUS_HOST"], Challenge::Bearer);
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
