use std::collections::HashSet;
use std::path::Path;

use rusqlite::Connection;
use serde_json::Value;

use crate::server::{EDWARD, Folder, READER, Server, WRITER, eventually, tour_where};

fn kids(server: &Server) -> Vec<String> {
    let jwks = server.get("/jwks.json").expect(200).json();
    let kid = |key: &Value| key["kid"].as_str().unwrap().to_owned();
    jwks["keys"].as_array().unwrap().iter().map(kid).collect()
}

#[test]
fn the_published_keys_are_public_and_complete() {
    let server = Server::start();
    let jwks = server.get("/jwks.json").expect(200).json();
    let keys = jwks["keys"].as_array().unwrap();
    let algorithms: Vec<&str> = keys
        .iter()
        .map(|key| key["alg"].as_str().unwrap())
        .collect();
    assert_eq!(algorithms, ["RS256", "ES256", "EdDSA"]);
    for key in keys {
        assert_eq!(key["use"], "sig");
        assert!(!key["kid"].as_str().unwrap().is_empty());
        for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            assert_eq!(key.get(private), None, "{key}");
        }
    }
    assert_eq!(kids(&server).into_iter().collect::<HashSet<_>>().len(), 3);
}

#[test]
fn tokens_outlive_a_rotation() {
    let server = Server::start();
    let (old_kids, old) = (
        kids(&server),
        [READER, WRITER, EDWARD].map(|client| server.token(client)),
    );
    server.admin("POST", "/keys/rotate", "").expect(200);

    let kids = kids(&server);
    assert_eq!(kids.len(), 6);
    assert!(old_kids.iter().all(|kid| kids.contains(kid)));
    assert!(old.iter().all(|token| server.verify(token).is_some()));
    for client in [READER, WRITER, EDWARD] {
        let (header, _) = server.verify(&server.token(client)).unwrap();
        assert!(!old_kids.contains(&header["kid"].as_str().unwrap().to_owned()));
    }
}

#[test]
fn dropped_keys_verify_nothing() {
    let server = Server::start();
    server.admin("POST", "/keys/rotate", "").expect(200);
    let (old_kids, old) = (kids(&server), server.token(READER));
    server
        .admin("POST", "/keys/rotate?drop_old=true", "")
        .expect(200);

    let kids = kids(&server);
    assert_eq!(kids.len(), 3);
    assert!(old_kids.iter().all(|kid| !kids.contains(kid)));
    assert!(server.verify(&old).is_none());
    assert!(server.verify(&server.token(READER)).is_some());
}

#[test]
fn a_rotation_is_asked_for_on_the_admin_port_in_one_way() {
    let server = Server::start();
    let before = kids(&server);
    server.admin("GET", "/keys/rotate", "").expect(405);
    server
        .admin("POST", "/keys/rotate?drop_old=yes", "")
        .expect(400);
    server
        .admin("POST", "/keys/rotate?drop_old=true&drop_old=false", "")
        .expect(400);
    server
        .send(crate::http::Request::new("POST", "/keys/rotate"))
        .expect(404);
    assert_eq!(kids(&server), before);
}

#[test]
fn a_retired_key_goes_when_its_grace_is_over() {
    let folder = Folder::new();
    let config = format!(
        "key_grace = \"1s\"\n{}",
        tour_where("token_lifetime = \"1s\"")
    );
    let server = Server::with(folder.write("authority.toml", &config), &[]);
    let old = kids(&server);
    server.admin("POST", "/keys/rotate", "").expect(200);
    eventually("the old keys are gone", || kids(&server).len() == 3);
    assert!(kids(&server).iter().all(|kid| !old.contains(kid)));
}

#[test]
fn keys_outlive_the_process() {
    let folder = Folder::new();
    let database = folder.file("authority.db");
    let server = Server::on_database(&database);
    server.admin("POST", "/keys/rotate", "").expect(200);
    let (before, token) = (kids(&server), server.token(READER));
    assert!(server.terminate().0.success());

    let server = Server::on_database(&database);
    let mut after = kids(&server);
    after.sort();
    let mut before = before;
    before.sort();
    assert_eq!(after, before);
    assert!(server.verify(&token).is_some());
}

/// The private keys in the database.
fn private_keys(database: &Path) -> Vec<Vec<u8>> {
    let connection = Connection::open(database).unwrap();
    let mut query = connection
        .prepare("SELECT private_key FROM signing_keys")
        .unwrap();
    let keys = query.query_map([], |row| row.get(0)).unwrap();
    keys.map(Result::unwrap).collect()
}

#[test]
fn a_dropped_key_is_gone_from_the_disk() {
    let folder = Folder::new();
    let database = folder.file("authority.db");
    let server = Server::on_database(&database);
    let is_on_disk = |key: &[u8]| {
        ["authority.db", "authority.db-wal"]
            .into_iter()
            .any(|file| {
                let bytes = std::fs::read(folder.file(file)).unwrap();
                // Some keys end with their public half; the middle is private in all of them.
                let middle = &key[key.len() / 3..key.len() / 3 + 24];
                bytes.windows(middle.len()).any(|window| window == middle)
            })
    };
    let old = private_keys(&database);
    assert_eq!(old.len(), 3);
    assert!(old.iter().all(|key| is_on_disk(key)));
    server
        .admin("POST", "/keys/rotate?drop_old=true", "")
        .expect(200);
    let new = private_keys(&database);
    assert!(new.iter().all(|key| is_on_disk(key)));
    for key in &old {
        assert!(!new.contains(key) && !is_on_disk(key));
    }
    assert!(server.verify(&server.token(READER)).is_some());
}

#[test]
fn whoever_has_the_keys_already_is_told_so() {
    let server = Server::start();
    let tag = server.get("/jwks.json").header("etag").unwrap().to_owned();
    let ask = |tag: &str| {
        let request = crate::http::Request::new("GET", "/jwks.json");
        server.send(request.header("if-none-match", tag)).status
    };
    assert_eq!(ask(&tag), 304);
    server.admin("POST", "/keys/rotate", "").expect(200);
    assert_eq!(ask(&tag), 200);
}
