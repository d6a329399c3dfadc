//! How old what was fetched may be.

use std::time::Duration;

use crate::time::UnixTime;

/// How far the clock may seem to go back without having been set back.
pub(super) const CLOCK_SLACK: Duration = Duration::from_secs(1);

/// Whether what was fetched at a time is no older than it may be. What seems to come from the future may
/// be of any age.
pub(super) fn is_fresh(at: UnixTime, max_staleness: Duration, now: UnixTime) -> bool {
    at <= now.plus(CLOCK_SLACK) && now.since(at) <= max_staleness
}
