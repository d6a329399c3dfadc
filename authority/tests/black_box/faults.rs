use std::time::{Duration, Instant};

use serde_json::json;

use crate::server::{READER, Server, WRITER};

#[test]
fn a_fault_answers_in_place_of_the_endpoint() {
    let server = Server::with_faults();
    let fault = json!({
        "path": "/jwks.json",
        "status": 302,
        "headers": {"location": "http://elsewhere/", "content-type": "text/html"},
        "body": "<html>",
    });
    server
        .admin("PUT", "/faults", &fault.to_string())
        .expect(204);
    let answer = server.get("/jwks.json").expect(302);
    assert_eq!(answer.header("location"), Some("http://elsewhere/"));
    assert_eq!(answer.header("content-type"), Some("text/html"));
    assert_eq!(answer.body, "<html>");
    // Other paths and the admin port have no fault.
    server.poll("/revocations").expect(200);
    server.admin("GET", "/health", "").expect(200);

    server
        .admin("PUT", "/faults", r#"{"path":"/jwks.json","status":500}"#)
        .expect(204);
    assert_eq!(server.get("/jwks.json").expect(500).body, "");

    server.admin("DELETE", "/faults", "").expect(204);
    assert_eq!(
        server.get("/jwks.json").expect(200).json()["keys"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
}

#[test]
fn a_delay_alone_changes_no_answer() {
    let server = Server::with_faults();
    server
        .admin("PUT", "/faults", r#"{"path":"/token","delay":"300ms"}"#)
        .expect(204);
    let begin = Instant::now();
    let token = server.token(READER);
    assert!(begin.elapsed() >= Duration::from_millis(300));
    assert!(server.verify(&token).is_some());
}

#[test]
fn swapped_keys_sign_what_nobody_can_verify() {
    let server = Server::with_faults();
    let kid = |token: &str| jsonwebtoken::decode_header(token).unwrap().kid.unwrap();
    let (good, jwks) = (server.token(WRITER), server.get("/jwks.json").body);
    server.admin("PUT", "/faults/key-swap", "").expect(204);
    let bad = server.token(WRITER);
    assert_eq!(kid(&bad), kid(&good));
    assert_eq!(server.get("/jwks.json").body, jwks);
    assert!(server.verify(&bad).is_none());
    assert!(server.verify(&server.get("/status/0").body).is_none());
    assert!(server.verify(&good).is_some());

    server.admin("DELETE", "/faults", "").expect(204);
    assert!(server.verify(&server.token(WRITER)).is_some());
}

#[test]
fn a_fault_that_is_none_is_refused() {
    let server = Server::with_faults();
    for wrong in [
        "",
        "{}",
        r#"{"status":500}"#,
        r#"{"path":"/jwks.json"}"#,
        r#"{"path":"jwks.json","status":500}"#,
        r#"{"path":"/jwks.json","status":99}"#,
        r#"{"path":"/jwks.json","status":100}"#,
        r#"{"path":"/jwks.json","status":1000}"#,
        r#"{"path":"/jwks.json","status":"500"}"#,
        r#"{"path":"/jwks.json","delay":2}"#,
        r#"{"path":"/jwks.json","delay":"-1s"}"#,
        r#"{"path":"/jwks.json","headers":{"a b":"c"}}"#,
        r#"{"path":"/jwks.json","headers":{"a":"b\nc"}}"#,
        r#"{"path":"/jwks.json","status":500,"times":2}"#,
    ] {
        server.admin("PUT", "/faults", wrong).expect(400);
    }
    server.get("/jwks.json").expect(200);
}

/// Whoever reaches the admin port of a server in use must not be able to put it out of use this way.
#[test]
fn without_the_flag_there_are_no_faults() {
    let server = Server::start();
    for (method, path, body) in [
        ("PUT", "/faults", r#"{"path":"/jwks.json","status":500}"#),
        ("DELETE", "/faults", ""),
        ("PUT", "/faults/key-swap", ""),
    ] {
        server.admin(method, path, body).expect(404);
    }
    server.get("/jwks.json").expect(200);
}
