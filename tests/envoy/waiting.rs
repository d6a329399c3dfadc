//! Requests that wait for a callout: nothing of them goes on before they are judged, whatever else Envoy asks the filter
//! about, and however their bodies come.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use portcullis_testing::http2;
use serde_json::{Value, json};

use crate::harness::client::{Answer, Request, get, request};
use crate::harness::gateway::Setup;
use crate::harness::keys::{Key, amended, fresh_api_key, jwks, sha256};
use crate::harness::policy::{AUDIENCE, ISSUER, api_key, provider, remote_provider};
use crate::harness::refusal::{self, Challenge};
use crate::harness::service::{Reply, Service};
use crate::harness::{PATIENCE, now, poll};
use crate::status_list;

/// What every callout sends along but introspection, which has its client.
const AUTHORIZATION: &str = "Basic Z2F0ZXdheTpzZWNyZXQ=";

const LARGE: usize = 5 << 20;

/// Answers by path, all of them when it is told to.
struct Held {
    service: Service,
    is_open: Arc<AtomicBool>,
}

impl Held {
    fn new(replies: HashMap<&'static str, Reply>) -> Self {
        let is_open = Arc::new(AtomicBool::new(false));
        let gate = Arc::clone(&is_open);
        let service = Service::start(move |call| {
            let opened = poll(PATIENCE, || gate.load(Ordering::Relaxed).then_some(()));
            opened.expect("the gate opens");
            let reply = replies.get(call.route()).cloned();
            reply.unwrap_or_else(|| Reply::with(404, "text/plain", "nothing here"))
        });
        Held { service, is_open }
    }

    fn open(&self) {
        self.is_open.store(true, Ordering::Relaxed);
    }
}

/// Something that requests wait for.
struct Awaited {
    /// As counters name it, and where it is.
    callout: &'static str,
    route: &'static str,
    reply: Reply,
    policy: Value,
    /// Where the credential is, and what is put there.
    header: &'static str,
    credential: String,
    bad_credential: String,
    code: &'static str,
}

impl Awaited {
    /// Each kind of body over each protocol, good and bad: all wait together, and nothing passes before its time.
    fn check(&self, stop_iteration: bool) {
        let held = Held::new(HashMap::from([(self.route, self.reply.clone())]));
        let gateway = Setup::of(self.policy.clone())
            .cluster("authority", held.service.port())
            .environment("AUTHORIZATION", AUTHORIZATION)
            .environment("INTROSPECTION_SECRET", "secret")
            .stop_iteration(stop_iteration)
            .start();
        let mut cases = Vec::new();
        for is_http2 in [false, true] {
            for (body, bytes, request) in bodies(self.header) {
                let is_large = bytes == LARGE as u64;
                for is_good in [true, false] {
                    // Who is refused need not get rid of all that it has to send.
                    if is_good || !is_large {
                        cases.push((body, bytes, request.clone(), is_http2, is_good));
                    }
                }
            }
        }
        let total = u64::try_from(cases.len()).expect("a few");
        thread::scope(|scope| {
            let sent: Vec<_> = cases
                .iter()
                .map(|(body, bytes, request, is_http2, is_good)| {
                    let name = format!(
                        "{}: {body}, HTTP/2: {is_http2}, flag: {stop_iteration}",
                        self.callout
                    );
                    let request = request.clone().header("x-auth-subject", "root");
                    let gateway = &gateway;
                    let thread = scope.spawn(move || {
                        let credential = match is_good {
                            true => &self.credential,
                            false => &self.bad_credential,
                        };
                        let request = request.header(self.header, credential);
                        match is_http2 {
                            true => http2::send(&request, gateway.port()).expect("an answer"),
                            false => gateway.send(&request),
                        }
                    });
                    (name, *bytes, *is_good, thread)
                })
                .collect();
            let joined = || gateway.counter(&format!("portcullis.callout.{}.joined", self.callout));
            // The first of each question asks it.
            let all_wait = poll(PATIENCE, || (joined() + 2 >= total).then_some(()));
            thread::sleep(Duration::from_millis(300));
            let passed = gateway.upstream_calls();
            held.open();
            assert!(all_wait.is_some(), "{} of {total} joined", joined());
            assert_eq!(
                passed, 0,
                "{}: requests pass before they are judged",
                self.callout
            );
            for (name, bytes, is_good, thread) in sent {
                let answer = thread.join().expect("an answer");
                match is_good {
                    true => check_passed(&name, &answer, bytes),
                    false => {
                        let challenge = match self.code {
                            "INVALID_API_KEY" => Challenge::ApiKey,
                            _ => Challenge::Bearer,
                        };
                        let verdict = refusal::check(&answer, self.code, challenge);
                        assert!(verdict.is_ok(), "{name}: {verdict:?} {answer:?}");
                    }
                }
            }
        });
        let calls = held.service.calls();
        let asked = calls.iter().filter(|call| call.route() == self.route);
        for call in asked {
            let expected = match self.callout {
                "introspection" => "Basic Z2F0ZXdheTpzZWNyZXQ=",
                _ => AUTHORIZATION,
            };
            assert_eq!(call.header("authorization").as_deref(), Some(expected));
        }
    }
}

fn check_passed(name: &str, answer: &Answer, bytes: u64) {
    let seen = answer
        .seen()
        .unwrap_or_else(|why| panic!("{name}: {why} {answer:?}"));
    assert_eq!(seen.body_bytes, bytes, "{name}");
    assert!(!seen.all("x-auth-subject").contains(&"root"), "{name}");
    let trailers: Vec<&str> = seen
        .trailers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    let expected: &[&str] = match name.contains("trailers") {
        true => &["x-checksum"],
        false => &[],
    };
    assert_eq!(trailers, expected, "{name}");
}

/// Requests with every kind of body, and its length.
fn bodies(credential: &'static str) -> Vec<(&'static str, u64, Request)> {
    let post = || request("POST", "/x");
    let trailed = move |request: Request| {
        request
            .trailer("x-checksum", "1")
            .trailer("x-auth-subject", "root")
            .trailer("x.auth_subject", "root")
            .trailer(credential, "Bearer forged")
    };
    vec![
        ("no body", 0, get("/x")),
        ("in one piece", 10, post().body("0123456789")),
        (
            "in many pieces",
            20,
            post()
                .piece("01234")
                .piece("56789")
                .piece("01234")
                .piece("56789"),
        ),
        ("of 5 MiB", LARGE as u64, post().body(vec![b'x'; LARGE])),
        (
            "with trailers",
            10,
            trailed(post().piece("01234").piece("56789")),
        ),
        ("nothing but trailers", 0, trailed(post())),
    ]
}

fn bearer(token: String) -> String {
    format!("Bearer {token}")
}

fn with_provider(provider: Value) -> Value {
    json!({ "providers": { "corp": provider }, "rules": [{}] })
}

fn remote(uri: &str, more: Value) -> Value {
    let common = json!({
        "cluster": "authority", "uri": format!("http://authority{uri}"), "timeout": "30s",
        "authorization": { "env": "AUTHORIZATION" },
    });
    amended(common, more)
}

#[test]
fn for_keys() {
    let (key, other) = (Key::new("ES256", "k"), Key::new("ES256", "k"));
    let mut provider = remote_provider(ISSUER, "/jwks");
    provider["jwks"]["remote"] = remote("/jwks", json!({}));
    let awaited = Awaited {
        callout: "jwks",
        route: "/jwks",
        reply: Reply::json(&jwks([&key])),
        policy: with_provider(provider),
        header: "authorization",
        credential: bearer(key.token(json!({}))),
        bad_credential: bearer(other.token(json!({}))),
        code: "INVALID_SIGNATURE",
    };
    awaited.check(false);
    awaited.check(true);
}

/// One answer is for one token: the other is not the token of its audience.
#[test]
fn for_an_introspection() {
    let key = Key::new("ES256", "k");
    let introspection = json!({ "introspection": {
        "cluster": "authority", "uri": "http://authority/introspect", "timeout": "30s", "when": "always",
        "client_id": "gateway", "client_secret": { "env": "INTROSPECTION_SECRET" },
    } });
    let answer = json!({ "active": true, "aud": AUDIENCE, "sub": "alice", "exp": now() + 600 });
    let awaited = Awaited {
        callout: "introspection",
        route: "/introspect",
        reply: Reply::json(&answer),
        policy: with_provider(amended(provider([&key]), introspection)),
        header: "authorization",
        credential: bearer(key.token(json!({}))),
        bad_credential: bearer(key.token(json!({ "sub": "bob" }))),
        code: "INVALID_TOKEN",
    };
    awaited.check(false);
    awaited.check(true);
}

#[test]
fn for_a_revocation_list() {
    let key = Key::new("ES256", "k");
    let list = json!({ "revocation": { "list": remote("/list", json!({})) } });
    let page = json!({ "cursor": "1", "revoked": [{ "jti": "lost", "exp": now() + 600 }] });
    let awaited = Awaited {
        callout: "revocation",
        route: "/list",
        reply: Reply::json(&page),
        policy: with_provider(amended(provider([&key]), list)),
        header: "authorization",
        credential: bearer(key.token(json!({ "jti": "kept" }))),
        bad_credential: bearer(key.token(json!({ "jti": "lost" }))),
        code: "TOKEN_REVOKED",
    };
    awaited.check(false);
    awaited.check(true);
}

#[test]
fn for_a_status_list() {
    let key = Key::new("ES256", "k");
    let mut lists = remote("", json!({ "uri_prefix": status_list::PREFIX }));
    lists.as_object_mut().expect("an object").remove("uri");
    let status = json!({ "revocation": { "status_list": lists } });
    let at = |index: u64| {
        let reference = json!({ "uri": format!("{}1", status_list::PREFIX), "idx": index });
        bearer(key.token(json!({ "status": { "status_list": reference } })))
    };
    let awaited = Awaited {
        callout: "status_list",
        route: "/status/1",
        reply: status_list::answered(status_list::sealed(
            &key,
            &status_list::list("1", 1, &[0b10]),
        )),
        policy: with_provider(amended(provider([&key]), status)),
        header: "authorization",
        credential: at(0),
        bad_credential: at(1),
        code: "TOKEN_REVOKED",
    };
    awaited.check(false);
    awaited.check(true);
}

#[test]
fn for_api_keys() {
    let (good, bad) = (fresh_api_key(), fresh_api_key());
    let keys = json!({ "keys": [api_key("one", &sha256(&good))] });
    let policy = json!({
        "api_keys": {
            "remote": remote("/api-keys", json!({})),
        },
        "rules": [{}],
    });
    let awaited = Awaited {
        callout: "api_keys",
        route: "/api-keys",
        reply: Reply::json(&keys),
        policy,
        header: "x-api-key",
        credential: good,
        bad_credential: bad,
        code: "INVALID_API_KEY",
    };
    awaited.check(false);
    awaited.check(true);
}

/// Unknown tokens, however many, cannot take the call slots that are reserved for tokens that were active a moment ago.
#[test]
fn for_tokens_that_were_active_there_are_slots() {
    const STRANGERS: usize = 300;
    let is_open = Arc::new(AtomicBool::new(false));
    let gate = Arc::clone(&is_open);
    let active = json!({ "active": true, "aud": AUDIENCE, "sub": "alice" });
    let authority = Service::start(move |call| {
        let asks_about = |token: &str| String::from_utf8_lossy(&call.body).contains(token);
        if asks_about("token=good") {
            return Reply::json(&active);
        }
        let _ = poll(PATIENCE, || gate.load(Ordering::Relaxed).then_some(()));
        Reply::json(&json!({ "active": false }))
    });
    let introspection = json!({
        "cluster": "authority", "uri": "http://authority/introspect", "timeout": "60s", "cache_ttl": "0s",
        "client_id": "gateway", "client_secret": { "env": "INTROSPECTION_SECRET" },
    });
    let provider =
        json!({ "issuer": ISSUER, "audiences": [AUDIENCE], "introspection": introspection });
    let gateway = Setup::of(with_provider(provider))
        .cluster("authority", authority.port())
        .environment("INTROSPECTION_SECRET", "secret")
        .start();
    let good = |n: usize| get("/").bearer(format!("good{n}"));
    for n in 0..20 {
        assert_eq!(gateway.send(&good(n)).status, 200);
    }
    thread::scope(|scope| {
        let flood = scope.spawn(|| {
            let stranger = |n: usize| get("/").bearer(format!("stranger{n}"));
            gateway.send_all((0..STRANGERS).map(stranger).collect())
        });
        // 192 of the 256 are under way, and all others were refused at once.
        authority.await_count("/introspect", 20 + 192);
        let refused = || gateway.counter("portcullis.denied.introspection_unavailable");
        let at_once = u64::try_from(STRANGERS - 192).expect("a few");
        let full = poll(PATIENCE, || (refused() == at_once).then_some(()));
        let known: Vec<u16> = (0..20).map(|n| gateway.send(&good(n)).status).collect();
        let newcomer = gateway.send(&get("/").bearer("goodbye"));
        is_open.store(true, Ordering::Relaxed);
        let outcomes = flood.join().expect("answers");
        assert!(full.is_some(), "{} refused at once", refused());
        assert_eq!(known, [200; 20]);
        assert_eq!(newcomer.status, 503, "{newcomer:?}");
        let inactive = outcomes.iter().filter(|o| o.answer.status == 401).count();
        assert_eq!(inactive, 192);
    });
    assert_eq!(gateway.send(&get("/").bearer("goodbye")).status, 200);
}

/// The host does what was asked of it for each request when the callback ends, one within the other: too many at once
/// were the end of the VM.
#[test]
fn in_great_numbers() {
    const REQUESTS: usize = 1000;
    let is_open = Arc::new(AtomicBool::new(false));
    let gate = Arc::clone(&is_open);
    let key = Key::new("ES256", "k");
    let keys = jwks([&key]);
    let authority = Service::start(move |call| {
        let _ = poll(PATIENCE, || gate.load(Ordering::Relaxed).then_some(()));
        match call.route() {
            "/jwks" => Reply::json(&keys),
            _ => Reply::json(&json!({ "active": false })),
        }
    });
    let introspection = json!({
        "cluster": "authority", "uri": "http://authority/introspect", "timeout": "60s",
        "client_id": "gateway", "client_secret": { "env": "INTROSPECTION_SECRET" },
    });
    let mut provider = remote_provider(ISSUER, "/jwks");
    provider["jwks"]["remote"] = remote("/jwks", json!({ "timeout": "60s" }));
    provider["introspection"] = introspection;
    let gateway = Setup::of(with_provider(provider))
        .cluster("authority", authority.port())
        .environment("AUTHORIZATION", AUTHORIZATION)
        .environment("INTROSPECTION_SECRET", "secret")
        .start();
    let good = get("/").bearer(key.token(json!({})));
    let unknown = get("/").bearer(Key::new("ES256", "unknown").token(json!({})));
    let opaque = get("/").bearer("opaque");
    let kinds = [&good, &unknown, &opaque];
    let outcomes = thread::scope(|scope| {
        let requests = (0..REQUESTS).map(|n| kinds[n % 3].clone()).collect();
        let sent = scope.spawn(|| gateway.send_all(requests));
        let joined = || {
            let joined = |callout| gateway.counter(&format!("portcullis.callout.{callout}.joined"));
            joined("jwks") + joined("introspection")
        };
        let all_wait = poll(PATIENCE, || (joined() + 2 >= REQUESTS as u64).then_some(()));
        is_open.store(true, Ordering::Relaxed);
        assert!(all_wait.is_some(), "{} joined", joined());
        sent.join().expect("answers")
    });
    for (n, outcome) in outcomes.iter().enumerate() {
        match n % 3 {
            0 => outcome.assert_passed(),
            1 => outcome.assert_refused("UNKNOWN_KEY"),
            _ => outcome.assert_refused("TOKEN_INACTIVE"),
        }
    }
    let log = gateway.log();
    assert!(!log.contains("call stack"), "{}", gateway.log_tail());
}
