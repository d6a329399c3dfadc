//! Tokens that somebody has to be asked about: whose answer counts for whom, and who may have a call made.

use portcullis_core::limits::{INTROSPECTIONS_IN_FLIGHT, INTROSPECTIONS_KEPT, LATELY};
use portcullis_core::verification::callout::{Call, Callout, Question, Standing};
use serde_json::{Value, json};

use super::harness::keys::{Key, amended};
use super::harness::policy::{AUDIENCE, ISSUER, provider};
use super::harness::{Ask, Filter, NOW, PASSES, Stage, get};

const OTHER: &str = "https://other.example/";

/// Two providers that are asked, each by a rule of its own, with one place for both.
fn filter(changes: Value) -> Filter {
    let asked = |issuer: &str| {
        json!({ "issuer": issuer, "audiences": [AUDIENCE], "introspection": {
            "cluster": "authority", "uri": format!("{issuer}introspect"), "client_id": "gateway",
            "client_secret": { "danger_inline": "secret" }, "cache_ttl": "60s", "negative_cache_ttl": "10s",
        } })
    };
    let config = json!({
        "providers": { "corp": asked(ISSUER), "other": asked(OTHER) },
        "rules": [
            { "match": { "path": { "prefix": "/corp" } }, "credentials": ["corp"] },
            { "match": { "path": { "prefix": "/other" } }, "credentials": ["other"] },
        ],
    });
    Filter::new(amended(config, changes))
}

fn active(changes: Value) -> Value {
    let answer = json!({ "active": true, "aud": AUDIENCE, "sub": "alice", "client_id": "app", "exp": NOW + 3600 });
    amended(answer, changes)
}

/// What is asked about a request.
fn asks(filter: &mut Filter, ask: &Ask) -> (Question, Box<Call>) {
    match filter.begin(ask) {
        Stage::Waits(_, Callout::Ask(question, call)) => (question, call),
        Stage::Waits(_, callout) => panic!("waits for {callout:?}"),
        Stage::Answered(answer) => panic!("{}", answer.code()),
    }
}

/// Nothing in an opaque token says whose it is: what one provider says of it is nothing to another.
#[test]
fn an_answer_is_for_the_provider_that_gave_it() {
    let mut filter = filter(json!({}));
    let at = |path: &str| get(path).bearer("opaque");
    let (answer, asked) = filter.ask_with(&at("/corp"), &active(json!({})));
    assert_eq!((answer.code(), asked), (PASSES, 1));
    assert_eq!(answer.forwarded("x-auth-provider"), ["corp"]);

    let inactive = json!({ "active": false });
    let (answer, asked) = filter.ask_with(&at("/other"), &inactive);
    assert_eq!((answer.code(), asked), ("TOKEN_INACTIVE", 1));
    // And neither undoes the other.
    let (answer, asked) = filter.ask_with(&at("/corp"), &inactive);
    assert_eq!((answer.code(), asked), (PASSES, 0));

    // What says that it is the other's is no answer here.
    let (answer, _) = filter.ask_with(
        &get("/other").bearer("another"),
        &active(json!({ "iss": ISSUER })),
    );
    assert_eq!(answer.code(), "INVALID_ISSUER");
    // Two tokens that begin alike are two.
    for token in ["opaqu", "opaquE", "opaque-", "Opaque"] {
        let (answer, asked) = filter.ask_with(&get("/corp").bearer(token), &inactive);
        assert_eq!((answer.code(), asked), ("TOKEN_INACTIVE", 1), "{token}");
    }
}

/// What is sent to one endpoint is not sent to another, and the token adds nothing to it.
#[test]
fn a_question_goes_to_its_provider_alone() {
    let mut filter = filter(json!({}));
    for (path, host) in [("/corp", "idp.example.com"), ("/other", "other.example")] {
        let (_, call) = asks(&mut filter, &get(path).bearer("a+b/c=="));
        assert_eq!(&*call.endpoint.authority, host);
        let body = String::from_utf8(call.body).unwrap();
        assert_eq!(body, "token=a%2Bb%2Fc%3D%3D&token_type_hint=access_token");
    }
}

/// Random tokens cost their sender nothing: some of the calls under way are kept for tokens that somebody vouched for.
#[test]
fn strangers_leave_room_for_those_who_were_active() {
    let mut filter = filter(json!({}));
    let known = get("/corp").bearer("known");
    let (question, call) = asks(&mut filter, &known);
    assert_eq!(call.standing, Standing::Stranger);
    let (answer, _) = filter.ask_with(&known, &active(json!({})));
    assert_eq!(answer.code(), PASSES);

    // The answer is not remembered any more, but that there was one.
    filter.at(NOW + 61);
    let (_, call) = asks(&mut filter, &known);
    assert_eq!(call.standing, Standing::Known);
    // With the other provider it is a stranger still.
    let (_, call) = asks(&mut filter, &get("/other").bearer("known"));
    assert_eq!(call.standing, Standing::Stranger);

    let room = INTROSPECTIONS_IN_FLIGHT - INTROSPECTIONS_KEPT;
    for (standing, under_way, of_strangers, may) in [
        (Standing::Stranger, 0, 0, true),
        (Standing::Stranger, room - 1, room - 1, true),
        (Standing::Stranger, room, room, false),
        (Standing::Known, room, room, true),
        (Standing::Known, INTROSPECTIONS_IN_FLIGHT - 1, room, true),
        (Standing::Known, INTROSPECTIONS_IN_FLIGHT, room, false),
        // Those who are known may take the strangers' places, too.
        (Standing::Known, INTROSPECTIONS_IN_FLIGHT - 1, 0, true),
        (Standing::Stranger, INTROSPECTIONS_IN_FLIGHT, 0, false),
    ] {
        let found = question.may_be_asked(standing, under_way, of_strangers);
        assert_eq!(found, may, "{standing:?}: {under_way}, {of_strangers}");
    }

    // A token that was refused is one that nobody vouches for, and so is one whose time is over.
    let refused = get("/corp").bearer("refused");
    let (answer, _) = filter.ask_with(&refused, &json!({ "active": false }));
    assert_eq!(answer.code(), "TOKEN_INACTIVE");
    filter.at(NOW + 61 + 11);
    assert_eq!(asks(&mut filter, &refused).1.standing, Standing::Stranger);
    let lately = i64::try_from(LATELY.as_secs()).unwrap();
    filter.at(NOW + lately);
    assert_eq!(asks(&mut filter, &known).1.standing, Standing::Stranger);
}

/// A token that verified here is vouched for by its signature.
#[test]
fn a_signature_vouches_for_a_token() {
    let key = Key::new("ES256", "k");
    let always = json!({ "introspection": {
        "cluster": "authority", "uri": "http://authority/introspect", "client_id": "gateway",
        "client_secret": { "danger_inline": "secret" }, "when": "always",
    } });
    let corp = amended(provider([&key]), always);
    let mut filter = Filter::new(json!({ "providers": { "corp": corp }, "rules": [{}] }));
    let (_, call) = asks(&mut filter, &get("/").bearer(key.token(json!({}))));
    assert_eq!(call.standing, Standing::Known);
    // One that only says so asks nothing.
    let forged = Key::new("ES256", "k").token(json!({}));
    let answer = filter.ask(&get("/").bearer(forged));
    assert_eq!(answer.code(), "INVALID_SIGNATURE");
}
