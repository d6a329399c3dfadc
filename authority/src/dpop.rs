//! DPoP proofs (RFC 9449): that a client has the key that its token is to be bound to.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fluent_uri::Uri;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, ThumbprintHash};
use jsonwebtoken::{DecodingKey, Validation};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Number, Value};

use crate::algorithm::Algorithm;
use crate::clock::UnixTime;
use crate::refusal::Refusal;

/// What proofs may be signed with: what the filter takes unless it is told otherwise.
pub const ALGORITHMS: [Algorithm; 2] = [Algorithm::Es256, Algorithm::EdDsa];

/// How far the client's clock may be ahead or behind, with the way of the request.
const MAX_AGE: Duration = Duration::from_secs(60);

/// The members that no public key has (RFC 7518 §6.2.2, §6.3.2, §6.4; RFC 8037 §2).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

const NOT_A_JWT: &str = "the proof is not a JWT";
const UNUSABLE: &str = "jwk is not a public key for this alg";

/// A proof that is sound. Whether it was used before, the store knows.
pub struct Proof {
    /// The thumbprint of its key (RFC 7638).
    pub jkt: String,
    /// The digest of its key and its `jti`.
    pub id: [u8; SHA256_OUTPUT_LEN],
    /// The last second in which it is sound.
    pub until: UnixTime,
}

#[derive(Deserialize)]
struct Header {
    typ: Option<String>,
    alg: Option<String>,
    jwk: Option<Map<String, Value>>,
    crit: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Claims {
    jti: String,
    htm: String,
    htu: String,
    iat: Number,
}

/// The request's proof, if it has one, after all checks of §4.3 that concern a token endpoint at the URL `endpoint`.
pub fn check(headers: &HeaderMap, endpoint: &str, now: UnixTime) -> Result<Option<Proof>, Refusal> {
    let mut values = headers.get_all("dpop").iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(invalid("more than one DPoP header"));
    }
    let jwt = value.to_str().map_err(|_| invalid(NOT_A_JWT))?;

    let (algorithm, key) = key(jwt)?;
    let claims = claims(jwt, algorithm, &key)?;
    if claims.htm != "POST" {
        return Err(invalid("htm is not the method of the request"));
    }
    if !is_same_resource(&claims.htu, endpoint) {
        return Err(invalid("htu is not the URL of the token endpoint"));
    }
    let iat = whole_seconds(&claims.iat);
    if iat < now.saturating_sub(MAX_AGE) || now.saturating_add(MAX_AGE) < iat {
        return Err(invalid("iat is more than 60 s from now"));
    }
    if claims.jti.is_empty() {
        return Err(invalid("jti is empty"));
    }
    let jkt = key
        .thumbprint(ThumbprintHash::SHA256)
        .map_err(|_| invalid(UNUSABLE))?;
    Ok(Some(Proof {
        id: id(&jkt, &claims.jti),
        until: iat.saturating_add(MAX_AGE),
        jkt,
    }))
}

fn invalid(why: &'static str) -> Refusal {
    Refusal::InvalidDpopProof(why)
}

/// The public key in the header, and the algorithm that it is for.
fn key(jwt: &str) -> Result<(Algorithm, Jwk), Refusal> {
    let head = jwt.split('.').next().unwrap_or_default();
    let head = URL_SAFE_NO_PAD
        .decode(head)
        .map_err(|_| invalid(NOT_A_JWT))?;
    let Header {
        typ,
        alg,
        jwk,
        crit,
    } = serde_json::from_slice(&head).map_err(|_| invalid(NOT_A_JWT))?;
    if typ.as_deref() != Some("dpop+jwt") {
        return Err(invalid("typ is not dpop+jwt"));
    }
    // RFC 7515 §4.1.11. jsonwebtoken does not look at it.
    if crit.is_some() {
        return Err(invalid("crit names extensions that are unknown here"));
    }
    let algorithm = alg
        .and_then(|name| Algorithm::named(&name))
        .filter(|algorithm| ALGORITHMS.contains(algorithm))
        .ok_or(invalid("alg is not supported"))?;
    let jwk = jwk.ok_or(invalid("jwk is missing"))?;
    if PRIVATE_MEMBERS.iter().any(|name| jwk.contains_key(*name)) {
        return Err(invalid("jwk has a private key"));
    }
    let jwk: Jwk = serde_json::from_value(Value::Object(jwk)).map_err(|_| invalid(UNUSABLE))?;
    let is_for_algorithm = match (&jwk.algorithm, algorithm) {
        (AlgorithmParameters::EllipticCurve(key), Algorithm::Es256) => {
            key.curve == EllipticCurve::P256
        }
        (AlgorithmParameters::OctetKeyPair(key), Algorithm::EdDsa) => {
            key.curve == EllipticCurve::Ed25519
        }
        _ => false,
    };
    if is_for_algorithm {
        Ok((algorithm, jwk))
    } else {
        Err(invalid(UNUSABLE))
    }
}

/// The claims, if the key verifies the signature.
fn claims(jwt: &str, algorithm: Algorithm, key: &Jwk) -> Result<Claims, Refusal> {
    use jsonwebtoken::errors::ErrorKind;

    let key = DecodingKey::from_jwk(key).map_err(|_| invalid(UNUSABLE))?;
    // A proof has none of the claims that jsonwebtoken would check: §4.2 names others.
    let mut validation = Validation::new(algorithm.into());
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    match jsonwebtoken::decode(jwt, &key, &validation) {
        Ok(decoded) => Ok(decoded.claims),
        Err(error) => Err(invalid(match error.kind() {
            ErrorKind::Json(_) => "a member is missing or of the wrong type",
            ErrorKind::InvalidSignature => "the signature is wrong",
            _ => NOT_A_JWT,
        })),
    }
}

/// Whether both are one URL: normalized after RFC 3986 §6.2.2 and §6.2.3, without query and fragment, as §4.3 recommends.
fn is_same_resource(htu: &str, endpoint: &str) -> bool {
    let normalized = |url: &str| {
        let end = url.find(['?', '#']).unwrap_or(url.len());
        Some(Uri::parse(url.get(..end)?).ok()?.normalize())
    };
    normalized(htu).is_some_and(|htu| Some(htu) == normalized(endpoint))
}

/// A NumericDate may have a fraction (RFC 7519 §2).
fn whole_seconds(number: &Number) -> UnixTime {
    // The cast saturates: far beyond any window either way.
    let floor = number.as_f64().unwrap_or(f64::MAX).floor() as i64;
    UnixTime::from_seconds(floor)
}

/// Two keys may use one `jti`: nobody can use up what another would choose. A thumbprint has no dot.
fn id(jkt: &str, jti: &str) -> [u8; SHA256_OUTPUT_LEN] {
    let mut id = [0; SHA256_OUTPUT_LEN];
    id.copy_from_slice(digest(&SHA256, format!("{jkt}.{jti}").as_bytes()).as_ref());
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9449 §4.1, figures 1 to 3; its thumbprint is in figure 7 of §6.1.
    const EXAMPLE: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";
    const IAT: i64 = 1_562_262_616;

    fn check_example(now: i64) -> Result<Option<Proof>, Refusal> {
        let headers = HeaderMap::from_iter([("dpop".parse().unwrap(), EXAMPLE.parse().unwrap())]);
        let now = UnixTime::from_seconds(now);
        check(&headers, "https://server.example.com/token", now)
    }

    #[test]
    fn the_example_of_the_rfc_is_sound() {
        let proof = check_example(IAT).unwrap().unwrap();
        assert_eq!(proof.jkt, "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
        assert_eq!(proof.until, UnixTime::from_seconds(IAT + 60));
    }

    #[test]
    fn a_proof_is_sound_for_a_minute_either_way() {
        for (now, is_sound) in [
            (IAT - 61, false),
            (IAT - 60, true),
            (IAT + 60, true),
            (IAT + 61, false),
            (0, false),
            (i64::MAX, false),
        ] {
            assert_eq!(check_example(now).is_ok(), is_sound, "{now}");
        }
    }

    #[test]
    fn every_spelling_of_the_url_is_the_url() {
        let endpoint = "https://idp.example.com/a/token";
        for same in [
            endpoint,
            "HTTPS://IDP.example.COM/a/token",
            "https://idp.example.com:443/a/token",
            "https://idp.example.com:/a/token",
            "https://idp.example.com/b/../a/./token",
            "https://idp.example.com/%61/to%6Ben",
            "https://idp.example.com/a/token?x=1",
            "https://idp.example.com/a/token#x",
        ] {
            assert!(is_same_resource(same, endpoint), "{same}");
        }
        for other in [
            "",
            "/a/token",
            "a/token",
            "//idp.example.com/a/token",
            "http://idp.example.com/a/token",
            "https://idp.example.com:444/a/token",
            "https://idp.example.com./a/token",
            "https://idp.example.com/a/token/",
            "https://idp.example.com/a//token",
            "https://idp.example.com/A/token",
            "https://idp.example.com/a%2Ftoken",
            "https://me@idp.example.com/a/token",
            "https://idp.example.com/a/token\0",
            " https://idp.example.com/a/token",
        ] {
            assert!(!is_same_resource(other, endpoint), "{other:?}");
        }
    }
}
