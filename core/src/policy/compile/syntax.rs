//! Which characters names and texts may have.

use crate::config::fault::quoted;
use crate::config::reader::Located;
use crate::policy::compile::compiler::Compiler;
use crate::request::header_name::{HeaderName, folded_name};
use crate::request::is_token;

/// Header fields of Envoy itself, and those of one connection (RFC 9110 §7.6.1): to set or remove
/// them would break the request.
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

impl Compiler<'_> {
    /// A text that goes into headers and logs.
    pub(super) fn text(&mut self, Located { at, value }: Located<&str>) -> Option<Box<str>> {
        if value.is_empty() || value.trim() != value || value.contains(char::is_control) {
            let expected = "a text without control characters and outer white space";
            self.findings.unfit(at, quoted(value), expected);
            return None;
        }
        Some(value.into())
    }

    /// A header of the request that a rule compares: one that clients choose and upstreams get as it is.
    /// Credentials and identity headers are found out once all of them are known.
    pub(super) fn compared_header(
        &mut self,
        Located { at, value }: Located<&str>,
    ) -> Option<HeaderName> {
        if !is_token(value.as_bytes()) {
            let expected = "a header name; method, host and path have keys of their own";
            self.findings.unfit(at, quoted(value), expected);
            return None;
        }
        let name = HeaderName::new(value);
        // Envoy makes `:authority` of it, and a pseudo-header is no header (RFC 9113 §8.3).
        if name.is(b"host") {
            let expected = "another header: match.hosts compares the host";
            self.findings.unfit(at, quoted(value), expected);
            return None;
        }
        self.compared_headers.push((name.clone(), at));
        Some(name)
    }

    /// A header's name in lower case, but none that has a meaning for Envoy itself.
    pub(super) fn header_name(&mut self, Located { at, value }: Located<&str>) -> Option<Box<str>> {
        if !is_token(value.as_bytes()) {
            self.findings.unfit(at, quoted(value), "a header name");
            return None;
        }
        let name = value.to_ascii_lowercase();
        if RESERVED.contains(&folded_name(&name).as_str()) {
            let expected = "a header that is not Envoy's own";
            self.findings.unfit(at, quoted(&name), expected);
            return None;
        }
        Some(name.into())
    }
}
