//! Token introspection (RFC 7662).
//!
//! Only the facts of an answer are cached. Rules, scopes and validity are checked on each request, by the
//! code that checks tokens.

use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::cache::{Cache, Uses};
use crate::json::{self, Object, Value};
use crate::limits;
use crate::policy::Policy;
use crate::policy::callout::{Introspection, form_encode};
use crate::policy::provider::Provider;
use crate::secret::Fingerprint;
use crate::time::UnixTime;
use crate::verification::call::{Call, Standing};
use crate::verification::claims::{self, ClaimsSource, InvalidClaims};
use crate::verification::principal::{Confirmation, Principal, Validity};
use crate::verification::refusal::Refusal;

/// What an endpoint said about an active token.
#[derive(Debug)]
pub struct Answer {
    /// Whom it names.
    pub principal: Rc<Principal>,
    /// The answer as base64url JSON, where the policy forwards it.
    pub payload: Option<Rc<str>>,
    /// Whether it names scopes at all: a JWT keeps its own where it does not.
    pub has_scopes: bool,
    /// When it came.
    pub at: UnixTime,
}

/// The answers that a worker remembers.
///
/// Bad tokens cost an attacker nothing. In one cache with the good tokens, they would push every good one
/// out.
#[derive(Debug)]
pub struct Answers {
    active: Cache<Rc<Answer>>,
    refused: Cache<Refusal>,
    /// Tokens that were active a short while ago, whether their answer is still remembered or not.
    lately_active: Cache<()>,
    uses: Uses,
}

/// What is known of a token that its provider was asked about.
#[derive(Clone, Debug)]
pub enum Introspected {
    /// It is active.
    Active(Rc<Answer>),
    /// It is not active, or the claims of the answer are refused.
    Refused(Refusal),
    /// There is no usable answer.
    Unavailable,
}

/// Why an answer does not verify a token.
#[derive(Debug)]
enum NoAnswer {
    Refused(Refusal),
    Unavailable,
}

/// The request of RFC 7662 §2.1. The token is form-encoded, so that it cannot add a parameter.
pub fn call(introspection: &Introspection, token: &[u8], standing: Standing) -> Call {
    let mut body = b"token=".to_vec();
    form_encode(token, &mut body);
    body.extend_from_slice(b"&token_type_hint=access_token");
    Call {
        endpoint: introspection.endpoint.clone(),
        standing,
        method: "POST",
        headers: vec![
            (
                "content-type",
                (*b"application/x-www-form-urlencoded").into(),
            ),
            ("accept", (*b"application/json").into()),
        ],
        body,
    }
}

/// Reads an answer that came with a 200 (RFC 7662 §2.2).
fn parse_answer(
    policy: &Policy,
    provider: &Rc<Provider>,
    body: &[u8],
    now: UnixTime,
) -> Result<Answer, NoAnswer> {
    let answer = json::parse_object(body).map_err(|_| NoAnswer::Unavailable)?;
    match answer.get("active").and_then(Value::as_bool) {
        Some(true) => {}
        Some(false) => return Err(Refusal::Inactive.into()),
        None => return Err(NoAnswer::Unavailable),
    }
    if let Some(issuer) = answer.get("iss")
        && issuer.as_str() != Some(&provider.issuer)
    {
        return Err(Refusal::Issuer.into());
    }
    check_use(provider, &answer)?;
    let principal = claims::validate_claims(policy, provider, &answer, ClaimsSource::Answer, now)
        .map_err(Refusal::Claims)?;
    let payload = || URL_SAFE_NO_PAD.encode(body.trim_ascii()).into();
    Ok(Answer {
        principal: Rc::new(principal),
        payload: policy.forward.payload_header.is_some().then(payload),
        has_scopes: claims::names_scopes(provider, &answer),
        at: now,
    })
}

/// An endpoint also knows tokens that are not for resources. RFC 7662 has no member for the kind of a
/// token; servers use one of these members and one of these words.
fn check_use(provider: &Provider, answer: &Object<'_>) -> Result<(), Refusal> {
    let confirmation = answer.get("cnf").and_then(Value::as_object);
    let is_bound = confirmation.is_some_and(|methods| methods.get("jkt").is_some());
    let may_be_dpop = provider.dpop.is_some() && is_bound;
    for name in ["token_type", "token_use", "typ"] {
        let Some(value) = answer.get(name) else {
            continue;
        };
        let said = value
            .as_str()
            .ok_or(Refusal::Claims(InvalidClaims::Malformed))?
            .to_ascii_lowercase();
        // `refresh_token`, `Refresh`, `urn:ietf:params:oauth:token-type:refresh_token` (RFC 8693
        // §3), `application/id+jwt`.
        let last = said.rsplit([':', '/']).next().unwrap_or_default();
        let word = last.split(['_', '-', '+', ' ']).next().unwrap_or_default();
        // `offline` is a kind of refresh token.
        if ["refresh", "rt", "offline", "id"].contains(&word) {
            return Err(Refusal::Type);
        }
        // A DPoP token is not a bearer token (RFC 9449 §7.2).
        if word == "dpop" && !may_be_dpop {
            return Err(Refusal::Type);
        }
    }
    Ok(())
}

// === impl Answer ===

impl Answer {
    /// The principal of a JWT that its provider has confirmed: the facts of the token, which are signed, without
    /// what the answer takes away. An answer adds nothing to a token.
    pub fn narrow(&self, policy: &Policy, token: &Rc<Principal>) -> Result<Rc<Principal>, Refusal> {
        let answered = &self.principal;
        let contradicts = |a: &Option<Rc<str>>, b: &Option<Rc<str>>| matches!((a, b), (Some(a), Some(b)) if a != b);
        if contradicts(&token.subject, &answered.subject)
            || contradicts(&token.token_id, &answered.token_id)
        {
            return Err(Refusal::Contradiction);
        }
        let confirmation = match (token.confirmation, answered.confirmation) {
            (a, b) if a == b => a,
            // A key that only one of them names may be somebody else's.
            (Some(Confirmation::Key(_)), _)
            | (_, Some(Confirmation::Key(_)))
            | (Some(_), Some(_)) => {
                return Err(Refusal::Contradiction);
            }
            (a, b) => a.or(b),
        };
        if !self.has_scopes && confirmation == token.confirmation {
            return Ok(Rc::clone(token));
        }
        let mut principal = Principal::clone(token);
        principal.confirmation = confirmation;
        if self.has_scopes {
            principal.scopes = token.scopes.intersection(&answered.scopes);
            principal.narrow_scope_claims(policy);
        }
        principal
            .with_forwarded_headers(policy)
            .map(Rc::new)
            .map_err(|_| Refusal::Claims(InvalidClaims::Unforwardable))
    }

    /// About how much memory it takes.
    fn bytes(&self) -> usize {
        let payload = self.payload.as_ref().map_or(0, |payload| payload.len());
        self.principal.bytes().saturating_add(payload)
    }

    /// When the token is valid.
    pub fn validity(&self) -> &Validity {
        &self.principal.validity
    }
}

// === impl Answers ===

impl Answers {
    /// Caches with room for `capacity` answers of each kind.
    pub fn new(capacity: usize) -> Self {
        Answers {
            active: Cache::new(capacity),
            refused: Cache::new(capacity),
            lately_active: Cache::new(limits::LATELY_ACTIVE_TOKENS),
            uses: Uses::default(),
        }
    }

    /// What is known of a token without asking.
    pub fn known(&mut self, token: Fingerprint, now: UnixTime) -> Option<Introspected> {
        let active = self.active.get(token, now).map(Rc::clone);
        let known = match active {
            Some(answer) => Some(Introspected::Active(answer)),
            None => {
                let refused = self.refused.get(token, now);
                refused.map(|refusal| Introspected::Refused(*refusal))
            }
        };
        let count = match known {
            Some(_) => &mut self.uses.hits,
            None => &mut self.uses.misses,
        };
        *count = count.saturating_add(1);
        known
    }

    /// Whether a token was active a short while ago.
    pub fn was_active(&mut self, token: Fingerprint, now: UnixTime) -> bool {
        self.lately_active.get(token, now).is_some()
    }

    /// Forgets all answers. `lately_active` is kept: it only reserves call slots.
    pub fn forget(&mut self) {
        self.active.clear();
        self.refused.clear();
    }

    /// How often an answer was looked up, since this was last asked.
    pub fn take_uses(&mut self) -> Uses {
        std::mem::take(&mut self.uses)
    }

    /// Takes an answer, and remembers what may be remembered of it.
    pub fn learn(
        &mut self,
        policy: &Policy,
        provider: &Rc<Provider>,
        token: Fingerprint,
        body: &[u8],
        now: UnixTime,
    ) -> Introspected {
        let Some(introspection) = &provider.introspection else {
            return Introspected::Unavailable;
        };
        match parse_answer(policy, provider, body, now) {
            Ok(answer) => {
                let answer = Rc::new(answer);
                let forgotten = now.plus(introspection.cache_ttl);
                let expires = answer.validity().expires.unwrap_or(UnixTime::FAR_FUTURE);
                let (known, bytes) = (Rc::clone(&answer), answer.bytes());
                self.refused.forget(token);
                self.active
                    .insert(token, known, bytes, expires.min(forgotten), now);
                self.lately_active
                    .insert(token, (), 0, now.plus(limits::LATELY), now);
                Introspected::Active(answer)
            }
            Err(NoAnswer::Refused(refusal)) => {
                // An older answer no longer counts, even where the clock was set back.
                self.active.forget(token);
                self.lately_active.forget(token);
                // A token that becomes valid in a moment must not be refused for longer.
                if refusal != Refusal::Claims(InvalidClaims::NotYetValid) {
                    let expires = now.plus(introspection.negative_cache_ttl);
                    self.refused.insert(token, refusal, 0, expires, now);
                }
                Introspected::Refused(refusal)
            }
            Err(NoAnswer::Unavailable) => Introspected::Unavailable,
        }
    }
}

// === impl NoAnswer ===

impl From<Refusal> for NoAnswer {
    fn from(refusal: Refusal) -> Self {
        NoAnswer::Refused(refusal)
    }
}
