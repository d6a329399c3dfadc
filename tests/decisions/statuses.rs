//! What the place of a token on a status list decides, and which answer is such a list.

use std::io::Write as _;
use std::rc::Rc;
use std::time::Duration;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use portcullis_core::verification::callout::{
    Call, CallFault, Callout, Fetch, Question, Reply, Service,
};
use serde_json::{Value, json};

use super::harness::keys::{Key, amended, encode, jwks};
use super::harness::policy::{ISSUER, only, provider, remote_provider};
use super::harness::{Answer, Ask, Filter, NOW, PASSES, Stage, fetched, get};

const PREFIX: &str = "http://authority.example.com/status/";
const UNAVAILABLE: &str = "REVOCATION_UNAVAILABLE";
const REVOKED: &str = "TOKEN_REVOKED";
const FAILED: Reply = fetched(Fetch::Failed {
    retry_after: Duration::from_secs(5),
});

fn listed(provider: Value, changes: Value) -> Value {
    let list = json!({ "cluster": "authority", "uri_prefix": PREFIX });
    amended(
        provider,
        json!({ "revocation": { "status_list": amended(list, changes) } }),
    )
}

fn filter(key: &Key, changes: Value) -> Filter {
    Filter::new(only(listed(provider([key]), changes)))
}

/// The claims of a list with one byte of statuses of one bit, the second of which is bad.
fn claims(changes: Value) -> Value {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&[0b10]).unwrap();
    let lst = encode(encoder.finish().unwrap());
    let list = json!({
        "sub": format!("{PREFIX}1"), "iat": NOW, "exp": NOW + 500, "ttl": 100,
        "status_list": { "bits": 1, "lst": lst },
    });
    amended(list, changes)
}

fn sealed_with(key: &Key, header: Value, changes: Value) -> String {
    let named = json!({ "alg": key.alg, "kid": key.kid, "typ": "statuslist+jwt" });
    key.seal(
        amended(named, header).to_string(),
        claims(changes).to_string(),
    )
}

fn sealed(key: &Key) -> String {
    sealed_with(key, json!({}), json!({}))
}

/// A token at that place of the first list.
fn at(key: &Key, index: i64) -> Ask {
    let status = json!({ "status_list": { "uri": format!("{PREFIX}1"), "idx": index } });
    get("/").bearer(key.token(json!({ "status": status, "exp": NOW + 6000 })))
}

/// The answer where the list's place says this, and how often it was fetched.
fn ask(filter: &mut Filter, ask: &Ask, list: Result<&str, CallFault>) -> (Answer, usize) {
    let (mut stage, mut fetches) = (filter.begin(ask), 0);
    for _ in 0..4 {
        let (waiting, question) = match stage {
            Stage::Answered(answer) => return (answer, fetches),
            Stage::Waits(waiting, Callout::Ask(question, _)) => (waiting, question),
            Stage::Waits(_, other) => panic!("waits for {other:?}"),
        };
        assert_eq!(question.service(), Service::StatusList);
        fetches += 1;
        let reply = learnt(filter, &question, list);
        stage = filter.resume(waiting, ask, reply);
    }
    panic!("it asks without end")
}

fn learnt(filter: &mut Filter, question: &Question, list: Result<&str, CallFault>) -> Reply {
    let policy = Rc::clone(&filter.policy);
    let body = list.map(str::as_bytes);
    filter.state.learn(&policy, question, body, filter.now)
}

fn code(filter: &mut Filter, what: &Ask, list: Result<&str, CallFault>) -> &'static str {
    ask(filter, what, list).0.code()
}

/// What a request waits for.
fn call(filter: &mut Filter, ask: &Ask) -> (Question, Box<Call>) {
    match filter.begin(ask) {
        Stage::Waits(_, Callout::Ask(question, call)) => (question, call),
        _ => panic!("nothing is asked"),
    }
}

#[test]
fn the_place_of_a_token_decides() {
    let key = Key::new("ES256", "k");
    let list = sealed(&key);
    for (index, expected) in [
        (0, PASSES),
        (1, REVOKED),
        (2, PASSES),
        (7, PASSES),
        (8, "INVALID_TOKEN"),
    ] {
        let mut filter = filter(&key, json!({}));
        for (time, fetches) in [("at first", 1), ("then", 0)] {
            let (answer, fetched) = ask(&mut filter, &at(&key, index), Ok(&list));
            assert_eq!(answer.code(), expected, "{index} {time}");
            assert_eq!(fetched, fetches, "{index} {time}");
        }
    }
}

#[test]
fn what_is_asked() {
    let key = Key::new("ES256", "k");
    let mut filter = filter(&key, json!({}));
    let (question, call) = call(&mut filter, &at(&key, 0));
    assert_eq!(&*call.endpoint.path, "/status/1");
    assert_eq!(call.method, "GET");
    assert!(call.body.is_empty());
    let accept = ("accept", Box::from(&b"application/statuslist+jwt"[..]));
    assert!(call.headers.contains(&accept));
    assert_eq!(question.service(), Service::StatusList);
    let limits = question.limits();
    let standing = call.standing;
    assert!(question.may_be_asked(standing, limits.in_flight - 1, 0));
    assert!(!question.may_be_asked(standing, limits.in_flight, 0));
    assert!(!question.unanswered().is_answer());
}

#[test]
fn a_token_may_lack_a_status_where_none_is_required() {
    let key = Key::new("ES256", "k");
    let without = get("/").bearer(key.token(json!({})));
    let fault = Err(CallFault::NotSent);
    for (required, expected) in [(false, PASSES), (true, "INVALID_TOKEN")] {
        let mut filter = filter(&key, json!({ "required": required }));
        assert_eq!(code(&mut filter, &without, fault), expected, "{required}");
    }
    // Where nobody looks for one, a token may say what it likes.
    let mut filter = Filter::new(only(provider([&key])));
    assert_eq!(code(&mut filter, &at(&key, 1), fault), PASSES);
}

#[test]
fn a_list_that_is_not_the_providers_is_none() {
    let [key, other] = [Key::new("ES256", "k"), Key::new("ES256", "k")];
    let [shared, unlisted] = [Key::new("ES256", "u"), Key::new("ES384", "k")];
    let with = |header: Value, changes: Value| sealed_with(&key, header, changes);
    let list = sealed(&key);
    let tampered = super::harness::keys::tampered(&list);
    for (what, list) in [
        ("no answer", None),
        ("nothing", Some(String::new())),
        ("no token", Some("{}".into())),
        ("another's key of that name", Some(sealed(&other))),
        ("a key that nobody knows", Some(sealed(&shared))),
        ("an algorithm that is not allowed", Some(sealed(&unlisted))),
        ("a broken signature", Some(tampered)),
        (
            "another type",
            Some(with(json!({ "typ": "at+jwt" }), json!({}))),
        ),
        (
            "no type",
            Some(with(json!({ "typ": Value::Null }), json!({}))),
        ),
        (
            "an extension",
            Some(with(json!({ "crit": ["x"] }), json!({}))),
        ),
        (
            "another list",
            Some(with(json!({}), json!({ "sub": format!("{PREFIX}2") }))),
        ),
        (
            "it has ended",
            Some(with(json!({}), json!({ "exp": NOW - 30 }))),
        ),
        (
            "no time of issue",
            Some(with(json!({}), json!({ "iat": Value::Null }))),
        ),
    ] {
        let list = list.as_deref().ok_or(CallFault::Status(404));
        let algorithms = json!({ "algorithms": ["ES256"] });
        for (on_unavailable, expected) in [("deny", UNAVAILABLE), ("danger_allow", PASSES)] {
            let provider = listed(
                amended(provider([&key]), algorithms.clone()),
                json!({ "on_unavailable": on_unavailable }),
            );
            let mut filter = Filter::new(only(provider));
            for _ in 0..2 {
                // It is not remembered either.
                let (answer, fetches) = ask(&mut filter, &at(&key, 0), list);
                assert_eq!(answer.code(), expected, "{what}");
                assert_eq!(fetches, 1, "{what}");
                if !answer.passes() {
                    assert_eq!(answer.header("retry-after"), Some("1"), "{what}");
                }
            }
            assert_eq!(code(&mut filter, &at(&key, 1), Ok(&sealed(&key))), REVOKED);
        }
    }
    let within = with(json!({}), json!({ "exp": NOW - 29 }));
    assert_eq!(
        code(&mut filter(&key, json!({})), &at(&key, 0), Ok(&within)),
        PASSES
    );
}

#[test]
fn a_list_is_fetched_again_when_its_time_is_up() {
    let key = Key::new("ES256", "k");
    let ask_at = |filter: &mut Filter, seconds: i64, list: &str| {
        ask(filter.at(seconds), &at(&key, 0), Ok(list)).1
    };
    let list = sealed(&key);
    let mut of_ttl = filter(&key, json!({}));
    assert_eq!(ask_at(&mut of_ttl, NOW, &list), 1);
    assert_eq!(ask_at(&mut of_ttl, NOW + 99, &list), 0);
    assert_eq!(ask_at(&mut of_ttl, NOW + 100, &list), 1);
    // It ends before, within the provider's tolerance.
    let list = sealed_with(&key, json!({}), json!({ "exp": NOW + 10 }));
    let mut of_end = filter(&key, json!({}));
    assert_eq!(ask_at(&mut of_end, NOW, &list), 1);
    assert_eq!(ask_at(&mut of_end, NOW + 39, &list), 0);
    assert_eq!(ask_at(&mut of_end, NOW + 40, &list), 1);
    // Set back, a clock makes nothing good for longer.
    let list = sealed(&key);
    let mut set_back = filter(&key, json!({}));
    assert_eq!(ask_at(&mut set_back, NOW + 50, &list), 1);
    assert_eq!(ask_at(&mut set_back, NOW + 50, &list), 0);
    assert_eq!(ask_at(&mut set_back, NOW + 40, &list), 1);
}

/// The key may also leave while a request waits for the list.
#[test]
fn a_list_whose_key_left_in_the_meantime_is_none() {
    let [tokens, lists] = [Key::new("ES256", "tokens"), Key::new("ES256", "lists")];
    let remote = remote_provider(ISSUER, "/jwks.json");
    for (left, expected) in [
        (jwks([&tokens, &lists]), PASSES),
        (jwks([&tokens]), UNAVAILABLE),
    ] {
        let mut filter = Filter::new(only(listed(remote.clone(), json!({}))));
        filter.adopt(0, &jwks([&tokens, &lists]));
        let ask = at(&tokens, 0);
        let Stage::Waits(waiting, Callout::Ask(question, _)) = filter.begin(&ask) else {
            panic!("it asks for the list");
        };
        let reply = learnt(&mut filter, &question, Ok(&sealed(&lists)));
        filter.adopt(0, &left);
        let Stage::Answered(answer) = filter.resume(waiting, &ask, reply) else {
            panic!("it has all that there is");
        };
        assert_eq!(answer.code(), expected);
    }
}

/// A list by a key that is not known yet: the keys are asked for, once.
#[test]
fn a_list_may_be_signed_by_a_new_key() {
    let [tokens, lists] = [Key::new("ES256", "tokens"), Key::new("ES256", "lists")];
    let remote = remote_provider(ISSUER, "/jwks.json");
    for (published, reply, expected) in [
        (
            Some(jwks([&tokens, &lists])),
            fetched(Fetch::Arrived),
            PASSES,
        ),
        (Some(jwks([&tokens])), fetched(Fetch::Arrived), UNAVAILABLE),
        (None, FAILED, UNAVAILABLE),
    ] {
        let mut filter = Filter::new(only(listed(remote.clone(), json!({}))));
        filter.adopt(0, &jwks([&tokens]));
        let ask = at(&tokens, 0);
        let Stage::Waits(waiting, Callout::Ask(question, _)) = filter.begin(&ask) else {
            panic!("it asks for the list");
        };
        let list = learnt(&mut filter, &question, Ok(&sealed(&lists)));
        assert!(list.is_answer());
        let Stage::Waits(waiting, Callout::Source(_)) = filter.resume(waiting, &ask, list) else {
            panic!("it asks for the keys");
        };
        assert_eq!(reply.is_answer(), published.is_some());
        if let Some(set) = published {
            filter.adopt(0, &set);
        }
        let Stage::Answered(answer) = filter.resume(waiting, &ask, reply) else {
            panic!("it has all that there is");
        };
        assert_eq!(answer.code(), expected);
    }
}
