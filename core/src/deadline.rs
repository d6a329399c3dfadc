//! The end of a wait, by the monotonic clock, which does not go back when the time is set.

use std::time::{Duration, Instant};

/// The end of a wait. `None` lies beyond what the clock can count to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// The end of a wait that begins now.
    pub fn after(now: Instant, wait: Duration) -> Self {
        Deadline(now.checked_add(wait))
    }

    /// A deadline `wait` after this one.
    #[must_use]
    pub fn later(self, wait: Duration) -> Self {
        Deadline(self.0.and_then(|at| at.checked_add(wait)))
    }

    /// Whether the wait is over.
    pub fn has_passed(self, now: Instant) -> bool {
        self.0.is_some_and(|at| now >= at)
    }
}
