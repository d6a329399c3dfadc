//! What comes of a request's attempt to reserve something.

use crate::budget::caller::CallerKey;
use crate::budget::window::Window;

/// What came of the attempt to reserve something.
#[derive(Debug)]
pub enum Reserved {
    /// It is reserved.
    Admitted(Reservation, Balance),
    /// It does not fit into what is left.
    Refused(Balance),
    /// There is no room for another caller.
    Full,
    /// Nobody knows, so nothing is spent.
    Unavailable,
    /// A ledger is asked. It is worth another attempt when the question is answered that this worker asks for the
    /// caller.
    Waiting,
}

/// What is reserved for a request, until it is settled or given back. One that is dropped counts as spent.
#[derive(Debug)]
#[must_use = "what is reserved has to be settled or given back"]
pub struct Reservation {
    caller: CallerKey,
    window: Window,
    limit: u64,
    estimate: u64,
}

/// What a caller has left.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Balance {
    /// The limit less what is spent and reserved; never below zero.
    pub remaining: u64,
    /// In which window.
    pub window: Window,
}

// === impl Reservation ===

impl Reservation {
    pub(crate) fn new(caller: &CallerKey, window: Window, limit: u64, estimate: u64) -> Self {
        Reservation {
            caller: caller.clone(),
            window,
            limit,
            estimate,
        }
    }

    /// For whom it is.
    pub fn caller(&self) -> &CallerKey {
        &self.caller
    }

    /// In which window.
    pub fn window(&self) -> Window {
        self.window
    }

    /// The limit that it fitted into.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// How much is reserved.
    pub fn estimate(&self) -> u64 {
        self.estimate
    }
}
