use serde_json::json;

use crate::server::{Server, TOUR};

/// RFC 8414 §2
#[test]
fn the_metadata_names_every_endpoint() {
    let server = Server::with(TOUR, &["--issuer", "https://idp.example.com/"]);
    let metadata = server
        .get("/.well-known/oauth-authorization-server")
        .expect(200)
        .json();
    for (name, expected) in [
        ("issuer", json!("https://idp.example.com/")),
        ("token_endpoint", json!("https://idp.example.com/token")),
        ("jwks_uri", json!("https://idp.example.com/jwks.json")),
        (
            "introspection_endpoint",
            json!("https://idp.example.com/introspect"),
        ),
        (
            "revocation_endpoint",
            json!("https://idp.example.com/revoke"),
        ),
        (
            "grant_types_supported",
            json!([
                "client_credentials",
                "urn:ietf:params:oauth:grant-type:token-exchange",
            ]),
        ),
        ("response_types_supported", json!([])),
        ("scopes_supported", json!(["data:read", "data:write"])),
    ] {
        assert_eq!(metadata[name], expected, "{name}");
    }
}

#[test]
fn both_ports_say_that_they_are_well_and_know_nothing_of_each_other() {
    let server = Server::start();
    assert_eq!(
        server.get("/health").expect(200).json(),
        json!({"status": "ok"})
    );
    server.admin("GET", "/health", "").expect(200);
    for (method, path) in [
        ("PUT", "/faults"),
        ("DELETE", "/faults"),
        ("PUT", "/faults/key-swap"),
        ("POST", "/keys/rotate"),
        ("POST", "/api-keys"),
        ("POST", "/revocations"),
        ("POST", "/api-keys/x/rotate"),
        ("POST", "/api-keys/x/revoke"),
    ] {
        let status = server.send(crate::http::Request::new(method, path)).status;
        assert!(status == 404 || status == 405, "{method} {path}: {status}");
    }
    for path in [
        "/token",
        "/introspect",
        "/jwks.json",
        "/revoke",
        "/status/0",
    ] {
        server.admin("GET", path, "").expect(404);
    }
}
