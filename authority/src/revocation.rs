//! What is revoked, as the revocation list says it: one token, or what was issued to a subject, to a
//! client or to one through the other up to a time.

use serde::{Deserialize, Serialize};

use crate::clock::UnixTime;

/// A name in an entry, in bytes: keeps a page of entries within its own limit.
const MAX_NAME: usize = 1024;

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Revocation {
    Token {
        jti: String,
        exp: UnixTime,
    },
    Issued {
        #[serde(flatten)]
        to: Holder,
        before: UnixTime,
    },
}

/// A subject, a client, or both: never neither.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Holder {
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
}

/// As it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    jti: Option<String>,
    exp: Option<i64>,
    sub: Option<String>,
    client_id: Option<String>,
    before: Option<i64>,
}

/// Where a reader of a list has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Since {
    Start,
    /// Nowhere in this database: its cursor is of another one, or was never given out.
    Elsewhere,
    Position(u64),
}

// === impl Holder ===

impl Holder {
    pub fn new(sub: Option<String>, client_id: Option<String>) -> Option<Self> {
        (sub.is_some() || client_id.is_some()).then_some(Self { sub, client_id })
    }

    pub fn sub(&self) -> Option<&str> {
        self.sub.as_deref()
    }

    pub fn client_id(&self) -> Option<&str> {
        self.client_id.as_deref()
    }
}

// === impl Entry ===

impl Entry {
    /// `None`: not one of the four shapes, or a name that is empty or too long.
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
    /// The cursor of a position: it holds in the database of this name only.
    pub fn format_cursor(epoch: &str, position: u64) -> String {
        format!("{epoch}-{position}")
    }

    /// Any text is a cursor, if only one that leads nowhere.
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
    fn an_entry_has_one_of_four_shapes() {
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
    fn a_cursor_holds_in_its_own_database_only() {
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
