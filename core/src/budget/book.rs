//! Which budget it is, and how much memory it may take.

use std::time::Duration;

use crate::api::Unit;
use crate::limits::BUDGET_CALLERS;
use crate::secret::Digest;

/// A budget that a policy needs. Configurations that agree in the name, `per`, the window and the unit share it.
#[derive(Clone, Debug)]
pub struct BudgetBook {
    /// Its name.
    pub name: Box<str>,
    /// The names of the parts that callers are told apart by.
    pub per: Vec<Box<str>>,
    /// Windows begin at multiples of it since 1970. Whole seconds.
    pub window: Duration,
    /// What is counted.
    pub unit: Unit,
    /// How many callers it has room for.
    pub table: BudgetTable,
}

/// How many callers a budget has room for, in a number of buckets that is always the same: with another number,
/// a new configuration would not find what has been spent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BudgetTable {
    callers: usize,
}

/// One key each in a map whose keys are never freed. A bucket has 32 callers at the default size.
const BUCKETS: u128 = 2048;

// === impl BudgetBook ===

impl BudgetBook {
    /// What tells it from other budgets, for the names of keys.
    pub fn digest(&self) -> String {
        let unit = match self.unit {
            Unit::InputTokens => "input_tokens",
            Unit::OutputTokens => "output_tokens",
            Unit::Requests => "requests",
            Unit::TotalTokens => "total_tokens",
        };
        let window = self.window.as_secs().to_string();
        let mut bytes = Vec::new();
        let parts = self.per.iter().map(|part| &**part);
        for part in [&self.name, unit, &window].into_iter().chain(parts) {
            bytes.extend_from_slice(&part.len().to_le_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        // Half of it is beyond any accident, and the host keeps it with each key.
        format!("{:032x}", Digest::sha256(&bytes).first_half())
    }
}

// === impl BudgetTable ===

impl BudgetTable {
    /// Room for at least `callers`, up to [`BUDGET_CALLERS`].
    pub fn new(callers: usize) -> Self {
        BudgetTable {
            callers: callers.clamp(1, BUDGET_CALLERS),
        }
    }

    /// How many accounts there may be. More than the callers that it has room for, since a worker that is lost
    /// between taking a place and filling it leaves it empty; at most twice as many.
    pub fn places(self) -> usize {
        self.callers.saturating_add(self.callers.div_ceil(2))
    }

    /// Which bucket has the account of the caller with these bits.
    pub fn bucket_of(self, caller: u128) -> u128 {
        // The bits are as good as random, and this divides without a remainder.
        (caller >> 64).checked_rem(BUCKETS).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
