//! What a budget's ledger is, and how it is asked.

use crate::secret::Digest;

/// How a budget spends from a ledger.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LedgerTerms {
    /// Which ledger it is.
    pub ledger: LedgerId,
    /// How much is asked for at a time.
    pub lease: LeaseSize,
    /// Whether the whole limit may be spent here while the ledger does not answer.
    pub allow_local: bool,
}

/// What tells ledgers apart. Nothing that one has granted can be spent from another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LedgerId(u64);

/// How much is asked for at a time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LeaseSize {
    /// This many millionths of the limit.
    Share(u64),
    /// This much.
    Fixed(u64),
}

// === impl LedgerId ===

impl LedgerId {
    /// The ledger at this address.
    pub fn of(address: &[u8]) -> Self {
        let (first, _) = Digest::sha256(address)
            .as_bytes()
            .split_first_chunk()
            .map(|(first, rest)| (*first, rest.len()))
            .unwrap_or_default();
        LedgerId(u64::from_le_bytes(first))
    }

    /// The number that stands for it.
    pub fn number(self) -> u64 {
        self.0
    }
}

// === impl LeaseSize ===

impl LeaseSize {
    /// The size for a limit; at least one.
    pub fn of(self, limit: u64) -> u64 {
        let size = match self {
            LeaseSize::Share(millionths) => {
                let size = u128::from(limit).saturating_mul(u128::from(millionths));
                let size = size.checked_div(1_000_000).unwrap_or_default();
                u64::try_from(size).unwrap_or(u64::MAX)
            }
            LeaseSize::Fixed(size) => size,
        };
        size.max(1)
    }
}
