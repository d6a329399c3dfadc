use crate::http::Request;
use crate::server::{OPAQUE, READER, Server, WRITER, now};

#[test]
fn a_revoked_token_is_inactive_at_once_and_for_good() {
    let server = Server::start();
    for client in [OPAQUE, READER] {
        let (token, other) = (server.token(client), server.token(client));
        server.revoke(client, &token).expect(200);
        assert!(!server.is_active(&token));
        assert!(server.is_active(&other));
        // RFC 7009 §2.2: revoking it again succeeds too.
        server.revoke(client, &token).expect(200);
        assert!(!server.is_active(&token));
    }
}

#[test]
fn what_is_not_there_is_as_good_as_revoked() {
    let server = Server::start();
    server.revoke(READER, "abc").expect(200);
    let list = server.poll("/revocations").expect(200).json();
    assert_eq!(list["revoked"].as_array().unwrap().len(), 0);
}

#[test]
fn a_client_revokes_its_own_tokens_only() {
    let server = Server::start();
    let token = server.token(OPAQUE);
    let (id, secret) = OPAQUE;
    let form = format!("token={token}");
    let request = || Request::new("POST", "/revoke");
    for (why, request, status, error) in [
        (
            "another client",
            request().basic(READER.0, READER.1).form(&form),
            400,
            "unauthorized_client",
        ),
        ("nobody", request().form(&form), 401, "invalid_client"),
        (
            "wrong secret",
            request().basic(id, "wrong").form(&form),
            401,
            "invalid_client",
        ),
        (
            "no token",
            request().basic(id, secret).form(""),
            400,
            "invalid_request",
        ),
        (
            "two tokens",
            request().basic(id, secret).form(format!("{form}&token=x")),
            400,
            "invalid_request",
        ),
    ] {
        let response = server.send(request);
        assert_eq!(response.status, status, "{why}");
        assert_eq!(response.json()["error"], error, "{why}");
    }
    assert!(server.is_active(&token));
}

#[test]
fn an_operator_revokes_by_subject_client_or_both() {
    for entry in [
        r#"{"sub":"reader","before":NOW}"#,
        r#"{"client_id":"reader","before":NOW}"#,
        r#"{"sub":"reader","client_id":"reader","before":NOW}"#,
        r#"[{"sub":"nobody","before":NOW},{"client_id":"reader","before":NOW}]"#,
    ] {
        let server = Server::start();
        let (hit, spared) = (server.token(READER), server.token(WRITER));
        let entry = entry.replace("NOW", &now().to_string());
        server.admin("POST", "/revocations", &entry).expect(200);
        assert!(!server.is_active(&hit), "{entry}");
        assert!(server.is_active(&spared), "{entry}");
    }
}

#[test]
fn a_revocation_hits_nobody_else() {
    let server = Server::start();
    let token = server.token(READER);
    let before = now() - 1000;
    for entry in [
        format!(r#"{{"sub":"reader","before":{before}}}"#),
        format!(
            r#"{{"sub":"reader","client_id":"writer","before":{}}}"#,
            now()
        ),
        format!(
            r#"{{"sub":"writer","client_id":"reader","before":{}}}"#,
            now()
        ),
        format!(r#"{{"sub":"READER","before":{}}}"#, now()),
        format!(r#"{{"jti":"abc","exp":{}}}"#, now()),
    ] {
        server.admin("POST", "/revocations", &entry).expect(200);
        assert!(server.is_active(&token), "{entry}");
    }
}

/// A `before` in the future also covers tokens that are issued until then.
#[test]
fn who_is_cut_off_gets_no_active_token() {
    let server = Server::start();
    let entry = format!(r#"{{"client_id":"opaque","before":{}}}"#, now() + 1000);
    server.admin("POST", "/revocations", &entry).expect(200);
    assert!(!server.is_active(&server.token(OPAQUE)));
    assert!(server.is_active(&server.token(READER)));
}

#[test]
fn an_operator_revokes_one_token() {
    let server = Server::start();
    let (token, other) = (server.token(READER), server.token(READER));
    let introspected = server.introspect(&token);
    let entry = serde_json::json!({"jti": introspected["jti"], "exp": introspected["exp"]});
    server
        .admin("POST", "/revocations", &entry.to_string())
        .expect(200);
    assert!(!server.is_active(&token));
    assert!(server.is_active(&other));
}

#[test]
fn an_entry_that_is_none_revokes_nothing() {
    let server = Server::start();
    let token = server.token(READER);
    for wrong in [
        "",
        "{}",
        "null",
        "[{}]",
        r#""reader""#,
        r#"{"sub":"reader"}"#,
        r#"{"before":9999999999}"#,
        r#"{"sub":"","before":9999999999}"#,
        r#"{"sub":null,"client_id":null,"before":9999999999}"#,
        r#"{"sub":"reader","before":"9999999999"}"#,
        r#"{"sub":"reader","before":9999999999,"exp":9999999999}"#,
        r#"{"sub":"reader","before":9999999999,"why":"x"}"#,
        r#"{"key_id":"x"}"#,
        r#"[{"sub":"reader","before":9999999999},{}]"#,
        r#"[{"sub":"reader","before":9999999999}"#,
    ] {
        server.admin("POST", "/revocations", wrong).expect(400);
        assert!(server.is_active(&token), "{wrong}");
    }
    assert_eq!(
        server.poll("/revocations").json()["revoked"]
            .as_array()
            .unwrap()
            .len(),
        0
    );
}
