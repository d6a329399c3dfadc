use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::answers::TokenResponse;
use crate::http::Request;
use crate::server::{
    EDWARD, Folder, GATEWAY, OPAQUE, READER, SHORTLIVED, STRANGER, Server, WRITER, now,
};

const GRANT: &str = "grant_type=client_credentials";

#[test]
fn every_client_gets_the_token_that_it_is_configured_for() {
    let server = Server::start();
    for (client, alg, scope, aud, lifetime) in [
        (READER, "RS256", "data:read", "api-gateway", 300),
        (WRITER, "ES256", "data:read data:write", "api-gateway", 300),
        (EDWARD, "EdDSA", "data:read", "api-gateway", 300),
        (STRANGER, "RS256", "data:read", "other-api", 300),
        (SHORTLIVED, "RS256", "data:read", "api-gateway", 1),
    ] {
        let (before, answer, after) = (now(), server.ask_token(client).expect(200), now());
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let answer: TokenResponse = answer.json_as();
        assert_eq!(answer.token_type, "Bearer");
        assert_eq!(answer.issued_token_type, None);
        assert_eq!(answer.expires_in, lifetime);
        assert_eq!(answer.scope, scope);

        let (header, claims) = server.verify(&answer.access_token).unwrap();
        assert_eq!(header["alg"], alg);
        assert_eq!(header["typ"], "at+jwt");
        for (name, expected) in [
            ("iss", "http://authority"),
            ("sub", client.0),
            ("client_id", client.0),
            ("aud", aud),
            ("scope", scope),
            ("tenant", "acme"),
        ] {
            assert_eq!(claims[name], expected, "{name}");
        }
        let iat = claims["iat"].as_i64().unwrap();
        assert!((before..=after).contains(&iat));
        assert_eq!(claims["exp"], iat + lifetime);
        assert!(claims["jti"].as_str().unwrap().len() >= 22);
        assert_eq!(
            claims["status"]["status_list"]["uri"],
            "http://authority/status/0"
        );
    }
}

#[test]
fn an_opaque_token_says_nothing() {
    let server = Server::start();
    let (one, other) = (server.token(OPAQUE), server.token(OPAQUE));
    assert_ne!(one, other);
    // 256 bits in base64url.
    assert_eq!(one.len(), 43);
}

#[test]
fn a_request_that_is_not_right_gets_no_token() {
    let server = Server::start();
    let (id, secret) = READER;
    let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
    let good = basic(&format!("{id}:{secret}"));
    let post = format!("{GRANT}&client_id={id}&client_secret={secret}");
    let with = |more: &str| format!("{GRANT}&{more}");
    let many = (0..40).map(|n| format!("&p{n}=x")).collect::<String>();
    for (authorization, body, status, error) in [
        // The client is not authenticated.
        (None, GRANT.to_owned(), 401, "invalid_client"),
        (None, with("client_id=reader"), 401, "invalid_client"),
        (
            None,
            with("client_id=reader&client_secret="),
            401,
            "invalid_client",
        ),
        (
            None,
            with("client_id=reader&client_secret=wrong"),
            401,
            "invalid_client",
        ),
        (
            None,
            with(&format!("client_id=writer&client_secret={secret}")),
            401,
            "invalid_client",
        ),
        (
            None,
            with(&format!("client_secret={secret}")),
            401,
            "invalid_client",
        ),
        (
            Some(basic("reader:wrong")),
            GRANT.to_owned(),
            401,
            "invalid_client",
        ),
        (
            Some(basic("reader:")),
            GRANT.to_owned(),
            401,
            "invalid_client",
        ),
        (
            Some(basic("reader")),
            GRANT.to_owned(),
            401,
            "invalid_client",
        ),
        (Some(basic(":")), GRANT.to_owned(), 401, "invalid_client"),
        (
            Some(basic(&format!("nobody:{secret}"))),
            GRANT.to_owned(),
            401,
            "invalid_client",
        ),
        (
            Some(basic(&format!("Reader:{secret}"))),
            GRANT.to_owned(),
            401,
            "invalid_client",
        ),
        (
            Some(basic(&format!("reader:{secret} "))),
            GRANT.to_owned(),
            401,
            "invalid_client",
        ),
        (
            Some(basic("reader:%ff")),
            GRANT.to_owned(),
            401,
            "invalid_client",
        ),
        (
            Some("Basic !!!".to_owned()),
            GRANT.to_owned(),
            401,
            "invalid_client",
        ),
        (
            Some("Basic".to_owned()),
            GRANT.to_owned(),
            401,
            "invalid_client",
        ),
        (
            Some(good.replace("Basic", "Bearer")),
            GRANT.to_owned(),
            401,
            "invalid_client",
        ),
        // The request contradicts or repeats itself.
        (Some(good.clone()), post.clone(), 400, "invalid_request"),
        (
            Some(good.clone()),
            with("client_id=writer"),
            400,
            "invalid_request",
        ),
        (
            Some(good.clone()),
            format!("{GRANT}&{GRANT}"),
            400,
            "invalid_request",
        ),
        (
            Some(good.clone()),
            with("scope=data:read&scope=data:read"),
            400,
            "invalid_request",
        ),
        (
            Some(good.clone()),
            format!("{GRANT}{many}"),
            400,
            "invalid_request",
        ),
        // The client asks for something that it cannot have.
        (Some(good.clone()), String::new(), 400, "invalid_request"),
        (
            Some(good.clone()),
            "grant_type=".to_owned(),
            400,
            "invalid_request",
        ),
        (
            Some(good.clone()),
            "grant_type=password".to_owned(),
            400,
            "unsupported_grant_type",
        ),
        (
            Some(good.clone()),
            "grant_type=Client_Credentials".into(),
            400,
            "unsupported_grant_type",
        ),
        (
            Some(good.clone()),
            with("scope=data:write"),
            400,
            "invalid_scope",
        ),
        (
            Some(good.clone()),
            with("scope=data:read+data:write"),
            400,
            "invalid_scope",
        ),
        (
            Some(good.clone()),
            with("scope=data:*"),
            400,
            "invalid_scope",
        ),
        (
            Some(good.clone()),
            with("scope=data:read++"),
            400,
            "invalid_scope",
        ),
        (Some(good.clone()), with("scope=%22"), 400, "invalid_scope"),
        (
            Some(good.clone()),
            with("resource=other-api"),
            400,
            "invalid_target",
        ),
        (
            Some(good.clone()),
            with("resource=api-gateway&resource=other-api"),
            400,
            "invalid_target",
        ),
        (
            Some(good),
            with("resource=API-gateway"),
            400,
            "invalid_target",
        ),
        (
            Some(basic(&format!("{}:{}", GATEWAY.0, GATEWAY.1))),
            GRANT.to_owned(),
            400,
            "unauthorized_client",
        ),
    ] {
        let mut request = Request::new("POST", "/token");
        if let Some(authorization) = &authorization {
            request = request.header("authorization", authorization);
        }
        let response = server.send(request.form(&body));
        assert_eq!(response.status, status, "{authorization:?} {body}");
        assert_eq!(response.json()["error"], error, "{authorization:?} {body}");
        assert_eq!(response.header("cache-control"), Some("no-store"));
        assert_eq!(response.header("www-authenticate").is_some(), status == 401);
        assert!(!response.body.contains(secret), "{body}");
    }
}

#[test]
fn the_form_of_the_request_counts() {
    let server = Server::start();
    let (id, secret) = READER;
    let request = |method| Request::new(method, "/token").basic(id, secret);
    for (request, status) in [
        (request("GET"), 405),
        (request("PUT").form(GRANT), 405),
        (request("POST").body(GRANT), 400),
        (
            request("POST")
                .header("content-type", "application/json")
                .body(GRANT),
            400,
        ),
        (
            request("POST")
                .header("content-type", "text/plain")
                .body(GRANT),
            400,
        ),
        (request("POST").basic(id, secret).form(GRANT), 400),
        (
            request("POST").form(format!("{GRANT}&scope={}", "x".repeat(70_000))),
            413,
        ),
        (Request::new("POST", "/Token").form(GRANT), 404),
        (Request::new("POST", "/token/").form(GRANT), 404),
    ] {
        server.send(request).expect(status);
    }
}

#[test]
fn a_client_may_name_itself_in_three_ways() {
    let server = Server::start();
    let (id, secret) = READER;
    let post = format!("{GRANT}&client_id={id}&client_secret={secret}");
    let utf8 = "application/x-www-form-urlencoded; charset=utf-8";
    for request in [
        Request::new("POST", "/token").basic(id, secret).form(GRANT),
        Request::new("POST", "/token").form(post),
        // RFC 6749 §2.3.1: form-encoded before it becomes Basic.
        Request::new("POST", "/token")
            .basic("%72eader", &secret.replace('-', "%2D"))
            .form(GRANT),
        Request::new("POST", "/token")
            .basic(id, secret)
            .form(format!("{GRANT}&client_id={id}")),
        Request::new("POST", "/token")
            .basic(id, secret)
            .form(format!("{GRANT}&scope=")),
        Request::new("POST", "/token")
            .basic(id, secret)
            .header("content-type", utf8)
            .body(GRANT),
    ] {
        server.send(request).expect(200);
    }
}

#[test]
fn a_client_may_ask_for_less() {
    let server = Server::start();
    let request = Request::new("POST", "/token").basic(WRITER.0, WRITER.1);
    let answer: TokenResponse = server
        .send(request.form(format!("{GRANT}&scope=data:write")))
        .expect(200)
        .json_as();
    assert_eq!(answer.scope, "data:write");
    let (_, claims) = server.verify(&answer.access_token).unwrap();
    assert_eq!(claims["scope"], "data:write");
}

/// RFC 8707: a resource narrows the audience to itself.
#[test]
fn a_token_is_for_the_resources_that_were_asked_for() {
    let folder = Folder::new();
    let secret_hash = "sha256:5765dbcd1f68e5c4ddf61d672a14821b850e58463b3f48ff63eb2f6bd5493752";
    let config = folder.write(
        "authority.toml",
        &format!(
            r#"
            issuer = "https://idp.example.com/"
            audience = "unused"
            [[clients]]
            id = "reader"
            subject = "alice"
            secret_hash = "{secret_hash}"
            scopes = "data:read"
            algorithm = "ES256"
            audiences = ["https://a.example.com/", "https://b.example.com/"]
            "#
        ),
    );
    let server = Server::with(config, &[]);
    let claims = |resources: &str| -> Value {
        let request = Request::new("POST", "/token").basic(READER.0, READER.1);
        let answer: TokenResponse = server
            .send(request.form(format!("{GRANT}{resources}")))
            .expect(200)
            .json_as();
        server.verify(&answer.access_token).unwrap().1
    };
    let (a, b) = ("https://a.example.com/", "https://b.example.com/");
    assert_eq!(claims("")["aud"], serde_json::json!([a, b]));
    assert_eq!(claims(&format!("&resource={b}"))["aud"], b);
    assert_eq!(claims(&format!("&resource={b}&resource={b}"))["aud"], b);
    assert_eq!(
        claims(&format!("&resource={b}&resource={a}"))["aud"],
        serde_json::json!([b, a])
    );

    let claims = claims("");
    assert_eq!(claims["iss"], "https://idp.example.com/");
    assert_eq!(claims["sub"], "alice");
    assert_eq!(claims["client_id"], "reader");
    assert_eq!(claims.get("tenant"), None);
    assert_eq!(
        claims["status"]["status_list"]["uri"],
        "https://idp.example.com/status/0"
    );
}
