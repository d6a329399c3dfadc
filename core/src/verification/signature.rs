//! Verifies signatures, with the host's function or in Rust.

mod host;
mod known_answers;
mod software;

use std::fmt;

use self::host::HostVerifier;

use crate::keys::{Algorithm, AlgorithmSet, Key};

/// Calls the host's `verify_signature` with an encoded argument; `None` if the call fails.
pub type HostFunction = Box<dyn Fn(&[u8]) -> Option<Vec<u8>>>;

/// Verifies every algorithm, with the host where it can.
pub struct Verifier {
    host: Option<HostVerifier>,
}

/// The signature is not the key's over this message. It has no reason: failures that differ would be an oracle
/// for an attacker.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BadSignature(());

// === impl Verifier ===

impl Verifier {
    /// All in Rust: for hosts without `verify_signature`, and for tests.
    pub fn software() -> Self {
        Verifier { host: None }
    }

    /// The host for the algorithms whose self-test it passes, which is 4 to 14 times faster; Rust for the rest.
    pub fn choose(verify_signature: HostFunction) -> Self {
        let host = HostVerifier::choose(verify_signature);
        Verifier {
            host: Some(host).filter(|host| !host.algorithms().is_empty()),
        }
    }

    /// Whether `signature` is that of `key` over `message`.
    pub fn verify(
        &self,
        algorithm: Algorithm,
        key: &Key,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), BadSignature> {
        // Callers choose keys that fit. This is the last check of it.
        if !key.algorithms().contains(algorithm) {
            return Err(BadSignature(()));
        }
        let material = key.material();
        // If the call fails, the signature is neither accepted nor refused: software verifies it.
        let is_good = self
            .host
            .as_ref()
            .and_then(|host| host.verify(algorithm, material, message, signature))
            .unwrap_or_else(|| software::verify(algorithm, material, message, signature));
        match is_good {
            true => Ok(()),
            false => Err(BadSignature(())),
        }
    }

    /// What the host verifies for us.
    pub fn host_algorithms(&self) -> AlgorithmSet {
        self.host
            .as_ref()
            .map_or(AlgorithmSet::EMPTY, HostVerifier::algorithms)
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("host_algorithms", &self.host_algorithms())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
