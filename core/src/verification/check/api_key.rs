//! API keys, looked up by digest, so that the configuration has no usable key.

use std::rc::Rc;
use std::time::Duration;

use crate::cache::Cache;
use crate::json::Value;
use crate::policy::Policy;
use crate::policy::api_keys::{ApiKey, ApiKeyTable, ApiKeys};
use crate::policy::claim::{ApiKeyClaim, ClaimPath};
use crate::secret::{Fingerprint, FingerprintKey};
use crate::time::UnixTime;
use crate::verification::context::Context;
use crate::verification::freshness::is_fresh;
use crate::verification::principal::{ForwardedIdentity, Principal, Validity};
use crate::verification::refusal::InvalidApiKey;
use crate::verification::source::SourceId;
use crate::verification::unverified::Unverified;
use crate::verification::verified::{Provenance, Verified};

/// The API keys that a worker has seen, and the remote list.
///
/// A key is found by its SHA-256, which costs thousands of instructions and hashes once more with a
/// pepper. So a key that was found is remembered by its fingerprint, which is keyed too. Keys that no
/// list has are not remembered: random keys push nothing out.
#[derive(Debug)]
pub(in crate::verification) struct HeldApiKeys {
    fingerprints: FingerprintKey,
    inline: KnownKeys,
    remote: Option<RemoteList>,
}

#[derive(Debug)]
struct RemoteList {
    table: ApiKeyTable,
    known: KnownKeys,
    at: UnixTime,
}

/// Who presents each key of one list, once it was presented. A list has one key for each digest, so
/// there are no more entries than keys.
#[derive(Debug)]
struct KnownKeys(Cache<Rc<Principal>>);

// === impl HeldApiKeys ===

impl HeldApiKeys {
    pub fn new(policy: &Policy, fingerprints: FingerprintKey) -> Self {
        let inline = policy.api_keys.as_ref().map_or(0, |keys| keys.inline.len());
        HeldApiKeys {
            fingerprints,
            inline: KnownKeys::with_room_for(inline),
            remote: None,
        }
    }

    /// Replaces the remote list.
    pub fn adopt(&mut self, table: ApiKeyTable, at: UnixTime) {
        self.remote = Some(RemoteList {
            known: KnownKeys::with_room_for(table.len()),
            table,
            at,
        });
    }

    /// The clock was set back by `step`: the list is as old as it was.
    pub fn set_back(&mut self, step: Duration) {
        if let Some(list) = &mut self.remote {
            list.at = list.at.minus(step);
        }
    }

    /// Finds out who presents a key. For a key on both lists, the inline one counts.
    pub fn verify(
        &mut self,
        context: &Context<'_>,
        api_keys: &ApiKeys,
        presented: &[u8],
    ) -> Result<Verified, Unverified> {
        // No list has the empty key, so no list is fetched for it.
        if presented.is_empty() {
            return Err(InvalidApiKey::Unknown.into());
        }
        let fingerprint = self.fingerprints.fingerprint(presented);
        let principal = match self.inline.get(fingerprint, context.now)? {
            Some(known) => known,
            None => self.find(context, api_keys, presented, fingerprint)?,
        };
        Ok(Verified::new(principal, Provenance::Local, None))
    }

    fn find(
        &mut self,
        context: &Context<'_>,
        api_keys: &ApiKeys,
        presented: &[u8],
        fingerprint: Fingerprint,
    ) -> Result<Rc<Principal>, Unverified> {
        let pepper = api_keys.pepper.as_ref();
        let remote = api_keys.remote.as_ref();
        let held = self.remote.as_mut().zip(remote);
        let mut held = held
            .filter(|(list, remote)| is_fresh(list.at, remote.max_staleness, context.now))
            .map(|(list, _)| list);
        if let Some(list) = &mut held
            && let Some(known) = list.known.get(fingerprint, context.now)?
        {
            return Ok(known);
        }
        if let Some(key) = api_keys.inline.find(pepper, presented) {
            return Ok(self.inline.admit(context, key, fingerprint)?);
        }
        match (held, remote) {
            (Some(RemoteList { table, known, .. }), _) => {
                let key = table.find(pepper, presented);
                Ok(known.admit(context, key.ok_or(InvalidApiKey::Unknown)?, fingerprint)?)
            }
            (None, None) => Err(InvalidApiKey::Unknown.into()),
            (None, Some(_)) => {
                let fetch = context.replies.api_keys;
                Err(Unverified::without_document(SourceId::ApiKeys, fetch))
            }
        }
    }
}

// === impl KnownKeys ===

impl KnownKeys {
    fn with_room_for(keys: usize) -> Self {
        KnownKeys(Cache::bounded(keys, usize::MAX))
    }

    /// Who presents a key that was found before. It may have expired since.
    fn get(
        &mut self,
        key: Fingerprint,
        now: UnixTime,
    ) -> Result<Option<Rc<Principal>>, InvalidApiKey> {
        let Some(principal) = self.0.get(key, now) else {
            return Ok(None);
        };
        check_times(&principal.validity, now)?;
        Ok(Some(Rc::clone(principal)))
    }

    /// Who presents a key that was found by its digest.
    fn admit(
        &mut self,
        context: &Context<'_>,
        key: &ApiKey,
        fingerprint: Fingerprint,
    ) -> Result<Rc<Principal>, InvalidApiKey> {
        let validity = Validity {
            issued_at: None,
            not_before: key.not_before,
            expires: key.expires_at,
        };
        if key.revoked {
            return Err(InvalidApiKey::Revoked);
        }
        check_times(&validity, context.now)?;
        let principal = principal(context.policy, key, validity)?;
        let principal = Rc::new(principal);
        let end = UnixTime::FAR_FUTURE;
        self.0
            .insert(fingerprint, Rc::clone(&principal), 0, end, context.now);
        Ok(principal)
    }
}

fn check_times(validity: &Validity, now: UnixTime) -> Result<(), InvalidApiKey> {
    if validity.expires.is_some_and(|expires| now >= expires) {
        return Err(InvalidApiKey::Expired);
    }
    if validity
        .not_before
        .is_some_and(|not_before| now < not_before)
    {
        return Err(InvalidApiKey::NotYetValid);
    }
    Ok(())
}

fn principal(
    policy: &Policy,
    key: &ApiKey,
    validity: Validity,
) -> Result<Principal, InvalidApiKey> {
    let principal = Principal {
        provider: None,
        subject: Some(key.client.clone()),
        client_id: Some(key.client.clone()),
        clients: Vec::new(),
        tenant: key.tenant.clone(),
        key_id: Some(key.id.clone()),
        actor: None,
        scopes: key.scopes.clone(),
        audiences: Vec::new(),
        claims: policy.claims.iter().map(|path| claim(key, path)).collect(),
        validity,
        token_id: None,
        status: None,
        confirmation: None,
        forwarded: ForwardedIdentity::default(),
    };
    principal
        .with_forwarded_headers(policy)
        .map_err(|_| InvalidApiKey::Unforwardable)
}

fn claim(key: &ApiKey, path: &ClaimPath) -> Option<Value<'static>> {
    let text = |text: &str| Value::String(text.to_owned().into());
    Some(match path.of_api_key()? {
        ApiKeyClaim::Client => text(&key.client),
        ApiKeyClaim::Tenant => text(key.tenant.as_ref()?),
        ApiKeyClaim::Scope => text(Some(key.scopes.as_str()).filter(|s| !s.is_empty())?),
        #[cfg(feature = "ai")]
        ApiKeyClaim::Models => {
            let models = key.models.as_ref()?.iter();
            Value::Array(models.map(|model| text(model)).collect())
        }
        #[cfg(feature = "ai")]
        ApiKeyClaim::TokenBudget => Value::Number(key.token_budget?.into()),
    })
}
