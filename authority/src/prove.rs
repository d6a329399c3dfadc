//! A client's part of DPoP (RFC 9449), to try it by hand: a key in a file, and proofs by it.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::{self, SystemRandom};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use crate::clock::UnixTime;

/// What a proof is for.
pub struct Subject<'a> {
    /// The method of the request.
    pub method: &'a str,
    /// Its URL.
    pub url: &'a str,
    /// The access token that goes with it.
    pub token: Option<&'a str>,
}

/// A proof by the ES256 key in `file`, which is made where there is no such file.
pub fn proof(file: &Path, subject: &Subject<'_>) -> Result<String, String> {
    let key = match fs::read(file) {
        Ok(der) => EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der)
            .map_err(|_| format!("{}: no ES256 key in PKCS #8", file.display()))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => make_key(file)?,
        Err(error) => return Err(format!("{}: {error}", file.display())),
    };
    sign(&key, subject).map_err(|_| "AWS-LC failed".to_owned())
}

fn make_key(file: &Path) -> Result<EcdsaKeyPair, String> {
    let failed = |_| "AWS-LC failed".to_owned();
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(failed)?;
    let der = key.to_pkcs8v1().map_err(failed)?;
    // For nobody else: whoever has the key can use the tokens that are bound to it.
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let written = options.open(file);
    written
        .and_then(|mut file| file.write_all(der.as_ref()))
        .map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(key)
}

/// RFC 9449 §4.2.
fn sign(key: &EcdsaKeyPair, subject: &Subject<'_>) -> Result<String, Unspecified> {
    // SEC 1 §2.3.3: 4, x, y.
    let point = key.public_key().as_ref().get(1..).ok_or(Unspecified)?;
    let (x, y) = point.split_at_checked(32).ok_or(Unspecified)?;
    let header = json!({
        "typ": "dpop+jwt",
        "alg": "ES256",
        "jwk": {"kty": "EC", "crv": "P-256", "x": base64url(x), "y": base64url(y)},
    });
    let mut jti = [0; 16];
    rand::fill(&mut jti)?;
    let mut claims = json!({
        "jti": base64url(jti),
        "htm": subject.method,
        "htu": subject.url,
        "iat": UnixTime::now().seconds(),
    });
    if let (Some(token), Some(claims)) = (subject.token, claims.as_object_mut()) {
        let ath = base64url(digest(&SHA256, token.as_bytes()));
        claims.insert("ath".to_owned(), ath.into());
    }
    let message = format!(
        "{}.{}",
        base64url(header.to_string()),
        base64url(claims.to_string())
    );
    let signature = key.sign(&SystemRandom::new(), message.as_bytes())?;
    Ok(format!("{message}.{}", base64url(signature)))
}

fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
