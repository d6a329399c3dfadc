//! What counts once in an Envoy process, and the tables that remember it for all of its workers.

use crate::limits::SPENT_APPROVALS;
use crate::policy::Policy;
use crate::policy::provider::ProviderId;
use crate::secret::Digest;
use crate::spent::{SpentTable, WhenFull};
use crate::time::UnixTime;

/// Which table remembers it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SpentId {
    /// An approval that counts once (RFC 9396), of any provider.
    Approval,
    /// A proof of possession (RFC 9449 §11.1) for a token of this provider.
    Proof(ProviderId),
}

/// Something that is to be spent.
#[derive(Clone, Copy, Debug)]
pub struct Expense {
    /// Which table remembers it.
    pub id: SpentId,
    /// What identifies it.
    pub digest: Digest,
    /// Up to and including then it counts.
    pub until: UnixTime,
}

/// A table that a policy needs.
#[derive(Clone, Debug)]
pub struct SpentBook {
    /// Which it is.
    pub id: SpentId,
    /// Who names the things in it: another configuration with the same one shares the table.
    pub scope: Box<str>,
    /// Its size, and what it does when it is full.
    pub table: SpentTable,
}

/// All tables that a policy needs.
pub fn books(policy: &Policy) -> Vec<SpentBook> {
    let providers = policy.providers.iter();
    let books = providers.filter_map(|provider| {
        let dpop = provider.dpop.as_ref()?;
        Some(SpentBook {
            id: SpentId::Proof(provider.id),
            scope: provider.issuer.clone(),
            table: SpentTable::new(dpop.replay_cache_entries, WhenFull::ForgetOldest),
        })
    });
    let approvals = policy.rules.iter().any(|rule| rule.asks_for_approval());
    let approvals = approvals.then(|| SpentBook {
        id: SpentId::Approval,
        // Each approval names its issuer itself.
        scope: "".into(),
        table: SpentTable::new(SPENT_APPROVALS, WhenFull::Refuse),
    });
    books.chain(approvals).collect()
}

// === impl SpentId ===

impl SpentId {
    /// Keeps tables of different kinds apart where they are shared.
    pub fn name(self) -> &'static str {
        match self {
            SpentId::Approval => "approvals",
            SpentId::Proof(_) => "proofs",
        }
    }
}
