//! API keys: looked up by digest, so that the configuration holds nothing worth stealing.

use crate::policy::Policy;
use crate::policy::api_keys::{ApiKey, ApiKeyTable};
use crate::secret::{Digest, Secret};
use crate::time::UnixTime;
use crate::verification::principal::{Issuer, Principal, Validity};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum InvalidApiKey {
    /// Its client or tenant cannot stand in a header.
    ControlCharacter,
    Expired,
    NotYetValid,
    Revoked,
    Unknown,
}

/// Judges a key that was found by its digest.
pub fn verify(policy: &Policy, key: &ApiKey, now: UnixTime) -> Result<Principal, InvalidApiKey> {
    check(key, now)?;
    principal(policy, key)
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
    // Texts are shared, not copied: this is done for every request.
    let mut principal = Principal {
        issuer: Issuer::ApiKeys,
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
        payload: None,
        forwarded: Vec::new(),
    };
    principal.forwarded = principal
        .forwarded_by(policy)
        .ok_or(InvalidApiKey::ControlCharacter)?;
    Ok(principal)
}

// === impl ApiKeyTable ===

impl ApiKeyTable {
    pub(super) fn find(&self, pepper: Option<&Secret>, presented: &[u8]) -> Option<&ApiKey> {
        let by_sha256 = || {
            let table = &self.sha256;
            (!table.is_empty()).then(|| table.get(&Digest::sha256(presented)))?
        };
        let by_hmac = || {
            let table = &self.hmac_sha256;
            let pepper = pepper.filter(|_| !table.is_empty())?;
            table.get(&Digest::hmac_sha256(pepper, presented))
        };
        by_sha256().or_else(by_hmac)
    }
}
