//! Verification by the host: BoringSSL behind Envoy's foreign function `verify_signature`.
//!
//! It accepts any key size, SHA-1, and trailing bytes after a key. So it only gets keys that we have parsed
//! and encoded ourselves, and signatures in the one form that JOSE allows.

use super::{HostFunction, known_answers};
use crate::keys::material::{Material, RsaKey};
use crate::keys::{Algorithm, AlgorithmSet};

pub(super) struct HostVerifier {
    verify_signature: HostFunction,
    algorithms: AlgorithmSet,
}

/// The whole answer `result: true`. A refusal is an error text without `result`, and any other answer counts
/// as false.
const TRUE: &[u8] = &[0x08, 0x01];

/// What `verify_signature` supports: neither PSS nor Ed25519. Shared secrets are never sent.
const OFFERED: AlgorithmSet = AlgorithmSet::of(&[
    Algorithm::Rs256,
    Algorithm::Rs384,
    Algorithm::Rs512,
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::Es512,
]);

/// Fields of the argument, each with the wire type for bytes.
const HASH_FUNCTION: u8 = 0x0a;
const PUBLIC_KEY: u8 = 0x12;
const SIGNATURE: u8 = 0x1a;
const TEXT: u8 = 0x22;

// === impl HostVerifier ===

impl HostVerifier {
    /// A host that verifies only the algorithms whose self-test it passes.
    pub(super) fn choose(verify_signature: HostFunction) -> Self {
        let untested = Self::untested(verify_signature);
        let algorithms = known_answers::passed(|algorithm, key, message, signature| {
            untested.verify(algorithm, key.material(), message, signature)
        });
        HostVerifier {
            algorithms,
            ..untested
        }
    }

    pub(super) fn untested(verify_signature: HostFunction) -> Self {
        HostVerifier {
            verify_signature,
            algorithms: OFFERED,
        }
    }

    pub(super) fn algorithms(&self) -> AlgorithmSet {
        self.algorithms
    }

    /// `None`: the host does not offer the algorithm, or the call failed; software verifies.
    pub(super) fn verify(
        &self,
        algorithm: Algorithm,
        material: &Material,
        message: &[u8],
        signature: &[u8],
    ) -> Option<bool> {
        if !self.algorithms.contains(algorithm) {
            return None;
        }
        let (hash, signature) = match (algorithm, material) {
            (Algorithm::Rs256, Material::Rsa(key)) => ("sha256", rsa(key, signature)),
            (Algorithm::Rs384, Material::Rsa(key)) => ("sha384", rsa(key, signature)),
            (Algorithm::Rs512, Material::Rsa(key)) => ("sha512", rsa(key, signature)),
            (Algorithm::Es256, Material::P256(_)) => (
                "sha256",
                der::<p256::ecdsa::Signature, p256::ecdsa::DerSignature>(signature),
            ),
            (Algorithm::Es384, Material::P384(_)) => (
                "sha384",
                der::<p384::ecdsa::Signature, p384::ecdsa::DerSignature>(signature),
            ),
            (Algorithm::Es512, Material::P521(_)) => (
                "sha512",
                der::<p521::ecdsa::Signature, p521::ecdsa::DerSignature>(signature),
            ),
            _ => return None,
        };
        let Some(signature) = signature else {
            return Some(false);
        };
        let argument = argument(hash, material.spki()?, &signature, message);
        let answer = (self.verify_signature)(&argument)?;
        Some(answer == TRUE)
    }
}

fn rsa(key: &RsaKey, signature: &[u8]) -> Option<Vec<u8>> {
    key.is_representative(signature).then(|| signature.to_vec())
}

/// JOSE writes an ECDSA signature as r‖s (RFC 7518 §3.4), BoringSSL reads DER.
fn der<'s, S: TryFrom<&'s [u8]>, D: From<S> + AsRef<[u8]>>(signature: &'s [u8]) -> Option<Vec<u8>> {
    let signature = S::try_from(signature).ok()?;
    Some(D::from(signature).as_ref().to_vec())
}

fn argument(hash: &str, spki: &[u8], signature: &[u8], message: &[u8]) -> Vec<u8> {
    let fields = [
        (HASH_FUNCTION, hash.as_bytes()),
        (PUBLIC_KEY, spki),
        (SIGNATURE, signature),
        (TEXT, message),
    ];
    let length = fields.iter().fold(0_usize, |sum, (_, bytes)| {
        sum.saturating_add(bytes.len()).saturating_add(6)
    });
    let mut out = Vec::with_capacity(length);
    for (tag, bytes) in fields {
        out.push(tag);
        push_varint(&mut out, bytes.len());
        out.extend_from_slice(bytes);
    }
    out
}

/// Base 128, the least significant group first.
fn push_varint(out: &mut Vec<u8>, mut value: usize) {
    loop {
        let group = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            out.push(group);
            return;
        }
        out.push(group | 0x80);
    }
}
