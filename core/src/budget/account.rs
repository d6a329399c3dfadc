//! What one caller has used in a window.

use crate::limits::WHOLE_NUMBER;
use crate::time::UnixTime;

/// What one caller has used in a window, and what a ledger has granted it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Account {
    /// What is spent or reserved, in one number. A reservation of a worker that is lost counts as spent, so it
    /// does not matter whose it was: when a request ends, the difference to its estimate is added, and nothing
    /// is left to do for one that never ends.
    total: u64,
    /// What a ledger has granted.
    pub lease: Option<Lease>,
}

/// What a ledger has granted a caller in a window. `portcullis_core::ledger` has the rules.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Lease {
    /// Which ledger it was. Nothing that one has granted can be spent from another.
    pub ledger: u64,
    /// All that it granted and that was not given back.
    pub granted: u64,
    /// What it had granted to others when it answered last.
    pub elsewhere: u64,
    /// When something was reserved or settled last.
    pub used_at: UnixTime,
    /// When it last granted nothing.
    pub refused_at: UnixTime,
    /// What it was asked and has not answered.
    pub question: Option<Question>,
}

/// A question that a ledger has not answered. Asked again, it gets the same answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Question {
    /// Drawn at random.
    pub id: u128,
    /// How much is asked for.
    pub want: u64,
    /// How much the caller may use in the whole window.
    pub limit: u64,
}

// === impl Account ===

impl Account {
    /// What of it a worker has written. Any number may stand there.
    pub const fn new(total: u64, lease: Option<Lease>) -> Self {
        Account { total, lease }
    }

    /// What is spent or reserved.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Whether an estimate fits into a limit. A limit of zero is for nobody, even for requests that cost nothing.
    pub fn admits(&self, limit: u64, estimate: u64) -> bool {
        let limit = limit.min(WHOLE_NUMBER);
        limit > 0 && self.total.saturating_add(estimate) <= limit
    }

    /// What is left of a limit.
    pub fn remaining(&self, limit: u64) -> u64 {
        limit.min(WHOLE_NUMBER).saturating_sub(self.total)
    }

    /// Adds to what is spent or reserved, or takes from it what was reserved and not used.
    pub fn change(&mut self, by: i128) {
        // Beyond the largest number nobody knows how much it is, and what is taken from it may be less.
        if self.total == u64::MAX {
            return;
        }
        let changed = i128::from(self.total).saturating_add(by).max(0);
        self.total = u64::try_from(changed).unwrap_or(u64::MAX);
    }

    /// Whether there is nothing to remember.
    pub fn is_empty(&self) -> bool {
        self.total == 0 && self.lease.is_none()
    }
}

#[cfg(test)]
mod tests;
