#![allow(clippy::arithmetic_side_effects)]

use std::time::Duration;

use super::*;

const KEY: DigestKey = DigestKey::new([7; 16]);
const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);
const RETENTION: Retention = Retention {
    clock_tolerance: Duration::from_secs(30),
    max_lifetime: Some(Duration::from_secs(3600)),
};

fn poll(cursor: Option<&str>) -> Poll {
    Poll::new(Kind::Tokens, KEY, RETENTION, cursor.map(Box::from))
}

/// `{cursor: …, revoked: […], rest}`
fn page(cursor: &str, names: &[&str], rest: &str) -> String {
    let entries: Vec<String> = names
        .iter()
        .map(|name| format!(r#"{{"jti":"{name}","exp":1700000600}}"#))
        .collect();
    format!(
        r#"{{"cursor":"{cursor}","revoked":[{}]{rest}}}"#,
        entries.join(",")
    )
}

fn take(poll: Poll, text: &str) -> Progress {
    poll.take(text.as_bytes(), NOW).expect("a page")
}

fn more(poll: Poll, text: &str) -> Poll {
    match take(poll, text) {
        Progress::More(poll) => poll,
        Progress::Complete(update) => panic!("{update:?}"),
    }
}

fn complete(poll: Poll, text: &str) -> Update {
    match take(poll, text) {
        Progress::Complete(update) => update,
        Progress::More(poll) => panic!("{poll:?}"),
    }
}

fn is_reset(update: &Update) -> bool {
    matches!(update.change, Change::Reset(_))
}

const MORE: &str = r#","more":true"#;

#[test]
fn without_a_cursor_it_is_the_whole_list() {
    assert_eq!(poll(None).since(), None);
    let second = more(poll(None), &page("1", &["a", "b"], MORE));
    assert_eq!(second.since().as_deref(), Some("1"));
    let update = complete(second, &page("2", &["b", "c"], ""));
    assert!(is_reset(&update));
    assert_eq!((update.len(), &*update.cursor), (3, "2"));
    assert_eq!(update.since, None);
}

#[test]
fn with_a_cursor_it_is_what_is_new() {
    let second = more(poll(Some("7")), &page("8", &["a"], MORE));
    assert_eq!(second.since().as_deref(), Some("8"));
    let update = complete(second, &page("9", &["b"], ""));
    assert!(!is_reset(&update) && !update.is_empty());
    assert_eq!((update.len(), &*update.cursor), (2, "9"));
    assert_eq!(update.since.as_deref(), Some("7"));
    // That there is nothing new is said with the same cursor.
    let update = complete(poll(Some("7")), &page("7", &[], ""));
    assert!(!is_reset(&update) && update.is_empty());
}

#[test]
fn a_reset_drops_what_came_before_it() {
    let second = more(poll(Some("7")), &page("8", &["a", "b"], MORE));
    let third = more(second, &page("1", &["c"], r#","more":true,"reset":true"#));
    let update = complete(third, &page("2", &["d"], ""));
    assert!(is_reset(&update));
    assert_eq!(update.len(), 2);
    assert_eq!(update.since.as_deref(), Some("7"));
}

#[test]
fn the_cursor_is_encoded_for_a_query() {
    let since = |cursor| poll(Some(cursor)).since().expect("a cursor");
    assert_eq!(since("AZaz09-._~"), "AZaz09-._~");
    assert_eq!(since("a b&c=d#e%/?+"), "a%20b%26c%3Dd%23e%25%2F%3F%2B");
    assert_eq!(since("é\r\n\0"), "%C3%A9%0D%0A%00");
    assert_eq!(since(""), "");
}

#[test]
fn what_has_ended_is_not_kept() {
    let text = r#"{"cursor":"1","revoked":[
        {"jti":"ended","exp":1699999970},{"jti":"ends","exp":1699999971},{"jti":"stays"},
        {"sub":"ended","before":1699996370},{"sub":"ends","before":1699996371}]}"#;
    for cursor in [None, Some("0")] {
        assert_eq!(complete(poll(cursor), text).len(), 3, "{cursor:?}");
    }
    // Without a longest lifetime nobody knows when the last token that a subject has expires.
    let retention = Retention {
        max_lifetime: None,
        ..RETENTION
    };
    let poll = Poll::new(Kind::Tokens, KEY, retention, None);
    assert_eq!(complete(poll, text).len(), 4);
}

#[test]
fn a_page_that_leads_nowhere_ends_the_poll() {
    let invalid = |poll: Poll, text: &str| poll.take(text.as_bytes(), NOW).err();
    assert_eq!(
        invalid(poll(Some("7")), &page("7", &["a"], MORE)),
        Some(InvalidPage::NoProgress)
    );
    let second = more(poll(None), &page("1", &["a"], MORE));
    assert_eq!(
        invalid(second, &page("1", &["b"], MORE)),
        Some(InvalidPage::NoProgress)
    );
    let second = more(poll(None), &page("1", &["a"], MORE));
    assert_eq!(
        invalid(second, r#"{"cursor":"2","revoked":[{}]}"#),
        Some(InvalidPage::Entry { index: 0 })
    );
    let of_keys = Poll::new(Kind::ApiKeys, KEY, RETENTION, None);
    assert_eq!(
        invalid(of_keys, &page("1", &["a"], "")),
        Some(InvalidPage::Entry { index: 0 })
    );
}

#[test]
fn a_poll_has_its_bounds() {
    let mut poll = poll(None);
    for number in 1..REVOCATION_PAGES {
        poll = more(poll, &page(&number.to_string(), &["a"], MORE));
    }
    let last = page("last", &["a"], "");
    let beyond = more(poll, &page("another", &["a"], MORE)).take(last.as_bytes(), NOW);
    assert_eq!(beyond.err(), Some(InvalidPage::TooManyPages));
}

#[test]
fn a_list_has_its_bounds() {
    let entries = |count| vec![KEY.token("a", UnixTime::FAR_FUTURE); count];
    let mut poll = poll(Some("1"));
    assert_eq!(poll.add(entries(REVOCATION_ENTRIES), NOW), Ok(()));
    // Of what is new a name counts each time: that it is one is seen when it is published.
    assert_eq!(poll.add(entries(1), NOW), Err(InvalidPage::TooLong));
}
