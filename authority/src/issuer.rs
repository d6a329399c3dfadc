//! The issuer identifier (RFC 8414 §2).

use fluent_uri::Uri;

/// The issuer identifier: the `iss` of every token, and the base of every URL that is published.
pub struct Issuer(String);

impl Issuer {
    /// A URL as RFC 8414 §2 wants it, except that `http` is allowed: inside a mesh the proxies often terminate TLS.
    pub fn parse(url: String) -> Option<Self> {
        let uri = Uri::parse(url.as_str()).ok()?;
        let is_http = matches!(uri.scheme().as_str(), "http" | "https");
        let has_host = uri
            .authority()
            .is_some_and(|authority| !authority.host().is_empty());
        (is_http && has_host && !uri.has_query() && !uri.has_fragment()).then_some(Self(url))
    }

    /// As it was configured, byte for byte: readers compare issuers as strings.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The URL of an endpoint.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.0.trim_end_matches('/'))
    }
}
