//! JWTs that are verified here.

use std::rc::Rc;

use crate::cache::{Cache, Uses};
use crate::credential::Credential;
use crate::json::{self, Value};
use crate::keys::KeyId;
use crate::policy::Policy;
use crate::policy::location::CredentialLocation;
use crate::policy::provider::Provider;
use crate::policy::requirement::Accepted;
use crate::secret::{Fingerprint, FingerprintKey};
use crate::time::UnixTime;
use crate::verification::check::signature::Signatures;
use crate::verification::claims::{self, ClaimsSource};
use crate::verification::context::Context;
use crate::verification::principal::Principal;
use crate::verification::refusal::Refusal;
use crate::verification::token::Segments;
use crate::verification::unverified::Unverified;
use crate::verification::verified::{Provenance, Verified};

/// The tokens that a worker has verified.
#[derive(Debug)]
pub(in crate::verification) struct VerifiedTokens {
    fingerprints: FingerprintKey,
    cache: Cache<VerifiedToken>,
}

/// A token as a request presents it.
#[derive(Clone, Copy)]
pub(in crate::verification) struct PresentedToken<'a> {
    pub token: &'a [u8],
    pub location: &'a Rc<CredentialLocation>,
    /// Whose tokens the rule accepts.
    pub accepted: &'a Accepted,
    fingerprint: Fingerprint,
}

/// A token whose signature held, by a key that its provider may withdraw.
#[derive(Debug)]
struct VerifiedToken {
    principal: Rc<Principal>,
    key: KeyId,
    at: UnixTime,
}

// === impl VerifiedTokens ===

impl VerifiedTokens {
    pub fn new(policy: &Policy, fingerprints: FingerprintKey) -> Self {
        VerifiedTokens {
            fingerprints,
            cache: Cache::new(policy.limits.token_cache_entries),
        }
    }

    /// How often a token was looked up, since this was last asked.
    pub fn take_uses(&mut self) -> Uses {
        self.cache.take_uses()
    }

    pub fn presented<'a>(
        &self,
        accepted: &'a Accepted,
        credential: &'a Credential<'_>,
    ) -> PresentedToken<'a> {
        PresentedToken {
            token: &credential.value,
            location: credential.location,
            accepted,
            fingerprint: self.fingerprints.fingerprint(&credential.value),
        }
    }

    /// A token that verified before, while the key that signed it is still published. `None` where it has
    /// to be verified.
    pub fn recall(
        &mut self,
        context: &Context<'_>,
        signatures: &Signatures,
        presented: &PresentedToken<'_>,
    ) -> Option<Result<Verified, Refusal>> {
        // Without a dot it is no JWT, and no miss of this cache.
        if !presented.token.contains(&b'.') {
            return None;
        }
        let now = context.now;
        let known = self.cache.get(presented.fingerprint, now)?;
        let provider = known.principal.provider.as_ref()?;
        if !signatures.is_published(provider, known.key, now) {
            return None;
        }
        if !presented.accepted.accepts(provider, presented.location) {
            return Some(Err(Refusal::Issuer));
        }
        let validity = &known.principal.validity;
        if let Err(invalid) = claims::check_validity(provider, validity, ClaimsSource::Token, now) {
            return Some(Err(invalid.into()));
        }
        let age = now.since(known.at);
        Some(Ok(Verified::new(
            Rc::clone(&known.principal),
            Provenance::Cache { age },
            payload(context.policy, presented.token),
        )))
    }

    /// Verifies a token and remembers it. What costs little comes before the signature: a forger makes us
    /// do no more than read what they sent.
    pub fn verify(
        &mut self,
        context: &Context<'_>,
        signatures: &Signatures,
        presented: &PresentedToken<'_>,
        segments: &Segments<'_>,
    ) -> Result<Verified, Unverified> {
        let Context { policy, now, .. } = *context;
        let header = segments.header()?;
        let text = segments.claims()?;
        let claims = json::parse_object(&text).map_err(|_| Refusal::MalformedToken)?;
        let issuer = claims.get("iss").and_then(Value::as_str);
        let provider = issuer
            .and_then(|issuer| presented.issuer(issuer))
            .ok_or(Refusal::Issuer)?;
        if !provider.algorithms.contains(header.algorithm) {
            return Err(Refusal::UnsupportedAlgorithm.into());
        }
        if !provider.types.accept(header.typ.as_deref()) {
            return Err(Refusal::Type.into());
        }
        let principal =
            claims::validate_claims(policy, provider, &claims, ClaimsSource::Token, now)?;
        let key = signatures.verify(context, provider, header, segments)?;
        let principal = Rc::new(principal);
        let expires = match principal.validity.expires {
            Some(expires) => expires.plus(provider.clock_tolerance),
            None => UnixTime::FAR_FUTURE,
        };
        let bytes = principal.bytes();
        let verified = VerifiedToken {
            principal: Rc::clone(&principal),
            key,
            at: now,
        };
        self.cache
            .insert(presented.fingerprint, verified, bytes, expires, now);
        Ok(Verified::new(
            principal,
            Provenance::Local,
            payload(policy, presented.token),
        ))
    }
}

// === impl PresentedToken ===

impl<'a> PresentedToken<'a> {
    fn issuer(&self, issuer: &str) -> Option<&'a Rc<Provider>> {
        self.accepted.provider_of_issuer(self.location, issuer)
    }
}

/// The claims as a JWT carries them, where the policy forwards them: the second of its segments, which
/// needs no room in a cache.
fn payload(policy: &Policy, token: &[u8]) -> Option<Rc<str>> {
    policy.forward.payload_header.as_ref()?;
    let claims = token.split(|b| *b == b'.').nth(1)?;
    std::str::from_utf8(claims).ok().map(Rc::from)
}
