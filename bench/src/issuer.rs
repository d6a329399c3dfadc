//! Signs the tokens of a run.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding,
    RsaKeyPair,
};
use serde_json::{Value, json};

use crate::Result;

/// The tests' key, of 2048 bits, because ring cannot make RSA keys.
const RSA_2048: &[u8] = include_bytes!("../../tests/envoy/fixtures/rsa-2048.pk8.der");

/// The scopes of a good token.
pub const SCOPES: &str = "data:read data:write";

/// The keys of a run.
pub struct Issuer {
    /// When its tokens are issued, in seconds since the epoch.
    now: u64,
    rsa: RsaKeyPair,
    p256: EcdsaKeyPair,
    p384: EcdsaKeyPair,
    ed25519: Ed25519KeyPair,
    random: SystemRandom,
}

/// How a token is signed (RFC 7518 §3.1, RFC 8037).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Algorithm {
    /// Ed25519.
    EdDsa,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// RSA PSS with SHA-256.
    Ps256,
    /// RSA PKCS #1 v1.5 with SHA-256.
    Rs256,
}

impl Issuer {
    /// The RSA key is always the same, the others are fresh.
    pub fn new(now: u64) -> Result<Self> {
        let random = SystemRandom::new();
        let fresh = Ed25519KeyPair::generate_pkcs8(&random).map_err(|_| "no entropy")?;
        Ok(Issuer {
            now,
            rsa: RsaKeyPair::from_pkcs8(RSA_2048)?,
            p256: ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)?,
            p384: ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING, &random)?,
            ed25519: Ed25519KeyPair::from_pkcs8(fresh.as_ref())?,
            random,
        })
    }

    /// The keys of RS256 and ES256 (RFC 7517).
    pub fn jwks(&self) -> Value {
        json!({ "keys": [self.jwk(Algorithm::Rs256), self.jwk(Algorithm::Es256)] })
    }

    /// The public key that tokens of this algorithm verify with; its `kid` is [`Algorithm::kid`].
    pub fn jwk(&self, algorithm: Algorithm) -> Value {
        let mut jwk = match algorithm {
            Algorithm::EdDsa => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(self.ed25519.public_key()) })
            }
            Algorithm::Es256 => point("P-256", self.p256.public_key().as_ref()),
            Algorithm::Es384 => point("P-384", self.p384.public_key().as_ref()),
            Algorithm::Ps256 | Algorithm::Rs256 => {
                let rsa = PublicKeyComponents::<Vec<u8>>::from(self.rsa.public());
                json!({ "kty": "RSA", "n": encode(rsa.n), "e": encode(rsa.e) })
            }
        };
        if let Some(members) = jwk.as_object_mut() {
            members.insert("kid".into(), algorithm.kid().into());
            members.insert("alg".into(), algorithm.name().into());
            members.insert("use".into(), "sig".into());
        }
        jwk
    }

    /// A token of some 800 bytes. `id` is its `jti`, so that each id gives another token.
    pub fn token(&self, algorithm: Algorithm, id: &str, scope: &str) -> Result<String> {
        self.sign(algorithm, &algorithm.header(), &self.claims(id, scope))
    }

    /// The claims of such a token.
    pub fn claims(&self, id: &str, scope: &str) -> Value {
        let now = self.now;
        json!({
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
        })
    }

    /// A token with this header and these claims.
    pub fn sign(&self, algorithm: Algorithm, header: &Value, claims: &Value) -> Result<String> {
        let signed = signing_input(header, claims);
        let signature = self.signature(algorithm, signed.as_bytes())?;
        Ok(format!("{signed}.{}", encode(signature)))
    }

    /// A token with the signature of another one: only the signature check can tell.
    pub fn forge(&self, algorithm: Algorithm, header: &Value, claims: &Value) -> Result<String> {
        let signed = signing_input(header, claims);
        let signature = self.signature(algorithm, b"another token")?;
        Ok(format!("{signed}.{}", encode(signature)))
    }

    fn signature(&self, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>> {
        let ecdsa = |key: &EcdsaKeyPair| -> Result<Vec<u8>> {
            let signature = key.sign(&self.random, message);
            Ok(signature.map_err(|_| "no entropy")?.as_ref().to_vec())
        };
        let rsa = |padding: &'static dyn RsaEncoding| -> Result<Vec<u8>> {
            let mut signature = vec![0; self.rsa.public().modulus_len()];
            self.rsa
                .sign(padding, &self.random, message, &mut signature)
                .map_err(|_| "the key does not sign")?;
            Ok(signature)
        };
        match algorithm {
            Algorithm::EdDsa => Ok(self.ed25519.sign(message).as_ref().to_vec()),
            Algorithm::Es256 => ecdsa(&self.p256),
            Algorithm::Es384 => ecdsa(&self.p384),
            Algorithm::Ps256 => rsa(&RSA_PSS_SHA256),
            Algorithm::Rs256 => rsa(&RSA_PKCS1_SHA256),
        }
    }
}

/// A fresh key on this curve.
pub fn ecdsa(
    algorithm: &'static EcdsaSigningAlgorithm,
    random: &SystemRandom,
) -> Result<EcdsaKeyPair> {
    let fresh = EcdsaKeyPair::generate_pkcs8(algorithm, random).map_err(|_| "no entropy")?;
    Ok(EcdsaKeyPair::from_pkcs8(algorithm, fresh.as_ref(), random)?)
}

/// The public key (RFC 7518 §6.2.1) of the point 4, x, y (SEC 1 §2.3.3).
pub fn point(curve: &str, bytes: &[u8]) -> Value {
    let (_, coordinates) = bytes.split_at_checked(1).unwrap_or_default();
    let (x, y) = coordinates.split_at(coordinates.len() / 2);
    json!({ "kty": "EC", "crv": curve, "x": encode(x), "y": encode(y) })
}

/// Header and claims, as they are signed (RFC 7515 §5.1).
pub fn signing_input(header: &Value, claims: &Value) -> String {
    format!(
        "{}.{}",
        encode(header.to_string()),
        encode(claims.to_string())
    )
}

// === impl Algorithm ===

impl Algorithm {
    /// Its name in a header's `alg`.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::EdDsa => "EdDSA",
            Algorithm::Es256 => "ES256",
            Algorithm::Es384 => "ES384",
            Algorithm::Ps256 => "PS256",
            Algorithm::Rs256 => "RS256",
        }
    }

    /// The id of its key.
    pub fn kid(self) -> &'static str {
        match self {
            Algorithm::EdDsa => "ed",
            Algorithm::Es256 => "es",
            Algorithm::Es384 => "es384",
            Algorithm::Ps256 => "ps",
            Algorithm::Rs256 => "rs",
        }
    }

    /// Of a token that names its key.
    pub fn header(self) -> Value {
        json!({ "alg": self.name(), "kid": self.kid(), "typ": "at+jwt" })
    }
}

/// As an API key's `hash` is written.
pub fn sha256(secret: &str) -> String {
    let digest = digest(&SHA256, secret.as_bytes());
    let hex: String = digest.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    format!("sha256:{hex}")
}

/// Base64url without padding, as in tokens and keys.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}
