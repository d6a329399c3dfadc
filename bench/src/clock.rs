//! The only file that reads a clock.

#![allow(clippy::disallowed_methods)] // the ban is for the filter's core

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Seconds since the epoch.
pub fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// As in 2026-01-31.
pub fn today() -> String {
    let day = unix_seconds() / 86_400;
    // Years that begin in March, so that the leap day is the last (the Gregorian cycle has 146,097 days).
    let day_of_cycle = (day + 719_468) % 146_097;
    let year_of_cycle =
        (day_of_cycle - day_of_cycle / 1460 + day_of_cycle / 36_524 - day_of_cycle / 146_096) / 365;
    let day_of_year =
        day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = year_of_cycle + (day + 719_468) / 146_097 * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day_of_month:02}")
}

/// The monotonic clock.
pub fn now() -> Instant {
    Instant::now()
}

/// Polls until `probe` yields something.
pub fn poll<T>(limit: Duration, mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = now() + limit;
    loop {
        if let Some(found) = probe() {
            return Some(found);
        }
        if now() >= deadline {
            return None;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
