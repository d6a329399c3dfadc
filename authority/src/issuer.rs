//! The issuer identifier (RFC 8414 §2).

/// The issuer identifier: the `iss` of every token, and the base of every URL that is published.
pub struct Issuer(String);

impl Issuer {
    /// A URL as RFC 8414 §2 wants it, except that `http` is allowed: inside a mesh the proxies often terminate TLS.
    pub fn parse(url: String) -> Option<Self> {
        let rest = url
            .strip_prefix("https://")
            .or_else(|| url.strip_prefix("http://"))?;
        let has_host = !rest.is_empty() && !rest.starts_with('/');
        let is_allowed = |b: u8| b.is_ascii_graphic() && !matches!(b, b'?' | b'#' | b'"' | b'\\');
        (has_host && url.bytes().all(is_allowed)).then_some(Self(url))
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
