//! Secrets that cannot be printed, digests, and comparison in constant time.

use std::fmt;
use std::hash::{Hash, Hasher};

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest as _, Sha256};
use siphasher::sip128::{Hasher128 as _, SipHasher24};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Bytes that never appear in a log, an error or a `Debug` print.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

/// A SHA-256 or HMAC-SHA-256 digest, compared in constant time.
#[derive(Clone, Copy)]
pub struct Digest([u8; 32]);

/// What API keys are hashed with, so that a hash alone does not let anybody guess its key: the
/// state in which HMAC-SHA-256 (RFC 2104) has taken the secret in.
#[derive(Clone)]
pub struct Pepper(Hmac<Sha256>);

/// What stands for a credential in a cache.
///
/// SipHash-2-4 is a pseudo-random function: to whoever does not know the key, drawn at random
/// by each worker, its 128 bits are as good as random, so two credentials with one fingerprint
/// can be neither computed nor, below 2^64 requests to one worker, expected.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Fingerprint(u128);

/// The key of a worker's fingerprints.
#[derive(Clone)]
pub struct FingerprintKey([u8; 16]);

// === impl Secret ===

impl Secret {
    /// Takes the bytes; they are overwritten when this is dropped.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Secret(Zeroizing::new(bytes.into()))
    }

    /// The one way to the bytes: easy to find in a review.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

// === impl Digest ===

impl Digest {
    /// A digest that was computed elsewhere.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Digest(bytes)
    }

    /// The SHA-256 of the bytes.
    pub fn sha256(bytes: &[u8]) -> Self {
        Digest(Sha256::digest(bytes).into())
    }

    /// The bytes, which compare in variable time.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first half.
    pub(crate) fn first_half(&self) -> u128 {
        let [first, second, ..] = self.words();
        u128::from(first) << 64 | u128::from(second)
    }

    /// As four words: comparison in constant time costs per element, so four cost an eighth of 32.
    fn words(&self) -> [u64; 4] {
        let (words, _) = self.0.as_chunks::<8>();
        let mut numbers = [0; 4];
        for (number, word) in numbers.iter_mut().zip(words) {
            *number = u64::from_be_bytes(*word);
        }
        numbers
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.words()
            .as_slice()
            .ct_eq(other.words().as_slice())
            .into()
    }
}

impl Eq for Digest {}

impl Hash for Digest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest")
    }
}

// === impl Pepper ===

impl Pepper {
    /// The key is made as long as a block here, since the constructor that does so returns an
    /// error that cannot occur.
    pub fn new(secret: &Secret) -> Self {
        let secret = secret.expose();
        let hashed = Zeroizing::new(<[u8; 32]>::from(Sha256::digest(secret)));
        let mut block = Zeroizing::new(hmac::digest::Key::<Hmac<Sha256>>::default());
        let short = if secret.len() > block.len() {
            hashed.as_slice()
        } else {
            secret
        };
        for (slot, byte) in block.iter_mut().zip(short) {
            *slot = *byte;
        }
        Pepper(Hmac::<Sha256>::new(&block))
    }

    /// The HMAC-SHA-256 of the bytes.
    pub fn digest(&self, bytes: &[u8]) -> Digest {
        let mut mac = self.0.clone();
        mac.update(bytes);
        Digest(mac.finalize().into_bytes().into())
    }
}

impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pepper")
    }
}

// === impl Fingerprint ===

impl Fingerprint {
    /// A fingerprint of known bits.
    pub const fn new(bits: u128) -> Self {
        Fingerprint(bits)
    }

    pub(crate) const fn bits(self) -> u128 {
        self.0
    }

    /// Half of it, for places that keep many and where a collision does little harm.
    pub const fn half(self) -> u64 {
        self.0 as u64
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint")
    }
}

// === impl FingerprintKey ===

impl FingerprintKey {
    /// `random` comes from the system's random source.
    pub const fn new(random: [u8; 16]) -> Self {
        FingerprintKey(random)
    }

    /// Of bytes that mean something only together with `context`: one token may be known to two
    /// providers as two different things.
    pub fn fingerprint_within(&self, context: usize, bytes: &[u8]) -> Fingerprint {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write(&context.to_le_bytes());
        hasher.write(bytes);
        Fingerprint(hasher.finish128().as_u128())
    }

    /// The fingerprint of a credential.
    pub fn fingerprint(&self, bytes: &[u8]) -> Fingerprint {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write(bytes);
        Fingerprint(hasher.finish128().as_u128())
    }
}

impl fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FingerprintKey")
    }
}
