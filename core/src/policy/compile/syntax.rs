//! What names and texts may consist of.

use crate::config::reader::{At, quoted};
use crate::policy::compile::Compiler;
use crate::policy::forward;

/// Envoy owns these fields, or hop by hop nobody does (RFC 9110 §7.6.1): to set or remove them
/// would change what a request is, not what it says.
const RESERVED: [&str; 12] = [
    "connection",
    "content-length",
    "cookie",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-request-id",
];

/// RFC 9110 §5.6.2.
pub(super) fn is_token(text: &str) -> bool {
    let tchar = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && text.bytes().all(tchar)
}

/// A header's name as a careless upstream sees it.
pub(super) fn folded(name: &str) -> String {
    name.bytes()
        .map(|b| char::from(forward::folded(b)))
        .collect()
}

impl Compiler<'_> {
    /// Something that is said in headers and logs.
    pub(super) fn text(&mut self, text: &str, at: At<'_>) -> Option<Box<str>> {
        if text.is_empty() || text.trim() != text || text.contains(char::is_control) {
            let expected = "some text without control characters and outer white space";
            self.faults.unfit(at, quoted(text), expected);
            return None;
        }
        Some(text.into())
    }

    /// A header's name in lower case, but none that means something to Envoy itself.
    pub(super) fn header_name(&mut self, name: &str, at: At<'_>) -> Option<Box<str>> {
        if !is_token(name) {
            self.faults.unfit(at, quoted(name), "a header name");
            return None;
        }
        let name = name.to_ascii_lowercase();
        if RESERVED.contains(&folded(&name).as_str()) {
            let expected = "a header that is not Envoy's own";
            self.faults.unfit(at, quoted(&name), expected);
            return None;
        }
        Some(name.into())
    }
}
