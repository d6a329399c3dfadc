//! The metadata of protected resources (RFC 9728), as a client meets it.

use serde_json::{Value, json};

use crate::harness::client::{Answer, get, request};
use crate::harness::gateway::Gateway;
use crate::harness::keys::{Key, amended};
use crate::harness::policy::{only, provider};

const METADATA: &str = "/.well-known/oauth-protected-resource/mcp";

fn gateway(key: &Key, more: Value) -> Gateway {
    Gateway::start(amended(
        amended(
            only(provider([key])),
            json!({
                "resources": [{ "resource": "https://mcp.example.com/mcp", "name": "Tools" }],
                "rules": [{
                    "match": { "path": { "prefix": "/mcp" } },
                    "scopes": { "all": ["tools"] },
                }],
                "filter_state": ["decision"],
            }),
        ),
        more,
    ))
}

fn check_served(answer: &Answer) {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        answer.header("content-type").as_deref(),
        Some("application/json")
    );
    assert_eq!(
        answer.header("cache-control").as_deref(),
        Some("max-age=3600")
    );
    assert_eq!(
        answer.header("access-control-allow-origin").as_deref(),
        Some("*")
    );
}

/// A client that has no token asks, is told where the metadata is, and reads there what to ask for.
#[test]
fn a_challenge_leads_to_the_metadata() {
    let key = Key::new("ES256", "k");
    let gateway = gateway(&key, json!({}));
    let refused = gateway.send(&get("/mcp").host("mcp.example.com"));
    assert_eq!(refused.status, 401);
    let challenge = refused.header("www-authenticate").expect("a challenge");
    let uri = format!("resource_metadata=\"https://mcp.example.com{METADATA}\"");
    assert!(challenge.contains(&uri), "{challenge}");

    let answer = gateway.send(&get(METADATA).host("mcp.example.com"));
    check_served(&answer);
    assert_eq!(
        answer.json().expect("JSON"),
        json!({
            "resource": "https://mcp.example.com/mcp",
            "authorization_servers": ["https://idp.example.com/"],
            "scopes_supported": ["tools"],
            "bearer_methods_supported": ["header"],
            "resource_name": "Tools",
        })
    );
    let length = answer.header("content-length");
    let head = gateway.send(&request("HEAD", METADATA).host("mcp.example.com"));
    check_served(&head);
    assert_eq!(head.header("content-length"), length);
    assert!(head.body.is_empty());

    let post = gateway.send(&request("POST", METADATA).host("mcp.example.com"));
    assert_eq!(post.status, 405);
    assert_eq!(post.header("allow").as_deref(), Some("GET, HEAD, OPTIONS"));
    assert_eq!(gateway.upstream_calls(), 0);
    gateway.assert_counts(&[
        ("portcullis.metadata", 2),
        ("portcullis.denied.method_not_allowed", 1),
        ("portcullis.denied.missing_token", 1),
    ]);
}

/// A browser's client on another site may read it, whatever headers it sends.
#[test]
fn other_sites_may_read_it() {
    let key = Key::new("ES256", "k");
    let gateway = gateway(&key, json!({}));
    let preflight = request("OPTIONS", METADATA)
        .host("mcp.example.com")
        .header("origin", "https://app.example")
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", "mcp-protocol-version");
    let answer = gateway.send(&preflight);
    assert_eq!(answer.status, 204);
    let header = |name: &str| answer.header(name).unwrap_or_default();
    assert_eq!(header("access-control-allow-origin"), "*");
    assert_eq!(header("access-control-allow-methods"), "GET, HEAD");
    assert_eq!(
        header("access-control-allow-headers"),
        "mcp-protocol-version"
    );
    assert_eq!(gateway.upstream_calls(), 0);
}

#[test]
fn shadow_mode_serves_it_too() {
    let key = Key::new("ES256", "k");
    let gateway = gateway(&key, json!({ "mode": "shadow" }));
    check_served(&gateway.send(&get(METADATA).host("mcp.example.com")));
    assert_eq!(gateway.upstream_calls(), 0);
}
