//! Until when somebody waits, by the monotonic clock: it does not go back when the time is set.

use std::time::{Duration, Instant};

use crate::host;

/// None lies beyond what the clock can count to.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    pub fn after(wait: Duration) -> Self {
        Deadline(host::instant().checked_add(wait))
    }

    #[must_use]
    pub fn later(self, wait: Duration) -> Self {
        Deadline(self.0.and_then(|at| at.checked_add(wait)))
    }

    pub fn has_passed(self, now: Instant) -> bool {
        self.0.is_some_and(|at| now >= at)
    }
}
