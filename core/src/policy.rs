//! The compiled policy: what a configuration means, parsed once, immutable, and free of
//! anything that the request path could stumble over.

pub mod api_keys;
pub mod callout;
mod compile;
pub mod forward;
pub mod provider;
pub mod requirement;
pub mod route;

use crate::policy::api_keys::ApiKeys;
use crate::policy::forward::Forward;
use crate::policy::provider::{CredentialLocation, Provider};
use crate::policy::requirement::{ClaimPath, Rule};
use crate::policy::route::Routes;

pub use crate::config::fault::Warning;
pub use crate::config::{Audit, Mode, Unmatched};
pub use crate::policy::compile::{Compiled, InvalidPolicy, compile, compile_api_keys};

/// Everything that is decided at configure time.
#[derive(Debug)]
pub struct Policy {
    /// Legal inside a quoted-string.
    pub realm: Box<str>,
    pub mode: Mode,
    /// Indexed by [`ProviderId`].
    pub providers: Vec<Provider>,
    pub api_keys: Option<ApiKeys>,
    /// Every place that holds a credential of anybody, each once. Indexed by [`LocationId`].
    pub places: Vec<CredentialLocation>,
    /// Which of `rules` a request meets: the first match.
    pub routes: Routes,
    pub rules: Vec<Rule>,
    pub unmatched: Unmatched,
    pub allow_cors_preflight: bool,
    pub forward: Forward,
    /// Every claim that a rule or a forwarded header asks about. Indexed by [`ClaimId`].
    pub claims: Vec<ClaimPath>,
    pub limits: Limits,
    pub audit: Audit,
}

#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ProviderId(pub usize);

#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct LocationId(pub usize);

#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ClaimId(pub usize);

/// Per worker.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    pub token_bytes: usize,
    pub token_cache_entries: usize,
    pub introspection_cache_entries: usize,
}
