#![allow(clippy::arithmetic_side_effects)]

use super::*;

const SEED: FingerprintKey = FingerprintKey::new([7; 16]);

fn name(provider: &str, parts: &[&str]) -> String {
    let key = CallerKey::named(&SEED, provider, parts);
    key.name().unwrap().to_string()
}

#[test]
fn callers_differ_in_their_provider_and_in_each_part() {
    let callers: [(&str, &[&str]); 11] = [
        ("corp", &[]),
        ("other", &[]),
        ("corp", &[""]),
        ("corp", &["", ""]),
        ("corp", &["acme"]),
        ("corp", &["acme", "c1"]),
        ("corp", &["c1", "acme"]),
        ("corp", &["acm", "ec1"]),
        ("corp", &["acmec1"]),
        ("corpacme", &[]),
        ("", &["corp", "acme"]),
    ];
    for (at, (provider, parts)) in callers.iter().enumerate() {
        for (other_at, (other, other_parts)) in callers.iter().enumerate() {
            let ids = [(provider, parts), (other, other_parts)]
                .map(|(provider, parts)| CallerKey::new(&SEED, provider, parts).id());
            assert_eq!(
                ids[0] == ids[1],
                at == other_at,
                "{parts:?} {other_parts:?}"
            );
            let names = [name(provider, parts), name(other, other_parts)];
            assert_eq!(names[0] == names[1], at == other_at, "{names:?}");
        }
    }
}

#[test]
fn the_seed_decides_the_id() {
    let id = |seed: u8| CallerKey::new(&FingerprintKey::new([seed; 16]), "corp", &["a"]).id();
    assert_eq!(id(1), id(1));
    assert_ne!(id(1), id(2));
}

#[test]
fn a_caller_has_one_id_with_a_name_or_without() {
    let plain = CallerKey::new(&SEED, "corp", &["acme"]);
    assert_eq!(plain.name(), None);
    assert_eq!(CallerKey::named(&SEED, "corp", &["acme"]).id(), plain.id());
}

#[test]
fn a_ledger_gets_a_json_array() {
    for (parts, expected) in [
        (&[][..], r#"["corp"]"#),
        (&["acme", "c1"], r#"["corp","acme","c1"]"#),
        (&["a\"b", "\\", "\n"], r#"["corp","a\"b","\\","\u000a"]"#),
        (&["é"], r#"["corp","é"]"#),
    ] {
        assert_eq!(name("corp", parts), expected);
        let read = crate::json::parse(expected.as_bytes()).unwrap();
        let read = read.as_array().unwrap()[1..].iter();
        let read: Vec<&str> = read.map(|part| part.as_str().unwrap()).collect();
        assert_eq!(read, parts);
    }
}

#[test]
fn a_long_name_is_replaced_by_its_hash() {
    let of_length = |length: usize| {
        let part = "x".repeat(length - r#"["corp",""]"#.len());
        (name("corp", &[&part]), format!(r#"["corp","{part}"]"#))
    };
    let (named, whole) = of_length(LEDGER_KEY_BYTES);
    assert_eq!(named, whole);
    let (named, whole) = of_length(LEDGER_KEY_BYTES + 1);
    let hash = Digest::sha256(whole.as_bytes());
    let digits: String = hash.as_bytes().iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(named, digits);
}
