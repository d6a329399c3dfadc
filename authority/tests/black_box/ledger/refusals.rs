//! Who is refused, and what.

use serde_json::{Value, json};

use crate::http::Request;
use crate::ledger::{Account, Granted, KEY, Store, away, id, ledger, send};
use crate::server::{GATEWAY, READER, now};

suite! {
    a_malformed_body_is_refused
    the_ledger_is_for_those_who_may_introspect
}

fn a_malformed_body_is_refused(store: &mut Store) {
    let server = store.serve();
    let account = Account::new();
    let (asking, giving_back) = (
        account.asking(&id(), 100, 10),
        account.giving_back(&id(), 10),
    );
    let with = |name: &str, value: Value| {
        let mut body = asking.clone();
        body[name] = value;
        body.to_string()
    };
    let without = |body: &Value, name: &str| {
        let mut body = body.clone();
        body.as_object_mut().unwrap().remove(name).unwrap();
        body.to_string()
    };
    let text = asking.to_string();
    let mut wrong = vec![
        String::new(),
        "x".to_owned(),
        "{}".to_owned(),
        "[]".to_owned(),
        "null".to_owned(),
        json!([
            "a",
            "b",
            "daily",
            KEY,
            account.window,
            account.length,
            100,
            10
        ])
        .to_string(),
        format!("[{text}]"),
        format!("{text}{text}"),
        text[1..].to_owned(),
        text[..text.len() - 1].to_owned(),
        text.replacen('{', r#"{"id":"a","#, 1),
        text.replacen('{', r#"{"want":10,"#, 1),
        text.replacen('{', r#"{"extra":10,"#, 1),
        text.replacen('{', r#"{"return":10,"#, 1),
        text.replacen('{', r#"{"return":null,"#, 1),
        with("id", json!("")),
        with("id", json!("a".repeat(129))),
        with("id", json!("a b")),
        with("id", json!("a\nb")),
        with("id", json!("é")),
        with("holder", json!("")),
        with("holder", json!("a".repeat(129))),
        with("holder", json!("a\0b")),
        with("budget", json!("")),
        with("budget", json!("a".repeat(65))),
        with("budget", json!("a:b")),
        with("budget", json!("a b")),
        with("key", json!("")),
        with("key", json!("a".repeat(1025))),
        with("key", json!("é".repeat(513))),
        with("key", json!(["corp", "acme"])),
        with("length", json!(0)),
        with("length", json!(2_678_401)),
        with("length", json!(7)),
        with("window", json!(account.window + 1)),
        with("window", json!(-account.length)),
        with("window", json!(u64::MAX)),
        with("limit", json!((1_u64 << 53) + 1)),
        with("want", json!((1_u64 << 53) + 1)),
        with("want", json!(u64::MAX)),
    ];
    for name in ["id", "holder", "budget", "key"] {
        wrong.extend([json!(7), Value::Null, json!({})].map(|value| with(name, value)));
        wrong.push(without(&asking, name));
        wrong.push(without(&giving_back, name));
    }
    for name in ["window", "length", "limit", "want"] {
        let values = [
            json!(-1),
            json!(1.5),
            json!("10"),
            json!(true),
            Value::Null,
            json!(1e300),
        ];
        wrong.extend(values.map(|value| with(name, value)));
        wrong.push(without(&asking, name));
    }
    wrong.push(without(&giving_back, "return"));
    for value in [
        json!(-1),
        json!(1.5),
        json!("10"),
        Value::Null,
        json!((1_u64 << 53) + 1),
    ] {
        let mut body = giving_back.clone();
        body["return"] = value;
        wrong.push(body.to_string());
    }
    for body in wrong {
        let answer = server.send(ledger().json(body.as_str()));
        assert_eq!(answer.status, 400, "{body}");
        assert_eq!(answer.json()["error"], "invalid_request", "{body}");
    }
    // JSON that does not say that it is, too much of it, and other methods.
    for request in [
        ledger().body(&text),
        ledger().form(&text),
        ledger().header("content-type", "text/plain").body(&text),
        ledger()
            .json(&text)
            .header("content-type", "application/json"),
    ] {
        server.send(request).expect(400);
    }
    let long = format!("{text}{}", " ".repeat(64 * 1024));
    server.send(ledger().json(long)).expect(413);
    server.poll("/ledger").expect(405);
    // None of it left a trace, and what is at its bounds is taken.
    let bounds = Account {
        budget: "b",
        holder: "~".repeat(128),
        ..account.clone()
    };
    assert_eq!(bounds.ask_as(&server, "!", 100, 0).remaining, 100);
    let key: &'static str = "é".repeat(512).leak();
    bounds
        .with_key(key)
        .ask_as(&server, &"a".repeat(128), 100, 0);
    let longest = Account {
        window: now() - now() % 2_678_400,
        length: 2_678_400,
        ..account.clone()
    };
    longest.ask(&server, 1 << 53, 0);
    assert_eq!(
        account.ask(&server, 100, 0),
        Granted {
            granted: 0,
            remaining: 100
        }
    );
}

fn the_ledger_is_for_those_who_may_introspect(store: &mut Store) {
    let server = store.serve();
    let account = Account::new();
    let (id, secret) = GATEWAY;
    let token = server.token(READER);
    let body = || account.asking(&self::id(), 100, 10).to_string();
    let request = || Request::new("POST", "/ledger").json(body());
    for (why, request, status, error) in [
        ("nobody", request(), 401, "invalid_client"),
        (
            "a wrong secret",
            request().basic(id, "wrong"),
            401,
            "invalid_client",
        ),
        ("no secret", request().basic(id, ""), 401, "invalid_client"),
        (
            "unknown",
            request().basic("nobody", secret),
            401,
            "invalid_client",
        ),
        (
            "a token",
            request().header("authorization", &format!("Bearer {token}")),
            401,
            "invalid_client",
        ),
        (
            "twice",
            request().basic(id, secret).basic(id, secret),
            400,
            "invalid_request",
        ),
        (
            "a client that may not",
            request().basic(READER.0, READER.1),
            403,
            "access_denied",
        ),
        // The credential is looked at first.
        (
            "nobody, with nothing",
            Request::new("POST", "/ledger"),
            401,
            "invalid_client",
        ),
    ] {
        let answer = server.send(request);
        assert_eq!(answer.status, status, "{why}");
        assert_eq!(answer.json()["error"], error, "{why}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{why}");
        let challenge = answer.header("www-authenticate");
        let expected = (status == 401).then_some("Basic realm=\"authority\"");
        assert_eq!(challenge, expected, "{why}");
    }
    assert_eq!(account.ask(&server, 100, 100).granted, 100);
    // It is no part of the admin port.
    let admin = Request::new("POST", "/ledger").json(body());
    server.send_admin(admin).expect(404);
}

#[test]
fn a_database_that_does_not_answer_is_a_503() {
    let store = Store::database();
    let server = store.serve();
    let account = Account::new();
    let (before, during) = (id(), id());
    account.ask_as(&server, &before, 100, 10);
    let Store::Database(folder) = &store else {
        unreachable!()
    };
    let other = rusqlite::Connection::open(folder.file("authority.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    away(&send(&server, &account.asking(&during, 100, 10)));
    other.execute_batch("ROLLBACK").unwrap();
    let granted = account.ask_as(&server, &during, 100, 10);
    assert_eq!(
        granted,
        Granted {
            granted: 10,
            remaining: 80
        }
    );
}
