//! What a key is made of, checked once and prepared for both verifiers.

use std::ops::Deref;

use ed25519_dalek::VerifyingKey as Ed25519Key;
use hmac::{Hmac, KeyInit};
use rsa::{BoxedUint, RsaPublicKey};
use sha2::{Sha256, Sha384, Sha512};

use super::KeyFault;
use super::algorithm::{Algorithm, AlgorithmSet};
use super::der;
use crate::limits::RSA_BITS;
use crate::secret::Digest;

/// Every variant has passed the checks that its `new` does; there is no other way to make one.
#[derive(Clone)]
pub(crate) enum Material {
    Ed25519(Box<Ed25519Key>),
    Hmac(Box<HmacKey>),
    P256(Box<EcKey<p256::ecdsa::VerifyingKey>>),
    P384(Box<EcKey<p384::ecdsa::VerifyingKey>>),
    P521(Box<EcKey<p521::ecdsa::VerifyingKey>>),
    Rsa(Box<RsaKey>),
}

#[derive(Clone)]
pub(crate) struct RsaKey {
    public: RsaPublicKey,
    modulus: Box<[u8]>,
    spki: Box<[u8]>,
}

#[derive(Clone)]
pub(crate) struct EcKey<K> {
    point: K,
    spki: Box<[u8]>,
}

/// The keyed states, ready to be cloned; the secret itself is not kept.
#[derive(Clone)]
pub(crate) struct HmacKey {
    digest: Digest,
    pub(crate) sha256: Option<Hmac<Sha256>>,
    pub(crate) sha384: Option<Hmac<Sha384>>,
    pub(crate) sha512: Option<Hmac<Sha512>>,
}

const RSA_ALGORITHMS: AlgorithmSet = AlgorithmSet::of(&[
    Algorithm::Rs256,
    Algorithm::Rs384,
    Algorithm::Rs512,
    Algorithm::Ps256,
    Algorithm::Ps384,
    Algorithm::Ps512,
]);

// === impl Material ===

impl Material {
    /// The algorithms that the material alone allows.
    pub(super) fn algorithms(&self) -> AlgorithmSet {
        match self {
            Material::Ed25519(_) => AlgorithmSet::of(&[Algorithm::EdDsa]),
            Material::Hmac(key) => key.algorithms(),
            Material::P256(_) => AlgorithmSet::of(&[Algorithm::Es256]),
            Material::P384(_) => AlgorithmSet::of(&[Algorithm::Es384]),
            Material::P521(_) => AlgorithmSet::of(&[Algorithm::Es512]),
            Material::Rsa(_) => RSA_ALGORITHMS,
        }
    }

    pub(super) fn digest(&self) -> Digest {
        match self {
            Material::Ed25519(key) => Digest::sha256(key.as_bytes()),
            Material::Hmac(key) => key.digest,
            Material::P256(key) => Digest::sha256(&key.spki),
            Material::P384(key) => Digest::sha256(&key.spki),
            Material::P521(key) => Digest::sha256(&key.spki),
            Material::Rsa(key) => Digest::sha256(&key.spki),
        }
    }

    /// SubjectPublicKeyInfo in DER, where a host could verify with it.
    pub(crate) fn spki(&self) -> Option<&[u8]> {
        match self {
            Material::Ed25519(_) | Material::Hmac(_) => None,
            Material::P256(key) => Some(&key.spki),
            Material::P384(key) => Some(&key.spki),
            Material::P521(key) => Some(&key.spki),
            Material::Rsa(key) => Some(&key.spki),
        }
    }
}

// === impl RsaKey ===

impl RsaKey {
    /// From big-endian `n` and `e`. RFC 7518 §6.3.1 wants no leading zero octet; many issuers
    /// write one all the same, and it changes nothing.
    pub(super) fn new(n: &[u8], e: &[u8]) -> Result<Self, KeyFault> {
        let n = der::without_leading_zeros(n);
        let e = der::without_leading_zeros(e);
        let bits = bit_length(n);
        if !RSA_BITS.contains(&bits) {
            return Err(KeyFault::ModulusLength { bits });
        }
        if is_even(n) {
            return Err(KeyFault::EvenModulus);
        }
        // e = 1 verifies anything; a long e is work that the key's owner puts upon us.
        if !(2..=33).contains(&bit_length(e)) || is_even(e) {
            return Err(KeyFault::Exponent);
        }
        let spki = der::public_key(der::RSA_ENCRYPTION, &der::rsa_public_key(n, e));
        let public = RsaPublicKey::new_with_size_limits(
            BoxedUint::from_be_slice_vartime(n),
            BoxedUint::from_be_slice_vartime(e),
            RSA_BITS,
        )
        .map_err(|_| KeyFault::Exponent)?;
        Ok(RsaKey {
            public,
            modulus: n.into(),
            spki: spki.into(),
        })
    }

    /// Whether a signature is an integer below the modulus, written in exactly as many octets
    /// (RFC 8017 §5.2.2, §8.2.2): otherwise one signature has several spellings.
    pub(crate) fn is_representative(&self, signature: &[u8]) -> bool {
        signature.len() == self.modulus.len() && *signature < *self.modulus
    }

    pub(super) fn is_longer_than(&self, bits: usize) -> bool {
        bit_length(&self.modulus) > bits
    }
}

impl Deref for RsaKey {
    type Target = RsaPublicKey;

    fn deref(&self) -> &RsaPublicKey {
        &self.public
    }
}

fn is_even(bytes: &[u8]) -> bool {
    bytes.last().is_none_or(|byte| byte & 1 == 0)
}

/// Of a big-endian integer without leading zero octets.
fn bit_length(bytes: &[u8]) -> usize {
    let Some(first) = bytes.first() else {
        return 0;
    };
    let unused = usize::try_from(first.leading_zeros()).unwrap_or(0);
    bytes.len().saturating_mul(8).saturating_sub(unused)
}

// === impl EcKey ===

/// Builds an [`EcKey`] from its coordinates. Uncompressed, so that a point that is not on the
/// curve is refused rather than moved onto it; there is no way to write the point at infinity.
macro_rules! ec_key {
    ($curve:ident, $identifier:expr, $x:expr, $y:expr) => {{
        let length = $curve::ecdsa::VerifyingKey::COORDINATE;
        let coordinates = full_length($x, length).zip(full_length($y, length));
        let (x, y) = coordinates.ok_or(KeyFault::Point)?;
        let encoded = [&[4], x.as_slice(), y.as_slice()].concat();
        let point =
            $curve::ecdsa::VerifyingKey::from_sec1_bytes(&encoded).map_err(|_| KeyFault::Point)?;
        Ok(EcKey {
            point,
            spki: der::public_key($identifier, &encoded).into(),
        })
    }};
}

/// RFC 7518 §6.2.1.2 wants every octet of a coordinate. Issuers that write integers leave
/// leading zeros out, for one key of 128, or for half of the P-521 keys; they mean the same.
fn full_length(coordinate: &[u8], length: usize) -> Option<Vec<u8>> {
    let missing = length.checked_sub(coordinate.len())?;
    Some([vec![0; missing].as_slice(), coordinate].concat())
}

trait Coordinate {
    /// Bytes of one coordinate.
    const COORDINATE: usize;
}

impl Coordinate for p256::ecdsa::VerifyingKey {
    const COORDINATE: usize = 32;
}

impl Coordinate for p384::ecdsa::VerifyingKey {
    const COORDINATE: usize = 48;
}

impl Coordinate for p521::ecdsa::VerifyingKey {
    const COORDINATE: usize = 66;
}

impl EcKey<p256::ecdsa::VerifyingKey> {
    pub(super) fn p256(x: &[u8], y: &[u8]) -> Result<Self, KeyFault> {
        ec_key!(p256, der::EC_P256, x, y)
    }
}

impl EcKey<p384::ecdsa::VerifyingKey> {
    pub(super) fn p384(x: &[u8], y: &[u8]) -> Result<Self, KeyFault> {
        ec_key!(p384, der::EC_P384, x, y)
    }
}

impl EcKey<p521::ecdsa::VerifyingKey> {
    pub(super) fn p521(x: &[u8], y: &[u8]) -> Result<Self, KeyFault> {
        ec_key!(p521, der::EC_P521, x, y)
    }
}

impl<K> Deref for EcKey<K> {
    type Target = K;

    fn deref(&self) -> &K {
        &self.point
    }
}

// === Ed25519 ===

/// A canonical encoding (RFC 8032 §5.1.3) of a point that is not of low order: with one of
/// those, a signature can be made that fits almost any message.
pub(super) fn ed25519(x: &[u8]) -> Result<Ed25519Key, KeyFault> {
    let bytes: &[u8; 32] = x.try_into().map_err(|_| KeyFault::Point)?;
    if !is_canonical(bytes) {
        return Err(KeyFault::Point);
    }
    let key = Ed25519Key::from_bytes(bytes).map_err(|_| KeyFault::Point)?;
    if key.is_weak() {
        return Err(KeyFault::Point);
    }
    Ok(key)
}

/// Whether y, little-endian under the sign bit, is below p = 2^255 - 19.
fn is_canonical(bytes: &[u8; 32]) -> bool {
    let [low, middle @ .., high] = bytes;
    *low < 0xed || middle.iter().any(|byte| *byte != 0xff) || high & 0x7f != 0x7f
}

// === impl HmacKey ===

impl HmacKey {
    /// For every hash that is no longer than the key (RFC 7518 §3.2).
    pub(super) fn new(secret: &[u8]) -> Result<Self, KeyFault> {
        let key = HmacKey {
            digest: Digest::sha256(secret),
            sha256: keyed(secret, 32),
            sha384: keyed(secret, 48),
            sha512: keyed(secret, 64),
        };
        if key.algorithms().is_empty() {
            return Err(KeyFault::ShortSecret);
        }
        Ok(key)
    }

    fn algorithms(&self) -> AlgorithmSet {
        [
            self.sha256.as_ref().map(|_| Algorithm::Hs256),
            self.sha384.as_ref().map(|_| Algorithm::Hs384),
            self.sha512.as_ref().map(|_| Algorithm::Hs512),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

fn keyed<M: KeyInit>(secret: &[u8], least: usize) -> Option<M> {
    if secret.len() < least {
        return None;
    }
    M::new_from_slice(secret).ok()
}
