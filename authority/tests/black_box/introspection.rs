use serde_json::json;

use crate::http::Request;
use crate::server::{
    EDWARD, GATEWAY, OPAQUE, READER, SHORTLIVED, STRANGER, Server, TOUR, WRITER, eventually,
};

#[test]
fn an_active_token_is_described() {
    let server = Server::start();
    for (client, scope) in [(OPAQUE, "data:read"), (WRITER, "data:read data:write")] {
        let answer = server.introspect(&server.token(client));
        for (name, expected) in [
            ("active", json!(true)),
            ("scope", json!(scope)),
            ("client_id", json!(client.0)),
            ("sub", json!(client.0)),
            ("aud", json!("api-gateway")),
            ("iss", json!("http://authority")),
            ("tenant", json!("acme")),
            ("token_type", json!("Bearer")),
        ] {
            assert_eq!(answer[name], expected, "{name}");
        }
        let (iat, exp) = (
            answer["iat"].as_i64().unwrap(),
            answer["exp"].as_i64().unwrap(),
        );
        assert_eq!(exp - iat, 300);
        assert_eq!(answer["nbf"], iat);
        assert!(answer["jti"].is_string());
    }
}

/// All inactive tokens look the same, whatever the reason.
#[test]
fn of_any_other_token_nothing_is_told() {
    let server = Server::start();
    let other_server = Server::start();
    let (jwt, revoked, opaque) = (
        server.token(EDWARD),
        server.token(READER),
        server.token(OPAQUE),
    );
    server.revoke(READER, &revoked).expect(200);
    let (head, signature) = jwt.rsplit_once('.').unwrap();
    let expired = server.token(SHORTLIVED);
    eventually("it expires", || !server.is_active(&expired));

    for (why, token) in [
        ("unknown", "abc".to_owned()),
        ("for another audience", server.token(STRANGER)),
        ("revoked", revoked),
        ("expired", expired),
        ("of another server", other_server.token(READER)),
        ("no longer signed", format!("{head}.")),
        (
            "otherwise signed",
            format!("{head}.{}", signature.chars().rev().collect::<String>()),
        ),
        (
            "unsigned",
            format!("eyJhbGciOiJub25lIn0.{}.", head.split_once('.').unwrap().1),
        ),
        ("longer", format!("{jwt}A")),
        ("shorter", opaque[..opaque.len() - 1].to_owned()),
        ("in other case", opaque.to_ascii_uppercase()),
        ("with a space", format!("{opaque}%20")),
        ("with a NUL", format!("{opaque}%00")),
    ] {
        assert_eq!(server.introspect(&token), json!({"active": false}), "{why}");
    }
    assert!(server.is_active(&jwt) && server.is_active(&opaque));
}

#[test]
fn only_those_who_may_are_told_anything() {
    let server = Server::start();
    let token = server.token(OPAQUE);
    let form = format!("token={token}");
    let (id, secret) = GATEWAY;
    let request = || Request::new("POST", "/introspect");
    for (why, request, status) in [
        ("nobody", request().form(&form), 401),
        (
            "wrong secret",
            request().basic(id, "wrong").form(&form),
            401,
        ),
        (
            "unknown client",
            request().basic("nobody", secret).form(&form),
            401,
        ),
        (
            "a bearer token",
            request().header("authorization", &format!("Bearer {token}")),
            401,
        ),
        // HTTP Basic only: credentials in the body do not count.
        (
            "post",
            request().form(format!("{form}&client_id={id}&client_secret={secret}")),
            401,
        ),
        (
            "no permission",
            request().basic(READER.0, READER.1).form(&form),
            400,
        ),
        (
            "the owner itself",
            request().basic(OPAQUE.0, OPAQUE.1).form(&form),
            400,
        ),
        (
            "no token",
            request()
                .basic(id, secret)
                .form("token_type_hint=access_token"),
            400,
        ),
        (
            "an empty token",
            request().basic(id, secret).form("token="),
            400,
        ),
        (
            "two tokens",
            request().basic(id, secret).form(format!("{form}&{form}")),
            400,
        ),
        ("no form", request().basic(id, secret).body(&form), 400),
        (
            "GET",
            Request::new("GET", &format!("/introspect?{form}")).basic(id, secret),
            405,
        ),
    ] {
        let response = server.send(request);
        assert_eq!(response.status, status, "{why}");
        assert!(!response.body.contains("active"), "{why}");
        assert!(!response.body.contains(&token), "{why}");
    }
}

#[test]
fn a_hint_changes_nothing() {
    let server = Server::start();
    let token = server.token(OPAQUE);
    for hint in ["access_token", "refresh_token", "nonsense"] {
        let request = Request::new("POST", "/introspect").basic(GATEWAY.0, GATEWAY.1);
        let form = format!("token={token}&token_type_hint={hint}");
        assert_eq!(
            server.send(request.form(form)).expect(200).json()["active"],
            true,
            "{hint}"
        );
    }
}

#[test]
fn an_answer_is_never_stored() {
    let server = Server::with(TOUR, &[]);
    let request = Request::new("POST", "/introspect").basic(GATEWAY.0, GATEWAY.1);
    let answer = server.send(request.form("token=abc")).expect(200);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}
