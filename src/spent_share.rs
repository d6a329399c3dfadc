//! A table of what counts once, shared by the workers of an Envoy process.

use portcullis_core::secret::{Digest, FingerprintKey};
use portcullis_core::spent::{Mark, Spending, Spent, SpentTable};
use portcullis_core::time::UnixTime;
use portcullis_core::verification::spending::{Expense, SpentBook, SpentId};
use proxy_wasm::hostcalls;
use proxy_wasm::types::Status;

use crate::shared_data::{ONLY_IF_ABSENT, PREFIX};

/// A table in the shared map: one key for each bucket, and one for the key of its marks.
pub struct SpentShare {
    id: SpentId,
    table: SpentTable,
    /// `None` where nothing can be spent: the host has no random numbers, or does not give the key back.
    marks: Option<FingerprintKey>,
    prefix: String,
}

/// How often a bucket is written before the thing counts as unrecorded. Each failure says that another
/// worker's write succeeded, which takes microseconds; so many in a row are no coincidence.
const ATTEMPTS: usize = 100;

// === impl SpentShare ===

impl SpentShare {
    /// The table that every configuration with a table of the same kind, scope and shape shares.
    pub fn open(book: SpentBook) -> Self {
        let SpentBook { id, scope, table } = book;
        let scope = base16ct::lower::encode_string(Digest::sha256(scope.as_bytes()).as_bytes());
        let prefix = format!("{PREFIX}/{}/{scope}", id.name());
        SpentShare {
            id,
            table,
            marks: marks(&format!("{prefix}/key")),
            prefix: format!("{prefix}/{}", table.buckets()),
        }
    }

    /// Which table it is.
    pub fn id(&self) -> SpentId {
        self.id
    }

    /// Spends something for all workers. The number is how much that still counted was forgotten to make room.
    pub fn spend(&self, expense: &Expense, now: UnixTime) -> (Spent, usize) {
        let Some(marks) = &self.marks else {
            return (Spent::Unrecorded, 0);
        };
        let mark = Mark::new(marks, &expense.digest);
        let key = format!("{}/{}", self.prefix, self.table.bucket_of(mark));
        for _ in 0..ATTEMPTS {
            let Ok((held, cas)) = hostcalls::get_shared_data(&key) else {
                break;
            };
            let spending = self.table.spend(held.as_deref(), mark, expense.until, now);
            let (bucket, forgotten) = match spending {
                Spending::Again => return (Spent::Again, 0),
                Spending::First { bucket, forgotten } => (bucket, forgotten),
                Spending::Full => break,
            };
            // Compare-and-swap on a missing key would let every worker succeed.
            match hostcalls::set_shared_data(&key, Some(&bucket), cas.or(ONLY_IF_ABSENT)) {
                Ok(()) => return (Spent::First, forgotten),
                Err(Status::CasMismatch) => {}
                Err(_) => break,
            }
        }
        (Spent::Unrecorded, 0)
    }
}

/// The key of a table's marks: whoever comes first draws it, for the life of the process.
fn marks(name: &str) -> Option<FingerprintKey> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).ok()?;
    // A mismatch says that it is drawn already.
    let _ = hostcalls::set_shared_data(name, Some(&random), ONLY_IF_ABSENT);
    let (key, _) = hostcalls::get_shared_data(name).ok()?;
    Some(FingerprintKey::new(key?.try_into().ok()?))
}
