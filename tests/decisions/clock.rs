//! A clock that is set back: nothing is good for longer by it, and what is newer counts.

use std::rc::Rc;

use portcullis_core::time::UnixTime;
use portcullis_core::verification::callout::Callout;
use serde_json::{Value, json};

use super::harness::keys::{Key, amended, jwks};
use super::harness::policy::{AUDIENCE, ISSUER, only, provider, remote_provider};
use super::harness::{Filter, NOW, PASSES, Stage, get};

const HOUR: i64 = 3600;

fn introspecting(key: &Key, changes: Value) -> Filter {
    let introspection = json!({ "introspection": {
        "cluster": "authority", "uri": "http://authority/introspect", "client_id": "gateway",
        "client_secret": { "danger_inline": "secret" }, "cache_ttl": "30s", "negative_cache_ttl": "30s",
    } });
    Filter::new(only(amended(
        amended(provider([key]), introspection),
        changes,
    )))
}

#[test]
fn an_answer_is_not_remembered_for_longer() {
    let mut filter = introspecting(&Key::new("ES256", "k"), json!({}));
    let ask = get("/").bearer("opaque");
    let active = json!({ "active": true, "aud": AUDIENCE, "sub": "alice" });
    let revoked = json!({ "active": false });
    assert_eq!(filter.ask_with(&ask, &active).1, 1);
    assert_eq!(filter.ask_with(&ask, &active).1, 0);
    filter.at(NOW - HOUR);
    let (answer, asked) = filter.ask_with(&ask, &revoked);
    assert_eq!((answer.code(), asked), ("TOKEN_INACTIVE", 1));
}

/// What was said last counts, though what was said before would still be remembered.
#[test]
fn a_refusal_is_not_undone() {
    let mut filter = introspecting(&Key::new("ES256", "k"), json!({}));
    let ask = get("/").bearer("opaque");
    let active = json!({ "active": true, "aud": AUDIENCE, "sub": "alice" });
    let Stage::Waits(_, Callout::Ask(question, _)) = filter.begin(&ask) else {
        panic!("nothing is asked");
    };
    assert_eq!(filter.ask_with(&ask, &active).0.code(), PASSES);
    // Another request had asked the same, and its answer comes later.
    let policy = Rc::clone(&filter.policy);
    let now = UnixTime::from_secs(NOW + 10);
    let inactive = Ok(&br#"{"active": false}"#[..]);
    filter.state.learn(&policy, &question, inactive, now);
    let (answer, asked) = filter.at(NOW + 11).ask_with(&ask, &active);
    assert_eq!((answer.code(), asked), ("TOKEN_INACTIVE", 0));
}

/// Keys, API keys and lists are as old as they were, and grow older by the new clock.
#[test]
fn what_was_fetched_is_no_younger() {
    let key = Key::new("ES256", "k");
    let mut remote = remote_provider(ISSUER, "/jwks.json");
    remote["jwks"]["remote"]["max_staleness"] = json!("2h");
    let mut filter = Filter::new(only(remote));
    filter.adopt(0, &jwks([&key]));
    let ask = |exp: i64| get("/").bearer(key.token(json!({ "iat": null, "exp": exp })));
    assert_eq!(filter.ask(&ask(NOW + 9 * HOUR)).code(), PASSES);
    // An hour old when the clock is set back, and an hour more when it is set back again.
    let mut age = |at: i64| filter.at(at).begin(&ask(NOW + 9 * HOUR));
    for at in [NOW + HOUR, NOW - 5 * HOUR, NOW - 4 * HOUR, NOW - 9 * HOUR] {
        assert!(
            matches!(age(at), Stage::Answered(answer) if answer.passes()),
            "{at}"
        );
    }
    assert!(matches!(age(NOW - 9 * HOUR + 1), Stage::Waits(..)));
}

#[test]
fn a_list_is_no_younger() {
    let key = Key::new("ES256", "k");
    let list = json!({ "revocation": { "list": { "cluster": "a", "uri": "http://a/list", "max_staleness": "60s" } } });
    let mut filter = Filter::new(only(amended(provider([&key]), list)));
    filter.revoke(r#"{"cursor": "1", "revoked": []}"#);
    let ask = get("/").bearer(key.token(json!({ "iat": null, "exp": NOW + 60 })));
    assert_eq!(filter.at(NOW + 30).ask(&ask).code(), PASSES);
    let set_back = NOW - HOUR;
    assert_eq!(filter.at(set_back).ask(&ask).code(), PASSES);
    assert_eq!(filter.at(set_back + 30).ask(&ask).code(), PASSES);
    let stale = filter.at(set_back + 31).ask(&ask);
    assert_eq!(stale.code(), "REVOCATION_UNAVAILABLE");
    // A poll by the new clock makes it fresh, though that is earlier than the last one was.
    filter.revoke(r#"{"cursor": "2", "revoked": []}"#);
    assert_eq!(filter.ask(&ask).code(), PASSES);
}

/// It may have forgotten, in a future that was none, what still counts.
#[test]
fn a_list_is_fetched_as_a_whole() {
    let key = Key::new("ES256", "k");
    let list = json!({ "revocation": { "list": { "cluster": "a", "uri": "http://a/list" } } });
    let mut filter = Filter::new(only(amended(provider([&key]), list)));
    filter.revoke(r#"{"cursor": "1", "revoked": []}"#);
    assert_eq!(filter.next_poll().as_deref(), Some("1"));
    let ask = get("/").bearer(key.token(json!({})));
    assert_eq!(filter.ask(&ask).code(), PASSES);
    assert_eq!(filter.at(NOW - 5).ask(&ask).code(), PASSES);
    assert_eq!(filter.next_poll(), None);
    filter.revoke(r#"{"cursor": "7", "revoked": []}"#);
    assert_eq!(filter.next_poll().as_deref(), Some("7"));
}
