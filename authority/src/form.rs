//! Form bodies of the OAuth endpoints (RFC 6749 §3.2, appendix B), and query strings.

use axum::http::HeaderMap;

use crate::media_type;
use crate::refusal::Refusal;

/// More than any endpoint has. Bounds the search for duplicates.
const MAX_PARAMETERS: usize = 32;

/// May be there more than once (RFC 8707 §2, RFC 8693 §2.1).
const REPEATABLE: [&str; 2] = ["audience", "resource"];

/// The parameters, each at most once except [`REPEATABLE`] ones. Empty parameters count as omitted.
///
/// No `Debug`: it may hold secrets and tokens.
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Parses a body.
    pub fn parse(headers: &HeaderMap, body: &[u8]) -> Result<Self, Refusal> {
        if !media_type::is(headers, "application/x-www-form-urlencoded") {
            return Err(Refusal::InvalidRequest(
                "expected application/x-www-form-urlencoded",
            ));
        }
        Self::parse_pairs(body)
    }

    /// Parses a query string, which has the same syntax.
    pub fn parse_query(query: Option<&str>) -> Result<Self, Refusal> {
        Self::parse_pairs(query.unwrap_or_default().as_bytes())
    }

    fn parse_pairs(input: &[u8]) -> Result<Self, Refusal> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for (count, (name, value)) in form_urlencoded::parse(input).enumerate() {
            if count >= MAX_PARAMETERS {
                return Err(Refusal::InvalidRequest("too many parameters"));
            }
            if !REPEATABLE.contains(&&*name) && pairs.iter().any(|(known, _)| *known == name) {
                return Err(Refusal::InvalidRequest(
                    "a parameter is there more than once",
                ));
            }
            pairs.push((name.into_owned(), value.into_owned()));
        }
        pairs.retain(|(_, value)| !value.is_empty());
        Ok(Self(pairs))
    }

    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// All values of a parameter.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(move |(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}
