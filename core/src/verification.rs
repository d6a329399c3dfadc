//! From a credential to who presented it.
//!
//! [`Verified`] is made here and nowhere else: that no error came up is no proof, holding one is.

pub mod api_key;
pub mod callout;
pub mod claims;
pub mod introspection;
pub mod jwks;
pub mod principal;
pub mod signature;
pub mod source;
pub mod status_list;
pub mod token;

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use crate::cache::{Cache, Uses};
use crate::credential::Credential;
use crate::json;
use crate::keys::{Candidates, KeyId};
use crate::limits;
use crate::policy::api_keys::{ApiKeyTable, ApiKeys};
use crate::policy::callout::{Fallback, Introspection, StatusLists, When};
use crate::policy::provider::{Endpoint, Keys, Provider};
use crate::policy::requirement::Accepted;
use crate::policy::{LocationId, Policy, ProviderId};
use crate::revocation::{ListReplica, RevocationSubject};
use crate::secret::{Fingerprint, FingerprintKey};
use crate::time::UnixTime;
use crate::verification::api_key::{Callers, InvalidApiKey};
use crate::verification::callout::{
    Call, CallFault, Callout, Fetch, Introspected, Listed, Question, Replies, Reply, Standing,
};
use crate::verification::claims::{ClaimsSource, InvalidClaims};
use crate::verification::introspection::{Answer, Answers};
use crate::verification::jwks::HeldKeys;
use crate::verification::principal::{CredentialSource, Principal};
use crate::verification::signature::Verifier;
use crate::verification::source::{Document, SourceId};
use crate::verification::status_list::{Reference, StatusList, StatusListToken, VALID};
use crate::verification::token::{Form, Header, InvalidHeader, Segments};

/// What a worker knows of one policy's providers and callers.
#[derive(Debug)]
pub struct State {
    keys: HeldKeys,
    /// Who presents the configuration's own API keys.
    api_key_callers: Callers,
    api_keys: Option<HeldApiKeys>,
    verifier: Verifier,
    fingerprints: FingerprintKey,
    /// The latest time of a request.
    clock: UnixTime,
    tokens: Cache<VerifiedToken>,
    answers: Answers,
    lists: HashMap<CredentialSource, ListReplica>,
    status_lists: Cache<Rc<StatusList>>,
}

#[derive(Debug)]
struct HeldApiKeys {
    table: ApiKeyTable,
    callers: Callers,
    at: UnixTime,
}

/// A token whose signature held, by a key that may leave its set again.
#[derive(Clone, Debug)]
struct VerifiedToken {
    principal: Rc<Principal>,
    key: KeyId,
    at: UnixTime,
}

/// How far the clock may seem to go back without having been set back.
const CLOCK_SLACK: Duration = Duration::from_secs(1);

/// All status lists that a worker keeps.
const STATUS_LIST_BYTES: usize = limits::STATUS_LISTS * limits::STATUS_LIST_BYTES;

/// A caller whose credential held at the time of this request.
#[derive(Clone, Debug)]
pub struct Verified {
    principal: Rc<Principal>,
    provenance: Provenance,
    /// The claims as base64url JSON, where the policy forwards them.
    payload: Option<Rc<str>>,
}

/// A provider that can be asked about its tokens.
struct Asked<'p> {
    id: ProviderId,
    provider: &'p Provider,
    introspection: &'p Introspection,
}

/// What a token was believed for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Proof {
    Answer,
    Signature,
}

/// Where the facts about a caller come from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Provenance {
    Local,
    Cache {
        age: Duration,
    },
    /// A service was asked, for this request or for one that it joined.
    Callout {
        age: Duration,
    },
}

/// Why there is no [`Verified`].
#[derive(Debug)]
pub enum Unverified {
    Await(Callout),
    Refused(Refusal),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refusal {
    ApiKey(InvalidApiKey),
    BadSignature,
    Claims(InvalidClaims),
    /// The token says one thing, and the answer to a question about it another.
    Contradiction,
    Extension,
    Inactive,
    IntrospectionUnavailable,
    CredentialSource,
    KeysUnavailable {
        retry_after: Duration,
    },
    MalformedToken,
    RevocationUnavailable {
        retry_after: Duration,
    },
    Revoked,
    TooLarge,
    Type,
    UnknownKey,
    UnsupportedAlgorithm,
    /// No entry of a revocation list could ever name it.
    Untraceable,
}

/// Establishes who presented `credential`, among those that `accepted` names.
pub fn verify(
    policy: &Policy,
    state: &mut State,
    accepted: &Accepted,
    credential: &Credential<'_>,
    replies: &Replies,
    now: UnixTime,
) -> Result<Verified, Unverified> {
    if credential.value.len() > policy.limits.token_bytes {
        return Err(Refusal::TooLarge.into());
    }
    if accepted.api_keys
        && let Some(api_keys) = &policy.api_keys
        && api_keys.places.contains(&credential.place)
    {
        let verified = state.verify_api_key(policy, api_keys, &credential.value, replies, now)?;
        state.check_list(policy, &verified.principal, replies, now)?;
        return Ok(verified);
    }
    let (verified, proof) = state.verify_token(policy, accepted, credential, replies, now)?;
    check_confirmation(&verified.principal, replies)?;
    state.check_list(policy, &verified.principal, replies, now)?;
    state.check_status(policy, &verified.principal, replies, now)?;
    match proof {
        Proof::Answer => Ok(verified),
        Proof::Signature => state.confirm(policy, verified, &credential.value, replies, now),
    }
}

/// A certificate-bound token is good on connections with that certificate (RFC 8705 §3).
fn check_confirmation(principal: &Principal, replies: &Replies) -> Result<(), Unverified> {
    match (principal.confirmation, replies.client_certificate) {
        (None, _) => Ok(()),
        (Some(_), None) => Err(Unverified::Await(Callout::ClientCertificate)),
        (Some(bound), Some(shown)) if shown == Some(bound) => Ok(()),
        (Some(_), Some(_)) => Err(InvalidClaims::Confirmation.into()),
    }
}

// === impl State ===

impl State {
    pub fn new(policy: &Policy, verifier: Verifier, fingerprints: FingerprintKey) -> Self {
        State {
            keys: HeldKeys::none(policy.providers.len()),
            api_key_callers: Callers::default(),
            api_keys: None,
            verifier,
            fingerprints,
            clock: UnixTime::FAR_PAST,
            tokens: Cache::new(policy.limits.token_cache_entries),
            answers: Answers::new(policy.limits.introspection_cache_entries),
            status_lists: Cache::bounded(limits::STATUS_LISTS, STATUS_LIST_BYTES),
            lists: policy
                .revocation_lists()
                .map(|(issuer, _)| {
                    let retention = issuer.retention(policy);
                    (issuer, ListReplica::new(issuer.list_kind(), retention))
                })
                .collect(),
        }
    }

    /// Takes note of the time. Where the clock was set back, what was good until some time would now
    /// be good for longer, and what was fetched would seem younger than it is.
    pub fn see(&mut self, now: UnixTime) {
        if now.plus(CLOCK_SLACK) < self.clock {
            let step = self.clock.since(now);
            self.answers.forget();
            self.status_lists.clear();
            self.keys.set_back(step);
            if let Some(held) = &mut self.api_keys {
                held.at = held.at.minus(step);
            }
            for list in self.lists.values_mut() {
                list.set_back(step);
            }
            self.clock = now;
        }
        self.clock = self.clock.max(now);
    }

    /// This worker's copy of a revocation list.
    pub fn list_mut(&mut self, issuer: CredentialSource) -> Option<&mut ListReplica> {
        self.lists.get_mut(&issuer)
    }

    /// How often tokens were remembered, since this was last asked.
    pub fn take_token_uses(&mut self) -> Uses {
        self.tokens.take_uses()
    }

    /// How often answers were remembered, since this was last asked.
    pub fn take_answer_uses(&mut self) -> Uses {
        self.answers.take_uses()
    }

    /// Takes a document that was fetched at `at`, in the place of what was fetched before: whatever
    /// the clock said then.
    pub fn adopt(&mut self, source: SourceId, document: Document, at: UnixTime) {
        match (source, document) {
            (SourceId::Keys(provider), Document::Keys(set)) => self.keys.adopt(provider, set, at),
            (SourceId::ApiKeys, Document::ApiKeys(table)) => {
                self.api_keys = Some(HeldApiKeys {
                    table,
                    callers: Callers::default(),
                    at,
                });
            }
            // A document is what its source reads; a list is none.
            (SourceId::Keys(_) | SourceId::ApiKeys | SourceId::Revocation(_), _) => {}
        }
    }

    /// Takes the body of a 200, or why there is none, and says what it means for those who wait.
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
        match question {
            Question::Introspection { provider, token } => {
                let learnt = self.answers.learn(policy, *provider, *token, body, now);
                Reply::Introspection(learnt)
            }
            Question::StatusList { provider, uri } => {
                let opened =
                    self.open_status_list(policy, *provider, uri, body, &Replies::default(), now);
                Reply::StatusList(match opened {
                    Ok(list) => Listed::Held(list),
                    Err(Unverified::Await(_)) => Listed::Unverified(body.into()),
                    Err(Unverified::Refused(_)) => Listed::Unavailable,
                })
            }
        }
    }

    /// Whether the list of its issuer lets a caller pass, on each request anew: an entry counts
    /// for what was verified long before it.
    fn check_list(
        &self,
        policy: &Policy,
        principal: &Principal,
        replies: &Replies,
        now: UnixTime,
    ) -> Result<(), Unverified> {
        let issuer = principal.issuer;
        let Some(list) = policy.revocation_list_of(issuer) else {
            return Ok(());
        };
        let facts = RevocationSubject::of(principal);
        if let Some((_, provider)) = issuer.provider(policy) {
            if !facts.can_match() {
                return Err(Refusal::Untraceable.into());
            }
            if provider.max_lifetime.is_some() && facts.issued_at.is_none() {
                return Err(InvalidClaims::NoIssueTime.into());
            }
        }
        let replica = self.lists.get(&issuer);
        let held = replica.and_then(|replica| replica.store().zip(replica.as_of()));
        if let Some((store, _)) = held {
            match (issuer, &principal.key_id) {
                (CredentialSource::ApiKeys, Some(id)) if store.revokes_api_key(id) => {
                    return Err(InvalidApiKey::Revoked.into());
                }
                (CredentialSource::Provider(_), _) if store.revokes(&facts) => {
                    return Err(Refusal::Revoked.into());
                }
                _ => {}
            }
        }
        match (held, replies.revocation) {
            (Some((_, at)), _) if is_fresh(at, list.max_staleness, now) => Ok(()),
            (None, None) => Err(Unverified::Await(Callout::Source(SourceId::Revocation(
                issuer,
            )))),
            _ if list.on_stale == Fallback::Allow => Ok(()),
            (_, Some(Fetch::Failed { retry_after })) => {
                Err(Refusal::RevocationUnavailable { retry_after }.into())
            }
            _ => {
                let retry_after = Duration::ZERO;
                Err(Refusal::RevocationUnavailable { retry_after }.into())
            }
        }
    }

    /// Whether the list revokes a token that verified by the names that only the answer about it has.
    /// That the list is there, and fresh enough, has been seen to.
    fn check_list_for(
        &self,
        policy: &Policy,
        token: &Principal,
        answered: &Principal,
    ) -> Result<(), Unverified> {
        let issuer = token.issuer;
        let store = self.lists.get(&issuer).and_then(ListReplica::store);
        let (Some(_), Some(store)) = (policy.revocation_list_of(issuer), store) else {
            return Ok(());
        };
        // A JWT's own time of issue is signed.
        let facts = RevocationSubject {
            issued_at: token.validity.issued_at,
            ..RevocationSubject::of(answered)
        };
        let clients = [&token.clients[..], &answered.clients].concat();
        let facts = RevocationSubject {
            subject: facts.subject.or(token.subject.as_deref()),
            token_id: facts.token_id.or(token.token_id.as_deref()),
            clients: &clients,
            ..facts
        };
        match store.revokes(&facts) {
            true => Err(Refusal::Revoked.into()),
            false => Ok(()),
        }
    }

    /// Whether the status list that a token refers to lets it pass.
    fn check_status(
        &mut self,
        policy: &Policy,
        principal: &Principal,
        replies: &Replies,
        now: UnixTime,
    ) -> Result<(), Unverified> {
        let (Some((id, provider)), Some(reference)) =
            (principal.issuer.provider(policy), &principal.status)
        else {
            return Ok(());
        };
        let Some(lists) = &provider.status_lists else {
            return Ok(());
        };
        let uri = &reference.uri;
        let list = match (
            self.held_status_list(id, provider, uri, now),
            &replies.status_list,
        ) {
            (Some(list), _) => Some(list),
            (None, None) => {
                let question = Question::StatusList {
                    provider: id,
                    uri: uri.clone(),
                };
                let call = status_list_call(lists, reference);
                return Err(Unverified::Await(Callout::Ask(question, Box::new(call))));
            }
            (None, Some(Listed::Held(list))) => self
                .is_still_signed(id, provider, list, now)
                .then(|| Rc::clone(list)),
            (None, Some(Listed::Unverified(text))) => {
                match self.open_status_list(policy, id, uri, text, replies, now) {
                    Ok(list) => Some(list),
                    Err(Unverified::Refused(_)) => None,
                    Err(ask) => return Err(ask),
                }
            }
            (None, Some(Listed::Unavailable)) => None,
        };
        match list.map(|list| list.status(reference.index)) {
            Some(Ok(VALID)) => Ok(()),
            Some(Ok(_)) => Err(Refusal::Revoked.into()),
            Some(Err(_)) => Err(InvalidClaims::Status.into()),
            None if lists.on_unavailable == Fallback::Allow => Ok(()),
            None => {
                let retry_after = Duration::ZERO;
                Err(Refusal::RevocationUnavailable { retry_after }.into())
            }
        }
    }

    /// A list that was fetched not long ago, while the key that signed it is still published.
    fn held_status_list(
        &mut self,
        id: ProviderId,
        provider: &Provider,
        uri: &str,
        now: UnixTime,
    ) -> Option<Rc<StatusList>> {
        let fingerprint = self.fingerprints.fingerprint_within(id.0, uri.as_bytes());
        let list = Rc::clone(self.status_lists.get(fingerprint, now)?);
        self.is_still_signed(id, provider, &list, now)
            .then_some(list)
    }

    /// Whether the key that signed a list is still published.
    fn is_still_signed(
        &self,
        id: ProviderId,
        provider: &Provider,
        list: &StatusList,
        now: UnixTime,
    ) -> bool {
        let keys = self.keys.of(id, provider, now);
        keys.is_some_and(|keys| keys.holds(list.key))
    }

    /// Verifies a list as its provider's tokens are verified, and remembers it.
    fn open_status_list(
        &mut self,
        policy: &Policy,
        id: ProviderId,
        uri: &str,
        text: &[u8],
        replies: &Replies,
        now: UnixTime,
    ) -> Result<Rc<StatusList>, Unverified> {
        let provider = policy
            .providers
            .get(id.0)
            .ok_or(Refusal::CredentialSource)?;
        let token = StatusListToken::read(text).map_err(|_| Refusal::MalformedToken)?;
        let header = token.header();
        if !provider.algorithms.contains(header.algorithm) {
            return Err(Refusal::UnsupportedAlgorithm.into());
        }
        let key = self.verify_signature(id, provider, header, token.segments(), replies, now)?;
        let list = token
            .open(uri, key, provider.clock_tolerance, now)
            .map_err(|_| Refusal::MalformedToken)?;
        let list = Rc::new(list);
        let fingerprint = self.fingerprints.fingerprint_within(id.0, uri.as_bytes());
        let (held, bytes) = (Rc::clone(&list), list.bytes());
        self.status_lists
            .insert(fingerprint, held, bytes, list.expires, now);
        Ok(list)
    }

    fn verify_api_key(
        &mut self,
        policy: &Policy,
        api_keys: &ApiKeys,
        presented: &[u8],
        replies: &Replies,
        now: UnixTime,
    ) -> Result<Verified, Unverified> {
        // No list has it, so none is asked for.
        if presented.is_empty() {
            return Err(InvalidApiKey::Unknown.into());
        }
        let pepper = api_keys.pepper.as_ref();
        let inline = &api_keys.keys;
        let principal = match (inline.find(pepper, presented), &api_keys.remote) {
            (Some(id), _) => self.api_key_callers.verify(policy, inline, id, now)?,
            (None, None) => return Err(InvalidApiKey::Unknown.into()),
            (None, Some(remote)) => {
                let held = self.api_keys.as_mut();
                let held = held.filter(|held| is_fresh(held.at, remote.max_staleness, now));
                let Some(HeldApiKeys { table, callers, .. }) = held else {
                    return Err(unfetched(SourceId::ApiKeys, replies.api_keys));
                };
                let id = table.find(pepper, presented);
                callers.verify(policy, table, id.ok_or(InvalidApiKey::Unknown)?, now)?
            }
        };
        Ok(Verified {
            principal,
            provenance: Provenance::Local,
            payload: None,
        })
    }

    fn verify_token(
        &mut self,
        policy: &Policy,
        accepted: &Accepted,
        credential: &Credential<'_>,
        replies: &Replies,
        now: UnixTime,
    ) -> Result<(Verified, Proof), Unverified> {
        let fingerprint = self.fingerprints.fingerprint(&credential.value);
        if let Some(token) = self.remembered(policy, fingerprint, &credential.value, now) {
            let CredentialSource::Provider(id) = token.principal.issuer else {
                return Err(Refusal::CredentialSource.into());
            };
            let provider = accepted
                .provider_at(policy, credential.place, id)
                .ok_or(Refusal::CredentialSource)?;
            let validity = &token.principal.validity;
            claims::check_validity(provider, validity, ClaimsSource::Token, now)?;
            let age = now.since(token.at);
            let verified = Verified {
                principal: token.principal,
                provenance: Provenance::Cache { age },
                payload: payload_of_jwt(policy, &credential.value),
            };
            return Ok((verified, Proof::Signature));
        }
        let asked = accepted.introspecting_at(policy, credential.place);
        let asked = match (Form::of(&credential.value)?, asked) {
            (Form::Opaque, Some(asked)) => asked,
            (Form::Opaque, None) => return Err(Refusal::MalformedToken.into()),
            // Nobody here can verify it, and its issuer is there to be asked.
            (Form::Jwt(segments), Some(asked)) if asked.issued(&segments) => asked,
            (Form::Jwt(segments), _) => {
                let token =
                    self.verify_jwt(policy, accepted, credential, &segments, replies, now)?;
                self.remember(policy, fingerprint, &token, now);
                let verified = Verified {
                    principal: token.principal,
                    provenance: Provenance::Local,
                    payload: payload_of_jwt(policy, &credential.value),
                };
                return Ok((verified, Proof::Signature));
            }
        };
        let token = &credential.value;
        let (answer, provenance) = self.introspect(&asked, token, Proof::Answer, replies, now)?;
        let verified = Verified {
            principal: Rc::clone(&answer.principal),
            provenance,
            payload: answer.payload.clone(),
        };
        Ok((verified, Proof::Answer))
    }

    /// Asks about a token that verified locally, where its provider wants that.
    fn confirm(
        &mut self,
        policy: &Policy,
        verified: Verified,
        token: &[u8],
        replies: &Replies,
        now: UnixTime,
    ) -> Result<Verified, Unverified> {
        let asked = verified.principal.issuer.provider(policy);
        let asked = asked.and_then(|(id, provider)| Asked::of(id, provider));
        let Some(asked) = asked.filter(|asked| asked.introspection.when == When::Always) else {
            return Ok(verified);
        };
        match self.introspect(&asked, token, Proof::Signature, replies, now) {
            Ok((answer, provenance)) => {
                let principal = answer.narrow(policy, &verified.principal)?;
                check_confirmation(&principal, replies)?;
                self.check_list_for(policy, &verified.principal, &answer.principal)?;
                Ok(Verified {
                    principal,
                    provenance,
                    payload: verified.payload,
                })
            }
            Err(Unverified::Refused(Refusal::IntrospectionUnavailable))
                if asked.introspection.on_unavailable == Fallback::Allow =>
            {
                Ok(verified)
            }
            Err(unverified) => Err(unverified),
        }
    }

    /// What the provider says of a token: just now, or not long ago. `proof` is what the token has
    /// been believed for so far, or will be by the answer alone.
    fn introspect(
        &mut self,
        asked: &Asked<'_>,
        token: &[u8],
        proof: Proof,
        replies: &Replies,
        now: UnixTime,
    ) -> Result<(Rc<Answer>, Provenance), Unverified> {
        let fingerprint = self.fingerprints.fingerprint_within(asked.id.0, token);
        let (introspected, is_reply) = match &replies.introspection {
            Some(introspected) => (introspected.clone(), true),
            None => match self.answers.known(fingerprint, now) {
                Some(known) => (known, false),
                None => {
                    let question = Question::Introspection {
                        provider: asked.id,
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

    /// Everything that costs little comes before the signature: whoever can only forge gets no
    /// more work out of us than reading what they sent.
    fn verify_jwt(
        &mut self,
        policy: &Policy,
        accepted: &Accepted,
        credential: &Credential<'_>,
        segments: &Segments<'_>,
        replies: &Replies,
        now: UnixTime,
    ) -> Result<VerifiedToken, Unverified> {
        let header = segments.header()?;
        let text = segments.claims()?;
        let claims = json::parse_object(&text).map_err(|_| Refusal::MalformedToken)?;
        let issuer = claims
            .get("iss")
            .and_then(json::Value::as_str)
            .ok_or(Refusal::CredentialSource)?;
        let (id, provider) = accepted
            .provider_of_issuer(policy, credential.place, issuer)
            .ok_or(Refusal::CredentialSource)?;
        if !provider.algorithms.contains(header.algorithm) {
            return Err(Refusal::UnsupportedAlgorithm.into());
        }
        if !provider.types.accept(header.typ.as_deref()) {
            return Err(Refusal::Type.into());
        }
        let principal = claims::judge(policy, id, provider, &claims, ClaimsSource::Token, now)?;
        let key = self.verify_signature(id, provider, header, segments, replies, now)?;
        Ok(VerifiedToken {
            principal: Rc::new(principal),
            key,
            at: now,
        })
    }

    fn verify_signature(
        &self,
        id: ProviderId,
        provider: &Provider,
        header: &Header,
        segments: &Segments<'_>,
        replies: &Replies,
        now: UnixTime,
    ) -> Result<KeyId, Unverified> {
        // What is no token by its form must not make us ask for keys.
        let signature = segments.signature()?;
        let source = SourceId::Keys(id);
        let Some(keys) = self.keys.of(id, provider, now) else {
            return Err(unfetched(source, replies.keys));
        };
        let candidates = match keys.candidates(header.algorithm, header.kid.as_deref()) {
            Candidates::Keys(keys) => keys,
            Candidates::Mismatch => return Err(Refusal::UnsupportedAlgorithm.into()),
            // The provider may have rotated its keys. Where it was asked and knows no such key,
            // or where it may not be asked again yet, the token is at fault: or else anyone
            // could turn random kids into our unavailability.
            Candidates::Unknown => {
                let can_ask = matches!(provider.keys, Keys::Remote(_)) && replies.keys.is_none();
                return Err(if can_ask {
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

    /// A token that held before, while the key that signed it is still published.
    fn remembered(
        &mut self,
        policy: &Policy,
        fingerprint: Fingerprint,
        token: &[u8],
        now: UnixTime,
    ) -> Option<VerifiedToken> {
        // Without a dot it is no JWT, and no miss of these.
        if !token.contains(&b'.') {
            return None;
        }
        let token = self.tokens.get(fingerprint, now)?;
        let CredentialSource::Provider(id) = token.principal.issuer else {
            return None;
        };
        let provider = policy.providers.get(id.0)?;
        let keys = self.keys.of(id, provider, now)?;
        keys.holds(token.key).then(|| token.clone())
    }

    fn remember(
        &mut self,
        policy: &Policy,
        fingerprint: Fingerprint,
        token: &VerifiedToken,
        now: UnixTime,
    ) {
        let tolerance = match token.principal.issuer {
            CredentialSource::Provider(id) => policy.providers.get(id.0).map(|p| p.clock_tolerance),
            CredentialSource::ApiKeys => None,
        };
        let expires = match token.principal.validity.expires {
            Some(expires) => expires.plus(tolerance.unwrap_or_default()),
            None => UnixTime::FAR_FUTURE,
        };
        let bytes = token.principal.bytes();
        self.tokens
            .insert(fingerprint, token.clone(), bytes, expires, now);
    }
}

/// Whether what was fetched at a time is no older than it may be. What seems to come from the future
/// may be of any age.
pub(crate) fn is_fresh(at: UnixTime, max_staleness: Duration, now: UnixTime) -> bool {
    at <= now.plus(CLOCK_SLACK) && now.since(at) <= max_staleness
}

/// Why a request that needs a document cannot be judged: it has to be fetched, or could not be.
fn unfetched(source: SourceId, fetch: Option<Fetch>) -> Unverified {
    let retry_after = match fetch {
        None => return Unverified::Await(Callout::Source(source)),
        Some(Fetch::Arrived) => Duration::ZERO,
        Some(Fetch::Failed { retry_after }) => retry_after,
    };
    Refusal::KeysUnavailable { retry_after }.into()
}

/// The claims as a JWT carries them, where the policy forwards them: the second of its segments,
/// which needs no room in a cache.
fn payload_of_jwt(policy: &Policy, token: &[u8]) -> Option<Rc<str>> {
    policy.forward.payload_header.as_ref()?;
    let claims = token.split(|b| *b == b'.').nth(1)?;
    std::str::from_utf8(claims).ok().map(Rc::from)
}

fn status_list_call(lists: &StatusLists, reference: &Reference) -> Call {
    Call {
        endpoint: Endpoint {
            path: reference.path(lists).into(),
            ..lists.endpoint.clone()
        },
        standing: Standing::Known,
        method: "GET",
        headers: vec![("accept", (*b"application/statuslist+jwt").into())],
        body: Vec::new(),
    }
}

// === impl RevocationSubject ===

impl<'a> RevocationSubject<'a> {
    fn of(principal: &'a Principal) -> Self {
        RevocationSubject {
            token_id: principal.token_id.as_deref(),
            subject: principal.subject.as_deref(),
            clients: &principal.clients,
            issued_at: principal.validity.issued_at,
        }
    }
}

// === impl Asked ===

impl<'p> Asked<'p> {
    fn of(id: ProviderId, provider: &'p Provider) -> Option<Self> {
        let introspection = provider.introspection.as_ref()?;
        Some(Asked {
            id,
            provider,
            introspection,
        })
    }

    /// Whether this is its JWT, which it alone can verify.
    fn issued(&self, token: &Segments<'_>) -> bool {
        let issuer = |claims: &json::Object<'_>| {
            claims.get("iss").and_then(json::Value::as_str) == Some(&self.provider.issuer)
        };
        matches!(self.provider.keys, Keys::None)
            && token
                .claims()
                .is_ok_and(|text| json::parse_object(&text).is_ok_and(|claims| issuer(&claims)))
    }
}

// === impl Verified ===

impl Verified {
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    pub fn provenance(&self) -> Provenance {
        self.provenance
    }

    /// The claims as base64url JSON, where the policy forwards them.
    pub fn payload(&self) -> Option<&str> {
        self.payload.as_deref()
    }
}

// === impl Accepted ===

impl Accepted {
    /// The provider whose `iss` this is, among those that this rule accepts from this place.
    fn provider_of_issuer<'p>(
        &self,
        policy: &'p Policy,
        place: LocationId,
        issuer: &str,
    ) -> Option<(ProviderId, &'p Provider)> {
        self.providers.iter().find_map(|&id| {
            let provider = self.provider_at(policy, place, id)?;
            (provider.issuer.as_ref() == issuer).then_some((id, provider))
        })
    }

    /// The one provider that is asked about opaque tokens from this place; that there are no
    /// two was settled when the policy was compiled.
    fn introspecting_at<'p>(&self, policy: &'p Policy, place: LocationId) -> Option<Asked<'p>> {
        self.providers.iter().find_map(|&id| {
            let provider = self.provider_at(policy, place, id)?;
            Asked::of(id, provider)
        })
    }

    fn provider_at<'p>(
        &self,
        policy: &'p Policy,
        place: LocationId,
        id: ProviderId,
    ) -> Option<&'p Provider> {
        let provider = policy.providers.get(id.0)?;
        let accepted = self.providers.contains(&id) && provider.places.contains(&place);
        accepted.then_some(provider)
    }
}

// === impl Unverified ===

impl From<Refusal> for Unverified {
    fn from(refusal: Refusal) -> Self {
        Unverified::Refused(refusal)
    }
}

impl From<InvalidApiKey> for Unverified {
    fn from(invalid: InvalidApiKey) -> Self {
        Refusal::ApiKey(invalid).into()
    }
}

impl From<InvalidClaims> for Unverified {
    fn from(invalid: InvalidClaims) -> Self {
        Refusal::Claims(invalid).into()
    }
}

impl From<InvalidHeader> for Unverified {
    fn from(invalid: InvalidHeader) -> Self {
        match invalid {
            InvalidHeader::Extension => Refusal::Extension,
            InvalidHeader::Malformed => Refusal::MalformedToken,
            InvalidHeader::UnsupportedAlgorithm => Refusal::UnsupportedAlgorithm,
        }
        .into()
    }
}

impl From<token::Malformed> for Unverified {
    fn from(_: token::Malformed) -> Self {
        Refusal::MalformedToken.into()
    }
}
