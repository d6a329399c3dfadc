//! Signs the tokens of a run.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::{Value, json};

use crate::Result;

/// The tests' key, of 2048 bits: ring makes none.
const RSA_2048: &[u8] = include_bytes!("../../tests/envoy/fixtures/rsa-2048.pk8.der");

pub const SCOPES: &str = "data:read data:write";

pub struct Issuer {
    /// When its tokens are issued, in seconds since the epoch.
    now: u64,
    rsa: RsaKeyPair,
    ecdsa: EcdsaKeyPair,
    random: SystemRandom,
}

#[derive(Clone, Copy)]
pub enum Algorithm {
    Es256,
    Rs256,
}

impl Issuer {
    pub fn new(now: u64) -> Result<Self> {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let fresh = EcdsaKeyPair::generate_pkcs8(algorithm, &random).map_err(|_| "no entropy")?;
        Ok(Issuer {
            now,
            rsa: RsaKeyPair::from_pkcs8(RSA_2048)?,
            ecdsa: EcdsaKeyPair::from_pkcs8(algorithm, fresh.as_ref(), &random)?,
            random,
        })
    }

    /// RFC 7517.
    pub fn jwks(&self) -> Value {
        let rsa = PublicKeyComponents::<Vec<u8>>::from(self.rsa.public());
        // 4, x, y (SEC 1 §2.3.3).
        let point = self.ecdsa.public_key().as_ref();
        let coordinate = |from, to| encode(point.get(from..to).unwrap_or_default());
        json!({ "keys": [
            { "kty": "RSA", "kid": "rs", "alg": "RS256", "use": "sig", "n": encode(rsa.n), "e": encode(rsa.e) },
            { "kty": "EC", "kid": "es", "alg": "ES256", "use": "sig", "crv": "P-256",
              "x": coordinate(1, 33), "y": coordinate(33, 65) },
        ] })
    }

    /// A token of some 800 bytes; `id` is its `jti` and makes it another one.
    pub fn token(&self, algorithm: Algorithm, id: &str, scope: &str) -> Result<String> {
        let now = self.now;
        let (alg, kid) = match algorithm {
            Algorithm::Es256 => ("ES256", "es"),
            Algorithm::Rs256 => ("RS256", "rs"),
        };
        let header = json!({ "alg": alg, "kid": kid, "typ": "at+jwt" });
        let claims = json!({
            "iss": "https://idp.example.com/",
            "sub": "f3a1c6de-75d4-4c3b-9d5e-0b8a1f2c7e44",
            "aud": "https://api.example.com",
            "iat": now, "nbf": now, "exp": now + 4 * 3600,
            "jti": id,
            "client_id": "orders-web",
            "scope": scope,
            "tenant": "acme",
            "auth_time": now,
            "roles": ["customer", "reviewer"],
        });
        let signed = format!(
            "{}.{}",
            encode(header.to_string()),
            encode(claims.to_string())
        );
        let signature = self.sign(algorithm, signed.as_bytes())?;
        Ok(format!("{signed}.{}", encode(signature)))
    }

    fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>> {
        match algorithm {
            Algorithm::Es256 => {
                let signature = self.ecdsa.sign(&self.random, message);
                Ok(signature.map_err(|_| "no entropy")?.as_ref().to_vec())
            }
            Algorithm::Rs256 => {
                let mut signature = vec![0; self.rsa.public().modulus_len()];
                self.rsa
                    .sign(&RSA_PKCS1_SHA256, &self.random, message, &mut signature)
                    .map_err(|_| "the key does not sign")?;
                Ok(signature)
            }
        }
    }
}

/// As an API key's `hash` is written.
pub fn sha256(secret: &str) -> String {
    let digest = digest(&SHA256, secret.as_bytes());
    let hex: String = digest.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    format!("sha256:{hex}")
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}
