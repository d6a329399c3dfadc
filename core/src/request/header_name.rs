//! Names of headers as careless upstreams read them.
//!
//! CGI writes `_` for `-` (RFC 3875 §4.1.18), and PHP does so for `.` too. To such an upstream, headers that
//! differ in punctuation alone are one header.

/// A header by its name, under which a request's headers are counted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HeaderName {
    text: Box<str>,
    is_joined: bool,
}

/// What Envoy joins to one value with commas when it comes twice: the headers to which Envoy itself has
/// direct access, and those that its extensions register for it. Measured on Envoy 1.40, see
/// `tests/envoy/header_conditions.rs`.
const JOINED: [&str; 33] = [
    "accept",
    "accept-encoding",
    "access-control-request-headers",
    "access-control-request-method",
    "access-control-request-private-network",
    "authorization",
    "cache-control",
    "cdn-loop",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "grpc-accept-encoding",
    "grpc-timeout",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "origin",
    "pragma",
    "proxy-connection",
    "proxy-status",
    "referer",
    "te",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-client-trace-id",
    "x-request-id",
];

/// Of these, Envoy joins most, and the next version may join more.
const JOINED_PREFIXES: [&str; 2] = ["x-envoy-", "x-forwarded-"];

// === impl HeaderName ===

impl HeaderName {
    /// `name` is a token (RFC 9110 §5.1).
    pub fn new(name: &str) -> Self {
        let text = name.to_ascii_lowercase();
        let folded = folded_name(&text);
        let is_joined = JOINED.contains(&folded.as_str())
            || JOINED_PREFIXES.iter().any(|p| folded.starts_with(p));
        HeaderName {
            text: text.into(),
            is_joined,
        }
    }

    /// In lower case.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether Envoy joins the values of headers of this name with commas.
    pub fn is_joined(&self) -> bool {
        self.is_joined
    }

    /// Whether a careless upstream may take a header of that name for this one.
    pub fn is(&self, name: &[u8]) -> bool {
        same_name(self.text.as_bytes(), name)
    }
}

/// A character of a header's name as a careless upstream reads it.
pub fn folded(b: u8) -> u8 {
    if b.is_ascii_alphanumeric() {
        b.to_ascii_lowercase()
    } else {
        b'-'
    }
}

/// A name as a careless upstream reads it.
pub fn folded_name(name: &str) -> String {
    name.bytes().map(|b| char::from(folded(b))).collect()
}

/// Whether a careless upstream may take one name for the other.
pub fn same_name(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(a, b)| folded(*a) == folded(*b))
}
