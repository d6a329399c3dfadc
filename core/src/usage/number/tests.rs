#![allow(clippy::arithmetic_side_effects, clippy::panic, clippy::unwrap_used)]

use super::*;

fn tokens(text: &str) -> Option<u64> {
    let mut number = Number::new();
    for byte in text.bytes() {
        number.read(byte);
    }
    number.tokens()
}

#[test]
fn whole_numbers_are_tokens() {
    let zeros = "0".repeat(1000);
    let cases = [
        ("0", 0),
        ("-0", 0),
        ("0.0", 0),
        ("0e99999999999999999999", 0),
        ("-0.000e-7", 0),
        ("1", 1),
        ("1234", 1234),
        ("1234.0", 1234),
        ("1234.000000000000000000000000000000000", 1234),
        ("1.234e3", 1234),
        ("1.234E+3", 1234),
        ("1234e0", 1234),
        ("1234e-0", 1234),
        ("12340000e-4", 1234),
        ("0.00001234e8", 1234),
        ("10", 10),
        ("1e1", 10),
        ("1000000000000000", 1_000_000_000_000_000),
        ("9007199254740991", (1 << 53) - 1),
        ("9007199254740992", 1 << 53),
        ("9007199254740992.0", 1 << 53),
        ("9.007199254740992e15", 1 << 53),
        ("900719925474099200000e-5", 1 << 53),
    ];
    for (text, expected) in cases {
        assert_eq!(tokens(text), Some(expected), "{text}");
    }
    // However many digits it has.
    assert_eq!(tokens(&format!("7.{zeros}")), Some(7));
    assert_eq!(tokens(&format!("7{zeros}e-1000")), Some(7));
    assert_eq!(tokens(&format!("0.{zeros}7e1001")), Some(7));
    assert_eq!(tokens(&format!("7e{zeros}1")), Some(70));
}

#[test]
fn other_numbers_are_none() {
    let zeros = "0".repeat(1000);
    let digits = "123456789".repeat(1000);
    let cases = [
        // Negative.
        "-1",
        "-1e0",
        "-9007199254740992",
        // Too large.
        "9007199254740993",
        "9007199254740992.5",
        "9007199254740994",
        "18446744073709551615",
        "18446744073709551616",
        "36893488147419103232",
        "1e16",
        "1e400",
        "1e18446744073709551616",
        "1e99999999999999999999999999999999999999",
        // Not whole.
        "0.5",
        "1234.5",
        "1.2345e3",
        "1e-1",
        "1e-99999999999999999999999999999999999999",
        "12345678901234567890123e-1",
        "0.1e0",
        // Not JSON's.
        "",
        "-",
        "+1",
        "01",
        "00",
        "-01",
        "0x10",
        "1.",
        ".5",
        "1.e1",
        "1e",
        "1e+",
        "1e1.0",
        "1e1e1",
        "1..0",
        "1_000",
        "1,000",
        "--1",
        "1-",
        "12a",
        "Infinity",
        "NaN",
        "\u{661}",
    ];
    for text in cases {
        assert_eq!(tokens(text), None, "{text}");
    }
    assert_eq!(tokens(&digits), None);
    assert_eq!(tokens(&format!("0.{digits}")), None);
    assert_eq!(tokens(&format!("7{zeros}")), None);
    assert_eq!(tokens(&format!("7.{zeros}7")), None);
    assert_eq!(tokens(&format!("{digits}e-9000")), None);
}

/// A number that is written in many ways stays the same number, and half a token is none.
#[test]
fn the_point_may_be_anywhere() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    for _ in 0..20_000 {
        let value = random(1 << 53) >> random(54);
        let zeros = usize::try_from(random(30)).unwrap();
        let mut digits = format!("{value}{}", "0".repeat(zeros));
        let point = usize::try_from(random(digits.len() as u64)).unwrap() + 1;
        digits.insert(point, '.');
        let moved = digits.len() - 1 - point;
        let exponent = i64::try_from(moved).unwrap() - i64::try_from(zeros).unwrap();
        let leads_with_zero = digits.starts_with('0') && point > 1;
        let ends_with_point = digits.ends_with('.');
        if ends_with_point {
            digits.push('0');
        }
        let text = format!("{digits}e{exponent}");
        let expected = (!leads_with_zero).then_some(value);
        assert_eq!(tokens(&text), expected, "{text}");
        let half = format!("{value}.5");
        assert_eq!(tokens(&half), None, "{half}");
    }
}
