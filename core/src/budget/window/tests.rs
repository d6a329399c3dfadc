#![allow(clippy::arithmetic_side_effects)]

use super::*;

const DAY: Duration = Duration::from_secs(86_400);

#[test]
fn windows_begin_at_multiples_of_their_length_since_1970() {
    // (now in microseconds, seconds of a window, begin, end)
    let table = [
        (0, 60, 0, 60),
        (59_999_999, 60, 0, 60),
        (60_000_000, 60, 60, 120),
        (1_767_225_600_000_000, 86_400, 1_767_225_600, 1_767_312_000),
        (1_767_225_599_999_999, 86_400, 1_767_139_200, 1_767_225_600),
        (1_700_000_000_500_000, 1, 1_700_000_000, 1_700_000_001),
        (
            1_700_000_000_000_000,
            2_678_400,
            1_698_105_600,
            1_700_784_000,
        ),
        (1_700_000_000_000_000, 7, 1_699_999_994, 1_700_000_001),
    ];
    for (now, length, begin, end) in table {
        let now = UnixTime::from_micros(now);
        let window = Window::of(now, Duration::from_secs(length)).unwrap();
        let of = (window.begin(), window.length(), window.end());
        let expected = (begin, length.cast_signed(), UnixTime::from_secs(end));
        assert_eq!(of, expected, "{now} in {length}");
        assert_eq!(begin % length.cast_signed(), 0);
    }
}

#[test]
fn a_clock_that_shows_no_time_has_no_window() {
    for now in [
        UnixTime::FAR_FUTURE,
        UnixTime::FAR_PAST,
        UnixTime::from_secs(-1),
        UnixTime::from_micros(-1),
        UnixTime::from_secs(LAST_SECOND + 1),
    ] {
        assert_eq!(Window::of(now, DAY), None, "{now:?}");
    }
    assert!(Window::of(UnixTime::from_secs(LAST_SECOND), DAY).is_some());
}

#[test]
fn a_length_below_a_second_has_no_windows() {
    for length in [Duration::ZERO, Duration::from_millis(999)] {
        assert_eq!(Window::of(UnixTime::from_secs(1), length), None);
    }
}

#[test]
fn only_multiples_begin_a_window() {
    let window = Window::of(UnixTime::from_secs(1_700_000_000), DAY).unwrap();
    for begin in [-86_400, -1, 1, 86_399, 1_700_000_000, i64::MIN, i64::MAX] {
        assert_eq!(window.beginning_at(begin), None, "{begin}");
    }
    for begin in [0, 86_400, window.begin()] {
        assert_eq!(window.beginning_at(begin).unwrap().begin(), begin);
    }
}
