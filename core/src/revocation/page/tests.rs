#![allow(clippy::arithmetic_side_effects)]

use super::*;

const KEY: DigestKey = DigestKey::new([7; 16]);

fn parse(text: &str, kind: Kind) -> Result<Page, InvalidPage> {
    Page::parse(text.as_bytes(), kind, &KEY)
}

fn with_entry(entry: &str) -> String {
    format!(r#"{{"cursor":"1","revoked":[{{"jti":"good","exp":1}},{entry}]}}"#)
}

fn at(seconds: i64) -> UnixTime {
    UnixTime::from_secs(seconds)
}

#[test]
fn entries_mean_what_they_say() {
    let tokens = [
        (r#"{"jti":"a","exp":5}"#, KEY.token("a", at(5))),
        (r#"{"exp":5,"jti":"a"}"#, KEY.token("a", at(5))),
        (r#"{"jti":"a"}"#, KEY.token("a", UnixTime::FAR_FUTURE)),
        (r#"{"jti":"","exp":-5}"#, KEY.token("", at(-5))),
        (
            r#"{"jti":"a","exp":1.5}"#,
            KEY.token("a", UnixTime::from_micros(1_500_000)),
        ),
        (r#"{"jti":"\u0061","exp":5e0}"#, KEY.token("a", at(5))),
        (r#"{"sub":"a","before":5}"#, KEY.subject("a", at(5))),
        (r#"{"client_id":"a","before":5}"#, KEY.client("a", at(5))),
        (
            r#"{"sub":"a","client_id":"b","before":5}"#,
            KEY.subject_at_client("a", "b", at(5)),
        ),
    ];
    let keys = [
        (r#"{"key_id":"a"}"#, KEY.api_key("a")),
        // Whatever it says of its expiry: a key list may change that.
        (r#"{"key_id":"a","exp":5}"#, KEY.api_key("a")),
    ];
    let of = |kind| move |(text, entry)| (kind, text, entry);
    let all = tokens.map(of(Kind::Tokens)).into_iter();
    for (kind, text, entry) in all.chain(keys.map(of(Kind::ApiKeys))) {
        let page = parse(&format!(r#"{{"cursor":"1","revoked":[{text}]}}"#), kind);
        assert_eq!(page.expect(text).entries, [entry], "{text}");
    }
}

#[test]
fn a_page_says_how_it_goes_on() {
    let flags = |text: &str| {
        let page = parse(text, Kind::Tokens).expect(text);
        (page.more, page.reset, page.cursor.to_string())
    };
    let cursor = |c: &str| c.to_owned();
    assert_eq!(
        flags(r#"{"cursor":"1","revoked":[]}"#),
        (false, false, cursor("1"))
    );
    assert_eq!(
        flags(r#"{"cursor":"a b","revoked":[],"more":true,"reset":false}"#),
        (true, false, cursor("a b"))
    );
    // What else a page says is for others to read.
    assert_eq!(
        flags(r#"{"cursor":"","revoked":[],"more":false,"reset":true,"generated_at":7}"#),
        (false, true, cursor(""))
    );
    let longest = "c".repeat(REVOCATION_CURSOR_BYTES);
    assert_eq!(
        flags(&format!(r#"{{"cursor":"{longest}","revoked":[]}}"#)),
        (false, false, longest)
    );
}

#[test]
fn an_entry_that_cannot_be_honoured_spoils_the_page() {
    let shapes = [
        "7",
        "null",
        "[]",
        r#""jti""#,
        "{}",
        r#"{"email":"x"}"#,
        // Of another type, or without what makes it one.
        r#"{"jti":7,"exp":1}"#,
        r#"{"jti":null}"#,
        r#"{"jti":["a"],"exp":1}"#,
        r#"{"jti":"a","exp":"1"}"#,
        r#"{"jti":"a","exp":null}"#,
        r#"{"jti":"a","exp":true}"#,
        r#"{"jti":"a","exp":1e300}"#,
        r#"{"exp":1}"#,
        r#"{"before":1}"#,
        r#"{"sub":"a"}"#,
        r#"{"sub":7,"before":1}"#,
        r#"{"sub":"a","before":"1"}"#,
        r#"{"sub":"a","before":null}"#,
        r#"{"sub":"a","before":1e300}"#,
        r#"{"client_id":"a"}"#,
        r#"{"client_id":7,"before":1}"#,
        r#"{"sub":"a","client_id":"b"}"#,
        r#"{"sub":"a","client_id":7,"before":1}"#,
        r#"{"sub":7,"client_id":"b","before":1}"#,
        // Any further member might widen what it revokes.
        r#"{"jti":"a","exp":1,"before":1}"#,
        r#"{"jti":"a","before":1}"#,
        r#"{"jti":"a","sub":"b","exp":1}"#,
        r#"{"jti":"a","client_id":"b"}"#,
        r#"{"jti":"a","exp":1,"iss":"x"}"#,
        r#"{"jti":"a","tenant":"x"}"#,
        r#"{"sub":"a","before":1,"exp":2}"#,
        r#"{"sub":"a","before":1,"tenant":"x"}"#,
        r#"{"client_id":"a","before":1,"tenant":"x"}"#,
        r#"{"sub":"a","client_id":"b","before":1,"tenant":"x"}"#,
    ];
    // What is allowed on the other kind of list alone.
    let of_keys = [r#"{"key_id":"a"}"#, r#"{"key_id":"a","exp":1}"#];
    for entry in shapes.iter().chain(&of_keys) {
        assert_eq!(
            parse(&with_entry(entry), Kind::Tokens).err(),
            Some(InvalidPage::Entry { index: 1 }),
            "{entry}"
        );
    }
    let of_tokens = [
        r#"{"jti":"a","exp":1}"#,
        r#"{"jti":"a"}"#,
        r#"{"sub":"a","before":1}"#,
        r#"{"client_id":"a","before":1}"#,
        r#"{"sub":"a","client_id":"b","before":1}"#,
        r#"{"key_id":"a","exp":"1"}"#,
        r#"{"key_id":"a","before":1}"#,
        r#"{"key_id":"a","jti":"b"}"#,
        r#"{"key_id":"a","tenant":"x"}"#,
        r#"{"key_id":7}"#,
    ];
    for entry in shapes.iter().chain(&of_tokens) {
        let page = format!(r#"{{"cursor":"1","revoked":[{{"key_id":"good"}},{entry}]}}"#);
        assert_eq!(
            parse(&page, Kind::ApiKeys).err(),
            Some(InvalidPage::Entry { index: 1 }),
            "{entry}"
        );
    }
}

#[test]
fn a_page_without_its_members_is_none() {
    let too_long = "c".repeat(REVOCATION_CURSOR_BYTES + 1);
    let too_long = format!(r#"{{"cursor":"{too_long}","revoked":[]}}"#);
    for (text, member) in [
        (r#"{}"#, "cursor"),
        (r#"{"revoked":[]}"#, "cursor"),
        (r#"{"cursor":1,"revoked":[]}"#, "cursor"),
        (r#"{"cursor":null,"revoked":[]}"#, "cursor"),
        (&too_long, "cursor"),
        (r#"{"cursor":"1"}"#, "revoked"),
        (r#"{"cursor":"1","revoked":null}"#, "revoked"),
        (r#"{"cursor":"1","revoked":{"jti":"a"}}"#, "revoked"),
        (r#"{"cursor":"1","revoked":[],"more":"true"}"#, "more"),
        (r#"{"cursor":"1","revoked":[],"more":null}"#, "more"),
        (r#"{"cursor":"1","revoked":[],"more":1}"#, "more"),
        (r#"{"cursor":"1","revoked":[],"reset":1}"#, "reset"),
        (r#"{"cursor":"1","revoked":[],"reset":null}"#, "reset"),
    ] {
        assert_eq!(
            parse(text, Kind::Tokens).err(),
            Some(InvalidPage::Member(member)),
            "{text}"
        );
    }
    for text in [
        "",
        "[]",
        "null",
        "{",
        r#"{"cursor":"1","cursor":"2","revoked":[]}"#,
        // Who reads the first of two and who reads the last would revoke different tokens.
        r#"{"cursor":"1","revoked":[{"jti":"a","jti":"b"}]}"#,
    ] {
        let invalid = parse(text, Kind::Tokens).err();
        assert!(
            matches!(invalid, Some(InvalidPage::NotJson(_))),
            "{text}: {invalid:?}"
        );
    }
}

#[test]
fn a_page_has_its_bounds() {
    let page = |entries: usize| {
        let entries = vec![r#"{"jti":"a","exp":1}"#; entries].join(",");
        format!(r#"{{"cursor":"1","revoked":[{entries}]}}"#)
    };
    let full = parse(&page(REVOCATION_PAGE_ENTRIES), Kind::Tokens).expect("a full page");
    assert_eq!(full.entries.len(), REVOCATION_PAGE_ENTRIES);
    assert_eq!(
        parse(&page(REVOCATION_PAGE_ENTRIES + 1), Kind::Tokens).err(),
        Some(InvalidPage::TooManyEntries {
            entries: REVOCATION_PAGE_ENTRIES + 1
        })
    );
    let mut text = page(1);
    text += &" ".repeat(REVOCATION_PAGE_BYTES - text.len());
    assert!(parse(&text, Kind::Tokens).is_ok());
    text.push(' ');
    assert_eq!(
        parse(&text, Kind::Tokens).err(),
        Some(InvalidPage::TooLarge {
            bytes: REVOCATION_PAGE_BYTES + 1
        })
    );
}
