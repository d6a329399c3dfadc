//! What a worker knows of one policy's providers and callers.

use crate::cache::Uses;
use crate::policy::Policy;
use crate::policy::provider::CredentialSource;
use crate::revocation::ListReplica;
use crate::secret::FingerprintKey;
use crate::time::UnixTime;
use crate::verification::call::CallFault;
use crate::verification::callout::{Listed, Question, Replies, Reply};
use crate::verification::check::api_key::HeldApiKeys;
use crate::verification::check::introspection::Introspections;
use crate::verification::check::jwt::VerifiedTokens;
use crate::verification::check::revocation::RevocationLists;
use crate::verification::check::signature::Signatures;
use crate::verification::check::status::HeldStatusLists;
use crate::verification::context::Context;
use crate::verification::freshness::CLOCK_SLACK;
use crate::verification::proof::KnownProofKeys;
use crate::verification::signature::Verifier;
use crate::verification::source::{Document, SourceId};
use crate::verification::unverified::Unverified;

/// What a worker knows of one policy's providers and callers: keys, lists, and what it remembers of
/// credentials. Each check keeps its own part.
#[derive(Debug)]
pub struct State {
    pub(super) api_keys: HeldApiKeys,
    pub(super) tokens: VerifiedTokens,
    pub(super) signatures: Signatures,
    pub(super) proof_keys: KnownProofKeys,
    pub(super) introspections: Introspections,
    pub(super) revocation_lists: RevocationLists,
    pub(super) status_lists: HeldStatusLists,
    /// The latest time of a request.
    clock: UnixTime,
}

impl State {
    /// The state of a new worker. The key of its fingerprints is random.
    pub fn new(policy: &Policy, verifier: Verifier, fingerprints: FingerprintKey) -> Self {
        State {
            api_keys: HeldApiKeys::new(policy, fingerprints.clone()),
            tokens: VerifiedTokens::new(policy, fingerprints.clone()),
            signatures: Signatures::new(policy, verifier),
            proof_keys: KnownProofKeys::new(policy, fingerprints.clone()),
            introspections: Introspections::new(policy, fingerprints.clone()),
            revocation_lists: RevocationLists::new(policy),
            status_lists: HeldStatusLists::new(fingerprints),
            clock: UnixTime::FAR_PAST,
        }
    }

    /// Records the time. If the clock was set back, entries would expire too late and documents would seem
    /// younger than they are, so both are corrected.
    pub fn see(&mut self, now: UnixTime) {
        if now.plus(CLOCK_SLACK) < self.clock {
            let step = self.clock.since(now);
            self.introspections.answers_mut().forget();
            self.status_lists.forget();
            self.signatures.set_back(step);
            self.api_keys.set_back(step);
            self.revocation_lists.set_back(step);
            self.clock = now;
        }
        self.clock = self.clock.max(now);
    }

    /// This worker's copy of a revocation list.
    pub fn list_mut(&mut self, source: CredentialSource) -> Option<&mut ListReplica> {
        self.revocation_lists.get_mut(source)
    }

    /// How often a token was looked up in the cache, since this was last asked.
    pub fn take_token_uses(&mut self) -> Uses {
        self.tokens.take_uses()
    }

    /// How often an introspection answer was looked up in the cache, since this was last asked.
    pub fn take_answer_uses(&mut self) -> Uses {
        self.introspections.take_uses()
    }

    /// Takes a document that was fetched at `at`. It replaces the one that was fetched before,
    /// also if the clock was set back since.
    pub fn adopt(&mut self, source: SourceId, document: Document, at: UnixTime) {
        match (source, document) {
            (SourceId::Keys(provider), Document::Keys(set)) => {
                self.signatures.adopt(provider, set, at);
            }
            (SourceId::ApiKeys, Document::ApiKeys(table)) => self.api_keys.adopt(table, at),
            // Each source yields its own kind of document, and a revocation list none.
            (SourceId::Keys(_) | SourceId::ApiKeys | SourceId::Revocation(_), _) => {}
        }
    }

    /// Takes the body of a 200, or why there is none, and says what it means to the requests that wait.
    pub fn learn(
        &mut self,
        policy: &Policy,
        question: &Question,
        answer: Result<&[u8], CallFault>,
        now: UnixTime,
    ) -> Reply {
        let Ok(body) = answer else {
            return question.unanswered();
        };
        let provider = match question {
            Question::Introspection { provider, .. } | Question::StatusList { provider, .. } => {
                provider
            }
            #[cfg(feature = "ai")]
            Question::Classifier(_) => return Reply::Classified(category(body)),
        };
        // A question about a provider of another policy has no answer here.
        let Some(provider) = policy.providers.get(provider.0) else {
            return question.unanswered();
        };
        match question {
            #[cfg(feature = "ai")]
            Question::Classifier(_) => question.unanswered(),
            Question::Introspection { token, .. } => {
                let answers = self.introspections.answers_mut();
                Reply::Introspection(answers.learn(policy, provider, *token, body, now))
            }
            Question::StatusList { uri, .. } => {
                let context = Context {
                    policy,
                    replies: &Replies::default(),
                    now,
                };
                let lists = &mut self.status_lists;
                let opened = lists.open(&context, &self.signatures, provider, uri, body);
                Reply::StatusList(match opened {
                    Ok(list) => Listed::Held(list),
                    Err(Unverified::Await(_)) => Listed::Unverified(body.into()),
                    Err(Unverified::Refused(_)) => Listed::Unavailable,
                })
            }
        }
    }
}

/// What a classifier answered: `{"category": "…"}`.
#[cfg(feature = "ai")]
fn category(body: &[u8]) -> Option<Box<str>> {
    let answer = crate::json::parse_object(body).ok()?;
    answer.get("category")?.as_str().map(Box::from)
}
