//! What a request is charged to: the budgets of its rule, and who shares each.

use std::fmt::Write as _;
use std::rc::Rc;
use std::time::Duration;

use crate::api::{Estimate, Unit};
use crate::limits::WHOLE_NUMBER;
use crate::policy::budget::{Budget, Limit, Part};
use crate::verification::principal::Principal;

/// What one request is charged to one budget.
#[derive(Clone, Debug)]
pub struct Charge {
    /// The budget.
    pub budget: Rc<Budget>,
    /// Whose credential it was.
    pub provider: Box<str>,
    /// What the budget tells callers apart by, in its order.
    pub parts: Vec<Box<str>>,
    /// How much they may use in one window.
    pub limit: u64,
    /// What the request is thought to use.
    pub estimate: Estimate,
}

/// How a budget stands for one caller.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Standing {
    /// The budget's name.
    pub name: Box<str>,
    /// How much there is in one window.
    pub limit: u64,
    /// How long a window is.
    pub window: Duration,
    /// What is left in this one.
    pub remaining: u64,
    /// When it ends, from now.
    pub ends_in: Duration,
}

/// The caller lacks something that a budget tells callers apart by, or has no number of its own that it needs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Unchargeable;

impl Charge {
    /// What a caller's request is charged to `budget`. `model` is the name of the entry that allows the request's model.
    pub fn new(
        budget: &Rc<Budget>,
        principal: &Principal,
        model: Option<&str>,
        estimate: Estimate,
    ) -> Result<Self, Unchargeable> {
        Ok(Charge {
            budget: Rc::clone(budget),
            provider: principal.provider_name().into(),
            parts: parts(budget, principal, model)?,
            limit: limit(budget, principal)?,
            estimate,
        })
    }

    /// How much has to be left for the request to be admitted.
    pub fn amount(&self) -> u64 {
        let Estimate { input, output } = self.estimate;
        match self.budget.unit {
            Unit::InputTokens => input,
            Unit::OutputTokens => output,
            Unit::Requests => 1,
            Unit::TotalTokens => input.saturating_add(output),
        }
    }
}

fn parts(
    budget: &Budget,
    principal: &Principal,
    model: Option<&str>,
) -> Result<Vec<Box<str>>, Unchargeable> {
    let value = |part: &Part| {
        let value = match part {
            Part::ClientId => principal.client_id.as_deref(),
            Part::KeyId => principal.key_id.as_deref(),
            Part::Model => model,
            Part::Subject => principal.subject.as_deref(),
            Part::Tenant => principal.tenant.as_deref(),
        };
        // Nobody is told apart by nothing.
        let value = value.filter(|value| !value.is_empty());
        value.map(Box::from).ok_or(Unchargeable)
    };
    budget.per.iter().map(value).collect()
}

fn limit(budget: &Budget, principal: &Principal) -> Result<u64, Unchargeable> {
    let (claim, default) = match budget.limit {
        Limit::Fixed(limit) => return Ok(limit),
        Limit::Claim { claim, default } => (claim, default),
    };
    match principal.claim(claim) {
        Some(value) => value
            .as_whole()
            .filter(|n| *n <= WHOLE_NUMBER)
            .ok_or(Unchargeable),
        None => default.ok_or(Unchargeable),
    }
}

/// `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers), one item for each budget in its order.
pub fn rate_limit_headers(standings: &[Standing]) -> Option<(String, String)> {
    let (mut policy, mut state) = (String::new(), String::new());
    for standing in standings {
        let Standing {
            name,
            limit,
            window,
            remaining,
            ends_in,
        } = standing;
        let comma = if policy.is_empty() { "" } else { ", " };
        let (window, ends_in) = (window.as_secs(), whole_seconds(*ends_in));
        let _ = write!(policy, "{comma}\"{name}\";q={limit};w={window}");
        let _ = write!(state, "{comma}\"{name}\";r={remaining};t={ends_in}");
    }
    (!policy.is_empty()).then_some((policy, state))
}

/// Rounded up, and one at least: a client that comes back at once would be refused again.
pub fn whole_seconds(duration: Duration) -> u64 {
    let more = u64::from(duration.subsec_nanos() > 0);
    duration.as_secs().saturating_add(more).max(1)
}
