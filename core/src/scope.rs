//! Scopes (RFC 6749 §3.3). No other file compares scope strings.

use std::collections::BTreeSet;
use std::fmt;
use std::rc::Rc;

/// One scope-token: printable ASCII without space, quote and backslash.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Scope(Box<str>);

/// The scopes that a principal has, each once, in the order they were granted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ScopeSet {
    /// Space-separated, as headers and logs show it.
    text: Rc<str>,
}

/// What a rule asks for: each of `all`, and one of `any`. An empty list asks for nothing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RequiredScopes {
    /// Every one of these.
    pub all: Vec<Scope>,
    /// At least one of these.
    pub any: Vec<Scope>,
}

// === impl Scope ===

impl Scope {
    /// RFC 6749 §3.3: `scope-token = 1*( %x21 / %x23-5B / %x5D-7E )`.
    pub fn new(token: &str) -> Option<Self> {
        let legal = |b: u8| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        (!token.is_empty() && token.bytes().all(legal)).then(|| Scope(token.into()))
    }

    /// The scope-token.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

// === impl ScopeSet ===

impl ScopeSet {
    /// The union of several texts. Scopes are separated by U+0020 and by nothing else:
    /// `"read\twrite"` is one word that no rule can ask for.
    pub fn union<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        // A tree: for so few, and no seed has to be drawn.
        let mut seen = BTreeSet::new();
        let words: Vec<&str> = texts
            .into_iter()
            .flat_map(|text| text.split(' '))
            .filter(|word| !word.is_empty() && seen.insert(*word))
            .collect();
        ScopeSet {
            text: words.join(" ").into(),
        }
    }

    /// What both have, in the order of this one.
    #[must_use]
    pub fn intersection(&self, other: &ScopeSet) -> Self {
        let others: BTreeSet<&str> = other.text.split(' ').collect();
        let words: Vec<&str> = self
            .text
            .split(' ')
            .filter(|w| others.contains(w))
            .collect();
        ScopeSet {
            text: words.join(" ").into(),
        }
    }

    /// Whether the set has what a rule asks for.
    pub fn satisfies(&self, required: &RequiredScopes) -> bool {
        let has = |scope: &Scope| self.text.split(' ').any(|word| word == scope.as_str());
        required.all.iter().all(has) && (required.any.is_empty() || required.any.iter().any(has))
    }

    /// Space-separated.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The same, to be shared.
    pub fn text(&self) -> Rc<str> {
        Rc::clone(&self.text)
    }
}

// === impl RequiredScopes ===

impl RequiredScopes {
    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty() && self.any.is_empty()
    }
}

/// As `scope` in a challenge lists them (RFC 6750 §3): `all`, then `any`.
impl fmt::Display for RequiredScopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, scope) in self.all.iter().chain(&self.any).enumerate() {
            if i > 0 {
                f.write_str(" ")?;
            }
            f.write_str(scope.as_str())?;
        }
        Ok(())
    }
}

/// Every scope that any of these names, each once: `all`, then `any`, part by part.
pub fn each_once<'r>(parts: impl IntoIterator<Item = &'r RequiredScopes>) -> Vec<&'r str> {
    let mut scopes = Vec::new();
    for part in parts {
        for scope in part.all.iter().chain(&part.any) {
            if !scopes.contains(&scope.as_str()) {
                scopes.push(scope.as_str());
            }
        }
    }
    scopes
}
