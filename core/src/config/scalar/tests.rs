use super::*;

#[test]
fn durations() {
    let good = [
        ("0s", 0),
        ("500ms", 500),
        ("30s", 30_000),
        ("1.5s", 1_500),
        ("0.25m", 15_000),
        ("60m", 3_600_000),
        ("1h", 3_600_000),
        ("1h30m", 5_400_000),
        ("1h0m0.5s500ms", 3_601_000),
        ("3600s", 3_600_000),
        ("0.000000001s", 0),
    ];
    for (text, millis) in good {
        let duration = parse_duration(text).unwrap_or_else(|| panic!("{text}"));
        assert_eq!(duration.as_millis(), millis, "{text}");
    }
    let bad = [
        "",
        " ",
        "s",
        "1",
        "1 s",
        " 1s",
        "1s ",
        "-1s",
        "+1s",
        "1S",
        "1d",
        "1us",
        "1.s",
        ".5s",
        "1..5s",
        "1,5s",
        "1e3s",
        "1h30",
        "0x1s",
        "١s",
        "1s\n",
        "99999999999999999999s",
        "999999999999h",
        "1.0000000001s",
    ];
    for text in bad {
        assert_eq!(parse_duration(text), None, "{text}");
    }
}

#[test]
fn times() {
    let good = [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-01-01T00:00:00Z", 1_767_225_600_000_000),
        ("2026-01-01t00:00:00z", 1_767_225_600_000_000),
        ("2026-01-01T02:00:00+02:00", 1_767_225_600_000_000),
        ("2025-12-31T19:30:00.25-04:30", 1_767_225_600_250_000),
        ("1969-12-31T23:59:59.5Z", -500_000),
        ("2024-02-29T00:00:00Z", 1_709_164_800_000_000),
    ];
    for (text, micros) in good {
        let time = parse_time(text);
        assert_eq!(time.map(UnixTime::as_micros), Some(micros), "{text}");
    }
    let bad = [
        "",
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-01-01T00:00Z",
        "2026-13-01T00:00:00Z",
        "2025-02-29T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:00:00+25:00",
        "26-01-01T00:00:00Z",
        "2026-01-01T00:00:00Z ",
        "1767225600",
    ];
    for text in bad {
        assert_eq!(parse_time(text), None, "{text}");
    }
}

#[test]
fn whole_numbers() {
    let whole = |text: &str| {
        let value = crate::json::parse(text.as_bytes()).unwrap();
        u64::from_value(&value, At::DOCUMENT, &mut Findings::new("test"))
    };
    for (text, number) in [("0", 0), ("4096", 4096), ("4096.0", 4096), ("1e3", 1000)] {
        assert_eq!(whole(text), Some(number), "{text}");
    }
    for text in ["-1", "1.5", "-0.0", "18446744073709551616", "\"1\"", "null"] {
        assert_eq!(whole(text), None, "{text}");
    }
}

#[test]
fn durations_are_shown_as_operators_write_them() {
    for text in ["0s", "500ms", "1500ms", "30s", "90s", "10m", "1h", "8760h"] {
        let duration = parse_duration(text).unwrap();
        assert_eq!(DisplayDuration(duration).to_string(), text);
    }
    let seconds = parse_duration("3600s").unwrap();
    assert_eq!(DisplayDuration(seconds).to_string(), "1h");
}
