use aws_lc_rs::digest::{SHA256, digest};
use base16ct::HexDisplay;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::http::Request;
use crate::server::{Folder, GATEWAY, Server};

const CI_BOT: &str = r#"{"client":"ci-bot","scopes":["data:read"],"tenant":"acme",
    "not_before":"2026-01-01T00:00:00Z","expires_at":"2099-01-01T00:00:00Z"}"#;

fn mint(server: &Server, body: &str) -> Value {
    server.admin("POST", "/api-keys", body).expect(201).json()
}

fn listed(server: &Server) -> Vec<Value> {
    server.poll("/api-keys").expect(200).json()["keys"]
        .as_array()
        .unwrap()
        .clone()
}

fn find(server: &Server, id: &Value) -> Value {
    listed(server)
        .into_iter()
        .find(|key| key["id"] == *id)
        .unwrap()
}

fn path(key: &Value, action: &str) -> String {
    format!("/api-keys/{}/{action}", key["id"].as_str().unwrap())
}

fn hash(key: &Value) -> String {
    let digest = digest(&SHA256, key["key"].as_str().unwrap().as_bytes());
    format!("sha256:{:x}", HexDisplay(digest.as_ref()))
}

#[test]
fn a_key_is_shown_once_and_listed_by_its_hash() {
    let server = Server::start();
    let answer = server.admin("POST", "/api-keys", CI_BOT).expect(201);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let key = answer.json();
    let plain = key["key"].as_str().unwrap();
    let random = plain.strip_prefix("pck_").unwrap();
    assert!(URL_SAFE_NO_PAD.decode(random).unwrap().len() * 8 >= 256);

    let expected = json!({
        "id": key["id"],
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
        "id": key["id"], "client": "ci-bot", "hash": hash(&key), "scopes": [], "revoked": false,
    });
    assert_eq!(listed(&server), [expected]);
    let other = mint(&server, r#"{"client":"ci-bot"}"#);
    assert_ne!(key["key"], other["key"]);
    assert_ne!(key["id"], other["id"]);
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
    let rotate = path(&old, "rotate");
    let new = server
        .admin("POST", &rotate, r#"{"grace":"1h"}"#)
        .expect(201)
        .json();
    assert_ne!(new["key"], old["key"]);

    let (listed_old, listed_new) = (find(&server, &old["id"]), find(&server, &new["id"]));
    assert_eq!(listed_new["hash"], hash(&new));
    for same in ["client", "scopes", "tenant"] {
        assert_eq!(listed_new[same], listed_old[same], "{same}");
    }
    assert_eq!(listed_new["expires_at"], "2099-01-01T00:00:00Z");
    assert_eq!(listed_new["revoked"], false);
    assert_eq!(listed_old["hash"], hash(&old));
    assert_eq!(listed_old["revoked"], false);
    let ends = listed_old["expires_at"].as_str().unwrap();
    assert!(ends < "2099" && ends > "2026", "{ends}");
}

#[test]
fn a_rotation_lengthens_no_keys_life() {
    let server = Server::start();
    let old = mint(
        &server,
        r#"{"client":"a","expires_at":"2098-01-01T00:00:00Z"}"#,
    );
    let body = r#"{"grace":"999y","expires_at":"2099-01-01T00:00:00Z"}"#;
    let new = server
        .admin("POST", &path(&old, "rotate"), body)
        .expect(201)
        .json();
    assert_eq!(
        find(&server, &old["id"])["expires_at"],
        "2098-01-01T00:00:00Z"
    );
    assert_eq!(
        find(&server, &new["id"])["expires_at"],
        "2099-01-01T00:00:00Z"
    );
}

#[test]
fn only_a_living_key_is_rotated() {
    let server = Server::start();
    let (revoked, living) = (mint(&server, CI_BOT), mint(&server, CI_BOT));
    let ended = mint(&server, CI_BOT);
    server
        .admin("POST", &path(&revoked, "revoke"), "")
        .expect(204);
    server
        .admin("POST", &path(&ended, "rotate"), r#"{"grace":"0s"}"#)
        .expect(201);
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
    assert_eq!(
        find(&server, &living["id"])["expires_at"],
        "2099-01-01T00:00:00Z"
    );
}

#[test]
fn a_revoked_key_is_on_both_lists() {
    let server = Server::start();
    let (key, other) = (mint(&server, CI_BOT), mint(&server, CI_BOT));
    let revocations = |since: &str| {
        let path = format!("/api-keys/revocations?since={since}");
        server.poll(&path).expect(200).json()
    };
    let before = server.poll("/api-keys/revocations").expect(200).json();
    assert_eq!(before["revoked"], json!([]));

    for _ in 0..2 {
        server.admin("POST", &path(&key, "revoke"), "").expect(204);
        assert_eq!(find(&server, &key["id"])["revoked"], true);
        assert_eq!(find(&server, &other["id"])["revoked"], false);
        let new = revocations(before["cursor"].as_str().unwrap());
        assert_eq!(new["revoked"], json!([{"key_id": key["id"]}]));
    }
    assert_eq!(revocations("42")["reset"], true);
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
    let plain = [key["key"].as_str().unwrap(), token.as_str()];
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
