//! Tokens that are bound to a key of their client, and what becomes of the proofs (RFC 9449).

use std::cell::Cell;
use std::rc::Rc;

use portcullis_core::keys::Algorithm;
use portcullis_core::verification::signature::Verifier;
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use serde_json::{Value, json};

use super::harness::keys::{Key, amended, encode, sha256, tampered};
use super::harness::policy::{AUDIENCE, only, provider};
use super::harness::{Ask, Filter, NOW, PASSES, get};

const NO_PROOF: &str = "INVALID_DPOP_PROOF";
const NO_TOKEN: &str = "INVALID_TOKEN";

const URI: &str = "https://api.example.com/";

/// An issuer's key and a client's.
struct Cast {
    issuer: Key,
    client: Key,
}

impl Cast {
    fn new() -> Self {
        Cast {
            issuer: Key::new("ES256", "k"),
            client: Key::new("ES256", "client"),
        }
    }

    fn config(&self, dpop: Value) -> Value {
        only(amended(provider([&self.issuer]), json!({ "dpop": dpop })))
    }

    fn filter(&self, dpop: Value) -> Filter {
        Filter::new(self.config(dpop))
    }

    fn cnf(&self) -> Value {
        json!({ "cnf": { "jkt": self.client.jkt() } })
    }

    fn bound(&self, claims: Value) -> String {
        self.issuer.token(amended(self.cnf(), claims))
    }

    /// A proof for `GET /` with this token and these changes of its claims.
    fn proof(&self, token: &str, claims: Value) -> String {
        self.client.proof(URI, token, claims)
    }

    /// A request with a token, and a proof that holds.
    fn proven(&self, token: &str) -> Ask {
        let proof = self.proof(token, json!({}));
        as_dpop(get("/"), token).with("dpop", proof)
    }
}

fn as_dpop(ask: Ask, token: &str) -> Ask {
    ask.with("authorization", format!("DPoP {token}"))
        .with("x-forwarded-proto", "https")
}

/// A claim of the first challenge of that scheme.
fn challenge<'a>(challenges: &[&'a str], scheme: &str) -> &'a str {
    let of_scheme = challenges.iter().find(|text| text.starts_with(scheme));
    of_scheme.unwrap_or_else(|| panic!("{challenges:?}"))
}

// === proofs ===

#[test]
fn a_bound_token_passes_with_a_proof_of_its_key() {
    let cast = Cast::new();
    let mut filter = cast.filter(json!({}));
    let token = cast.bound(json!({}));
    for scheme in ["DPoP", "dpop", "DPOP"] {
        let proof = cast.proof(&token, json!({}));
        let ask = get("/")
            .with("authorization", format!("{scheme} {token}"))
            .with("x-forwarded-proto", "https")
            .with("dpop", proof);
        assert_eq!(filter.ask(&ask).code(), PASSES, "{scheme}");
    }
}

#[test]
fn a_proof_counts_once() {
    let cast = Cast::new();
    let mut filter = cast.filter(json!({}));
    let token = cast.bound(json!({}));
    let proof = cast.proof(&token, json!({ "jti": "once" }));
    let ask = as_dpop(get("/"), &token).with("dpop", proof);
    assert_eq!(filter.ask(&ask).code(), PASSES);
    assert_eq!(filter.ask(&ask).code(), NO_PROOF);
    assert_eq!(filter.ask(&cast.proven(&token)).code(), PASSES);
    // Another proof with the same key and id, and with another token of the same key.
    let again = cast.proof(&token, json!({ "jti": "once", "iat": NOW - 1 }));
    assert_eq!(
        filter
            .ask(&as_dpop(get("/"), &token).with("dpop", again))
            .code(),
        NO_PROOF
    );
    let second = cast.bound(json!({ "sub": "bob" }));
    let again = cast.proof(&second, json!({ "jti": "once" }));
    assert_eq!(
        filter
            .ask(&as_dpop(get("/"), &second).with("dpop", again))
            .code(),
        NO_PROOF
    );
    // The id of one client is nothing to another.
    let mut other = Cast::new();
    other.issuer = cast.issuer;
    let token = other.bound(json!({}));
    let proof = other.proof(&token, json!({ "jti": "once" }));
    let ask = as_dpop(get("/"), &token).with("dpop", proof);
    assert_eq!(filter.ask(&ask).code(), PASSES);
}

#[test]
fn a_proof_is_remembered_until_it_would_not_hold_anyway() {
    let cast = Cast::new();
    let mut filter = cast.filter(json!({ "max_age": "10s" }));
    let token = cast.bound(json!({}));
    let proof = cast.proof(&token, json!({ "iat": NOW + 10 }));
    let ask = as_dpop(get("/"), &token).with("dpop", proof);
    assert_eq!(filter.ask(&ask).code(), PASSES);
    for seconds in [1, 10, 19, 20, 21, 3000] {
        let later = filter.at(NOW + seconds).ask(&ask);
        let expected = if seconds < 3000 {
            NO_PROOF
        } else {
            "TOKEN_EXPIRED"
        };
        assert_eq!(later.code(), expected, "{seconds}");
    }
}

#[test]
fn workers_of_one_process_remember_proofs_together() {
    let cast = Cast::new();
    let (mut one, mut other) = (cast.filter(json!({})), cast.filter(json!({})));
    other.spent = Rc::clone(&one.spent);
    let token = cast.bound(json!({}));
    let ask = cast.proven(&token);
    assert_eq!(one.ask(&ask).code(), PASSES);
    assert_eq!(other.ask(&ask).code(), NO_PROOF);
}

#[test]
fn a_full_memory_forgets_its_oldest_proof() {
    let cast = Cast::new();
    let mut filter = cast.filter(json!({ "replay_cache_entries": 2 }));
    let token = cast.bound(json!({}));
    let asks = [(); 3].map(|()| cast.proven(&token));
    for ask in &asks {
        assert_eq!(filter.ask(ask).code(), PASSES);
    }
    assert_eq!(filter.ask(&asks[1]).code(), NO_PROOF);
    assert_eq!(filter.ask(&asks[2]).code(), NO_PROOF);
    assert_eq!(filter.ask(&asks[0]).code(), PASSES);
}

#[test]
fn a_proof_that_fails_is_not_remembered() {
    let cast = Cast::new();
    let mut filter = cast.filter(json!({}));
    let token = cast.bound(json!({}));
    let ask = cast.proven(&token);
    let elsewhere = Ask(ask.0.clone()).method("POST");
    assert_eq!(filter.ask(&elsewhere).code(), NO_PROOF);
    assert!(filter.spent.borrow().is_empty());
    assert_eq!(filter.ask(&ask).code(), PASSES);
}

#[test]
fn the_token_is_judged_first() {
    let cast = Cast::new();
    let mut filter = cast.filter(json!({}));
    let stranger = Key::new("ES256", "k");
    for (token, code) in [
        (cast.bound(json!({ "exp": 1 })), "TOKEN_EXPIRED"),
        (cast.bound(json!({ "aud": "another" })), "INVALID_AUDIENCE"),
        (stranger.token(cast.cnf()), "INVALID_SIGNATURE"),
    ] {
        assert_eq!(filter.ask(&cast.proven(&token)).code(), code);
        assert_eq!(filter.ask(&as_dpop(get("/"), &token)).code(), code);
    }
    assert!(filter.spent.borrow().is_empty());
}

#[test]
fn a_proof_is_used_up_whatever_follows() {
    let cast = Cast::new();
    let mut config = cast.config(json!({}));
    config["rules"] = json!([
        { "match": { "methods": ["GET"] }, "scopes": { "all": ["read"] } },
    ]);
    let mut filter = Filter::new(config);
    let token = cast.bound(json!({}));
    let ask = cast.proven(&token);
    assert_eq!(filter.ask(&ask).code(), "INSUFFICIENT_SCOPE");
    assert_eq!(filter.ask(&ask).code(), NO_PROOF);
}

#[test]
fn shadow_mode_remembers_proofs() {
    let cast = Cast::new();
    let config = amended(cast.config(json!({})), json!({ "mode": "shadow" }));
    let mut filter = Filter::new(config);
    let token = cast.bound(json!({}));
    let ask = cast.proven(&token);
    assert_eq!(filter.ask(&ask).code(), PASSES);
    let again = filter.ask(&ask);
    assert_eq!(again.code(), NO_PROOF);
    assert!(again.reply.is_none());
}

#[test]
fn exactly_one_proof_of_acceptable_length_comes_along() {
    let cast = Cast::new();
    let mut filter = cast.filter(json!({}));
    let token = cast.bound(json!({}));
    let bare = as_dpop(get("/"), &token);
    assert_eq!(filter.ask(&bare).code(), NO_PROOF);
    let twice = cast
        .proven(&token)
        .with("dpop", cast.proof(&token, json!({})));
    assert_eq!(filter.ask(&twice).code(), NO_PROOF);
    let proof = cast.proof(&token, json!({}));
    for joined in [
        format!("{proof},{proof}"),
        format!("{proof}, x"),
        format!(",{proof}"),
    ] {
        assert_eq!(
            filter.ask(&bare.clone().with("dpop", joined)).code(),
            NO_PROOF
        );
    }
    let long = cast.proof(&token, json!({ "pad": "x".repeat(16 * 1024) }));
    let long = bare.clone().with("dpop", long);
    assert_eq!(filter.ask(&long).code(), "REQUEST_TOO_LARGE");
    assert_eq!(filter.ask(&bare.with("dpop", proof)).code(), PASSES);
}

#[test]
fn proofs_are_held_to_what_the_provider_says() {
    let cast = Cast::new();
    let token = cast.bound(json!({}));
    let mut brief = cast.filter(json!({ "max_age": "5s" }));
    let old = cast.proof(&token, json!({ "iat": NOW - 6 }));
    let old = as_dpop(get("/"), &token).with("dpop", old);
    assert_eq!(brief.ask(&old).code(), NO_PROOF);
    assert_eq!(cast.filter(json!({})).ask(&old).code(), PASSES);
    let mut other = cast.filter(json!({ "algorithms": ["EdDSA"] }));
    assert_eq!(other.ask(&cast.proven(&token)).code(), NO_PROOF);
}

/// Envoy's `verify_signature` for ES256, as `ring` has it: hash, key, signature and text in fields of their own.
fn host(argument: &[u8]) -> Option<Vec<u8>> {
    let (mut rest, mut fields) = (argument, Vec::new());
    while let [_, after @ ..] = rest {
        let last = after.iter().position(|byte| byte & 0x80 == 0)?;
        let groups = after[..=last].iter().rev();
        let length = groups.fold(0, |sum, byte| (sum << 7) | usize::from(byte & 0x7f));
        let (field, behind) = after[last + 1..].split_at(length);
        fields.push(field);
        rest = behind;
    }
    let [b"sha256", spki, signature, text] = fields[..] else {
        return None;
    };
    // The point is the end of SubjectPublicKeyInfo.
    let point = spki.get(spki.len() - 65..)?;
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point);
    let is_good = spki.len() == 91 && key.verify(text, signature).is_ok();
    Some(if is_good { vec![8, 1] } else { Vec::new() })
}

#[test]
fn the_host_verifies_each_proof_once() {
    let cast = Cast::new();
    let asked = Rc::new(Cell::new(0));
    let counter = Rc::clone(&asked);
    let verifier = Verifier::choose(Box::new(move |argument| {
        counter.set(counter.get() + 1);
        host(argument)
    }));
    assert!(verifier.host_algorithms().contains(Algorithm::Es256));
    let mut filter = cast.filter(json!({})).verifying_with(verifier);
    let token = cast.bound(json!({}));
    let mut costs = |ask: &Ask, code: &str| {
        asked.set(0);
        assert_eq!(filter.ask(ask).code(), code);
        asked.get()
    };
    let first = cast.proven(&token);
    // The token, which is then known, and the proof.
    assert_eq!(costs(&first, PASSES), 2);
    assert_eq!(costs(&cast.proven(&token), PASSES), 1);
    assert_eq!(costs(&first, NO_PROOF), 1);
    let forged = as_dpop(get("/"), &token).with("dpop", tampered(&cast.proof(&token, json!({}))));
    assert_eq!(costs(&forged, NO_PROOF), 1);
    // What costs little comes first.
    let elsewhere = cast.proven(&token).method("POST");
    assert_eq!(costs(&elsewhere, NO_PROOF), 0);
}

// === places ===

#[test]
fn a_bound_token_is_worth_nothing_elsewhere() {
    let cast = Cast::new();
    let from = json!({
        "headers": [
            { "name": "authorization", "prefix": "Bearer " },
            { "name": "x-token" },
        ],
        "query": ["access_token"],
        "cookies": ["session"],
    });
    let mut config = cast.config(json!({}));
    config["providers"]["corp"]["from"] = from;
    let mut filter = Filter::new(config);
    let token = cast.bound(json!({}));
    for (what, ask) in [
        ("as Bearer", get("/").bearer(&token)),
        ("in a header", get("/").with("x-token", &token)),
        ("in the query", get(&format!("/?access_token={token}"))),
        (
            "in a cookie",
            get("/").with("cookie", format!("session={token}")),
        ),
    ] {
        let ask = ask
            .with("x-forwarded-proto", "https")
            .with("dpop", cast.proof(&token, json!({})));
        assert_eq!(filter.ask(&ask).code(), NO_TOKEN, "{what}");
    }
    assert!(filter.spent.borrow().is_empty());
    // `Authorization: DPoP` is a place whatever `from` says.
    assert_eq!(filter.ask(&cast.proven(&token)).code(), PASSES);
}

#[test]
fn a_token_that_is_not_bound_is_no_dpop_token() {
    let cast = Cast::new();
    let mut filter = cast.filter(json!({}));
    let token = cast.issuer.token(json!({}));
    assert_eq!(filter.ask(&cast.proven(&token)).code(), NO_TOKEN);
    assert_eq!(filter.ask(&as_dpop(get("/"), &token)).code(), NO_TOKEN);
    // Where it is a bearer token, nobody asks for a proof or looks at one.
    for ask in [
        get("/").bearer(&token),
        get("/").bearer(&token).with("dpop", "no proof"),
    ] {
        assert_eq!(filter.ask(&ask).code(), PASSES);
    }
    // Nor is one that is bound to a certificate.
    filter.certificate = Some([7; 32]);
    let certified = cast
        .issuer
        .token(json!({ "cnf": { "x5t#S256": encode([7; 32]) } }));
    assert_eq!(filter.ask(&cast.proven(&certified)).code(), NO_TOKEN);
    assert_eq!(filter.ask(&get("/").bearer(&certified)).code(), PASSES);
}

#[test]
fn every_token_is_bound_where_that_is_required() {
    let cast = Cast::new();
    let mut filter = cast.filter(json!({ "mode": "required" }));
    filter.certificate = Some([7; 32]);
    let certificate = json!({ "cnf": { "x5t#S256": encode([7; 32]) } });
    for token in [cast.issuer.token(json!({})), cast.issuer.token(certificate)] {
        assert_eq!(filter.ask(&get("/").bearer(&token)).code(), NO_TOKEN);
        assert_eq!(filter.ask(&cast.proven(&token)).code(), NO_TOKEN);
    }
    let token = cast.bound(json!({}));
    assert_eq!(filter.ask(&get("/").bearer(&token)).code(), NO_TOKEN);
    assert_eq!(filter.ask(&cast.proven(&token)).code(), PASSES);
}

#[test]
fn a_confirmation_that_is_not_one_key_refuses() {
    let cast = Cast::new();
    let mut filter = cast.filter(json!({}));
    filter.certificate = Some([7; 32]);
    let jkt = cast.client.jkt();
    for cnf in [
        json!({ "jkt": jkt, "x5t#S256": encode([7; 32]) }),
        json!({ "jkt": jkt, "kid": "x" }),
        json!({ "jkt": format!("{jkt}=") }),
        json!({ "jkt": &jkt[..42] }),
        json!({ "jkt": "" }),
        json!({ "jkt": [jkt] }),
        json!({ "jkt": null }),
        json!({ "jwk": cast.client.jwk() }),
        json!([{ "jkt": jkt }]),
    ] {
        let token = cast.issuer.token(json!({ "cnf": cnf }));
        assert_eq!(filter.ask(&cast.proven(&token)).code(), NO_TOKEN, "{cnf}");
        assert_eq!(
            filter.ask(&get("/").bearer(&token)).code(),
            NO_TOKEN,
            "{cnf}"
        );
    }
}

#[test]
fn two_credentials_are_ambiguous_whatever_their_schemes() {
    let cast = Cast::new();
    let mut filter = cast.filter(json!({}));
    let (bound, bearer) = (cast.bound(json!({})), cast.issuer.token(json!({})));
    let both = cast.proven(&bound);
    for ask in [
        both.clone().bearer(&bearer),
        both.with("authorization", format!("DPoP {bound}")),
        get("/").with("authorization", format!("Bearer {bearer}, DPoP {bound}")),
        get("/").with("authorization", format!("Basic x, DPoP {bound}")),
    ] {
        assert_eq!(filter.ask(&ask).code(), "AMBIGUOUS_CREDENTIALS");
    }
}

#[test]
fn without_dpop_it_is_none_of_our_business() {
    let cast = Cast::new();
    let mut filter = Filter::new(only(provider([&cast.issuer])));
    let token = cast.bound(json!({}));
    assert_eq!(filter.ask(&get("/").bearer(&token)).code(), NO_TOKEN);
    let missing = filter.ask(&cast.proven(&token));
    assert_eq!(missing.code(), "MISSING_TOKEN");
    assert_eq!(missing.challenges(), [r#"Bearer realm="portcullis""#]);
    let unbound = cast.issuer.token(json!({}));
    let answer = filter.ask(&get("/").bearer(&unbound).with("dpop", "theirs"));
    assert_eq!(answer.forwarded("dpop"), ["theirs"]);
}

#[test]
fn a_provider_without_dpop_gains_nothing_from_one_beside_it() {
    let cast = Cast::new();
    let other = Key::new("ES256", "other");
    let mut config = cast.config(json!({}));
    config["providers"]["other"] = amended(
        provider([&other]),
        json!({ "issuer": "https://other.example/" }),
    );
    let mut filter = Filter::new(config);
    let theirs = json!({ "iss": "https://other.example/" });
    let bound = other.token(amended(cast.cnf(), theirs.clone()));
    assert_eq!(filter.ask(&cast.proven(&bound)).code(), "INVALID_ISSUER");
    assert_eq!(filter.ask(&get("/").bearer(&bound)).code(), NO_TOKEN);
    let unbound = other.token(theirs);
    assert_eq!(filter.ask(&get("/").bearer(&unbound)).code(), PASSES);
}

// === what goes on, and what comes back ===

#[test]
fn proofs_are_removed_on_every_rule_as_credentials_are() {
    let cast = Cast::new();
    let mut config = cast.config(json!({}));
    config["rules"] = json!([
        { "match": { "path": { "prefix": "/open" } }, "access": "anonymous" },
        { "match": { "path": { "prefix": "/maybe" } }, "access": "optional" },
        { "match": { "path": { "prefix": "/" } } },
    ]);
    config["rules"][2]["match"]["hosts"] = json!(["api.example.com"]);
    config["unmatched"] = json!("anonymous");
    let token = cast.bound(json!({}));
    let asks = [
        get("/open").with("dpop", "x"),
        get("/open").with("dpop", "x").with("dpop", "y"),
        get("/maybe").with("dpop", "x"),
        get("/").host("unmatched.example.com").with("dpop", "x"),
        cast.proven(&token),
    ];
    let mut filter = Filter::new(config.clone());
    for ask in &asks {
        let answer = filter.ask(ask);
        assert_eq!(answer.code(), PASSES);
        assert!(answer.forwarded("dpop").is_empty());
        assert!(answer.forwarded("authorization").is_empty());
    }
    config["forward"] = json!({ "credential": "keep" });
    let mut filter = Filter::new(config);
    for ask in &asks {
        assert!(!filter.ask(ask).forwarded("dpop").is_empty());
    }
}

#[test]
fn challenges_name_both_schemes_and_the_error_of_the_one_that_was_used() {
    let cast = Cast::new();
    let mut config = cast.config(json!({ "algorithms": ["EdDSA", "ES256", "PS256"] }));
    config["resources"] = json!([{ "resource": "https://api.example.com" }]);
    config["rules"] = json!([{ "scopes": { "all": ["read", "write"] } }]);
    let mut filter = Filter::new(config);
    let common = concat!(
        r#", scope="read write", "#,
        r#"resource_metadata="https://api.example.com/.well-known/oauth-protected-resource""#,
    );
    let bearer = r#"Bearer realm="portcullis""#;
    let dpop = r#"DPoP realm="portcullis", algs="PS256 ES256 EdDSA""#;
    let missing = filter.ask(&get("/"));
    assert_eq!(
        missing.challenges(),
        [format!("{bearer}{common}"), format!("{dpop}{common}")]
    );

    let bound = cast.bound(json!({}));
    for (ask, error) in [
        (as_dpop(get("/"), &bound), "invalid_dpop_proof"),
        (as_dpop(get("/"), "x.y.z"), "invalid_token"),
        (cast.proven(&bound), "insufficient_scope"),
    ] {
        let answer = filter.ask(&ask);
        let challenges = answer.challenges();
        assert_eq!(
            challenge(&challenges, "Bearer"),
            format!("{bearer}{common}")
        );
        let told = challenge(&challenges, "DPoP");
        let start = format!("{dpop}, error=\"{error}\", error_description=\"");
        assert!(told.starts_with(&start) && told.ends_with(common), "{told}");
    }
    let answer = filter.ask(&get("/").bearer(&bound));
    let challenges = answer.challenges();
    assert_eq!(challenge(&challenges, "DPoP"), format!("{dpop}{common}"));
    let told = challenge(&challenges, "Bearer");
    assert!(
        told.starts_with(&format!("{bearer}, error=\"invalid_token\"")),
        "{told}"
    );
}

#[test]
fn a_rule_for_api_keys_alone_speaks_of_no_proofs() {
    let cast = Cast::new();
    let mut config = cast.config(json!({}));
    config["api_keys"] = json!({ "keys": [{ "id": "bot", "hash": sha256("secret") }] });
    config["rules"] = json!([{ "credentials": ["api_keys"] }]);
    let answer = Filter::new(config).ask(&get("/"));
    assert_eq!(answer.challenges(), [r#"ApiKey realm="portcullis""#]);
}

#[test]
fn metadata_says_with_which_algorithms_proofs_are_signed() {
    let cast = Cast::new();
    let metadata = |config: &Value| {
        let mut config = config.clone();
        config["resources"] = json!([{ "resource": "https://api.example.com" }]);
        let ask = get("/.well-known/oauth-protected-resource");
        let reply = Filter::new(config).ask(&ask).reply.expect("an answer");
        serde_json::from_str::<Value>(&reply.body).expect("JSON")
    };
    let member = "dpop_signing_alg_values_supported";
    assert_eq!(
        metadata(&cast.config(json!({})))[member],
        json!(["ES256", "EdDSA"])
    );
    assert_eq!(metadata(&only(provider([&cast.issuer]))).get(member), None);
}

// === introspection ===

fn introspected(cast: &Cast, introspection: Value, dpop: Value) -> Filter {
    let asked = json!({
        "cluster": "authority", "uri": "http://authority/introspect", "client_id": "gateway",
        "client_secret": { "danger_inline": "secret" }, "cache_ttl": "60s",
    });
    let asked = json!({ "introspection": amended(asked, introspection), "dpop": dpop });
    Filter::new(only(amended(provider([&cast.issuer]), asked)))
}

fn active(changes: Value) -> Value {
    let answer = json!({ "active": true, "aud": AUDIENCE, "sub": "alice", "exp": NOW + 3600 });
    amended(answer, changes)
}

#[test]
fn an_introspected_token_is_bound_alike_cached_or_not() {
    let cast = Cast::new();
    let mut filter = introspected(&cast, json!({}), json!({}));
    let bound = active(amended(cast.cnf(), json!({ "token_type": "DPoP" })));
    let ask = cast.proven("opaque");
    for expected_questions in [1, 0] {
        let bare = as_dpop(get("/"), "opaque");
        let (answer, asked) = filter.ask_with(&bare, &bound);
        assert_eq!((answer.code(), asked), (NO_PROOF, expected_questions));
    }
    assert_eq!(filter.ask(&ask).code(), PASSES);
    assert_eq!(filter.ask(&ask).code(), NO_PROOF);
    assert_eq!(filter.ask(&get("/").bearer("opaque")).code(), NO_TOKEN);
    let mut fresh = introspected(&cast, json!({}), json!({}));
    let (answer, _) = fresh.ask_with(&get("/").bearer("opaque"), &bound);
    assert_eq!(answer.code(), NO_TOKEN);
}

#[test]
fn an_introspected_token_that_is_not_bound_is_a_bearer_token() {
    let cast = Cast::new();
    for (changes, as_bearer) in [
        (json!({}), PASSES),
        (json!({ "token_type": "Bearer" }), PASSES),
        // The provider says that it is bound, and not to which key.
        (json!({ "token_type": "DPoP" }), NO_TOKEN),
    ] {
        let answer = active(changes);
        let mut filter = introspected(&cast, json!({}), json!({}));
        let proven = cast.proven("opaque");
        assert_eq!(filter.ask_with(&proven, &answer).0.code(), NO_TOKEN);
        let bearer = get("/").bearer("opaque");
        assert_eq!(filter.ask_with(&bearer, &answer).0.code(), as_bearer);
    }
    let mut required = introspected(&cast, json!({}), json!({ "mode": "required" }));
    let (answer, _) = required.ask_with(&get("/").bearer("opaque"), &active(json!({})));
    assert_eq!(answer.code(), NO_TOKEN);
}

#[test]
fn token_and_answer_name_the_same_key() {
    let cast = Cast::new();
    let other = json!({ "cnf": { "jkt": encode([7; 32]) } });
    let certificate = json!({ "cnf": { "x5t#S256": encode([7; 32]) } });
    let (bound, unbound) = (cast.bound(json!({})), cast.issuer.token(json!({})));
    for (what, token, answer, expected) in [
        ("both", &bound, cast.cnf(), PASSES),
        ("the token alone", &bound, json!({}), NO_TOKEN),
        ("another in the answer", &bound, other, NO_TOKEN),
        ("a certificate in the answer", &bound, certificate, NO_TOKEN),
        ("the answer alone", &unbound, cast.cnf(), NO_TOKEN),
    ] {
        let mut filter = introspected(&cast, json!({ "when": "always" }), json!({}));
        filter.certificate = Some([7; 32]);
        let answer = active(answer);
        let ask = cast.proven(token);
        assert_eq!(filter.ask_with(&ask, &answer).0.code(), expected, "{what}");
        let bearer = get("/").bearer(token);
        assert_eq!(
            filter.ask_with(&bearer, &answer).0.code(),
            NO_TOKEN,
            "{what}"
        );
    }
}

/// One value, which both locations could take: the scheme tells whose it is.
#[test]
fn a_location_that_takes_every_value_leaves_those_with_proofs_alone() {
    let cast = Cast::new();
    let from = json!({ "from": { "headers": [{ "name": "authorization" }] }, "dpop": {} });
    let mut filter = Filter::new(only(amended(provider([&cast.issuer]), from)));
    let token = cast.bound(json!({}));
    assert_eq!(filter.ask(&cast.proven(&token)).code(), PASSES);
    let bare = get("/").with("authorization", cast.issuer.token(json!({})));
    assert_eq!(filter.ask(&bare).code(), PASSES);
    let bound = get("/").with("authorization", token);
    assert_eq!(filter.ask(&bound).code(), NO_TOKEN);
}
