//! Token budgets: who shares one, how much it holds, and for how long.

use std::time::Duration;

use crate::api::Unit;
use crate::ledger::terms::{LeaseSize, LedgerId, LedgerTerms};
use crate::policy::claim::ClaimId;
use crate::policy::endpoint::Endpoint;

pub use crate::config::bodies::Part;

/// A budget: its index in [`Policy::budgets`](crate::policy::Policy::budgets).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct BudgetId(pub usize);

/// How much callers may use in a window of time.
#[derive(Debug)]
pub struct Budget {
    /// Which it is.
    pub id: BudgetId,
    /// Its name.
    pub name: Box<str>,
    /// Callers that agree in all of these share one. Their provider is always part of it.
    pub per: Vec<Part>,
    /// How much each may use.
    pub limit: Limit,
    /// Windows begin at multiples of it since 1970. Whole seconds; never zero.
    pub window: Duration,
    /// What is counted.
    pub unit: Unit,
    /// Reserved for a request that names no maximum.
    pub default_output_tokens: u64,
    /// Added to the input of a request whose body refers elsewhere.
    pub default_input_tokens: u64,
    /// Who keeps it for many Envoy processes; `None`: this process keeps it for itself.
    pub ledger: Option<Ledger>,
}

/// How much a caller may use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Limit {
    /// What this claim says.
    Claim {
        /// The claim.
        claim: ClaimId,
        /// For callers that lack it. Without one they are refused.
        default: Option<u64>,
    },
    /// This much, whoever asks.
    Fixed(u64),
}

/// A ledger that many Envoy processes spend from.
#[derive(Debug)]
pub struct Ledger {
    /// Where it is.
    pub endpoint: Endpoint,
    /// How much is asked for at a time.
    pub lease: LeaseSize,
    /// Whether the budget is spent here while the ledger is unavailable.
    pub allow_local: bool,
}

// === impl Ledger ===

impl Ledger {
    /// How leases are asked for and spent.
    pub fn terms(&self) -> LedgerTerms {
        let Endpoint {
            cluster,
            scheme,
            authority,
            path,
            ..
        } = &self.endpoint;
        let address = format!("{cluster}\0{scheme}\0{authority}\0{path}");
        LedgerTerms {
            ledger: LedgerId::of(address.as_bytes()),
            lease: self.lease,
            allow_local: self.allow_local,
        }
    }
}
