use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use miniz_oxide::inflate::decompress_to_vec_zlib;
use serde_json::Value;

use crate::answers::StatusListClaims;
use crate::server::{Folder, OPAQUE, READER, Server, TOUR, WRITER, eventually, now};

fn place(server: &Server, token: &str) -> (String, usize) {
    let (_, claims) = server.verify(token).unwrap();
    let reference = &claims["status"]["status_list"];
    let uri = reference["uri"].as_str().unwrap().to_owned();
    (uri, reference["idx"].as_u64().unwrap() as usize)
}

fn bits(claims: &StatusListClaims) -> Vec<u8> {
    let lst = &claims.status_list.lst;
    decompress_to_vec_zlib(&URL_SAFE_NO_PAD.decode(lst).unwrap()).unwrap()
}

/// Header and claims of a list.
fn verify(server: &Server, list: &str) -> (Value, StatusListClaims) {
    server.verify_as(list).unwrap()
}

fn is_set(server: &Server, token: &str) -> bool {
    let (uri, idx) = place(server, token);
    let list = server
        .get(uri.strip_prefix("http://authority").unwrap())
        .expect(200)
        .body;
    let (_, claims) = verify(server, &list);
    assert_eq!(claims.sub, uri);
    bits(&claims)[idx / 8] >> (idx % 8) & 1 == 1
}

#[test]
fn a_list_is_a_signed_token() {
    let server = Server::start();
    let answer = server.get("/status/0").expect(200);
    assert_eq!(
        answer.header("content-type"),
        Some("application/statuslist+jwt")
    );
    let (header, claims) = verify(&server, &answer.body);
    assert_eq!(header["typ"], "statuslist+jwt");
    assert_eq!(header["alg"], "ES256");
    assert_eq!(claims.sub, "http://authority/status/0");
    assert_eq!(claims.ttl, 10);
    assert_eq!(claims.status_list.bits, 1);
    assert!((now() - claims.iat).abs() <= 5);
    assert_eq!(claims.exp - claims.iat, 60);
    assert!(bits(&claims).iter().all(|byte| *byte == 0));
}

#[test]
fn a_revoked_token_is_marked_and_no_other() {
    let server = Server::start();
    let tokens: Vec<String> = (0..10).map(|_| server.token(READER)).collect();
    let places: Vec<_> = tokens.iter().map(|token| place(&server, token)).collect();
    assert!(places.windows(2).all(|pair| pair[0] != pair[1]));

    server.revoke(READER, &tokens[3]).expect(200);
    for (index, token) in tokens.iter().enumerate() {
        assert_eq!(is_set(&server, token), index == 3, "{index}");
    }
}

#[test]
fn every_way_of_revoking_marks() {
    let server = Server::start();
    let (by_jti, spared) = (server.token(READER), server.token(WRITER));
    let (_, claims) = server.verify(&by_jti).unwrap();
    let entry = serde_json::json!({"jti": claims["jti"], "exp": claims["exp"]});
    server
        .admin("POST", "/revocations", &entry.to_string())
        .expect(200);
    assert!(is_set(&server, &by_jti));

    let by_client = server.token(READER);
    let entry = serde_json::json!({"client_id": "reader", "before": now()});
    server
        .admin("POST", "/revocations", &entry.to_string())
        .expect(200);
    assert!(is_set(&server, &by_client));
    assert!(!is_set(&server, &spared));
}

#[test]
fn a_place_is_never_given_twice() {
    let folder = Folder::new();
    let database = folder.file("authority.db");
    let server = Server::on_database(&database);
    server.token(OPAQUE);
    let before = place(&server, &server.token(READER));
    server.kill();
    let server = Server::on_database(&database);
    let after = place(&server, &server.token(READER));
    assert!(after.1 > before.1, "{before:?} {after:?}");
}

/// ES256 signatures are randomized (FIPS 186-5 §6.3): two are never equal, so equal answers were signed once.
#[test]
fn a_list_is_signed_once_per_change() {
    let folder = Folder::new();
    let tour = std::fs::read_to_string(TOUR).unwrap();
    let list = "[status_list]\nttl = \"10m\"\nlifetime = \"20m\"\n";
    let config = folder.write("authority.toml", &format!("{tour}\n{list}"));
    let server = Server::with(config, &[]);
    let ask = || {
        let token = server.get("/status/0").expect(200).body;
        assert!(server.verify(&token).is_some());
        token
    };
    let (token, first) = (server.token(READER), ask());
    assert!((0..50).all(|_| ask() == first));
    server.token(WRITER);
    assert_eq!(ask(), first);

    let mut before = first;
    let mut is_new = |what: &str| {
        let now = ask();
        assert_ne!(now, before, "{what}");
        before = now;
    };
    server.revoke(READER, &token).expect(200);
    is_new("a token was revoked");
    let entry = serde_json::json!({"client_id": "reader", "before": now() + 1000});
    server
        .admin("POST", "/revocations", &entry.to_string())
        .expect(200);
    is_new("a client was cut off");
    let born_revoked = server.token(READER);
    assert!(is_set(&server, &born_revoked));
    is_new("a token was issued to it");
    server.admin("POST", "/keys/rotate", "").expect(200);
    is_new("the keys were rotated");
    server
        .admin("POST", "/keys/rotate?drop_old=true", "")
        .expect(200);
    is_new("the keys were dropped");
}

#[test]
fn a_list_is_signed_anew_before_it_is_void() {
    let folder = Folder::new();
    let tour = std::fs::read_to_string(TOUR).unwrap();
    let list = "[status_list]\nttl = \"1s\"\nlifetime = \"3s\"\n";
    let config = folder.write("authority.toml", &format!("{tour}\n{list}"));
    let server = Server::with(config, &[]);
    let first = server.get("/status/0").expect(200).body;
    eventually("another", || {
        let asked = now();
        let list = server.get("/status/0").expect(200).body;
        // A reader may keep the list for its `ttl`.
        assert!(verify(&server, &list).1.exp - asked >= 1);
        list != first
    });
}

#[test]
fn there_is_no_other_list() {
    let server = Server::start();
    for path in [
        "/status/1",
        "/status/00",
        "/status/-1",
        "/status/+0",
        "/status/0.0",
        "/status/x",
        "/status/",
        "/status",
        "/status/0/",
        "/status/9223372036854775807",
        "/status/18446744073709551616",
    ] {
        server.get(path).expect(404);
    }
}

#[test]
fn how_lists_are_made_is_configured() {
    let folder = Folder::new();
    let tour = std::fs::read_to_string(TOUR).unwrap();
    let list = "[status_list]\nalgorithm = \"EdDSA\"\nttl = \"2s\"\nlifetime = \"4s\"\n";
    let config = folder.write("authority.toml", &format!("{tour}\n{list}"));
    let server = Server::with(config, &[]);
    let (header, claims) = verify(&server, &server.get("/status/0").expect(200).body);
    assert_eq!(header["alg"], "EdDSA");
    assert_eq!((claims.ttl, claims.exp - claims.iat), (2, 4));
}
