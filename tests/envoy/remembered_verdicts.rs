//! A verdict that is remembered, as time passes.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::client::{Request, get};
use crate::harness::gateway::Gateway;
use crate::harness::keys::{Key, amended, fresh_api_key, sha256};
use crate::harness::policy::{api_key, provider};
use crate::harness::{now, poll, rfc3339};

/// A verdict is remembered, but rules, issuers and time are asked anew.
#[test]
fn what_is_remembered_is_judged_anew() {
    let (key, secret) = (Key::new("ES256", "k"), fresh_api_key());
    let rule =
        |path: &str, more: Value| amended(json!({ "match": { "path": { "exact": path } } }), more);
    let policy = json!({
        "providers": {
            "corp": amended(provider([&key]), json!({ "clock_tolerance": "0s", "audiences": ["one", "two"] })),
            "other": amended(provider([&key]), json!({ "issuer": "other" })),
        },
        "api_keys": { "keys": [amended(api_key("brief", &sha256(&secret)), json!({
            "expires_at": rfc3339(now() + 12),
        }))] },
        "rules": [
            rule("/one", json!({ "audiences": ["one"] })),
            rule("/two", json!({ "audiences": ["two"] })),
            rule("/scope", json!({ "scopes": { "all": ["write"] } })),
            rule("/claim", json!({ "claims": [{ "claim": "tenant", "equals": "acme" }] })),
            rule("/other", json!({ "credentials": ["other"] })),
            {},
        ],
    });
    let gateway = Gateway::start(policy);
    let at = |path: &str, token: &str| get(path).bearer(token);
    let long = key.token(json!({ "aud": "one", "scope": "read", "tenant": "umbrella" }));
    gateway.table(|rows| {
        for _ in ["asked", "remembered"] {
            rows.passes("its audience", at("/one", &long));
            rows.refuses("another audience", at("/two", &long), "INVALID_AUDIENCE");
            rows.refuses("another scope", at("/scope", &long), "INSUFFICIENT_SCOPE");
            rows.refuses("another claim", at("/claim", &long), "CLAIM_MISMATCH");
            rows.refuses("another provider", at("/other", &long), "INVALID_ISSUER");
        }
    });
    let start = now();
    let brief = key.token(json!({ "aud": "one", "nbf": start + 2, "exp": start + 5 }));
    let brief_key = get("/").header("x-api-key", &secret);
    let becomes = |request: &Request, code: Option<&str>| {
        let reached = poll(Duration::from_secs(20), || {
            let body = gateway.send(request).json().ok()?;
            (body["code"].as_str() == code).then_some(())
        });
        assert!(reached.is_some(), "never {code:?}: {request:?}");
    };
    becomes(&brief_key, None);
    for code in [Some("TOKEN_NOT_YET_VALID"), None, Some("TOKEN_EXPIRED")] {
        becomes(&at("/", &brief), code);
    }
    becomes(&brief_key, Some("API_KEY_EXPIRED"));
    gateway.assert_counts_at_least("portcullis.cache.token.hit", 1);
}
