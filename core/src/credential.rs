//! Exactly one credential, or none, or a refusal.
//!
//! An attacker gains where one parser reads a request's second credential and we read the first. So a
//! request that can be read in two ways is refused.

mod cross_site;

use std::borrow::Cow;
use std::rc::Rc;

use crate::policy::Policy;
use crate::policy::location::{CredentialLocation, Prefix};
use crate::policy::requirement::{Access, Rule};
use crate::request::Request;
use crate::request::path::escape;

pub use crate::credential::cross_site::{CrossSiteRequest, refuse_cross_site};

/// What a request carries at one location.
#[derive(Clone, Debug)]
pub struct Credential<'a> {
    /// Where it was found.
    pub location: &'a Rc<CredentialLocation>,
    /// The credential without its prefix.
    pub value: Cow<'a, [u8]>,
}

/// More than one credential, or one that intermediaries may read in several ways.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AmbiguousCredentials;

/// Takes a credential from the locations that `rule` accepts, and from no other. What is ambiguous by
/// itself is refused at every location: the upstream may read it.
pub fn find<'a>(
    policy: &'a Policy,
    rule: &Rule,
    request: &Request<'a>,
) -> Result<Option<Credential<'a>>, AmbiguousCredentials> {
    let mut found = None;
    for location in &policy.locations {
        let value = value_at(policy, location, request)?;
        let is_accepted = rule.access != Access::Anonymous && rule.locations.contains(location);
        if let Some(value) = value.filter(|_| is_accepted) {
            if found.is_some() {
                return Err(AmbiguousCredentials);
            }
            found = Some(Credential { location, value });
        }
    }
    Ok(found)
}

/// Refuses duplicate and hidden values at any location: the upstream may read the other one.
pub fn refuse_ambiguous(
    policy: &Policy,
    request: &Request<'_>,
) -> Result<(), AmbiguousCredentials> {
    let mut locations = policy.locations.iter();
    locations.try_for_each(|location| value_at(policy, location, request).map(drop))
}

fn value_at<'a>(
    policy: &Policy,
    location: &CredentialLocation,
    request: &Request<'a>,
) -> Result<Option<Cow<'a, [u8]>>, AmbiguousCredentials> {
    match location {
        CredentialLocation::Header { name, prefix } => {
            let Some(value) = only(request.values(name))? else {
                return Ok(None);
            };
            if holds_hidden_element(policy, name, value) {
                return Err(AmbiguousCredentials);
            }
            // `Authorization: DPoP` is a location of its own also beside one that takes every value there.
            if *prefix == Prefix::None && is_dpop_value(policy, name, value) {
                return Ok(None);
            }
            Ok(prefix.strip(value).map(Cow::Borrowed))
        }
        CredentialLocation::Query { name } => {
            let query = request.query().unwrap_or_default();
            let is_named = |n: &[u8]| form_decode(n).as_ref() == name.as_bytes();
            if hidden_parameters(query).any(|(n, _)| is_named(n)) {
                return Err(AmbiguousCredentials);
            }
            only(
                pairs(query, b'&')
                    .filter(|(n, _)| is_named(n))
                    .map(|(_, value)| form_decode(value)),
            )
        }
        CredentialLocation::Cookie { name } => only(
            cookies(request)
                .filter(|(n, _)| *n == name.as_bytes())
                .map(|(_, value)| Cow::Borrowed(value)),
        ),
    }
}

fn is_dpop_value(policy: &Policy, header: &str, value: &[u8]) -> bool {
    let mut locations = policy.locations.iter();
    let dpop = locations.find(|location| location.is_dpop());
    dpop.is_some_and(|location| match location.as_ref() {
        CredentialLocation::Header { name, prefix } => {
            name.as_ref() == header && prefix.strip(value).is_some()
        }
        CredentialLocation::Query { .. } | CredentialLocation::Cookie { .. } => false,
    })
}

fn only<T>(mut values: impl Iterator<Item = T>) -> Result<Option<T>, AmbiguousCredentials> {
    let first = values.next();
    match values.next() {
        None => Ok(first),
        Some(_) => Err(AmbiguousCredentials),
    }
}

/// Envoy joins doubled `Authorization` headers with a comma, and a client's proxies may do so too. Where
/// an element of such a list begins with a scheme that is configured for this header, the list holds
/// several values and one of them is a credential.
fn holds_hidden_element(policy: &Policy, name: &str, value: &[u8]) -> bool {
    let schemes = || {
        policy
            .locations
            .iter()
            .filter_map(|location| match location.as_ref() {
                CredentialLocation::Header {
                    name: n,
                    prefix: prefix @ Prefix::Scheme(_),
                } if n.as_ref() == name => Some(prefix),
                _ => None,
            })
    };
    value.contains(&b',')
        && value
            .split(|&b| b == b',')
            .map(<[u8]>::trim_ascii)
            .any(|element| schemes().any(|scheme| scheme.strip(element).is_some()))
}

// === stripping ===

/// The change to a request that removes every credential from it, used or not.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct Stripped<'a> {
    /// The names of headers that are removed.
    pub headers: Vec<&'a str>,
    /// `:path` without the query parameters.
    pub path: Option<Vec<u8>>,
    /// The `cookie` headers that remain, in order, where a cookie is removed.
    pub cookies: Option<Vec<Vec<u8>>>,
}

/// Removes every credential at any location, and every proof of possession. Of a query or a cookie header, only that parameter or cookie is
/// removed; the rest stays byte for byte.
pub fn strip<'p>(policy: &'p Policy, request: &Request<'_>) -> Stripped<'p> {
    let mut stripped = Stripped::default();
    for location in &policy.locations {
        if let CredentialLocation::Header { name, prefix } = location.as_ref()
            && !stripped.headers.contains(&name.as_ref())
            && request.values(name).any(|value| {
                prefix.strip(value).is_some() || holds_hidden_element(policy, name, value)
            })
        {
            stripped.headers.push(name);
        }
    }
    if policy.takes_proofs && request.header("dpop").is_some() {
        stripped.headers.push("dpop");
    }
    stripped.path = strip_query(policy, request);
    stripped.cookies = strip_cookies(policy, request);
    stripped
}

fn strip_query(policy: &Policy, request: &Request<'_>) -> Option<Vec<u8>> {
    let names = || {
        policy
            .locations
            .iter()
            .filter_map(|location| match location.as_ref() {
                CredentialLocation::Query { name } => Some(name.as_bytes()),
                _ => None,
            })
    };
    names().next()?;
    let query = request.query()?;
    let goes = |pair: &&[u8]| {
        let (name, _) = split_pair(pair);
        names().any(|n| form_decode(name).as_ref() == n)
    };
    if !query.split(|&b| b == b'&').any(|pair| goes(&pair)) {
        return None;
    }
    let kept: Vec<&[u8]> = query
        .split(|&b| b == b'&')
        .filter(|pair| !goes(pair))
        .collect();
    let mut path = request.raw_path().to_vec();
    if !kept.is_empty() {
        path.push(b'?');
        path.extend(kept.join(&b'&'));
    }
    Some(path)
}

fn strip_cookies(policy: &Policy, request: &Request<'_>) -> Option<Vec<Vec<u8>>> {
    let names = || {
        policy
            .locations
            .iter()
            .filter_map(|location| match location.as_ref() {
                CredentialLocation::Cookie { name } => Some(name.as_bytes()),
                _ => None,
            })
    };
    names().next()?;
    let goes = |crumb: &&[u8]| {
        let (name, _) = split_cookie(crumb);
        names().any(|n| n == name)
    };
    if !cookies(request).any(|(name, _)| names().any(|n| n == name)) {
        return None;
    }
    let mut kept = Vec::new();
    for header in request.values("cookie") {
        let crumbs: Vec<&[u8]> = header.split(|&b| b == b';').filter(|c| !goes(c)).collect();
        // White space before the first crumb separated it from one that was removed.
        let rest = crumbs.join(&b';');
        let rest = rest.trim_ascii_start();
        if !rest.is_empty() {
            kept.push(rest.to_vec());
        }
    }
    Some(kept)
}

// === pairs ===

/// Every cookie of every `cookie` header (RFC 6265 §4.2.1; HTTP/2 may send several).
fn cookies<'a>(request: &Request<'a>) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
    request
        .values("cookie")
        .flat_map(|header| header.split(|&b| b == b';'))
        .map(split_cookie)
}

/// White space around a name is not a part of it (RFC 6265 §5.2).
fn split_cookie(crumb: &[u8]) -> (&[u8], &[u8]) {
    let (name, value) = split_pair(crumb.trim_ascii());
    (name.trim_ascii_end(), value)
}

/// The parameters that a parser finds if it also splits a query at `;`.
fn hidden_parameters(query: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let pairs = query.split(|&b| b == b'&');
    pairs.flat_map(|pair| self::pairs(pair, b';').skip(1))
}

fn pairs(text: &[u8], separator: u8) -> impl Iterator<Item = (&[u8], &[u8])> {
    text.split(move |&b| b == separator).map(split_pair)
}

fn split_pair(pair: &[u8]) -> (&[u8], &[u8]) {
    let mut halves = pair.splitn(2, |&b| b == b'=');
    let name = halves.next().unwrap_or_default();
    (name, halves.next().unwrap_or_default())
}

/// `application/x-www-form-urlencoded`, as upstreams read a query: an escaped name is the same
/// name. A malformed escape stays as it is.
fn form_decode(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.iter().any(|b| matches!(b, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, tail @ ..] = rest {
        let (byte, tail) = match byte {
            b'+' => (b' ', tail),
            _ => escape(byte, tail).unwrap_or((*byte, tail)),
        };
        decoded.push(byte);
        rest = tail;
    }
    Cow::Owned(decoded)
}
