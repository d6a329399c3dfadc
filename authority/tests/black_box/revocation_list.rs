use std::collections::HashSet;

use serde_json::{Value, json};

use crate::answers::Page;
use crate::http::Request;
use crate::server::{Folder, GATEWAY, OPAQUE, Server, now};

const MAX_ENTRIES: usize = 50_000;
const MAX_BYTES: usize = 4 * 1024 * 1024;

fn page(server: &Server, since: &str) -> Page {
    let path = format!("/revocations?since={since}");
    let path = if since.is_empty() {
        "/revocations"
    } else {
        &path
    };
    let response = server.poll(path).expect(200);
    let page: Page = response.json_as();
    assert!(page.revoked.len() <= MAX_ENTRIES && response.body.len() <= MAX_BYTES);
    page
}

/// All entries from the start on, and the number of pages.
fn read_all(server: &Server) -> (Vec<Value>, usize) {
    let (mut since, mut entries) = (String::new(), Vec::new());
    for pages in 1.. {
        let page = page(server, &since);
        entries.extend(page.revoked);
        if !page.more {
            return (entries, pages);
        }
        since = page.cursor;
    }
    unreachable!()
}

fn add(server: &Server, entries: &Value) {
    server
        .admin("POST", "/revocations", &entries.to_string())
        .expect(200);
}

#[test]
fn a_list_is_read_once_and_then_what_is_new() {
    let server = Server::start();
    let empty = page(&server, "");
    assert!(empty.revoked.is_empty() && !empty.more && !empty.reset);

    let token = server.token(OPAQUE);
    let introspected = server.introspect(&token);
    server.revoke(OPAQUE, &token).expect(200);
    let entry = json!({"jti": introspected["jti"], "exp": introspected["exp"]});
    let first = page(&server, &empty.cursor);
    assert_eq!(first.revoked, std::slice::from_ref(&entry));
    assert!(!first.reset);

    let (sub, client_id) = (
        json!({"sub": "a", "before": 7}),
        json!({"client_id": "b", "before": 8}),
    );
    let both = json!({"sub": "a", "client_id": "b", "before": 9});
    add(&server, &sub);
    add(&server, &json!([client_id, both]));
    assert_eq!(
        page(&server, &first.cursor).revoked,
        [&sub, &client_id, &both].map(Value::clone)
    );
    assert_eq!(page(&server, "").revoked, [entry, sub, client_id, both]);

    let last = page(&server, "");
    let nothing = page(&server, &last.cursor);
    assert_eq!(nothing.cursor, last.cursor);
    assert!(nothing.revoked.is_empty());
}

#[test]
fn a_cursor_of_elsewhere_starts_the_list_anew() {
    let server = Server::start();
    let other = Server::start();
    add(&server, &json!({"sub": "a", "before": 7}));
    add(&other, &json!({"sub": "b", "before": 7}));
    let own = page(&server, "").cursor;
    let (epoch, _) = own.split_once('-').unwrap();
    for wrong in [
        page(&other, "").cursor,
        format!("{epoch}-2"),
        format!("{epoch}-99999999999999999999"),
        format!("{epoch}--1"),
        format!("{epoch}-"),
        epoch.to_owned(),
        "0".to_owned(),
        "42".to_owned(),
        "%00".to_owned(),
    ] {
        let answer = page(&server, &wrong);
        assert!(answer.reset, "{wrong}");
        assert_eq!(
            answer.revoked,
            [json!({"sub": "a", "before": 7})],
            "{wrong}"
        );
        assert_eq!(answer.cursor, own);
    }
    server.poll("/revocations?since=1&since=2").expect(400);
}

#[test]
fn a_cursor_outlives_the_process() {
    let folder = Folder::new();
    let database = folder.file("authority.db");
    let server = Server::on_database(&database);
    add(&server, &json!({"sub": "a", "before": 7}));
    let before = page(&server, "").cursor;
    server.kill();

    let server = Server::on_database(&database);
    let unchanged = Page {
        cursor: before.clone(),
        reset: false,
        more: false,
        revoked: Vec::new(),
    };
    assert_eq!(page(&server, &before), unchanged);
}

#[test]
fn an_entry_replaces_what_it_covers_and_readers_see_it() {
    let server = Server::start();
    let exp = now() + 1000;
    add(
        &server,
        &json!([{"sub": "a", "before": 7}, {"jti": "j", "exp": exp}]),
    );
    let since = page(&server, "").cursor;

    // These entries revoke nothing new.
    add(
        &server,
        &json!([{"sub": "a", "before": 6}, {"sub": "a", "before": 7}]),
    );
    add(
        &server,
        &json!([{"jti": "j", "exp": exp}, {"jti": "j", "exp": exp - 1}]),
    );
    assert!(page(&server, &since).revoked.is_empty());

    let wider = [
        json!({"sub": "a", "before": 8}),
        json!({"jti": "j", "exp": exp + 1}),
    ];
    add(&server, &json!(wider));
    assert_eq!(page(&server, &since).revoked, wider);
    assert_eq!(page(&server, "").revoked, wider);
}

#[test]
fn an_entry_goes_some_time_after_its_token() {
    let server = Server::start();
    let recent = json!({"jti": "recent", "exp": now() - 600});
    add(
        &server,
        &json!([{"jti": "old", "exp": now() - 100_000}, recent]),
    );
    assert_eq!(page(&server, "").revoked, [recent]);
}

#[test]
fn a_long_list_comes_in_pages() {
    let server = Server::start();
    let exp = now() + 1000;
    let entry = |n: usize| json!({"jti": format!("{n:06}"), "exp": exp});
    let all: Vec<Value> = (0..MAX_ENTRIES + 1).map(entry).collect();
    add(&server, &json!(all[..MAX_ENTRIES]));
    let (entries, pages) = read_all(&server);
    assert_eq!((entries.len(), pages), (MAX_ENTRIES, 1));

    add(&server, &json!(all[MAX_ENTRIES..]));
    let (entries, pages) = read_all(&server);
    assert_eq!(pages, 2);
    assert!(entries == all);
    // With an unknown cursor too; then only the first page has `reset`.
    let first = page(&server, "42");
    assert!(first.reset && first.more);
    let second = page(&server, &first.cursor);
    assert!(!second.reset && !second.more);
    assert_eq!(second.revoked, [entry(MAX_ENTRIES)]);
}

#[test]
fn long_entries_make_short_pages() {
    let server = Server::start();
    // A control character takes six bytes in JSON, so 1 KiB of name takes 6 KiB of a page.
    let filler = "\u{1}".repeat(1019);
    let entries: Vec<Value> = (0..1000)
        .map(|n| json!({"sub": format!("{n:04}{filler}"), "before": 7}))
        .collect();
    add(&server, &json!(entries));
    let (read, pages) = read_all(&server);
    assert_eq!(pages, 2);
    assert_eq!(
        read.into_iter()
            .map(|entry| entry.to_string())
            .collect::<HashSet<_>>()
            .len(),
        1000
    );
}

#[test]
fn whoever_has_a_page_already_is_told_so() {
    let server = Server::start();
    let tag = server
        .poll("/revocations")
        .header("etag")
        .unwrap()
        .to_owned();
    let ask = |tags: &str| {
        server.send(
            Request::new("GET", "/revocations")
                .basic(GATEWAY.0, GATEWAY.1)
                .header("if-none-match", tags),
        )
    };
    for known in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}")] {
        let answer = ask(&known).expect(304);
        assert_eq!(answer.body, "");
        assert_eq!(answer.header("etag"), Some(tag.as_str()));
    }
    for unknown in ["\"x\"", "", tag.trim_matches('"')] {
        ask(unknown).expect(200);
    }
    add(&server, &json!({"sub": "a", "before": 7}));
    ask(&tag).expect(200);
}
