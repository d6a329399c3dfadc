//! A request as the host gives it: borrowed bytes, read once.
//!
//! Decisions rest on `:method`, `:authority` and `:path` alone. A header that claims to override
//! one of them (`x-http-method-override`, `x-original-url`, `x-forwarded-uri`) has no
//! effect: a filter that uses it lets clients choose their own rule (CVE-2026-40575).

pub mod header_name;
pub mod headers;
pub mod host;
pub mod origin;
pub mod path;
pub mod uri;

use std::fmt;

use crate::request::headers::Headers;
use crate::request::host::Host;
use crate::request::path::{CanonicalPath, PathQuirks};
use crate::request::uri::{RequestUri, Scheme};

/// Bytes throughout: header values need not be UTF-8. Without `Debug`, as it holds credentials.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// `:method`
    pub method: &'a [u8],
    /// `:authority`
    pub authority: &'a [u8],
    /// `:path`, raw and with its query.
    pub path: &'a [u8],
    /// All of them in order, with pseudo-headers and duplicates; names are lower case.
    pub headers: Headers<'a>,
}

/// What rules are matched against: a request that can be read in one way only. Without `Debug`, as its
/// headers have credentials.
#[derive(Clone)]
pub struct RequestTarget<'a> {
    path: CanonicalPath<'a>,
    host: Host<'a>,
    port: Option<u16>,
    method: &'a [u8],
    /// The method that a CORS preflight asks about.
    asked: Option<&'a [u8]>,
    /// Whether a CORS preflight asks about it: then the headers are the preflight's.
    is_announced: bool,
    /// The request itself.
    request: Request<'a>,
}

/// A request that an upstream could read in another way than we do: a rule that matches our
/// reading would say nothing about the other one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AmbiguousTarget {
    /// The host.
    Host,
    /// The path.
    Path,
}

/// A method, a name: RFC 9110 §5.6.2.
pub fn is_token(text: &[u8]) -> bool {
    let tchar = |b: &u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b);
    !text.is_empty() && text.iter().all(tchar)
}

// === impl Request ===

impl<'a> Request<'a> {
    /// A pseudo-header that is missing is empty, which no host and no path may be.
    pub fn from_headers(headers: Headers<'a>) -> Self {
        let mut request = Request {
            method: b"",
            authority: b"",
            path: b"",
            headers,
        };
        // Backwards, so that the first of duplicates stays, as in `header`.
        for (name, value) in headers.iter().rev() {
            match *name {
                b":method" => request.method = value,
                b":authority" => request.authority = value,
                b":path" => request.path = value,
                _ => {}
            }
        }
        request
    }

    /// The first header of that name, which is given in lower case.
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.values(name).next()
    }

    /// Every header of that name.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.headers
            .iter()
            .filter(move |(n, _)| *n == name.as_bytes())
            .map(|(_, value)| *value)
    }

    /// The path before the query, as it was sent, also if it is refused.
    pub fn raw_path(&self) -> &'a [u8] {
        self.split_path().0
    }

    /// What follows the first `?`.
    pub fn query(&self) -> Option<&'a [u8]> {
        self.split_path().1
    }

    /// By Envoy's own rule, so that both take the same requests for gRPC: `application/grpc`,
    /// alone or followed by `+` or `;`, but not `application/grpc-web`.
    pub fn is_grpc(&self) -> bool {
        self.header("content-type")
            .and_then(|value| value.strip_prefix(b"application/grpc"))
            .is_some_and(|rest| matches!(rest, [] | [b'+' | b';', ..]))
    }

    /// The URI that the client used; `None` where it is not known. Envoy says in `x-forwarded-proto` how the
    /// client reached it, and with `use_remote_address` lets no client write it.
    pub fn uri(&self) -> Option<RequestUri<'a>> {
        let scheme = match self.only("x-forwarded-proto")? {
            b"http" => Scheme::Http,
            b"https" => Scheme::Https,
            _ => return None,
        };
        RequestUri::new(scheme, self.authority, self.raw_path())
    }

    fn split_path(&self) -> (&'a [u8], Option<&'a [u8]>) {
        match self.path.iter().position(|b| *b == b'?') {
            Some(at) => {
                let (path, query) = self.path.split_at(at);
                (path, query.get(1..))
            }
            None => (self.path, None),
        }
    }

    /// The method that a CORS preflight asks about (Fetch §3.2.2): `OPTIONS` with one `Origin`
    /// and one `Access-Control-Request-Method` that is a method. With two of them, the
    /// upstream may read another one than we do, so that request is an ordinary one.
    fn asked_method(&self) -> Option<&'a [u8]> {
        if self.method != b"OPTIONS" {
            return None;
        }
        let origin = self.only("origin")?;
        let method = self.only("access-control-request-method")?;
        (!origin.is_empty() && is_token(method)).then_some(method)
    }

    fn only(&self, name: &str) -> Option<&'a [u8]> {
        let mut values = self.values(name);
        let value = values.next()?;
        values.next().is_none().then_some(value)
    }
}

// === impl RequestTarget ===

impl<'a> RequestTarget<'a> {
    /// `Err` where an upstream could read another host or path than we do.
    pub fn from_request(request: &Request<'a>) -> Result<Self, AmbiguousTarget> {
        let (path, query) = request.split_path();
        // A fragment is never sent (RFC 9112 §3.2); Envoy and upstreams differ about where a
        // `#` ends the path, or the query.
        if query.is_some_and(|q| q.contains(&b'#')) {
            return Err(AmbiguousTarget::Path);
        }
        let path = CanonicalPath::parse(path).map_err(|_| AmbiguousTarget::Path)?;
        let (host, port) = Host::with_port(request.authority).map_err(|_| AmbiguousTarget::Host)?;
        Ok(RequestTarget {
            path,
            host,
            port,
            method: request.method,
            asked: request.asked_method(),
            is_announced: false,
            request: *request,
        })
    }

    /// Canonical, without the query.
    pub fn path(&self) -> &str {
        self.path.as_str()
    }

    /// What only a rule that allows it may match.
    pub fn quirks(&self) -> PathQuirks {
        self.path.quirks()
    }

    /// Lower case, without port.
    pub fn host(&self) -> &str {
        self.host.as_str()
    }

    /// The port that the authority names.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The request itself.
    pub fn request(&self) -> &Request<'a> {
        &self.request
    }

    /// `:method`.
    pub fn method(&self) -> &'a [u8] {
        self.method
    }

    /// Whether a CORS preflight asks about this request, which is not here yet: the headers are the
    /// preflight's, which name those of the request.
    pub fn is_announced(&self) -> bool {
        self.is_announced
    }

    /// Whether the request is a CORS preflight.
    pub fn is_preflight(&self) -> bool {
        self.asked.is_some()
    }

    /// The request that this CORS preflight asks about, for where preflights are let through.
    pub fn preflighted(&self) -> Option<RequestTarget<'_>> {
        Some(RequestTarget {
            path: self.path.borrowed(),
            host: self.host.borrowed(),
            port: self.port,
            method: self.asked?,
            asked: None,
            is_announced: true,
            request: self.request,
        })
    }
}

// === impl AmbiguousTarget ===

impl fmt::Display for AmbiguousTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AmbiguousTarget::Host => "the host can be read in more than one way",
            AmbiguousTarget::Path => "the path can be read in more than one way",
        })
    }
}

#[cfg(test)]
mod tests;
