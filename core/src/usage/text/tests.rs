#![allow(clippy::panic)]

use super::*;

/// Reads what stands between the quotes of a JSON string.
fn read(string: &str) -> Text {
    let mut text = Text::new();
    for byte in string.bytes() {
        match byte {
            _ if text.is_escaped() => text.escaped(byte),
            b'\\' => text.escape(),
            _ => text.push(&[byte]),
        }
    }
    text
}

#[test]
fn a_name_may_be_written_with_escapes() {
    let cases = [
        ("", ""),
        ("usage", "usage"),
        (r"us\u0061ge", "usage"),
        (r"\u0075\u0073\u0061\u0067\u0065", "usage"),
        (r"prompt\u005Ftokens", "prompt_tokens"),
        (r"prompt\u005ftokens", "prompt_tokens"),
        (r"usage\u0000", "usage\0"),
        (r"\u00610", "a0"),
    ];
    for (string, expected) in cases {
        assert_eq!(read(string).get(), Some(expected.as_bytes()), "{string}");
    }
}

#[test]
fn what_cannot_be_a_name_that_matters_is_none() {
    let long = "a".repeat(USAGE_TEXT_BYTES + 1);
    let cases = [
        r"usage\n",
        r"usage\/",
        r"\usage",
        r"\u0x75sage",
        r"\u+075sage",
        r"us\u0261ge",
        r"us\uff41ge",
        r"us\u0161ge",
        r"us\u00e4ge",
        r"us\ud83d\ude00ge",
        r"us\age",
        // It is not over yet.
        r"usage\",
        r"usage\u",
        r"usage\u006",
        &long,
    ];
    for string in cases {
        assert_eq!(read(string).get(), None, "{string}");
    }
    let longest = "a".repeat(USAGE_TEXT_BYTES);
    assert_eq!(read(&longest).get(), Some(longest.as_bytes()));
}

#[test]
fn a_text_is_used_again() {
    for string in [r"\u00", "a".repeat(99).as_str(), r"\n", "usage"] {
        let mut text = read(string);
        text.clear();
        assert_eq!(text.get(), Some(&b""[..]), "{string}");
        text.push(b"usage");
        assert_eq!(text.get(), Some(&b"usage"[..]), "{string}");
    }
}
