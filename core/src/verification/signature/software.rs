//! Verification in Rust: every algorithm, no host.

use hmac::Mac;
use p256::ecdsa::signature::Verifier as _;
use rsa::{Pkcs1v15Sign, Pss};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use crate::keys::Algorithm;
use crate::keys::material::Material;

pub(super) fn verify(
    algorithm: Algorithm,
    material: &Material,
    message: &[u8],
    signature: &[u8],
) -> bool {
    match (algorithm, material) {
        // RSASSA-PKCS1-v1_5 (RFC 8017 §8.2.2): the whole encoded message is compared, the
        // padding never parsed (CVE-2006-4339).
        (Algorithm::Rs256, Material::Rsa(key)) => {
            let hash = Sha256::digest(message);
            key.verify(Pkcs1v15Sign::new::<Sha256>(), &hash, signature)
                .is_ok()
        }
        (Algorithm::Rs384, Material::Rsa(key)) => {
            let hash = Sha384::digest(message);
            key.verify(Pkcs1v15Sign::new::<Sha384>(), &hash, signature)
                .is_ok()
        }
        (Algorithm::Rs512, Material::Rsa(key)) => {
            let hash = Sha512::digest(message);
            key.verify(Pkcs1v15Sign::new::<Sha512>(), &hash, signature)
                .is_ok()
        }
        // RSASSA-PSS with a salt as long as the hash, which is MGF1's too (RFC 7518 §3.5).
        (Algorithm::Ps256, Material::Rsa(key)) => {
            let hash = Sha256::digest(message);
            key.verify(Pss::<Sha256>::new_with_salt(32), &hash, signature)
                .is_ok()
        }
        (Algorithm::Ps384, Material::Rsa(key)) => {
            let hash = Sha384::digest(message);
            key.verify(Pss::<Sha384>::new_with_salt(48), &hash, signature)
                .is_ok()
        }
        (Algorithm::Ps512, Material::Rsa(key)) => {
            let hash = Sha512::digest(message);
            key.verify(Pss::<Sha512>::new_with_salt(64), &hash, signature)
                .is_ok()
        }
        // r‖s at full length, each from 1 to n - 1 (RFC 7518 §3.4; CVE-2022-21449). A high s
        // is valid: only Bitcoin says otherwise.
        (Algorithm::Es256, Material::P256(key)) => p256::ecdsa::Signature::from_slice(signature)
            .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
        (Algorithm::Es384, Material::P384(key)) => p384::ecdsa::Signature::from_slice(signature)
            .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
        (Algorithm::Es512, Material::P521(key)) => p521::ecdsa::Signature::from_slice(signature)
            .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
        // Strict: S below the group's order, R canonical and not of low order.
        (Algorithm::EdDsa, Material::Ed25519(key)) => {
            ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok())
        }
        (Algorithm::Hs256, Material::Hmac(key)) => has_tag(&key.sha256, message, signature),
        (Algorithm::Hs384, Material::Hmac(key)) => has_tag(&key.sha384, message, signature),
        (Algorithm::Hs512, Material::Hmac(key)) => has_tag(&key.sha512, message, signature),
        _ => false,
    }
}

/// The whole tag, compared in constant time; a prefix of it is no tag (RFC 7518 §3.2).
fn has_tag<M: Mac + Clone>(keyed: &Option<M>, message: &[u8], tag: &[u8]) -> bool {
    keyed
        .clone()
        .is_some_and(|mac| mac.chain_update(message).verify_slice(tag).is_ok())
}
