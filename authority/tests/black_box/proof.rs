//! DPoP proofs, made by hand: also such as no library would make.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::server::now;

/// A key of a client.
pub enum Key {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

/// A proof before it is signed.
pub struct Proof {
    pub header: Value,
    pub claims: Value,
}

// === impl Key ===

impl Key {
    pub fn es256() -> Self {
        Self::Es256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    pub fn eddsa() -> Self {
        Self::EdDsa(Ed25519KeyPair::generate().unwrap())
    }

    pub fn jwk(&self) -> Value {
        match self {
            Self::Es256(key) => {
                // SEC 1 §2.3.3: 4, x, y
                let (x, y) = key.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "x": base64url(x), "y": base64url(y)})
            }
            Self::EdDsa(key) => {
                let x = base64url(key.public_key());
                json!({"kty": "OKP", "crv": "Ed25519", "x": x})
            }
        }
    }

    /// RFC 7638 §3: the required members in alphabetical order. Maps of serde_json are ordered.
    pub fn thumbprint(&self) -> String {
        base64url(digest(&SHA256, self.jwk().to_string().as_bytes()))
    }

    /// A sound one for the token endpoint of the tour's issuer, with a `jti` of its own.
    pub fn proof(&self) -> Proof {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let alg = match self {
            Self::Es256(_) => "ES256",
            Self::EdDsa(_) => "EdDSA",
        };
        let jti = format!("proof {}", COUNT.fetch_add(1, Ordering::Relaxed));
        Proof {
            header: json!({"typ": "dpop+jwt", "alg": alg, "jwk": self.jwk()}),
            claims: json!({"jti": jti, "htm": "POST", "htu": "http://authority/token", "iat": now()}),
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Es256(key) => key
                .sign(&SystemRandom::new(), message)
                .unwrap()
                .as_ref()
                .to_vec(),
            Self::EdDsa(key) => key.sign(message).as_ref().to_vec(),
        }
    }
}

// === impl Proof ===

impl Proof {
    /// In compact form (RFC 7515 §7.1).
    pub fn sign(&self, key: &Key) -> String {
        let head = base64url(self.header.to_string());
        let message = format!("{head}.{}", base64url(self.claims.to_string()));
        let signature = key.sign(message.as_bytes());
        format!("{message}.{}", base64url(signature))
    }
}

pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
