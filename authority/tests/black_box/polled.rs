//! The lists that resource servers poll: who may read them, and how often they are built.

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::http::Request;
use crate::server::{Folder, GATEWAY, READER, Server};

const LISTS: [&str; 3] = ["/api-keys", "/api-keys/revocations", "/revocations"];

#[test]
fn the_lists_are_for_those_who_may_introspect() {
    let server = Server::start();
    server
        .admin("POST", "/api-keys", r#"{"client":"ci-bot"}"#)
        .expect(201);
    let (id, secret) = GATEWAY;
    let token = server.token(READER);
    for path in LISTS {
        let tag = server.poll(path).expect(200);
        let tag = tag.header("etag").unwrap();
        let with_tag = || Request::new("GET", path).header("if-none-match", tag);
        let body = format!("client_id={id}&client_secret={secret}");
        for (why, request, status, error) in [
            ("nobody", with_tag(), 401, "invalid_client"),
            (
                "wrong secret",
                with_tag().basic(id, "wrong"),
                401,
                "invalid_client",
            ),
            ("no secret", with_tag().basic(id, ""), 401, "invalid_client"),
            (
                "unknown",
                with_tag().basic("nobody", secret),
                401,
                "invalid_client",
            ),
            (
                "a token",
                with_tag().header("authorization", &format!("Bearer {token}")),
                401,
                "invalid_client",
            ),
            ("in the body", with_tag().form(body), 401, "invalid_client"),
            (
                "twice",
                with_tag().basic(id, secret).basic(id, secret),
                400,
                "invalid_request",
            ),
            (
                "a client that may not",
                with_tag().basic(READER.0, READER.1),
                403,
                "access_denied",
            ),
        ] {
            let answer = server.send(request);
            assert_eq!(answer.status, status, "{path}: {why}");
            assert_eq!(answer.json()["error"], error, "{path}: {why}");
            assert_eq!(answer.header("etag"), None, "{path}: {why}");
            assert_eq!(
                answer.header("cache-control"),
                Some("no-store"),
                "{path}: {why}"
            );
            let challenge = answer.header("www-authenticate");
            let expected = (status == 401).then_some("Basic realm=\"authority\"");
            assert_eq!(challenge, expected, "{path}: {why}");
            assert!(!answer.body.contains("ci-bot"), "{path}: {why}");
        }
        let known = server.send(with_tag().basic(id, secret)).expect(304);
        assert_eq!((known.body.as_str(), known.header("etag")), ("", Some(tag)));
        // The credential is checked first: without it there is no 400 and no 304.
        server
            .send(Request::new("GET", &format!("{path}?since=1&since=2")))
            .expect(401);
    }
}

/// What verifiers fetch has no personal data.
#[test]
fn keys_metadata_and_status_lists_stay_public() {
    let server = Server::start();
    for path in [
        "/jwks.json",
        "/.well-known/oauth-authorization-server",
        "/status/0",
    ] {
        let answer = server.get(path).expect(200);
        let tag = answer.header("etag").unwrap();
        let known = Request::new("GET", path).header("if-none-match", tag);
        assert_eq!(server.send(known).expect(304).body, "", "{path}");
    }
}

/// The test writes to the database behind the server. The rows show up in answers only when the server reads the database again.
#[test]
fn a_list_is_read_from_the_database_once_per_change() {
    let folder = Folder::new();
    let database = folder.file("authority.db");
    let server = Server::on_database(&database);
    let sub = |sub: &str| json!({"sub": sub, "before": 7});
    let revoke = |entry: Value| {
        let answer = server.admin("POST", "/revocations", &entry.to_string());
        answer.expect(200);
    };
    let mint = |client: &str| {
        let key = json!({ "client": client }).to_string();
        server.admin("POST", "/api-keys", &key).expect(201).json()["id"].clone()
    };
    let listed = || {
        let revoked = server.poll("/revocations").expect(200).json()["revoked"].clone();
        let keys = server.poll("/api-keys").expect(200).json()["keys"].clone();
        let count = |list: Value| list.as_array().unwrap().len();
        let key_ids = server.poll("/api-keys/revocations").expect(200).json();
        (
            count(revoked),
            count(keys),
            count(key_ids["revoked"].clone()),
        )
    };
    revoke(sub("a"));
    let (one, other) = (mint("a"), mint("b"));
    let path = format!("/api-keys/{}/revoke", one.as_str().unwrap());
    server.admin("POST", &path, "").expect(204);
    assert_eq!(listed(), (1, 2, 1));

    let past = Connection::open(&database).unwrap();
    past.execute("INSERT INTO revocations (sub, before) VALUES ('b', 7)", [])
        .unwrap();
    past.execute(
        "INSERT INTO api_key_revocations (key_id) VALUES (?1)",
        [other.as_str().unwrap()],
    )
    .unwrap();
    past.execute(
        "INSERT INTO api_keys (id, client, hash, scopes, created_at) VALUES ('x', 'x', 'x', '[]', 7)",
        [],
    )
    .unwrap();
    for _ in 0..50 {
        assert_eq!(listed(), (1, 2, 1));
    }
    // Issuing a token changes no list.
    server.token(READER);
    assert_eq!(listed(), (1, 2, 1));

    // A change through the server makes it read that list again, with the other new rows. The other lists stay as they are.
    revoke(sub("c"));
    assert_eq!(listed(), (3, 2, 1));
    mint("c");
    assert_eq!(listed(), (3, 4, 2));
}
