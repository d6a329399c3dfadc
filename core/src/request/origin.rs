//! Web origins (RFC 6454).

use crate::request::host::Host;

/// A scheme, a host and a port, in the one form in which equal origins are equal texts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Origin(Box<str>);

impl Origin {
    /// Reads `scheme://host` or `scheme://host:port` and nothing after it: a list, a path and `null`, which
    /// any sandboxed document sends (HTML standard, "Origins"), are no origin.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let (scheme, authority) = text.split_once("://")?;
        let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
        if !is_scheme {
            return None;
        }
        let host = Host::parse(authority.as_bytes()).ok()?;
        let scheme = scheme.to_ascii_lowercase();
        // `Host::parse` has checked that it is a port number.
        let port = authority
            .rsplit_once(':')
            .filter(|(_, port)| !port.ends_with(']'))
            .and_then(|(_, port)| port.parse().ok());
        let default: Option<u16> = match scheme.as_str() {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        };
        let host = host.as_str();
        Some(Origin(match port.filter(|_| port != default) {
            Some(port) => format!("{scheme}://{host}:{port}").into(),
            None => format!("{scheme}://{host}").into(),
        }))
    }

    /// Whether it is the origin of a site at this authority: its own scheme decides which port needs not be
    /// written.
    pub fn is_at(&self, authority: &[u8]) -> bool {
        let scheme = self.0.split_once("://").map_or("", |(scheme, _)| scheme);
        if !matches!(scheme, "http" | "https") {
            return false;
        }
        let site = [scheme.as_bytes(), b"://", authority].concat();
        Origin::parse(&site).as_ref() == Some(self)
    }

    /// In lower case, without a default port.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests;
