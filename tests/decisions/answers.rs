//! Tokens that their provider is asked about (RFC 7662): whose tokens, for whom, and what an answer is worth later.

use std::rc::Rc;
use std::time::Duration;

use portcullis_core::verification::callout::{CallFault, Callout, Question, Reply, Standing};
use serde_json::{Value, json};

use super::harness::keys::{Key, amended};
use super::harness::policy::{AUDIENCE, only, provider};
use super::harness::{Ask, Filter, NOW, PASSES, Stage, get};

const OTHER: &str = "https://other.example.com/";

/// What makes a provider ask.
fn asking(changes: Value) -> Value {
    let introspection = json!({
        "cluster": "authority", "uri": "http://authority/introspect", "client_id": "gateway",
        "client_secret": { "danger_inline": "secret" }, "cache_ttl": "30s", "negative_cache_ttl": "30s",
    });
    json!({ "introspection": amended(introspection, changes) })
}

fn opaque() -> Filter {
    let key = Key::new("ES256", "k");
    Filter::new(only(amended(provider([&key]), asking(json!({})))))
}

fn always(key: &Key, changes: Value) -> Filter {
    let asking = asking(amended(json!({ "when": "always" }), changes));
    Filter::new(only(amended(provider([key]), asking)))
}

fn active(changes: Value) -> Value {
    amended(
        json!({ "active": true, "aud": AUDIENCE, "sub": "alice" }),
        changes,
    )
}

fn learnt(filter: &mut Filter, question: &Question, answer: Result<&Value, CallFault>) -> Reply {
    let policy = Rc::clone(&filter.policy);
    let body = answer.map(Value::to_string);
    let body = body.as_ref().map(String::as_bytes).map_err(|fault| *fault);
    filter.state.learn(&policy, question, body, filter.now)
}

/// For whom the endpoint would be asked.
fn standing(filter: &mut Filter, ask: &Ask) -> Standing {
    match filter.begin(ask) {
        Stage::Waits(_, Callout::Ask(_, call)) => call.standing,
        Stage::Waits(_, other) => panic!("waits for {other:?}"),
        Stage::Answered(answer) => panic!("{}", answer.code()),
    }
}

/// Requests share an answer, and some come to it late: its times are judged when it is used, not when it came.
#[test]
fn an_answer_is_judged_when_it_is_used() {
    for (answer, later, expected) in [
        (json!({ "exp": NOW + 5 }), NOW + 34, PASSES),
        (json!({ "exp": NOW + 5 }), NOW + 35, "TOKEN_EXPIRED"),
        (json!({ "exp": NOW + 5 }), NOW + 3600, "TOKEN_EXPIRED"),
        (json!({ "nbf": NOW + 30 }), NOW, PASSES),
        (json!({ "nbf": NOW + 30 }), NOW - 1, "TOKEN_NOT_YET_VALID"),
        (json!({}), NOW + 3600, PASSES),
    ] {
        let mut filter = opaque();
        let ask = get("/").bearer("opaque");
        let Stage::Waits(waiting, Callout::Ask(question, _)) = filter.begin(&ask) else {
            panic!("it asks");
        };
        let reply = learnt(&mut filter, &question, Ok(&active(answer.clone())));
        let Stage::Answered(found) = filter.at(later).resume(waiting, &ask, reply) else {
            panic!("it has its answer");
        };
        assert_eq!(found.code(), expected, "{answer} {later}");
    }
}

/// A JWT goes to the endpoint of its own issuer, where nobody here can verify it, and to no other.
#[test]
fn a_jwt_is_shown_to_nobody_but_its_issuer() {
    let [key, unknown] = [Key::new("ES256", "k"), Key::new("ES256", "k")];
    let other = json!({ "issuer": OTHER, "audiences": [AUDIENCE] });
    let config = json!({
        "providers": { "corp": provider([&key]), "other": amended(other, asking(json!({}))) },
        "rules": [{}],
    });
    let answer = active(json!({}));
    let jwt = |key: &Key, iss: Value| get("/").bearer(key.token(json!({ "iss": iss })));
    for (what, ask, expected, asked) in [
        ("opaque", get("/").bearer("opaque"), PASSES, 1),
        ("its own", jwt(&unknown, json!(OTHER)), PASSES, 1),
        ("ours", get("/").bearer(key.token(json!({}))), PASSES, 0),
        (
            "a forged one of ours",
            get("/").bearer(unknown.token(json!({}))),
            "INVALID_SIGNATURE",
            0,
        ),
        (
            "a stranger's",
            jwt(&key, json!("https://stranger.example.com/")),
            "INVALID_ISSUER",
            0,
        ),
        ("nobody's", jwt(&key, Value::Null), "INVALID_ISSUER", 0),
        ("a number's", jwt(&key, json!(7)), "INVALID_ISSUER", 0),
        (
            "no claims",
            get("/").bearer(key.seal(r#"{"alg":"ES256"}"#, "{")),
            "MALFORMED_TOKEN",
            0,
        ),
    ] {
        let mut filter = Filter::new(config.clone());
        let (found, calls) = filter.ask_with(&ask, &answer);
        assert_eq!((found.code(), calls), (expected, asked), "{what}");
    }
    // A provider with keys verifies its JWTs itself, asking or not.
    let mut both = Filter::new(only(amended(provider([&key]), asking(json!({})))));
    let (found, calls) = both.ask_with(&get("/").bearer(unknown.token(json!({}))), &answer);
    assert_eq!((found.code(), calls), ("INVALID_SIGNATURE", 0));
}

/// Calls are kept for those who are known: whose token verified here, or was active a short while ago.
#[test]
fn who_is_a_stranger() {
    let ask = get("/").bearer("opaque");
    let mut filter = opaque();
    assert_eq!(standing(&mut filter, &ask), Standing::Stranger);
    filter.ask_with(&ask, &active(json!({})));
    filter.at(NOW + 30);
    assert_eq!(standing(&mut filter, &ask), Standing::Known);
    let other = get("/").bearer("another");
    assert_eq!(standing(&mut filter, &other), Standing::Stranger);
    filter.at(NOW + 599);
    assert_eq!(standing(&mut filter, &ask), Standing::Known);
    filter.at(NOW + 600);
    assert_eq!(standing(&mut filter, &ask), Standing::Stranger);
    // What is said no more is known no more.
    filter.ask_with(&ask, &active(json!({})));
    filter.at(NOW + 631);
    filter.ask_with(&ask, &json!({ "active": false }));
    filter.at(NOW + 662);
    assert_eq!(standing(&mut filter, &ask), Standing::Stranger);

    let key = Key::new("ES256", "k");
    let jwt = get("/").bearer(key.token(json!({})));
    assert_eq!(
        standing(&mut always(&key, json!({})), &jwt),
        Standing::Known
    );
}

#[test]
fn strangers_leave_room_for_the_known() {
    let mut filter = opaque();
    let Stage::Waits(_, Callout::Ask(question, _)) = filter.begin(&get("/").bearer("opaque"))
    else {
        panic!("it asks");
    };
    let limits = question.limits();
    let (all, room) = (limits.in_flight, limits.in_flight - limits.kept);
    assert!(limits.kept > 0 && room > 0);
    for (standing, under_way, of_strangers, expected) in [
        (Standing::Stranger, 0, 0, true),
        (Standing::Stranger, room - 1, room - 1, true),
        (Standing::Stranger, room, room, false),
        (Standing::Stranger, all - 1, 0, true),
        (Standing::Stranger, all, 0, false),
        (Standing::Known, room, room, true),
        (Standing::Known, all - 1, room, true),
        (Standing::Known, all, room, false),
        (Standing::Known, all, 0, false),
    ] {
        let found = question.may_be_asked(standing, under_way, of_strangers);
        assert_eq!(found, expected, "{standing:?} {under_way} {of_strangers}");
    }
}

/// What verified here may pass without an answer where the operator says so; never against one.
#[test]
fn an_endpoint_that_does_not_answer() {
    let key = Key::new("ES256", "k");
    let ask = get("/").bearer(key.token(json!({})));
    let fault = Err(CallFault::Timeout);
    let refused = json!({ "active": false });
    let contradicts = active(json!({ "sub": "bob" }));
    let other_id = active(json!({ "jti": "2" }));
    let without_active = json!({ "sub": "alice" });
    for (on_unavailable, answer, expected) in [
        ("deny", fault, "INTROSPECTION_UNAVAILABLE"),
        ("deny", Ok(&without_active), "INTROSPECTION_UNAVAILABLE"),
        ("danger_allow", fault, PASSES),
        ("danger_allow", Ok(&without_active), PASSES),
        ("danger_allow", Ok(&refused), "TOKEN_INACTIVE"),
        ("danger_allow", Ok(&contradicts), "INVALID_TOKEN"),
        ("danger_allow", Ok(&other_id), PASSES),
    ] {
        let mut filter = always(&key, json!({ "on_unavailable": on_unavailable }));
        let Stage::Waits(waiting, Callout::Ask(question, _)) = filter.begin(&ask) else {
            panic!("it asks");
        };
        let reply = learnt(&mut filter, &question, answer);
        assert_eq!(
            reply.is_answer(),
            expected != "INTROSPECTION_UNAVAILABLE"
                && answer != fault
                && answer != Ok(&without_active)
        );
        let Stage::Answered(found) = filter.resume(waiting, &ask, reply) else {
            panic!("it has its answer");
        };
        assert_eq!(found.code(), expected, "{on_unavailable} {answer:?}");
    }
    let named = get("/").bearer(key.token(json!({ "jti": "1" })));
    let mut filter = always(&key, json!({}));
    let (found, _) = filter.ask_with(&named, &other_id);
    assert_eq!(found.code(), "INVALID_TOKEN", "another jti");
}

/// In a query, `+` is a space, which no token has; `%2B` is a plus.
#[test]
fn a_token_in_a_query_is_decoded_as_a_form_is() {
    let key = Key::new("ES256", "k");
    let from = json!({ "from": { "query": ["access_token"] } });
    let config = only(amended(amended(provider([&key]), from), asking(json!({}))));
    for (query, expected, asked) in [
        ("access_token=a%2Bb", PASSES, 1),
        ("access_token=a%2bb", PASSES, 1),
        ("access_token=a+b", "MALFORMED_TOKEN", 0),
        ("access_token=a%20b", "MALFORMED_TOKEN", 0),
        ("access%5ftoken=a", PASSES, 1),
        ("access+token=a", "MISSING_TOKEN", 0),
    ] {
        let mut filter = Filter::new(config.clone());
        let ask = get(&format!("/?{query}"));
        let (found, calls) = filter.ask_with(&ask, &active(json!({})));
        assert_eq!((found.code(), calls), (expected, asked), "{query}");
    }
}

#[test]
fn what_is_remembered_is_counted() {
    let key = Key::new("ES256", "k");
    let mut filter = always(&key, json!({}));
    let ask = get("/").bearer(key.token(json!({})));
    for _ in 0..3 {
        let (found, _) = filter.ask_with(&ask, &active(json!({})));
        assert!(found.passes());
    }
    // The request that waited looked for its token twice.
    let tokens = filter.state.take_token_uses();
    assert_eq!((tokens.hits, tokens.misses), (3, 1));
    let answers = filter.state.take_answer_uses();
    assert_eq!((answers.hits, answers.misses), (2, 1));
    let taken = filter.state.take_token_uses();
    assert_eq!((taken.hits, taken.misses), (0, 0));
}

/// A clock that is a second behind is no clock that was set back: so far apart are those of two workers.
#[test]
fn a_second_is_no_step_back() {
    let ask = get("/").bearer("opaque");
    for (back, asked) in [(0, 0), (1000, 0), (1001, 1)] {
        let mut filter = opaque();
        assert_eq!(filter.ask_with(&ask, &active(json!({}))).1, 1);
        filter.now = filter.now.minus(Duration::from_millis(back));
        let (_, again) = filter.ask_with(&ask, &active(json!({})));
        assert_eq!(again, asked, "{back} ms");
    }
}
