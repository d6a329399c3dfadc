//! Why it is not established, or not yet, who presented a credential.

use crate::verification::unspent::Unspent;
use crate::verification::unverified::Unverified;

/// Why there is no [`Verified`](crate::verification::Verified).
#[derive(Debug)]
pub enum Unproven {
    /// The proof holds, and counts once it is spent.
    Unspent(Box<Unspent>),
    /// There is none.
    Unverified(Unverified),
}

// === impl Unproven ===

impl<U: Into<Unverified>> From<U> for Unproven {
    fn from(unverified: U) -> Self {
        Unproven::Unverified(unverified.into())
    }
}
