#![allow(clippy::arithmetic_side_effects)]

use std::time::Duration;

use super::*;
use crate::time::UnixTime;

fn subject<'s>(budget: &'s str, key: &'s str) -> Subject<'s> {
    let now = UnixTime::from_secs(1_767_225_600);
    Subject {
        holder: 0xab,
        budget,
        key,
        window: Window::of(now, Duration::from_secs(86_400)).unwrap(),
    }
}

#[test]
fn a_question_has_the_members_that_the_protocol_names() {
    let question = Question {
        id: 1,
        want: 20_000,
        limit: 1_000_000,
    };
    let asked = subject("daily", r#"["corp","acme"]"#).ask(&question);
    assert_eq!(
        String::from_utf8(asked).unwrap(),
        r#"{"id":"00000000000000000000000000000001","holder":"000000000000000000000000000000ab","budget":"daily","key":"[\"corp\",\"acme\"]","window":1767225600,"length":86400,"limit":1000000,"want":20000}"#
    );
}

#[test]
fn what_goes_back_is_said_with_a_new_id() {
    let said = subject("daily", "[]").give_back(u128::MAX, 5000);
    assert_eq!(
        String::from_utf8(said).unwrap(),
        r#"{"id":"ffffffffffffffffffffffffffffffff","holder":"000000000000000000000000000000ab","budget":"daily","key":"[]","window":1767225600,"length":86400,"return":5000}"#
    );
}

#[test]
fn any_text_makes_one_object() {
    for text in ["\"", "\\", "\u{0}\n", "é\u{2028}", r#"","want":1,"x":""#] {
        let question = Question {
            id: 0,
            want: 5,
            limit: 6,
        };
        let asked = subject(text, text).ask(&question);
        let object = json::parse_object(&asked).unwrap();
        assert_eq!(object.len(), 8);
        for member in ["budget", "key"] {
            assert_eq!(object.get(member).unwrap().as_str(), Some(text));
        }
    }
}

#[test]
fn a_grant_is_whole_and_at_most_what_was_asked_for() {
    // (answer to a question for 20,000, granted, remaining)
    let grants = [
        (
            r#"{"granted": 20000, "remaining": 640000}"#,
            20_000,
            Some(640_000),
        ),
        (r#"{"remaining":0,"granted":0}"#, 0, Some(0)),
        (r#"{"granted":1}"#, 1, None),
        (r#"{"granted":1.0,"remaining":2e3}"#, 1, Some(2000)),
        (
            r#"{"granted":19999,"remaining":"many","else":[]}"#,
            19_999,
            None,
        ),
        (r#"{"granted":5,"remaining":-1}"#, 5, None),
        (r#"{"granted":5,"remaining":0.5}"#, 5, None),
        (r#"{"granted":5,"remaining":9007199254740993}"#, 5, None),
    ];
    for (answer, granted, remaining) in grants {
        let expected = Grant { granted, remaining };
        assert_eq!(
            Grant::read(answer.as_bytes(), 20_000),
            Some(expected),
            "{answer}"
        );
    }
    let none = [
        "",
        "{}",
        "[]",
        "20000",
        "null",
        r#"{"granted":20001}"#,
        r#"{"granted":1e300}"#,
        r#"{"granted":-1}"#,
        r#"{"granted":-0.5}"#,
        r#"{"granted":0.5}"#,
        r#"{"granted":19999.5}"#,
        r#"{"granted":"20000"}"#,
        r#"{"granted":null}"#,
        r#"{"granted":true}"#,
        r#"{"granted":[1]}"#,
        r#"{"granted":1,"granted":1}"#,
        r#"{"granted":1} x"#,
        r#"{"granted":1"#,
        r#"{"Granted":1}"#,
        r#"{"now":1767225600}"#,
    ];
    for answer in none {
        assert_eq!(Grant::read(answer.as_bytes(), 20_000), None, "{answer}");
    }
    assert_eq!(Grant::read(b"{\"granted\":1}", 0), None);
    assert_eq!(Grant::read(b"\xff", 1), None);
}
