//! What a request leaves behind: the refusal's form, filter state, the audit line.

use serde_json::{Value, json};

use super::harness::keys::{Key, amended, sha256, tampered};
use super::harness::policy::{api_key, only, provider};
use super::harness::{Filter, get};

fn config(key: &Key, changes: Value) -> Value {
    amended(
        json!({
            "realm": "the api",
            "providers": { "corp": amended(provider([key]), json!({ "tenant_claim": "org" })) },
            "api_keys": { "keys": [api_key("ci-2026", &sha256("an-api-key-of-ci"))] },
            "rules": [
                { "name": "keys", "match": { "path": { "prefix": "/keys" } }, "credentials": ["api_keys"] },
                { "name": "write", "match": { "path": { "prefix": "/write" } }, "scopes": { "all": ["b", "a"], "any": ["c", "d"] } },
                { "match": { "path": { "prefix": "/open" } } },
                { "name": "all", "match": { "path": { "prefix": "/all" } }, "scopes": { "all": ["a"] } },
                { "name": "any", "match": { "path": { "prefix": "/any" } }, "scopes": { "any": ["c"] } },
            ],
        }),
        changes,
    )
}

#[test]
fn challenges() {
    let key = Key::new("ES256", "k");
    let token = key.token(json!({}));
    let mut filter = Filter::new(config(&key, json!({})));
    let described = |error: &str, description: &str| {
        format!("Bearer realm=\"the api\", error=\"{error}\", error_description=\"{description}\"")
    };
    for (ask, expected) in [
        (get("/open"), "Bearer realm=\"the api\"".to_owned()),
        (get("/keys"), "ApiKey realm=\"the api\"".to_owned()),
        (
            get("/keys").with("x-api-key", "unknown"),
            "ApiKey realm=\"the api\"".to_owned(),
        ),
        (
            get("/write"),
            "Bearer realm=\"the api\", scope=\"b a c d\"".to_owned(),
        ),
        (
            get("/all"),
            "Bearer realm=\"the api\", scope=\"a\"".to_owned(),
        ),
        (
            get("/any"),
            "Bearer realm=\"the api\", scope=\"c\"".to_owned(),
        ),
        (
            get("/open").bearer("x"),
            described("invalid_token", "the token is malformed"),
        ),
        (
            get("/open").bearer(tampered(&token)),
            described("invalid_token", "the signature of the token does not hold"),
        ),
        (
            get("/write").bearer(&token),
            described(
                "insufficient_scope",
                "a scope that this resource requires was not granted",
            ) + ", scope=\"b a c d\"",
        ),
    ] {
        assert_eq!(
            filter.ask(&ask).header("www-authenticate"),
            Some(expected.as_str())
        );
    }
}

#[test]
fn a_grpc_client_is_answered_in_its_own_words() {
    let key = Key::new("ES256", "k");
    let mut filter = Filter::new(config(&key, json!({})));
    for (path, content_type, grpc) in [
        ("/open", "application/grpc", Some(16)),
        ("/open", "application/grpc+proto", Some(16)),
        ("/closed", "application/grpc", Some(7)),
        ("/a//b", "application/grpc", Some(3)),
        ("/open", "application/grpc-web", None),
        ("/open", "application/json", None),
    ] {
        let answer = filter.ask(&get(path).method("POST").with("content-type", content_type));
        assert_eq!(
            answer.reply.unwrap().grpc_status,
            grpc,
            "{path} {content_type}"
        );
    }
}

#[test]
fn the_audit_line() {
    let key = Key::new("ES256", "k");
    let mut filter = Filter::new(config(&key, json!({ "audit": "all" })));
    let members = [
        "time",
        "decision",
        "code",
        "rule",
        "provider",
        "subject",
        "client_id",
        "key_id",
        "source",
        "age_ms",
        "address",
        "method",
        "path",
        "request_id",
    ];
    let lines = [
        (
            get("/open/%61?access_token=secret")
                .bearer(key.token(json!({ "client_id": "app" })))
                .with("x-request-id", "id-1"),
            json!([
                "2023-11-14T22:13:20.000Z",
                "allow",
                null,
                "rules[2]",
                "corp",
                "alice",
                "app",
                null,
                "local",
                null,
                "192.0.2.7:1234",
                "GET",
                "/open/%61",
                "id-1"
            ]),
        ),
        (
            get("/write").bearer(key.token(json!({}))).method("POST"),
            json!([
                "2023-11-14T22:13:20.000Z",
                "deny",
                "INSUFFICIENT_SCOPE",
                "write",
                "corp",
                "alice",
                null,
                null,
                "local",
                null,
                "192.0.2.7:1234",
                "POST",
                "/write",
                null
            ]),
        ),
        (
            get("/keys").with("x-api-key", "an-api-key-of-ci"),
            json!([
                "2023-11-14T22:13:20.000Z",
                "allow",
                null,
                "keys",
                "api_keys",
                "ci-2026",
                "ci-2026",
                "ci-2026",
                "local",
                null,
                "192.0.2.7:1234",
                "GET",
                "/keys",
                null
            ]),
        ),
        // The claims of an unverified token are not logged.
        (
            get("/open").bearer(tampered(&key.token(json!({ "sub": "mallory" })))),
            json!([
                "2023-11-14T22:13:20.000Z",
                "deny",
                "INVALID_SIGNATURE",
                "rules[2]",
                null,
                null,
                null,
                null,
                null,
                null,
                "192.0.2.7:1234",
                "GET",
                "/open",
                null
            ]),
        ),
        (
            get("/a//b?x=1"),
            json!([
                "2023-11-14T22:13:20.000Z",
                "deny",
                "AMBIGUOUS_PATH",
                null,
                null,
                null,
                null,
                null,
                null,
                null,
                "192.0.2.7:1234",
                "GET",
                "/a//b",
                null
            ]),
        ),
    ];
    for (ask, values) in lines {
        let answer = filter.ask(&ask);
        let expected: Value = members
            .iter()
            .zip(values.as_array().unwrap())
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect::<serde_json::Map<_, _>>()
            .into();
        assert_eq!(answer.audit(), expected);
        let order: Vec<_> = members
            .iter()
            .map(|name| answer.audit.as_ref().unwrap().find(&format!("\"{name}\":")))
            .collect();
        assert!(order.is_sorted() && order[0].is_some(), "{order:?}");
    }
}

#[test]
fn a_remembered_token_says_how_old_its_verdict_is() {
    let key = Key::new("ES256", "k");
    let mut filter = Filter::new(config(&key, json!({ "audit": "all" })));
    let ask = get("/open").bearer(key.token(json!({})));
    assert_eq!(filter.ask(&ask).audit()["source"], "local");
    filter.at(super::harness::NOW + 7);
    let audit = filter.ask(&ask).audit();
    assert_eq!(
        (&audit["source"], &audit["age_ms"]),
        (&json!("cache"), &json!(7000))
    );
}

/// An agent acts for a user: logs, filter state and the upstream learn both.
#[test]
fn who_acts_for_the_subject() {
    let key = Key::new("ES256", "k");
    let mut filter = Filter::new(config(
        &key,
        json!({
            "audit": "all",
            "filter_state": ["subject", "actor"],
            "forward": { "headers": { "x-subject": "subject", "x-actor": "actor" } },
        }),
    ));
    let act = json!({ "sub": "agent", "act": { "sub": "another" } });
    let ask = get("/open").with("x-actor", "admin");
    let answer = filter.ask(&ask.clone().bearer(key.token(json!({ "act": act }))));
    assert_eq!(answer.audit()["actor"], "agent");
    assert_eq!(answer.forwarded("x-actor"), ["agent"]);
    assert_eq!(answer.state["portcullis.actor"], "agent");
    let answer = filter.ask(&ask.bearer(key.token(json!({}))));
    assert_eq!(answer.audit().get("actor"), None);
    assert_eq!(answer.forwarded("x-actor"), [""; 0]);
    assert!(!answer.state.contains_key("portcullis.actor"));
}

#[test]
fn which_decisions_leave_a_line() {
    let key = Key::new("ES256", "k");
    for (audit, allowed, denied) in [
        ("denied", false, true),
        ("all", true, true),
        ("none", false, false),
    ] {
        let mut filter = Filter::new(config(&key, json!({ "audit": audit })));
        let good = filter.ask(&get("/open").bearer(key.token(json!({}))));
        assert_eq!(good.audit.is_some(), allowed, "{audit}");
        assert_eq!(filter.ask(&get("/open")).audit.is_some(), denied, "{audit}");
    }
}

/// Whatever a client sends, an audit line stays one line, for every reader's idea of a line end.
#[test]
fn nobody_writes_a_second_line() {
    let key = Key::new("ES256", "k");
    let mut filter = Filter::new(config(
        &key,
        json!({ "audit": "all", "forward": { "headers": {} } }),
    ));
    for text in [
        "a\nb",
        "a\r\nb",
        "a\u{2028}b",
        "a\u{2029}b",
        "a\u{85}b",
        "a\u{b}b",
        "a\u{c}b",
        "\"},{\"",
        "\u{1b}[2J",
        "a\0b",
    ] {
        let claims = json!({ "sub": text, "client_id": text });
        let ask = get("/open")
            .bearer(key.token(claims))
            .with("x-request-id", text);
        let answer = filter.ask(&ask);
        assert!(answer.passes(), "{text:?}");
        let line = answer.audit.clone().unwrap();
        assert!(
            !line.contains(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')),
            "{line:?}"
        );
        assert_eq!(answer.audit()["subject"], text);
        let ask = get(&format!("/{text}")).method(text);
        assert!(
            !filter
                .ask(&ask)
                .audit
                .unwrap()
                .contains(['\n', '\r', '\u{2028}', '\u{2029}'])
        );
    }
    let bytes = get("/open").with("x-request-id", b"\xff\xfe\n");
    assert!(filter.ask(&bytes).audit()["request_id"].is_string());
}

#[test]
fn filter_state() {
    let key = Key::new("ES256", "k");
    let all = json!([
        "subject",
        "client_id",
        "tenant",
        "scopes",
        "rule",
        "decision",
        "code"
    ]);
    let mut filter = Filter::new(config(&key, json!({ "filter_state": all })));
    let claims = json!({ "client_id": "app", "scope": "a b", "org": "acme" });
    let ask = get("/write").bearer(key.token(claims));
    let answer = filter.ask(&ask);
    let mut state: Vec<_> = answer
        .state
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    state.sort();
    assert_eq!(
        state,
        [
            "portcullis.client_id=app",
            "portcullis.code=INSUFFICIENT_SCOPE",
            "portcullis.decision=deny",
            "portcullis.rule=write",
            "portcullis.scopes=a b",
            "portcullis.subject=alice",
            "portcullis.tenant=acme",
        ]
    );
    let answer = filter.ask(&get("/open"));
    assert_eq!(answer.state.len(), 3);
    // What is not listed is not set.
    for (listed, expected) in [
        (
            json!(["code", "subject"]),
            &["portcullis.code", "portcullis.subject"][..],
        ),
        (json!(["rule"]), &["portcullis.rule"]),
        (json!([]), &[]),
    ] {
        let mut filter = Filter::new(config(&key, json!({ "filter_state": listed })));
        let mut names: Vec<String> = filter.ask(&ask).state.into_keys().collect();
        names.sort();
        assert_eq!(names, expected);
    }
    let mut filter = Filter::new(config(&key, json!({})));
    assert!(filter.ask(&ask).state.is_empty());
    // A name that would write a second line into an access log is left out.
    let changes = json!({ "forward": { "headers": {} }, "filter_state": ["subject", "decision"] });
    let mut filter = Filter::new(config(&key, changes));
    let answer = filter.ask(&get("/open").bearer(key.token(json!({ "sub": "a\nb" }))));
    assert!(answer.passes());
    assert!(!answer.state.contains_key("portcullis.subject"));
    assert_eq!(answer.state["portcullis.decision"], "allow");
}

#[test]
fn a_realm_is_the_operators() {
    let key = Key::new("ES256", "k");
    let answer = Filter::new(only(provider([&key]))).ask(&get("/"));
    assert_eq!(
        answer.header("www-authenticate"),
        Some("Bearer realm=\"portcullis\"")
    );
}

/// Whatever a client sends, a line has some kilobytes at the most, and is JSON.
#[test]
fn a_line_is_short_whatever_is_in_it() {
    let key = Key::new("ES256", "k");
    let mut filter = Filter::new(config(&key, json!({ "audit": "all" })));
    let long = |c: &str| c.repeat(60_000 / c.len());
    for filler in ["\"", "\\", "a", "\u{1}", "é", "\u{2028}", "😀"] {
        let ask = get(&format!("/{}", long(filler)))
            .method(&long("M"))
            .with("x-request-id", long(filler))
            .bearer(key.token(json!({ "sub": "s".repeat(9000), "client_id": "c".repeat(2000) })));
        let answer = filter.ask(&ask);
        let line = answer.audit.as_ref().unwrap();
        assert!(line.len() < 8 * 1024, "{} bytes of {filler:?}", line.len());
        let audit = answer.audit();
        for member in ["subject", "client_id", "path", "method", "request_id"] {
            let length = audit[member].as_str().map_or(0, str::len);
            assert!(length <= 1024, "{length} bytes of {member}");
        }
        // As much as there is room for, and whole characters.
        let id = audit["request_id"].as_str().unwrap();
        assert!(long(filler).starts_with(id) && id.len() > 150, "{id}");
    }
    let bytes = get("/").with("x-request-id", [0xff; 5000]);
    assert!(filter.ask(&bytes).audit.unwrap().len() < 2048);
}
