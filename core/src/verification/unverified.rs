//! Why a credential is not verified, or not yet.

use std::time::Duration;

use crate::verification::callout::{Callout, Fetch};
use crate::verification::refusal::Refusal;
use crate::verification::source::SourceId;

/// Why there is no [`Verified`](crate::verification::Verified).
#[derive(Debug)]
pub enum Unverified {
    /// Something has to be known first.
    Await(Callout),
    /// The credential is refused.
    Refused(Refusal),
}

// === impl Unverified ===

impl Unverified {
    /// A document is needed that is not held: it has to be fetched, or could not be.
    pub(super) fn without_document(source: SourceId, fetch: Option<Fetch>) -> Self {
        let retry_after = match fetch {
            None => return Unverified::Await(Callout::Source(source)),
            Some(Fetch::Arrived) => Duration::ZERO,
            Some(Fetch::Failed { retry_after }) => retry_after,
        };
        Refusal::KeysUnavailable { retry_after }.into()
    }
}

impl<R: Into<Refusal>> From<R> for Unverified {
    fn from(reason: R) -> Self {
        Unverified::Refused(reason.into())
    }
}
