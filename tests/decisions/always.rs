//! JWTs that verify here and are introspected all the same: an answer takes away, and adds nothing.

use serde_json::{Value, json};

use super::harness::keys::{Key, amended, encode};
use super::harness::policy::{AUDIENCE, only, provider};
use super::harness::{Filter, NOW, PASSES, get};

fn filter(key: &Key, changes: Value) -> Filter {
    let always = json!({
        "introspection": {
            "cluster": "authority", "uri": "http://authority/introspect", "client_id": "gateway",
            "client_secret": { "danger_inline": "secret" }, "when": "always",
        },
    });
    let mut config = only(amended(amended(provider([key]), always), changes));
    config["rules"] = json!([
        { "match": { "path": { "prefix": "/write" } }, "scopes": { "all": ["write"] } },
        {},
    ]);
    Filter::new(config)
}

fn active(changes: Value) -> Value {
    amended(
        json!({ "active": true, "aud": AUDIENCE, "exp": NOW + 600 }),
        changes,
    )
}

#[test]
fn an_answer_narrows_the_scopes_by_the_providers_own_claims() {
    let key = Key::new("ES256", "k");
    let token = |claims: Value| get("/write").bearer(key.token(claims));
    let both = json!({ "scope": "read write" });
    let standard = json!({});
    let own = json!({ "scope_claims": ["permissions", "scp"] });
    for (what, changes, claims, answer, expected) in [
        ("no scopes", &standard, &both, json!({}), PASSES),
        (
            "the same",
            &standard,
            &both,
            json!({ "scope": "write" }),
            PASSES,
        ),
        (
            "less",
            &standard,
            &both,
            json!({ "scope": "read" }),
            "INSUFFICIENT_SCOPE",
        ),
        (
            "none",
            &standard,
            &both,
            json!({ "scope": "" }),
            "INSUFFICIENT_SCOPE",
        ),
        (
            "less, in another claim",
            &standard,
            &both,
            json!({ "scp": ["read"] }),
            "INSUFFICIENT_SCOPE",
        ),
        (
            "in two claims",
            &standard,
            &both,
            json!({ "scope": "read", "scp": ["write"] }),
            PASSES,
        ),
        (
            "of another type",
            &standard,
            &both,
            json!({ "scope": 7 }),
            "INSUFFICIENT_SCOPE",
        ),
        (
            "more than the token",
            &standard,
            &json!({ "scope": "read" }),
            json!({ "scope": "write" }),
            "INSUFFICIENT_SCOPE",
        ),
        (
            "less, by the provider's own",
            &own,
            &json!({ "permissions": ["write"] }),
            json!({ "permissions": ["read"] }),
            "INSUFFICIENT_SCOPE",
        ),
        (
            "in no claim of the provider's",
            &own,
            &json!({ "permissions": ["write"] }),
            json!({ "scope": "read" }),
            PASSES,
        ),
    ] {
        let mut filter = filter(&key, changes.clone());
        for time in ["at first", "then"] {
            let (found, _) = filter.ask_with(&token(claims.clone()), &active(answer.clone()));
            assert_eq!(found.code(), expected, "{what}, {time}");
        }
    }
}

/// Whoever is named by the answer alone can be revoked, too.
#[test]
fn what_the_answer_names_can_be_revoked() {
    let key = Key::new("ES256", "k");
    let list = json!({ "revocation": { "list": { "cluster": "a", "uri": "http://a/list" } } });
    let before =
        |names: &str| format!(r#"{{"cursor": "1", "revoked": [{{{names}, "before": {NOW}}}]}}"#);
    let named = json!({ "sub": "alice", "client_id": "app" });
    for (what, entry, claims, answer, expected) in [
        (
            "nobody",
            before(r#""client_id": "other""#),
            &named,
            json!({ "client_id": "mobile" }),
            PASSES,
        ),
        (
            "the token's client",
            before(r#""client_id": "app""#),
            &named,
            json!({}),
            "TOKEN_REVOKED",
        ),
        (
            "the answer's client",
            before(r#""client_id": "mobile""#),
            &named,
            json!({ "client_id": "mobile" }),
            "TOKEN_REVOKED",
        ),
        (
            "its azp",
            before(r#""client_id": "mobile""#),
            &named,
            json!({ "azp": "mobile" }),
            "TOKEN_REVOKED",
        ),
        (
            "the answer's subject",
            before(r#""sub": "bob""#),
            &json!({ "sub": null, "client_id": "app" }),
            json!({ "sub": "bob" }),
            "TOKEN_REVOKED",
        ),
        (
            "the token's subject at the answer's client",
            before(r#""sub": "alice", "client_id": "mobile""#),
            &named,
            json!({ "client_id": "mobile" }),
            "TOKEN_REVOKED",
        ),
        (
            "the answer's subject at the token's client",
            before(r#""sub": "bob", "client_id": "app""#),
            &json!({ "sub": null, "client_id": "app" }),
            json!({ "sub": "bob" }),
            "TOKEN_REVOKED",
        ),
        (
            "the answer's jti",
            r#"{"cursor": "1", "revoked": [{"jti": "lost"}]}"#.to_owned(),
            &named,
            json!({ "jti": "lost" }),
            "TOKEN_REVOKED",
        ),
        (
            "issued later, whatever the answer says",
            format!(
                r#"{{"cursor": "1", "revoked": [{{"client_id": "mobile", "before": {}}}]}}"#,
                NOW - 100
            ),
            &named,
            json!({ "client_id": "mobile", "iat": NOW - 200 }),
            PASSES,
        ),
    ] {
        let mut filter = filter(&key, list.clone());
        filter.revoke(&entry);
        let ask = get("/").bearer(key.token(amended(claims.clone(), json!({ "iat": NOW - 60 }))));
        for time in ["at first", "then"] {
            let (found, _) = filter.ask_with(&ask, &active(answer.clone()));
            assert_eq!(found.code(), expected, "{what}, {time}");
        }
    }
}

/// RFC 8705: an answer that binds the token to a certificate is as good as a token that says so.
#[test]
fn an_answer_may_bind_the_token_to_a_certificate() {
    let key = Key::new("ES256", "k");
    let (own, other) = ([1_u8; 32], [2_u8; 32]);
    let bound = |digest: [u8; 32]| json!({ "cnf": { "x5t#S256": encode(digest) } });
    for (what, claims, answer, shown, expected) in [
        ("shown", json!({}), bound(own), Some(own), PASSES),
        (
            "another shown",
            json!({}),
            bound(own),
            Some(other),
            "INVALID_TOKEN",
        ),
        ("none shown", json!({}), bound(own), None, "INVALID_TOKEN"),
        (
            "both say the same",
            bound(own),
            bound(own),
            Some(own),
            PASSES,
        ),
        ("the token alone", bound(own), json!({}), Some(own), PASSES),
        (
            "the token alone, another shown",
            bound(own),
            json!({}),
            Some(other),
            "INVALID_TOKEN",
        ),
        (
            "they contradict",
            bound(own),
            bound(other),
            Some(own),
            "INVALID_TOKEN",
        ),
    ] {
        let mut filter = filter(&key, json!({}));
        filter.certificate = shown;
        let ask = get("/").bearer(key.token(claims));
        for time in ["at first", "then"] {
            let (found, _) = filter.ask_with(&ask, &active(answer.clone()));
            assert_eq!(found.code(), expected, "{what}, {time}");
        }
    }
}

/// What the token says goes on, be the answer ever so large; and what is remembered of an answer has room for all of it.
#[test]
fn the_payload_is_the_tokens_own() {
    let key = Key::new("ES256", "k");
    let always = json!({ "token_cache_entries": 4 });
    let mut config = only(provider([&key]));
    config["limits"] = always;
    config["forward"] = json!({ "payload_header": "x-claims" });
    let mut filter = Filter::new(config);
    for subject in ["a", "b"] {
        let token = key.token(json!({ "sub": subject, "x": "y".repeat(9000) }));
        let claims = token.split('.').nth(1).unwrap().to_owned();
        for time in ["at first", "then"] {
            let answer = filter.ask(&get("/").bearer(&token));
            assert_eq!(answer.forwarded("x-claims"), [claims.as_str()], "{time}");
        }
    }
}
