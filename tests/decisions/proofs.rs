//! Proofs of possession (RFC 9449), one check at a time: each proof has one fault, and would hold without it.

use std::cell::RefCell;
use std::time::Duration;

use portcullis_core::json;
use portcullis_core::keys::{self, Algorithm, AlgorithmSet, KeyFault};
use portcullis_core::policy::compile;
use portcullis_core::request::Request;
use portcullis_core::secret::{Digest, FingerprintKey};
use portcullis_core::time::UnixTime;
use portcullis_core::verification::proof::{self, Demand, InvalidProof, KnownProofKeys, Proven};
use portcullis_core::verification::signature::Verifier;
use serde_json::{Value, json};

use super::harness::NOW;
use super::harness::keys::{Key, amended, decode, encode, tampered};
use super::harness::policy::{only, provider};

const TOKEN: &str = "the.access.token";
const MAX_AGE: u64 = 60;
const BYTES: usize = 4096;

const ALL_ALGORITHMS: [&str; 10] = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
];

/// What a request and its token demand of a proof, with a key that the token is bound to.
struct Case {
    key: Key,
    thumbprint: Digest,
    headers: Vec<(String, String)>,
    token: String,
    algorithms: AlgorithmSet,
    now: UnixTime,
    known: RefCell<KnownProofKeys>,
}

fn thumbprint_of(jwk: &Value) -> Digest {
    let text = jwk.to_string();
    let jwk = json::parse(text.as_bytes()).expect("JSON");
    keys::thumbprint(&jwk).expect("a public key")
}

/// What a worker knows at first whose policy has proofs.
fn no_keys() -> KnownProofKeys {
    let policy = only(amended(
        provider([&Key::new("ES256", "k")]),
        json!({ "dpop": {} }),
    ));
    let policy = compile(policy.to_string().as_bytes(), &|_| None).expect("a policy");
    KnownProofKeys::new(&policy.policy, FingerprintKey::new([7; 16]))
}

impl Case {
    fn new(alg: &'static str) -> Self {
        let key = Key::new(alg, "k");
        let thumbprint = thumbprint_of(&key.jwk());
        let headers = [
            (":method", "POST"),
            (":authority", "api.example.com"),
            (":path", "/a/b?q=1"),
            ("x-forwarded-proto", "https"),
        ];
        Case {
            key,
            thumbprint,
            headers: headers.map(|(n, v)| (n.to_owned(), v.to_owned())).into(),
            token: TOKEN.to_owned(),
            algorithms: AlgorithmSet::DEFAULT,
            now: UnixTime::from_secs(NOW),
            known: RefCell::new(no_keys()),
        }
    }

    fn header(&self) -> Value {
        json!({ "typ": "dpop+jwt", "alg": self.key.alg, "jwk": self.key.jwk() })
    }

    fn claims(&self) -> Value {
        json!({
            "htm": "POST",
            "htu": "https://api.example.com/a/b",
            "iat": NOW,
            "jti": "once",
            "ath": encode(Digest::sha256(self.token.as_bytes()).as_bytes()),
        })
    }

    /// A proof with these changes of header and claims; `null` removes a member.
    fn proof(&self, header: Value, claims: Value) -> String {
        self.key.seal(
            amended(self.header(), header).to_string(),
            amended(self.claims(), claims).to_string(),
        )
    }

    fn sound(&self) -> String {
        self.proof(json!({}), json!({}))
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(n, _)| n != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn check_all(&self, proofs: &[&str]) -> Result<Proven, InvalidProof> {
        let named = self.headers.iter().map(|(n, v)| (n.as_str(), v.as_str()));
        let proofs = proofs.iter().map(|proof| ("dpop", *proof));
        let headers: Vec<(&[u8], &[u8])> = named
            .chain(proofs)
            .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
            .collect();
        let demand = Demand {
            request: &Request::from_headers(&headers),
            token: self.token.as_bytes(),
            thumbprint: self.thumbprint,
            algorithms: self.algorithms,
            max_age: Duration::from_secs(MAX_AGE),
            bytes: BYTES,
        };
        // A key that is known changes nothing.
        let mut known = self.known.borrow_mut();
        let mut judge = || proof::check(&Verifier::software(), &mut known, &demand, self.now);
        let (first, second) = (judge(), judge());
        assert_eq!(first.as_ref().err(), second.as_ref().err());
        first
    }

    fn check(&self, proof: &str) -> Result<Proven, InvalidProof> {
        self.check_all(&[proof])
    }

    #[track_caller]
    fn refuses(&self, proof: &str, why: InvalidProof) {
        assert_eq!(self.check(proof).expect_err("a fault"), why, "{proof}");
    }

    #[track_caller]
    fn accepts(&self, proof: &str) {
        self.check(proof).expect("a sound proof");
    }
}

#[test]
fn a_sound_proof_holds_with_every_algorithm() {
    for alg in ALL_ALGORITHMS {
        let case = Case::new(alg);
        case.accepts(&case.sound());
    }
}

/// Figures 12 and 13, and the thumbprint of figure 9.
#[test]
fn the_example_of_rfc_9449_holds() {
    const PROOF: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6\
        Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3\
        VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHR\
        tIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6M\
        TU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yR\
        qzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA";
    let bound = decode("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    let mut case = Case::new("ES256")
        .with(":method", "GET")
        .with(":authority", "resource.example.org")
        .with(":path", "/protectedresource");
    case.thumbprint = Digest::new(bound.try_into().expect("32 bytes"));
    case.token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU".to_owned();
    case.now = UnixTime::from_secs(1_562_262_618);
    case.accepts(PROOF);
    case.refuses(&tampered(PROOF), InvalidProof::Signature);
}

#[test]
fn thumbprints_are_those_of_the_standards() {
    for (jwk, expected) in [
        // RFC 7638 §3.1.
        (
            json!({
                "kty": "RSA", "e": "AQAB", "alg": "RS256", "kid": "2011-04-29",
                "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
            }),
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
        ),
        // RFC 8037 appendix A.3.
        (
            json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }),
            "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
        ),
    ] {
        assert_eq!(encode(thumbprint_of(&jwk).as_bytes()), expected);
    }
}

// === the header field (RFC 9449 §4.3 steps 1 and 2) ===

#[test]
fn there_is_exactly_one_proof() {
    let case = Case::new("ES256");
    let (one, other) = (case.sound(), case.sound());
    assert_eq!(case.check_all(&[]).err(), Some(InvalidProof::Absent));
    for proofs in [&[one.as_str(), &other], &[&one, &one]] {
        assert_eq!(case.check_all(proofs).err(), Some(InvalidProof::Ambiguous));
    }
    for joined in [
        format!("{one},{other}"),
        format!("{one}, {other}"),
        format!(",{one}"),
    ] {
        case.refuses(&joined, InvalidProof::Ambiguous);
    }
}

#[test]
fn a_proof_is_not_read_beyond_the_limit() {
    let case = Case::new("ES256");
    let padded = |bytes: usize| case.proof(json!({}), json!({ "pad": "x".repeat(bytes) }));
    let fits = padded(1000);
    assert!(fits.len() < BYTES);
    case.accepts(&fits);
    case.refuses(&padded(BYTES), InvalidProof::TooLarge);
}

#[test]
fn a_proof_is_a_jwt_and_read_as_strictly_as_a_token() {
    let case = Case::new("ES256");
    let sound = case.sound();
    let (head, rest) = sound.split_once('.').expect("segments");
    let (body, signature) = rest.split_once('.').expect("segments");
    let sealed = |header: &str, claims: &str| case.key.seal(header, claims);
    let (header, claims) = (case.header().to_string(), case.claims().to_string());
    let twice = |object: &str, member: &str| format!("{{{member},{}", &object[1..]);
    for (what, proof) in [
        ("empty", String::new()),
        ("one segment", head.to_owned()),
        ("two segments", format!("{head}.{body}")),
        ("four segments", format!("{sound}.{signature}")),
        ("no header", format!(".{body}.{signature}")),
        ("a space", format!("{sound} ")),
        ("padding", format!("{sound}=")),
        ("a scheme", format!("DPoP {sound}")),
        ("no JSON header", sealed("dpop", &claims)),
        ("a list as header", sealed("[]", &claims)),
        ("no JSON claims", sealed(&header, "proof")),
        ("a list of claims", sealed(&header, "[]")),
        (
            "typ twice",
            sealed(&twice(&header, r#""typ":"dpop+jwt""#), &claims),
        ),
        (
            "jti twice",
            sealed(&header, &twice(&claims, r#""jti":"other""#)),
        ),
        ("no alg", case.proof(json!({ "alg": null }), json!({}))),
        (
            "alg is a number",
            case.proof(json!({ "alg": 1 }), json!({})),
        ),
    ] {
        let refused = case.check(&proof);
        assert_eq!(refused.err(), Some(InvalidProof::Malformed), "{what}");
    }
    // Base64 that is not base64url.
    let standard = format!("{head}.{body}.{}", signature.replace(['-', '_'], "/"));
    assert!(case.check(&standard).is_err());
}

// === the JOSE header (steps 4 to 7) ===

#[test]
fn the_type_is_that_of_a_proof() {
    let case = Case::new("ES256");
    for typ in ["dpop+jwt", "DPoP+JWT", "application/dpop+jwt"] {
        case.accepts(&case.proof(json!({ "typ": typ }), json!({})));
    }
    for typ in ["JWT", "at+jwt", "dpop", "", "text/dpop+jwt"] {
        let proof = case.proof(json!({ "typ": typ }), json!({}));
        case.refuses(&proof, InvalidProof::Type);
    }
    case.refuses(
        &case.proof(json!({ "typ": null }), json!({})),
        InvalidProof::Type,
    );
}

#[test]
fn the_algorithm_is_one_of_those_that_are_accepted() {
    for alg in ALL_ALGORITHMS {
        let mut case = Case::new(alg);
        let accepted = [Algorithm::Es256, Algorithm::EdDsa];
        case.algorithms = AlgorithmSet::of(&accepted);
        match Algorithm::parse(alg).is_some_and(|alg| accepted.contains(&alg)) {
            true => case.accepts(&case.sound()),
            false => case.refuses(&case.sound(), InvalidProof::Algorithm),
        }
    }
    let case = Case::new("ES256");
    for alg in ["none", "None", "", "HS256", "es256", "ES256K"] {
        let proof = case.proof(json!({ "alg": alg }), json!({}));
        case.refuses(&proof, InvalidProof::Algorithm);
    }
}

#[test]
fn a_public_key_is_no_shared_secret() {
    let mut case = Case::new("ES256");
    case.algorithms = AlgorithmSet::of(&Algorithm::ALL);
    let public = case.key.jwk();
    let forged = Key::hs256("k", public.to_string());
    for (jwk, why) in [
        (public, InvalidProof::Signature),
        (forged.jwk(), InvalidProof::Key(KeyFault::KeyType)),
    ] {
        let header = amended(case.header(), json!({ "alg": "HS256", "jwk": jwk }));
        let proof = forged.seal(header.to_string(), case.claims().to_string());
        case.refuses(&proof, why);
    }
}

#[test]
fn an_extension_is_refused() {
    let case = Case::new("ES256");
    for header in [
        json!({ "crit": ["b64"] }),
        json!({ "crit": [] }),
        json!({ "b64": false }),
        json!({ "b64": true }),
    ] {
        case.refuses(&case.proof(header, json!({})), InvalidProof::Extension);
    }
}

#[test]
fn the_key_is_the_one_that_the_token_is_bound_to() {
    let case = Case::new("ES256");
    let thief = Key::new("ES256", "k");
    let header = amended(case.header(), json!({ "jwk": thief.jwk() }));
    let proof = thief.seal(header.to_string(), case.claims().to_string());
    case.refuses(&proof, InvalidProof::AnotherKey);
    // Members that do not belong to the thumbprint change nothing.
    let named = amended(case.key.jwk(), json!({ "kid": "another", "use": "sig" }));
    case.accepts(&case.proof(json!({ "jwk": named }), json!({})));
}

#[test]
fn the_key_is_there_and_is_a_public_key() {
    let case = Case::new("ES256");
    for (jwk, why) in [
        (Value::Null, KeyFault::NotAnObject),
        (json!("key"), KeyFault::NotAnObject),
        (json!([case.key.jwk()]), KeyFault::NotAnObject),
        (json!({}), KeyFault::KeyType),
        (
            amended(case.key.jwk(), json!({ "y": null })),
            KeyFault::Encoding("y"),
        ),
    ] {
        let proof = case.proof(json!({ "jwk": jwk }), json!({}));
        case.refuses(&proof, InvalidProof::Key(why));
    }
    for alg in ["ES256", "EdDSA", "RS256"] {
        let case = Case::new(alg);
        let private = amended(case.key.jwk(), json!({ "d": "AAAA" }));
        let proof = case.proof(json!({ "jwk": private }), json!({}));
        case.refuses(&proof, InvalidProof::Key(KeyFault::PrivateKey));
    }
}

/// The token's issuer may have bound it to whatever key its client has shown.
#[test]
fn a_key_that_is_not_fit_to_verify_is_refused_though_the_token_is_bound_to_it() {
    let ones = encode([0xff; 32]);
    let short = encode([[0x80].as_slice(), &[1; 127]].concat());
    let long = encode([[0x80].as_slice(), &[1; 1023]].concat());
    for (alg, jwk, why) in [
        (
            "ES256",
            json!({ "kty": "EC", "crv": "P-256", "x": ones, "y": ones }),
            KeyFault::Point,
        ),
        (
            "EdDSA",
            json!({ "kty": "OKP", "crv": "Ed25519", "x": encode([0; 32]) }),
            KeyFault::Point,
        ),
        (
            "RS256",
            json!({ "kty": "RSA", "e": "AQAB", "n": short }),
            KeyFault::ModulusLength { bits: 1024 },
        ),
        (
            "RS256",
            json!({ "kty": "RSA", "e": "AQAB", "n": long }),
            KeyFault::ModulusLength { bits: 8192 },
        ),
        (
            "ES256",
            json!({ "kty": "EC", "crv": "secp256k1", "x": ones, "y": ones }),
            KeyFault::Curve,
        ),
    ] {
        let mut case = Case::new(alg);
        case.thumbprint = thumbprint_of(&jwk);
        let proof = case.proof(json!({ "jwk": jwk }), json!({}));
        case.refuses(&proof, InvalidProof::Key(why));
    }
    let case = Case::new("ES256");
    for (change, why) in [
        (json!({ "use": "enc" }), KeyFault::OtherUse),
        (json!({ "key_ops": ["sign"] }), KeyFault::OtherUse),
        (json!({ "alg": "ES384" }), KeyFault::Algorithm),
        (json!({ "kid": 1 }), KeyFault::Kid),
    ] {
        let jwk = amended(case.key.jwk(), change);
        let proof = case.proof(json!({ "jwk": jwk }), json!({}));
        case.refuses(&proof, InvalidProof::Key(why));
    }
}

#[test]
fn the_signature_is_the_keys_own() {
    for alg in ALL_ALGORITHMS {
        let case = Case::new(alg);
        case.refuses(&tampered(&case.sound()), InvalidProof::Signature);
        let unsigned = case.sound();
        let (signed, _) = unsigned.rsplit_once('.').expect("segments");
        case.refuses(&format!("{signed}."), InvalidProof::Signature);
    }
    let case = Case::new("ES256");
    // The key fits the algorithm, and signs with no other.
    case.refuses(
        &case.proof(json!({ "alg": "ES384" }), json!({})),
        InvalidProof::Signature,
    );
    let der = {
        let sound = case.sound();
        let (signed, _) = sound.rsplit_once('.').expect("segments");
        format!(
            "{signed}.{}",
            encode(case.key.der_signature(signed.as_bytes()))
        )
    };
    case.refuses(&der, InvalidProof::Signature);
}

// === the claims (steps 3 and 8 to 12) ===

#[test]
fn every_claim_is_there_and_of_its_type() {
    let case = Case::new("ES256");
    for name in ["htm", "htu", "iat", "jti", "ath"] {
        for value in [json!(null), json!(true), json!([]), json!({})] {
            let mut claims = case.claims();
            claims[name] = value;
            let proof = case.key.seal(case.header().to_string(), claims.to_string());
            case.refuses(&proof, InvalidProof::Malformed);
        }
        let proof = case.proof(json!({}), json!({ name: null }));
        case.refuses(&proof, InvalidProof::Malformed);
    }
    for (name, value) in [
        ("iat", json!(NOW.to_string())),
        ("iat", json!(1e300)),
        ("jti", json!(1)),
        ("jti", json!("")),
    ] {
        let proof = case.proof(json!({}), json!({ name: value }));
        case.refuses(&proof, InvalidProof::Malformed);
    }
}

#[test]
fn the_method_is_the_requests() {
    let case = Case::new("ES256");
    for method in ["GET", "post", "", "POST "] {
        let proof = case.proof(json!({}), json!({ "htm": method }));
        case.refuses(&proof, InvalidProof::Method);
    }
    let lower = Case::new("ES256").with(":method", "post");
    lower.accepts(&lower.proof(json!({}), json!({ "htm": "post" })));
}

#[test]
fn the_uri_is_the_requests() {
    let case = Case::new("ES256");
    for htu in [
        "https://api.example.com:443/a/b",
        "HTTPS://API.example.com/a/./c/../b?other=query#fragment",
        "https://api.example.com/%61/b",
    ] {
        case.accepts(&case.proof(json!({}), json!({ "htu": htu })));
    }
    for htu in [
        "",
        "/a/b",
        "https://api.example.com/a",
        "https://api.example.com/a/b/",
        "https://other.example.com/a/b",
        "https://api.example.com:8443/a/b",
        "http://api.example.com/a/b",
    ] {
        let proof = case.proof(json!({}), json!({ "htu": htu }));
        case.refuses(&proof, InvalidProof::Uri);
    }
    let port = Case::new("ES256").with(":authority", "api.example.com:8443");
    let proof = port.proof(
        json!({}),
        json!({ "htu": "https://api.example.com:8443/a/b" }),
    );
    port.accepts(&proof);
    port.refuses(&port.sound(), InvalidProof::Uri);
}

#[test]
fn the_scheme_is_what_envoy_says() {
    let plain = Case::new("ES256").with("x-forwarded-proto", "http");
    plain.refuses(&plain.sound(), InvalidProof::Uri);
    plain.accepts(&plain.proof(json!({}), json!({ "htu": "http://api.example.com/a/b" })));
    for unknown in ["", "HTTPS", "https,http", "https, https", "https ", "wss"] {
        let case = Case::new("ES256").with("x-forwarded-proto", unknown);
        case.refuses(&case.sound(), InvalidProof::Uri);
    }
    let mut absent = Case::new("ES256");
    absent
        .headers
        .retain(|(name, _)| name != "x-forwarded-proto");
    absent.refuses(&absent.sound(), InvalidProof::Uri);
    let mut twice = Case::new("ES256");
    twice
        .headers
        .push(("x-forwarded-proto".to_owned(), "https".to_owned()));
    twice.refuses(&twice.sound(), InvalidProof::Uri);
}

#[test]
fn a_proof_holds_for_its_age_either_way_and_no_longer() {
    let mut case = Case::new("ES256");
    let (proof, age) = (case.sound(), i64::try_from(MAX_AGE).expect("small"));
    for seconds in [-age, -1, 0, 1, age] {
        case.now = UnixTime::from_secs(NOW + seconds);
        let proven = case.check(&proof).expect("a sound proof");
        assert_eq!(proven.until, UnixTime::from_secs(NOW + age));
    }
    for micros in [-age * 1_000_000 - 1, age * 1_000_000 + 1] {
        case.now = UnixTime::from_micros(NOW * 1_000_000 + micros);
        case.refuses(&proof, InvalidProof::Time);
    }
    case.now = UnixTime::from_secs(NOW);
    for iat in [0_i64, -1, 253_402_300_799] {
        let proof = case.proof(json!({}), json!({ "iat": iat }));
        case.refuses(&proof, InvalidProof::Time);
    }
    case.accepts(&case.proof(json!({}), json!({ "iat": NOW as f64 + 0.5 })));
}

#[test]
fn a_proof_is_for_one_token() {
    let case = Case::new("ES256");
    let digest = Digest::sha256(case.token.as_bytes());
    for ath in [
        encode(Digest::sha256(b"another token").as_bytes()),
        String::new(),
        format!("{}=", encode(digest.as_bytes())),
        encode(&digest.as_bytes()[..16]),
        TOKEN.to_owned(),
    ] {
        let proof = case.proof(json!({}), json!({ "ath": ath }));
        case.refuses(&proof, InvalidProof::AccessToken);
    }
}

#[test]
fn a_nonce_and_unknown_claims_are_ignored() {
    let case = Case::new("ES256");
    case.accepts(&case.proof(json!({}), json!({ "nonce": "n", "exp": 1, "x": [] })));
}

// === what is remembered of a proof ===

#[test]
fn a_proof_is_told_from_others_by_its_key_and_its_id() {
    let (case, other) = (Case::new("ES256"), Case::new("ES256"));
    let digest = |case: &Case, claims: Value| {
        let proven = case.check(&case.proof(json!({}), claims));
        *proven.expect("a sound proof").digest.as_bytes()
    };
    let first = digest(&case, json!({}));
    // Another proof, but the same id.
    assert_eq!(digest(&case, json!({ "iat": NOW + 1 })), first);
    assert_ne!(digest(&case, json!({ "jti": "twice" })), first);
    assert_ne!(digest(&other, json!({})), first);
}

/// What is remembered of a client is its key, and neither its claims nor its token.
#[test]
fn a_known_key_is_held_to_every_check() {
    let mut case = Case::new("ES256");
    case.accepts(&case.sound());
    let thief = Key::new("ES256", "k");
    let forged = thief.seal(case.header().to_string(), case.claims().to_string());
    case.refuses(&forged, InvalidProof::Signature);
    case.refuses(&tampered(&case.sound()), InvalidProof::Signature);
    let stale = case.sound();
    case.token = "another.token".to_owned();
    case.refuses(&stale, InvalidProof::AccessToken);
    case.accepts(&case.sound());
    case.algorithms = AlgorithmSet::of(&[Algorithm::EdDsa]);
    case.refuses(&case.sound(), InvalidProof::Algorithm);
    case.algorithms = AlgorithmSet::DEFAULT;
    case.thumbprint = thumbprint_of(&thief.jwk());
    case.refuses(&case.sound(), InvalidProof::AnotherKey);
}
