//! The age of fetched documents.

use std::time::Duration;

use crate::time::UnixTime;

/// How far the clock may seem to go back without having been set back.
pub(super) const CLOCK_SLACK: Duration = Duration::from_secs(1);

/// Whether a document is not older than allowed. A document with a date in the future may be of any age, so it
/// is not fresh.
pub(super) fn is_fresh(at: UnixTime, max_staleness: Duration, now: UnixTime) -> bool {
    at <= now.plus(CLOCK_SLACK) && now.since(at) <= max_staleness
}
