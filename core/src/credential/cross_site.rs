//! Requests that a page of another site makes a browser send.
//!
//! A browser adds a user's cookies to requests that any page starts. `SameSite` keeps some of them back, but it
//! is up to the cookie's issuer, and sites are wider than hosts. So a cookie is a credential only where the
//! request says that it was not started elsewhere. Other credentials are sent by code that knows them.

use crate::policy::location::CredentialLocation;
use crate::request::Request;
use crate::request::header_name::same_name;
use crate::request::headers::Occurrence;
use crate::request::origin::Origin;

/// A page of another site may have started the request, and its credential is a cookie.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CrossSiteRequest;

/// Refuses a request with a credential at `location` that a page of another site may have started, unless its
/// origin is one of `allowed`.
///
/// RFC 9110 §9.2.1: what GET, HEAD and OPTIONS ask for changes nothing, and without CORS no other page can
/// read it. With an upgrade it can: WebSockets know no CORS.
pub fn refuse_cross_site<'p>(
    request: &Request<'_>,
    location: &CredentialLocation,
    mut allowed: impl Iterator<Item = &'p Origin>,
) -> Result<(), CrossSiteRequest> {
    if !matches!(location, CredentialLocation::Cookie { .. }) {
        return Ok(());
    }
    if matches!(request.method, b"GET" | b"HEAD" | b"OPTIONS") && !is_upgrade(request) {
        return Ok(());
    }
    // `null` is the origin of many, and so of none that is allowed.
    let origin = match only(request, "origin") {
        Occurrence::Never => None,
        Occurrence::Once(origin) => Some(Origin::parse(origin)),
        Occurrence::Several => return Err(CrossSiteRequest),
    };
    let is_allowed = match &origin {
        Some(Some(origin)) => allowed.any(|allowed| allowed == origin),
        _ => false,
    };
    let is_fine = match only(request, "sec-fetch-site") {
        _ if is_allowed => true,
        Occurrence::Several => false,
        // Fetch Metadata: `none` is the user's own doing, such as an address that was typed.
        Occurrence::Once(site) => matches!(site, b"same-origin" | b"none"),
        Occurrence::Never => match origin {
            Some(origin) => origin.is_some_and(|origin| origin.is_at(request.authority)),
            // No browser: all of them send `Origin` with such a method, or `Sec-Fetch-Site`.
            None => true,
        },
    };
    is_fine.then_some(()).ok_or(CrossSiteRequest)
}

/// RFC 9110 §7.8; RFC 8441 §4 for HTTP/2, which Envoy hands on in either form.
fn is_upgrade(request: &Request<'_>) -> bool {
    let mut names = request.headers.iter().map(|(name, _)| *name);
    names.any(|name| name == b":protocol" || same_name(b"upgrade", name))
}

/// Browsers send these headers once and in one spelling. In any other form, somebody else wrote them too.
fn only<'a>(request: &Request<'a>, name: &str) -> Occurrence<'a> {
    let name = name.as_bytes();
    let mut found = request.headers.iter().filter(|(n, _)| same_name(name, n));
    match (found.next(), found.next()) {
        (None, _) => Occurrence::Never,
        (Some((n, value)), None) if *n == name && !value.contains(&b',') => Occurrence::Once(value),
        _ => Occurrence::Several,
    }
}

#[cfg(test)]
mod tests;
