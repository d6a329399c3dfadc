use super::*;
use crate::limits::JSON_DEPTH;

fn fault(text: &[u8]) -> String {
    match parse(text) {
        Ok(value) => format!("read as {value}"),
        Err(invalid) => invalid.to_string(),
    }
}

/// Each text, and what of the message says why.
const REFUSED: &[(&[u8], &str)] = &[
    // Ends too early.
    (b"", "EOF while parsing a value at line 1 column 0"),
    (b" \n ", "EOF while parsing a value at line 2 column 1"),
    (b"{", "EOF while parsing an object"),
    (b"{\"a\"", "EOF while parsing an object"),
    (b"{\"a\":", "EOF while parsing a value"),
    (b"{\"a\":1", "EOF while parsing an object"),
    (b"[", "EOF while parsing a list"),
    (b"[1", "EOF while parsing a list"),
    (b"[1,", "EOF while parsing a value"),
    (b"\"a", "EOF while parsing a string"),
    (b"\"\\", "EOF while parsing a string"),
    (b"\"\\u12", "EOF while parsing a string"),
    (b"tru", "EOF while parsing a value"),
    (b"-", "EOF while parsing a value"),
    (b"1.", "EOF while parsing a value"),
    (b"1e", "EOF while parsing a value"),
    // Commas, colons and brackets.
    (b"{\"a\":1,}", "trailing comma"),
    (b"[1,]", "trailing comma"),
    (b"[,1]", "expected value"),
    (b"[1,,2]", "expected value"),
    (b"[1 2]", "expected `,` or `]`"),
    (b"{,}", "key must be a string"),
    (b"{\"a\" 1}", "expected `:`"),
    (b"{\"a\"::1}", "expected value"),
    (b"{\"a\":1 \"b\":2}", "expected `,` or `}`"),
    (b"{]", "key must be a string"),
    (b"[}", "expected value"),
    (b"]", "expected value"),
    // What JavaScript, YAML and JSON5 have beside.
    (b"{a:1}", "key must be a string"),
    (b"{1:1}", "key must be a string"),
    (b"{'a':1}", "key must be a string"),
    (b"{null:1}", "key must be a string"),
    (b"'a'", "expected value"),
    (b"/* */1", "expected value"),
    (b"1// a", "trailing characters"),
    (b"NaN", "expected value"),
    (b"Infinity", "expected value"),
    (b"-Infinity", "invalid number"),
    (b"nil", "expected ident"),
    (b"True", "expected value"),
    (b"truE", "expected ident"),
    (b"undefined", "expected value"),
    // Numbers.
    (b"+1", "expected value"),
    (b".1", "expected value"),
    (b"-.1", "invalid number"),
    (b"01", "invalid number"),
    (b"-01", "invalid number"),
    (b"00", "invalid number"),
    (b"0x1f", "trailing characters"),
    (b"1_000", "trailing characters"),
    (b"1.e1", "invalid number"),
    (b"1e+", "EOF while parsing a value"),
    (b"1e+-1", "invalid number"),
    (b"- 1", "invalid number"),
    (b"1e309", "number out of range"),
    (b"-1e309", "number out of range"),
    (b"1e99999999999999999999", "number out of range"),
    (b"1.7976931348623159e308", "number out of range"),
    (b"[123e999]", "number out of range"),
    // After the value.
    (b"{} {}", "trailing characters at line 1 column 4"),
    (b"{}\0", "trailing characters at line 1 column 3"),
    (b"null null", "trailing characters"),
    (b"\"\"\"", "trailing characters"),
    // White space is four characters.
    (b"\x0b1", "expected value"),
    (b"\x0c1", "expected value"),
    (b"\xc2\xa01", "expected value"),
    (b"\xe2\x80\xa81", "expected value"),
    (b"\xef\xbb\xbf{}", "expected value at line 1 column 1"),
    // UTF-8.
    (b"\"\xff\"", "not UTF-8 at line 1 column 2"),
    (b"{\n \"\xff\":1}", "not UTF-8 at line 2 column 3"),
    (b"\"\xc0\xaf\"", "not UTF-8"),
    (b"\"\xed\xa0\x80\"", "not UTF-8"),
    (b"\"\xf4\x90\x80\x80\"", "not UTF-8"),
    (b"{}\xff", "not UTF-8"),
    // Strings.
    (b"\"a\nb\"", "control character"),
    (b"\"a\0b\"", "control character"),
    (b"\"\x1f\"", "control character"),
    (b"{\"a\tb\":1}", "control character"),
    (b"\"\\x\"", "invalid escape"),
    (b"\"\\'\"", "invalid escape"),
    (b"\"\\U0041\"", "invalid escape"),
    (b"\"\\u12g4\"", "invalid escape"),
    (b"\"\\u+123\"", "invalid escape"),
    (b"\"\\u{41}\"", "invalid escape"),
    // Lone surrogates, as values, as names, where nobody asks for them.
    (b"\"\\ud800\"", "unexpected end of hex escape"),
    (b"\"\\udc00\"", "lone leading surrogate"),
    (b"\"\\udfff\\ud800\"", "lone leading surrogate"),
    (b"\"\\ud800\\u0041\"", "lone leading surrogate"),
    (b"\"\\ud800\\ud800\"", "lone leading surrogate"),
    (b"\"\\ud83dx\"", "unexpected end of hex escape"),
    (b"\"\\ud83d\\n\"", "unexpected end of hex escape"),
    (b"{\"\\ud800\":1}", "unexpected end of hex escape"),
    (b"{\"\\udc00\":1}", "lone leading surrogate"),
    (b"{\"a\":[{\"b\":\"\\udc00\"}]}", "lone leading surrogate"),
    // Duplicate keys.
    (
        b"{\"a\":1,\"a\":1}",
        "duplicate key in an object that ends at line 1 column 13",
    ),
    (b"{\"\":1,\"\":2}", "duplicate key"),
    (b"{\"a\":1,\"\\u0061\":1}", "duplicate key"),
    (b"{\"x\":[{\"a\":1,\"a\":2}]}", "duplicate key"),
    (b"[[{\"x\":{\"a\":1,\"b\":{},\"a\":2}}]]", "duplicate key"),
];

#[test]
fn what_a_lenient_reader_forgives_is_refused() {
    for (text, expected) in REFUSED {
        let fault = fault(text);
        assert!(
            fault.starts_with("invalid JSON: ") && fault.contains(expected),
            "{:?}: {fault}",
            String::from_utf8_lossy(text)
        );
    }
}

#[test]
fn a_message_repeats_nothing_of_the_text() {
    for text in [
        "{\"s3cret\":1,\"s3cret\":2}",
        "{\"a\":s3cret}",
        "\"s3cret",
        "\"s3cret\"s3cret",
        "{\"a\":\"s3cret\\ud800\"}",
        "\"s3cret\"",
    ] {
        let fault = parse_object(text.as_bytes()).unwrap_err().to_string();
        assert!(!fault.contains("s3cret"), "{fault}");
    }
}

#[test]
fn an_object_is_asked_for_by_itself() {
    for text in ["[]", "1", "\"{}\"", "null"] {
        let invalid = parse_object(text.as_bytes()).unwrap_err();
        assert_eq!(invalid.to_string(), "invalid JSON: expected an object");
    }
    assert!(parse_object(b" {} ").is_ok());
}

#[test]
fn names_that_differ_are_no_duplicates() {
    for text in [
        r#"{"a":1,"A":2}"#,
        r#"{"a":1,"a ":2,"":3}"#,
        r#"{"a":{"a":{"a":1}}}"#,
        r#"[{"a":1},{"a":2}]"#,
        // Composed and decomposed: JSON compares code points.
        r#"{"\u00e9":1,"e\u0301":2}"#,
    ] {
        assert!(parse(text.as_bytes()).is_ok(), "{text}");
    }
}

#[test]
fn a_duplicate_among_many_members_is_found() {
    for many in [15, 16, 17, 100] {
        let mut text: Vec<String> = (0..many).map(|i| format!("\"m{i}\":{i}")).collect();
        assert!(parse(format!("{{{}}}", text.join(",")).as_bytes()).is_ok());
        text.push("\"m7\":0".into());
        let fault = fault(format!("{{{}}}", text.join(",")).as_bytes());
        assert!(fault.contains("duplicate key"), "{many}: {fault}");
    }
}

#[test]
fn a_lenient_reader_keeps_duplicates_and_nothing_else() {
    let value = parse_leniently(br#"{"a":1,"b":{"c":1,"c":2},"a":3}"#).unwrap();
    assert_eq!(value.to_string(), r#"{"a":1,"b":{"c":1,"c":2},"a":3}"#);
    let object = value.as_object().unwrap();
    assert_eq!(object.duplicates().into_iter().collect::<Vec<_>>(), ["a"]);
    for (text, expected) in REFUSED {
        let lenient = parse_leniently(text);
        assert_eq!(lenient.is_ok(), expected.contains("duplicate"), "{text:?}");
    }
}

#[test]
fn nesting_is_bounded() {
    let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    let objects = |n: usize| format!("{}1{}", "{\"a\":".repeat(n), "}".repeat(n));
    for depth in [100, JSON_DEPTH] {
        assert!(parse(nested(depth).as_bytes()).is_ok());
        assert!(parse(objects(depth).as_bytes()).is_ok());
    }
    for deeper in [
        nested(JSON_DEPTH + 1),
        objects(JSON_DEPTH + 1),
        "[".repeat(1_000_000),
        "{\"a\":[".repeat(500_000),
    ] {
        let fault = fault(deeper.as_bytes());
        assert!(fault.contains("recursion limit exceeded"), "{fault}");
    }
}

#[test]
fn what_is_read_is_written_alike() {
    for (text, written) in [
        (
            r#"{"a":[1,-2,2.5,true,false,null,"x"],"b":{"c":{}},"d":[]}"#,
            None,
        ),
        ("  \t\r\n{ \"a\" : [ 1 , 2 ] }  ", Some(r#"{"a":[1,2]}"#)),
        (
            r#""\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00\udbff\udfff\u2028\u007f\u0085""#,
            Some(
                "\"\\\"\\\\/\\u0008\\u000c\\u000a\\u000d\\u0009é😀\u{10ffff}\\u2028\\u007f\\u0085\"",
            ),
        ),
        (r#""é😀""#, None),
        ("0", None),
        (
            r#"{"\u0061\u0000":"\u0000"}"#,
            Some(r#"{"a\u0000":"\u0000"}"#),
        ),
    ] {
        let value = parse(text.as_bytes()).unwrap();
        let once = value.to_string();
        assert_eq!(once, written.unwrap_or(text));
        assert_eq!(parse(once.as_bytes()).as_ref(), Ok(&value));
    }
}

/// The losses: integers beyond 64 bits are doubles, and -0 is one.
#[test]
fn numbers_are_integers_of_64_bits_or_doubles() {
    for (text, written) in [
        ("9223372036854775807", "9223372036854775807"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("18446744073709551615", "18446744073709551615"),
        ("18446744073709551616", "1.8446744073709552e+19"),
        ("123456789012345678901234567890", "1.2345678901234568e+29"),
        ("-0", "-0.0"),
        ("1.0", "1.0"),
        ("1e3", "1000.0"),
        ("0e999999999999999999999", "0.0"),
        ("1e-400", "0.0"),
        ("1e308", "1e+308"),
    ] {
        let value = parse(text.as_bytes()).unwrap();
        assert_eq!(value.to_string(), written, "{text}");
    }
}

/// A double has room for 15 digits. serde_json rounds what has more digits more than once, so its last
/// bits may differ from the nearest double; its feature `float_roundtrip` would cost 29 KB of the module.
#[test]
fn a_double_is_the_nearest_one_up_to_15_digits() {
    let read = |text: &str| {
        let value = parse(text.as_bytes()).unwrap();
        value.as_number().and_then(Number::as_f64).unwrap()
    };
    let nearest = |text: &str| text.parse::<f64>().unwrap();
    for decimals in ["5", "25", "1", "123", "999", "001", "12345"] {
        for seconds in ["0", "1", "1700000000", "1767225599", "-5"] {
            let text = format!("{seconds}.{decimals}");
            assert_eq!(read(&text), nearest(&text), "{text}");
        }
    }
    for text in [
        "1700000000.123456789",
        "253402300798.123456",
        "0.30000000000000000000001",
        "1.7976931348623157e308",
        "2.2250738585072014e-308",
        "123456789012345678901234567890",
    ] {
        let (read, nearest) = (read(text), nearest(text));
        let error = ((read - nearest) / nearest).abs();
        assert!(error <= 4.0 * f64::EPSILON, "{text}: {read} {nearest}");
    }
}

#[test]
fn whole_numbers_are_those_that_a_double_holds_exactly() {
    for (text, expected) in [
        ("0", Some(0)),
        ("-0", Some(0)),
        ("0.0", Some(0)),
        ("1234", Some(1234)),
        ("1234.0", Some(1234)),
        ("1.234e3", Some(1234)),
        ("9007199254740991", Some(WHOLE_NUMBER - 1)),
        ("9007199254740992", Some(WHOLE_NUMBER)),
        ("9007199254740992.0", Some(WHOLE_NUMBER)),
        ("9007199254740993", None),
        ("9007199254740994.0", None),
        ("18446744073709551615", None),
        ("18446744073709551616", None),
        ("1e300", None),
        ("-1", None),
        ("-1.0", None),
        ("-0.5", None),
        ("0.5", None),
        ("1234.5", None),
        ("\"1\"", None),
        ("true", None),
        ("null", None),
        ("[1]", None),
        ("{}", None),
    ] {
        assert_eq!(
            parse(text.as_bytes()).unwrap().as_whole(),
            expected,
            "{text}"
        );
    }
}
