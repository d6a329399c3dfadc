//! What a rule says about a header.

use crate::policy::route::invalid_match::InvalidMatch;
use crate::request::header_name::HeaderName;
use crate::request::headers::{Headers, Occurrence, occurrence};

/// A header that must be there exactly once, and what must be true of its value.
#[derive(Clone, Debug)]
pub struct HeaderMatch {
    name: HeaderName,
    test: HeaderTest,
}

/// What must be true of a header's value, compared byte for byte.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum HeaderTest {
    /// It equals one of these.
    OneOf(Vec<Box<str>>),
    /// It begins with this.
    Prefix(Box<str>),
    /// The header is there.
    Present,
}

// === impl HeaderMatch ===

impl HeaderMatch {
    /// A condition on a header.
    pub fn new(name: HeaderName, test: HeaderTest) -> Self {
        HeaderMatch { name, test }
    }

    /// The header.
    pub fn name(&self) -> &HeaderName {
        &self.name
    }

    /// Whether it holds for the headers of a request.
    pub fn holds(&self, headers: Headers<'_>) -> bool {
        let Occurrence::Once(value) = occurrence(headers, &self.name) else {
            return false;
        };
        match &self.test {
            HeaderTest::OneOf(wanted) => wanted.iter().any(|wanted| wanted.as_bytes() == value),
            HeaderTest::Prefix(prefix) => value.starts_with(prefix.as_bytes()),
            HeaderTest::Present => true,
        }
    }

    /// Whether it may hold for the request that a CORS preflight with these headers asks about. A preflight
    /// has the names of its headers alone (Fetch standard, CORS-preflight fetch).
    pub fn is_announced(&self, headers: Headers<'_>) -> bool {
        let lists = headers
            .iter()
            .filter(|(name, _)| *name == b"access-control-request-headers");
        let mut names = lists.flat_map(|(_, list)| list.split(|b| *b == b','));
        names.any(|name| self.name.is(name.trim_ascii()))
    }
}

/// A header's value, or how it begins, as a request could have it.
pub fn value(name: &HeaderName, text: &str, is_whole: bool) -> Result<Box<str>, InvalidMatch> {
    let begins = text.trim_start() == text;
    let ends = !is_whole || text.trim_end() == text;
    if text.is_empty() || !begins || !ends || text.contains(char::is_control) {
        return Err(InvalidMatch::HeaderValue { found: text.into() });
    }
    if name.is_joined() && text.contains(',') {
        return Err(InvalidMatch::HeaderComma { found: text.into() });
    }
    Ok(text.into())
}
