//! Names of headers as careless upstreams read them.
//!
//! CGI writes `_` for `-` (RFC 3875 §4.1.18), and PHP does so for `.` too. To such an upstream, headers that
//! differ in punctuation alone are one header.

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
