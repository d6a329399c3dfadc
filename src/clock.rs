//! The two clocks of the host.

use std::time::{Instant, UNIX_EPOCH};

use portcullis_core::time::UnixTime;
use proxy_wasm::hostcalls;

/// The time of day.
pub fn now() -> UnixTime {
    match hostcalls::get_current_time().map(|time| time.duration_since(UNIX_EPOCH)) {
        Ok(Ok(elapsed)) => UnixTime::since_epoch(elapsed),
        // A clock that fails must not make expired tokens good.
        Ok(Err(_)) | Err(_) => UnixTime::FAR_FUTURE,
    }
}

/// The monotonic clock, for how long somebody waits.
#[allow(
    clippy::disallowed_methods,
    reason = "the filter is where clocks are read"
)]
pub fn instant() -> Instant {
    Instant::now()
}
