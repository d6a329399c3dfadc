//! Who may issue tokens, where a request carries them, and what a token of theirs must fulfil.

use std::rc::Rc;
use std::time::Duration;

use crate::keys::{AlgorithmSet, KeySet};
use crate::policy::callout::{Introspection, RevocationList, StatusLists};
use crate::policy::claim::ClaimPath;
use crate::policy::endpoint::Endpoint;
use crate::policy::location::CredentialLocation;
use crate::request::origin::Origin;
use crate::revocation::Retention;

pub use crate::config::DpopMode;

/// A provider within its policy: what tells its keys, lists and questions from those of others.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ProviderId(pub usize);

/// Who vouches for a credential.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum CredentialSource {
    /// The issuer of a token.
    Provider(ProviderId),
    /// The operator, with a list of API keys.
    ApiKeys,
}

/// An issuer of tokens.
#[derive(Debug)]
pub struct Provider {
    /// Its index in [`Policy::providers`](crate::policy::Policy::providers).
    pub id: ProviderId,
    /// Its name in the configuration.
    pub name: Rc<str>,
    /// The `iss` of its tokens, compared exactly.
    pub issuer: Box<str>,
    /// Whom a token must be meant for.
    pub audiences: Audiences,
    /// The signature algorithms that its tokens may use.
    pub algorithms: AlgorithmSet,
    /// Where its verification keys come from.
    pub keys: Keys,
    /// How far its clock and ours may be apart, for `exp` and `nbf`.
    pub clock_tolerance: Duration,
    /// Whether a token without `exp` is refused.
    pub require_exp: bool,
    /// Neither `exp - iat` nor `exp - now` may exceed it.
    pub max_lifetime: Option<Duration>,
    /// How many actors a token may name, one within the other.
    pub max_actors: Option<usize>,
    /// Accepted `typ` headers.
    pub types: Types,
    /// Where requests carry its tokens.
    pub locations: Vec<Rc<CredentialLocation>>,
    /// Other origins whose pages may use its cookies with methods that change something.
    pub cookie_origins: Vec<Origin>,
    /// The claims that list scopes; their union counts.
    pub scope_claims: Vec<ClaimPath>,
    /// The claims that name the client; the first that is there is the client.
    pub client_id_claims: Vec<ClaimPath>,
    /// The claim that names the tenant.
    pub tenant_claim: ClaimPath,
    /// Whether its tokens may be bound to a key of their client, which then has to be proved (RFC 9449).
    pub dpop: Option<Dpop>,
    /// How it is asked about its tokens.
    pub introspection: Option<Introspection>,
    /// The list of its revoked tokens.
    pub revocation_list: Option<RevocationList>,
    /// The status lists that its tokens may refer to.
    pub status_lists: Option<StatusLists>,
}

/// What is asked of proofs of possession (RFC 9449).
#[derive(Clone, Copy, Debug)]
pub struct Dpop {
    /// Whether every token must be bound.
    pub mode: DpopMode,
    /// How far the `iat` of a proof may be from now, either way.
    pub max_age: Duration,
    /// The algorithms that a proof may use.
    pub algorithms: AlgorithmSet,
    /// How many proofs are remembered at least.
    pub replay_cache_entries: usize,
}

/// Whom a token must be meant for.
#[derive(Debug)]
pub enum Audiences {
    /// `danger_any_audience`.
    Any,
    /// One of these must match; never empty.
    OneOf(Vec<Box<str>>),
}

/// Where a provider's verification keys come from.
#[derive(Debug)]
pub enum Keys {
    /// The configuration itself.
    Inline(Rc<KeySet>),
    /// A JWK Set that is fetched and refreshed.
    Remote(RemoteKeys),
    /// No JWT can be verified: every token is introspected.
    None,
}

/// A JWK Set that is fetched and refreshed.
#[derive(Debug)]
pub struct RemoteKeys {
    /// Where it is fetched from.
    pub endpoint: Endpoint,
    /// How often it is fetched again.
    pub refresh_interval: Duration,
    /// An unknown `kid` triggers a fetch, never more often than this.
    pub min_refetch_interval: Duration,
    /// How long the last good set serves while the source is down.
    pub max_staleness: Duration,
}

/// Accepted `typ` header values: lower case, without `application/`.
#[derive(Debug)]
pub struct Types {
    /// The values.
    pub names: Vec<Box<str>>,
    /// Whether a token may lack `typ`: only while the operator names no types.
    pub absent: bool,
}

// === impl Provider ===

impl Provider {
    /// When entries of its revocation list may be forgotten.
    pub fn retention(&self) -> Retention {
        Retention {
            clock_tolerance: self.clock_tolerance,
            max_lifetime: self.max_lifetime,
        }
    }
}

/// A media type as `typ` compares: in lower case, without `application/` (RFC 7515 §4.1.9).
pub fn media_type(typ: &str) -> String {
    let typ = typ.to_ascii_lowercase();
    match typ.strip_prefix("application/") {
        Some(subtype) => subtype.to_owned(),
        None => typ,
    }
}

// === impl Types ===

impl Types {
    /// `typ` in lower case, without `application/`.
    pub fn accept(&self, typ: Option<&str>) -> bool {
        match typ {
            None => self.absent,
            Some(typ) => self.names.iter().any(|name| name.as_ref() == typ),
        }
    }
}
