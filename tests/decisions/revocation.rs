//! Lists of what is revoked: whom they reach, and for how long they are believed.

use std::time::Duration;

use portcullis_core::evaluation::Waiting;
use portcullis_core::policy::provider::CredentialSource;
use portcullis_core::policy::{ProviderId, compile_api_keys};
use portcullis_core::revocation::{Progress, SharedKey};
use portcullis_core::verification::callout::{Callout, Fetch, Reply, Service};
use portcullis_core::verification::source::{Document, SourceId};
use serde_json::{Value, json};

use super::harness::keys::{Key, amended, sha256};
use super::harness::policy::{api_key, only, provider};
use super::harness::{Ask, Filter, NOW, PASSES, Stage, get};

const HOUR: i64 = 3600;

fn listed(key: &Key, changes: Value) -> Filter {
    let list = json!({ "revocation": { "list": { "cluster": "a", "uri": "http://a/list", "max_staleness": "60s" } } });
    Filter::new(only(amended(amended(provider([key]), list), changes)))
}

/// A provider whose list is `changes` over the defaults.
fn with_list(key: &Key, changes: Value) -> Filter {
    let list = json!({ "cluster": "a", "uri": "http://a/list", "max_staleness": "60s" });
    listed(
        key,
        json!({ "revocation": { "list": amended(list, changes) } }),
    )
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

// === what a list that is stale, or not there, means ===

fn waits_for_list(filter: &mut Filter, ask: &Ask) -> Waiting {
    match filter.begin(ask) {
        Stage::Waits(waiting, Callout::Source(SourceId::Revocation(_))) => waiting,
        Stage::Waits(_, other) => panic!("waits for {other:?}"),
        Stage::Answered(answer) => panic!("{}", answer.code()),
    }
}

/// A request that waited for a list in vain gets what `on_stale` says; without any list each request waits first.
#[test]
fn a_list_that_cannot_be_had() {
    let key = Key::new("ES256", "k");
    let ask = get("/").bearer(key.token(json!({ "exp": NOW + HOUR })));
    let issuer = CredentialSource::Provider(ProviderId(0));
    let seconds = Duration::from_secs;
    for (on_stale, fetch, expected, retry_after) in [
        (
            "deny",
            Fetch::Failed {
                retry_after: seconds(7),
            },
            "REVOCATION_UNAVAILABLE",
            Some("8"),
        ),
        ("deny", Fetch::Arrived, "REVOCATION_UNAVAILABLE", Some("1")),
        (
            "danger_allow",
            Fetch::Failed {
                retry_after: seconds(7),
            },
            PASSES,
            None,
        ),
    ] {
        let mut filter = with_list(&key, json!({ "on_stale": on_stale }));
        let waiting = waits_for_list(&mut filter, &ask);
        let reply = Reply::Source(SourceId::Revocation(issuer), fetch);
        let Stage::Answered(answer) = filter.resume(waiting, &ask, reply) else {
            panic!("it waits again");
        };
        assert_eq!(answer.code(), expected);
        assert_eq!(answer.header("retry-after"), retry_after);
    }
}

/// A stale list that may be passed over says no less of what is on it.
#[test]
fn what_a_stale_list_revokes_stays_revoked() {
    let key = Key::new("ES256", "k");
    let mut filter = with_list(&key, json!({ "on_stale": "danger_allow" }));
    filter.revoke(r#"{"cursor": "1", "revoked": [{"jti": "lost"}]}"#);
    let token =
        |claims: Value| get("/").bearer(key.token(amended(json!({ "exp": NOW + HOUR }), claims)));
    for at in [NOW, NOW + 60, NOW + 61, NOW + 3000] {
        filter.at(at);
        assert_eq!(filter.ask(&token(json!({}))).code(), PASSES, "{at}");
        let lost = filter.ask(&token(json!({ "jti": "lost" })));
        assert_eq!(lost.code(), "TOKEN_REVOKED", "{at}");
    }
}

/// What no entry could ever name cannot be revoked.
#[test]
fn a_token_that_no_entry_can_match_is_refused() {
    let key = Key::new("ES256", "k");
    let mut filter = with_list(&key, json!({}));
    filter.revoke(r#"{"cursor": "1", "revoked": []}"#);
    for (what, claims, expected) in [
        ("nobody", json!({}), "INVALID_TOKEN"),
        ("a subject", json!({ "sub": "alice" }), PASSES),
        ("an id", json!({ "jti": "1" }), PASSES),
        ("a client", json!({ "client_id": "app" }), PASSES),
        ("an authorized party", json!({ "azp": "app" }), PASSES),
        ("a tenant", json!({ "tenant": "acme" }), "INVALID_TOKEN"),
    ] {
        let claims = amended(json!({ "sub": null }), claims);
        let found = filter.ask(&get("/").bearer(key.token(claims)));
        assert_eq!(found.code(), expected, "{what}");
    }
    let mut without_list = Filter::new(only(provider([&key])));
    let nobody = get("/").bearer(key.token(json!({ "sub": null })));
    assert_eq!(without_list.ask(&nobody).code(), PASSES);
}

/// A list counts for its own provider's tokens alone.
#[test]
fn a_list_is_its_providers_own() {
    let [ours, theirs] = [Key::new("ES256", "k"), Key::new("ES256", "k")];
    let list = json!({ "revocation": { "list": { "cluster": "a", "uri": "http://a/list" } } });
    let other = json!({ "issuer": "https://other.example.com/" });
    let config = json!({
        "providers": {
            "corp": amended(provider([&ours]), list), "other": amended(provider([&theirs]), other.clone()),
        },
        "rules": [{}],
    });
    let mut filter = Filter::new(config);
    filter.revoke(&format!(
        r#"{{"cursor": "1", "revoked": [{{"sub": "alice", "before": {NOW}}}]}}"#
    ));
    let ask = get("/").bearer(ours.token(json!({})));
    assert_eq!(filter.ask(&ask).code(), "TOKEN_REVOKED");
    let iss = json!({ "iss": "https://other.example.com/" });
    let ask = get("/").bearer(theirs.token(iss));
    assert_eq!(filter.ask(&ask).code(), PASSES);
}

// === API keys ===

/// A filter with two keys and a list, and the head that workers share of the list.
struct Keys {
    filter: Filter,
    head: Option<Vec<u8>>,
    writer: u64,
}

impl Keys {
    const ISSUER: CredentialSource = CredentialSource::ApiKeys;

    fn new(changes: Value) -> Self {
        let list = amended(
            json!({ "cluster": "a", "uri": "http://a/list", "max_staleness": "60s" }),
            changes,
        );
        let keys = ["ci", "cd"].map(|id| api_key(id, &sha256(&format!("an-api-key-of-{id}"))));
        let filter = Filter::new(json!({
            "api_keys": { "keys": keys, "revocation": { "list": list } }, "rules": [{}],
        }));
        Keys {
            filter,
            head: None,
            writer: 0,
        }
    }

    fn revoke(&mut self, page: &str) {
        let now = self.filter.now;
        let list = self.filter.state.list_mut(Self::ISSUER).unwrap();
        let progress = list.poll([7; 16]).take(page.as_bytes(), now);
        let Ok(Progress::Complete(update)) = progress else {
            panic!("{page}");
        };
        self.writer += 1;
        let head = self.head.as_deref();
        let mark = list.publish(update, head, self.writer, now, now);
        self.head = Some(mark.unwrap());
        while let Some(write) = list.next_write(now) {
            if write.key == SharedKey::Head {
                self.head = Some(write.bytes);
            }
        }
    }

    fn code(&mut self, id: &str) -> &'static str {
        let ask = get("/").with("x-api-key", format!("an-api-key-of-{id}"));
        self.filter.ask(&ask).code()
    }
}

#[test]
fn api_keys_are_revoked_by_their_ids() {
    let mut keys = Keys::new(json!({}));
    keys.revoke(r#"{"cursor": "1", "revoked": [{"key_id": "ci"}]}"#);
    for _ in 0..2 {
        assert_eq!(keys.code("ci"), "API_KEY_REVOKED");
        assert_eq!(keys.code("cd"), PASSES);
    }
    keys.filter.at(NOW + 60);
    assert_eq!(keys.code("cd"), PASSES);
    keys.filter.at(NOW + 61);
    assert_eq!(keys.code("cd"), "REVOCATION_UNAVAILABLE");
    assert_eq!(keys.code("ci"), "API_KEY_REVOKED");
    // A key that expires is revoked for good all the same.
    keys.revoke(r#"{"cursor": "2", "revoked": [{"key_id": "cd", "exp": 1}]}"#);
    assert_eq!(keys.code("cd"), "API_KEY_REVOKED");
}

#[test]
fn api_keys_wait_for_their_list() {
    let mut keys = Keys::new(json!({}));
    let ask = get("/").with("x-api-key", "an-api-key-of-ci");
    let waiting = waits_for_list(&mut keys.filter, &ask);
    keys.revoke(r#"{"cursor": "1", "revoked": [{"key_id": "ci"}]}"#);
    let reply = Reply::Source(SourceId::Revocation(Keys::ISSUER), Fetch::Arrived);
    let Stage::Answered(answer) = keys.filter.resume(waiting, &ask, reply) else {
        panic!("it waits again");
    };
    assert_eq!(answer.code(), "API_KEY_REVOKED");
    let source = SourceId::Revocation(Keys::ISSUER);
    assert_eq!(source.service(), Service::Revocation);
}
