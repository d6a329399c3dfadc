//! What resource servers poll, and who may.

use crate::http::Request;
use crate::server::{GATEWAY, READER, Server};

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
        // Nobody learns by a 400 or a 304 what only a reader may ask.
        server
            .send(Request::new("GET", &format!("{path}?since=1&since=2")))
            .expect(401);
    }
}

/// What verifiers fetch says nothing about anybody.
#[test]
fn keys_metadata_and_status_lists_stay_public() {
    let server = Server::start();
    for path in [
        "/jwks.json",
        "/.well-known/oauth-authorization-server",
        "/status/0",
    ] {
        server.get(path).expect(200);
    }
}
