//! API keys: what is known of them, when, and how they are sent.

use serde_json::{Value, json};

use super::harness::keys::{hmac_sha256, sha256};
use super::harness::policy::api_key;
use super::harness::{Filter, NOW, PASSES, PEPPER, get};

fn with_keys(keys: Value) -> Value {
    json!({
        "api_keys": {
            "from": [{ "header": "x-api-key" }, { "header": "authorization", "scheme": "ApiKey" }],
            "pepper": { "env": "PEPPER" },
            "keys": keys,
        },
        "rules": [
            { "match": { "path": { "exact": "/write" } }, "scopes": { "all": ["data:write"] } },
            { "match": { "path": { "exact": "/claims" } }, "claims": [{ "claim": "sub", "equals": "ci" }] },
            {},
        ],
    })
}

#[test]
fn known_and_unknown_keys() {
    let plain = "the-plain-key-of-ci";
    let peppered = "the-peppered-key-of-ci";
    let config = with_keys(json!([
        { "id": "plain", "client": "ci", "hash": sha256(plain), "scopes": ["data:read"], "tenant": "acme" },
        { "id": "peppered", "client": "ci", "hash": hmac_sha256(PEPPER, peppered).to_uppercase().replacen("HMAC-SHA256", "hmac-sha256", 1), "scopes": ["data:write"] },
    ]));
    let digest = sha256(plain)[7..].to_owned();
    let with = |key: &str| get("/").with("x-api-key", key);
    let unknown = "INVALID_API_KEY";
    let mut filter = Filter::new(config);
    filter.table(&[
        ("a key", with(plain), PASSES),
        (
            "a peppered key, its hash in upper case",
            with(peppered),
            PASSES,
        ),
        (
            "by its scheme",
            get("/").with("authorization", format!("apikey  {plain}")),
            PASSES,
        ),
        ("none", get("/"), "MISSING_TOKEN"),
        ("unknown", with("unknown"), unknown),
        ("empty", with(""), unknown),
        (
            "empty behind the scheme",
            get("/").with("authorization", "ApiKey"),
            unknown,
        ),
        ("a space behind", with(&format!("{plain} ")), unknown),
        (
            "an escaped space behind",
            with(&format!("{plain}%20")),
            unknown,
        ),
        ("a NUL behind", with(&format!("{plain}\0")), unknown),
        ("another case", with(&plain.to_uppercase()), unknown),
        ("its own hash", with(&digest), unknown),
        (
            "its own hash, as it is written",
            with(&sha256(plain)),
            unknown,
        ),
        ("not UTF-8", get("/").with("x-api-key", [0xff; 20]), unknown),
        ("two in one", with(&format!("{plain},{plain}")), unknown),
        ("a prefix", with(&plain[..plain.len() - 1]), unknown),
        (
            "two headers",
            with(plain).with("x-api-key", "other-key-of-nobody"),
            "AMBIGUOUS_CREDENTIALS",
        ),
        (
            "two places",
            with(plain).with("authorization", format!("ApiKey {plain}")),
            "AMBIGUOUS_CREDENTIALS",
        ),
        (
            "a comma behind the scheme",
            get("/").with("authorization", format!("ApiKey {plain},x")),
            "AMBIGUOUS_CREDENTIALS",
        ),
        (
            "in the query",
            get(&format!("/?x-api-key={plain}&api_key={plain}")),
            "MISSING_TOKEN",
        ),
        ("as a bearer token", get("/").bearer(plain), "MISSING_TOKEN"),
        (
            "without the scope",
            get("/write").with("x-api-key", plain),
            "INSUFFICIENT_SCOPE",
        ),
        (
            "with the scope",
            get("/write").with("x-api-key", peppered),
            PASSES,
        ),
        (
            "a key is its client",
            get("/claims").with("x-api-key", plain),
            PASSES,
        ),
        ("too large", with(&"x".repeat(16_385)), "REQUEST_TOO_LARGE"),
    ]);

    let answer = filter.ask(&with(plain));
    for (name, value) in [
        ("x-auth-subject", "ci"),
        ("x-auth-client-id", "ci"),
        ("x-auth-scopes", "data:read"),
        ("x-auth-tenant", "acme"),
        ("x-auth-provider", "api_keys"),
        ("x-auth-key-id", "plain"),
    ] {
        assert_eq!(answer.forwarded(name), [value], "{name}");
    }
    let refused = filter.ask(&get("/"));
    assert_eq!(
        refused.header("www-authenticate"),
        Some("ApiKey realm=\"portcullis\"")
    );
}

#[test]
fn a_key_has_its_time() {
    let config = with_keys(json!([
        { "id": "old", "client": "ci", "hash": sha256("old-key-of-ci"), "expires_at": "2023-11-14T22:13:20Z" },
        { "id": "new", "client": "ci", "hash": sha256("new-key-of-ci"), "not_before": "2023-11-14T22:13:20Z" },
        { "id": "lost", "client": "ci", "hash": sha256("lost-key-of-ci"), "revoked": true },
        { "id": "lost-and-old", "hash": sha256("lost-and-old-key"), "revoked": true, "expires_at": "2020-01-01T00:00:00Z" },
    ]));
    let mut filter = Filter::new(config);
    let mut code = |at: i64, key: &str| filter.at(at).ask(&get("/").with("x-api-key", key)).code();
    for (at, key, expected) in [
        (NOW - 1, "old-key-of-ci", PASSES),
        (NOW, "old-key-of-ci", "API_KEY_EXPIRED"),
        (NOW - 1, "new-key-of-ci", "API_KEY_NOT_YET_VALID"),
        (NOW, "new-key-of-ci", PASSES),
        (NOW, "lost-key-of-ci", "API_KEY_REVOKED"),
        (NOW, "lost-and-old-key", "API_KEY_REVOKED"),
    ] {
        assert_eq!(code(at, key), expected, "{key} at {at}");
    }
}

#[test]
fn a_hash_of_one_kind_is_none_of_the_other() {
    // The HMAC of a key, offered as if it were the SHA-256 of something.
    let hash = hmac_sha256(PEPPER, "some-key-of-ci").replacen("hmac-sha256", "sha256", 1);
    let mut filter = Filter::new(with_keys(json!([api_key("a", &hash)])));
    let answer = filter.ask(&get("/").with("x-api-key", "some-key-of-ci"));
    assert_eq!(answer.code(), "INVALID_API_KEY");
}

#[test]
fn what_is_no_list_of_hashes_is_no_configuration() {
    let nothing = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    for (what, keys) in [
        ("the hash of nothing", json!([api_key("a", nothing)])),
        (
            "the peppered hash of nothing",
            json!([api_key("a", &hmac_sha256(PEPPER, ""))]),
        ),
        ("plaintext", json!([api_key("a", "a-key-in-plain-text")])),
        (
            "a hash without its kind",
            json!([api_key("a", &nothing[7..])]),
        ),
        ("a short hash", json!([api_key("a", "sha256:abcd")])),
        (
            "one hash twice",
            json!([
                api_key("a", &sha256("x")),
                api_key(
                    "b",
                    &sha256("x").to_uppercase().replacen("SHA256", "sha256", 1)
                )
            ]),
        ),
        (
            "one id twice",
            json!([api_key("a", &sha256("x")), api_key("a", &sha256("y"))]),
        ),
        ("no key", json!([])),
    ] {
        let faults = Filter::from_text(&with_keys(keys).to_string()).err();
        let faults = faults.unwrap_or_else(|| panic!("{what}"));
        assert!(faults.contains("api_keys.keys"), "{what}: {faults}");
        assert!(!faults.contains("plain-text"), "{what}: {faults}");
    }
}
