//! Where Envoy sends a call to another service.

use std::time::Duration;

use crate::config::SecretConfig;
use crate::config::reader::{Located, Optional, Required};
use crate::policy::compile::compiler::Compiler;
use crate::policy::endpoint::Endpoint;
use crate::secret::Secret;

/// Requests wait for some of these calls.
const TIMEOUT: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(1)..=Duration::from_secs(60);

/// An absolute URI, in the parts that a request needs.
pub(super) struct Uri {
    scheme: &'static str,
    authority: Box<str>,
    /// With the query.
    path: Box<str>,
}

impl Compiler<'_> {
    pub(super) fn endpoint(
        &mut self,
        cluster: Required<&str>,
        uri: Option<Uri>,
        authorization: Option<Option<Secret>>,
        timeout: Optional<Duration>,
        default_timeout: Duration,
    ) -> Option<Endpoint> {
        let cluster = cluster.and_then(|name| self.text(name));
        let timeout = self.duration(timeout, default_timeout, TIMEOUT);
        let Uri {
            scheme,
            authority,
            path,
        } = uri?;
        Some(Endpoint {
            cluster: cluster?,
            scheme: scheme.into(),
            authority,
            path,
            timeout: timeout?,
            authorization: authorization?,
        })
    }

    /// The `authorization` header of a service that may want none.
    pub(super) fn authorization(
        &mut self,
        source: Optional<SecretConfig<'_>>,
    ) -> Option<Option<Secret>> {
        source.and_then(|source| self.header_secret(source))
    }

    /// A secret that is a valid header value. It is never repeated.
    pub(super) fn header_secret(
        &mut self,
        Located { at, value: source }: Located<SecretConfig<'_>>,
    ) -> Option<Secret> {
        let secret = self.secret(source, 1)?;
        let value = secret.expose();
        let legal = value.iter().all(|b| matches!(b, b' '..=b'~'));
        if !legal || value.trim_ascii() != value {
            let found = "a value that no header can carry as it is";
            let expected = "printable ASCII without outer white space";
            self.findings.unfit(at, found, expected);
            return None;
        }
        Some(secret)
    }

    /// An invalid URI is never repeated: it may have a password, or a token in its query.
    pub(super) fn uri(&mut self, Located { at, value }: Located<&str>) -> Option<Uri> {
        match split(value) {
            Ok((scheme, authority, path)) => {
                // An absolute URI may end after its host, a request's path may not be empty
                // (RFC 9112 §3.2.1).
                let slash = if path.starts_with('/') { "" } else { "/" };
                Some(Uri {
                    scheme,
                    authority: authority.into(),
                    path: format!("{slash}{path}").into(),
                })
            }
            Err(found) => {
                let expected = "an http or https URI with a host";
                self.findings.unfit(at, found, expected);
                None
            }
        }
    }
}

/// Scheme, authority, and path with query (RFC 3986 §3); or what the text is instead.
pub(super) fn split(uri: &str) -> Result<(&'static str, &str, &str), &'static str> {
    let (scheme, rest) = uri
        .split_once("://")
        .ok_or("a string that is no absolute URI")?;
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "http" => "http",
        "https" => "https",
        _ => return Err("a URI with another scheme"),
    };
    if rest.contains('#') {
        return Err("a URI with a fragment");
    }
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err("a URI with user information");
    }
    if !is_host_and_port(authority) {
        return Err("a URI without a valid host and port");
    }
    if !is_path_and_query(path) {
        return Err("a URI with an invalid character or escape");
    }
    Ok((scheme, authority, path))
}

fn is_host_and_port(authority: &str) -> bool {
    let (host, port) = match authority.rsplit_once(':') {
        // The last colon of an IPv6 address is no port's.
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let digits = |port: &str| port.bytes().all(|b| b.is_ascii_digit());
    let port_fits = port.is_none_or(|p| digits(p) && p.parse::<u16>().is_ok_and(|p| p != 0));
    let bracketed = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    let host_fits = match bracketed {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            let legal = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
            !host.is_empty() && host.bytes().all(legal)
        }
    };
    port_fits && host_fits
}

/// RFC 3986 §3.3 and §3.4.
fn is_path_and_query(text: &str) -> bool {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%".contains(&b);
    let escapes = text.split('%').skip(1);
    let mut escapes = escapes.map(|rest| rest.as_bytes().get(..2));
    text.bytes().all(legal)
        && escapes.all(|e| e.is_some_and(|e| e.iter().all(u8::is_ascii_hexdigit)))
}
