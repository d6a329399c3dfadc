//! What a rule asks of a request's credential.

use crate::json::Value;
use crate::policy::api_keys::ApiKeys;
use crate::policy::provider::Provider;
use crate::policy::{ClaimId, LocationId, ProviderId};
use crate::scope::RequiredScopes;

pub use crate::config::Access;

#[derive(Debug)]
pub struct Rule {
    /// Its name, or its path in the configuration: `rules[3]`.
    pub label: Box<str>,
    pub access: Access,
    pub accepts: Accepted,
    /// Where those may stand, each place once.
    pub places: Vec<LocationId>,
    /// Narrows the provider's; empty: does not.
    pub audiences: Vec<Box<str>>,
    pub scopes: RequiredScopes,
    pub claims: Vec<Condition>,
}

/// The credentials that a rule accepts; never none at all.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Accepted {
    /// Sorted.
    pub providers: Vec<ProviderId>,
    pub api_keys: bool,
}

#[derive(Debug)]
pub struct Condition {
    pub claim: ClaimId,
    pub test: Test,
}

#[derive(Debug)]
pub enum Test {
    Equals(Value<'static>),
    OneOf(Vec<Value<'static>>),
    /// An element of an array, or a space-separated word of a string, equals it.
    Contains(Value<'static>),
    Present,
}

/// The members that lead to a claim, outermost first; never empty.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct ClaimPath(Vec<Box<str>>);

// === impl Accepted ===

impl Accepted {
    /// Where these credentials may stand, each place once.
    pub fn places(&self, providers: &[Provider], api_keys: Option<&ApiKeys>) -> Vec<LocationId> {
        let of_providers = self.providers.iter().filter_map(|id| providers.get(id.0));
        let of_api_keys = api_keys.filter(|_| self.api_keys);
        let mut places: Vec<LocationId> = of_providers
            .flat_map(|provider| &provider.places)
            .chain(of_api_keys.into_iter().flat_map(|keys| &keys.places))
            .copied()
            .collect();
        places.sort_unstable();
        places.dedup();
        places
    }
}

// === impl ClaimPath ===

impl ClaimPath {
    /// `None` where there is no member, or an empty one.
    pub fn new(members: impl IntoIterator<Item = Box<str>>) -> Option<Self> {
        let members: Vec<_> = members.into_iter().collect();
        let legal = !members.is_empty() && members.iter().all(|m| !m.is_empty());
        legal.then_some(ClaimPath(members))
    }

    /// `realm_access.roles`: split at dots.
    pub fn from_dotted(path: &str) -> Option<Self> {
        ClaimPath::new(path.split('.').map(Box::from))
    }

    pub fn members(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|m| m.as_ref())
    }
}
