//! One JSON Web Key (RFC 7517 §4): an object in, a key that may verify out.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::algorithm::{Algorithm, AlgorithmSet};
use super::material::{self, EcKey, HmacKey, Material, RsaKey};
use super::{Key, KeyFault, KeyId, Origin};
use crate::json::{Object, Quoted, Value};
use crate::secret::Digest;

/// `jku`, `x5u` and `x5c` mean nothing here: a key is what its members say.
pub(super) fn read(jwk: &Object<'_>, kid: Option<&str>, origin: Origin) -> Result<Key, KeyFault> {
    let material = match text(jwk, "kty") {
        Some("RSA") => {
            refuse_private(jwk, &["d", "p", "q", "dp", "dq", "qi", "oth"])?;
            refuse_other_use(jwk)?;
            Material::Rsa(Box::new(RsaKey::new(
                &octets(jwk, "n")?,
                &octets(jwk, "e")?,
            )?))
        }
        Some("EC") => {
            refuse_private(jwk, &["d"])?;
            refuse_other_use(jwk)?;
            elliptic(jwk)?
        }
        Some("OKP") => {
            refuse_private(jwk, &["d"])?;
            refuse_other_use(jwk)?;
            // X25519 is for key agreement; Ed448 is not offered.
            if text(jwk, "crv") != Some("Ed25519") {
                return Err(KeyFault::Curve);
            }
            Material::Ed25519(Box::new(material::ed25519(&octets(jwk, "x")?)?))
        }
        Some("oct") => {
            // Whoever can read a published secret can sign with it.
            if origin == Origin::Remote {
                return Err(KeyFault::PublishedSecret);
            }
            refuse_other_use(jwk)?;
            Material::Hmac(Box::new(HmacKey::new(&octets(jwk, "k")?)?))
        }
        _ => return Err(KeyFault::KeyType),
    };
    let algorithms = restrict(material.algorithms(), jwk)?;
    Ok(Key {
        id: KeyId::new(&material, algorithms, kid),
        kid: kid.map(Into::into),
        algorithms,
        material,
    })
}

/// `kid` where it names the key: the empty string names none.
pub(super) fn kid<'a>(jwk: &'a Object<'_>) -> Result<Option<&'a str>, KeyFault> {
    match jwk.get("kid") {
        None => Ok(None),
        Some(Value::String(kid)) if kid.is_empty() => Ok(None),
        Some(Value::String(kid)) => Ok(Some(kid)),
        Some(_) => Err(KeyFault::Kid),
    }
}

/// The required members in the order of their names, without white space (RFC 7638 §3.2).
pub(super) fn thumbprint(jwk: &Object<'_>) -> Result<Digest, KeyFault> {
    let members: &[&'static str] = match text(jwk, "kty") {
        Some("RSA") => &["e", "kty", "n"],
        Some("EC") => &["crv", "kty", "x", "y"],
        Some("OKP") => &["crv", "kty", "x"],
        _ => return Err(KeyFault::KeyType),
    };
    let mut written = String::with_capacity(256);
    for member in members {
        let value = Quoted(text(jwk, member).ok_or(KeyFault::Encoding(member))?);
        let before = if written.is_empty() { '{' } else { ',' };
        // Writing to a string cannot fail.
        let _ = write!(written, "{before}{}:{value}", Quoted(member));
    }
    written.push('}');
    Ok(Digest::sha256(written.as_bytes()))
}

fn elliptic(jwk: &Object<'_>) -> Result<Material, KeyFault> {
    let coordinates = || Ok::<_, KeyFault>((octets(jwk, "x")?, octets(jwk, "y")?));
    match text(jwk, "crv") {
        Some("P-256") => {
            let (x, y) = coordinates()?;
            Ok(Material::P256(Box::new(EcKey::p256(&x, &y)?)))
        }
        Some("P-384") => {
            let (x, y) = coordinates()?;
            Ok(Material::P384(Box::new(EcKey::p384(&x, &y)?)))
        }
        Some("P-521") => {
            let (x, y) = coordinates()?;
            Ok(Material::P521(Box::new(EcKey::p521(&x, &y)?)))
        }
        _ => Err(KeyFault::Curve),
    }
}

/// A private key beside public ones is a leak, whatever it was meant for.
fn refuse_private(jwk: &Object<'_>, members: &[&str]) -> Result<(), KeyFault> {
    match members.iter().any(|member| jwk.get(member).is_some()) {
        true => Err(KeyFault::PrivateKey),
        false => Ok(()),
    }
}

/// `use` and `key_ops` (RFC 7517 §4.2, §4.3): where one is there, it must allow to verify.
fn refuse_other_use(jwk: &Object<'_>) -> Result<(), KeyFault> {
    let signs = match jwk.get("use") {
        None => true,
        Some(usage) => usage.as_str() == Some("sig"),
    };
    let verifies = match jwk.get("key_ops") {
        None => true,
        Some(operations) => operations.as_array().is_some_and(allows_verify),
    };
    match signs && verifies {
        true => Ok(()),
        false => Err(KeyFault::OtherUse),
    }
}

/// RFC 7517 §4.3: strings, and none of them twice.
fn allows_verify(operations: &[Value<'_>]) -> bool {
    let mut seen = BTreeSet::new();
    let is_new = |one: &Value<'_>| one.as_str().is_some_and(|one| seen.insert(one.to_owned()));
    operations.iter().all(is_new) && operations.iter().any(|one| one.as_str() == Some("verify"))
}

/// `alg` (RFC 7517 §4.4) narrows what the material allows to one.
fn restrict(allowed: AlgorithmSet, jwk: &Object<'_>) -> Result<AlgorithmSet, KeyFault> {
    match jwk.get("alg") {
        None => Ok(allowed),
        Some(alg) => alg
            .as_str()
            .and_then(Algorithm::parse)
            .filter(|algorithm| allowed.contains(*algorithm))
            .map(|algorithm| AlgorithmSet::of(&[algorithm]))
            .ok_or(KeyFault::Algorithm),
    }
}

fn text<'a>(jwk: &'a Object<'_>, member: &str) -> Option<&'a str> {
    jwk.get(member).and_then(Value::as_str)
}

/// Base64url without padding, white space or stray trailing bits (RFC 7515 §2).
fn octets(jwk: &Object<'_>, member: &'static str) -> Result<Zeroizing<Vec<u8>>, KeyFault> {
    text(jwk, member)
        .and_then(|encoded| URL_SAFE_NO_PAD.decode(encoded).ok())
        .map(Zeroizing::new)
        .ok_or(KeyFault::Encoding(member))
}
