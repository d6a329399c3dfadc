//! API keys: looked up by digest, so that the configuration holds nothing worth stealing.

use std::rc::Rc;

use crate::policy::Policy;
use crate::policy::api_keys::{ApiKey, ApiKeyId, ApiKeyTable};
use crate::secret::{Digest, Pepper};
use crate::time::UnixTime;
use crate::verification::principal::{CredentialSource, ForwardedIdentity, Principal, Validity};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum InvalidApiKey {
    Expired,
    NotYetValid,
    Revoked,
    /// Its client or tenant cannot stand in a header.
    Unforwardable,
    Unknown,
}

/// What a worker knows of a table's keys: who presents each, once somebody did.
#[derive(Debug, Default)]
pub(super) struct Callers(Vec<Option<Rc<Principal>>>);

// === impl Callers ===

impl Callers {
    /// Judges a key that was found by its digest.
    pub(super) fn verify(
        &mut self,
        policy: &Policy,
        table: &ApiKeyTable,
        id: ApiKeyId,
        now: UnixTime,
    ) -> Result<Rc<Principal>, InvalidApiKey> {
        let key = table.keys.get(id.0).ok_or(InvalidApiKey::Unknown)?;
        check(key, now)?;
        if self.0.len() < table.keys.len() {
            self.0.resize(table.keys.len(), None);
        }
        match self.0.get_mut(id.0) {
            Some(Some(caller)) => Ok(Rc::clone(caller)),
            slot => {
                let caller = Rc::new(principal(policy, key)?);
                if let Some(slot) = slot {
                    *slot = Some(Rc::clone(&caller));
                }
                Ok(caller)
            }
        }
    }
}

fn check(key: &ApiKey, now: UnixTime) -> Result<(), InvalidApiKey> {
    if key.revoked {
        return Err(InvalidApiKey::Revoked);
    }
    if key.expires_at.is_some_and(|expires| now >= expires) {
        return Err(InvalidApiKey::Expired);
    }
    if key.not_before.is_some_and(|not_before| now < not_before) {
        return Err(InvalidApiKey::NotYetValid);
    }
    Ok(())
}

fn principal(policy: &Policy, key: &ApiKey) -> Result<Principal, InvalidApiKey> {
    let principal = Principal {
        issuer: CredentialSource::ApiKeys,
        subject: Some(key.client.clone()),
        client_id: Some(key.client.clone()),
        clients: Vec::new(),
        tenant: key.tenant.clone(),
        key_id: Some(key.id.clone()),
        scopes: key.scopes.clone(),
        audiences: Vec::new(),
        claims: Vec::new(),
        validity: Validity {
            issued_at: None,
            not_before: key.not_before,
            expires: key.expires_at,
        },
        token_id: None,
        status: None,
        confirmation: None,
        outgoing: ForwardedIdentity::default(),
    };
    principal
        .prepared(policy)
        .map_err(|_| InvalidApiKey::Unforwardable)
}

// === impl ApiKeyTable ===

impl ApiKeyTable {
    pub(super) fn find(&self, pepper: Option<&Pepper>, presented: &[u8]) -> Option<ApiKeyId> {
        let by_sha256 = || {
            let table = &self.sha256;
            (!table.is_empty()).then(|| table.get(&Digest::sha256(presented)))?
        };
        let by_hmac = || {
            let table = &self.hmac_sha256;
            let pepper = pepper.filter(|_| !table.is_empty())?;
            table.get(&pepper.digest(presented))
        };
        by_sha256().or_else(by_hmac).copied()
    }
}
