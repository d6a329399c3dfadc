//! A budget that the workers of an Envoy process share.

use portcullis_core::budget::SharedBudget;
use portcullis_core::budget::book::BudgetBook;
use portcullis_core::budget::map::{Broken, Held, SharedMap};
use portcullis_core::budget::process::Process;
use proxy_wasm::hostcalls;
use proxy_wasm::types::Status;

use crate::shared_data::{ONLY_IF_ABSENT, PREFIX};

/// This worker's way to a budget.
pub type BudgetShare = SharedBudget<HostMap>;

/// The host's map of shared data.
#[derive(Clone, Copy, Debug)]
pub struct HostMap;

/// The budget that all configurations with such a book share. `None` where nothing can be spent from any budget: the
/// host has no random numbers, or does not give back what it was given.
pub fn open(book: BudgetBook) -> Option<BudgetShare> {
    let prefix = format!("{PREFIX}/budget");
    let mut random = [0; 32];
    getrandom::fill(&mut random).ok()?;
    let process = Process::join(&HostMap, &format!("{prefix}/process"), random)?;
    Some(SharedBudget::new(HostMap, &prefix, book, process))
}

// === impl HostMap ===

impl SharedMap for HostMap {
    fn get(&self, key: &str) -> Result<Held, Broken> {
        let (bytes, version) = hostcalls::get_shared_data(key).map_err(|_| Broken)?;
        Ok(Held {
            // The host has no bytes for a key whose value is empty.
            bytes: version.map(|_| bytes.unwrap_or_default()),
            version,
        })
    }

    fn swap(&self, key: &str, read: &Held, bytes: &[u8]) -> Result<bool, Broken> {
        // Compare-and-swap on a missing key would let every worker succeed.
        let version = read.version.or(ONLY_IF_ABSENT);
        match hostcalls::set_shared_data(key, Some(bytes), version) {
            Ok(()) => Ok(true),
            Err(Status::CasMismatch) => Ok(false),
            Err(_) => Err(Broken),
        }
    }
}
