//! Who may issue tokens, where a request carries them, and what a token of theirs must fulfil.

use std::rc::Rc;
use std::time::Duration;

use crate::keys::{AlgorithmSet, KeySet};
use crate::policy::LocationId;
use crate::policy::callout::{Introspection, RevocationList, StatusLists};
use crate::policy::requirement::ClaimPath;
use crate::secret::Secret;

#[derive(Debug)]
pub struct Provider {
    pub name: Rc<str>,
    pub issuer: Box<str>,
    pub audiences: Audiences,
    pub algorithms: AlgorithmSet,
    pub keys: Keys,
    pub clock_tolerance: Duration,
    pub require_exp: bool,
    pub max_lifetime: Option<Duration>,
    pub types: Types,
    /// Sorted.
    pub places: Vec<LocationId>,
    pub scope_claims: Vec<ClaimPath>,
    pub client_id_claims: Vec<ClaimPath>,
    pub tenant_claim: ClaimPath,
    pub introspection: Option<Introspection>,
    pub revocation_list: Option<RevocationList>,
    pub status_lists: Option<StatusLists>,
}

#[derive(Debug)]
pub enum Audiences {
    /// `danger_any_audience`.
    Any,
    /// One of these must match; never empty.
    OneOf(Vec<Box<str>>),
}

#[derive(Debug)]
pub enum Keys {
    Inline(Rc<KeySet>),
    Remote(RemoteKeys),
    /// No JWT can be verified: every token is introspected.
    None,
}

#[derive(Debug)]
pub struct RemoteKeys {
    pub endpoint: Endpoint,
    pub refresh_interval: Duration,
    pub min_refetch_interval: Duration,
    pub max_staleness: Duration,
}

/// A service that Envoy calls for us.
#[derive(Clone, Debug)]
pub struct Endpoint {
    pub cluster: Box<str>,
    pub scheme: Box<str>,
    pub authority: Box<str>,
    /// With the query; begins with a slash.
    pub path: Box<str>,
    /// Never zero: Envoy takes zero for "no timeout at all".
    pub timeout: Duration,
    /// The whole value of the `authorization` header.
    pub authorization: Option<Secret>,
}

/// Accepted `typ` header values: lower case, without `application/`.
#[derive(Debug)]
pub struct Types {
    pub names: Vec<Box<str>>,
    /// Whether a token may lack `typ`: only while the operator names no types.
    pub absent: bool,
}

/// Where a request may carry a credential.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum CredentialLocation {
    /// `name` is in lower case.
    Header {
        name: Box<str>,
        prefix: Prefix,
    },
    Query {
        name: Box<str>,
    },
    Cookie {
        name: Box<str>,
    },
}

/// What stands before the credential in a header's value.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Prefix {
    None,
    /// An authentication scheme (RFC 9110 §11.1), lower case: matched without case, one or
    /// more spaces behind it. DisplayDuration as a `prefix` that is a token and one space.
    Scheme(Box<str>),
    /// Any other prefix, matched as it is.
    Literal(Box<str>),
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
