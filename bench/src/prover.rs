//! A client that proves with each request that it has the key of its token (RFC 9449).

use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};

use crate::Result;
use crate::clock;
use crate::issuer::{Algorithm, Issuer, ecdsa, encode, point, signing_input};

/// A client's key, and a token that is bound to it.
pub struct Prover {
    key: EcdsaKeyPair,
    jwk: Value,
    token: String,
    random: SystemRandom,
}

impl Prover {
    /// With a fresh key, and a token of this `jti` and scope.
    pub fn new(issuer: &Issuer, id: &str, scope: &str) -> Result<Self> {
        let random = SystemRandom::new();
        let key = ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)?;
        // In the order of their names, as a thumbprint has them (RFC 7638 §3.2).
        let jwk = point("P-256", key.public_key().as_ref());
        let thumbprint = encode(digest(&SHA256, jwk.to_string().as_bytes()));
        let mut claims = issuer.claims(id, scope);
        if let Some(claims) = claims.as_object_mut() {
            claims.insert("cnf".into(), json!({ "jkt": thumbprint }));
        }
        let algorithm = Algorithm::Rs256;
        let token = issuer.sign(algorithm, &algorithm.header(), &claims)?;
        Ok(Prover {
            key,
            jwk,
            token,
            random,
        })
    }

    /// The headers of a `GET` of this URI. Each number gives another proof.
    pub fn headers(&self, uri: &str, number: usize) -> Result<String> {
        let header = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk });
        let claims = json!({
            "htm": "GET",
            "htu": uri,
            "iat": clock::unix_seconds(),
            "jti": format!("e1j3V-bKic8-{number:012}"),
            "ath": encode(digest(&SHA256, self.token.as_bytes())),
        });
        let signed = signing_input(&header, &claims);
        let signature = self.key.sign(&self.random, signed.as_bytes());
        let signature = signature.map_err(|_| "no entropy")?;
        let (token, signature) = (&self.token, encode(signature));
        Ok(format!(
            "authorization: DPoP {token}\r\ndpop: {signed}.{signature}"
        ))
    }
}
