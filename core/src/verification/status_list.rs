//! Token Status Lists (draft-ietf-oauth-status-list): a token names its index on a list that its provider
//! compresses, signs and publishes.

mod inflate;

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::json::{self, Number, Object, Value};
use crate::keys::KeyId;
use crate::limits::{STATUS_LIST_TOKEN_BYTES, STATUS_LIST_TTL};
use crate::policy::callout::StatusLists;
use crate::time::UnixTime;
use crate::verification::token::{Form, Header, InvalidHeader, Segments};

use self::inflate::{Corrupt, inflate};

/// The entry with a token's status (§6.2).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Reference {
    /// Where the list is.
    pub uri: Box<str>,
    /// The index of the token on it.
    pub index: u64,
}

/// Why a token's reference is not followed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum InvalidReference {
    /// It is not a reference.
    Malformed,
    /// It is not one of the provider's lists.
    Uri,
}

/// A Status List Token (§5.1) whose signature is not checked yet.
#[derive(Debug)]
pub struct StatusListToken<'t> {
    header: Header,
    segments: Segments<'t>,
}

/// A list whose signature is verified.
pub struct StatusList {
    bits: u32,
    statuses: Box<[u8]>,
    /// The signing key. The list is dropped when the provider withdraws it.
    pub key: KeyId,
    /// When it has to be fetched again.
    pub expires: UnixTime,
}

/// Why an answer is not a status list.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum InvalidStatusList {
    /// The list is not valid zlib data.
    Compression,
    /// Its `exp` has passed.
    Expired,
    /// It needs an extension that we do not support.
    Extension,
    /// This claim is absent or of another type.
    Claim(&'static str),
    /// It is not a JWT.
    Malformed,
    /// Another list than was asked for.
    Subject,
    /// It is larger than the limit.
    TooLarge,
    /// Its `typ` is another one.
    Type,
    /// Its algorithm is not known.
    UnsupportedAlgorithm,
}

/// The index is not on the list.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OutOfRange;

/// §5.1: the only type that a list may have, so that no other token is taken for one.
const TYPE: &str = "statuslist+jwt";

/// A list that does not say how long it may be kept.
const DEFAULT_TTL: Duration = Duration::from_secs(300);

/// The status of a token that is good (§7.1); every other one takes it out of use.
pub const VALID: u8 = 0;

// === impl Reference ===

impl Reference {
    /// The reference in the claims of a token; `None` if they name no status list.
    pub fn of(claims: &Object<'_>, lists: &StatusLists) -> Result<Option<Self>, InvalidReference> {
        let Some(status) = claims.get("status") else {
            return Ok(None);
        };
        let status = status.as_object().ok_or(InvalidReference::Malformed)?;
        let Some(list) = status.get("status_list") else {
            return Ok(None);
        };
        let list = list.as_object().ok_or(InvalidReference::Malformed)?;
        let uri = list.get("uri").and_then(Value::as_str);
        let index = list.get("idx").and_then(Value::as_number);
        let (uri, index) = uri.zip(index).ok_or(InvalidReference::Malformed)?;
        let index = index.as_u64().ok_or(InvalidReference::Malformed)?;
        if !lists.contain(uri) {
            return Err(InvalidReference::Uri);
        }
        Ok(Some(Reference {
            uri: uri.into(),
            index,
        }))
    }

    /// The path of the request for the list.
    pub fn path(&self, lists: &StatusLists) -> String {
        let rest = self.uri.strip_prefix(lists.uri_prefix.as_ref());
        format!("{}{}", lists.endpoint.path, rest.unwrap_or_default())
    }
}

// === impl StatusListToken ===

impl<'t> StatusListToken<'t> {
    /// Reads the body of an answer.
    pub fn parse(body: &'t [u8]) -> Result<Self, InvalidStatusList> {
        if body.len() > STATUS_LIST_TOKEN_BYTES {
            return Err(InvalidStatusList::TooLarge);
        }
        let Ok(Form::Jwt(segments)) = Form::of(body) else {
            return Err(InvalidStatusList::Malformed);
        };
        let header = segments.header()?.clone();
        if header.typ.as_deref() != Some(TYPE) {
            return Err(InvalidStatusList::Type);
        }
        Ok(StatusListToken { header, segments })
    }

    /// Its header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Its parts, for the check of its signature.
    pub fn segments(&self) -> &Segments<'t> {
        &self.segments
    }

    /// The list at `uri`, after its signature was verified with `key`.
    pub fn open(
        &self,
        uri: &str,
        key: KeyId,
        clock_tolerance: Duration,
        now: UnixTime,
    ) -> Result<StatusList, InvalidStatusList> {
        let text = self.segments.claims();
        let text = text.map_err(|_| InvalidStatusList::Malformed)?;
        let claims = json::parse_object(&text).map_err(|_| InvalidStatusList::Malformed)?;
        let subject = claims.get("sub").and_then(Value::as_str);
        if subject.ok_or(InvalidStatusList::Claim("sub"))? != uri {
            return Err(InvalidStatusList::Subject);
        }
        date(&claims, "iat")?.ok_or(InvalidStatusList::Claim("iat"))?;
        let ends = date(&claims, "exp")?.map(|exp| exp.plus(clock_tolerance));
        if ends.is_some_and(|ends| now >= ends) {
            return Err(InvalidStatusList::Expired);
        }
        let ttl = match claims.get("ttl") {
            Some(ttl) => ttl.as_number().and_then(seconds),
            None => Some(DEFAULT_TTL),
        };
        let ttl = ttl.ok_or(InvalidStatusList::Claim("ttl"))?;
        let expires = now.plus(ttl.min(STATUS_LIST_TTL));
        let (bits, statuses) = statuses(&claims)?;
        Ok(StatusList {
            bits,
            statuses,
            key,
            expires: ends.map_or(expires, |ends| ends.min(expires)),
        })
    }
}

fn date(claims: &Object<'_>, name: &'static str) -> Result<Option<UnixTime>, InvalidStatusList> {
    let date = |value: &Value<'_>| UnixTime::from_numeric_date(value.as_number()?);
    match claims.get(name) {
        None => Ok(None),
        Some(value) => date(value).map(Some).ok_or(InvalidStatusList::Claim(name)),
    }
}

/// A positive number of seconds (§5.1); a value beyond Duration's range becomes `Duration::MAX`.
fn seconds(number: &Number) -> Option<Duration> {
    let seconds = number.as_f64()?;
    let duration = || Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    (seconds > 0.0).then(duration)
}

fn statuses(claims: &Object<'_>) -> Result<(u32, Box<[u8]>), InvalidStatusList> {
    let list = claims
        .get("status_list")
        .and_then(Value::as_object)
        .ok_or(InvalidStatusList::Claim("status_list"))?;
    let bits = list.get("bits").and_then(Value::as_number);
    let bits = match bits.and_then(Number::as_u64) {
        Some(1) => 1,
        Some(2) => 2,
        Some(4) => 4,
        Some(8) => 8,
        _ => return Err(InvalidStatusList::Claim("bits")),
    };
    let compressed = list
        .get("lst")
        .and_then(Value::as_str)
        .and_then(|lst| URL_SAFE_NO_PAD.decode(lst).ok())
        .ok_or(InvalidStatusList::Claim("lst"))?;
    Ok((bits, inflate(&compressed)?))
}

// === impl StatusList ===

impl StatusList {
    /// The status at that index (§4.1): the first one is in the least significant bits.
    pub fn status(&self, index: u64) -> Result<u8, OutOfRange> {
        let per_byte = u64::from(u8::BITS.checked_div(self.bits).unwrap_or(1));
        let (at, place) = (index.checked_div(per_byte), index.checked_rem(per_byte));
        let (at, place) = at.zip(place).ok_or(OutOfRange)?;
        let at = usize::try_from(at).map_err(|_| OutOfRange)?;
        let byte = self.statuses.get(at).ok_or(OutOfRange)?;
        let shift = u32::try_from(place).unwrap_or(0).saturating_mul(self.bits);
        let mask = u8::MAX >> u8::BITS.saturating_sub(self.bits);
        Ok(byte.checked_shr(shift).unwrap_or(u8::MAX) & mask)
    }

    /// Memory that it takes.
    pub fn bytes(&self) -> usize {
        self.statuses.len()
    }
}

impl fmt::Debug for StatusList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatusList")
            .field("bits", &self.bits)
            .field("bytes", &self.bytes())
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

// === impl InvalidStatusList ===

impl From<InvalidHeader> for InvalidStatusList {
    fn from(invalid: InvalidHeader) -> Self {
        match invalid {
            InvalidHeader::Extension => InvalidStatusList::Extension,
            InvalidHeader::Malformed => InvalidStatusList::Malformed,
            InvalidHeader::UnsupportedAlgorithm => InvalidStatusList::UnsupportedAlgorithm,
        }
    }
}

impl From<Corrupt> for InvalidStatusList {
    fn from(corrupt: Corrupt) -> Self {
        match corrupt {
            Corrupt::Data => InvalidStatusList::Compression,
            Corrupt::TooLarge => InvalidStatusList::TooLarge,
        }
    }
}

#[cfg(test)]
mod tests;
