//! What a configuration is compiled to.

use std::rc::Rc;
use std::time::Duration;

use crate::config::{Audit, FilterStateField, Mode, Unmatched};
use crate::policy::api_keys::ApiKeys;
#[cfg(feature = "ai")]
use crate::policy::budget::Budget;
use crate::policy::callout::RevocationList;
use crate::policy::claim::ClaimPath;
use crate::policy::forward::Forward;
use crate::policy::location::CredentialLocation;
use crate::policy::provider::{CredentialSource, Provider};
use crate::policy::requirement::Rule;
use crate::policy::resource::Resources;
use crate::policy::route::Routes;
use crate::request::header_name::HeaderName;
use crate::revocation::{Kind, Retention};

/// Everything that is decided at configure time.
#[derive(Debug)]
pub struct Policy {
    /// The realm of challenges, valid inside a quoted-string.
    pub realm: Box<str>,
    /// Whether refusals are carried out.
    pub mode: Mode,
    /// Every provider, in the order of their ids.
    pub providers: Vec<Rc<Provider>>,
    /// The API keys, where there are any.
    pub api_keys: Option<ApiKeys>,
    /// Whether any provider has proofs of possession, which are then removed as credentials are.
    pub takes_proofs: bool,
    /// Every location of a credential of any provider or API key, each once.
    pub locations: Vec<Rc<CredentialLocation>>,
    /// Every rule, in the order in which they were written.
    pub rules: Vec<Rc<Rule>>,
    /// Which of them a request meets: the first that matches.
    pub routes: Routes<Rc<Rule>>,
    /// What a request gets that no rule matches.
    pub unmatched: Unmatched,
    /// Whether a CORS preflight passes where only a missing credential would stop it.
    pub allow_cors_preflight: bool,
    /// Resources whose metadata is served here.
    pub resources: Resources,
    /// What upstreams learn about the caller.
    pub forward: Forward,
    /// Every header of the request that a rule compares, each once.
    pub compared_headers: Vec<HeaderName>,
    /// Budgets, in the order of their ids.
    #[cfg(feature = "ai")]
    pub budgets: Vec<Rc<Budget>>,
    /// Every claim that a rule or a forwarded header asks about, in the order of their ids.
    pub claims: Vec<ClaimPath>,
    /// Ceilings.
    pub limits: Limits,
    /// Which decisions leave a line in the log.
    pub audit: Audit,
    /// What later filters and access logs learn about a request, in filter state. Empty: nothing.
    pub filter_state: Vec<FilterStateField>,
}

/// Ceilings, each per worker.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// The longest credential that is looked at, in bytes.
    pub token_bytes: usize,
    /// Verified tokens that are remembered; 0 remembers none.
    pub token_cache_entries: usize,
    /// Introspection answers that are remembered; 0 remembers none.
    pub introspection_cache_entries: usize,
    /// Callers that one budget can have in a window, at least. In all workers together.
    #[cfg(feature = "ai")]
    pub budget_callers: usize,
}

/// A revocation list that is polled.
#[derive(Clone, Debug)]
pub struct PolledList<'p> {
    /// Whose credentials are revoked.
    pub source: CredentialSource,
    /// Where its owner is configured.
    pub path: Box<str>,
    /// Where and how often it is polled.
    pub list: &'p RevocationList,
    /// Which entries are valid on it.
    pub kind: Kind,
    /// When its entries may be forgotten.
    pub retention: Retention,
}

// === impl Policy ===

impl Policy {
    /// Every revocation list that is polled.
    pub fn revocation_lists(&self) -> impl Iterator<Item = PolledList<'_>> {
        let tokens = self.providers.iter().filter_map(|provider| {
            Some(PolledList {
                source: CredentialSource::Provider(provider.id),
                path: format!("providers.{}", provider.name).into(),
                list: provider.revocation_list.as_ref()?,
                kind: Kind::Tokens,
                retention: provider.retention(),
            })
        });
        let api_keys = self.api_keys.as_ref();
        let api_keys = api_keys.and_then(|keys| keys.revocation_list.as_ref());
        let api_keys = api_keys.map(|list| PolledList {
            source: CredentialSource::ApiKeys,
            path: "api_keys".into(),
            list,
            kind: Kind::ApiKeys,
            // An API key may be extended, so entries about one never end.
            retention: Retention {
                clock_tolerance: Duration::ZERO,
                max_lifetime: None,
            },
        });
        tokens.chain(api_keys)
    }
}
