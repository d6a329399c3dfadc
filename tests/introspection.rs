//! What an answer about a token leads to (RFC 7662), from the request to the decision.

use std::rc::Rc;

use portcullis_core::decision::Verdict;
use portcullis_core::evaluation::{self, Step};
use portcullis_core::policy::{self, Policy};
use portcullis_core::request::Request;
use portcullis_core::secret::FingerprintKey;
use portcullis_core::time::UnixTime;
use portcullis_core::verification::callout::{Call, CallFault, Callout, Question};
use portcullis_core::verification::signature::Verifier;
use portcullis_core::verification::{Provenance, State};
use portcullis_testing::outside_data::corpus;
use serde_json::{Value, json};

const ISSUER: &str = "https://server.example.com/";
const AUDIENCE: &str = "https://protected.example.net/resource";
const NOW: i64 = 1_419_350_300;

/// A worker with one introspecting provider, and how often it has asked.
struct Worker {
    policy: Rc<Policy>,
    state: State,
    calls: usize,
}

impl Worker {
    /// `provider` and `rule` are laid over the defaults.
    fn new(provider: Value, rule: Value) -> Self {
        Worker::with_entries(provider, rule, 64)
    }

    fn with_entries(provider: Value, rule: Value, entries: usize) -> Self {
        Worker::configured(provider, rule, entries, json!({}))
    }

    fn configured(provider: Value, rule: Value, entries: usize, forward: Value) -> Self {
        let mut corp = json!({
            "issuer": ISSUER, "audiences": [AUDIENCE], "clock_tolerance": "0s",
            "introspection": {
                "cluster": "authority", "uri": "http://authority/introspect",
                "client_id": "gateway", "client_secret": { "danger_inline": "secret" },
                "cache_ttl": "60s", "negative_cache_ttl": "10s",
            },
        });
        merge(&mut corp, provider);
        let config = json!({
            "providers": { "corp": corp }, "rules": [rule], "forward": forward,
            "limits": { "introspection_cache_entries": entries },
        });
        let compiled = policy::compile(config.to_string().as_bytes(), &|_| None);
        let policy = Rc::new(compiled.unwrap_or_else(|e| panic!("{e}")).policy);
        let state = State::new(&policy, Verifier::software(), FingerprintKey::new([7; 16]));
        Worker {
            policy,
            state,
            calls: 0,
        }
    }

    /// The code of the decision, or `accept`; `answer` is what the endpoint says when asked.
    fn judge(&mut self, token: &str, answer: Result<&str, CallFault>, now: i64) -> String {
        let (code, _) = self.judge_with_source(token, answer, now);
        code
    }

    fn judge_with_source(
        &mut self,
        token: &str,
        answer: Result<&str, CallFault>,
        now: i64,
    ) -> (String, Option<Provenance>) {
        let authorization = format!("Bearer {token}");
        let headers: [(&[u8], &[u8]); 4] = [
            (b":method", b"GET"),
            (b":path", b"/"),
            (b":authority", b"api.example.com"),
            (b"authorization", authorization.as_bytes()),
        ];
        let request = Request::from_headers(&headers);
        let now = UnixTime::from_secs(now);
        let mut step = evaluation::begin(&self.policy, &mut self.state, &request, now);
        loop {
            let (waiting, reply) = match step {
                Step::Decided(decision) => {
                    return match decision.verdict {
                        Verdict::Allow(permit) => {
                            let source = permit.caller().map(|caller| caller.provenance());
                            ("accept".to_owned(), source)
                        }
                        Verdict::Metadata(_) => panic!("no resource is configured"),
                        Verdict::Deny(denial) => (denial.code.name().to_owned(), None),
                    };
                }
                Step::Await(waiting, Callout::Ask(question, _)) => {
                    self.calls += 1;
                    let answer = answer.map(str::as_bytes);
                    let reply = self.state.learn(&self.policy, &question, answer, now);
                    (waiting, reply)
                }
                Step::Await(waiting, Callout::ClientCertificate) => {
                    use portcullis_core::verification::callout::Reply;
                    (waiting, Reply::ClientCertificate(None))
                }
                Step::Await(_, other) => panic!("{other:?}"),
            };
            step = waiting.resume(&mut self.state, &request, reply, now);
        }
    }

    /// What a request with this token would ask.
    fn asks(&mut self, token: &str) -> (Question, Box<Call>) {
        let authorization = format!("Bearer {token}");
        let headers: [(&[u8], &[u8]); 4] = [
            (b":method", b"GET"),
            (b":path", b"/"),
            (b":authority", b"api.example.com"),
            (b"authorization", authorization.as_bytes()),
        ];
        let request = Request::from_headers(&headers);
        let now = UnixTime::from_secs(NOW);
        match evaluation::begin(&self.policy, &mut self.state, &request, now) {
            Step::Await(_, Callout::Ask(question, call)) => (question, call),
            _ => panic!("nothing is asked about {token}"),
        }
    }
}

fn merge(into: &mut Value, changes: Value) {
    match (into, changes) {
        (Value::Object(into), Value::Object(changes)) => {
            for (name, change) in changes {
                if change.is_null() {
                    into.remove(&name);
                } else {
                    merge(into.entry(name).or_insert(Value::Null), change);
                }
            }
        }
        (into, change) => *into = change,
    }
}

fn active(changes: Value) -> String {
    let mut answer = json!({ "active": true, "aud": AUDIENCE, "sub": "alice", "exp": NOW + 600 });
    merge(&mut answer, changes);
    answer.to_string()
}

#[test]
fn answers_of_the_catalogue() {
    let Some(catalogue) = corpus("oauth.json") else {
        return;
    };
    let cases = catalogue["introspection"].as_array().unwrap();
    for case in cases {
        let id = case["id"].as_str().unwrap();
        let scopes = case.get("require_scope").cloned().unwrap_or(json!([]));
        let mut provider = json!({});
        match case.get("require_aud") {
            Some(audience) => provider["audiences"] = json!([audience]),
            None => provider = json!({ "audiences": null, "danger_any_audience": true }),
        }
        let mut worker = Worker::new(provider, json!({ "scopes": { "all": scopes } }));
        let now = case["now"].as_i64().unwrap_or(NOW);
        let oversize = format!("{{\"active\":true,\"x\":\"{}\"}}", "x".repeat(1 << 20));
        let answer = match (id, case["http_status"].as_u64().unwrap()) {
            ("i-timeout", _) => Err(CallFault::Timeout),
            ("i-oversize", _) => {
                let limits = worker.asks("token").0.limits();
                assert!(oversize.len() > limits.bytes);
                Err(CallFault::TooLarge)
            }
            ("i-form-encoding", _) => {
                // Not every character of it is one of a b64token, but all that a call can carry.
                let body = worker.asks("a+b/c==").1.body;
                let expected = "token=a%2Bb%2Fc%3D%3D&token_type_hint=access_token";
                assert_eq!(String::from_utf8(body).unwrap(), expected);
                continue;
            }
            (_, 200) => Ok(case["response"].as_str().unwrap()),
            (_, status) => Err(CallFault::Status(u32::try_from(status).unwrap())),
        };
        let code = worker.judge("token", answer, now);
        match case["expected"].as_str().unwrap() {
            "accept" => assert_eq!(code, "accept", "{id}"),
            "reject" => assert_ne!(code, "accept", "{id}"),
            // What the catalogue leaves open: an array of scopes counts by its elements, and all
            // else that is not as it should be is refused.
            "policy" if id == "i-scope-array" => assert_eq!(code, "accept", "{id}"),
            "policy" => assert_ne!(code, "accept", "{id}"),
            other => panic!("{id}: {other}"),
        }
        let is_ours = answer.is_err() || ["i-empty", "i-trailing", "i-no-active"].contains(&id);
        if is_ours {
            assert_eq!(code, "INTROSPECTION_UNAVAILABLE", "{id}");
            // It was no answer: the next request asks again, and an answer heals it.
            let healed = worker.judge(
                "token",
                Ok(&active(
                    json!({ "aud": case["require_aud"], "scope": "read write", "exp": now + 600 }),
                )),
                now,
            );
            assert_eq!(healed, "accept", "{id}");
        }
    }
    assert!(cases.len() > 30);
}

#[test]
fn an_answer_is_judged_like_a_token() {
    let cases = [
        (json!({}), "accept"),
        // RFC 7662 §2.2 lets it be absent, whatever is required of tokens.
        (json!({ "exp": null }), "accept"),
        (json!({ "iss": ISSUER }), "accept"),
        // Counted in milliseconds, and the last second that can be written.
        (json!({ "exp": NOW * 1000 }), "accept"),
        (json!({ "exp": 253_402_300_799_i64 }), "accept"),
        (json!({ "token_type": "bearer" }), "accept"),
        (json!({ "token_type": "access_token" }), "accept"),
        (json!({ "typ": "at+jwt" }), "accept"),
        (json!({ "typ": "Identity" }), "accept"),
        (json!({ "active": false }), "TOKEN_INACTIVE"),
        (json!({ "active": "true" }), "INTROSPECTION_UNAVAILABLE"),
        (json!({ "active": 1 }), "INTROSPECTION_UNAVAILABLE"),
        (json!({ "active": null }), "INTROSPECTION_UNAVAILABLE"),
        (json!({ "exp": NOW }), "TOKEN_EXPIRED"),
        (json!({ "exp": -1 }), "TOKEN_EXPIRED"),
        (json!({ "exp": "9999999999" }), "MALFORMED_TOKEN"),
        (json!({ "nbf": NOW + 1 }), "TOKEN_NOT_YET_VALID"),
        (
            json!({ "iss": "https://server.example.com" }),
            "INVALID_ISSUER",
        ),
        (json!({ "iss": 7 }), "INVALID_ISSUER"),
        (json!({ "aud": null }), "INVALID_AUDIENCE"),
        (json!({ "aud": "other" }), "INVALID_AUDIENCE"),
        (json!({ "aud": 7 }), "MALFORMED_TOKEN"),
        (json!({ "sub": 7 }), "MALFORMED_TOKEN"),
        (json!({ "jti": [] }), "MALFORMED_TOKEN"),
        (json!({ "sub": "a\nb" }), "INVALID_TOKEN"),
        (json!({ "cnf": { "jkt": "x" } }), "INVALID_TOKEN"),
        (
            json!({ "cnf": { "x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg0" } }),
            "INVALID_TOKEN",
        ),
        (json!({ "token_type": 7 }), "MALFORMED_TOKEN"),
        (json!({ "token_type": "DPoP" }), "INVALID_TOKEN"),
        (json!({ "token_type": "refresh_token" }), "INVALID_TOKEN"),
        (
            json!({ "token_type": "urn:ietf:params:oauth:token-type:id_token" }),
            "INVALID_TOKEN",
        ),
        (json!({ "token_use": "id" }), "INVALID_TOKEN"),
        (json!({ "token_use": "refresh" }), "INVALID_TOKEN"),
        (json!({ "typ": "Refresh" }), "INVALID_TOKEN"),
        (json!({ "typ": "Offline" }), "INVALID_TOKEN"),
        (json!({ "typ": "ID" }), "INVALID_TOKEN"),
    ];
    for (changes, expected) in cases {
        let answer = active(changes.clone());
        let mut worker = Worker::new(json!({}), json!({}));
        for _ in ["asked", "remembered"] {
            assert_eq!(worker.judge("t", Ok(&answer), NOW), expected, "{changes}");
        }
    }
}

#[test]
fn facts_end_with_their_time_or_the_tokens() {
    let yes = active(json!({}));
    let no = r#"{"active":false}"#;
    let mut worker = Worker::new(json!({}), json!({}));
    let (code, source) = worker.judge_with_source("t", Ok(&yes), NOW);
    assert_eq!(code, "accept");
    assert!(matches!(source, Some(Provenance::Callout { age }) if age.is_zero()));
    let (code, source) = worker.judge_with_source("t", Ok(no), NOW + 59);
    assert_eq!(code, "accept");
    assert!(matches!(source, Some(Provenance::Cache { age }) if age.as_secs() == 59));
    assert_eq!(worker.calls, 1);
    // cache_ttl is over, and what it is then told is remembered for negative_cache_ttl.
    assert_eq!(worker.judge("t", Ok(no), NOW + 60), "TOKEN_INACTIVE");
    assert_eq!(worker.judge("t", Ok(&yes), NOW + 69), "TOKEN_INACTIVE");
    assert_eq!(worker.calls, 2);
    assert_eq!(worker.judge("t", Ok(&yes), NOW + 70), "accept");

    // A token that ends before does not outlive itself.
    let soon = active(json!({ "exp": NOW + 5 }));
    assert_eq!(worker.judge("soon", Ok(&soon), NOW), "accept");
    assert_eq!(worker.judge("soon", Ok(no), NOW + 4), "accept");
    assert_eq!(worker.judge("soon", Ok(no), NOW + 5), "TOKEN_INACTIVE");

    let zero = json!({ "introspection": { "cache_ttl": "0s", "negative_cache_ttl": "0s" } });
    let mut worker = Worker::new(zero, json!({}));
    for _ in 0..3 {
        assert_eq!(worker.judge("t", Ok(&yes), NOW), "accept");
        assert_eq!(worker.judge("u", Ok(no), NOW), "TOKEN_INACTIVE");
    }
    assert_eq!(worker.calls, 6);
}

#[test]
fn failures_are_never_remembered() {
    let yes = active(json!({}));
    let faults = [
        CallFault::BrokenOff,
        CallFault::NotSent,
        CallFault::Status(401),
        CallFault::Timeout,
        CallFault::TooLarge,
    ];
    let mut worker = Worker::new(json!({}), json!({}));
    for (i, fault) in faults.into_iter().enumerate() {
        let token = format!("t{i}");
        let code = worker.judge(&token, Err(fault), NOW);
        assert_eq!(code, "INTROSPECTION_UNAVAILABLE", "{fault:?}");
        assert_eq!(worker.judge(&token, Ok(&yes), NOW), "accept", "{fault:?}");
    }
}

#[test]
fn random_tokens_push_out_no_good_one() {
    let mut worker = Worker::with_entries(json!({}), json!({}), 8);
    let yes = active(json!({}));
    for n in 0..8 {
        assert_eq!(worker.judge(&format!("good{n}"), Ok(&yes), NOW), "accept");
    }
    for n in 0..1000 {
        let code = worker.judge(&format!("bad{n}"), Ok(r#"{"active":false}"#), NOW);
        assert_eq!(code, "TOKEN_INACTIVE");
    }
    let before = worker.calls;
    for n in 0..8 {
        let code = worker.judge(&format!("good{n}"), Err(CallFault::NotSent), NOW);
        assert_eq!(code, "accept");
    }
    assert_eq!(worker.calls, before);
}

/// A remembered answer takes the memory of what it says, so that a few large ones push each other out.
#[test]
fn what_is_remembered_has_its_bound() {
    let large = active(json!({ "x": "y".repeat(9000) }));
    // Four entries of 4 KiB on the average: one of these fits, and not two.
    for (forward, calls) in [
        (json!({}), 2),
        (json!({ "payload_header": "x-claims" }), 3),
        (json!({ "headers": { "x-y": "claim:x" } }), 3),
    ] {
        let mut worker = Worker::configured(json!({}), json!({}), 4, forward.clone());
        for token in ["a", "b", "a"] {
            assert_eq!(worker.judge(token, Ok(&large), NOW), "accept", "{forward}");
        }
        assert_eq!(worker.calls, calls, "{forward}");
    }
}

#[test]
fn rules_are_judged_anew_on_what_is_remembered() {
    let rule =
        json!({ "scopes": { "all": ["read"] }, "claims": [{ "claim": "org", "equals": "acme" }] });
    for (answer, expected) in [
        (json!({ "scope": "read", "org": "acme" }), "accept"),
        (
            json!({ "scope": "write", "org": "acme" }),
            "INSUFFICIENT_SCOPE",
        ),
        (json!({ "org": "acme" }), "INSUFFICIENT_SCOPE"),
        (json!({ "scope": "read", "org": "other" }), "CLAIM_MISMATCH"),
    ] {
        let mut worker = Worker::new(json!({}), rule.clone());
        for _ in ["asked", "remembered"] {
            let code = worker.judge("t", Ok(&active(answer.clone())), NOW);
            assert_eq!(code, expected, "{answer}");
        }
        assert_eq!(worker.calls, 1);
    }
}

#[test]
fn two_tokens_are_two_questions_and_neither_tells_the_token() {
    let mut worker = Worker::new(json!({}), json!({}));
    let (one, call) = worker.asks("one");
    let (two, _) = worker.asks("two");
    assert_ne!(one, two);
    assert_eq!(worker.asks("one").0, one);
    let printed = format!("{one:?} {call:?}");
    assert!(
        !printed.contains("one") && !printed.contains("Basic"),
        "{printed}"
    );
}
