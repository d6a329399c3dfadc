//! MCP messages whose bodies are verified, or decide.

use serde_json::{Value, json};

use crate::harness::keys::{Key, amended};
use crate::harness::policy::provider;
use crate::harness::{Answer, Ask, Filter, PASSES, get};

const HEADERS: &str = "MCP_HEADERS_REQUIRED";
const MALFORMED: &str = "MALFORMED_BODY";
const MISMATCH: &str = "MCP_HEADER_MISMATCH";
const TOOL: &str = "TOOL_NOT_ALLOWED";
const NO_SCOPE: &str = "INSUFFICIENT_SCOPE";
const STEP_UP: &str = "INSUFFICIENT_AUTHENTICATION";
const APPROVAL: &str = "APPROVAL_REQUIRED";

const VERSION: &str = "2026-07-28";
const OLDER: [Option<&str>; 4] = [
    None,
    Some("2025-03-26"),
    Some("2025-06-18"),
    Some("2025-11-25"),
];

fn mcp() -> Value {
    let all = |scope: &str| json!({ "all": [scope] });
    json!({
        "body": "verify",
        "tools": [
            { "name": "search_*" },
            { "name": "read", "scopes": all("read") },
            { "name": "write", "scopes": all("write") },
            { "name": "strong", "authentication": { "acr": ["phr"] } },
            { "name": "stronger", "authentication": { "acr": ["mfa"] } },
            { "name": "pay", "approval": { "type": "payment", "once": true } },
            { "name": "refund", "approval": { "type": "payment" } },
        ],
        "prompts": [{ "name": "caf\u{e9}" }],
        "resources": [{ "uri": "docs://*" }],
    })
}

fn config(key: &Key, rule: Value) -> Value {
    let own = json!({
        "match": { "path": { "exact": "/mcp" } },
        "scopes": { "all": ["mcp:use"] },
        "mcp": mcp(),
    });
    json!({
        "providers": { "corp": provider([key]) },
        "rules": [amended(own, rule)],
        "audit": "all",
    })
}

fn token(key: &Key, claims: Value) -> String {
    key.token(amended(json!({ "scope": "mcp:use", "jti": "1" }), claims))
}

fn post() -> Ask {
    get("/mcp").method("POST")
}

fn of_version(version: Option<&str>) -> Ask {
    version.map_or_else(post, |version| post().with("mcp-protocol-version", version))
}

fn message(method: &str, name: Option<&str>) -> Ask {
    let ask = of_version(Some(VERSION)).with("mcp-method", method);
    match name {
        Some(name) => ask.with("mcp-name", name),
        None => ask,
    }
}

/// A request of an older version.
fn old(id: Value, method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

fn old_call(tool: &str) -> Value {
    old(json!(1), "tools/call", json!({ "name": tool }))
}

/// The same as 2026-07-28 has it.
fn current(method: &str, params: Value) -> Value {
    let meta = json!({ "_meta": { "io.modelcontextprotocol/protocolVersion": VERSION } });
    old(json!("a-1"), method, amended(params, meta))
}

fn current_call(tool: &str) -> Value {
    current("tools/call", json!({ "name": tool }))
}

fn ask(filter: &mut Filter, ask: &Ask, body: &Value) -> Answer {
    filter.ask_with_body(ask, body.to_string().as_bytes())
}

fn error(answer: &Answer) -> Value {
    let reply = answer.reply.as_ref().expect("a refusal");
    serde_json::from_str(&reply.body).expect("JSON")
}

#[test]
fn a_message_passes_whose_body_says_what_its_headers_say() {
    let key = Key::new("ES256", "k");
    let token = token(&key, json!({ "scope": "mcp:use read" }));
    let mut filter = Filter::new(config(&key, json!({})));
    let cafe = "=?base64?Y2Fmw6k=?=";
    for (headers, body, code) in [
        (
            message("tools/call", Some("search_a")),
            current_call("search_a"),
            PASSES,
        ),
        (
            message("tools/call", Some("read")),
            current_call("read"),
            PASSES,
        ),
        (
            message("tools/list", None),
            current("tools/list", json!({})),
            PASSES,
        ),
        (
            message("prompts/get", Some(cafe)),
            current("prompts/get", json!({ "name": "caf\u{e9}" })),
            PASSES,
        ),
        (
            message("resources/read", Some("docs://a")),
            current("resources/read", json!({ "uri": "docs://a" })),
            PASSES,
        ),
        // A lie, in each of the parts.
        (
            message("tools/call", Some("search_a")),
            current_call("search_b"),
            MISMATCH,
        ),
        (
            message("tools/call", Some("search_a")),
            current_call("drop_table"),
            MISMATCH,
        ),
        (
            message("tools/list", None),
            current_call("search_a"),
            MISMATCH,
        ),
        (
            message("tools/call", Some("read")),
            current("prompts/get", json!({ "name": "read" })),
            MISMATCH,
        ),
        (
            message("prompts/get", Some(cafe)),
            current("prompts/get", json!({ "name": cafe })),
            MISMATCH,
        ),
        (
            message("resources/read", Some("docs://a")),
            current("resources/read", json!({ "uri": "docs://A" })),
            MISMATCH,
        ),
        (
            message("tools/call", Some("search_a")),
            old_call("search_a"),
            MISMATCH,
        ),
        (
            message("tools/call", Some("search_a")),
            json!([current_call("search_a")]),
            MISMATCH,
        ),
        (message("tools/call", Some("search_a")), json!([]), MISMATCH),
        (message("tools/call", Some("search_a")), json!({}), MISMATCH),
        (
            message("tools/call", Some("search_a")),
            json!(null),
            MISMATCH,
        ),
        // What the headers say is judged before the body is.
        (
            message("tools/call", Some("drop_table")),
            current_call("search_a"),
            TOOL,
        ),
        (
            message("tools/call", Some("write")),
            current_call("search_a"),
            NO_SCOPE,
        ),
        (
            message("initialize", None),
            current("initialize", json!({})),
            TOOL,
        ),
    ] {
        let answer = ask(&mut filter, &headers.clone().bearer(&token), &body);
        assert_eq!(answer.code(), code, "{headers:?} {body}");
    }
}

#[test]
fn a_body_that_is_no_json_is_malformed() {
    let key = Key::new("ES256", "k");
    let token = token(&key, json!({}));
    let mut filter = Filter::new(config(&key, json!({})));
    let twice = br#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call","params":{"name":"pay"}}"#;
    let boundary = "multipart/form-data; boundary=x";
    for body in [
        &b""[..],
        b" ",
        b"{",
        b"method=ping",
        twice,
        b"{\"a\":\"\xff\"}",
    ] {
        for headers in [message("tools/list", None), post()] {
            let headers = headers.with("content-type", boundary).bearer(&token);
            let answer = filter.ask_with_body(&headers, body);
            assert_eq!(answer.code(), MALFORMED);
            let error = error(&answer);
            assert_eq!(
                (&error["id"], &error["error"]["code"]),
                (&Value::Null, &json!(-32010))
            );
        }
    }
    let grpc = post()
        .with("content-type", "application/grpc")
        .bearer(&token);
    assert_eq!(filter.ask_with_body(&grpc, b"{}").code(), MALFORMED);
    let upgrade = post().with("upgrade", "websocket").bearer(&token);
    assert_eq!(filter.ask_with_body(&upgrade, b"{}").code(), MALFORMED);
    let gzip = post().with("content-encoding", "gzip").bearer(&token);
    assert_eq!(
        filter.ask_with_body(&gzip, b"{}").code(),
        "UNSUPPORTED_ENCODING"
    );
    let large = old(json!(1), "ping", json!({ "x": "x".repeat(1024 * 1024) }));
    assert_eq!(
        ask(&mut filter, &post().bearer(&token), &large).code(),
        "BODY_TOO_LARGE"
    );
}

#[test]
fn messages_of_older_versions_are_decided_from_the_body() {
    let key = Key::new("ES256", "k");
    let token = token(&key, json!({ "scope": "mcp:use read" }));
    let mut filter = Filter::new(config(&key, json!({})));
    for (body, code) in [
        (old_call("search_a"), PASSES),
        (old_call("read"), PASSES),
        (old_call("write"), NO_SCOPE),
        (old_call("strong"), STEP_UP),
        (old_call("refund"), APPROVAL),
        (old_call("drop_table"), TOOL),
        (old_call("Read"), TOOL),
        (
            old(json!(1), "prompts/get", json!({ "name": "caf\u{e9}" })),
            PASSES,
        ),
        (
            old(json!(1), "prompts/get", json!({ "name": "read" })),
            TOOL,
        ),
        (
            old(json!(1), "resources/read", json!({ "uri": "docs://a" })),
            PASSES,
        ),
        (
            old(
                json!(1),
                "resources/read",
                json!({ "uri": "docs://a/../b" }),
            ),
            TOOL,
        ),
        (
            old(json!(1), "resources/read", json!({ "uri": "file:///a" })),
            TOOL,
        ),
        (old(json!(1), "tools/list", json!({})), PASSES),
        (
            old(json!(1), "logging/setLevel", json!({ "level": "debug" })),
            TOOL,
        ),
        (old(json!(1), "tools/Call", json!({ "name": "read" })), TOOL),
        // These pass with the rule's scopes.
        (
            old(
                json!(1),
                "initialize",
                json!({ "protocolVersion": "2025-06-18" }),
            ),
            PASSES,
        ),
        (old(json!(1), "ping", json!({})), PASSES),
        (
            json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }),
            PASSES,
        ),
        (json!({ "jsonrpc": "2.0", "id": 1, "result": {} }), PASSES),
        (
            json!({ "jsonrpc": "2.0", "id": 1, "error": { "code": 1, "message": "" } }),
            PASSES,
        ),
        // A response that is a call too.
        (
            amended(old_call("drop_table"), json!({ "result": {} })),
            TOOL,
        ),
        // A call as a notification.
        (
            json!({ "jsonrpc": "2.0", "method": "tools/call", "params": { "name": "write" } }),
            NO_SCOPE,
        ),
        (old(json!(1), "tools/call", json!({})), MALFORMED),
        (old(json!(1), "tools/call", json!({ "name": 1 })), MALFORMED),
        (json!({ "jsonrpc": "2.0", "id": 1 }), MALFORMED),
        (json!([]), MALFORMED),
        (json!("ping"), MALFORMED),
    ] {
        for version in OLDER {
            // What their headers say beside the version says nothing.
            let lie = ("mcp-method", "tools/call");
            for headers in [
                of_version(version),
                of_version(version)
                    .with(lie.0, lie.1)
                    .with("mcp-name", "search_a"),
            ] {
                let answer = ask(&mut filter, &headers.bearer(&token), &body);
                assert_eq!(answer.code(), code, "{version:?} {body}");
            }
        }
    }
}

#[test]
fn in_a_batch_every_element_must_pass() {
    let key = Key::new("ES256", "k");
    let token = token(&key, json!({ "scope": "mcp:use read" }));
    let mut filter = Filter::new(config(&key, json!({})));
    let ping = old(json!(7), "ping", json!({}));
    let response = json!({ "jsonrpc": "2.0", "id": 8, "result": {} });
    for (bad, code) in [
        (old_call("read"), PASSES),
        (response.clone(), PASSES),
        (old_call("drop_table"), TOOL),
        (old_call("write"), NO_SCOPE),
        (old_call("strong"), STEP_UP),
        (old_call("pay"), APPROVAL),
        (old(json!(1), "completion/complete", json!({})), TOOL),
        (json!({}), MALFORMED),
        (json!([ping]), MALFORMED),
        (json!(null), MALFORMED),
    ] {
        for batch in [
            json!([bad]),
            json!([bad, ping]),
            json!([ping, bad]),
            json!([response, old_call("search_a"), bad, old_call("read")]),
        ] {
            for version in [None, Some("2025-03-26")] {
                let answer = ask(&mut filter, &of_version(version).bearer(&token), &batch);
                assert_eq!(answer.code(), code, "{batch}");
                if code != PASSES {
                    assert_eq!(error(&answer)["id"], Value::Null);
                }
            }
        }
    }
    // What is not listed answers first, and one challenge names all that is missing.
    let both = json!([old_call("write"), old_call("drop_table")]);
    assert_eq!(ask(&mut filter, &post().bearer(&token), &both).code(), TOOL);
    let both = json!([old_call("read"), old_call("write")]);
    let answer = ask(&mut filter, &post().bearer(&token), &both);
    assert_eq!(answer.code(), NO_SCOPE);
    let challenge = answer.header("www-authenticate").expect("a challenge");
    assert!(
        challenge.contains("scope=\"mcp:use read write\""),
        "{challenge}"
    );
    // No login satisfies both.
    let both = json!([old_call("strong"), old_call("stronger")]);
    let key = token_with_acr(&key);
    assert_eq!(ask(&mut filter, &post().bearer(key), &both).code(), STEP_UP);
}

fn token_with_acr(key: &Key) -> String {
    token(key, json!({ "acr": "phr" }))
}

#[test]
fn the_rule_is_judged_before_the_body() {
    let key = Key::new("ES256", "k");
    let mut filter = Filter::new(config(&key, json!({})));
    let bad = b"no JSON";
    for (ask, code) in [
        (post(), "MISSING_TOKEN"),
        (post().bearer(token(&key, json!({ "scope": "" }))), NO_SCOPE),
        (
            post().with("origin", "https://evil.example"),
            "ORIGIN_NOT_ALLOWED",
        ),
        (
            post().method("GET").bearer(token(&key, json!({}))),
            "METHOD_NOT_ALLOWED",
        ),
        (
            post().method("DELETE").bearer(token(&key, json!({}))),
            "METHOD_NOT_ALLOWED",
        ),
    ] {
        assert_eq!(filter.ask_with_body(&ask, bad).code(), code);
    }
}

#[test]
fn versions_that_nobody_verifies_are_refused() {
    let key = Key::new("ES256", "k");
    let token = token(&key, json!({}));
    let mut filter = Filter::new(config(&key, json!({})));
    let list = old(json!(1), "tools/list", json!({}));
    for (headers, json_rpc) in [
        (of_version(Some("2024-11-05")), -32022),
        (of_version(Some("2025-03-27")), -32022),
        (of_version(Some("2027-01-01")), -32022),
        (of_version(Some("")), -32020),
        (
            of_version(Some("2025-06-18")).with("mcp-protocol-version", "2025-06-18"),
            -32020,
        ),
        (
            of_version(Some("2025-06-18")).with("mcp_protocol_version", VERSION),
            -32020,
        ),
        (
            of_version(Some("2025-06-18"))
                .with("mcp-method", "a")
                .with("mcp-method", "a"),
            -32020,
        ),
        (of_version(Some(VERSION)), -32020),
        (message("tools/call", None), -32020),
    ] {
        let answer = ask(&mut filter, &headers.clone().bearer(&token), &list);
        assert_eq!(answer.code(), HEADERS, "{headers:?}");
        let error = error(&answer);
        assert_eq!(
            (&error["error"]["code"], &error["id"]),
            (&json!(json_rpc), &Value::Null)
        );
    }
}

#[test]
fn a_refusal_has_the_id_of_its_request() {
    let key = Key::new("ES256", "k");
    let token = token(&key, json!({}));
    let mut filter = Filter::new(config(&key, json!({})));
    for id in [
        json!("a"),
        json!(""),
        json!(0),
        json!(-7),
        json!("\u{2028}\"\\"),
        json!(1.5),
    ] {
        let body = old(id.clone(), "tools/call", json!({ "name": "write" }));
        let answer = ask(&mut filter, &post().bearer(&token), &body);
        assert_eq!((answer.code(), &error(&answer)["id"]), (NO_SCOPE, &id));
        let body = old(id.clone(), "tools/call", json!({ "name": "write" }));
        let answer = ask(
            &mut filter,
            &message("tools/list", None).bearer(&token),
            &body,
        );
        let error = error(&answer);
        assert_eq!((answer.code(), &error["id"]), (MISMATCH, &id));
        assert_eq!(error["error"]["code"], -32020);
    }
    for id in [
        json!(null),
        json!(true),
        json!([1]),
        json!({ "a": 1 }),
        json!("x".repeat(300)),
    ] {
        let body = old(id, "tools/call", json!({ "name": "drop_table" }));
        let answer = ask(&mut filter, &post().bearer(&token), &body);
        assert_eq!((answer.code(), &error(&answer)["id"]), (TOOL, &Value::Null));
    }
    // The body of this one was not read.
    let body = current_call("drop_table");
    let answer = ask(
        &mut filter,
        &message("tools/call", Some("drop_table")).bearer(&token),
        &body,
    );
    assert_eq!((answer.code(), &error(&answer)["id"]), (TOOL, &Value::Null));
}

#[test]
fn a_stranger_calls_what_asks_for_nothing() {
    let key = Key::new("ES256", "k");
    let rule = json!({ "access": "optional" });
    let mut filter = Filter::new(config(&key, rule));
    for (body, code) in [
        (old_call("search_a"), PASSES),
        (old(json!(1), "ping", json!({})), PASSES),
        (old_call("read"), "MISSING_TOKEN"),
        (old_call("strong"), "MISSING_TOKEN"),
        (old_call("pay"), "MISSING_TOKEN"),
        (old_call("drop_table"), TOOL),
        (
            json!([old_call("search_a"), old_call("read")]),
            "MISSING_TOKEN",
        ),
    ] {
        let answer = ask(&mut filter, &post(), &body);
        assert_eq!(answer.code(), code, "{body}");
    }
    let answer = ask(&mut filter, &post(), &old_call("read"));
    let challenge = answer.header("www-authenticate");
    assert_eq!(
        challenge,
        Some("Bearer realm=\"portcullis\", scope=\"mcp:use read\"")
    );
    assert_eq!(error(&answer)["id"], 1);
}

// === approvals ===

fn approved(key: &Key, details: Value) -> String {
    token(key, json!({ "authorization_details": details }))
}

#[test]
fn an_approval_is_for_the_tool_that_the_body_names() {
    let key = Key::new("ES256", "k");
    let mut filter = Filter::new(config(&key, json!({})));
    let refund = json!([{ "type": "payment", "identifier": "refund" }]);
    let headers = post().bearer(approved(&key, refund.clone()));
    assert!(ask(&mut filter, &headers, &old_call("refund")).passes());
    let answer = ask(&mut filter, &headers, &old_call("pay"));
    assert_eq!(answer.code(), APPROVAL);
    // It says what to ask for, by the body's names.
    let details = json!([{ "type": "payment", "identifier": "pay" }]);
    assert_eq!(
        error(&answer)["error"]["data"]["authorization_details"],
        details
    );
    let batch = json!([old_call("refund"), old_call("pay"), old_call("search_a")]);
    let answer = ask(&mut filter, &headers, &batch);
    assert_eq!(answer.code(), APPROVAL);
    let both = json!([refund[0], details[0]]);
    assert_eq!(
        error(&answer)["error"]["data"]["authorization_details"],
        both
    );
}

/// One approval of the rule is for one tool in older versions too, where nothing but the body names it.
#[test]
fn an_approval_of_a_rule_is_for_the_tool_that_the_body_names() {
    let key = Key::new("ES256", "k");
    let mut filter = Filter::new(config(&key, json!({ "approval": "tool_call" })));
    let details = json!([{ "type": "tool_call", "identifier": "search_a" }]);
    let headers = post().bearer(approved(&key, details));
    for (body, code) in [
        (old_call("search_a"), PASSES),
        (old_call("search_b"), APPROVAL),
        (
            json!([old_call("search_a"), old_call("search_b")]),
            APPROVAL,
        ),
        // Any approval is one for what has no name.
        (old(json!(1), "tools/list", json!({})), PASSES),
        (old(json!(1), "ping", json!({})), PASSES),
    ] {
        assert_eq!(ask(&mut filter, &headers, &body).code(), code, "{body}");
    }
    let nothing = post().bearer(token(&key, json!({})));
    for (body, code) in [
        (old(json!(1), "ping", json!({})), PASSES),
        (old(json!(1), "tools/list", json!({})), APPROVAL),
        (old_call("search_a"), APPROVAL),
    ] {
        assert_eq!(ask(&mut filter, &nothing, &body).code(), code, "{body}");
    }
}

#[test]
fn an_approval_that_counts_once_is_for_one_call_of_a_batch() {
    let key = Key::new("ES256", "k");
    let mut filter = Filter::new(config(&key, json!({})));
    let pay = json!([{ "type": "payment", "identifier": "pay" }]);
    let headers = |jti: &str| {
        let claims = json!({ "jti": jti, "authorization_details": pay });
        post().bearer(token(&key, claims))
    };
    let twice = json!([old_call("pay"), old_call("pay")]);
    assert_eq!(ask(&mut filter, &headers("1"), &twice).code(), APPROVAL);
    // What is refused uses nothing.
    let refused = json!([old_call("pay"), old_call("write")]);
    assert_eq!(ask(&mut filter, &headers("1"), &refused).code(), NO_SCOPE);
    let malformed = json!([old_call("pay"), {}]);
    assert_eq!(
        ask(&mut filter, &headers("1"), &malformed).code(),
        MALFORMED
    );
    assert!(filter.spent.borrow().is_empty());
    let once = json!([old_call("search_a"), old_call("pay")]);
    assert!(ask(&mut filter, &headers("1"), &once).passes());
    let again = ask(&mut filter, &headers("1"), &old_call("pay"));
    assert_eq!((again.code(), &error(&again)["id"]), (APPROVAL, &json!(1)));
    assert_eq!(error(&again)["error"]["data"]["authorization_details"], pay);
    // In any version.
    let named = message("tools/call", Some("pay"));
    let named = |jti: &str| {
        named.clone().bearer(token(
            &key,
            json!({ "jti": jti, "authorization_details": pay }),
        ))
    };
    assert_eq!(
        ask(&mut filter, &named("1"), &current_call("pay")).code(),
        APPROVAL
    );
    // A body that lies uses no approval either.
    assert_eq!(
        ask(&mut filter, &named("2"), &current_call("read")).code(),
        MISMATCH
    );
    assert!(ask(&mut filter, &named("2"), &current_call("pay")).passes());
}

// === the log ===

#[test]
fn audit_lines_name_the_tools_of_the_body() {
    let key = Key::new("ES256", "k");
    let token = token(&key, json!({}));
    let mut filter = Filter::new(config(&key, json!({})));
    for (body, code, tool) in [
        (old_call("search_a"), Value::Null, json!("search_a")),
        (old_call("write"), json!(NO_SCOPE), json!("write")),
        (old_call("drop_table"), json!(TOOL), json!("drop_table")),
        (
            json!([old_call("search_a"), old_call("search_b")]),
            Value::Null,
            json!("search_a, search_b"),
        ),
        (
            old(json!(1), "tools/list", json!({})),
            Value::Null,
            Value::Null,
        ),
        (old(json!(1), "ping", json!({})), Value::Null, Value::Null),
    ] {
        let audit = ask(&mut filter, &post().bearer(&token), &body).audit();
        assert_eq!((&audit["code"], &audit["tool"]), (&code, &tool), "{audit}");
    }
    let headers = message("tools/call", Some("search_a")).bearer(&token);
    let audit = ask(&mut filter, &headers, &current_call("search_b")).audit();
    assert_eq!(
        (&audit["code"], &audit["tool"]),
        (&json!(MISMATCH), &json!("search_a"))
    );
}
