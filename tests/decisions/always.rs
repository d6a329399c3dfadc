//! JWTs that verify here and are introspected all the same: an answer takes away, and adds nothing.

use serde_json::{Value, json};

use super::harness::keys::{Key, amended, encode};
use super::harness::policy::{AUDIENCE, only, provider};
use super::harness::{Filter, NOW, PASSES, get};

fn introspected() -> Value {
    json!({
        "introspection": {
            "cluster": "authority", "uri": "http://authority/introspect", "client_id": "gateway",
            "client_secret": { "danger_inline": "secret" }, "when": "always",
        },
    })
}

fn filter(key: &Key, changes: Value) -> Filter {
    let mut config = only(amended(amended(provider([key]), introspected()), changes));
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

/// A subject that only the answer names can be revoked, too.
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

/// What is forwarded as the payload is what the token says, and not what the answer adds.
#[test]
fn the_payload_is_the_tokens_own() {
    let key = Key::new("ES256", "k");
    let mut config = only(amended(provider([&key]), introspected()));
    config["forward"] = json!({ "payload_header": "x-claims" });
    let mut filter = Filter::new(config);
    for subject in ["alice", "bob"] {
        let token = key.token(json!({ "sub": subject, "x": "y".repeat(9000) }));
        let claims = token.split('.').nth(1).unwrap().to_owned();
        let answer = active(json!({ "sub": subject, "admin": true, "z": "z".repeat(20_000) }));
        for (time, calls) in [("at first", 1), ("then", 0)] {
            let (found, asked) = filter.ask_with(&get("/").bearer(&token), &answer);
            assert_eq!(asked, calls, "{time}");
            assert_eq!(found.forwarded("x-claims"), [claims.as_str()], "{time}");
        }
    }
}

/// Rules and headers that ask about a scope claim by its name see what is left of it.
#[test]
fn a_scope_claim_is_narrowed_as_a_claim_too() {
    let key = Key::new("ES256", "k");
    let mut config = only(amended(provider([&key]), introspected()));
    config["rules"] = json!([
        { "match": { "path": { "prefix": "/claim" } }, "claims": [{ "claim": "scope", "contains": "write" }] },
        { "match": { "path": { "prefix": "/array" } }, "claims": [{ "claim": "scp", "contains": "write" }] },
        {},
    ]);
    config["forward"] = json!({ "headers": { "x-scope": "claim:scope", "x-scp": "claim:scp" } });
    let mut filter = Filter::new(config);
    let token = key.token(json!({ "scope": "read write", "scp": ["write", "read"] }));
    let narrow = active(json!({ "scope": "read" }));
    for path in ["/claim", "/array"] {
        let (found, _) = filter.ask_with(&get(path).bearer(&token), &narrow);
        assert_eq!(found.code(), "CLAIM_MISMATCH", "{path}");
    }
    let (found, _) = filter.ask_with(&get("/").bearer(&token), &narrow);
    assert_eq!(found.forwarded("x-scope"), ["read"]);
    assert_eq!(found.forwarded("x-scp"), ["read"]);
}
