//! Keys that are fetched: who waits, who is refused, and what a rotation undoes.

use std::time::Duration;

use portcullis_core::policy::ProviderId;
use portcullis_core::verification::callout::{Callout, Fetch, Reply};
use portcullis_core::verification::source::SourceId;
use serde_json::{Value, json};

use super::harness::keys::{Key, amended, jwks, tampered};
use super::harness::policy::{ISSUER, only, remote_provider};
use super::harness::{Answer, Ask, Filter, NOW, PASSES, Stage, fetched, get};

const FAILED: Reply = fetched(Fetch::Failed {
    retry_after: Duration::from_secs(4),
});

fn filter(changes: Value) -> Filter {
    Filter::new(only(amended(
        remote_provider(ISSUER, "/jwks.json"),
        changes,
    )))
}

/// The request waits for keys; `meanwhile` happens, then `reply` comes.
fn after(
    filter: &mut Filter,
    ask: &Ask,
    meanwhile: impl FnOnce(&mut Filter),
    reply: Reply,
) -> Answer {
    let Stage::Waits(waiting, callout) = filter.begin(ask) else {
        panic!("it does not wait: {ask:?}")
    };
    let wanted = SourceId::Keys(ProviderId(0));
    assert!(
        matches!(callout, Callout::Source(source) if source == wanted),
        "{callout:?}"
    );
    meanwhile(filter);
    match filter.resume(waiting, ask, reply) {
        Stage::Answered(answer) => answer,
        Stage::Waits(_, callout) => panic!("it asks for {callout:?} again"),
    }
}

#[test]
fn without_keys_a_request_waits_and_is_never_called_unauthorized() {
    let key = Key::new("ES256", "k");
    let ask = get("/").bearer(key.token(json!({})));
    let arrived = || fetched(Fetch::Arrived);

    let mut cold = filter(json!({}));
    let answer = after(&mut cold, &ask, |f| f.adopt(0, &jwks([&key])), arrived());
    assert_eq!(answer.code(), PASSES);
    assert_eq!(cold.ask(&ask).code(), PASSES);

    let answer = after(&mut filter(json!({})), &ask, |_| (), FAILED);
    assert_eq!(
        (answer.code(), answer.status()),
        ("KEYS_UNAVAILABLE", Some(503))
    );
    assert_eq!(answer.header("retry-after"), Some("5"));

    let answer = after(&mut filter(json!({})), &ask, |_| (), arrived());
    assert_eq!(
        (answer.code(), answer.header("retry-after")),
        ("KEYS_UNAVAILABLE", Some("1"))
    );

    let other = Key::new("ES256", "other");
    let answer = after(
        &mut filter(json!({})),
        &ask,
        |f| f.adopt(0, &jwks([&other])),
        arrived(),
    );
    assert_eq!(answer.code(), "UNKNOWN_KEY");
    let answer = after(
        &mut filter(json!({})),
        &ask,
        |f| f.adopt(0, &json!({ "keys": [] })),
        arrived(),
    );
    assert_eq!(answer.code(), "UNKNOWN_KEY");
}

/// What the token says against itself is known without keys: nobody is asked.
#[test]
fn nobody_is_asked_about_what_is_refused_anyway() {
    let key = Key::new("ES256", "k");
    let mut filter = filter(json!({}));
    let token = key.token(json!({}));
    filter.table(&[
        ("no token", get("/"), "MISSING_TOKEN"),
        ("malformed", get("/").bearer("x"), "MALFORMED_TOKEN"),
        (
            "a broken signature segment",
            get("/").bearer(format!("{token}=")),
            "MALFORMED_TOKEN",
        ),
        (
            "too large",
            get("/").bearer("x".repeat(20_000)),
            "REQUEST_TOO_LARGE",
        ),
        (
            "alg",
            get("/").bearer(key.token_with(json!({ "alg": "none" }), json!({}))),
            "UNSUPPORTED_ALGORITHM",
        ),
        (
            "a shared secret",
            get("/").bearer(Key::new("HS256", "k").token(json!({}))),
            "UNSUPPORTED_ALGORITHM",
        ),
        (
            "crit",
            get("/").bearer(key.token_with(json!({ "crit": ["x"] }), json!({}))),
            "INVALID_TOKEN",
        ),
        (
            "typ",
            get("/").bearer(key.token_with(json!({ "typ": "id+jwt" }), json!({}))),
            "INVALID_TOKEN",
        ),
        (
            "iss",
            get("/").bearer(key.token(json!({ "iss": "other" }))),
            "INVALID_ISSUER",
        ),
        (
            "aud",
            get("/").bearer(key.token(json!({ "aud": "other" }))),
            "INVALID_AUDIENCE",
        ),
        (
            "exp",
            get("/").bearer(key.token(json!({ "exp": 1 }))),
            "TOKEN_EXPIRED",
        ),
        (
            "nbf",
            get("/").bearer(key.token(json!({ "nbf": NOW + 600 }))),
            "TOKEN_NOT_YET_VALID",
        ),
    ]);
}

#[test]
fn an_unknown_key_is_asked_for_and_then_the_tokens_fault() {
    let [old, new] = [Key::new("ES256", "old"), Key::new("ES256", "new")];
    let ask = get("/").bearer(new.token(json!({})));
    let rotated = || {
        let mut filter = filter(json!({}));
        filter.adopt(0, &jwks([&old]));
        filter
    };
    let answer = after(
        &mut rotated(),
        &ask,
        |f| f.adopt(0, &jwks([&old, &new])),
        fetched(Fetch::Arrived),
    );
    assert_eq!(answer.code(), PASSES);
    for reply in [FAILED, fetched(Fetch::Arrived)] {
        let answer = after(&mut rotated(), &ask, |_| (), reply);
        assert_eq!((answer.code(), answer.status()), ("UNKNOWN_KEY", Some(401)));
    }
    // A named key that cannot verify the token's algorithm is known, and asked for by nobody.
    let confused = old.token_with(json!({ "alg": "RS256" }), json!({}));
    assert_eq!(
        rotated().ask(&get("/").bearer(confused)).code(),
        "UNSUPPORTED_ALGORITHM"
    );
    assert_eq!(
        rotated()
            .ask(&get("/").bearer(tampered(&old.token(json!({})))))
            .code(),
        "INVALID_SIGNATURE"
    );
}

#[test]
fn good_keys_serve_while_their_source_is_down_but_not_for_ever() {
    let key = Key::new("ES256", "k");
    let mut filter = filter(json!({ "max_lifetime": null, "jwks": { "remote": {
        "cluster": "idp", "uri": "http://idp/jwks.json", "refresh_interval": "1m", "max_staleness": "1h",
    } } }));
    filter.adopt(0, &jwks([&key]));
    let ask = get("/").bearer(key.token(json!({ "exp": NOW + 86_400 })));
    assert_eq!(filter.ask(&ask).code(), PASSES);
    assert_eq!(filter.at(NOW + 3600).ask(&ask).code(), PASSES);
    // The remembered verdict goes with the keys.
    filter.at(NOW + 3601);
    let answer = after(&mut filter, &ask, |_| (), FAILED);
    assert_eq!(answer.code(), "KEYS_UNAVAILABLE");
    let answer = after(
        &mut filter,
        &ask,
        |f| f.adopt(0, &jwks([&key])),
        fetched(Fetch::Arrived),
    );
    assert_eq!(answer.code(), PASSES);
}

#[test]
fn a_remembered_verdict_dies_with_its_key() {
    let [old, new] = [Key::new("ES256", "old"), Key::new("ES256", "new")];
    let ask = get("/").bearer(old.token(json!({})));
    let mut filter = filter(json!({}));
    filter.adopt(0, &jwks([&old, &new]));
    assert_eq!(filter.ask(&ask).code(), PASSES);
    assert_eq!(filter.ask(&ask).code(), PASSES);

    filter.adopt(0, &jwks([&new]));
    assert_eq!(
        after(&mut filter, &ask, |_| (), FAILED).code(),
        "UNKNOWN_KEY"
    );

    // Another key under the old name is another key.
    let impostor = amended(new.jwk(), json!({ "kid": "old" }));
    filter.adopt(0, &json!({ "keys": [impostor] }));
    assert_eq!(filter.ask(&ask).code(), "INVALID_SIGNATURE");

    // And the old key under another name is not the one that was meant.
    let renamed = amended(old.jwk(), json!({ "kid": "renamed" }));
    filter.adopt(0, &json!({ "keys": [renamed] }));
    assert_eq!(
        after(&mut filter, &ask, |_| (), FAILED).code(),
        "UNKNOWN_KEY"
    );

    filter.adopt(0, &jwks([&old]));
    assert_eq!(filter.ask(&ask).code(), PASSES);
}

#[test]
fn a_key_that_comes_back_for_another_algorithm_is_another_key() {
    let key = Key::new("RS256", "k");
    let ask = get("/").bearer(key.token(json!({})));
    let mut filter = filter(json!({}));
    filter.adopt(0, &jwks([&key]));
    assert_eq!(filter.ask(&ask).code(), PASSES);
    filter.adopt(
        0,
        &json!({ "keys": [amended(key.jwk(), json!({ "alg": "PS256" }))] }),
    );
    assert_eq!(filter.ask(&ask).code(), "UNSUPPORTED_ALGORITHM");
}

#[test]
fn a_remembered_token_expires_all_the_same() {
    let key = Key::new("ES256", "k");
    let mut filter = filter(json!({ "clock_tolerance": "10s", "max_lifetime": "1h" }));
    filter.adopt(0, &jwks([&key]));
    let ask = get("/").bearer(key.token(json!({ "exp": NOW + 60, "nbf": NOW })));
    for (at, expected) in [
        (NOW, PASSES),
        (NOW + 69, PASSES),
        (NOW + 70, "TOKEN_EXPIRED"),
        (NOW + 71, "TOKEN_EXPIRED"),
        // A clock that is set back.
        (NOW - 11, "TOKEN_NOT_YET_VALID"),
        (NOW - 10, PASSES),
        (NOW - 3600, "TOKEN_NOT_YET_VALID"),
    ] {
        assert_eq!(filter.at(at).ask(&ask).code(), expected, "{at}");
    }
}

#[test]
fn a_published_secret_is_never_a_key() {
    let [shared, public] = [Key::new("HS256", "shared"), Key::new("ES256", "public")];
    let mut filter = filter(json!({}));
    filter.adopt(0, &jwks([&shared, &public]));
    filter.table(&[
        (
            "the secret's",
            get("/").bearer(shared.token(json!({}))),
            "UNSUPPORTED_ALGORITHM",
        ),
        (
            "the key's",
            get("/").bearer(public.token(json!({}))),
            PASSES,
        ),
    ]);
    let listed = only(amended(
        remote_provider(ISSUER, "/jwks.json"),
        json!({ "algorithms": ["ES256", "HS256"] }),
    ));
    assert!(Filter::from_text(&listed.to_string()).is_err());
}

#[test]
fn a_set_that_comes_later_counts_whatever_the_clock_says() {
    let [old, new] = [Key::new("ES256", "old"), Key::new("ES256", "new")];
    let mut filter = filter(json!({}));
    filter.adopt(0, &jwks([&old]));
    let ask = get("/").bearer(old.token(json!({})));
    assert_eq!(filter.ask(&ask).code(), PASSES);
    // The clock is set back, and the provider withdraws a key.
    filter.at(NOW - 3000).adopt(0, &jwks([&new]));
    let withdrawn = after(&mut filter, &ask, |_| (), FAILED);
    assert_eq!(withdrawn.code(), "UNKNOWN_KEY");
    let ask = get("/").bearer(new.token(json!({ "nbf": null })));
    assert_eq!(filter.ask(&ask).code(), PASSES);
}

#[test]
fn nothing_is_remembered_where_the_operator_wants_no_memory() {
    let key = Key::new("ES256", "k");
    let config = only(remote_provider(ISSUER, "/jwks.json"));
    let mut filter = Filter::new(amended(
        config,
        json!({ "limits": { "token_cache_entries": 0 }, "audit": "all" }),
    ));
    filter.adopt(0, &jwks([&key]));
    let ask = get("/").bearer(key.token(json!({})));
    for _ in 0..2 {
        assert_eq!(filter.ask(&ask).audit()["source"], "local");
    }
}

/// What is forwarded of a token counts for the memory that it takes: a few large ones push each other out.
#[test]
fn what_is_remembered_has_its_bound() {
    let key = Key::new("ES256", "k");
    let config = amended(
        only(remote_provider(ISSUER, "/jwks.json")),
        json!({
            "limits": { "token_cache_entries": 4 }, "audit": "all",
            "forward": { "headers": { "x-y": "claim:x" } },
        }),
    );
    // Four entries of 4 KiB on the average: one of the large ones fits, and not two.
    for (bytes, source) in [(100, "cache"), (9000, "local")] {
        let mut filter = Filter::new(config.clone());
        filter.adopt(0, &jwks([&key]));
        let asks = ["a", "b"].map(|sub| {
            let claims = json!({ "sub": sub, "x": "y".repeat(bytes) });
            get("/").bearer(key.token(claims))
        });
        for ask in &asks {
            assert_eq!(filter.ask(ask).audit()["source"], "local", "{bytes}");
        }
        assert_eq!(filter.ask(&asks[0]).audit()["source"], source, "{bytes}");
    }
}
