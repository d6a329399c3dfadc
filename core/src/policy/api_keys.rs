//! API keys: known by their digests alone.

use std::collections::HashMap;
use std::rc::Rc;

use crate::policy::callout::{RemoteApiKeys, RevocationList};
use crate::policy::location::CredentialLocation;
use crate::scope::ScopeSet;
use crate::secret::{Digest, Pepper};
use crate::time::UnixTime;

/// All API keys of a policy.
#[derive(Debug)]
pub struct ApiKeys {
    /// Where requests carry a key.
    pub locations: Vec<Rc<CredentialLocation>>,
    /// There wherever a key has an HMAC-SHA-256 hash.
    pub pepper: Option<Pepper>,
    /// The inline keys. For a key that is also in the remote list, what is written here counts.
    pub inline: ApiKeyTable,
    /// More keys, fetched and refreshed.
    pub remote: Option<RemoteApiKeys>,
    /// The list of revoked keys.
    pub revocation_list: Option<RevocationList>,
}

/// Keys by their digests: one table for each kind of hash, so that the digest of one is never taken
/// for the other.
#[derive(Debug, Default)]
pub struct ApiKeyTable {
    /// By the SHA-256 of the key.
    pub sha256: HashMap<Digest, Rc<ApiKey>>,
    /// By the HMAC-SHA-256 of the key under the pepper.
    pub hmac_sha256: HashMap<Digest, Rc<ApiKey>>,
}

/// What is known of one key.
#[derive(Debug)]
pub struct ApiKey {
    /// Names the key in logs, headers and revocation lists; unique.
    pub id: Rc<str>,
    /// Whose key it is.
    pub client: Rc<str>,
    /// What it may do.
    pub scopes: ScopeSet,
    /// Whose data it may touch.
    pub tenant: Option<Rc<str>>,
    /// It is refused before this time.
    pub not_before: Option<UnixTime>,
    /// It is refused from this time on.
    pub expires_at: Option<UnixTime>,
    /// It is refused.
    pub revoked: bool,
    /// The models that it may use, with wildcards; `None`: it has no list.
    #[cfg(feature = "ai")]
    pub models: Option<Vec<Box<str>>>,
    /// How much it may use, where a budget asks for it.
    #[cfg(feature = "ai")]
    pub token_budget: Option<u64>,
}

// === impl ApiKeyTable ===

impl ApiKeyTable {
    /// The number of keys.
    pub fn len(&self) -> usize {
        self.sha256.len().saturating_add(self.hmac_sha256.len())
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The key whose digest is that of `presented`.
    pub fn find(&self, pepper: Option<&Pepper>, presented: &[u8]) -> Option<&Rc<ApiKey>> {
        let by_sha256 = || {
            let table = &self.sha256;
            (!table.is_empty()).then(|| table.get(&Digest::sha256(presented)))?
        };
        let by_hmac = || {
            let table = &self.hmac_sha256;
            let pepper = pepper.filter(|_| !table.is_empty())?;
            table.get(&pepper.digest(presented))
        };
        by_sha256().or_else(by_hmac)
    }
}
