use super::*;
use crate::json;

#[test]
fn the_first_entry_that_matches_decides() {
    let entries = [
        (Pattern::new("gpt-4o"), "exact"),
        (Pattern::new("gpt-4*"), "family"),
        (Pattern::new("*-mini"), "mini"),
        (Pattern::new("gpt-4*"), "never"),
    ];
    for (name, expected) in [
        ("gpt-4o", Some("exact")),
        ("gpt-4o-mini", Some("family")),
        ("o3-mini", Some("mini")),
        ("-mini", Some("mini")),
        ("GPT-4o", None),
        ("gpt-3.5", None),
        ("o3-mini ", None),
        (" gpt-4o", None),
        ("gpt\u{2010}4o", None),
        ("", None),
    ] {
        let entry = first_match(&entries, |(pattern, _)| pattern, name);
        assert_eq!(entry.map(|(_, which)| *which), expected, "{name}");
    }
    let none: [(Pattern, &str); 0] = [];
    assert!(first_match(&none, |(pattern, _)| pattern, "gpt-4o").is_none());
}

#[test]
fn a_callers_list_is_an_array_or_words() {
    for (claim, name, expected) in [
        (r#"["gpt-4o"]"#, "gpt-4o", true),
        (r#"["o3", "gpt-4o"]"#, "gpt-4o", true),
        (r#"["gpt-4*"]"#, "gpt-4o", true),
        (r#"["*"]"#, "gpt-4o", true),
        (r#""gpt-4o""#, "gpt-4o", true),
        (r#""o3 gpt-4o""#, "gpt-4o", true),
        (r#""  o3   *-mini ""#, "gpt-4o-mini", true),
        (r#""*""#, "anything", true),
        (r#""*""#, "with space", true),
        // An element of an array is one name, whatever is in it.
        (r#"["with space"]"#, "with space", true),
        (r#"["o3 gpt-4o"]"#, "gpt-4o", false),
        (r#"["gpt-4o"]"#, "gpt-4o-mini", false),
        (r#"["gpt-4o"]"#, "GPT-4o", false),
        (r#"["GPT-4O"]"#, "gpt-4o", false),
        (r#""o3,gpt-4o""#, "gpt-4o", false),
        ("\"o3\\tgpt-4o\"", "gpt-4o", false),
        ("\"o3\\ngpt-4o\"", "gpt-4o", false),
        (r#""""#, "gpt-4o", false),
        (r#"" ""#, "", false),
        (r#""""#, "", false),
        ("[]", "gpt-4o", false),
        ("[]", "", false),
        (r#"["gpt-4o", 1]"#, "gpt-4o", false),
        (r#"[null, "*"]"#, "gpt-4o", false),
        (r#"[["*"]]"#, "gpt-4o", false),
        (r#"{"gpt-4o": true}"#, "gpt-4o", false),
        (r#"{"models": ["*"]}"#, "gpt-4o", false),
        ("true", "gpt-4o", false),
        ("1", "1", false),
        ("null", "null", false),
    ] {
        let value = json::parse(claim.as_bytes()).unwrap();
        assert_eq!(lists(Some(&value), name), expected, "{claim} {name}");
    }
    assert!(!lists(None, "gpt-4o"));
    assert!(!lists(None, ""));
}
