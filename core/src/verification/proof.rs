//! Proofs of possession (RFC 9449): whoever sends a request holds the key that its token is bound to.
//!
//! Whether a proof was seen before is not told here: all workers of the process remember that together.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::json::{self, Object, Value};
use crate::keys::{self, AlgorithmSet, Key, KeyFault};
use crate::request::Request;
use crate::secret::Digest;
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

/// Checks the proof that a request carries (RFC 9449 §4.3, §7.1). What costs little comes first.
pub fn check(
    verifier: &Verifier,
    demand: &Demand<'_>,
    now: UnixTime,
) -> Result<Proven, InvalidProof> {
    let encoded = Encoded::of(only_proof(demand)?)?;
    let text = encoded.header_text()?;
    let jose = json::parse_object(&text).map_err(|_| InvalidProof::Malformed)?;
    let header = Header::read(&jose)?;
    if header.typ.as_deref() != Some(TYPE) {
        return Err(InvalidProof::Type);
    }
    if !demand.algorithms.contains(header.algorithm) {
        return Err(InvalidProof::Algorithm);
    }
    let text = encoded.claims()?;
    let claims = json::parse_object(&text).map_err(|_| InvalidProof::Malformed)?;
    let (issued_at, id) = check_claims(demand, &claims, now)?;
    let jwk = jose.get("jwk").unwrap_or(&Value::Null);
    let thumbprint = keys::thumbprint(jwk).map_err(InvalidProof::Key)?;
    if thumbprint != demand.thumbprint {
        return Err(InvalidProof::AnotherKey);
    }
    let key = Key::from_jwk(jwk).map_err(InvalidProof::Key)?;
    verifier
        .verify(
            header.algorithm,
            &key,
            encoded.signing_input(),
            &encoded.signature()?,
        )
        .map_err(|_| InvalidProof::Signature)?;
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
    let digest = Digest::sha256(demand.token);
    if text("ath")? != URL_SAFE_NO_PAD.encode(digest.as_bytes()) {
        return Err(InvalidProof::AccessToken);
    }
    Ok((issued_at, id))
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
