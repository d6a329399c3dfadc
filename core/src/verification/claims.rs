//! Validates the claims of a JWT or an introspection answer and builds the principal.

use std::rc::Rc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::json::{Number, Object, Value};
use crate::limits::LAST_SECOND;
use crate::policy::Policy;
use crate::policy::claim::ClaimPath;
use crate::policy::provider::{Audiences, Provider};
use crate::scope::ScopeSet;
use crate::secret::Digest;
use crate::time::UnixTime;
use crate::verification::principal::{Confirmation, ForwardedIdentity, Principal, Validity};
use crate::verification::status_list::Reference;

/// Why claims are refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum InvalidClaims {
    /// More actors than the provider allows, or an actor that cannot be read.
    Actors,
    /// No audience that the provider accepts.
    Audience,
    /// A confirmation (RFC 7800) by a method that we cannot check.
    Confirmation,
    /// `exp` has passed.
    Expired,
    /// Valid for longer than the provider allows.
    Lifetime,
    /// A registered claim has the wrong type.
    Malformed,
    /// No `exp`, where the provider requires one.
    NoExpiry,
    /// No `iat`, where an entry of the revocation list may be forgotten before the token ends.
    NoIssueTime,
    /// `nbf` is in the future.
    NotYetValid,
    /// No reference to a status list where one is required, or one that is not followed.
    Status,
    /// A claim that goes into a header would not arrive there as it is.
    Unforwardable,
}

/// Where the claims come from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ClaimsSource {
    /// A JWT.
    Token,
    /// The answer of an introspection endpoint (RFC 7662 §2.2). Without `exp`, an answer is valid for
    /// `cache_ttl`.
    Answer,
}

/// Checks the claims of a token or answer of `provider` and returns their principal. The caller has compared
/// `iss`.
pub fn validate_claims(
    policy: &Policy,
    provider: &Rc<Provider>,
    claims: &Object<'_>,
    source: ClaimsSource,
    now: UnixTime,
) -> Result<Principal, InvalidClaims> {
    let audiences = audiences(claims)?;
    if let Audiences::OneOf(accepted) = &provider.audiences
        && !audiences.iter().any(|audience| accepted.contains(audience))
    {
        return Err(InvalidClaims::Audience);
    }
    let validity = Validity {
        issued_at: numeric_date(claims, "iat")?,
        not_before: numeric_date(claims, "nbf")?,
        expires: match source {
            ClaimsSource::Token => numeric_date(claims, "exp")?,
            ClaimsSource::Answer => expiry_of_answer(claims)?,
        },
    };
    check_validity(provider, &validity, source, now)?;
    let subject = text(claims, "sub")?;
    let token_id = text(claims, "jti")?;
    let status = status(provider, claims, source)?;
    let confirmation = confirmation(provider, claims)?;
    let actor = actor(claims, provider)?;
    let claim_text = |path: &ClaimPath| lookup(claims, path).and_then(Value::as_str);
    let clients: Vec<Rc<str>> = provider
        .client_id_claims
        .iter()
        .filter_map(claim_text)
        .map(Rc::from)
        .collect();
    let principal = Principal {
        provider: Some(Rc::clone(provider)),
        subject,
        client_id: clients.first().cloned(),
        clients,
        tenant: claim_text(&provider.tenant_claim).map(Rc::from),
        actor,
        key_id: None,
        scopes: scopes(claims, &provider.scope_claims),
        audiences,
        claims: policy
            .claims
            .iter()
            .map(|path| lookup(claims, path).map(|value| value.clone().into_owned()))
            .collect(),
        validity,
        token_id,
        status,
        confirmation,
        forwarded: ForwardedIdentity::default(),
    };
    principal
        .with_forwarded_headers(policy)
        .map_err(|_| InvalidClaims::Unforwardable)
}

/// Whether any of the provider's scope claims is present.
pub fn names_scopes(provider: &Provider, claims: &Object<'_>) -> bool {
    let mut paths = provider.scope_claims.iter();
    paths.any(|path| lookup(claims, path).is_some())
}

/// Time-dependent checks, repeated on each request for cached tokens.
pub fn check_validity(
    provider: &Provider,
    validity: &Validity,
    source: ClaimsSource,
    now: UnixTime,
) -> Result<(), InvalidClaims> {
    let tolerance = provider.clock_tolerance;
    match validity.expires {
        Some(expires) if now >= expires.plus(tolerance) => return Err(InvalidClaims::Expired),
        None if provider.require_exp && source == ClaimsSource::Token => {
            return Err(InvalidClaims::NoExpiry);
        }
        _ => {}
    }
    if let Some(not_before) = validity.not_before
        && now < not_before.minus(tolerance)
    {
        return Err(InvalidClaims::NotYetValid);
    }
    match provider.max_lifetime {
        Some(longest) => check_lifetime(validity, longest, now),
        None => Ok(()),
    }
}

/// Neither `exp - iat` nor `exp - now` may exceed the longest lifetime. A token without `exp` exceeds it.
fn check_lifetime(
    validity: &Validity,
    longest: Duration,
    now: UnixTime,
) -> Result<(), InvalidClaims> {
    let expires = validity.expires.ok_or(InvalidClaims::Lifetime)?;
    let starts = validity.issued_at.map_or(now, |issued| issued.min(now));
    if expires > starts.plus(longest) {
        return Err(InvalidClaims::Lifetime);
    }
    Ok(())
}

/// RFC 7519 §4.1.3: a string or an array of strings, compared exactly.
fn audiences(claims: &Object<'_>) -> Result<Vec<Box<str>>, InvalidClaims> {
    match claims.get("aud") {
        None => Ok(Vec::new()),
        Some(Value::String(audience)) => Ok(vec![audience.as_ref().into()]),
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| item.as_str().map(Box::from).ok_or(InvalidClaims::Malformed))
            .collect(),
        Some(_) => Err(InvalidClaims::Malformed),
    }
}

fn numeric_date(claims: &Object<'_>, name: &str) -> Result<Option<UnixTime>, InvalidClaims> {
    let date = |number: &Number| UnixTime::from_numeric_date(number);
    match claims.get(name) {
        None => Ok(None),
        Some(value) => value
            .as_number()
            .and_then(date)
            .map(Some)
            .ok_or(InvalidClaims::Malformed),
    }
}

/// Some endpoints write `exp` in milliseconds, which reads as a time far in the future. For an answer, `exp`
/// only limits how long it is cached, so a time beyond year 9999 counts as its end.
fn expiry_of_answer(claims: &Object<'_>) -> Result<Option<UnixTime>, InvalidClaims> {
    let seconds = claims.get("exp").and_then(Value::as_number);
    let seconds = seconds.and_then(Number::as_f64);
    if seconds.is_some_and(|seconds| seconds > LAST_SECOND as f64) {
        return Ok(Some(UnixTime::from_secs(LAST_SECOND)));
    }
    numeric_date(claims, "exp")
}

fn text(claims: &Object<'_>, name: &str) -> Result<Option<Rc<str>>, InvalidClaims> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(s)) => Ok(Some(s.as_ref().into())),
        Some(_) => Err(InvalidClaims::Malformed),
    }
}

/// The token's status-list entry. Introspection answers need none.
fn status(
    provider: &Provider,
    claims: &Object<'_>,
    source: ClaimsSource,
) -> Result<Option<Reference>, InvalidClaims> {
    let Some(lists) = &provider.status_lists else {
        return Ok(None);
    };
    match Reference::of(claims, lists) {
        Ok(None) if lists.required && source == ClaimsSource::Token => Err(InvalidClaims::Status),
        Ok(reference) => Ok(reference),
        Err(_) => Err(InvalidClaims::Status),
    }
}

/// RFC 8705 §3.1: the SHA-256 of the client's certificate. RFC 9449 §6.1: the thumbprint of the client's key,
/// where the provider has proofs of it. Any other method binds the token to a proof that we do not check, and so
/// does a second one.
fn confirmation(
    provider: &Provider,
    claims: &Object<'_>,
) -> Result<Option<Confirmation>, InvalidClaims> {
    let Some(confirmation) = claims.get("cnf") else {
        return Ok(None);
    };
    let methods = confirmation
        .as_object()
        .filter(|methods| methods.len() == 1)
        .ok_or(InvalidClaims::Confirmation)?;
    let digest = |method| {
        let encoded = methods.get(method).and_then(Value::as_str)?;
        <[u8; 32]>::try_from(URL_SAFE_NO_PAD.decode(encoded).ok()?).ok()
    };
    let key = || {
        provider.dpop.as_ref()?;
        digest("jkt").map(|digest| Confirmation::Key(Digest::new(digest)))
    };
    digest("x5t#S256")
        .map(Confirmation::Certificate)
        .or_else(key)
        .map(Some)
        .ok_or(InvalidClaims::Confirmation)
}

/// RFC 8693 §4.1: `act` names who acts for the subject, and within it, whom that actor acts for. Only the
/// outermost actor counts for a decision. An actor that cannot be read refuses: without it, the subject
/// would seem to act alone.
fn actor(claims: &Object<'_>, provider: &Provider) -> Result<Option<Rc<str>>, InvalidClaims> {
    let Some(outermost) = claims.get("act") else {
        return Ok(None);
    };
    if let Some(most) = provider.max_actors {
        let mut actors = 0_usize;
        let mut next = Some(outermost);
        while let Some(actor) = next {
            actors = actors.saturating_add(1);
            let actor = actor.as_object().ok_or(InvalidClaims::Actors)?;
            next = actor.get("act");
        }
        if actors > most {
            return Err(InvalidClaims::Actors);
        }
    }
    let outermost = outermost.as_object().ok_or(InvalidClaims::Actors)?;
    match outermost.get("sub") {
        None => Ok(None),
        Some(Value::String(subject)) if !subject.is_empty() => Ok(Some(subject.as_ref().into())),
        Some(_) => Err(InvalidClaims::Actors),
    }
}

/// The union of all scope claims: space-separated strings (RFC 8693 §4.2) or arrays of strings.
fn scopes(claims: &Object<'_>, paths: &[ClaimPath]) -> ScopeSet {
    let values = || paths.iter().filter_map(|path| lookup(claims, path));
    let strings = values().filter_map(Value::as_str);
    let elements = values()
        .filter_map(Value::as_array)
        .flatten()
        .filter_map(Value::as_str)
        // An element is one scope: splitting it would grant what the issuer did not.
        .filter(|element| !element.contains(' '));
    ScopeSet::union(strings.chain(elements))
}

fn lookup<'v, 'a>(claims: &'v Object<'a>, path: &ClaimPath) -> Option<&'v Value<'a>> {
    let mut members = path.members();
    let first = claims.get(members.next()?)?;
    members.try_fold(first, |value, member| value.as_object()?.get(member))
}
