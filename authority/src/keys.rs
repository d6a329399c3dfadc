//! The signing keys: one active key per algorithm, and retired keys, which stay published while their tokens live.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{self, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use jsonwebtoken::jwk::{Jwk, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{EncodingKey, Header};
use serde::Serialize;

use crate::algorithm::Algorithm;
use crate::clock::UnixTime;
use crate::store::database::{self, Database, Dataset};
use crate::store::signing_keys::{self, SigningKeyRow};

/// The current keys. Signing never waits for a rotation: it goes on with the set that it began with.
pub struct KeyRing(RwLock<Arc<Keys>>);

/// A set of keys, which never changes.
pub struct Keys {
    active: Active,
    retired: Vec<Retired>,
}

/// One key per algorithm, so that a lookup cannot miss.
struct Active {
    rs256: SigningKey,
    es256: SigningKey,
    eddsa: SigningKey,
}

/// A JWK Set (RFC 7517 §5).
#[derive(Serialize)]
pub struct JwkSet<'a> {
    keys: Vec<&'a Jwk>,
}

struct Retired {
    key: SigningKey,
    until: UnixTime,
}

struct SigningKey {
    algorithm: Algorithm,
    kid: String,
    private: EncodingKey,
    public: Jwk,
}

/// Why keys cannot be made, loaded or used.
#[derive(Debug)]
pub enum Error {
    /// AWS-LC failed.
    Crypto,
    /// jsonwebtoken failed.
    Jwt(jsonwebtoken::errors::Error),
    /// The database has active keys, but none for this algorithm.
    Missing(Algorithm),
    /// The database failed.
    Database(database::Error),
}

// === impl KeyRing ===

impl KeyRing {
    /// Loads the keys of the database. An empty database gets new ones.
    pub fn open(database: &Database, now: UnixTime) -> Result<Self, Error> {
        let rows = signing_keys::published(database, now)?;
        let keys = if rows.is_empty() {
            let rows = generate()?;
            signing_keys::replace(database, &rows, None, now)?;
            Keys::from_rows(rows)?
        } else {
            Keys::from_rows(rows)?
        };
        Ok(Self(RwLock::new(Arc::new(keys))))
    }

    /// The keys as they are now.
    pub fn current(&self) -> Arc<Keys> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes new keys for every algorithm. The old ones stay published for `grace`, or are deleted.
    pub fn rotate(
        &self,
        database: &Database,
        grace: Option<Duration>,
        now: UnixTime,
    ) -> Result<(), Error> {
        let fresh = generate()?;
        // Locked throughout, so that of two concurrent rotations the same one is the last here and in the database.
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let until = grace.map(|grace| now.saturating_add(grace));
        signing_keys::replace(database, &fresh, until, now)?;
        *current = Arc::new(Keys::from_rows(signing_keys::published(database, now)?)?);
        database.note_change(Dataset::Statuses);
        // The log may still have the deleted keys. The rotation has succeeded even if they cannot be erased yet.
        if let Err(error) = database.empty_log() {
            eprintln!("authority: deleted keys may still be on the disk: {error}");
        }
        Ok(())
    }
}

// === impl Keys ===

impl Keys {
    fn from_rows(rows: Vec<SigningKeyRow>) -> Result<Self, Error> {
        let (mut rs256, mut es256, mut eddsa) = (None, None, None);
        let mut retired = Vec::new();
        for row in rows {
            let key = SigningKey::new(row.algorithm, row.private)?;
            match (row.published_until, row.algorithm) {
                (Some(until), _) => retired.push(Retired { key, until }),
                (None, Algorithm::Rs256) => rs256 = Some(key),
                (None, Algorithm::Es256) => es256 = Some(key),
                (None, Algorithm::EdDsa) => eddsa = Some(key),
            }
        }
        let active = Active {
            rs256: rs256.ok_or(Error::Missing(Algorithm::Rs256))?,
            es256: es256.ok_or(Error::Missing(Algorithm::Es256))?,
            eddsa: eddsa.ok_or(Error::Missing(Algorithm::EdDsa))?,
        };
        Ok(Self { active, retired })
    }

    /// The public keys: the active ones, then the retired ones.
    pub fn jwks(&self, now: UnixTime) -> JwkSet<'_> {
        let keys = self.published(now).map(|key| &key.public).collect();
        JwkSet { keys }
    }

    /// Other keys under the kids of the active ones, for the fault `key-swap`.
    pub fn decoys(&self) -> Result<Self, Error> {
        let mut decoys = Self::from_rows(generate()?)?;
        let Active {
            rs256,
            es256,
            eddsa,
        } = &mut decoys.active;
        for key in [rs256, es256, eddsa] {
            key.kid.clone_from(&self.active.get(key.algorithm).kid);
        }
        Ok(decoys)
    }

    /// The kids of the active keys.
    pub fn active_kids(&self) -> impl Iterator<Item = &str> {
        Algorithm::ALL
            .into_iter()
            .map(|algorithm| self.active.get(algorithm).kid.as_str())
    }

    /// A JWT in compact form, explicitly typed (RFC 8725 §3.11).
    pub fn sign<C: Serialize>(
        &self,
        algorithm: Algorithm,
        typ: &'static str,
        claims: &C,
    ) -> Result<String, Error> {
        let key = self.active.get(algorithm);
        let header = Header {
            typ: Some(typ.to_owned()),
            kid: Some(key.kid.clone()),
            ..Header::new(algorithm.into())
        };
        jsonwebtoken::encode(&header, claims, &key.private).map_err(Error::Jwt)
    }

    fn published(&self, now: UnixTime) -> impl Iterator<Item = &SigningKey> {
        let retired = self
            .retired
            .iter()
            .filter(move |retired| now < retired.until);
        let active = Algorithm::ALL
            .into_iter()
            .map(|algorithm| self.active.get(algorithm));
        active.chain(retired.map(|retired| &retired.key))
    }
}

// === impl Active ===

impl Active {
    fn get(&self, algorithm: Algorithm) -> &SigningKey {
        match algorithm {
            Algorithm::Rs256 => &self.rs256,
            Algorithm::Es256 => &self.es256,
            Algorithm::EdDsa => &self.eddsa,
        }
    }
}

// === impl SigningKey ===

impl SigningKey {
    fn new(algorithm: Algorithm, private: Vec<u8>) -> Result<Self, Error> {
        let private = match algorithm {
            Algorithm::Rs256 => EncodingKey::from_rsa_der(&private),
            Algorithm::Es256 => EncodingKey::from_ec_der(&private),
            Algorithm::EdDsa => EncodingKey::from_ed_der(&private),
        };
        let mut public = Jwk::from_encoding_key(&private, algorithm.into())?;
        // The thumbprint (RFC 7638) as the kid: two different keys never share one.
        let kid = public.thumbprint(ThumbprintHash::SHA256)?;
        public.common.key_id = Some(kid.clone());
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        Ok(Self {
            algorithm,
            kid,
            private,
            public,
        })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({} {})", self.algorithm.name(), self.kid)
    }
}

/// A new active key for every algorithm.
fn generate() -> Result<Vec<SigningKeyRow>, Error> {
    let rng = SystemRandom::new();
    Algorithm::ALL
        .into_iter()
        .map(|algorithm| {
            let private = match algorithm {
                Algorithm::Rs256 => rsa_private_key()?,
                Algorithm::Es256 => {
                    EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &rng)?
                        .as_ref()
                        .to_vec()
                }
                Algorithm::EdDsa => Ed25519KeyPair::generate_pkcs8v1(&rng)?.as_ref().to_vec(),
            };
            let kid = SigningKey::new(algorithm, private.clone())?.kid;
            Ok(SigningKeyRow {
                kid,
                algorithm,
                private,
                published_until: None,
            })
        })
        .collect()
}

/// A new RSA key as PKCS#1 (RFC 8017 A.1.2), which jsonwebtoken reads.
///
/// AWS-LC writes PKCS#8 (RFC 5208 §5), `SEQUENCE { version, rsaEncryption, OCTET STRING { PKCS#1 } }`. For a key of 2048 bits
/// the PKCS#1 always begins after 26 bytes. `SigningKey::new` fails if what is left is no key.
fn rsa_private_key() -> Result<Vec<u8>, Error> {
    const PREFIX: usize = 26;
    let pair = rsa::KeyPair::generate(KeySize::Rsa2048)?;
    let pkcs8: Pkcs8V1Der<'_> = pair.as_der()?;
    pkcs8
        .as_ref()
        .get(PREFIX..)
        .map(<[u8]>::to_vec)
        .ok_or(Error::Crypto)
}

// === impl Error ===

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crypto => f.write_str("the crypto library failed"),
            Self::Jwt(error) => write!(f, "{error}"),
            Self::Missing(algorithm) => {
                write!(
                    f,
                    "the database has keys, but no active one for {}",
                    algorithm.name()
                )
            }
            Self::Database(error) => write!(f, "{error}"),
        }
    }
}

impl From<Unspecified> for Error {
    fn from(_: Unspecified) -> Self {
        Self::Crypto
    }
}

impl From<jsonwebtoken::errors::Error> for Error {
    fn from(error: jsonwebtoken::errors::Error) -> Self {
        Self::Jwt(error)
    }
}

impl From<database::Error> for Error {
    fn from(error: database::Error) -> Self {
        Self::Database(error)
    }
}
