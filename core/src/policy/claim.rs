//! Names of claims.

/// A claim that a rule or a forwarded header asks about: its index in
/// [`Policy::claims`](crate::policy::Policy::claims), and in the claims of every principal. A principal
/// that has nothing at this index lacks the claim, and lacking one never permits.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ClaimId(pub usize);

/// The members that lead to a claim, outermost first; never empty.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct ClaimPath(Vec<Box<str>>);

/// A claim that API keys have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ApiKeyClaim {
    /// `sub` and `client_id`.
    Client,
    /// `tenant`, where the key has one.
    Tenant,
    /// `scope`, where the key has scopes: separated by spaces.
    Scope,
    /// `models`, where the key has a list: an array.
    #[cfg(feature = "ai")]
    Models,
    /// `token_budget`, where the key has one: a number.
    #[cfg(feature = "ai")]
    TokenBudget,
}

// === impl ClaimPath ===

impl ClaimPath {
    /// `None` where there is no member, or an empty one.
    pub fn new(members: impl IntoIterator<Item = Box<str>>) -> Option<Self> {
        let members: Vec<_> = members.into_iter().collect();
        let is_valid = !members.is_empty() && members.iter().all(|m| !m.is_empty());
        is_valid.then_some(ClaimPath(members))
    }

    /// A claim that is a member of the claims themselves.
    pub fn of_member(name: &str) -> Self {
        ClaimPath(vec![name.into()])
    }

    /// `realm_access.roles`: split at dots.
    pub fn from_dotted(path: &str) -> Option<Self> {
        ClaimPath::new(path.split('.').map(Box::from))
    }

    /// The members, outermost first.
    pub fn members(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|m| m.as_ref())
    }

    /// What it is of an API key; `None` where keys lack it.
    pub fn of_api_key(&self) -> Option<ApiKeyClaim> {
        let [name] = self.0.as_slice() else {
            return None;
        };
        match name.as_ref() {
            "sub" | "client_id" => Some(ApiKeyClaim::Client),
            "tenant" => Some(ApiKeyClaim::Tenant),
            "scope" => Some(ApiKeyClaim::Scope),
            #[cfg(feature = "ai")]
            "models" => Some(ApiKeyClaim::Models),
            #[cfg(feature = "ai")]
            "token_budget" => Some(ApiKeyClaim::TokenBudget),
            _ => None,
        }
    }
}
