//! The compact serialization of a JWS (RFC 7515 §7.1) that carries a JWT, read strictly and
//! believed in nothing: every field of what comes out is the client's word.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::json::{self, Object, Value};
use crate::keys::Algorithm;

/// What a credential in a token's place is by its form alone.
#[derive(Debug)]
pub enum Form<'t> {
    /// Three segments, the first of which decodes to a JSON object.
    Jwt(Segments<'t>),
    /// Any other `b64token` (RFC 6750 §2.1).
    Opaque,
}

#[derive(Debug)]
pub struct Segments<'t> {
    /// Header and claims with the dot between them: what is signed.
    signing_input: &'t [u8],
    header: Vec<u8>,
    claims: &'t [u8],
    signature: &'t [u8],
}

/// The header's members that decide anything. `jwk`, `jku`, `x5u` and `x5c` are not among them:
/// a key that a token brings along proves nothing (CVE-2018-0114).
#[derive(Debug, Eq, PartialEq)]
pub struct Header {
    pub algorithm: Algorithm,
    pub kid: Option<Box<str>>,
    /// Lower case, without `application/` (RFC 7515 §4.1.9).
    pub typ: Option<Box<str>>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum InvalidHeader {
    /// `crit` or `b64` (RFC 7515 §4.1.11, RFC 7797): we understand no extension.
    Extension,
    Malformed,
    UnsupportedAlgorithm,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Malformed;

// === impl Form ===

impl<'t> Form<'t> {
    pub fn of(token: &'t [u8]) -> Result<Self, Malformed> {
        if !is_b64token(token) {
            return Err(Malformed);
        }
        let mut dots = token
            .iter()
            .enumerate()
            .filter_map(|(i, b)| (*b == b'.').then_some(i));
        let (first, second, third) = (dots.next(), dots.next(), dots.next());
        let Some(header) = first
            .and_then(|end| token.get(..end))
            .and_then(|segment| decode(segment).ok())
            .filter(|text| json::parse_object(text).is_ok())
        else {
            return Ok(Form::Opaque);
        };
        // What begins like a JOSE object and has not three segments is a broken one: a JWE has
        // five (RFC 7516 §7.1), and nothing that we could make of it is safe to guess.
        match (first, second, third) {
            (Some(first), Some(second), None) => Ok(Form::Jwt(Segments {
                signing_input: token.get(..second).unwrap_or_default(),
                header,
                claims: token
                    .get(first.saturating_add(1)..second)
                    .unwrap_or_default(),
                signature: token.get(second.saturating_add(1)..).unwrap_or_default(),
            })),
            _ => Err(Malformed),
        }
    }
}

/// RFC 6750 §2.1: `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`.
fn is_b64token(token: &[u8]) -> bool {
    let padding = token.iter().rev().take_while(|&&b| b == b'=').count();
    let body = token
        .get(..token.len().saturating_sub(padding))
        .unwrap_or_default();
    let legal = |b: &u8| b.is_ascii_alphanumeric() || b"-._~+/".contains(b);
    !body.is_empty() && body.iter().all(legal)
}

/// Base64url without padding, white space or non-zero trailing bits (RFC 7515 §2).
fn decode(segment: &[u8]) -> Result<Vec<u8>, Malformed> {
    URL_SAFE_NO_PAD.decode(segment).map_err(|_| Malformed)
}

// === impl Segments ===

impl<'t> Segments<'t> {
    pub fn header(&self) -> Result<Header, InvalidHeader> {
        let header = json::parse_object(&self.header).map_err(|_| InvalidHeader::Malformed)?;
        Header::read(&header)
    }

    pub fn signing_input(&self) -> &'t [u8] {
        self.signing_input
    }

    /// The JSON text of the claims.
    pub fn claims(&self) -> Result<Vec<u8>, Malformed> {
        decode(self.claims)
    }

    /// The claims as the token carries them, base64url without padding.
    pub fn encoded_claims(&self) -> &'t [u8] {
        self.claims
    }

    pub fn signature(&self) -> Result<Vec<u8>, Malformed> {
        decode(self.signature)
    }
}

// === impl Header ===

impl Header {
    fn read(header: &Object<'_>) -> Result<Self, InvalidHeader> {
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

/// A media type as `typ` compares: without case, `application/` omitted (RFC 7515 §4.1.9).
pub fn media_type(typ: &str) -> String {
    let typ = typ.to_ascii_lowercase();
    match typ.strip_prefix("application/") {
        Some(subtype) => subtype.to_owned(),
        None => typ,
    }
}
