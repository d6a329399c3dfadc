//! Scopes (RFC 6749 §3.3). No other file splits or compares scope strings.

use std::collections::HashSet;
use std::fmt;

/// A set of scope tokens, in the order in which they were given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(Vec<String>);

/// The text is not `scope-token *( SP scope-token )`, or has a duplicate.
#[derive(Debug)]
pub struct InvalidScopes(());

impl Scopes {
    /// Splits the text at single spaces. The empty text is the empty set.
    pub fn parse(text: &str) -> Result<Self, InvalidScopes> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        Self::from_tokens(text.split(' ').map(str::to_owned).collect())
    }

    /// A set of these tokens.
    pub fn from_tokens(tokens: Vec<String>) -> Result<Self, InvalidScopes> {
        let distinct: HashSet<&String> = tokens.iter().collect();
        if distinct.len() != tokens.len() || !tokens.iter().all(|token| is_scope_token(token)) {
            return Err(InvalidScopes(()));
        }
        Ok(Self(tokens))
    }

    /// The tokens.
    pub fn into_tokens(self) -> Vec<String> {
        self.0
    }

    /// The tokens.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether there is no token.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tokens that are in `other` too.
    pub fn intersection(&self, other: &Self) -> Self {
        let mut common = self.clone();
        common.0.retain(|scope| other.0.contains(scope));
        common
    }

    /// Whether all tokens are in `other`.
    pub fn is_subset_of(&self, other: &Self) -> bool {
        self.0.iter().all(|scope| other.0.contains(scope))
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

/// `scope-token = 1*( %x21 / %x23-5B / %x5D-7E )`
fn is_scope_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_strictly() {
        for wrong in [
            " ", "a ", " a", "a  b", "a\tb", "a\"", "a\\b", "ä", "a a", "a\n",
        ] {
            assert!(Scopes::parse(wrong).is_err(), "{wrong:?}");
        }
        for right in [
            "",
            "a",
            "a b",
            "data:read data:write",
            "https://example.com/x",
        ] {
            assert_eq!(
                Scopes::parse(right).map(|s| s.to_string()).ok().as_deref(),
                Some(right)
            );
        }
    }

    #[test]
    fn a_subset_has_nothing_of_its_own() {
        let scopes = |text| Scopes::parse(text).unwrap_or_default();
        let granted = scopes("data:read data:write");
        for within in ["", "data:read", "data:write data:read"] {
            assert!(scopes(within).is_subset_of(&granted), "{within:?}");
        }
        for beyond in ["data", "data:read admin", "DATA:READ", "data:*"] {
            assert!(!scopes(beyond).is_subset_of(&granted), "{beyond:?}");
        }
    }
}
