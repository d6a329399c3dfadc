//! JSON Web Key Sets (RFC 7517): bytes in, keys that are fit to verify out.
//!
//! A key says what it may be used for, and the token only says which key it means: the
//! algorithm is never the token's choice alone (RFC 8725 §3.1).

mod algorithm;
pub(crate) mod der;
mod jwk;
pub(crate) mod material;

use std::{fmt, slice};

use crate::json::{self, InvalidJson, Object, Quoted, Value};
use crate::limits::{COSTLY_KEY_TRIALS, JWKS_BYTES, JWKS_KEYS, KEY_TRIALS};
use crate::secret::Digest;

pub use self::algorithm::{Algorithm, AlgorithmSet};

use self::material::Material;

/// The usable keys of one set, in the order in which they were written.
#[derive(Clone)]
pub struct KeySet {
    keys: Vec<Key>,
}

/// Where a set came from, hence what it may hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Origin {
    /// Written by the operator: a mistake in it is a load error.
    Inline,
    /// Published by the issuer: keys that we cannot use are skipped, and so are shared secrets.
    Remote,
}

/// A key whose material was checked, and what it may verify.
#[derive(Clone)]
pub struct Key {
    id: KeyId,
    kid: Option<Box<str>>,
    algorithms: AlgorithmSet,
    material: Material,
}

/// A digest of the material and of what the set says of it: a key that comes back under
/// another name or for another algorithm is another key.
///
/// Every remembered token holds one, so it is half a SHA-256: two keys with the same half cost an
/// issuer 2^64 tries, and both would be its own.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct KeyId(u128);

/// What a set has to offer for a token.
#[derive(Clone, Debug)]
pub enum Candidates<'a> {
    /// At least one.
    Keys(Trials<'a>),
    /// The token names a key that cannot verify the token's algorithm.
    Mismatch,
    /// No key has that `kid`, or, without a `kid`, no key fits.
    Unknown,
}

/// The keys to try, in order: at most [`KEY_TRIALS`], and of those that cost more to try at
/// most [`COSTLY_KEY_TRIALS`].
#[derive(Clone, Debug)]
pub struct Trials<'a> {
    keys: slice::Iter<'a, Key>,
    algorithm: Algorithm,
    kid: Option<&'a str>,
    left: usize,
    costly_left: usize,
}

/// A key of the set that verifies nothing, and why.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SkippedKey {
    /// Its place in `keys`.
    pub index: usize,
    /// Its `kid`, where it has a valid one.
    pub kid: Option<Box<str>>,
    /// What is wrong with it.
    pub reason: KeyFault,
}

/// What is wrong with a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyFault {
    /// `alg` names nothing that this key could verify.
    Algorithm,
    /// `crv` is no curve that we know for its `kty`.
    Curve,
    /// This member is absent or not base64url.
    Encoding(&'static str),
    /// An RSA modulus that is even.
    EvenModulus,
    /// An RSA exponent that is even, below 3 or beyond 2^33 - 1.
    Exponent,
    /// `kty` is absent or unknown.
    KeyType,
    /// `kid` is no string.
    Kid,
    /// An RSA modulus of a length that we refuse.
    ModulusLength {
        /// Its length.
        bits: usize,
    },
    /// The element of `keys` is no object.
    NotAnObject,
    /// `use` or `key_ops` do not allow verification.
    OtherUse,
    /// Off the curve, of low order, or written otherwise than its curve wants.
    Point,
    /// It has private members.
    PrivateKey,
    /// A shared secret in a published set.
    PublishedSecret,
    /// A shared secret that is shorter than the hash of its algorithm.
    ShortSecret,
}

/// Why a set as a whole is refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum InvalidKeySet {
    /// `keys` is absent or no array.
    NoKeys,
    /// Every key was skipped, for these reasons.
    NoUsableKey(Vec<SkippedKey>),
    /// The text is not JSON that we accept.
    NotJson(InvalidJson),
    /// The operator wrote a private key into the configuration.
    PrivateKey {
        /// Its place in `keys`.
        index: usize,
    },
    /// More than [`JWKS_BYTES`].
    TooLarge {
        /// The length of the text.
        bytes: usize,
    },
    /// More than [`JWKS_KEYS`].
    TooManyKeys {
        /// How many there are.
        keys: usize,
    },
}

// === impl KeySet ===

impl KeySet {
    /// Reads a set as it was published. One over the limits fails as a whole: to read a part
    /// of it would let its order decide which tokens pass.
    pub fn parse(bytes: &[u8], origin: Origin) -> Result<(Self, Vec<SkippedKey>), InvalidKeySet> {
        if bytes.len() > JWKS_BYTES {
            return Err(InvalidKeySet::TooLarge { bytes: bytes.len() });
        }
        let set = json::parse_object(bytes).map_err(InvalidKeySet::NotJson)?;
        Self::from_object(&set, origin)
    }

    /// Reads a set that stands within a larger document.
    pub fn from_object(
        set: &Object<'_>,
        origin: Origin,
    ) -> Result<(Self, Vec<SkippedKey>), InvalidKeySet> {
        let entries = set
            .get("keys")
            .and_then(Value::as_array)
            .ok_or(InvalidKeySet::NoKeys)?;
        if entries.len() > JWKS_KEYS {
            return Err(InvalidKeySet::TooManyKeys {
                keys: entries.len(),
            });
        }
        let mut keys = Vec::with_capacity(entries.len());
        let mut skipped = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            match Key::read(entry, origin) {
                Ok(key) => keys.push(key),
                Err((KeyFault::PrivateKey, _)) if origin == Origin::Inline => {
                    return Err(InvalidKeySet::PrivateKey { index });
                }
                Err((reason, kid)) => skipped.push(SkippedKey { index, kid, reason }),
            }
        }
        // An issuer may well withdraw its last key, and then no token of it passes.
        if keys.is_empty() && origin == Origin::Inline {
            return Err(InvalidKeySet::NoUsableKey(skipped));
        }
        Ok((KeySet { keys }, skipped))
    }

    /// The keys to try for a token that says `alg` and perhaps `kid`.
    pub fn candidates<'a>(&'a self, algorithm: Algorithm, kid: Option<&'a str>) -> Candidates<'a> {
        let trials = Trials {
            keys: self.keys.iter(),
            algorithm,
            kid,
            left: KEY_TRIALS,
            costly_left: COSTLY_KEY_TRIALS,
        };
        if trials.clone().next().is_some() {
            return Candidates::Keys(trials);
        }
        match kid {
            Some(kid) if self.keys.iter().any(|key| key.is_named(kid)) => Candidates::Mismatch,
            _ => Candidates::Unknown,
        }
    }

    /// Whether that very key is still here: a verdict that was reached with it dies with it.
    pub fn holds(&self, id: KeyId) -> bool {
        self.keys.iter().any(|key| key.id == id)
    }

    /// The keys in their order.
    pub fn iter(&self) -> slice::Iter<'_, Key> {
        self.keys.iter()
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The number of keys.
    pub fn len(&self) -> usize {
        self.keys.len()
    }
}

impl<'a> IntoIterator for &'a KeySet {
    type Item = &'a Key;
    type IntoIter = slice::Iter<'a, Key>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.keys).finish()
    }
}

// === impl Key ===

impl Key {
    fn read(entry: &Value<'_>, origin: Origin) -> Result<Self, (KeyFault, Option<Box<str>>)> {
        let jwk = entry.as_object().ok_or((KeyFault::NotAnObject, None))?;
        let kid = jwk::kid(jwk);
        // The material first: a private key is a leak even under a broken name.
        let key = jwk::read(jwk, kid.unwrap_or_default(), origin)
            .map_err(|reason| (reason, kid.unwrap_or_default().map(Into::into)))?;
        kid.map_err(|reason| (reason, None))?;
        Ok(key)
    }

    /// Reads a key that a stranger shows: as a published one, it has no private member and is no shared secret.
    pub fn from_jwk(jwk: &Value<'_>) -> Result<Self, KeyFault> {
        Key::read(jwk, Origin::Remote).map_err(|(reason, _)| reason)
    }

    /// What tells this key from others.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Its name; the empty string names no key.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// What it may verify, by its material and its `alg`.
    pub fn algorithms(&self) -> AlgorithmSet {
        self.algorithms
    }

    pub(crate) fn material(&self) -> &Material {
        &self.material
    }

    fn is_named(&self, kid: &str) -> bool {
        self.kid.as_deref() == Some(kid)
    }

    /// Whether one trial costs much more than with the usual keys.
    fn is_costly(&self, algorithm: Algorithm) -> bool {
        match algorithm {
            Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Rs512 => match &self.material {
                Material::Rsa(key) => key.is_longer_than(2048),
                _ => false,
            },
            Algorithm::Ps256
            | Algorithm::Ps384
            | Algorithm::Ps512
            | Algorithm::Es384
            | Algorithm::Es512 => true,
            Algorithm::Es256
            | Algorithm::EdDsa
            | Algorithm::Hs256
            | Algorithm::Hs384
            | Algorithm::Hs512 => false,
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("kid", &self.kid)
            .field("algorithms", &self.algorithms)
            .finish_non_exhaustive()
    }
}

/// The thumbprint of a public key as it is written (RFC 7638): one key in two spellings has two.
pub fn thumbprint(jwk: &Value<'_>) -> Result<Digest, KeyFault> {
    jwk::thumbprint(jwk.as_object().ok_or(KeyFault::NotAnObject)?)
}

// === impl KeyId ===

impl KeyId {
    /// All but the last field are of a fixed length, so that no two keys read as one.
    fn new(material: &Material, algorithms: AlgorithmSet, kid: Option<&str>) -> Self {
        let digest = material.digest();
        let fields = [
            digest.as_bytes().as_slice(),
            &algorithms.bits().to_be_bytes(),
            kid.unwrap_or_default().as_bytes(),
        ];
        KeyId(Digest::sha256(&fields.concat()).first_half())
    }
}

/// Without the bits: they are a digest of key material, which may be a shared secret.
impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyId")
    }
}

// === impl Trials ===

impl<'a> Iterator for Trials<'a> {
    type Item = &'a Key;

    fn next(&mut self) -> Option<&'a Key> {
        if self.left == 0 {
            return None;
        }
        let (algorithm, kid, costly_left) = (self.algorithm, self.kid, self.costly_left);
        let key = self.keys.find(|key| {
            key.algorithms.contains(algorithm)
                && kid.is_none_or(|kid| key.is_named(kid))
                && (costly_left > 0 || !key.is_costly(algorithm))
        })?;
        self.left = self.left.saturating_sub(1);
        if key.is_costly(algorithm) {
            self.costly_left = self.costly_left.saturating_sub(1);
        }
        Some(key)
    }
}

// === impl SkippedKey ===

impl fmt::Display for SkippedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "keys[{}]", self.index)?;
        if let Some(kid) = &self.kid {
            write!(f, " (kid {})", Quoted(kid))?;
        }
        write!(f, ": {}", self.reason)
    }
}

// === impl KeyFault ===

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyFault::Algorithm => f.write_str("alg: nothing that this key could verify"),
            KeyFault::Curve => f.write_str("crv: not a curve that is known for this kty"),
            KeyFault::Encoding(member) => {
                write!(f, "{member}: expected base64url without padding")
            }
            KeyFault::EvenModulus => f.write_str("n: an even modulus"),
            KeyFault::Exponent => f.write_str("e: expected an odd exponent from 3 to 2^33 - 1"),
            KeyFault::KeyType => f.write_str("kty: expected RSA, EC, OKP or oct"),
            KeyFault::Kid => f.write_str("kid: expected a string"),
            KeyFault::ModulusLength { bits } => {
                write!(f, "n: {bits} bits, expected 2048 to 4096")
            }
            KeyFault::NotAnObject => f.write_str("expected an object"),
            KeyFault::OtherUse => f.write_str("use or key_ops: not a key to verify with"),
            KeyFault::Point => f.write_str("x, y: not a usable point of the curve"),
            KeyFault::PrivateKey => f.write_str("a private key"),
            KeyFault::PublishedSecret => {
                f.write_str("kty: a shared secret in a published set is no secret")
            }
            KeyFault::ShortSecret => f.write_str("k: shorter than the hash of its algorithm"),
        }
    }
}

// === impl InvalidKeySet ===

impl fmt::Display for InvalidKeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InvalidKeySet::NoKeys => f.write_str("keys: expected an array of keys"),
            InvalidKeySet::NoUsableKey(skipped) => {
                f.write_str("no usable key")?;
                for (i, key) in skipped.iter().enumerate() {
                    write!(f, "{}{key}", if i == 0 { ": " } else { "; " })?;
                }
                Ok(())
            }
            InvalidKeySet::NotJson(invalid) => invalid.fmt(f),
            InvalidKeySet::PrivateKey { index } => {
                write!(
                    f,
                    "keys[{index}]: a private key; only the public one belongs here"
                )
            }
            InvalidKeySet::TooLarge { bytes } => {
                write!(f, "{bytes} bytes, at most {JWKS_BYTES} are read")
            }
            InvalidKeySet::TooManyKeys { keys } => {
                write!(f, "{keys} keys, at most {JWKS_KEYS} are read")
            }
        }
    }
}

#[cfg(test)]
mod tests;
