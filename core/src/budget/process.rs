//! What an Envoy process draws at random for its budgets.

use crate::budget::map::SharedMap;
use crate::secret::FingerprintKey;

/// What an Envoy process draws at random, once for all of its workers.
#[derive(Clone, Debug)]
pub struct Process {
    /// The key of its callers' ids.
    pub seed: FingerprintKey,
    /// What ledgers know it by.
    pub holder: u128,
}

impl Process {
    /// Whoever comes first draws it, for the life of the process. `key` is its name in the map, `random` what
    /// this worker has drawn. `None` where the host fails, or holds something else there.
    pub fn join(map: &impl SharedMap, key: &str, random: [u8; 32]) -> Option<Process> {
        let absent = map.get(key).ok()?;
        if absent.bytes.is_none() {
            // Where it is not written another worker was faster.
            map.swap(key, &absent, &random).ok()?;
        }
        let drawn = map.get(key).ok()?.bytes?;
        let (seed, holder) = drawn.split_first_chunk::<16>()?;
        Some(Process {
            seed: FingerprintKey::new(*seed),
            holder: u128::from_le_bytes(holder.try_into().ok()?),
        })
    }
}
