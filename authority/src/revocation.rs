//! What the revocation list can revoke: one token; or all tokens of a subject, of a client, or of a subject through a client,
//! that were issued up to a time.

use serde::{Deserialize, Serialize};

use crate::clock::UnixTime;

/// In bytes, for each name in an entry: a page of entries must stay within its own limit.
const MAX_NAME: usize = 1024;

/// An entry of the revocation list, in the format that the filter reads.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Revocation {
    /// One token.
    Token {
        /// The token's identifier.
        jti: String,
        /// When it expires: after that the entry is of no use.
        exp: UnixTime,
    },
    /// All tokens that were issued up to and in the second `before`.
    Issued {
        /// To whom.
        #[serde(flatten)]
        to: Holder,
        /// The last second.
        before: UnixTime,
    },
}

/// A subject, a client, or both; never neither.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Holder {
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
}

/// An entry as an operator writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    jti: Option<String>,
    exp: Option<i64>,
    sub: Option<String>,
    client_id: Option<String>,
    before: Option<i64>,
}

/// How far a reader has read a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Since {
    /// Nothing yet.
    Start,
    /// Unknown: the cursor is from another database, or is none.
    Elsewhere,
    /// Up to the entry at this position.
    Position(u64),
}

// === impl Holder ===

impl Holder {
    /// `None`: neither is given.
    pub fn new(sub: Option<String>, client_id: Option<String>) -> Option<Self> {
        (sub.is_some() || client_id.is_some()).then_some(Self { sub, client_id })
    }

    /// The subject.
    pub fn sub(&self) -> Option<&str> {
        self.sub.as_deref()
    }

    /// The client.
    pub fn client_id(&self) -> Option<&str> {
        self.client_id.as_deref()
    }
}

// === impl Entry ===

impl Entry {
    /// `None`: not one of the four forms of an entry, or a name is empty or too long.
    pub fn parse(self) -> Option<Revocation> {
        let Self {
            jti,
            exp,
            sub,
            client_id,
            before,
        } = self;
        let fits = |name: &String| !name.is_empty() && name.len() <= MAX_NAME;
        if ![&jti, &sub, &client_id].into_iter().flatten().all(fits) {
            return None;
        }
        match (jti, exp, Holder::new(sub, client_id), before) {
            (Some(jti), Some(exp), None, None) => Some(Revocation::Token {
                jti,
                exp: UnixTime::from_seconds(exp),
            }),
            (None, None, Some(to), Some(before)) => Some(Revocation::Issued {
                to,
                before: UnixTime::from_seconds(before),
            }),
            _ => None,
        }
    }
}

// === impl Since ===

impl Since {
    /// The cursor of a position. It is valid only in the database of this epoch.
    pub fn format_cursor(epoch: &str, position: u64) -> String {
        format!("{epoch}-{position}")
    }

    /// The position of a cursor. Text that is no cursor is [`Self::Elsewhere`].
    pub fn parse_cursor(cursor: Option<&str>, epoch: &str) -> Self {
        let Some(cursor) = cursor else {
            return Self::Start;
        };
        let position = cursor
            .strip_prefix(epoch)
            .and_then(|rest| rest.strip_prefix('-'))
            .and_then(|position| position.parse().ok());
        position.map_or(Self::Elsewhere, Self::Position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Option<Revocation> {
        serde_json::from_str::<Entry>(json).ok()?.parse()
    }

    #[test]
    fn an_entry_has_one_of_four_forms() {
        for shape in [
            r#"{"jti":"a","exp":7}"#,
            r#"{"sub":"a","before":7}"#,
            r#"{"client_id":"a","before":7}"#,
            r#"{"sub":"a","client_id":"b","before":7}"#,
        ] {
            let written = parse(shape).and_then(|entry| serde_json::to_string(&entry).ok());
            assert_eq!(written.as_deref(), Some(shape));
        }
    }

    #[test]
    fn nothing_else_is_an_entry() {
        let long = format!(r#"{{"sub":"{}","before":7}}"#, "a".repeat(MAX_NAME + 1));
        for wrong in [
            "{}",
            r#"{"jti":"a"}"#,
            r#"{"exp":7}"#,
            r#"{"before":7}"#,
            r#"{"sub":"a"}"#,
            r#"{"sub":"a","exp":7}"#,
            r#"{"jti":"a","before":7}"#,
            r#"{"jti":"a","exp":7,"before":7}"#,
            r#"{"jti":"a","exp":7,"sub":"a"}"#,
            r#"{"jti":"a","sub":"b","before":7}"#,
            r#"{"jti":"","exp":7}"#,
            r#"{"sub":"","before":7}"#,
            r#"{"sub":"a","client_id":"","before":7}"#,
            r#"{"jti":"a","exp":"7"}"#,
            r#"{"jti":"a","exp":7.5}"#,
            r#"{"jti":7,"exp":7}"#,
            r#"{"key_id":"a"}"#,
            r#"{"sub":"a","before":7,"reason":"x"}"#,
            r#"{"sub":"a","sub":"b","before":7}"#,
            &long,
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_cursor_is_valid_in_its_own_database_only() {
        let (read, given) = (
            |cursor| Since::parse_cursor(Some(cursor), "ab"),
            Since::format_cursor("ab", 42),
        );
        assert_eq!(Since::parse_cursor(None, "ab"), Since::Start);
        assert_eq!(read(&given), Since::Position(42));
        for wrong in [
            "",
            "42",
            "ab",
            "ab-",
            "ab-x",
            "ab--1",
            "ac-42",
            "ab-42 ",
            "ab-99999999999999999999",
        ] {
            assert_eq!(read(wrong), Since::Elsewhere, "{wrong:?}");
        }
    }
}
