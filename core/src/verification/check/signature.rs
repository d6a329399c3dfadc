//! Signatures, by the keys that a worker holds.

use std::time::Duration;

use crate::keys::{Candidates, KeyId, KeySet};
use crate::policy::Policy;
use crate::policy::provider::{Keys, Provider, ProviderId};
use crate::time::UnixTime;
use crate::verification::callout::Callout;
use crate::verification::context::Context;
use crate::verification::held_keys::HeldKeys;
use crate::verification::refusal::Refusal;
use crate::verification::signature::Verifier;
use crate::verification::source::SourceId;
use crate::verification::token::{Header, Segments};
use crate::verification::unverified::Unverified;

/// The keys of all providers, and what verifies with them.
#[derive(Debug)]
pub(in crate::verification) struct Signatures {
    keys: HeldKeys,
    verifier: Verifier,
}

impl Signatures {
    pub fn new(policy: &Policy, verifier: Verifier) -> Self {
        Signatures {
            keys: HeldKeys::none(policy.providers.len()),
            verifier,
        }
    }

    /// What verifies.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// Replaces the fetched keys of a provider.
    pub fn adopt(&mut self, provider: ProviderId, keys: KeySet, at: UnixTime) {
        self.keys.adopt(provider, keys, at);
    }

    /// The clock was set back by `step`.
    pub fn set_back(&mut self, step: Duration) {
        self.keys.set_back(step);
    }

    /// Whether the provider still publishes a key that something was verified with.
    pub fn is_published(&self, provider: &Provider, key: KeyId, now: UnixTime) -> bool {
        let keys = self.keys.of(provider, now);
        keys.is_some_and(|keys| keys.holds(key))
    }

    /// The key of `provider` that made this signature.
    pub fn verify(
        &self,
        context: &Context<'_>,
        provider: &Provider,
        header: &Header,
        segments: &Segments<'_>,
    ) -> Result<KeyId, Unverified> {
        // What is no token by its form must not make us fetch keys.
        let signature = segments.signature()?;
        let source = SourceId::Keys(provider.id);
        let fetch = context.replies.keys;
        let Some(keys) = self.keys.of(provider, context.now) else {
            return Err(Unverified::without_document(source, fetch));
        };
        let candidates = match keys.candidates(header.algorithm, header.kid.as_deref()) {
            Candidates::Keys(keys) => keys,
            Candidates::Mismatch => return Err(Refusal::UnsupportedAlgorithm.into()),
            // The provider may have rotated its keys. Where it was asked and knows no such key, or where
            // it may not be asked again yet, the token is at fault. Otherwise random kids would make us
            // answer 503 to everybody.
            Candidates::Unknown => {
                let can_fetch = matches!(provider.keys, Keys::Remote(_)) && fetch.is_none();
                return Err(if can_fetch {
                    Unverified::Await(Callout::Source(source))
                } else {
                    Refusal::UnknownKey.into()
                });
            }
        };
        let message = segments.signing_input();
        candidates
            .into_iter()
            .find(|key| {
                self.verifier
                    .verify(header.algorithm, key, message, &signature)
                    .is_ok()
            })
            .map(|key| key.id())
            .ok_or(Refusal::BadSignature.into())
    }
}
