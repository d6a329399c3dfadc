use super::*;

#[test]
fn shares_are_read_to_the_millionth() {
    for (text, expected) in [
        ("2%", Some(20_000)),
        ("100%", Some(1_000_000)),
        ("0%", Some(0)),
        ("0.5%", Some(5_000)),
        ("12.3456%", Some(123_456)),
        ("0.0001%", Some(1)),
        ("007%", Some(70_000)),
        ("0.00001%", None),
        ("2", None),
        ("%", None),
        ("2 %", None),
        (" 2%", None),
        ("2%%", None),
        (".5%", None),
        ("5.%", None),
        ("1.2.3%", None),
        ("-2%", None),
        ("+2%", None),
        ("2e1%", None),
        ("\u{0662}%", None),
        ("99999999999999999999%", None),
        ("", None),
    ] {
        assert_eq!(millionths(text), expected, "{text:?}");
    }
}
