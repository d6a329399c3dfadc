//! The only clock type. Nothing in the core reads a clock: time is an argument.

use std::fmt;
use std::time::Duration;

use time::OffsetDateTime;

use crate::json::Number;
use crate::limits::LAST_SECOND;

const MICROS: i64 = 1_000_000;

/// Microseconds since the Unix epoch; arithmetic on it saturates.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct UnixTime(i64);

impl UnixTime {
    /// Before every other time.
    pub const FAR_PAST: UnixTime = UnixTime(i64::MIN);
    /// After every other time.
    pub const FAR_FUTURE: UnixTime = UnixTime(i64::MAX);

    /// Seconds since the Unix epoch.
    pub const fn from_secs(seconds: i64) -> Self {
        UnixTime(seconds.saturating_mul(MICROS))
    }

    /// What the system clock says: the duration since the Unix epoch.
    pub fn since_epoch(elapsed: Duration) -> Self {
        UnixTime(micros(elapsed))
    }

    /// A NumericDate (RFC 7519 §2): a fraction and a negative number are allowed, years after
    /// 9999 and before -9999 are not.
    pub fn from_numeric_date(number: &Number) -> Option<Self> {
        // As nearly every issuer writes it.
        if let Some(seconds) = number.as_i64() {
            let is_writable = (-LAST_SECOND..=LAST_SECOND).contains(&seconds);
            return is_writable.then_some(UnixTime::from_secs(seconds));
        }
        let seconds = number.as_f64()?;
        let bound = LAST_SECOND as f64;
        if !(-bound..=bound).contains(&seconds) {
            return None;
        }
        // Within ±2.6e17, which an i64 holds.
        Some(UnixTime((seconds * MICROS as f64).round() as i64))
    }

    /// Whole seconds since the Unix epoch, rounded down.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(MICROS)
    }

    /// Microseconds since the Unix epoch.
    pub const fn from_micros(micros: i64) -> Self {
        UnixTime(micros)
    }

    /// Microseconds since the Unix epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The time that is `duration` later.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        UnixTime(self.0.saturating_add(micros(duration)))
    }

    /// The time that is `duration` earlier.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        UnixTime(self.0.saturating_sub(micros(duration)))
    }

    /// How long ago `earlier` was; zero if it is in the future.
    pub fn since(self, earlier: UnixTime) -> Duration {
        let micros = self.0.saturating_sub(earlier.0);
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }
}

/// RFC 3339, in UTC, to the millisecond.
impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bound = |seconds: i64| seconds.clamp(0, LAST_SECOND);
        let time = OffsetDateTime::from_unix_timestamp(bound(self.as_secs()))
            .unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let millis = self.0.rem_euclid(MICROS).div_euclid(1000);
        let (year, month, day) = time.to_calendar_date();
        let (hour, minute, second) = time.to_hms();
        let month = u8::from(month);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z"
        )
    }
}

/// Without the 128 bits that `Duration::as_micros` counts in.
fn micros(duration: Duration) -> i64 {
    let seconds = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    let rest = i64::from(duration.subsec_micros());
    seconds.saturating_mul(MICROS).saturating_add(rest)
}
