//! Services that are asked about credentials, and what happens while they cannot be.

use std::time::Duration;

use crate::policy::endpoint::Endpoint;

pub use crate::config::{Fallback, When};

/// Token introspection (RFC 7662).
#[derive(Debug)]
pub struct Introspection {
    /// The endpoint, with our credentials there (HTTP Basic).
    pub endpoint: Endpoint,
    /// Which tokens it is asked about.
    pub when: When,
    /// How long an answer counts. Zero: ask every time.
    pub cache_ttl: Duration,
    /// How long it counts that a token is inactive.
    pub negative_cache_ttl: Duration,
    /// Allows only beside [`When::Always`]: something must have been verified.
    pub on_unavailable: Fallback,
}

/// A list of what is revoked, polled.
#[derive(Debug)]
pub struct RevocationList {
    /// Its path may have a query of its own, to which `since` is added.
    pub endpoint: Endpoint,
    /// How often it is polled.
    pub refresh_interval: Duration,
    /// How long the last list counts while the source is down.
    pub max_staleness: Duration,
    /// What happens after that.
    pub on_stale: Fallback,
}

/// Token Status Lists (draft-ietf-oauth-status-list) that a provider's tokens may refer to.
#[derive(Debug)]
pub struct StatusLists {
    /// How the `uri` of every list begins. It ends with a slash, so what follows is a path on the same
    /// host, whatever a token says.
    pub uri_prefix: Box<str>,
    /// The same as an endpoint: the path of a list goes on where this one ends.
    pub endpoint: Endpoint,
    /// Whether a token without a status is refused.
    pub required: bool,
    /// What happens without a list.
    pub on_unavailable: Fallback,
}

/// API keys that are fetched and refreshed.
#[derive(Debug)]
pub struct RemoteApiKeys {
    /// Where the list is fetched from.
    pub endpoint: Endpoint,
    /// How often it is fetched again.
    pub refresh_interval: Duration,
    /// How long the last good list serves while the source is down.
    pub max_staleness: Duration,
}

// === impl StatusLists ===

impl StatusLists {
    /// Whether a URI is one of these lists for every reader: it holds nothing that one reader resolves
    /// and another does not. The prefix ends with a slash, so it fixes host and user.
    pub fn contain(&self, uri: &str) -> bool {
        let Some(rest) = uri.strip_prefix(self.uri_prefix.as_ref()) else {
            return false;
        };
        // RFC 3986 §3.3 without escapes.
        let is_path = |b: u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&b);
        let is_dots = |segment| segment == "." || segment == "..";
        rest.bytes().all(is_path) && !rest.split('/').any(is_dots)
    }
}

/// Appends one value as application/x-www-form-urlencoded.
pub fn form_encode(value: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
    for byte in value {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_' => out.push(*byte),
            b' ' => out.push(b'+'),
            _ => out.extend([b'%', digit(byte >> 4), digit(byte & 0xf)]),
        }
    }
}
