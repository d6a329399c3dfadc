//! One page of a revocation list, read strictly. A page with an entry that we do not understand is refused
//! as a whole: to skip the entry would let a revoked token pass.

use std::fmt;

use crate::json::{self, InvalidJson, Object, Value};
use crate::limits::{REVOCATION_CURSOR_BYTES, REVOCATION_PAGE_BYTES, REVOCATION_PAGE_ENTRIES};
use crate::revocation::store::{DigestKey, Entry};
use crate::time::UnixTime;

/// Whose list it is, and so which entries are valid on it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Of API keys: entries with `key_id`.
    ApiKeys,
    /// Of tokens: entries with `jti`, `sub` or `client_id`.
    Tokens,
}

/// One answer of the list's source.
#[derive(Debug)]
pub struct Page {
    /// What the next poll asks with.
    pub cursor: Box<str>,
    /// There is more behind the cursor, to be fetched at once.
    pub more: bool,
    /// The list begins anew with this page.
    pub reset: bool,
    /// What is revoked.
    pub entries: Vec<Entry>,
}

/// Why a poll failed as a whole.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum InvalidPage {
    /// This member is absent or of another type.
    Member(&'static str),
    /// The entry at this index cannot be honoured.
    Entry {
        /// Its index in `revoked`.
        index: usize,
    },
    /// `more` with the cursor that was asked with: the next page would be this one again.
    NoProgress,
    /// It is no JSON object.
    NotJson(InvalidJson),
    /// It is larger than is read.
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// One page has more entries than are read.
    TooManyEntries {
        /// How many there are.
        entries: usize,
    },
    /// One poll takes more pages than are read.
    TooManyPages,
    /// The whole list has more entries than are held.
    TooLong,
}

// === impl Page ===

impl Page {
    /// Reads the body of an answer.
    pub fn parse(bytes: &[u8], kind: Kind, key: &DigestKey) -> Result<Self, InvalidPage> {
        if bytes.len() > REVOCATION_PAGE_BYTES {
            return Err(InvalidPage::TooLarge { bytes: bytes.len() });
        }
        let page = json::parse_object(bytes).map_err(InvalidPage::NotJson)?;
        let cursor = page
            .get("cursor")
            .and_then(Value::as_str)
            .filter(|cursor| cursor.len() <= REVOCATION_CURSOR_BYTES)
            .ok_or(InvalidPage::Member("cursor"))?;
        let revoked = page
            .get("revoked")
            .and_then(Value::as_array)
            .ok_or(InvalidPage::Member("revoked"))?;
        if revoked.len() > REVOCATION_PAGE_ENTRIES {
            return Err(InvalidPage::TooManyEntries {
                entries: revoked.len(),
            });
        }
        let entries = revoked
            .iter()
            .enumerate()
            .map(|(index, entry)| {
                entry
                    .as_object()
                    .and_then(|entry| parse_entry(entry, kind, key))
                    .ok_or(InvalidPage::Entry { index })
            })
            .collect::<Result<_, _>>()?;
        Ok(Page {
            cursor: cursor.into(),
            more: flag(&page, "more")?,
            reset: flag(&page, "reset")?,
            entries,
        })
    }
}

fn flag(page: &Object<'_>, name: &'static str) -> Result<bool, InvalidPage> {
    match page.get(name) {
        None => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(InvalidPage::Member(name)),
    }
}

/// An entry of one of the known shapes. A further member might widen what it revokes.
fn parse_entry(entry: &Object<'_>, kind: Kind, key: &DigestKey) -> Option<Entry> {
    let text = |name| entry.get(name).map(Value::as_str);
    let time = |name| {
        let time = |value: &Value<'_>| UnixTime::from_numeric_date(value.as_number()?);
        entry.get(name).map(time)
    };
    let members = (text("jti"), text("sub"), text("client_id"), text("key_id"));
    let (shape, read) = match (kind, members, time("exp"), time("before")) {
        (Kind::Tokens, (Some(jti), None, None, None), Some(exp), None) => {
            (2, key.token(jti?, exp?))
        }
        // Without its expiry it can never be forgotten.
        (Kind::Tokens, (Some(jti), None, None, None), None, None) => {
            (1, key.token(jti?, UnixTime::FAR_FUTURE))
        }
        (Kind::Tokens, (None, Some(sub), None, None), None, Some(before)) => {
            (2, key.subject(sub?, before?))
        }
        (Kind::Tokens, (None, None, Some(client), None), None, Some(before)) => {
            (2, key.client(client?, before?))
        }
        (Kind::Tokens, (None, Some(sub), Some(client), None), None, Some(before)) => {
            (3, key.subject_at_client(sub?, client?, before?))
        }
        (Kind::ApiKeys, (None, None, None, Some(id)), None, None) => (1, key.api_key(id?)),
        // `exp` does not say when the entry may be forgotten: the key may be extended.
        (Kind::ApiKeys, (None, None, None, Some(id)), Some(exp), None) => {
            exp?;
            (2, key.api_key(id?))
        }
        _ => return None,
    };
    (entry.len() == shape).then_some(read)
}

// === impl InvalidPage ===

impl fmt::Display for InvalidPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InvalidPage::Member(name) => write!(f, "{name}: absent, of another type or too long"),
            InvalidPage::Entry { index } => {
                write!(f, "revoked[{index}]: an entry that cannot be honoured")
            }
            InvalidPage::NoProgress => f.write_str("more, but the cursor stays where it was"),
            InvalidPage::NotJson(invalid) => invalid.fmt(f),
            InvalidPage::TooLarge { bytes } => {
                write!(f, "{bytes} bytes, at most {REVOCATION_PAGE_BYTES} are read")
            }
            InvalidPage::TooManyEntries { entries } => write!(
                f,
                "{entries} entries, at most {REVOCATION_PAGE_ENTRIES} are read"
            ),
            InvalidPage::TooManyPages => f.write_str("more pages than one poll may take"),
            InvalidPage::TooLong => f.write_str("more entries than one list may have"),
        }
    }
}

#[cfg(test)]
mod tests;
