//! A budget that the workers of an Envoy process share, and the ledger that may keep it.

use portcullis_core::budget::book::BudgetBook;
use portcullis_core::budget::caller::{CallerId, CallerKey};
use portcullis_core::budget::map::{Broken, Held, SharedMap};
use portcullis_core::budget::process::Process;
use portcullis_core::budget::reserved::{Balance, Reservation, Reserved};
use portcullis_core::budget::{SharedBudget, Trouble};
use portcullis_core::ledger::WorkerBudget;
use portcullis_core::ledger::leases::LedgerCall;
use portcullis_core::ledger::terms::LedgerTerms;
use portcullis_core::time::UnixTime;
use proxy_wasm::hostcalls;
use proxy_wasm::types::Status;

use crate::clock;
use crate::shared_data::{ONLY_IF_ABSENT, PREFIX};

/// This worker's way to a budget.
pub struct BudgetShare(WorkerBudget<HostMap>);

/// The host's map of shared data.
#[derive(Clone, Copy, Debug)]
struct HostMap;

// === impl BudgetShare ===

impl BudgetShare {
    /// The budget that all configurations with such a book share. `None` where nothing can be spent from any budget: the
    /// host has no random numbers, or does not give back what it was given.
    pub fn open(book: BudgetBook, terms: Option<LedgerTerms>) -> Option<Self> {
        let prefix = format!("{PREFIX}/budget");
        let mut random = [0; 32];
        getrandom::fill(&mut random).ok()?;
        let process = Process::join(&HostMap, &format!("{prefix}/process"), random)?;
        let budget = SharedBudget::new(HostMap, &prefix, book, process);
        Some(BudgetShare(WorkerBudget::new(budget, terms)))
    }

    /// The caller of this provider with these values of the budget's parts, in their order.
    pub fn caller(&self, provider: &str, parts: &[&str]) -> CallerKey {
        self.0.caller(provider, parts)
    }

    /// Reserves an estimate, if it fits into the caller's limit and, with a ledger, into what was granted. After it
    /// there may be calls to make: see [`BudgetShare::calls`].
    pub fn reserve(
        &mut self,
        caller: &CallerKey,
        limit: u64,
        estimate: u64,
        now: UnixTime,
    ) -> Reserved {
        self.0.reserve(caller, limit, estimate, now, &mut draw)
    }

    /// A request has ended and used this much.
    pub fn settle(&mut self, reservation: Reservation, used: u64, now: UnixTime) {
        self.0.settle(reservation, used, now);
    }

    /// A request does not go on, so it uses nothing.
    pub fn give_back(&mut self, reservation: Reservation, now: UnixTime) {
        self.0.give_back(reservation, now);
    }

    /// Something was used that nobody had reserved.
    pub fn charge(&mut self, caller: &CallerKey, used: u64, now: UnixTime) -> Result<(), Trouble> {
        self.0.charge(caller, used, now)
    }

    /// What is left of a limit.
    pub fn peek(&self, caller: &CallerKey, limit: u64, now: UnixTime) -> Result<Balance, Trouble> {
        self.0.peek(caller, limit, now)
    }

    /// Writes what could not be written before, and gives back what is idle. After it there may be calls to make.
    pub fn tick(&mut self, now: UnixTime) {
        self.0.tick(now, &mut draw);
    }

    /// The calls to make to the ledger now. The end of each, whatever it is, goes to [`BudgetShare::answered`].
    pub fn calls(&mut self, now: UnixTime) -> Vec<LedgerCall> {
        self.0.take_calls(now, &mut draw)
    }

    /// The body of an answer with status 200 to the call for this caller; `None` where there is none. Then there may
    /// be calls to make, and it is worth another attempt for those who wait. False where that was no answer.
    pub fn answered(&mut self, caller: CallerId, answer: Option<&[u8]>, now: UnixTime) -> bool {
        self.0.answered(caller, answer, now, &mut draw)
    }
}

impl Drop for BudgetShare {
    /// What could not be written since the last tick.
    fn drop(&mut self) {
        self.0.flush(clock::now());
    }
}

fn draw() -> Option<u128> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).ok()?;
    Some(u128::from_le_bytes(random))
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
