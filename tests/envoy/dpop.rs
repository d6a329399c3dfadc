//! Proofs of possession (RFC 9449) in a real Envoy: by both verifiers, and counted once by all workers.

use serde_json::{Value, json};

use crate::harness::client::{Request, get, request};
use crate::harness::gateway::{Gateway, Outcome, Setup};
use crate::harness::keys::{Key, amended, encode, tampered};
use crate::harness::policy::{only, provider};
use crate::harness::refusal::{self, Challenge};

/// The tests' gateway has no TLS.
const URI: &str = "http://api.example.com/";

const WORKERS: u32 = 2;

fn policy(issuer: &Key, dpop: Value) -> Value {
    only(amended(provider([issuer]), json!({ "dpop": dpop })))
}

fn bound(issuer: &Key, client: &Key) -> String {
    issuer.token(json!({ "cnf": { "jkt": client.jkt() } }))
}

fn proven(token: &str, proof: &str) -> Request {
    get("/")
        .header("authorization", format!("DPoP {token}"))
        .header("dpop", proof)
}

#[track_caller]
fn assert_no_proof(outcome: &Outcome) {
    let verdict = refusal::check(&outcome.answer, "INVALID_DPOP_PROOF", Challenge::DPoP);
    assert!(verdict.is_ok(), "{verdict:?} in {outcome:?}");
}

#[test]
fn a_proof_holds_with_every_algorithm_and_counts_once() {
    let issuer = Key::new("ES256", "k");
    let all = [
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
    ];
    let gateway = Gateway::start(policy(&issuer, json!({ "algorithms": all })));
    for alg in all {
        let client = Key::new(alg, "client");
        let token = bound(&issuer, &client);
        let ask = proven(&token, &client.proof(URI, &token, json!({})));
        gateway.timed(ask.clone()).assert_passed();
        assert_no_proof(&gateway.timed(ask));
        let another = Key::new(alg, "another");
        let header = json!({ "typ": "dpop+jwt", "alg": alg, "jwk": client.jwk() });
        let claims = client.proof(URI, &token, json!({}));
        let claims = claims.split('.').nth(1).expect("claims");
        let signed = format!("{}.{claims}", encode(header.to_string()));
        let forged = if alg.starts_with(['R', 'P']) {
            // All RSA keys of these tests are the same one.
            tampered(&another.sign(&signed))
        } else {
            another.sign(&signed)
        };
        assert_no_proof(&gateway.timed(proven(&token, &forged)));
    }
}

/// Every proof is sent many times at once, on connections that the workers share: one of them passes.
#[test]
fn all_workers_together_take_a_proof_once() {
    const ROUNDS: usize = 40;
    const AT_ONCE: usize = 8;
    let (issuer, client) = (Key::new("ES256", "k"), Key::new("ES256", "client"));
    let gateway = Setup::of(policy(&issuer, json!({})))
        .workers(WORKERS)
        .start();
    let token = bound(&issuer, &client);
    for round in 0..ROUNDS {
        let ask = proven(&token, &client.proof(URI, &token, json!({})));
        let outcomes = gateway.send_all(vec![ask; AT_ONCE]);
        let (passed, refused): (Vec<_>, Vec<_>) = outcomes
            .into_iter()
            .partition(|outcome| outcome.answer.status == 200);
        assert_eq!(passed.len(), 1, "round {round}");
        refused.iter().for_each(assert_no_proof);
    }
    for worker in 0..WORKERS {
        let connections = format!("listener.127.0.0.1_0.worker_{worker}.downstream_cx_total");
        gateway.assert_counts_at_least(&connections, 1);
    }
    let refused = u64::try_from(ROUNDS * (AT_ONCE - 1)).expect("few");
    gateway.assert_counts(&[
        ("portcullis.allowed", u64::try_from(ROUNDS).expect("few")),
        ("portcullis.denied.invalid_dpop_proof", refused),
        ("portcullis.proofs.forgotten", 0),
    ]);
}

#[test]
fn a_full_memory_forgets_the_oldest_proof_and_counts_it() {
    let (issuer, client) = (Key::new("ES256", "k"), Key::new("ES256", "client"));
    let few = json!({ "replay_cache_entries": 2 });
    let gateway = Setup::of(policy(&issuer, few)).workers(WORKERS).start();
    let token = bound(&issuer, &client);
    let asks = [(); 3].map(|()| proven(&token, &client.proof(URI, &token, json!({}))));
    for ask in &asks {
        gateway.timed(ask.clone()).assert_passed();
    }
    assert_no_proof(&gateway.timed(asks[2].clone()));
    assert_no_proof(&gateway.timed(asks[1].clone()));
    gateway.timed(asks[0].clone()).assert_passed();
    gateway.assert_counts(&[("portcullis.proofs.forgotten", 2)]);
}

/// The memory is the process's: neither a new configuration nor another listener begins a new one.
#[test]
fn a_new_configuration_remembers_the_proofs_of_the_old_one() {
    let (issuer, client) = (Key::new("ES256", "k"), Key::new("ES256", "client"));
    let one = policy(&issuer, json!({}));
    let gateway = Setup::of(one.clone()).over_lds().start();
    let token = bound(&issuer, &client);
    let ask = proven(&token, &client.proof(URI, &token, json!({})));
    gateway.timed(ask.clone()).assert_passed();
    let mut next = one;
    next["realm"] = json!("next");
    assert!(gateway.update(next));
    let outcome = gateway.timed(ask);
    assert_no_proof(&outcome);
    gateway
        .timed(proven(&token, &client.proof(URI, &token, json!({}))))
        .assert_passed();
}

/// What a restart forgets, and what several Envoys do not tell each other.
#[test]
fn each_process_has_a_memory_of_its_own() {
    let (issuer, client) = (Key::new("ES256", "k"), Key::new("ES256", "client"));
    let token = bound(&issuer, &client);
    let ask = proven(&token, &client.proof(URI, &token, json!({})));
    for _ in ["one", "another"] {
        let gateway = Gateway::start(policy(&issuer, json!({})));
        gateway.timed(ask.clone()).assert_passed();
        assert_no_proof(&gateway.timed(ask.clone()));
    }
}

#[test]
fn a_proof_is_for_the_uri_that_the_client_used() {
    let (issuer, client) = (Key::new("ES256", "k"), Key::new("ES256", "client"));
    let gateway = Gateway::start(policy(&issuer, json!({})));
    let token = bound(&issuer, &client);
    let proof = |uri: &str| client.proof(uri, &token, json!({}));
    let ask = |uri: &str| proven(&token, &proof(uri));
    // Whatever the client writes, Envoy says how it came.
    for ask in [
        ask(URI).header("x-forwarded-proto", "https"),
        ask("http://api.example.com:80/?q"),
        ask("http://api.example.com:8080/").host("api.example.com:8080"),
    ] {
        gateway.timed(ask).assert_passed();
    }
    for ask in [
        ask("https://api.example.com/"),
        ask("https://api.example.com/").header("x-forwarded-proto", "https"),
        ask(URI).host("other.example.com"),
        ask(URI).host("api.example.com:8080"),
        ask("http://api.example.com/other"),
    ] {
        assert_no_proof(&gateway.timed(ask));
    }
    let post = request("POST", "/")
        .header("authorization", format!("DPoP {token}"))
        .header("dpop", proof(URI));
    assert_no_proof(&gateway.timed(post));
}

#[test]
fn proofs_stay_here_in_headers_and_trailers() {
    let (issuer, client) = (Key::new("ES256", "k"), Key::new("ES256", "client"));
    let mut config = policy(&issuer, json!({}));
    config["rules"] = json!([
        { "match": { "path": { "prefix": "/open" } }, "access": "anonymous" },
        { "match": { "path": { "exact": "/" } } },
    ]);
    let gateway = Gateway::start(config);
    let token = bound(&issuer, &client);
    let sound = client.proof(URI, &token, json!({}));
    for ask in [
        proven(&token, &sound),
        get("/open").header("DPoP", "x"),
        get("/open").header("DPoP", "x").header("dpop", "y"),
        request("POST", "/open").piece("body").trailer("DPoP", "x"),
    ] {
        let outcome = gateway.timed(ask);
        let seen = outcome.answer.seen().expect("it passes");
        assert_eq!(seen.all("dpop"), [""; 0], "{outcome:?}");
        assert_eq!(seen.all("authorization"), [""; 0], "{outcome:?}");
        assert!(seen.trailers.is_empty(), "{outcome:?}");
    }
    let twice = proven(&token, &client.proof(URI, &token, json!({}))).header("dpop", sound);
    assert_no_proof(&gateway.timed(twice));
}
