//! The URI of a request, and whether another text means the same one.

use std::borrow::Cow;

use crate::request::host::Host;
use crate::request::path::{CanonicalPath, escape, is_unreserved};

/// Scheme, host, port and path, in the one form that is left of all equivalent ones (RFC 3986 §6.2.2, §6.2.3).
/// A query and a fragment are no part of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RequestUri<'a> {
    scheme: Scheme,
    host: Host<'a>,
    port: u16,
    path: CanonicalPath<'a>,
}

/// How a client reached us.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scheme {
    /// Without TLS.
    Http,
    /// With TLS.
    Https,
}

// === impl RequestUri ===

impl<'a> RequestUri<'a> {
    /// The URI of a request with this authority and path; `None` where they can be read in more than one way.
    pub fn new(scheme: Scheme, authority: &'a [u8], path: &'a [u8]) -> Option<Self> {
        let (host, port) = Host::with_port(authority).ok()?;
        Some(RequestUri {
            scheme,
            host,
            port: port.unwrap_or(scheme.default_port()),
            path: CanonicalPath::parse(path).ok()?,
        })
    }

    /// Whether `text` is a URI that means this one, but for its query and fragment.
    pub fn is_meant_by(&self, text: &str) -> bool {
        self.compare(text).unwrap_or(false)
    }

    /// `None` where `text` is no such URI.
    fn compare(&self, text: &str) -> Option<bool> {
        let (scheme, rest) = text.split_once("://")?;
        let scheme = Scheme::parse(scheme)?;
        let rest = rest.split(['?', '#']).next()?;
        let (authority, path) = rest.split_at_checked(rest.find('/').unwrap_or(rest.len()))?;
        let authority = decode_unreserved(authority)?;
        // RFC 3986 §6.2.3: a colon without a port says the default.
        let authority = authority.strip_suffix(':').unwrap_or(&authority);
        let (host, port) = Host::with_port(authority.as_bytes()).ok()?;
        let is_server = scheme == self.scheme
            && host == self.host
            && port.unwrap_or(scheme.default_port()) == self.port;
        Some(is_server && without_dot_segments(&decode_unreserved(path)?) == self.path.as_str())
    }
}

/// RFC 3986 §6.2.2.1 and §6.2.2.2: escapes of unreserved characters decoded, all others in upper case.
fn decode_unreserved(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut parts = text.split('%');
    let mut decoded = parts.next()?.to_owned();
    for part in parts {
        let (value, _) = escape(&b'%', part.as_bytes())?;
        let (digits, rest) = part.split_at_checked(2)?;
        if is_unreserved(value) {
            decoded.push(char::from(value));
        } else {
            decoded.push('%');
            decoded.push_str(&digits.to_ascii_uppercase());
        }
        decoded.push_str(rest);
    }
    Some(Cow::Owned(decoded))
}

/// RFC 3986 §6.2.2.3; and an empty path is `/` (§6.2.3).
fn without_dot_segments(path: &str) -> String {
    let mut kept = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        match segment {
            "." => {}
            ".." => {
                kept.pop();
            }
            name => {
                kept.push(name);
                continue;
            }
        }
        // What a dot segment at the end names is a folder.
        if segments.peek().is_none() {
            kept.push("");
        }
    }
    format!("/{}", kept.join("/"))
}

// === impl Scheme ===

impl Scheme {
    fn parse(text: &str) -> Option<Self> {
        [Scheme::Http, Scheme::Https]
            .into_iter()
            .find(|scheme| scheme.name().eq_ignore_ascii_case(text))
    }

    fn name(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    /// RFC 9110 §4.2.1, §4.2.2.
    fn default_port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }
}

#[cfg(test)]
mod tests;
