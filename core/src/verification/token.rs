//! Parses a JWT in the compact serialization of a JWS (RFC 7515 §7.1), strictly. Nothing here is verified: the
//! client controls every field of the result.

use std::ops::Deref;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::json::{self, Object, Value};
use crate::keys::Algorithm;
use crate::policy::provider::media_type;

/// What kind of token a credential is, by its form alone.
#[derive(Debug)]
pub enum Form<'t> {
    /// Three segments, the first of which decodes to a JSON object.
    Jwt(Segments<'t>),
    /// Any other `b64token` (RFC 6750 §2.1).
    Opaque,
}

/// The segments of a JWT, each still encoded except the header.
#[derive(Debug)]
pub struct Segments<'t> {
    encoded: Encoded<'t>,
    header: Result<Header, InvalidHeader>,
}

/// The three segments of a JWS, each still encoded.
#[derive(Debug)]
pub struct Encoded<'t> {
    /// Header and claims with the dot between them: what is signed.
    signing_input: &'t [u8],
    header: &'t [u8],
    claims: &'t [u8],
    signature: &'t [u8],
}

/// The header's members that we use. `jwk`, `jku`, `x5u` and `x5c` are not among them:
/// a key that a token brings along proves nothing (CVE-2018-0114).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Header {
    /// `alg`.
    pub algorithm: Algorithm,
    /// `kid`.
    pub kid: Option<Box<str>>,
    /// Lower case, without `application/` (RFC 7515 §4.1.9).
    pub typ: Option<Box<str>>,
}

/// Why a header is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum InvalidHeader {
    /// `crit` or `b64` (RFC 7515 §4.1.11, RFC 7797): we support no extension.
    Extension,
    /// A member is absent or has the wrong type.
    Malformed,
    /// `alg` names no algorithm that we know.
    UnsupportedAlgorithm,
}

/// The token is malformed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Malformed;

// === impl Form ===

impl<'t> Form<'t> {
    /// Tells the form of a credential, and parses the header of a JWT.
    pub fn of(token: &'t [u8]) -> Result<Self, Malformed> {
        let token = b64token(token).ok_or(Malformed)?;
        let Some((first, _)) = token.split_once('.') else {
            return Ok(Form::Opaque);
        };
        let text = decode(first.as_bytes());
        let header = text.as_deref().map(json::parse_object);
        let Ok(Ok(header)) = header else {
            return Ok(Form::Opaque);
        };
        // A token that begins with a JOSE header and does not have three segments is malformed. A JWE has five
        // (RFC 7516 §7.1), and to treat it as opaque would be a guess.
        Ok(Form::Jwt(Segments {
            encoded: Encoded::split(token)?,
            header: Header::read(&header),
        }))
    }
}

/// A table lookup is several times cheaper than the comparisons, and tokens are long.
#[allow(
    clippy::indexing_slicing,
    reason = "an index out of bounds would not compile"
)]
const B64TOKEN: [bool; 256] = {
    let mut allowed = [false; 256];
    let mut b = 0;
    while b < allowed.len() {
        allowed[b] = (b as u8).is_ascii_alphanumeric()
            || matches!(b as u8, b'-' | b'.' | b'_' | b'~' | b'+' | b'/');
        b += 1;
    }
    allowed
};

/// RFC 6750 §2.1: `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`.
fn b64token(token: &[u8]) -> Option<&str> {
    let padding = token.iter().rev().take_while(|&&b| b == b'=').count();
    let body = token.get(..token.len().saturating_sub(padding))?;
    let allowed = |b: &u8| B64TOKEN.get(usize::from(*b)) == Some(&true);
    // No early exit: almost every token is valid, and the loop without a branch is faster.
    let is_valid = !body.is_empty() && body.iter().fold(true, |so_far, b| so_far & allowed(b));
    std::str::from_utf8(token).ok().filter(|_| is_valid)
}

/// Base64url without padding, white space or non-zero trailing bits (RFC 7515 §2).
fn decode(segment: &[u8]) -> Result<Vec<u8>, Malformed> {
    URL_SAFE_NO_PAD.decode(segment).map_err(|_| Malformed)
}

// === impl Segments ===

impl Segments<'_> {
    /// The header, or why it is refused.
    pub fn header(&self) -> Result<&Header, InvalidHeader> {
        self.header.as_ref().map_err(|invalid| *invalid)
    }
}

impl<'t> Deref for Segments<'t> {
    type Target = Encoded<'t>;

    fn deref(&self) -> &Encoded<'t> {
        &self.encoded
    }
}

// === impl Encoded ===

impl<'t> Encoded<'t> {
    /// The segments of what can only be a JWS.
    pub fn of(token: &'t [u8]) -> Result<Self, Malformed> {
        Encoded::split(b64token(token).ok_or(Malformed)?)
    }

    fn split(token: &'t str) -> Result<Self, Malformed> {
        let (signing_input, signature) = token.rsplit_once('.').ok_or(Malformed)?;
        let (header, claims) = signing_input.split_once('.').ok_or(Malformed)?;
        if claims.contains('.') {
            return Err(Malformed);
        }
        Ok(Encoded {
            signing_input: signing_input.as_bytes(),
            header: header.as_bytes(),
            claims: claims.as_bytes(),
            signature: signature.as_bytes(),
        })
    }

    /// The header, still encoded.
    pub fn header(&self) -> &'t [u8] {
        self.header
    }

    /// The JSON text of the header.
    pub fn header_text(&self) -> Result<Vec<u8>, Malformed> {
        decode(self.header)
    }

    /// Header and claims with the dot between them.
    pub fn signing_input(&self) -> &'t [u8] {
        self.signing_input
    }

    /// The JSON text of the claims.
    pub fn claims(&self) -> Result<Vec<u8>, Malformed> {
        decode(self.claims)
    }

    /// The bytes of the signature.
    pub fn signature(&self) -> Result<Vec<u8>, Malformed> {
        decode(self.signature)
    }
}

// === impl Header ===

impl Header {
    /// Reads the members of a decoded header.
    pub fn read(header: &Object<'_>) -> Result<Self, InvalidHeader> {
        if header.get("crit").is_some() || header.get("b64").is_some() {
            return Err(InvalidHeader::Extension);
        }
        let text = |name| match header.get(name) {
            None => Ok(None),
            Some(Value::String(s)) => Ok(Some(s.as_ref())),
            Some(_) => Err(InvalidHeader::Malformed),
        };
        let algorithm = text("alg")?.ok_or(InvalidHeader::Malformed)?;
        let kid = text("kid")?;
        let typ = text("typ")?;
        Ok(Header {
            algorithm: Algorithm::parse(algorithm).ok_or(InvalidHeader::UnsupportedAlgorithm)?,
            kid: kid.map(Box::from),
            typ: typ.map(|typ| media_type(typ).into()),
        })
    }
}
