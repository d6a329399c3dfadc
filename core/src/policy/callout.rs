//! Services that are asked about credentials, and what happens while they cannot be.

use std::time::Duration;

use crate::policy::provider::Endpoint;

pub use crate::config::{Fallback, When};

/// Token introspection (RFC 7662).
#[derive(Debug)]
pub struct Introspection {
    /// With our credentials there (HTTP Basic).
    pub endpoint: Endpoint,
    pub when: When,
    /// Zero: ask every time.
    pub cache_ttl: Duration,
    pub negative_cache_ttl: Duration,
    /// Allows only beside [`When::Always`]: something must have been verified.
    pub on_unavailable: Fallback,
}

/// A list of what is revoked, polled.
#[derive(Debug)]
pub struct RevocationList {
    /// Its path may have a query of its own, to which `since` is added.
    pub endpoint: Endpoint,
    pub refresh_interval: Duration,
    pub max_staleness: Duration,
    pub on_stale: Fallback,
}

/// Token Status Lists (draft-ietf-oauth-status-list) that a provider's tokens may refer to.
#[derive(Debug)]
pub struct StatusLists {
    /// How the `uri` of every list begins, with a slash at its end: what follows is a path on the
    /// same host, whatever a token says.
    pub uri_prefix: Box<str>,
    /// The same as an endpoint: the path of a list goes on where this one ends.
    pub endpoint: Endpoint,
    /// Whether a token without a status is refused.
    pub required: bool,
    pub on_unavailable: Fallback,
}

/// API keys that are fetched and refreshed.
#[derive(Debug)]
pub struct RemoteApiKeys {
    pub endpoint: Endpoint,
    pub refresh_interval: Duration,
    pub max_staleness: Duration,
}

/// application/x-www-form-urlencoded, of one value.
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
