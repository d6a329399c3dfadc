//! The metadata of protected resources (RFC 9728), and the challenges that name it.

use serde_json::{Value, json};

use super::harness::keys::{Key, sha256};
use super::harness::policy::provider;
use super::harness::{Answer, Ask, Filter, get, preflight};

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

fn config(key: &Key) -> Value {
    json!({
        "providers": { "corp": provider([key]) },
        "api_keys": { "keys": [{ "id": "bot", "hash": sha256("secret") }] },
        "resources": [
            { "resource": "https://api.example.com" },
            { "resource": "https://API.example.com:443/v1", "name": "Version \"1\"" },
            { "resource": "https://api.example.com/v1/tools/", "scopes_supported": ["own"] },
            { "resource": "https://api.example.com:8443/v1" },
            { "resource": "https://other.example.com/v1", "authorization_servers": ["https://as.example.com"] },
            { "resource": "http://localhost:10000/v1" },
        ],
        "rules": [
            { "match": { "path": { "exact": "/v1/tools/x" } }, "scopes": { "all": ["tools"], "any": ["a", "b"] } },
            { "match": { "path": { "template": "/v1/{x}/y" } }, "scopes": { "all": ["template"] } },
            { "match": { "path": { "regex": "/v1/[0-9]+" } }, "scopes": { "all": ["regex"] } },
            { "match": { "path": { "prefix": "/v1" }, "methods": ["GET"] }, "scopes": { "all": ["read"] } },
            { "match": { "path": { "prefix": "/v1" }, "hosts": ["*.example.com"] }, "scopes": { "all": ["read", "write"] } },
            { "match": { "path": { "prefix": "/v1x" } }, "scopes": { "all": ["another"] } },
            { "match": { "path": { "exact": "/keys" } }, "credentials": ["api_keys"] },
            { "scopes": { "all": ["all"] } },
        ],
    })
}

fn metadata(filter: &mut Filter, ask: &Ask) -> Value {
    let answer = filter.ask(ask);
    assert_eq!(answer.status(), Some(200), "{ask:?}");
    assert!(answer.upstream.is_none());
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("max-age=3600"));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("www-authenticate"), None);
    serde_json::from_str(&answer.reply.expect("an answer").body).expect("JSON")
}

#[test]
fn each_resource_is_described_on_its_host() {
    let key = Key::new("ES256", "k");
    let mut filter = Filter::new(config(&key));
    let issuer = json!(["https://idp.example.com/"]);
    let at = |path: &str| get(&format!("{WELL_KNOWN}{path}"));
    assert_eq!(
        metadata(&mut filter, &at("/v1")),
        json!({
            "resource": "https://API.example.com:443/v1",
            "authorization_servers": issuer,
            "scopes_supported": ["tools", "a", "b", "template", "read", "write"],
            "bearer_methods_supported": ["header"],
            "resource_name": "Version \"1\"",
        })
    );
    let root = metadata(&mut filter, &at(""));
    assert_eq!(root["resource"], "https://api.example.com");
    assert_eq!(
        root["scopes_supported"],
        json!([
            "tools", "a", "b", "template", "read", "write", "another", "all"
        ])
    );
    assert_eq!(root.get("resource_name"), None);
    let own = metadata(&mut filter, &at("/v1/tools/"));
    assert_eq!(own["scopes_supported"], json!(["own"]));
    let other = metadata(&mut filter, &at("/v1").host("Other.Example.com:443"));
    assert_eq!(
        other["authorization_servers"],
        json!(["https://as.example.com"])
    );
    let port = metadata(&mut filter, &at("/v1").host("api.example.com:8443"));
    assert_eq!(port["resource"], "https://api.example.com:8443/v1");
    let local = metadata(&mut filter, &at("/v1").host("localhost:10000"));
    assert_eq!(local["resource"], "http://localhost:10000/v1");
    // A host of its own: the rules for *.example.com are for others.
    assert_eq!(
        local["scopes_supported"],
        json!(["tools", "a", "b", "template", "read"])
    );
    // HEAD gets the same headers, and Envoy leaves the body out.
    metadata(&mut filter, &at("/v1").method("HEAD"));
    // With a query, and however the request is dressed.
    metadata(&mut filter, &at("/v1").bearer("x").with("x-api-key", "y"));
    metadata(&mut filter, &get(&format!("{WELL_KNOWN}/v1?x=1")));
    metadata(
        &mut filter,
        &get("/.well-known/oauth%2Dprotected-resource/v1"),
    );
}

#[test]
fn what_describes_no_resource_meets_the_rules() {
    let key = Key::new("ES256", "k");
    let mut filter = Filter::new(config(&key));
    for ask in [
        get(&format!("{WELL_KNOWN}/")),
        get(&format!("{WELL_KNOWN}/v1/")),
        get(&format!("{WELL_KNOWN}/v1/tools")),
        get(&format!("{WELL_KNOWN}x/v1")),
        get(&format!("{WELL_KNOWN}/V1")),
        get(&format!("{WELL_KNOWN}/v1")).host("localhost"),
        get(&format!("{WELL_KNOWN}/v1")).host("api.example.com:80"),
        get(&format!("{WELL_KNOWN}/v1")).host("third.example.com"),
    ] {
        assert_eq!(filter.ask(&ask).code(), "MISSING_TOKEN", "{ask:?}");
    }
    let ambiguous = get("/.well-known//oauth-protected-resource/v1");
    assert_eq!(filter.ask(&ambiguous).code(), "AMBIGUOUS_PATH");
}

#[test]
fn other_methods_and_preflights() {
    let key = Key::new("ES256", "k");
    let mut filter = Filter::new(config(&key));
    let path = format!("{WELL_KNOWN}/v1");
    for method in ["POST", "PUT", "DELETE", "TRACE", "get"] {
        let answer = filter.ask(&get(&path).method(method));
        assert_eq!(answer.code(), "METHOD_NOT_ALLOWED", "{method}");
        assert_eq!(answer.header("allow"), Some("GET, HEAD, OPTIONS"));
    }
    let asked =
        |headers: &str| preflight(&path, "GET").with("access-control-request-headers", headers);
    let answer = filter.ask(&asked("mcp-protocol-version, x-y"));
    assert_eq!(answer.status(), Some(204));
    let header = |answer: &Answer, name: &str| answer.header(name).map(str::to_owned);
    assert_eq!(header(&answer, "access-control-allow-origin").unwrap(), "*");
    assert_eq!(
        header(&answer, "access-control-allow-methods").unwrap(),
        "GET, HEAD"
    );
    assert_eq!(
        header(&answer, "access-control-allow-headers").unwrap(),
        "mcp-protocol-version, x-y"
    );
    let answer = filter.ask(&asked("x y"));
    assert_eq!(header(&answer, "access-control-allow-headers"), None);
}

#[test]
fn challenges_name_the_closest_resource() {
    let key = Key::new("ES256", "k");
    let mut filter = Filter::new(config(&key));
    let base = "https://api.example.com/.well-known/oauth-protected-resource";
    let named = |answer: &Answer| {
        let challenge = answer
            .header("www-authenticate")
            .expect("a challenge")
            .to_owned();
        let uri = challenge.split("resource_metadata=\"").nth(1)?;
        Some(uri.split('"').next().unwrap().to_owned())
    };
    for (path, suffix) in [
        ("/", ""),
        ("/v1", "/v1"),
        ("/v1/", "/v1"),
        ("/v1x", ""),
        ("/v1/x", "/v1"),
        ("/v1/tools", "/v1/tools/"),
        ("/v1/tools/x", "/v1/tools/"),
        ("/v1/toolsx", "/v1"),
    ] {
        let answer = filter.ask(&get(path));
        assert_eq!(answer.code(), "MISSING_TOKEN");
        assert_eq!(named(&answer), Some(format!("{base}{suffix}")), "{path}");
    }
    let token = key.token(json!({}));
    let answer = filter.ask(&get("/v1/x").bearer(&token));
    assert_eq!(answer.code(), "INSUFFICIENT_SCOPE");
    assert_eq!(named(&answer), Some(format!("{base}/v1")));
    let answer = filter.ask(&get("/v1/x").bearer("x"));
    assert_eq!(answer.code(), "MALFORMED_TOKEN");
    assert_eq!(named(&answer), Some(format!("{base}/v1")));
    // A resource of another port, and a host without any.
    let answer = filter.ask(&get("/v1").host("api.example.com:8443"));
    let uri = "https://api.example.com:8443/.well-known/oauth-protected-resource/v1";
    assert_eq!(named(&answer).as_deref(), Some(uri));
    assert_eq!(
        named(&filter.ask(&get("/v1").host("third.example.com"))),
        None
    );
    // No token would help where API keys alone are accepted.
    let answer = filter.ask(&get("/keys"));
    assert_eq!(
        answer.header("www-authenticate"),
        Some("ApiKey realm=\"portcullis\"")
    );
}

#[test]
fn shadow_mode_serves_metadata_too() {
    let key = Key::new("ES256", "k");
    let mut config = config(&key);
    config["mode"] = json!("shadow");
    let mut filter = Filter::new(config);
    metadata(&mut filter, &get(&format!("{WELL_KNOWN}/v1")));
    let answer = filter.ask(&get(&format!("{WELL_KNOWN}/v1")).method("POST"));
    assert_eq!(answer.code(), "METHOD_NOT_ALLOWED");
}

#[test]
fn a_step_up_challenge_says_what_to_ask_for() {
    let key = Key::new("ES256", "k");
    let mut filter = Filter::new(json!({
        "providers": { "corp": provider([&key]) },
        "resources": [{ "resource": "https://api.example.com/" }],
        "rules": [{
            "authentication": { "acr": ["phr", "urn:mfa"], "max_age": "5m" },
            "scopes": { "all": ["read"] },
        }],
    }));
    let answer = filter.ask(&get("/").bearer(key.token(json!({}))));
    assert_eq!(answer.code(), "INSUFFICIENT_AUTHENTICATION");
    assert_eq!(
        answer.header("www-authenticate"),
        Some(concat!(
            "Bearer realm=\"portcullis\", error=\"insufficient_user_authentication\", ",
            "error_description=\"this resource requires a stronger or more recent authentication\", ",
            "scope=\"read\", acr_values=\"phr urn:mfa\", max_age=\"300\", resource_metadata=",
            "\"https://api.example.com/.well-known/oauth-protected-resource\"",
        ))
    );
    // Another fault asks for no other authentication.
    let answer = filter.ask(&get("/").bearer(key.token(json!({ "exp": 1 }))));
    assert_eq!(answer.code(), "TOKEN_EXPIRED");
    assert!(
        !answer
            .header("www-authenticate")
            .unwrap()
            .contains("acr_values")
    );
}
