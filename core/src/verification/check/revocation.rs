//! Revocation lists that are polled.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use crate::policy::Policy;
use crate::policy::callout::{Fallback, RevocationList};
use crate::policy::provider::{CredentialSource, Provider};
use crate::revocation::{ListReplica, RevocationSubject, Store};
use crate::verification::callout::{Callout, Fetch};
use crate::verification::claims::InvalidClaims;
use crate::verification::context::Context;
use crate::verification::freshness::is_fresh;
use crate::verification::principal::Principal;
use crate::verification::refusal::{InvalidApiKey, Refusal};
use crate::verification::source::SourceId;
use crate::verification::unverified::Unverified;

/// This worker's copies of all revocation lists.
#[derive(Debug)]
pub(in crate::verification) struct RevocationLists(BTreeMap<CredentialSource, ListReplica>);

impl RevocationLists {
    pub fn new(policy: &Policy) -> Self {
        let lists = policy.revocation_lists();
        let lists = lists.map(|l| (l.source, ListReplica::new(l.kind, l.retention)));
        RevocationLists(lists.collect())
    }

    pub fn get_mut(&mut self, source: CredentialSource) -> Option<&mut ListReplica> {
        self.0.get_mut(&source)
    }

    /// The clock was set back by `step`.
    pub fn set_back(&mut self, step: Duration) {
        for list in self.0.values_mut() {
            list.set_back(step);
        }
    }

    /// Whether its provider's list lets a token pass, on each request anew: an entry counts for what was
    /// verified long before it.
    pub fn check_token(
        &self,
        context: &Context<'_>,
        provider: &Provider,
        token: &Principal,
    ) -> Result<(), Unverified> {
        let Some(list) = &provider.revocation_list else {
            return Ok(());
        };
        let subject = token.revocation_subject();
        if !subject.can_match() {
            return Err(Refusal::Untraceable.into());
        }
        if provider.max_lifetime.is_some() && subject.issued_at.is_none() {
            return Err(InvalidClaims::NoIssueTime.into());
        }
        let source = CredentialSource::Provider(provider.id);
        let is_revoked = |store: &Store| store.revokes(&subject);
        self.check(context, source, list, is_revoked, Refusal::Revoked)
    }

    /// Whether the list of API keys lets a key pass.
    pub fn check_api_key(
        &self,
        context: &Context<'_>,
        list: Option<&RevocationList>,
        caller: &Principal,
    ) -> Result<(), Unverified> {
        let Some(list) = list else {
            return Ok(());
        };
        // A key without an id could be on the list under any.
        let id = caller.key_id.as_deref().ok_or(Refusal::Untraceable)?;
        let is_revoked = |store: &Store| store.revokes_api_key(id);
        let source = CredentialSource::ApiKeys;
        let revoked = InvalidApiKey::Revoked.into();
        self.check(context, source, list, is_revoked, revoked)
    }

    fn check(
        &self,
        context: &Context<'_>,
        source: CredentialSource,
        list: &RevocationList,
        is_revoked: impl FnOnce(&Store) -> bool,
        revoked: Refusal,
    ) -> Result<(), Unverified> {
        let unavailable = |retry_after| Err(Refusal::RevocationUnavailable { retry_after }.into());
        // Every list that a policy names has a replica. One without must not open.
        let Some(replica) = self.0.get(&source) else {
            return unavailable(Duration::ZERO);
        };
        let held = replica.store().zip(replica.as_of());
        if let Some((store, _)) = held
            && is_revoked(store)
        {
            return Err(revoked.into());
        }
        match (held, context.replies.revocation) {
            (Some((_, at)), _) if is_fresh(at, list.max_staleness, context.now) => Ok(()),
            (None, None) => {
                let wanted = SourceId::Revocation(source);
                Err(Unverified::Await(Callout::Source(wanted)))
            }
            _ if list.on_stale == Fallback::Allow => Ok(()),
            (_, Some(Fetch::Failed { retry_after })) => unavailable(retry_after),
            _ => unavailable(Duration::ZERO),
        }
    }

    /// Whether the list revokes a token that verified by the names that only its provider's answer about
    /// it has. That the list is there and fresh enough was checked with the token.
    pub fn check_answer(
        &self,
        provider: &Provider,
        token: &Principal,
        answered: &Principal,
    ) -> Result<(), Refusal> {
        if provider.revocation_list.is_none() {
            return Ok(());
        }
        let source = CredentialSource::Provider(provider.id);
        let Some(replica) = self.0.get(&source) else {
            let retry_after = Duration::ZERO;
            return Err(Refusal::RevocationUnavailable { retry_after });
        };
        // Without a store, the check of the token passed by `on_stale`.
        let Some(store) = replica.store() else {
            return Ok(());
        };
        let clients: Vec<Rc<str>> = [&token.clients[..], &answered.clients].concat();
        let [of_token, of_answer] = [token, answered].map(Principal::revocation_subject);
        let subject = RevocationSubject {
            subject: of_answer.subject.or(of_token.subject),
            token_id: of_answer.token_id.or(of_token.token_id),
            clients: &clients,
            // A JWT's own time of issue is signed.
            issued_at: of_token.issued_at,
        };
        match store.revokes(&subject) {
            true => Err(Refusal::Revoked),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
