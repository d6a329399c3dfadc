//! jwt-compact as an oracle: another author's code upon another generation of every primitive.
//!
//! What it signs must verify here with the key that it writes; what it refuses, we refuse. It
//! judges and does not run in the filter: its parser is laxer than ours must be.

use jwt_compact::alg::{Ed25519, Es256, Hs256, Hs384, Hs512, Rsa, RsaPrivateKey, SigningKey as _};
use jwt_compact::alg::{Hs256Key, Hs384Key, Hs512Key};
use jwt_compact::jwk::JsonWebKey;
use jwt_compact::{Algorithm as Oracle, AlgorithmExt as _, Claims, Empty, Header, UntrustedToken};
use portcullis_core::keys::Algorithm;

use super::native::hold_all;
use crate::lists::vector::{Vector, decode, encode};

const RSA: &str = include_str!("fixtures/throwaway_rsa.json");

#[test]
fn rsa() {
    let key: JsonWebKey<'_> = serde_json::from_str(RSA).unwrap();
    let signing_key = RsaPrivateKey::try_from(&key).unwrap();
    let verifying_key = signing_key.to_public_key();
    let jwk = serde_json::to_string(&JsonWebKey::from(&verifying_key)).unwrap();
    for algorithm in [
        Rsa::rs256(),
        Rsa::rs384(),
        Rsa::rs512(),
        Rsa::ps256(),
        Rsa::ps384(),
        Rsa::ps512(),
    ] {
        agree(&algorithm, &signing_key, &verifying_key, &jwk);
    }
}

#[test]
fn es256() {
    let signing_key = <Es256 as Oracle>::SigningKey::from_slice(&[7; 32]).unwrap();
    let verifying_key = signing_key.to_verifying_key();
    let jwk = serde_json::to_string(&JsonWebKey::from(&verifying_key)).unwrap();
    agree(&Es256, &signing_key, &verifying_key, &jwk);
}

#[test]
fn ed25519() {
    // The secret key in this form is the seed and the public key of RFC 8037 A.1.
    let seed = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
    let public = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    let both = [decode(seed), decode(public)].concat();
    let signing_key = <Ed25519 as Oracle>::SigningKey::from_slice(&both).unwrap();
    let verifying_key = signing_key.to_verifying_key();
    let jwk = serde_json::to_string(&JsonWebKey::from(&verifying_key)).unwrap();
    agree(&Ed25519, &signing_key, &verifying_key, &jwk);
    let renamed = Ed25519::with_specific_name();
    agree(&renamed, &signing_key, &verifying_key, &jwk);
}

#[test]
fn hmac() {
    let secret: Vec<u8> = (0..64).collect();
    let key = Hs256Key::new(&secret);
    let jwk = serde_json::to_string(&JsonWebKey::from(&key)).unwrap();
    agree(&Hs256, &key, &key, &jwk);
    agree(
        &Hs384,
        &Hs384Key::new(&secret),
        &Hs384Key::new(&secret),
        &jwk,
    );
    agree(
        &Hs512,
        &Hs512Key::new(&secret),
        &Hs512Key::new(&secret),
        &jwk,
    );
}

fn agree<A: Oracle>(
    oracle: &A,
    signing_key: &A::SigningKey,
    verifying_key: &A::VerifyingKey,
    jwk: &str,
) {
    let name = oracle.name();
    let token = oracle
        .token(&Header::empty(), &Claims::empty(), signing_key)
        .unwrap();
    let good = Vector::from_compact(&name, jwk, &token, true);
    let mut vectors = good.tampered();
    vectors.retain(|vector| vector.algorithm == good.algorithm);
    let step = (good.signature.len() / 32).max(1);
    for at in (0..good.signature.len()).step_by(step) {
        let mut signature = good.signature.clone();
        signature[at] ^= 0x55;
        vectors.push(Vector {
            name: format!("{name}, byte {at}"),
            jwk: jwk.to_owned(),
            algorithm: good.algorithm,
            message: good.message.clone(),
            signature,
            valid: false,
        });
    }
    vectors.push(good);
    for vector in &mut vectors {
        let message = String::from_utf8_lossy(&vector.message);
        let token = format!("{message}.{}", encode(&vector.signature));
        vector.valid = UntrustedToken::new(&token).is_ok_and(|token| {
            oracle
                .validator::<Empty>(verifying_key)
                .validate(&token)
                .is_ok()
        });
    }
    assert_eq!(vectors.iter().filter(|vector| vector.valid).count(), 1);
    assert!(Algorithm::parse(&name).is_some());
    hold_all(&vectors);
}
