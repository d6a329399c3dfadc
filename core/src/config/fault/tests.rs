use super::*;

#[test]
fn paths_stay_on_one_line() {
    let mut findings = Findings::new("configuration");
    let rules = findings.key(At::DOCUMENT, "rules");
    let rule = findings.index(rules, 3);
    let mut written = |key| {
        let at = findings.key(rule, key);
        findings.path(at)
    };
    assert_eq!(written("name"), "rules[3].name");
    assert_eq!(written("a.b"), "rules[3][\"a.b\"]");
    assert_eq!(written(""), "rules[3][\"\"]");
    assert_eq!(written("a\nb"), "rules[3][\"a\\u000ab\"]");
    assert_eq!(findings.path(At::DOCUMENT), "configuration");
    let odd = findings.key(At::DOCUMENT, "a b");
    assert_eq!(findings.path(odd), "configuration[\"a b\"]");
    assert!(!quoted("\u{2028}\r\n\u{85}").contains(['\n', '\r', '\u{85}']));
    assert_eq!(quoted(&"é".repeat(65)), format!("\"{}\"…", "é".repeat(64)));
}

#[test]
fn a_slip_names_the_key_that_was_meant() {
    let known = ["issuer", "audiences", "jwks", "from", "rules"];
    for (name, meant) in [
        ("isuer", Some("issuer")),
        ("audience", Some("audiences")),
        ("jwk", Some("jwks")),
        ("rule", Some("rules")),
        ("form", None),
        ("roles", Some("rules")),
        ("x", None),
        ("", None),
        ("a-name-that-is-longer-than-any-key-that-there-is", None),
    ] {
        assert_eq!(nearest(name, &known), meant, "{name}");
    }
}
