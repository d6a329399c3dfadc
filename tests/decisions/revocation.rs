//! Lists of what is revoked: whom they reach, and for how long they are believed.

use portcullis::policy::compile_api_keys;
use portcullis::verification::callout::Callout;
use portcullis::verification::source::{Document, SourceId};
use serde_json::{Value, json};

use super::harness::keys::{Key, amended, sha256};
use super::harness::policy::{api_key, only, provider};
use super::harness::{Filter, NOW, PASSES, Stage, get};

const HOUR: i64 = 3600;

fn listed(key: &Key, changes: Value) -> Filter {
    let list = json!({ "revocation": { "list": { "cluster": "a", "uri": "http://a/list", "max_staleness": "60s" } } });
    Filter::new(only(amended(amended(provider([key]), list), changes)))
}

/// An entry by `before` is forgotten once every token that was issued until then has ended. Of one that does not say when
/// it was issued nobody can tell.
#[test]
fn a_token_without_iat_is_refused_where_entries_are_forgotten() {
    let key = Key::new("ES256", "k");
    let token = |changes: Value| get("/").bearer(key.token(changes));
    let without_iat = json!({ "iat": null, "exp": NOW + HOUR });
    for (what, longest, claims, expected) in [
        (
            "with a longest lifetime",
            json!("1h"),
            &without_iat,
            "INVALID_TOKEN",
        ),
        (
            "without one nothing is forgotten",
            Value::Null,
            &without_iat,
            PASSES,
        ),
        (
            "with iat",
            json!("1h"),
            &json!({ "iat": NOW, "exp": NOW + HOUR }),
            PASSES,
        ),
    ] {
        let mut filter = listed(&key, json!({ "max_lifetime": longest }));
        filter.revoke(r#"{"cursor": "1", "revoked": []}"#);
        for time in ["at first", "then"] {
            let found = filter.ask(&token(claims.clone()));
            assert_eq!(found.code(), expected, "{what}, {time}");
        }
    }
    let alone = only(amended(provider([&key]), json!({ "max_lifetime": "1h" })));
    assert_eq!(Filter::new(alone).ask(&token(without_iat)).code(), PASSES);
}

/// The attack: revoked at the start, forgotten an hour later, good again when what is left of its life is short enough.
#[test]
fn what_was_revoked_does_not_come_back() {
    let key = Key::new("ES256", "k");
    let mut filter = listed(&key, json!({ "max_lifetime": "1h" }));
    let token = get("/").bearer(key.token(json!({ "iat": null, "exp": NOW + 10 * HOUR })));
    let entry = format!(
        r#"{{"cursor": "1", "revoked": [{{"sub": "alice", "before": {}}}]}}"#,
        NOW + 300
    );
    filter.at(NOW + 300).revoke(&entry);
    assert_eq!(filter.ask(&token).code(), "INVALID_TOKEN");
    let later = NOW + 9 * HOUR + 1800;
    filter
        .at(later)
        .revoke(r#"{"cursor": "2", "reset": true, "revoked": []}"#);
    assert_eq!(filter.ask(&token).code(), "INVALID_TOKEN");
}

#[test]
fn a_list_is_believed_no_longer_than_it_may_be() {
    let key = Key::new("ES256", "k");
    let mut filter = listed(&key, json!({}));
    filter.revoke(r#"{"cursor": "1", "revoked": [{"jti": "lost"}]}"#);
    let ask = get("/").bearer(key.token(json!({ "exp": NOW + HOUR })));
    assert_eq!(filter.at(NOW + 60).ask(&ask).code(), PASSES);
    let stale = filter.at(NOW + 61).ask(&ask);
    assert_eq!(stale.code(), "REVOCATION_UNAVAILABLE");
    // What it says of a token counts for as long as it is held.
    let lost = get("/").bearer(key.token(json!({ "jti": "lost", "exp": NOW + HOUR })));
    assert_eq!(filter.ask(&lost).code(), "TOKEN_REVOKED");
}

#[test]
fn remote_api_keys_are_believed_no_longer_than_they_may_be() {
    let entry = api_key("ci", &sha256("an-api-key-of-ci"));
    let mut filter = Filter::new(json!({
        "api_keys": { "remote": { "cluster": "a", "uri": "http://a/keys", "max_staleness": "60s" } },
        "rules": [{}],
    }));
    let table = compile_api_keys(json!({ "keys": [entry] }).to_string().as_bytes(), None);
    let document = Document::ApiKeys(table.expect("a list"));
    filter.state.adopt(SourceId::ApiKeys, document, filter.now);
    let ask = get("/").with("x-api-key", "an-api-key-of-ci");
    assert_eq!(filter.at(NOW + 60).ask(&ask).code(), PASSES);
    filter.at(NOW + 61);
    assert!(matches!(
        filter.begin(&ask),
        Stage::Waits(_, Callout::Source(SourceId::ApiKeys))
    ));
}

/// After the clock was set back a list comes with an earlier time than the one that it replaces.
#[test]
fn a_later_list_of_api_keys_counts_whatever_the_clock_says() {
    let entry = |revoked: bool| {
        amended(
            api_key("ci", &sha256("an-api-key-of-ci")),
            json!({ "revoked": revoked }),
        )
    };
    let mut filter = Filter::new(json!({
        "api_keys": { "remote": { "cluster": "a", "uri": "http://a/keys" } },
        "rules": [{}],
    }));
    let ask = get("/").with("x-api-key", "an-api-key-of-ci");
    for (at, revoked, expected) in [(NOW, false, PASSES), (NOW - 3000, true, "API_KEY_REVOKED")] {
        let table = compile_api_keys(
            json!({ "keys": [entry(revoked)] }).to_string().as_bytes(),
            None,
        );
        filter.at(at);
        let document = Document::ApiKeys(table.expect("a list"));
        filter.state.adopt(SourceId::ApiKeys, document, filter.now);
        assert_eq!(filter.ask(&ask).code(), expected);
    }
}
