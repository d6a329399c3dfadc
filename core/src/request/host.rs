//! Hosts that every parser reads in the same way.

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv6Addr;

/// The longest name that DNS can carry (RFC 1035 §2.3.4: 255 octets on the wire).
const HOST_BYTES: usize = 253;

/// A name or address in lower case, without port and trailing dot; an IPv6 address in brackets and
/// in its one recommended form (RFC 5952).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Host<'a>(Cow<'a, str>);

/// Why an authority does not name exactly one host.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HostFault {
    /// An address in brackets that is not an IPv6 address.
    Address,
    /// A character that no host name has.
    Character,
    /// There is no host.
    Empty,
    /// A label that is empty.
    Label,
    /// A name or a label that is too long.
    Length,
    /// A port that is empty or no number.
    Port,
    /// A spelling that Envoy looks up as another host: a trailing dot, another form of an address.
    Spelling,
}

// === impl Host ===

impl<'a> Host<'a> {
    /// Reads a request's authority: a host, perhaps with a port.
    ///
    /// Envoy looks virtual hosts up by text, without the port and without one trailing dot where it is
    /// told so. A spelling that only we would take for the same host would lead it elsewhere than us.
    pub fn parse(authority: &'a [u8]) -> Result<Self, HostFault> {
        Ok(Self::with_port(authority)?.0)
    }

    /// The same, and the port where the authority has one.
    pub fn with_port(authority: &'a [u8]) -> Result<(Self, Option<u16>), HostFault> {
        let text = std::str::from_utf8(authority).map_err(|_| HostFault::Character)?;
        // Of two colons outside brackets the first stays in the host, where none is allowed.
        let (text, port) = match text.rsplit_once(':') {
            Some((host, port)) if !text.ends_with(']') => (host, Some(parse_port(port)?)),
            _ => (text, None),
        };
        let host = Self::configured(text)?;
        match host.as_str().eq_ignore_ascii_case(text) {
            true => Ok((host, port)),
            false => Err(HostFault::Spelling),
        }
    }

    /// Reads a host as operators write it: one trailing dot is no part of it, and an address may
    /// have any form.
    pub fn configured(text: &'a str) -> Result<Self, HostFault> {
        match text.strip_prefix('[') {
            Some(literal) => parse_address(literal),
            None => parse_name(text),
        }
        .map(Host)
    }

    /// Lower case, without port.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same host, borrowed from this one.
    pub fn borrowed(&self) -> Host<'_> {
        Host(Cow::Borrowed(&self.0))
    }
}

/// Whether a host is an IP address. A name whose last label is a number is one to resolvers (URL standard, "ends
/// in a number").
pub fn is_address(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_number = |digits: &str, radix| digits.chars().all(|c| c.is_digit(radix));
    let hex = last.strip_prefix("0x");
    host.starts_with('[') || is_number(last, 10) || hex.is_some_and(|hex| is_number(hex, 16))
}

/// RFC 3986 §3.2.3 also allows an empty port. We refuse it.
fn parse_port(port: &str) -> Result<u16, HostFault> {
    let digits = port.bytes().all(|b| b.is_ascii_digit());
    let number = port.parse().ok().filter(|_| digits);
    number.ok_or(HostFault::Port)
}

/// Parses what follows the opening bracket. Zones (RFC 6874) and addresses of future versions are refused.
fn parse_address<'a>(literal: &str) -> Result<Cow<'a, str>, HostFault> {
    let address: Ipv6Addr = literal
        .strip_suffix(']')
        .and_then(|address| address.parse().ok())
        .ok_or(HostFault::Address)?;
    Ok(Cow::Owned(format!("[{address}]")))
}

fn parse_name(name: &str) -> Result<Cow<'_, str>, HostFault> {
    // Envoy joins duplicate hosts with a comma. User information, white space, NUL, escapes and all other
    // characters that a host name cannot have (RFC 1123 §2.1; `_` is common) end the host for some parsers
    // and belong to it for others.
    let (mut has_empty_label, mut has_upper_case) = (false, false);
    let mut previous = b'.';
    let whole = name.strip_suffix('.').unwrap_or(name);
    for b in whole.bytes() {
        match b {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => {}
            b'A'..=b'Z' => has_upper_case = true,
            b'.' => has_empty_label |= previous == b'.',
            _ => return Err(HostFault::Character),
        }
        previous = b;
    }
    if name.is_empty() {
        return Err(HostFault::Empty);
    }
    if whole.len() > HOST_BYTES {
        return Err(HostFault::Length);
    }
    if has_empty_label || previous == b'.' {
        return Err(HostFault::Label);
    }
    Ok(match has_upper_case {
        true => Cow::Owned(whole.to_ascii_lowercase()),
        false => Cow::Borrowed(whole),
    })
}

// === impl HostFault ===

impl fmt::Display for HostFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HostFault::Address => "no IPv6 address in its brackets",
            HostFault::Character => "a character that no host name has",
            HostFault::Empty => "an empty host",
            HostFault::Label => "an empty label",
            HostFault::Length => "more than 253 bytes",
            HostFault::Port => "a port that is no port number",
            HostFault::Spelling => {
                "a trailing dot, or an IPv6 address in another form than RFC 5952's"
            }
        })
    }
}

#[cfg(test)]
mod tests;
