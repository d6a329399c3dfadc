//! A caller whose proof of possession has to be spent before it counts (RFC 9449 §11.1).

use crate::spent::Spent;
use crate::verification::proof::InvalidProof;
use crate::verification::spending::Expense;
use crate::verification::verified::Verified;

/// A caller whose proof holds, if nobody has used it before. Nothing of the request changes while it is spent, so
/// neither token nor proof is verified again.
#[derive(Clone, Debug)]
pub struct Unspent {
    verified: Verified,
    expense: Expense,
}

// === impl Unspent ===

impl Unspent {
    pub(super) fn new(verified: Verified, expense: Expense) -> Self {
        Unspent { verified, expense }
    }

    /// What has to be spent.
    pub fn expense(&self) -> Expense {
        self.expense
    }

    /// The caller, if the proof was spent now.
    pub(super) fn spend(&self, spent: Spent) -> Result<Verified, InvalidProof> {
        match spent {
            Spent::First => Ok(self.verified.clone()),
            Spent::Again => Err(InvalidProof::Replayed),
            Spent::Unrecorded => Err(InvalidProof::Unrecorded),
        }
    }
}
