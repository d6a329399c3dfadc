use super::*;

fn fault(text: &[u8]) -> Option<Fault> {
    parse(text).err().map(|e| e.fault)
}

#[test]
fn what_a_lenient_reader_forgives_is_refused() {
    let cases: &[(&[u8], Fault)] = &[
        (b"", Fault::Truncated),
        (b"{", Fault::Truncated),
        (b"[1", Fault::Truncated),
        (b"\"a", Fault::Truncated),
        (b"{\"a\":1,}", Fault::Syntax),
        (b"[1,]", Fault::Syntax),
        (b"{a:1}", Fault::Syntax),
        (b"{'a':1}", Fault::Syntax),
        (b"{\"a\" 1}", Fault::Syntax),
        (b"/* */1", Fault::Syntax),
        (b"NaN", Fault::Syntax),
        (b"tru", Fault::Syntax),
        (b"+1", Fault::Syntax),
        (b"01", Fault::TrailingBytes),
        (b"0x1f", Fault::TrailingBytes),
        (b"1.", Fault::Number),
        (b"-", Fault::Number),
        (b"1e", Fault::Number),
        (b"{} {}", Fault::TrailingBytes),
        (b"{}\0", Fault::TrailingBytes),
        (b"\xef\xbb\xbf{}", Fault::Syntax),
        (b"\"\xff\"", Fault::Utf8),
        (b"\"\xc0\xaf\"", Fault::Utf8),
        (b"\"a\nb\"", Fault::Control),
        (b"\"\\x\"", Fault::Escape),
        (b"\"\\u12g4\"", Fault::Escape),
        (b"\"\\u+123\"", Fault::Escape),
        (b"\"\\ud800\"", Fault::Surrogate),
        (b"\"\\udc00\"", Fault::Surrogate),
        (b"\"\\ud800\\u0041\"", Fault::Surrogate),
        (b"{\"a\":1,\"a\":1}", Fault::DuplicateMember),
        (b"{\"a\":1,\"\\u0061\":1}", Fault::DuplicateMember),
        (b"{\"x\":[{\"a\":1,\"a\":2}]}", Fault::DuplicateMember),
    ];
    for (text, expected) in cases {
        assert_eq!(
            fault(text),
            Some(*expected),
            "{}",
            String::from_utf8_lossy(text)
        );
    }
}

#[test]
fn a_duplicate_among_many_members_is_found() {
    let mut text: Vec<String> = (0..100).map(|i| format!("\"m{i}\":{i}")).collect();
    assert!(parse(format!("{{{}}}", text.join(",")).as_bytes()).is_ok());
    text.push("\"m7\":0".into());
    assert_eq!(
        fault(format!("{{{}}}", text.join(",")).as_bytes()),
        Some(Fault::DuplicateMember)
    );
}

#[test]
fn nesting_is_bounded() {
    let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    assert!(parse(nested(100).as_bytes()).is_ok());
    assert!(parse(nested(JSON_DEPTH).as_bytes()).is_ok());
    let deeper = nested(JSON_DEPTH + 1);
    assert_eq!(fault(deeper.as_bytes()), Some(Fault::Depth));
    assert_eq!(fault("[".repeat(1_000_000).as_bytes()), Some(Fault::Depth));
}

/// serde_json is the oracle: what it accepts without duplicates we read alike.
#[test]
fn agrees_with_serde_json_and_writes_what_it_read() {
    for text in [
        r#"{"a":[1,-0,2.5e3,true,false,null,"x"],"b":{"c":{}},"d":[]}"#,
        "  \t\r\n{ \"a\" : [ 1 , 2 ] }  ",
        r#""\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00\udbff\udfff""#,
        r#""é😀""#,
        "0",
    ] {
        let ours = parse(text.as_bytes()).unwrap();
        let theirs: serde_json::Value = serde_json::from_str(text).unwrap();
        let again: serde_json::Value = serde_json::from_str(&ours.to_string()).unwrap();
        assert_eq!(again, theirs, "{text}");
    }
}

#[test]
fn numbers_stay_as_written() {
    let value = parse(b"[1e308, 123456789012345678901234567890]").unwrap();
    assert_eq!(value.to_string(), "[1e308,123456789012345678901234567890]");
    let items = value.as_array().unwrap();
    assert_eq!(items[0].as_number().unwrap().to_f64(), 1e308);
    assert_eq!(items[1].as_number().unwrap().to_integer::<u64>(), None);
}
