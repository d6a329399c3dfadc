//! The keys of the token cases, and both filters configured with the same ones.

use rsa::pkcs8::{EncodePublicKey, LineEnding};
use rsa::{BoxedUint, RsaPublicKey};
use serde_json::{Value, json};

use crate::envoy::harness::keys::{Key, decode, encode};
use crate::envoy::harness::policy::{AUDIENCE, ISSUER};

pub const OTHER_ISSUER: &str = "https://partner.example.net";

/// Every key that signs in a case, and the two sets that both filters hold.
pub struct Ring {
    /// One for each algorithm.
    pub signers: Vec<Key>,
    /// Of the other provider.
    pub other: Key,
    /// In neither set, under the name of a key that is.
    pub stranger: Key,
    /// In the set without a `kid`.
    pub unnamed: Key,
    pub encrypting: Key,
    pub wrapping: Key,
    /// Shorter than the hash.
    pub short: Key,
    /// Two keys of one `kid`.
    pub twins: [Key; 2],
    /// A public key, taken for a secret.
    pub public: Vec<Key>,
}

impl Ring {
    pub fn new() -> Self {
        let signers = [
            ("RS256", "rsa"),
            ("RS384", "rsa"),
            ("RS512", "rsa"),
            ("PS256", "rsa"),
            ("PS384", "rsa"),
            ("PS512", "rsa"),
            ("ES256", "p256"),
            ("ES384", "p384"),
            ("ES512", "p521"),
            ("EdDSA", "ed"),
            ("HS256", "oct-256"),
            ("HS384", "oct-384"),
            ("HS512", "oct-512"),
        ];
        let signers: Vec<Key> = signers
            .map(|(alg, kid)| Key::new(alg, kid))
            .into_iter()
            .collect();
        let public = public_texts(&signers[0])
            .into_iter()
            .map(|text| Key::hs256("rsa", text));
        Self {
            public: public.collect(),
            signers,
            other: Key::new("ES256", "other"),
            stranger: Key::new("ES256", "p256"),
            unnamed: Key::new("ES256", "nowhere"),
            encrypting: Key::new("ES256", "enc"),
            wrapping: Key::new("ES256", "wrap"),
            short: Key::hs256("short", "0123456789"),
            twins: [Key::new("ES256", "twin"), Key::new("ES256", "twin")],
        }
    }

    fn set(&self) -> Value {
        let mut keys: Vec<Value> = Vec::new();
        for (number, key) in self.signers.iter().enumerate() {
            let mut jwk = key.jwk();
            match key.alg {
                // One key for six algorithms.
                "RS256" => {}
                _ if number < 6 => continue,
                "ES256" => {
                    jwk["alg"] = json!("ES256");
                    jwk["use"] = json!("sig");
                }
                // Without `alg`, jwt_authn tries it for every token that names no key, and ends there.
                "EdDSA" => {
                    jwk["alg"] = json!("EdDSA");
                    jwk["key_ops"] = json!(["verify"]);
                }
                _ => {}
            }
            keys.push(jwk);
        }
        let with = |key: &Key, name: &str, value: Value| {
            let mut jwk = key.jwk();
            jwk[name] = value;
            jwk
        };
        let mut unnamed = self.unnamed.jwk();
        unnamed.as_object_mut().expect("a JWK").remove("kid");
        keys.push(unnamed);
        keys.push(with(&self.encrypting, "use", json!("enc")));
        keys.push(with(&self.wrapping, "key_ops", json!(["wrapKey"])));
        keys.push(self.short.jwk());
        keys.extend(self.twins.iter().map(Key::jwk));
        // The neutral element: any message has a signature by it that anybody can write.
        let mut neutral = [0; 32];
        neutral[0] = 1;
        keys.push(json!({ "kty": "OKP", "crv": "Ed25519", "kid": "neutral", "alg": "EdDSA", "x": encode(neutral) }));
        json!({ "keys": keys })
    }

    fn other_set(&self) -> Value {
        json!({ "keys": [self.other.jwk()] })
    }
}

/// What a careless verifier may take for the secret of HS256: the public key in the forms in which it is found.
fn public_texts(key: &Key) -> Vec<Vec<u8>> {
    let jwk = key.jwk();
    let number = |name: &str| decode(jwk[name].as_str().expect("text"));
    let integer = |bytes: &[u8]| BoxedUint::from_be_slice_vartime(bytes);
    let public = RsaPublicKey::new(integer(&number("n")), integer(&number("e"))).expect("a key");
    let pem = public
        .to_public_key_pem(LineEnding::LF)
        .expect("a key has a PEM form");
    let der = public.to_public_key_der().expect("a key has a DER form");
    vec![
        pem.trim_end().as_bytes().to_vec(),
        pem.into_bytes(),
        der.into_vec(),
        number("n"),
        jwk.to_string().into_bytes(),
        Vec::new(),
    ]
}

pub fn policy(ring: &Ring) -> Value {
    let algorithms = json!([
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
        "HS256", "HS384", "HS512"
    ]);
    json!({
        "providers": {
            "corp": { "issuer": ISSUER, "audiences": [AUDIENCE], "algorithms": algorithms, "jwks": { "inline": ring.set() } },
            "partner": { "issuer": OTHER_ISSUER, "audiences": [AUDIENCE], "jwks": { "inline": ring.other_set() } },
        },
        "rules": [{ "name": "all" }],
        "audit": "none",
    })
}

/// `jwt_authn`, as equal as it can be: the same keys, issuers, audiences and tolerance, and the scheme in the spellings
/// that the cases have, since it compares them with case.
pub fn jwt_authn(ring: &Ring) -> Value {
    let provider = |issuer: &str, keys: Value| {
        let spelled = ["Bearer ", "bearer ", "BEARER "];
        let places =
            spelled.map(|prefix| json!({ "name": "Authorization", "value_prefix": prefix }));
        json!({
            "issuer": issuer,
            "audiences": [AUDIENCE],
            "local_jwks": { "inline_string": keys.to_string() },
            "clock_skew_seconds": 30,
            "require_expiration": true,
            "from_headers": places,
            "claim_to_headers": [{ "header_name": "x-auth-subject", "claim_name": "sub" }],
        })
    };
    let requirements = ["corp", "partner"].map(|name| json!({ "provider_name": name }));
    json!({
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            "providers": {
                "corp": provider(ISSUER, ring.set()),
                "partner": provider(OTHER_ISSUER, ring.other_set()),
            },
            "rules": [{ "match": { "prefix": "/" }, "requires": { "requires_any": { "requirements": requirements } } }],
        },
    })
}

/// What lets requests through tells what an upstream would have seen.
pub fn virtual_hosts() -> Value {
    let seen = |name: &str, of: &str| json!({ "header": { "key": name, "value": format!("%REQ({of})%") }, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD" });
    json!([{ "name": "all", "domains": ["*"], "routes": [{
        "match": { "prefix": "/" },
        "direct_response": { "status": 200 },
        "response_headers_to_add": [
            seen("x-passed", ":method"),
            seen("x-seen-subject", "x-auth-subject"),
            seen("x-seen-authorization", "authorization"),
        ],
    }] }])
}
