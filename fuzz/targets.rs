//! What each fuzz target does with its input. Each says whether the input was accepted, and
//! asserts what must hold for every input. It uses only the crate's public API.
//!
//! `fuzz_targets/` runs them under libFuzzer, from the seeds in `corpus/`; `tests/fuzz_corpora.rs`
//! replays the seeds with every `cargo test`. A seed's name begins with the expected result:
//! `accepted-` or `refused-`.
//!
//! The signed inputs of the corpora are signed with the example keys of RFC 7515 §A.3 (`ec`) and
//! RFC 8037 §A.1 (`ed`), whose private keys are in the RFCs, or with the RSA key of the tests
//! (`rsa`). Only these inputs may ever verify; the clock stands at [`NOW`].

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use portcullis_core::config::protobuf_struct;
use portcullis_core::credential::{self, Credential, Stripped};
use portcullis_core::decision::{Decision, Verdict};
use portcullis_core::effects::{self, HeaderMutation, LocalReply, Outcome};
use portcullis_core::evaluation::{self, Step};
use portcullis_core::fetch_lease::{self, FetchLease, Plan, Schedule};
use portcullis_core::json::{self, Value};
use portcullis_core::keys::{Candidates, KeyId, KeySet, Origin};
use portcullis_core::limits;
use portcullis_core::mcp::Message;
use portcullis_core::policy::requirement::Access;
use portcullis_core::policy::{Policy, ProviderId, compile, compile_api_keys};
use portcullis_core::request::header_name::folded_name;
use portcullis_core::request::path::CanonicalPath;
use portcullis_core::request::{Request, RequestTarget};
use portcullis_core::revocation::{
    Kind, ListReplica, Progress, Retention, RevocationSubject, SharedKey, Update,
};
use portcullis_core::secret::{Digest, FingerprintKey};
use portcullis_core::time::UnixTime;
use portcullis_core::verification::callout::{Callout, Listed, Question, Replies, Reply};
use portcullis_core::verification::claims::{ClaimsSource, validate_claims};
use portcullis_core::verification::introspection::Introspected;
use portcullis_core::verification::proof::{self, Demand, KnownProofKeys};
use portcullis_core::verification::signature::Verifier;
use portcullis_core::verification::status_list::{StatusList, StatusListToken};
use portcullis_core::verification::{self, Context, Provenance, State, Unproven, Unverified};

mod state;

/// 2023-11-14T22:13:20Z
pub const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

/// The signed token that verifies fastest.
const EDDSA: &[u8] = include_bytes!("corpus/token/accepted-eddsa");

/// Every token that was signed by a key of `policies/tokens.json`.
const TOKENS: [&[u8]; 5] = [
    include_bytes!("corpus/token/accepted-rs256"),
    include_bytes!("corpus/token/accepted-es256"),
    // RFC 7518 does not rule it out; it says nothing that the signer did not say.
    include_bytes!("corpus/token/accepted-es256-with-high-s"),
    EDDSA,
    include_bytes!("corpus/token/accepted-ps256-without-kid"),
];

/// Every proof of possession that was signed for [`proof`] and holds.
const PROOFS: [&[u8]; 4] = [
    include_bytes!("corpus/proof/accepted-eddsa"),
    include_bytes!("corpus/proof/accepted-equivalent-uri"),
    include_bytes!("corpus/proof/accepted-es256"),
    include_bytes!("corpus/proof/accepted-nonce-and-kid"),
];

/// The thumbprints of the keys that they were signed with.
const CLIENTS: [&str; 2] = [
    "bqP8-99uxWkMkCI7Pq38959fO1NCnPU_5t0Y1C5XwNA",
    "Lp3J5UFBWbuJTIk5dm8ONXaEI3C5jirdNQUpmbeCXU4",
];

const API_KEY: &[u8] = b"correct horse";

/// A secret in the environment. No message may contain it.
const PEPPER: &str = "0123456789abcdef0123";

/// Every status list that is signed and valid, except perhaps for its checksum.
const STATUS_LISTS: [&[u8]; 3] = [
    include_bytes!("corpus/status_list/accepted-one-bit"),
    include_bytes!("corpus/status_list/accepted-eight-bits-with-ttl"),
    // Fuzzing builds check no checksum (`cfg(fuzzing)` in the decompressor); all others do.
    include_bytes!("corpus/status_list/refused-wrong-checksum"),
];

const STATUS_LIST_URI: &str = "http://authority/status/1";

thread_local! {
    static KEY: Cell<KeyId> = Cell::new(some_key());
    static TOKEN_POLICY: Rc<Policy> = policy(include_bytes!("policies/tokens.json"));
    static REQUEST_POLICY: Rc<Policy> = policy(include_bytes!("policies/requests.json"));
    static PROOF_POLICY: Rc<Policy> = policy(include_bytes!("policies/proofs.json"));
    static CALLOUT_POLICY: Rc<Policy> = policy(include_bytes!("policies/callouts.json"));
    static STATE_POLICY: Rc<Policy> = policy(include_bytes!("policies/state.json"));
}

fn policy(configuration: &[u8]) -> Rc<Policy> {
    match compile(configuration, &environment) {
        Ok(compiled) => Rc::new(compiled.policy),
        Err(invalid) => panic!("{invalid}"),
    }
}

/// To open a status list, a key is needed.
fn some_key() -> KeyId {
    let jwks = include_bytes!("corpus/jwks/accepted-three-kinds");
    let (set, _) = KeySet::parse(jwks, Origin::Remote).expect("a key set");
    set.iter().next().expect("a key").id()
}

fn environment(name: &str) -> Option<String> {
    (name == "PEPPER").then(|| PEPPER.to_owned())
}

fn provider(policy: &Policy, name: &str) -> ProviderId {
    let index = policy.providers.iter().position(|p| &*p.name == name);
    ProviderId(index.expect("a provider of that name"))
}

fn fresh(policy: &Policy) -> State {
    State::new(policy, Verifier::software(), FingerprintKey::new([7; 16]))
}

// === token ===

/// A bearer token, from its form to its signature. Only the signed tokens verify, and a cached token has the
/// facts that were verified.
pub fn token(data: &[u8]) -> bool {
    let policy = TOKEN_POLICY.with(Rc::clone);
    let mut state = fresh(&policy);
    let credential = Credential {
        location: &policy.locations[0],
        value: Cow::Borrowed(data),
    };
    // The connection's client showed no certificate.
    let replies = Replies {
        client_certificate: Some(None),
        ..Replies::default()
    };
    let context = Context {
        policy: &policy,
        replies: &replies,
        now: NOW,
    };
    let mut verify = || {
        let accepts = &policy.rules[0].accepts;
        let request = Request::from_headers(&[]);
        verification::verify(&context, &mut state, accepts, &request, &credential)
    };
    match (verify(), verify()) {
        (Ok(first), Ok(second)) => {
            assert!(TOKENS.contains(&data), "nobody signed this");
            assert_eq!(first.provenance(), Provenance::Local);
            let age = Duration::ZERO;
            assert_eq!(second.provenance(), Provenance::Cache { age });
            let (first, second) = (first.principal(), second.principal());
            assert_eq!(first.forwarded, second.forwarded);
            true
        }
        (
            Err(Unproven::Unverified(Unverified::Refused(first))),
            Err(Unproven::Unverified(Unverified::Refused(second))),
        ) => {
            assert_eq!(first, second);
            false
        }
        (first, second) => panic!("{first:?}, then {second:?}"),
    }
}

// === proof ===

/// A proof of possession. Only what a client signed proves anything, and a key that is known changes nothing.
pub fn proof(data: &[u8]) -> bool {
    let policy = PROOF_POLICY.with(Rc::clone);
    let dpop = policy.providers[0].dpop.expect("proofs");
    let headers: [(&[u8], &[u8]); 5] = [
        (b":method", b"POST"),
        (b":authority", b"api.example.com"),
        (b":path", b"/a/b?q=1"),
        (b"x-forwarded-proto", b"https"),
        (b"dpop", data),
    ];
    let request = Request::from_headers(&headers);
    let mut known = KnownProofKeys::new(&policy, FingerprintKey::new([7; 16]));
    let mut check = |thumbprint: &str| {
        let thumbprint = URL_SAFE_NO_PAD.decode(thumbprint).expect("base64url");
        let demand = Demand {
            request: &request,
            token: b"the.access.token",
            thumbprint: Digest::new(thumbprint.try_into().expect("32 bytes")),
            algorithms: dpop.algorithms,
            max_age: dpop.max_age,
            bytes: policy.limits.token_bytes,
        };
        proof::check(&Verifier::software(), &mut known, &demand, NOW)
    };
    let verdicts = CLIENTS.map(|client| {
        let (first, second) = (check(client), check(client));
        match (first, second) {
            (Ok(first), Ok(second)) => {
                assert_eq!(first.digest, second.digest);
                assert!(first.until >= NOW && first.until <= NOW.plus(dpop.max_age * 2));
                true
            }
            (first, second) => {
                assert_eq!(first.err(), second.err());
                false
            }
        }
    });
    let accepted = verdicts.contains(&true);
    assert!(verdicts != [true, true], "one proof of two keys");
    assert!(!accepted || PROOFS.contains(&data), "nobody signed this");
    accepted
}

// === jwks ===

/// A JWK Set, published or inline. None of its keys verifies a signature that was not made.
pub fn jwks(data: &[u8]) -> bool {
    let remote = KeySet::parse(data, Origin::Remote);
    let inline = KeySet::parse(data, Origin::Inline);
    if let Err(invalid) = &remote {
        assert!(!invalid.to_string().is_empty());
    }
    if let Ok((inline, _)) = &inline {
        assert!(!inline.is_empty(), "an inline set without a usable key");
        check_keys(inline);
    }
    let Ok((set, skipped)) = remote else {
        assert!(inline.is_err(), "what is inline is held to more");
        return false;
    };
    assert!(set.len() + skipped.len() <= limits::JWKS_KEYS);
    for key in &set {
        for algorithm in key.algorithms().iter() {
            assert!(!algorithm.name().starts_with("HS"), "a published secret");
        }
    }
    check_keys(&set);
    !set.is_empty()
}

fn check_keys(set: &KeySet) {
    // R is the identity and S zero: good for every message under a key of low order.
    let mut trivial = vec![0; 64];
    trivial[0] = 1;
    let zeros = vec![0; 64];
    let ones = vec![1; 256];
    for key in set {
        assert!(set.holds(key.id()));
        assert!(!key.algorithms().is_empty(), "a key for nothing");
        for algorithm in key.algorithms().iter() {
            let Candidates::Keys(trials) = set.candidates(algorithm, key.kid()) else {
                panic!("{algorithm:?} is not found by what it is");
            };
            assert!(trials.into_iter().count() <= limits::KEY_TRIALS);
            for signature in [&trivial, &zeros, &ones] {
                let verdict = Verifier::software().verify(algorithm, key, b"message", signature);
                assert!(verdict.is_err(), "{algorithm:?}: nobody signed this");
            }
        }
    }
}

// === claims ===

/// JSON, and the claims of a verified token or answer.
pub fn claims(data: &[u8]) -> bool {
    let Ok(value) = json::parse(data) else {
        return false;
    };
    let text = value.to_string();
    let again = json::parse(text.as_bytes()).expect("what was written");
    assert!(is_alike(&again, &value), "written otherwise than read");
    let Some(claims) = value.as_object() else {
        return false;
    };
    let policy = TOKEN_POLICY.with(Rc::clone);
    let id = provider(&policy, "strict");
    let provider = &policy.providers[id.0];
    let [of_token, _] = [ClaimsSource::Token, ClaimsSource::Answer].map(|statement| {
        let principal = validate_claims(&policy, provider, claims, statement, NOW).ok()?;
        for value in principal.forwarded.values().flatten() {
            assert!(!value.contains(char::is_control), "a header injection");
        }
        assert!(principal.audiences.iter().any(|a| &**a == "api"));
        assert_eq!(
            claims.get("cnf").is_some(),
            principal.confirmation.is_some()
        );
        let validity = principal.validity;
        let tolerance = provider.clock_tolerance;
        assert!(
            validity
                .not_before
                .is_none_or(|t| t.minus(tolerance) <= NOW)
        );
        assert!(validity.expires.is_none_or(|t| NOW < t.plus(tolerance)));
        Some(principal)
    });
    if let Some(token) = &of_token {
        let expires = token.validity.expires.expect("require_exp");
        assert!(
            expires <= NOW.plus(Duration::from_secs(3600)),
            "max_lifetime"
        );
        let status = token.status.as_ref().expect("required");
        let rest = status.uri.strip_prefix("http://authority/status/");
        let rest = rest.expect("a status list of the provider");
        assert!(rest.split('/').all(|segment| segment != ".."));
        assert!(!rest.contains(['?', '#', '%', '\\']));
    }
    of_token.is_some()
}

/// The same value, where the last bits of a double of more than 15 digits may differ.
fn is_alike(a: &Value<'_>, b: &Value<'_>) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) if a.is_f64() && b.is_f64() => {
            let (a, b) = (a.as_f64().expect("a double"), b.as_f64().expect("a double"));
            a == b || ((a - b) / b).abs() <= 4.0 * f64::EPSILON
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_alike(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let members = a.iter().zip(b.iter());
            a.len() == b.len()
                && members
                    .into_iter()
                    .all(|((name, a), (other, b))| name == other && is_alike(a, b))
        }
        _ => a == b,
    }
}

// === configuration ===

/// A plugin's configuration, as JSON or as the bytes of a `Struct`.
pub fn configuration(data: &[u8]) -> bool {
    if let Some(value) = protobuf_struct::decode(data) {
        let text = value.to_string();
        let again = json::parse(text.as_bytes()).expect("what was written");
        assert!(is_alike(&again, &value), "written otherwise than decoded");
    }
    if let Err(invalid) = compile_api_keys(data, None) {
        check_messages(&invalid.to_string(), invalid.faults().len(), data);
    }
    let compiled = compile(data, &environment);
    // Spaces and escapes mean nothing.
    if let Ok(value) = json::parse(data) {
        let again = compile(value.to_string().as_bytes(), &environment);
        match (&compiled, &again) {
            (Ok(one), Ok(other)) => assert_eq!(one.warnings, other.warnings),
            (Err(one), Err(other)) => assert_eq!(one, other),
            _ => panic!("good and bad by its spelling"),
        }
    }
    let policy = match compiled {
        Ok(compiled) => {
            for warning in &compiled.warnings {
                check_messages(&warning.to_string(), 1, data);
            }
            Rc::new(compiled.policy)
        }
        Err(invalid) => {
            check_messages(&invalid.to_string(), invalid.faults().len(), data);
            return false;
        }
    };
    // A configuration that compiles can evaluate requests.
    let mut state = fresh(&policy);
    for credential in [
        "Bearer eyJhbGciOiJub25lIn0.e30.",
        "Bearer x",
        "ApiKey x",
        "",
    ] {
        let headers: [(&[u8], &[u8]); 4] = [
            (b":method", b"GET"),
            (b":authority", b"api.example.com"),
            (b":path", b"/v1/x"),
            (b"authorization", credential.as_bytes()),
        ];
        let request = Request::from_headers(&headers);
        if let Step::Decided(decision) = evaluation::begin(&policy, &mut state, &request, NOW) {
            let permit = match &decision.verdict {
                Verdict::Allow(permit) => permit,
                Verdict::Deny(_) | Verdict::Metadata(_) => continue,
            };
            assert!(permit.caller().is_none(), "a credential of nobody's");
        }
    }
    true
}

/// One line each, never none, and nothing in them that only the environment knows.
fn check_messages(text: &str, faults: usize, data: &[u8]) {
    assert!(faults > 0 && text.lines().count() == faults, "{text}");
    assert!(text.lines().all(|line| !line.contains(char::is_control)));
    let wrote_it = data.windows(PEPPER.len()).any(|w| w == PEPPER.as_bytes());
    assert!(wrote_it || !text.contains(PEPPER), "a secret in a message");
}

// === request ===

/// A request: each line is a header, pseudo-headers too. A request that passes has the credential that it
/// needs, and no credential and no identity header of the client reaches the upstream.
pub fn request(data: &[u8]) -> bool {
    let policy = REQUEST_POLICY.with(Rc::clone);
    let lines: Vec<(Vec<u8>, &[u8])> = data.split(|b| *b == b'\n').filter_map(header).collect();
    let headers: Vec<(&[u8], &[u8])> = lines.iter().map(|(n, v)| (n.as_slice(), *v)).collect();
    let request = Request::from_headers(&headers);
    check_path(request.raw_path());
    let mut state = fresh(&policy);
    let Step::Decided(decision) = evaluation::begin(&policy, &mut state, &request, NOW) else {
        panic!("nothing has to be asked");
    };
    if let Verdict::Allow(permit) = &decision.verdict {
        let rule = decision.rule.as_deref();
        let rule = rule.expect("unmatched requests are denied");
        match permit.caller() {
            Some(_) => {
                let credential = credential::find(&policy, rule, &request);
                let value = credential.ok().flatten().expect("whose else").value;
                assert!(API_KEY == &*value || TOKENS.contains(&&*value));
            }
            None => {
                let is_open = matches!(rule.access, Access::Anonymous | Access::Optional);
                assert!(is_open || request.method == b"OPTIONS", "{}", rule.label);
            }
        }
        if rule.mcp.is_some() && request.method != b"OPTIONS" {
            check_message(&request, permit.caller().is_some());
        }
    }
    check_effects(&policy, &request, &decision, NOW);
    matches!(decision.verdict, Verdict::Allow(_))
}

/// A message that passed: what its rule lists, named once, and from an origin of its rule.
fn check_message(request: &Request<'_>, has_caller: bool) {
    assert_eq!(request.method, b"POST");
    for name in ["mcp-protocol-version", "mcp-method", "mcp-name"] {
        let is_named = |other: &[u8]| folded_name(&String::from_utf8_lossy(other)) == name;
        let names = request.headers.iter().map(|(other, _)| *other);
        assert!(names.filter(|other| is_named(other)).count() <= 1, "{name}");
    }
    let mut origins = request.values("origin");
    assert!(
        origins.all(|o| o.eq_ignore_ascii_case(b"https://app.example.com")
            || o.eq_ignore_ascii_case(b"https://app.example.com:443"))
    );
    match Message::read(request).expect("a message") {
        Message::Tool(name) if name.starts_with("search_") => {}
        Message::Tool(name) => assert!(has_caller && name.ends_with("_file"), "{name}"),
        Message::Resource(uri) => {
            let path = uri.strip_prefix("docs://public/").expect("a public one");
            let mut path = path
                .split('?')
                .next()
                .unwrap_or_default()
                .as_bytes()
                .to_vec();
            // Whatever a server decodes, and however often.
            while {
                assert!(!path.contains(&b'\\'), "{uri}");
                assert!(
                    !path.split(|b| *b == b'/').any(|s| s == b"." || s == b".."),
                    "{uri}"
                );
                let decoded = decoded_once(&path);
                let is_more = decoded != path;
                path = decoded;
                is_more
            } {}
        }
        Message::Prompt(name) => panic!("no prompt is listed: {name}"),
        Message::Other(method) => assert!(method.ends_with("list") || method == "server/discover"),
    }
}

fn decoded_once(text: &[u8]) -> Vec<u8> {
    let (mut decoded, mut rest) = (Vec::new(), text);
    while let [byte, tail @ ..] = rest {
        let digits = (*byte == b'%').then(|| tail.get(..2)).flatten();
        let digits = digits.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let value = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        match value.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(value) => {
                decoded.push(value);
                rest = &tail[2..];
            }
            None => {
                decoded.push(*byte);
                rest = tail;
            }
        }
    }
    decoded
}

fn header(line: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let at = line
        .windows(2)
        .position(|w| w == b": ")
        .filter(|at| *at > 0)?;
    let (name, value) = line.split_at(at);
    Some((name.to_ascii_lowercase(), &value[2..]))
}

fn check_path(raw: &[u8]) {
    let Ok(path) = CanonicalPath::parse(raw) else {
        return;
    };
    let again = CanonicalPath::parse(path.as_str().as_bytes());
    assert_eq!(again.as_ref(), Ok(&path), "canonical only at second sight");
    assert!(!path.as_str().split('/').any(|s| s == "." || s == ".."));
    if path.quirks().is_empty() {
        assert!(!path.as_str().contains("//") && !path.as_str().contains(';'));
        assert!(!path.as_str().contains("%2F"));
    }
}

fn check_effects(policy: &Policy, request: &Request<'_>, decision: &Decision, now: UnixTime) {
    let effects = effects::of(policy, request, decision, now);
    match &effects.outcome {
        Outcome::Continue(mutations) => check_mutations(policy, request, mutations),
        Outcome::Answer { mutations, reply } => {
            let removes = |mutation: &HeaderMutation<'_>| matches!(mutation, HeaderMutation::Remove(name) if policy.forward.is_identity(name));
            assert!(mutations.iter().all(removes));
            check_reply(reply);
        }
    }
    for (_, value) in &effects.filter_state {
        assert!(!value.is_empty() && !value.contains(char::is_control));
    }
    let record = effects.audit.expect("all are audited");
    let line = record.line(Some(b"192.0.2.1:80"));
    assert!(line.len() < 17 * 1100, "a long line");
    assert!(!line.contains(char::is_control), "more than one line");
    assert!(json::parse_object(line.as_bytes()).is_ok(), "{line}");
}

fn check_mutations(policy: &Policy, request: &Request<'_>, mutations: &[HeaderMutation<'_>]) {
    let headers = edited(request, mutations);
    let is_ours = |mutation: &&HeaderMutation| matches!(mutation, HeaderMutation::Add(name, _) if policy.forward.is_identity(name));
    let ours = mutations.iter().filter(is_ours).count();
    let identity = headers
        .iter()
        .filter(|(n, _)| policy.forward.is_identity(n));
    assert_eq!(identity.count(), ours, "a client's own identity goes on");
    let onward = Request::from_headers(&headers);
    let left = credential::strip(policy, &onward);
    assert_eq!(left, Stripped::default(), "a credential goes on");
    let paths =
        [request, &onward].map(|r| RequestTarget::from_request(r).map(|t| t.path().to_owned()));
    assert_eq!(paths[0], paths[1], "it was matched by another path");
}

/// The headers after the mutations, as a host applies them.
fn edited<'e>(
    request: &Request<'e>,
    mutations: &'e [HeaderMutation<'_>],
) -> Vec<(&'e [u8], &'e [u8])> {
    let mut headers = request.headers.to_vec();
    for mutation in mutations {
        match mutation {
            HeaderMutation::Add(name, value) => headers.push((name, value)),
            HeaderMutation::Remove(name) => headers.retain(|(n, _)| n != name),
            HeaderMutation::Set(name, value) => {
                headers.retain(|(n, _)| n != name);
                headers.push((name, value));
            }
        }
    }
    headers
}

fn check_reply(reply: &LocalReply) {
    let named = |name| move |header: &&(&str, String)| header.0 == name;
    let count = |name| reply.headers.iter().filter(named(name)).count();
    assert!(matches!(reply.status, 400 | 401 | 403 | 405 | 503));
    match reply.status {
        401 => assert_eq!(count("www-authenticate"), 1),
        403 => assert!(count("www-authenticate") <= 1),
        _ => assert_eq!(count("www-authenticate"), 0),
    }
    assert_eq!(count("retry-after"), usize::from(reply.status == 503));
    if reply.grpc_status.is_none() {
        assert!(json::parse_object(reply.body.as_bytes()).is_ok());
    }
}

// === a worker in the course of time ===

/// A program of requests, answers and jumps of the clock. See [`state`].
pub fn state(data: &[u8]) -> bool {
    state::run(STATE_POLICY.with(Rc::clone), data)
}

// === introspection ===

/// The answer of an introspection endpoint, about an opaque token and about a JWT that holds.
pub fn introspection(data: &[u8]) -> bool {
    // No answer adds anything to a JWT.
    ask("always", EDDSA, data);
    ask("opaque", b"2YotnFZFEjr1zCsicMWpAA", data)
}

/// Asks by way of the rule that is named like the provider.
fn ask(name: &str, token: &[u8], answer: &[u8]) -> bool {
    let policy = CALLOUT_POLICY.with(Rc::clone);
    let asked = &policy.providers[provider(&policy, name).0];
    let path = format!("/{name}");
    let mut state = fresh(&policy);
    let authorization = [b"Bearer ", token].concat();
    let headers: [(&[u8], &[u8]); 4] = [
        (b":method", b"GET"),
        (b":authority", b"api.example.com"),
        (b":path", path.as_bytes()),
        (b"authorization", &authorization),
    ];
    let request = Request::from_headers(&headers);
    let begun = evaluation::begin(&policy, &mut state, &request, NOW);
    let Step::Await(waiting, Callout::Ask(question, call)) = begun else {
        panic!("the token speaks for itself");
    };
    assert_eq!(call.body.iter().filter(|b| **b == b'&').count(), 1);
    let reply = state.learn(&policy, &question, Ok(answer), NOW);
    if let Reply::Introspection(Introspected::Active(_)) = &reply {
        let answer = json::parse_object(answer).expect("what is active");
        assert_eq!(answer.get("active"), Some(&Value::Bool(true)));
        let issuer = answer.get("iss").map(Value::as_str);
        assert!(issuer.is_none_or(|issuer| issuer == Some(&asked.issuer)));
    }
    let mut step = waiting.resume(&mut state, &request, reply, NOW);
    let mut is_bound = false;
    if let Step::Await(waiting, Callout::ClientCertificate) = step {
        is_bound = true;
        let reply = Reply::ClientCertificate(None);
        step = waiting.resume(&mut state, &request, reply, NOW);
    }
    let Step::Decided(decision) = step else {
        panic!("nothing more to ask");
    };
    check_effects(&policy, &request, &decision, NOW);
    // The next request gets the same verdict, or asks again.
    if let Step::Decided(next) = evaluation::begin(&policy, &mut state, &request, NOW) {
        assert_eq!(code(&decision), code(&next));
    }
    let Verdict::Allow(permit) = &decision.verdict else {
        return false;
    };
    assert!(!is_bound, "bound to a certificate that nobody showed");
    let caller = permit.caller().expect("somebody").principal();
    if token == EDDSA {
        assert_eq!(caller.subject.as_deref(), Some("alice"));
        let granted = caller.scopes.text();
        let mut scopes = granted.split(' ');
        assert!(scopes.all(|s| ["", "read", "write"].contains(&s)), "more");
    }
    true
}

fn code(decision: &Decision) -> Option<portcullis_core::decision::Code> {
    match &decision.verdict {
        Verdict::Allow(_) | Verdict::Metadata(_) => None,
        Verdict::Deny(denial) => Some(denial.code),
    }
}

// === status lists ===

/// An answer that should be a status list. Only signed ones are accepted.
pub fn status_list(data: &[u8]) -> bool {
    if let Ok(token) = StatusListToken::parse(data)
        && let Ok(list) = token.open(STATUS_LIST_URI, KEY.get(), Duration::ZERO, NOW)
    {
        check_status_list(&list);
    }
    let policy = CALLOUT_POLICY.with(Rc::clone);
    let question = Question::StatusList {
        provider: provider(&policy, "listed"),
        uri: STATUS_LIST_URI.into(),
    };
    match fresh(&policy).learn(&policy, &question, Ok(data), NOW) {
        Reply::StatusList(Listed::Held(list)) => {
            assert!(STATUS_LISTS.contains(&data), "nobody signed this");
            check_status_list(&list);
            true
        }
        Reply::StatusList(Listed::Unavailable) => false,
        other => panic!("{other:?}"),
    }
}

/// What a status list compresses to, signed or not: the list may be of any width.
pub fn inflate(data: &[u8]) -> bool {
    let open = |bits: u32| {
        let lst = URL_SAFE_NO_PAD.encode(data);
        let claims = format!(
            r#"{{"sub":"{STATUS_LIST_URI}","iat":1,"status_list":{{"bits":{bits},"lst":"{lst}"}}}}"#
        );
        let header = r#"{"alg":"ES256","typ":"statuslist+jwt"}"#;
        let [header, claims] = [header, &claims].map(|part| URL_SAFE_NO_PAD.encode(part));
        let body = format!("{header}.{claims}.");
        let token = StatusListToken::parse(body.as_bytes()).ok()?;
        token
            .open(STATUS_LIST_URI, KEY.get(), Duration::ZERO, NOW)
            .ok()
    };
    let (bits, bytes) = match (open(1), open(8)) {
        (Some(bits), Some(bytes)) => (bits, bytes),
        (None, None) => return false,
        _ => panic!("packed well or badly by its width"),
    };
    for list in [&bits, &bytes] {
        check_status_list(list);
    }
    // The first status is in the least significant bits.
    for index in (0..bits.bytes() as u64).take(64) {
        let byte = bytes.status(index).expect("within the list");
        let of_bits = (0..8).map(|i| bits.status(8 * index + i).expect("within") << i);
        assert_eq!(of_bits.sum::<u8>(), byte);
    }
    true
}

fn check_status_list(list: &StatusList) {
    assert!(list.bytes() <= limits::STATUS_LIST_BYTES);
    assert!(list.expires <= NOW.plus(limits::STATUS_LIST_TTL));
    let most = list.bytes() as u64 * 8;
    for index in [most, most + 1, u64::MAX] {
        assert!(list.status(index).is_err(), "no such place");
    }
    assert_eq!(list.status(0).is_ok(), list.bytes() > 0);
}

// === revocation ===

/// The pages of a revocation list, one on a line, and polls until there are no more. What a
/// complete poll named is revoked, for who polled and for those who follow; what failed changed
/// nothing.
pub fn revocation(data: &[u8]) -> bool {
    let of_tokens = polls(data, Kind::Tokens);
    let of_api_keys = polls(data, Kind::ApiKeys);
    of_tokens || of_api_keys
}

fn polls(data: &[u8], kind: Kind) -> bool {
    let mut pages = data.split(|b| *b == b'\n').take(16).peekable();
    let mut publisher = ListReplica::new(kind, RETENTION);
    let mut follower = ListReplica::new(kind, RETENTION);
    let mut shared = HashMap::new();
    let mut model = Model::default();
    let mut completed = 0;
    while pages.peek().is_some() {
        follow(&mut publisher, &shared);
        let mut poll = publisher.poll([7; 16]);
        let is_whole = poll.since().is_none();
        assert_eq!(is_whole, completed == 0);
        let mut named = if is_whole {
            Model::default()
        } else {
            model.clone()
        };
        let update = loop {
            let Some(page) = pages.next() else {
                break None;
            };
            match poll.take(page, NOW) {
                Ok(Progress::More(next)) => {
                    named.read(page);
                    poll = next;
                    assert!(poll.since().is_some_and(|since| since.is_ascii()));
                }
                Ok(Progress::Complete(update)) => {
                    named.read(page);
                    break Some(update);
                }
                Err(invalid) => {
                    assert!(!invalid.to_string().is_empty());
                    break None;
                }
            }
        };
        if let Some(update) = update {
            publish(&mut publisher, update, &mut shared, completed);
            completed += 1;
            model = named;
        }
        follow(&mut follower, &shared);
        for replica in [&publisher, &follower] {
            assert_eq!(replica.store().is_some(), completed > 0);
            model.check(replica, kind);
        }
        let lengths = [&publisher, &follower].map(|r| r.store().map(|store| store.len()));
        assert_eq!(lengths[0], lengths[1]);
    }
    completed > 0
}

/// The keys of one list in shared data: its head, and two buffers of 128 chunks and 128 segments.
pub const SHARED_KEYS: usize = 1 + 2 * (128 + 128);

const RETENTION: Retention = Retention {
    clock_tolerance: Duration::from_secs(30),
    max_lifetime: None,
};

/// What was named for good: read once more, in another way.
#[derive(Clone, Default)]
struct Model {
    names: Vec<(&'static str, String)>,
}

impl Model {
    fn read(&mut self, page: &[u8]) {
        let page = json::parse_object(page).expect("what a poll took");
        if page.get("reset") == Some(&Value::Bool(true)) {
            self.names.clear();
        }
        for entry in page
            .get("revoked")
            .and_then(Value::as_array)
            .expect("entries")
        {
            let entry = entry.as_object().expect("an entry");
            for member in ["jti", "key_id", "sub"] {
                let ends = ["exp", "client_id"].iter().any(|n| entry.get(n).is_some());
                if let Some(Value::String(name)) = entry.get(member)
                    && !ends
                {
                    self.names.push((member, name.to_string()));
                }
            }
        }
    }

    fn check(&self, replica: &ListReplica, kind: Kind) {
        let Some(store) = replica.store() else {
            assert!(self.names.is_empty());
            return;
        };
        for (member, name) in &self.names {
            let facts = RevocationSubject {
                token_id: Some(&**name).filter(|_| *member == "jti"),
                subject: Some(&**name).filter(|_| *member == "sub"),
                clients: &[],
                issued_at: None,
            };
            let is_revoked = match kind {
                Kind::ApiKeys => store.revokes_api_key(name),
                Kind::Tokens => store.revokes(&facts),
            };
            assert!(is_revoked, "{member} {name:?} is not revoked");
        }
    }
}

fn publish(
    replica: &mut ListReplica,
    update: Update,
    shared: &mut HashMap<SharedKey, Vec<u8>>,
    writer: u64,
) {
    let head = shared.get(&SharedKey::Head).map(Vec::as_slice);
    let mark = replica.publish(update, head, writer, NOW, NOW);
    shared.insert(SharedKey::Head, mark.expect("nobody else publishes"));
    while let Some(write) = replica.next_write(NOW) {
        shared.insert(write.key, write.bytes);
    }
}

fn follow(replica: &mut ListReplica, shared: &HashMap<SharedKey, Vec<u8>>) {
    replica.refresh();
    while let Some(key) = replica.wants() {
        replica.feed(shared.get(&key).map(Vec::as_slice), NOW);
    }
}

// === shared data ===

/// A lease in shared data, from any writer.
pub fn fetch_lease(data: &[u8]) -> bool {
    // As it is: only sealed bytes open.
    if let Some(body) = fetch_lease::open(data) {
        assert_eq!(fetch_lease::seal(body), data);
    }
    // Sealed here, because a fuzzer does not find a checksum.
    let sealed = fetch_lease::seal(data);
    assert_eq!(fetch_lease::open(&sealed), Some(data));
    let Some(lease) = FetchLease::from_bytes(&sealed) else {
        return false;
    };
    assert_eq!(lease.to_bytes(), sealed);
    let schedule = Schedule {
        refresh_interval: Duration::from_secs(60),
        min_interval: Duration::from_secs(1),
        timeout: Duration::from_secs(2),
    };
    for demand in [false, true] {
        match lease.plan(&schedule, demand, NOW) {
            Plan::Fetch(mine) => {
                assert_eq!(mine.plan(&schedule, true, NOW), Plan::InFlight, "twice");
                for done in [
                    mine.succeeded(&schedule, 7, NOW, u32::MAX),
                    mine.failed(&schedule, NOW, 0),
                ] {
                    match done.plan(&schedule, false, NOW) {
                        Plan::NotBefore(due) => {
                            assert!(due <= NOW.plus(schedule.refresh_interval));
                        }
                        other => panic!("{other:?} right after an attempt"),
                    }
                    assert_eq!(FetchLease::from_bytes(&done.to_bytes()), Some(done));
                }
                assert_ne!(
                    mine.withdrawn(&lease).plan(&schedule, true, NOW),
                    Plan::InFlight
                );
            }
            // Every lease ends.
            Plan::InFlight => assert_ne!(
                lease.plan(&schedule, true, UnixTime::FAR_FUTURE),
                Plan::InFlight
            ),
            Plan::NotBefore(due) => assert!(NOW < due),
        }
    }
    true
}

/// A revocation list in shared data, from any writer: the values in the order in which
/// they are read, each after its length in two bytes. Length 0 is a key without a value.
pub fn replica(data: &[u8]) -> bool {
    let [of_tokens, of_api_keys] = [Kind::Tokens, Kind::ApiKeys].map(|kind| {
        let mut replica = ListReplica::new(kind, RETENTION);
        let head = follow_records(&mut replica, data);
        let is_held = replica.store().is_some();
        assert_eq!(is_held, replica.as_of().is_some());
        go_on(replica, kind, head);
        is_held
    });
    of_tokens || of_api_keys
}

/// Returns the head as it was read last.
fn follow_records(replica: &mut ListReplica, data: &[u8]) -> Option<Vec<u8>> {
    let mut rest = data;
    let mut head = None;
    let mut starved = 0;
    replica.refresh();
    while let Some(key) = replica.wants() {
        let body = record(&mut rest);
        // Sealed here, because a fuzzer does not find a checksum.
        let bytes = body.filter(|body| !body.is_empty()).map(fetch_lease::seal);
        replica.feed(bytes.as_deref(), NOW);
        if key == SharedKey::Head {
            head = bytes;
        }
        if body.is_none() {
            starved += 1;
            assert!(starved <= 3, "follows what is not there");
        }
    }
    head
}

fn record<'d>(rest: &mut &'d [u8]) -> Option<&'d [u8]> {
    let (length, tail) = rest.split_first_chunk::<2>()?;
    let length = usize::from(u16::from_le_bytes(*length)).min(tail.len());
    let (body, tail) = tail.split_at(length);
    *rest = tail;
    Some(body)
}

/// With any list held, a new entry counts.
fn go_on(mut replica: ListReplica, kind: Kind, head: Option<Vec<u8>>) {
    let page = match kind {
        Kind::ApiKeys => r#"{"cursor":"next","revoked":[{"key_id":"canary"}]}"#,
        Kind::Tokens => r#"{"cursor":"next","revoked":[{"jti":"canary"}]}"#,
    };
    let progress = replica.poll([9; 16]).take(page.as_bytes(), NOW);
    let Ok(Progress::Complete(update)) = progress else {
        panic!("{progress:?}");
    };
    let mark = replica.publish(update, head.as_deref(), 1, NOW, NOW);
    assert!(mark.is_ok(), "nobody else publishes: {mark:?}");
    let writes = std::iter::from_fn(|| replica.next_write(NOW)).count();
    assert!(writes <= 2 * SHARED_KEYS);
    let member = match kind {
        Kind::ApiKeys => "key_id",
        Kind::Tokens => "jti",
    };
    let canary = Model {
        names: vec![(member, "canary".to_owned())],
    };
    canary.check(&replica, kind);
}
