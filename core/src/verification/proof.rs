//! Proofs of possession (RFC 9449): whoever sends a request holds the key that its token is bound to.
//!
//! Whether a proof was seen before is not told here: all workers of the process remember that together.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::cache::Cache;
use crate::json::{self, Object, Value};
use crate::keys::{self, Algorithm, AlgorithmSet, Key, KeyFault};
use crate::policy::Policy;
use crate::request::Request;
use crate::secret::{Digest, Fingerprint, FingerprintKey};
use crate::time::UnixTime;
use crate::verification::signature::Verifier;
use crate::verification::token::{Encoded, Header, InvalidHeader, Malformed};

/// What a proof must prove, of one request.
#[derive(Clone, Copy)]
pub struct Demand<'a> {
    /// The request that the proof comes with.
    pub request: &'a Request<'a>,
    /// The token, as it was presented.
    pub token: &'a [u8],
    /// The thumbprint of the key that the token is bound to.
    pub thumbprint: Digest,
    /// The algorithms that a proof may use.
    pub algorithms: AlgorithmSet,
    /// How far its `iat` may be from now, either way.
    pub max_age: Duration,
    /// Longer proofs are not read.
    pub bytes: usize,
}

/// A proof that holds, if it was not seen before.
#[derive(Debug)]
pub struct Proven {
    /// What tells it from all other proofs: its key and its `jti`.
    pub digest: Digest,
    /// Up to then it would hold again.
    pub until: UnixTime,
}

/// Why a proof is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum InvalidProof {
    /// There is none.
    Absent,
    /// `ath` is not the digest of this token.
    AccessToken,
    /// Its algorithm is not accepted.
    Algorithm,
    /// There is more than one.
    Ambiguous,
    /// It is not the token's key.
    AnotherKey,
    /// It needs an extension that we do not support (RFC 7515 §4.1.11).
    Extension,
    /// Its key is not fit to verify with.
    Key(KeyFault),
    /// It is no JWT, or a member is absent or of another type.
    Malformed,
    /// `htm` is another method.
    Method,
    /// It was used before.
    Replayed,
    /// The signature is not its key's.
    Signature,
    /// `iat` is too long ago, or too far ahead.
    Time,
    /// It is longer than the limit.
    TooLarge,
    /// `typ` is another one.
    Type,
    /// That it is used cannot be recorded, so it could be used again.
    Unrecorded,
    /// `htu` is another URI, or the request's own is not known.
    Uri,
}

/// RFC 9449 §4.2: so that no token for another purpose is taken for a proof.
const TYPE: &str = "dpop+jwt";

/// The keys that a worker has verified proofs with.
///
/// A client's proofs have one header, byte for byte: to read it and to prepare its key again each time costs more
/// than all other checks but the signature.
#[derive(Debug)]
pub struct KnownProofKeys {
    fingerprints: FingerprintKey,
    keys: Cache<Rc<ProofKey>>,
}

/// What the header of a proof says, which is the same at any time and for every request.
#[derive(Debug)]
struct ProofKey {
    algorithm: Algorithm,
    key: Key,
    thumbprint: Digest,
    /// The last token that a proof was for, and its digest: the next one is for the same token.
    token: Cell<Option<(Fingerprint, Digest)>>,
}

/// Checks the proof that a request carries (RFC 9449 §4.3, §7.1). What costs little comes first.
pub fn check(
    verifier: &Verifier,
    known: &mut KnownProofKeys,
    demand: &Demand<'_>,
    now: UnixTime,
) -> Result<Proven, InvalidProof> {
    let encoded = Encoded::of(only_proof(demand)?)?;
    let name = known.fingerprints.fingerprint(encoded.header());
    let held = known.keys.get(name, now).map(Rc::clone);
    let is_new = held.is_none();
    let proof_key = match held {
        Some(key) => key,
        None => Rc::new(ProofKey::read(&encoded)?),
    };
    if !demand.algorithms.contains(proof_key.algorithm) {
        return Err(InvalidProof::Algorithm);
    }
    if proof_key.thumbprint != demand.thumbprint {
        return Err(InvalidProof::AnotherKey);
    }
    let text = encoded.claims()?;
    let claims = json::parse_object(&text).map_err(|_| InvalidProof::Malformed)?;
    let token = proof_key.digest_of_token(&known.fingerprints, demand.token);
    let (issued_at, id) = check_claims(demand, &claims, &token, now)?;
    let (message, signature) = (encoded.signing_input(), encoded.signature()?);
    verifier
        .verify(proof_key.algorithm, &proof_key.key, message, &signature)
        .map_err(|_| InvalidProof::Signature)?;
    let thumbprint = proof_key.thumbprint;
    if is_new {
        // Only with the client's own signature: nobody else fills the cache. A key takes about as much as its text.
        let bytes = encoded.header().len();
        let keys = &mut known.keys;
        keys.insert(name, proof_key, bytes, UnixTime::FAR_FUTURE, now);
    }
    Ok(Proven {
        digest: Digest::sha256(&[thumbprint.as_bytes(), id.as_bytes()].concat()),
        until: issued_at.plus(demand.max_age),
    })
}

/// The one `DPoP` header. Envoy and other proxies join doubled headers with a comma.
fn only_proof<'a>(demand: &Demand<'a>) -> Result<&'a [u8], InvalidProof> {
    let mut proofs = demand.request.values("dpop");
    let proof = proofs.next().ok_or(InvalidProof::Absent)?;
    if proofs.next().is_some() || proof.contains(&b',') {
        return Err(InvalidProof::Ambiguous);
    }
    match proof.len() <= demand.bytes {
        true => Ok(proof),
        false => Err(InvalidProof::TooLarge),
    }
}

/// `iat` and `jti` of a proof for this request with this token. `nonce` is ignored: we ask for none.
fn check_claims<'c>(
    demand: &Demand<'_>,
    claims: &'c Object<'_>,
    token: &Digest,
    now: UnixTime,
) -> Result<(UnixTime, &'c str), InvalidProof> {
    let text = |name| {
        let value = claims.get(name).and_then(Value::as_str);
        value.ok_or(InvalidProof::Malformed)
    };
    if text("htm")?.as_bytes() != demand.request.method {
        return Err(InvalidProof::Method);
    }
    let htu = text("htu")?;
    let uri = demand.request.uri();
    if !uri.is_some_and(|uri| uri.is_meant_by(htu)) {
        return Err(InvalidProof::Uri);
    }
    let issued_at = claims.get("iat").and_then(Value::as_number);
    let issued_at = issued_at.and_then(UnixTime::from_numeric_date);
    let issued_at = issued_at.ok_or(InvalidProof::Malformed)?;
    if now > issued_at.plus(demand.max_age) || now < issued_at.minus(demand.max_age) {
        return Err(InvalidProof::Time);
    }
    let id = text("jti")?;
    if id.is_empty() {
        return Err(InvalidProof::Malformed);
    }
    if text("ath")? != URL_SAFE_NO_PAD.encode(token.as_bytes()) {
        return Err(InvalidProof::AccessToken);
    }
    Ok((issued_at, id))
}

// === impl KnownProofKeys ===

impl KnownProofKeys {
    /// None yet. Without a provider that takes proofs there never will be any.
    pub fn new(policy: &Policy, fingerprints: FingerprintKey) -> Self {
        let capacity = match policy.takes_proofs {
            true => policy.limits.token_cache_entries,
            false => 0,
        };
        KnownProofKeys {
            fingerprints,
            keys: Cache::new(capacity),
        }
    }
}

// === impl ProofKey ===

impl ProofKey {
    fn read(encoded: &Encoded<'_>) -> Result<Self, InvalidProof> {
        let text = encoded.header_text()?;
        let jose = json::parse_object(&text).map_err(|_| InvalidProof::Malformed)?;
        let header = Header::read(&jose)?;
        if header.typ.as_deref() != Some(TYPE) {
            return Err(InvalidProof::Type);
        }
        let jwk = jose.get("jwk").unwrap_or(&Value::Null);
        Ok(ProofKey {
            algorithm: header.algorithm,
            thumbprint: keys::thumbprint(jwk).map_err(InvalidProof::Key)?,
            key: Key::from_jwk(jwk).map_err(InvalidProof::Key)?,
            token: Cell::new(None),
        })
    }

    fn digest_of_token(&self, fingerprints: &FingerprintKey, token: &[u8]) -> Digest {
        let name = fingerprints.fingerprint(token);
        match self.token.get() {
            Some((last, digest)) if last == name => digest,
            _ => {
                let digest = Digest::sha256(token);
                self.token.set(Some((name, digest)));
                digest
            }
        }
    }
}

// === impl InvalidProof ===

impl From<InvalidHeader> for InvalidProof {
    fn from(invalid: InvalidHeader) -> Self {
        match invalid {
            InvalidHeader::Extension => InvalidProof::Extension,
            InvalidHeader::Malformed => InvalidProof::Malformed,
            InvalidHeader::UnsupportedAlgorithm => InvalidProof::Algorithm,
        }
    }
}

impl From<Malformed> for InvalidProof {
    fn from(_: Malformed) -> Self {
        InvalidProof::Malformed
    }
}
