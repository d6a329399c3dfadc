//! The windows of time that budgets begin anew with.

use std::time::Duration;

use crate::limits::LAST_SECOND;
use crate::time::UnixTime;

/// A window of time. Windows of one length begin at its multiples since 1970.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Window {
    /// Seconds since 1970.
    begin: i64,
    /// Seconds; at least one.
    length: i64,
}

impl Window {
    /// The window that `now` is in. `None` where that is no time that a clock shows: what would be spent by such
    /// a clock would be spent in no window that ever comes, or in none that ever ends.
    pub fn of(now: UnixTime, length: Duration) -> Option<Window> {
        let length = i64::try_from(length.as_secs()).ok()?;
        let begin = now.as_secs().checked_div(length)?.checked_mul(length)?;
        let is_shown = (0..=LAST_SECOND).contains(&now.as_secs());
        is_shown.then_some(Window { begin, length })
    }

    /// The window of the same length that begins at this second, if one does.
    pub fn beginning_at(self, begin: i64) -> Option<Window> {
        let window = Window { begin, ..self };
        let is_begin = begin.checked_rem(self.length) == Some(0);
        (is_begin && (0..=LAST_SECOND).contains(&begin)).then_some(window)
    }

    /// The second at which it begins.
    pub fn begin(self) -> i64 {
        self.begin
    }

    /// How many seconds it lasts.
    pub fn length(self) -> i64 {
        self.length
    }

    /// When it ends, which is not in it any more.
    pub fn end(self) -> UnixTime {
        UnixTime::from_secs(self.begin.saturating_add(self.length))
    }
}

#[cfg(test)]
mod tests;
