//! API keys: known by their digests alone.

use std::collections::HashMap;
use std::rc::Rc;

use crate::policy::LocationId;
use crate::policy::callout::{RemoteApiKeys, RevocationList};
use crate::scope::ScopeSet;
use crate::secret::{Digest, Pepper};
use crate::time::UnixTime;

#[derive(Debug)]
pub struct ApiKeys {
    /// Sorted.
    pub places: Vec<LocationId>,
    /// There wherever a key has an HMAC-SHA-256 hash.
    pub pepper: Option<Pepper>,
    /// The inline ones; a key that is also in the remote list is judged by what stands here.
    pub keys: ApiKeyTable,
    pub remote: Option<RemoteApiKeys>,
    pub revocation_list: Option<RevocationList>,
}

#[derive(Debug, Default)]
pub struct ApiKeyTable {
    /// Indexed by [`ApiKeyId`].
    pub keys: Vec<ApiKey>,
    /// One table for each kind, so that the digest of one is never taken for the other.
    pub sha256: HashMap<Digest, ApiKeyId>,
    pub hmac_sha256: HashMap<Digest, ApiKeyId>,
}

/// A key within its table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ApiKeyId(pub usize);

#[derive(Debug)]
pub struct ApiKey {
    pub id: Rc<str>,
    pub client: Rc<str>,
    pub scopes: ScopeSet,
    pub tenant: Option<Rc<str>>,
    pub not_before: Option<UnixTime>,
    pub expires_at: Option<UnixTime>,
    pub revoked: bool,
}
