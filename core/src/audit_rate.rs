//! Limits the audit lines of a worker, so that an attacker cannot fill the disk.

use crate::limits::AUDIT_LINES_PER_SECOND;
use crate::time::UnixTime;

/// Counts the lines of the present second, written and suppressed.
#[derive(Debug, Default)]
pub struct AuditRate {
    second: i64,
    lines: u32,
    suppressed: u64,
}

/// Whether a denial may be logged now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LineAdmission {
    /// Write the line.
    Line,
    /// This second has no room left; the line is counted.
    Suppressed,
}

impl AuditRate {
    /// Asks for room for one line. Call [`AuditRate::take_suppressed`] before, so that the count of
    /// an earlier second is reported first.
    pub fn admit(&mut self) -> LineAdmission {
        if self.lines >= AUDIT_LINES_PER_SECOND {
            self.suppressed = self.suppressed.saturating_add(1);
            return LineAdmission::Suppressed;
        }
        self.lines = self.lines.saturating_add(1);
        LineAdmission::Line
    }

    /// Starts a new second where one has begun. Returns how many lines the last one suppressed,
    /// where there were any.
    pub fn take_suppressed(&mut self, now: UnixTime) -> Option<u64> {
        if std::mem::replace(&mut self.second, now.as_secs()) == now.as_secs() {
            return None;
        }
        self.lines = 0;
        match std::mem::take(&mut self.suppressed) {
            0 => None,
            suppressed => Some(suppressed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_room_for_so_many_lines_and_the_rest_is_reported_in_the_next() {
        let mut rate = AuditRate::default();
        let second = UnixTime::from_secs(1000);
        assert_eq!(rate.take_suppressed(second), None);
        for _ in 0..AUDIT_LINES_PER_SECOND {
            assert_eq!(rate.admit(), LineAdmission::Line);
        }
        for _ in 0..3 {
            assert_eq!(rate.admit(), LineAdmission::Suppressed);
        }
        assert_eq!(rate.take_suppressed(second), None);
        assert_eq!(rate.admit(), LineAdmission::Suppressed);
        let next = UnixTime::from_secs(1001);
        assert_eq!(rate.take_suppressed(next), Some(4));
        assert_eq!(rate.admit(), LineAdmission::Line);
        assert_eq!(rate.take_suppressed(UnixTime::from_secs(1002)), None);
    }

    #[test]
    fn a_clock_that_was_set_back_begins_a_second_as_well() {
        let mut rate = AuditRate::default();
        rate.take_suppressed(UnixTime::from_secs(1000));
        for _ in 0..=AUDIT_LINES_PER_SECOND {
            rate.admit();
        }
        assert_eq!(rate.take_suppressed(UnixTime::from_secs(10)), Some(1));
        assert_eq!(rate.admit(), LineAdmission::Line);
    }
}
