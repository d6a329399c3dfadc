use aws_lc_rs::digest::{SHA256, digest};
use base16ct::HexDisplay;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use crate::answers::{ApiKey, ApiKeys, CreatedKey, Page};
use crate::http::Request;
use crate::server::{Folder, GATEWAY, Server};

const CI_BOT: &str = r#"{"client":"ci-bot","scopes":["data:read"],"tenant":"acme",
    "not_before":"2026-01-01T00:00:00Z","expires_at":"2099-01-01T00:00:00Z"}"#;

fn mint(server: &Server, body: &str) -> CreatedKey {
    let answer = server.admin("POST", "/api-keys", body);
    answer.expect(201).json_as()
}

fn rotate(server: &Server, key: &CreatedKey, body: &str) -> CreatedKey {
    let answer = server.admin("POST", &path(key, "rotate"), body);
    answer.expect(201).json_as()
}

fn listed(server: &Server) -> Vec<ApiKey> {
    let list: ApiKeys = server.poll("/api-keys").expect(200).json_as();
    list.keys
}

fn find(server: &Server, id: &str) -> ApiKey {
    let mut keys = listed(server).into_iter();
    keys.find(|key| key.id == id).unwrap()
}

fn path(key: &CreatedKey, action: &str) -> String {
    format!("/api-keys/{}/{action}", key.id)
}

fn hash(key: &CreatedKey) -> String {
    let digest = digest(&SHA256, key.key.as_bytes());
    format!("sha256:{:x}", HexDisplay(digest.as_ref()))
}

#[test]
fn a_key_is_shown_once_and_listed_by_its_hash() {
    let server = Server::start();
    let answer = server.admin("POST", "/api-keys", CI_BOT).expect(201);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let key: CreatedKey = answer.json_as();
    let random = key.key.strip_prefix("pck_").unwrap();
    assert!(URL_SAFE_NO_PAD.decode(random).unwrap().len() * 8 >= 256);
    assert_eq!(
        (key.client.as_str(), &key.scopes[..]),
        ("ci-bot", &["data:read".to_owned()][..])
    );
    assert_eq!(key.expires_at.as_deref(), Some("2099-01-01T00:00:00Z"));

    let expected = json!({
        "id": key.id,
        "client": "ci-bot",
        "hash": hash(&key),
        "scopes": ["data:read"],
        "tenant": "acme",
        "not_before": "2026-01-01T00:00:00Z",
        "expires_at": "2099-01-01T00:00:00Z",
        "revoked": false,
    });
    assert_eq!(
        server.poll("/api-keys").expect(200).json(),
        json!({"keys": [expected]})
    );
    let admin = server.admin("GET", "/api-keys", "").expect(200);
    assert_eq!(admin.json(), json!({"keys": [expected]}));
    assert!(!admin.body.contains(random));
}

#[test]
fn a_key_has_no_more_than_it_was_given() {
    let server = Server::start();
    let key = mint(&server, r#"{"client":"ci-bot"}"#);
    let expected = json!({
        "id": key.id, "client": "ci-bot", "hash": hash(&key), "scopes": [], "revoked": false,
    });
    let list = server.poll("/api-keys").expect(200).json();
    assert_eq!(list, json!({"keys": [expected]}));
    let other = mint(&server, r#"{"client":"ci-bot"}"#);
    assert_ne!(key.key, other.key);
    assert_ne!(key.id, other.id);
}

#[test]
fn a_key_that_is_not_described_right_is_not_minted() {
    let server = Server::start();
    for wrong in [
        "",
        "{}",
        "[]",
        r#"{"client":""}"#,
        r#"{"client":7}"#,
        r#"{"client":"a\nb"}"#,
        r#"{"client":"a","tenant":""}"#,
        r#"{"client":"a","scopes":"data:read"}"#,
        r#"{"client":"a","scopes":["data:read data:write"]}"#,
        r#"{"client":"a","scopes":[""]}"#,
        r#"{"client":"a","scopes":["x","x"]}"#,
        r#"{"client":"a","expires_at":"2020-01-01T00:00:00Z"}"#,
        r#"{"client":"a","expires_at":"tomorrow"}"#,
        r#"{"client":"a","expires_at":1893456000}"#,
        r#"{"client":"a","key":"mine"}"#,
        r#"{"client":"a","id":"mine"}"#,
    ] {
        server.admin("POST", "/api-keys", wrong).expect(400);
    }
    let long = json!({"client": "a".repeat(257)}).to_string();
    server.admin("POST", "/api-keys", &long).expect(400);
    assert_eq!(listed(&server).len(), 0);
}

#[test]
fn a_rotated_key_works_on_for_its_grace() {
    let server = Server::start();
    let old = mint(&server, CI_BOT);
    let new = rotate(&server, &old, r#"{"grace":"1h"}"#);
    assert_ne!(new.key, old.key);

    let (listed_old, listed_new) = (find(&server, &old.id), find(&server, &new.id));
    let expected = ApiKey {
        id: new.id.clone(),
        hash: hash(&new),
        not_before: None,
        expires_at: Some("2099-01-01T00:00:00Z".to_owned()),
        ..listed_old.clone()
    };
    assert_eq!(listed_new, expected);
    assert_eq!(listed_old.hash, hash(&old));
    assert!(!listed_old.revoked);
    let ends = listed_old.expires_at.unwrap();
    assert!(*ends < *"2099" && *ends > *"2026", "{ends}");
}

#[test]
fn a_rotation_lengthens_no_keys_life() {
    let server = Server::start();
    let old = mint(
        &server,
        r#"{"client":"a","expires_at":"2098-01-01T00:00:00Z"}"#,
    );
    let body = r#"{"grace":"999y","expires_at":"2099-01-01T00:00:00Z"}"#;
    let new = rotate(&server, &old, body);
    let ends = |key: &CreatedKey| find(&server, &key.id).expires_at.unwrap();
    assert_eq!(ends(&old), "2098-01-01T00:00:00Z");
    assert_eq!(ends(&new), "2099-01-01T00:00:00Z");
}

#[test]
fn only_a_living_key_is_rotated() {
    let server = Server::start();
    let (revoked, living) = (mint(&server, CI_BOT), mint(&server, CI_BOT));
    let ended = mint(&server, CI_BOT);
    server
        .admin("POST", &path(&revoked, "revoke"), "")
        .expect(204);
    rotate(&server, &ended, r#"{"grace":"0s"}"#);
    let count = listed(&server).len();
    for (path, body, status) in [
        (path(&revoked, "rotate"), "", 400),
        (path(&ended, "rotate"), "", 400),
        ("/api-keys/nobody/rotate".to_owned(), "", 404),
        ("/api-keys/nobody/revoke".to_owned(), "", 404),
        (path(&living, "rotate"), r#"{"grace":"soon"}"#, 400),
        (path(&living, "rotate"), r#"{"grace":3600}"#, 400),
        (path(&living, "rotate"), r#"{"id":"mine"}"#, 400),
    ] {
        server.admin("POST", &path, body).expect(status);
    }
    assert_eq!(listed(&server).len(), count);
    let ends = find(&server, &living.id).expires_at.unwrap();
    assert_eq!(ends, "2099-01-01T00:00:00Z");
}

#[test]
fn a_revoked_key_is_on_both_lists() {
    let server = Server::start();
    let (key, other) = (mint(&server, CI_BOT), mint(&server, CI_BOT));
    let revocations = |since: &str| {
        let path = format!("/api-keys/revocations?since={since}");
        server.poll(&path).expect(200).json_as::<Page>()
    };
    let before: Page = server.poll("/api-keys/revocations").expect(200).json_as();
    assert!(before.revoked.is_empty());

    for _ in 0..2 {
        server.admin("POST", &path(&key, "revoke"), "").expect(204);
        assert!(find(&server, &key.id).revoked);
        assert!(!find(&server, &other.id).revoked);
        let new = revocations(&before.cursor);
        assert_eq!(new.revoked, [json!({"key_id": key.id})]);
    }
    assert!(revocations("42").reset);
    // Keys are no tokens: the other list knows nothing of them.
    assert_eq!(server.poll("/revocations").json()["revoked"], json!([]));
}

#[test]
fn whoever_has_the_list_already_is_told_so() {
    let server = Server::start();
    let tag = server.poll("/api-keys").header("etag").unwrap().to_owned();
    let ask = || {
        server
            .send(
                Request::new("GET", "/api-keys")
                    .basic(GATEWAY.0, GATEWAY.1)
                    .header("if-none-match", &tag),
            )
            .status
    };
    assert_eq!(ask(), 304);
    mint(&server, CI_BOT);
    assert_eq!(ask(), 200);
}

#[test]
fn the_database_holds_no_key() {
    let folder = Folder::new();
    let database = folder.file("authority.db");
    let server = Server::on_database(&database);
    let key = mint(&server, CI_BOT);
    let token = server.token(crate::server::OPAQUE);
    server.kill();
    let plain = [key.key.as_str(), token.as_str()];
    for file in ["authority.db", "authority.db-wal"] {
        let bytes = std::fs::read(folder.file(file)).unwrap();
        for plain in plain {
            assert!(
                !bytes
                    .windows(plain.len())
                    .any(|window| window == plain.as_bytes()),
                "{file}"
            );
        }
    }
}
