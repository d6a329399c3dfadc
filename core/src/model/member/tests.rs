use super::*;
use crate::json;

#[test]
fn case_folds_as_careless_readers_fold_it() {
    for (name, ours, expected) in [
        ("model", "model", true),
        ("Model", "model", true),
        ("MODEL", "model", true),
        ("max_To\u{212a}ens", "max_tokens", true),
        ("max_token\u{17f}", "max_tokens", true),
        ("\u{17f}tream", "stream", true),
        ("N", "n", true),
        ("", "n", false),
        ("nn", "n", false),
        ("models", "model", false),
        ("mode", "model", false),
        ("maxTokens", "max_tokens", false),
        ("max-tokens", "max_tokens", false),
        ("m\u{f6}del", "model", false),
        ("mode\u{142}", "model", false),
        ("\u{ff4d}odel", "model", false),
        ("model ", "model", false),
        ("model\0", "model", false),
    ] {
        assert_eq!(names(name, ours), expected, "{name:?} {ours}");
    }
}

#[test]
fn another_spelling_of_a_decisive_member_is_ambiguous() {
    for name in DECISIVE {
        let upper = name.to_uppercase();
        let (first, rest) = name.split_at(1);
        for other in [upper.clone(), format!("{}{rest}", first.to_uppercase())] {
            for body in [
                format!(r#"{{"{other}":1}}"#),
                format!(r#"{{"{name}":1,"{other}":1}}"#),
                format!(r#"{{"{other}":1,"{name}":1}}"#),
            ] {
                let body = json::parse_object(body.as_bytes()).unwrap();
                assert!(is_ambiguous(&body), "{body}");
            }
        }
        let body = format!(r#"{{"{name}":1,"a":{{"{upper}":1}},"x{upper}":1}}"#);
        let body = json::parse_object(body.as_bytes()).unwrap();
        assert!(!is_ambiguous(&body), "{body}");
    }
}

#[test]
fn the_spelling_of_other_members_is_their_readers_business() {
    for (body, expected) in [
        ("{}", false),
        (r#"{"stream_options":{"include_usage":false}}"#, false),
        (r#"{"stream_options":{"Include_Usage":false}}"#, true),
        (
            r#"{"stream_options":{"include_usage":true,"INCLUDE_USAGE":false}}"#,
            true,
        ),
        (r#"{"stream_options":{"Other":1}}"#, false),
        (r#"{"stream_options":[{"Include_Usage":false}]}"#, false),
        (r#"{"Temperature":1,"TOP_P":1}"#, false),
        (r#"{"inputText":"a","modelId":"b","maxTokens":5}"#, false),
        (r#"{"metadata":{"Model":"x"}}"#, false),
        (r#"{"\u004dodel":"x"}"#, true),
    ] {
        let read = json::parse_object(body.as_bytes()).unwrap();
        assert_eq!(is_ambiguous(&read), expected, "{body}");
    }
}

#[test]
fn null_gives_nothing() {
    let body = json::parse_object(br#"{"a":null,"b":false,"c":0,"d":""}"#).unwrap();
    for (name, expected) in [
        ("a", false),
        ("b", true),
        ("c", true),
        ("d", true),
        ("e", false),
    ] {
        assert_eq!(is_given(&body, name), expected, "{name}");
    }
}
