//! Form bodies of the OAuth endpoints (RFC 6749 §3.2, appendix B).

use axum::http::HeaderMap;

use crate::media_type;
use crate::refusal::Refusal;

/// Far above what any endpoint takes; bounds the search for duplicates.
const MAX_PARAMETERS: usize = 32;

/// Every parameter at most once, but for `resource` (RFC 8707 §2); empty ones count as omitted.
/// No `Debug`: it may hold secrets and tokens.
pub struct Form(Vec<(String, String)>);

impl Form {
    pub fn parse(headers: &HeaderMap, body: &[u8]) -> Result<Self, Refusal> {
        if !media_type::is(headers, "application/x-www-form-urlencoded") {
            return Err(Refusal::InvalidRequest(
                "expected application/x-www-form-urlencoded",
            ));
        }
        Self::parse_pairs(body)
    }

    /// A query string is written like a form.
    pub fn parse_query(query: Option<&str>) -> Result<Self, Refusal> {
        Self::parse_pairs(query.unwrap_or_default().as_bytes())
    }

    fn parse_pairs(input: &[u8]) -> Result<Self, Refusal> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for (count, (name, value)) in form_urlencoded::parse(input).enumerate() {
            if count >= MAX_PARAMETERS {
                return Err(Refusal::InvalidRequest("too many parameters"));
            }
            if name != "resource" && pairs.iter().any(|(known, _)| *known == name) {
                return Err(Refusal::InvalidRequest(
                    "a parameter is there more than once",
                ));
            }
            pairs.push((name.into_owned(), value.into_owned()));
        }
        pairs.retain(|(_, value)| !value.is_empty());
        Ok(Self(pairs))
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(move |(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}
