//! The token issuer of the tests. It signs with `ring` (and `p521` where ring cannot): not with what the filter
//! verifies with, so that the two cannot agree on a mistake.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use p521::ecdsa::signature::Signer;
use ring::digest;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING,
    ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
    RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use serde_json::{Value, json};

use super::now;
use super::policy::{AUDIENCE, ISSUER};

/// A key that exists for these tests alone.
const RSA_2048: &[u8] = include_bytes!("../fixtures/rsa-2048.pk8.der");

pub struct Key {
    pub alg: &'static str,
    pub kid: String,
    secret: Secret,
}

enum Secret {
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    /// With the key as PKCS #8, from which its DER-signing twin is made.
    Ecdsa(EcdsaKeyPair, Vec<u8>),
    P521(Box<p521::ecdsa::SigningKey>),
    Ed25519(Ed25519KeyPair),
    Hmac(hmac::Algorithm, Vec<u8>),
}

impl Key {
    /// A fresh key for the JWS algorithm; all RSA keys are the same one.
    pub fn new(alg: &'static str, kid: &str) -> Self {
        let secret = match alg {
            "RS256" => Secret::rsa(&RSA_PKCS1_SHA256),
            "RS384" => Secret::rsa(&RSA_PKCS1_SHA384),
            "RS512" => Secret::rsa(&RSA_PKCS1_SHA512),
            "PS256" => Secret::rsa(&RSA_PSS_SHA256),
            "PS384" => Secret::rsa(&RSA_PSS_SHA384),
            "PS512" => Secret::rsa(&RSA_PSS_SHA512),
            "ES256" => Secret::ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING),
            "ES384" => Secret::ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING),
            "ES512" => {
                let scalar = [[0].as_slice(), &random::<32>(), &random::<32>(), &[7]].concat();
                Secret::P521(Box::new(
                    p521::ecdsa::SigningKey::from_slice(&scalar).expect("below the order"),
                ))
            }
            "EdDSA" => {
                let document =
                    Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("entropy");
                Secret::Ed25519(
                    Ed25519KeyPair::from_pkcs8(document.as_ref())
                        .expect("ring reads what it wrote"),
                )
            }
            "HS256" => Secret::Hmac(hmac::HMAC_SHA256, random::<64>().to_vec()),
            "HS384" => Secret::Hmac(hmac::HMAC_SHA384, random::<64>().to_vec()),
            "HS512" => Secret::Hmac(hmac::HMAC_SHA512, random::<64>().to_vec()),
            _ => panic!("no key for {alg}"),
        };
        Self {
            alg,
            kid: kid.to_owned(),
            secret,
        }
    }

    /// An HS256 key whose secret is known to all: a public key, say.
    pub fn hs256(kid: &str, secret: impl Into<Vec<u8>>) -> Self {
        Self {
            alg: "HS256",
            kid: kid.to_owned(),
            secret: Secret::Hmac(hmac::HMAC_SHA256, secret.into()),
        }
    }

    /// The key as the issuer publishes it (RFC 7517), without `alg` and `use`.
    pub fn jwk(&self) -> Value {
        let point = |crv: &str, point: &[u8]| {
            let (x, y) = point[1..].split_at(point.len() / 2);
            json!({ "kty": "EC", "crv": crv, "x": encode(x), "y": encode(y) })
        };
        let mut jwk = match &self.secret {
            Secret::Rsa(pair, _) => {
                let public = PublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({ "kty": "RSA", "n": encode(public.n), "e": encode(public.e) })
            }
            Secret::Ecdsa(pair, _) => point(
                if self.alg == "ES256" {
                    "P-256"
                } else {
                    "P-384"
                },
                pair.public_key().as_ref(),
            ),
            Secret::P521(key) => {
                point("P-521", key.verifying_key().to_sec1_point(false).as_bytes())
            }
            Secret::Ed25519(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key()) })
            }
            Secret::Hmac(_, secret) => json!({ "kty": "oct", "k": encode(secret) }),
        };
        jwk["kid"] = json!(self.kid);
        jwk
    }

    /// A good token of the first provider, but for these claims (`null` takes one away).
    pub fn token(&self, changes: Value) -> String {
        self.token_with(json!({}), changes)
    }

    pub fn token_with(&self, header_changes: Value, changes: Value) -> String {
        let header = amended(
            json!({ "alg": self.alg, "kid": self.kid, "typ": "at+jwt" }),
            header_changes,
        );
        self.seal(header.to_string(), claims(changes).to_string())
    }

    /// A proof of possession (RFC 9449 §4.2) for `GET` of this URI with the token, but for these changes of its
    /// claims. Each has an id of its own.
    pub fn proof(&self, uri: &str, token: &str, changes: Value) -> String {
        let header = json!({ "typ": "dpop+jwt", "alg": self.alg, "jwk": self.jwk() });
        let sound = json!({
            "htm": "GET",
            "htu": uri,
            "iat": now(),
            "jti": encode(random::<16>()),
            "ath": encode(digest::digest(&digest::SHA256, token.as_bytes())),
        });
        self.seal(header.to_string(), amended(sound, changes).to_string())
    }

    /// The thumbprint of the public key (RFC 7638), as `cnf.jkt` names it.
    pub fn jkt(&self) -> String {
        let jwk = self.jwk();
        let members: &[&str] = match jwk["kty"].as_str() {
            Some("RSA") => &["e", "kty", "n"],
            Some("OKP") => &["crv", "kty", "x"],
            _ => &["crv", "kty", "x", "y"],
        };
        let members = members
            .iter()
            .map(|name| format!("\"{name}\":{}", jwk[name]));
        let text = format!("{{{}}}", members.collect::<Vec<_>>().join(","));
        encode(digest::digest(&digest::SHA256, text.as_bytes()))
    }

    /// Signs header and claims as they are, be they JSON or not.
    pub fn seal(&self, header: impl AsRef<[u8]>, claims: impl AsRef<[u8]>) -> String {
        self.sign(&format!("{}.{}", encode(header), encode(claims)))
    }

    /// Appends the signature.
    pub fn sign(&self, signed: &str) -> String {
        format!("{signed}.{}", encode(self.signature(signed.as_bytes())))
    }

    pub fn signature(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.secret {
            Secret::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(*encoding, &random, message, &mut signature)
                    .expect("an RSA signature");
                signature
            }
            Secret::Ecdsa(pair, _) => pair
                .sign(&random, message)
                .expect("an ECDSA signature")
                .as_ref()
                .to_vec(),
            Secret::P521(key) => {
                let signature: p521::ecdsa::Signature = key.sign(message);
                signature.to_bytes().to_vec()
            }
            Secret::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Secret::Hmac(algorithm, secret) => {
                hmac::sign(&hmac::Key::new(*algorithm, secret), message)
                    .as_ref()
                    .to_vec()
            }
        }
    }

    /// An ES256 signature in DER, as X.509 has it and JWS does not.
    pub fn der_signature(&self, message: &[u8]) -> Vec<u8> {
        let Secret::Ecdsa(_, document) = &self.secret else {
            panic!("{} has no DER form", self.alg)
        };
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document, &random)
            .expect("a P-256 key");
        pair.sign(&random, message)
            .expect("an ECDSA signature")
            .as_ref()
            .to_vec()
    }
}

impl Secret {
    fn rsa(encoding: &'static dyn RsaEncoding) -> Self {
        Self::Rsa(
            RsaKeyPair::from_pkcs8(RSA_2048).expect("the fixture is a key"),
            encoding,
        )
    }

    fn ecdsa(algorithm: &'static EcdsaSigningAlgorithm) -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random)
            .expect("entropy")
            .as_ref()
            .to_vec();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, &document, &random)
            .expect("ring reads what it wrote");
        Self::Ecdsa(pair, document)
    }
}

/// What the first provider would put into a token just now, but for these changes.
pub fn claims(changes: Value) -> Value {
    let now = now();
    amended(
        json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "iat": now, "exp": now + 600 }),
        changes,
    )
}

/// A JWK set.
pub fn jwks<'k>(keys: impl IntoIterator<Item = &'k Key>) -> Value {
    json!({ "keys": keys.into_iter().map(Key::jwk).collect::<Vec<_>>() })
}

/// Members of `changes` replace those of `base`; `null` removes.
pub fn amended(mut base: Value, changes: Value) -> Value {
    let Value::Object(changes) = changes else {
        panic!("an object of changes, not {changes}")
    };
    for (name, value) in changes {
        if value.is_null() {
            base.as_object_mut().expect("an object").remove(&name);
        } else {
            base[name] = value;
        }
    }
    base
}

/// base64url without padding.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

pub fn decode(text: &str) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD.decode(text).expect("base64url")
}

pub fn hex(bytes: impl AsRef<[u8]>) -> String {
    base16ct::lower::encode_string(bytes.as_ref())
}

/// As an API key's `hash` is written.
pub fn sha256(secret: &str) -> String {
    format!(
        "sha256:{}",
        hex(digest::digest(&digest::SHA256, secret.as_bytes()))
    )
}

pub fn hmac_sha256(pepper: &str, secret: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, pepper.as_bytes());
    format!("hmac-sha256:{}", hex(hmac::sign(&key, secret.as_bytes())))
}

/// The thumbprint of RFC 8705 §3.1 of a certificate in PEM.
pub fn thumbprint(certificate: &str) -> String {
    let body: String = certificate
        .lines()
        .filter(|line| !line.starts_with('-'))
        .collect();
    let der = base64::prelude::BASE64_STANDARD.decode(body).expect("PEM");
    encode(digest::digest(&digest::SHA256, &der))
}

/// An API key that nobody can guess.
pub fn fresh_api_key() -> String {
    encode(random::<32>())
}

/// Another signature of the same length.
pub fn tampered(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').expect("a token has dots");
    let mut signature = decode(signature);
    let middle = signature.len() / 2;
    signature[middle] ^= 1;
    format!("{signed}.{}", encode(signature))
}

fn random<const N: usize>() -> [u8; N]
where
    [u8; N]: ring::rand::RandomlyConstructable,
{
    ring::rand::generate(&SystemRandom::new())
        .expect("entropy")
        .expose()
}
