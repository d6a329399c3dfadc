//! Tokens whose provider is asked about them.

use std::rc::Rc;

use crate::cache::Uses;
use crate::json::{self, Object, Value};
use crate::policy::Policy;
use crate::policy::callout::{Introspection, When};
use crate::policy::provider::{Keys, Provider};
use crate::secret::FingerprintKey;
use crate::verification::call::Standing;
use crate::verification::callout::{Callout, Question};
use crate::verification::claims::{self, ClaimsSource};
use crate::verification::context::Context;
use crate::verification::introspection::{self, Answer, Answers, Introspected};
use crate::verification::refusal::Refusal;
use crate::verification::token::Segments;
use crate::verification::unverified::Unverified;
use crate::verification::verified::{Provenance, Verified};

/// What providers said about tokens.
#[derive(Debug)]
pub(in crate::verification) struct Introspections {
    fingerprints: FingerprintKey,
    answers: Answers,
}

/// A provider that can be asked about its tokens.
#[derive(Clone, Copy)]
pub(in crate::verification) struct AskedProvider<'p> {
    pub provider: &'p Rc<Provider>,
    pub introspection: &'p Introspection,
}

/// What proves a token.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::verification) enum Proof {
    /// Its provider confirmed it.
    Answer,
    /// Its signature is valid.
    Signature,
}

// === impl Introspections ===

impl Introspections {
    pub fn new(policy: &Policy, fingerprints: FingerprintKey) -> Self {
        Introspections {
            fingerprints,
            answers: Answers::new(policy.limits.introspection_cache_entries),
        }
    }

    /// How often an answer was looked up, since this was last asked.
    pub fn take_uses(&mut self) -> Uses {
        self.answers.take_uses()
    }

    pub fn answers_mut(&mut self) -> &mut Answers {
        &mut self.answers
    }

    /// The provider's answer about a token, new or from the cache. `proof` says whether the token's signature is
    /// verified already, or only the answer proves it.
    pub fn ask(
        &mut self,
        context: &Context<'_>,
        asked: AskedProvider<'_>,
        token: &[u8],
        proof: Proof,
    ) -> Result<(Rc<Answer>, Provenance), Unverified> {
        let now = context.now;
        let id = asked.provider.id;
        let fingerprint = self.fingerprints.fingerprint_within(id.0, token);
        let (introspected, is_reply) = match &context.replies.introspection {
            Some(introspected) => (introspected.clone(), true),
            None => match self.answers.known(fingerprint, now) {
                Some(known) => (known, false),
                None => {
                    let question = Question::Introspection {
                        provider: id,
                        token: fingerprint,
                    };
                    let is_known =
                        proof == Proof::Signature || self.answers.was_active(fingerprint, now);
                    let standing = match is_known {
                        true => Standing::Known,
                        false => Standing::Stranger,
                    };
                    let call = introspection::call(asked.introspection, token, standing);
                    return Err(Unverified::Await(Callout::Ask(question, Box::new(call))));
                }
            },
        };
        match introspected {
            Introspected::Active(answer) => {
                let validity = answer.validity();
                claims::check_validity(asked.provider, validity, ClaimsSource::Answer, now)?;
                let age = now.since(answer.at);
                let provenance = match is_reply {
                    true => Provenance::Callout { age },
                    false => Provenance::Cache { age },
                };
                Ok((answer, provenance))
            }
            Introspected::Refused(refusal) => Err(refusal.into()),
            Introspected::Unavailable => Err(Refusal::IntrospectionUnavailable.into()),
        }
    }

    /// Verifies a token by its provider's answer alone.
    pub fn verify(
        &mut self,
        context: &Context<'_>,
        asked: AskedProvider<'_>,
        token: &[u8],
    ) -> Result<Verified, Unverified> {
        let (answer, provenance) = self.ask(context, asked, token, Proof::Answer)?;
        let principal = Rc::clone(&answer.principal);
        Ok(Verified::new(principal, provenance, answer.payload.clone()))
    }
}

// === impl AskedProvider ===

impl<'p> AskedProvider<'p> {
    /// `None` where the provider has no introspection endpoint.
    pub fn new(provider: &'p Rc<Provider>) -> Option<Self> {
        let introspection = provider.introspection.as_ref()?;
        Some(AskedProvider {
            provider,
            introspection,
        })
    }

    /// Only providers with `when: always`, which are also asked about verified JWTs.
    pub fn about_jwts(provider: &'p Rc<Provider>) -> Option<Self> {
        AskedProvider::new(provider).filter(|asked| asked.introspection.when == When::Always)
    }

    /// Whether a JWT is this provider's and only the provider can verify it.
    pub fn alone_verifies(&self, token: &Segments<'_>) -> bool {
        let is_issuer = |claims: &Object<'_>| {
            claims.get("iss").and_then(Value::as_str) == Some(&self.provider.issuer)
        };
        matches!(self.provider.keys, Keys::None)
            && token
                .claims()
                .is_ok_and(|text| json::parse_object(&text).is_ok_and(|claims| is_issuer(&claims)))
    }
}
