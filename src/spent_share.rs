//! A table of what counts once, shared by the workers of an Envoy process.

use portcullis_core::secret::{Digest, FingerprintKey};
use portcullis_core::spent::{Mark, Spending, Spent, SpentTable};
use portcullis_core::time::UnixTime;
use proxy_wasm::hostcalls;
use proxy_wasm::types::Status;

use crate::shared_data::{ONLY_IF_ABSENT, PREFIX};

/// A table in the shared map: one key for each bucket, and one for the key of its marks.
pub struct SpentShare {
    table: SpentTable,
    marks: FingerprintKey,
    prefix: String,
}

/// How often a bucket is written before the thing counts as unrecorded. Each failure says that another
/// worker's write succeeded, which takes microseconds; so many in a row are no coincidence.
const ATTEMPTS: usize = 100;

// === impl SpentShare ===

impl SpentShare {
    /// The table for things of one `kind` within one `scope`, which is whoever gives them their names. Every
    /// configuration with a table of the same shape shares it.
    ///
    /// `None` where the host has no random numbers, or does not give back the key that the marks share.
    pub fn open(kind: &str, scope: &str, table: SpentTable) -> Option<Self> {
        let scope = base16ct::lower::encode_string(Digest::sha256(scope.as_bytes()).as_bytes());
        let prefix = format!("{PREFIX}/{kind}/{scope}");
        let name = format!("{prefix}/key");
        let mut random = [0; 16];
        getrandom::fill(&mut random).ok()?;
        // A mismatch says that another worker, or an earlier configuration, has drawn it.
        let _ = hostcalls::set_shared_data(&name, Some(&random), ONLY_IF_ABSENT);
        let (key, _) = hostcalls::get_shared_data(&name).ok()?;
        Some(SpentShare {
            table,
            marks: FingerprintKey::new(key?.try_into().ok()?),
            prefix: format!("{prefix}/{}", table.buckets()),
        })
    }

    /// Spends what `digest` identifies, for all workers; it counts up to and including `until`. The number is
    /// how many things that still counted were forgotten to make room.
    pub fn spend(&self, digest: &Digest, until: UnixTime, now: UnixTime) -> (Spent, usize) {
        let mark = Mark::new(&self.marks, digest);
        let key = format!("{}/{}", self.prefix, self.table.bucket_of(mark));
        for _ in 0..ATTEMPTS {
            let Ok((held, cas)) = hostcalls::get_shared_data(&key) else {
                break;
            };
            let (bucket, forgotten) = match self.table.spend(held.as_deref(), mark, until, now) {
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
