//! What clients of MCP are told, and approvals that count once.

use portcullis_core::decision::Code;
use portcullis_core::spent::Spent;
use portcullis_core::verification::callout::{Callout, Reply};
use serde_json::{Value, json};

use super::harness::keys::{Key, amended, sha256};
use super::harness::policy::provider;
use super::harness::{Answer, Ask, Filter, NOW, Stage, get, preflight};

const RESOURCE: &str = "https://api.example.com/mcp";
const METADATA: &str = "https://api.example.com/.well-known/oauth-protected-resource/mcp";
const APPROVAL: &str = "APPROVAL_REQUIRED";

fn config(key: &Key, changes: Value) -> Value {
    let rule = json!({
        "name": "tools",
        "match": { "path": { "exact": "/mcp" } },
        "scopes": { "all": ["mcp:use"] },
        "authentication": { "acr": ["mfa", "phr"], "max_age": "1h" },
        "mcp": {
            "tools": [
                { "name": "search", "scopes": { "any": ["read", "mcp:use"] } },
                {
                    "name": "delete_*", "scopes": { "all": ["admin"] }, "approval": "tool_call",
                    "authentication": { "acr": ["phr", "phrh"], "max_age": "5m" },
                },
                { "name": "pay", "approval": { "type": "payment", "once": true } },
                { "name": "look" },
            ],
            "resources": [{ "uri": "docs://*" }],
        },
    });
    let config = json!({
        "providers": { "corp": provider([key]) },
        "resources": [{ "resource": RESOURCE }],
        "rules": [rule],
        "audit": "all",
    });
    amended(config, changes)
}

fn post() -> Ask {
    get("/mcp").method("POST")
}

fn message(method: &str) -> Ask {
    post()
        .with("mcp-protocol-version", "2026-07-28")
        .with("mcp-method", method)
}

fn call(tool: &str) -> Ask {
    message("tools/call").with("mcp-name", tool)
}

/// A token with which everything passes but approvals.
fn strong(claims: Value) -> Value {
    let strong = json!({ "scope": "mcp:use admin", "acr": "phr", "auth_time": NOW, "jti": "1" });
    amended(strong, claims)
}

fn body(answer: &Answer) -> Value {
    let body = &answer.reply.as_ref().expect("a refusal").body;
    serde_json::from_str(body).expect("JSON")
}

#[test]
fn every_refusal_is_an_error_that_clients_show() {
    let key = Key::new("ES256", "k");
    let mut filter = Filter::new(config(&key, json!({})));
    let with = |claims: Value| key.token(claims);
    let strong = |claims: Value| key.token(strong(claims));
    let evil = get("/mcp").with("origin", "https://evil.example");
    for (ask, code, number) in [
        (evil, "ORIGIN_NOT_ALLOWED", -32010),
        (post(), "MISSING_TOKEN", -32010),
        (
            post().bearer("x").bearer("y"),
            "AMBIGUOUS_CREDENTIALS",
            -32010,
        ),
        (post().bearer("x"), "MALFORMED_TOKEN", -32010),
        (
            post().bearer(with(json!({ "exp": 1 }))),
            "TOKEN_EXPIRED",
            -32010,
        ),
        (
            get("/mcp").bearer(with(json!({}))),
            "METHOD_NOT_ALLOWED",
            -32010,
        ),
        (
            post().bearer(with(json!({}))),
            "MCP_HEADERS_REQUIRED",
            -32020,
        ),
        (
            call("other").bearer(with(json!({}))),
            "TOOL_NOT_ALLOWED",
            -32010,
        ),
        (
            call("look").bearer(with(json!({}))),
            "INSUFFICIENT_AUTHENTICATION",
            -32010,
        ),
        (
            call("look").bearer(strong(json!({ "scope": "" }))),
            "INSUFFICIENT_SCOPE",
            -32010,
        ),
        (call("pay").bearer(strong(json!({}))), APPROVAL, -32010),
    ] {
        let answer = filter.ask(&ask);
        assert_eq!(answer.code(), code);
        let body = body(&answer);
        let found = *Code::ALL.iter().find(|c| c.name() == code).unwrap();
        let (error, message) = (found.class().error(), found.description());
        assert_eq!(body["jsonrpc"], "2.0");
        assert_eq!(body.get("id"), Some(&Value::Null));
        assert_eq!(body["error"]["code"], number, "{code}");
        assert_eq!(body["error"]["message"], message);
        assert_eq!(body["error"]["data"]["error"], error);
        assert_eq!(body["error"]["data"]["code"], code);
        assert_eq!(body["error_description"], message);
        assert_eq!(body["code"], code);
    }
}

#[test]
fn another_version_is_told_which_one_is_spoken() {
    let key = Key::new("ES256", "k");
    let mut filter = Filter::new(config(&key, json!({})));
    let token = key.token(json!({}));
    for version in ["2025-11-25", "2025-03-26", "v\"1\\"] {
        let ask = post().with("mcp-protocol-version", version).bearer(&token);
        let answer = filter.ask(&ask);
        assert_eq!(answer.status(), Some(400));
        let body = body(&answer);
        assert_eq!(body["error"]["code"], -32022);
        assert_eq!(body["error"]["data"]["supported"], json!(["2026-07-28"]));
        assert_eq!(body["error"]["data"]["requested"], version);
    }
    // Nothing was requested that could be named.
    for ask in [
        post(),
        post().with("mcp-protocol-version", ""),
        post().with("mcp-protocol-version", "2".repeat(65)),
    ] {
        let body = body(&filter.ask(&ask.bearer(&token)));
        assert_eq!(body["error"]["code"], -32020);
        assert!(body["error"]["data"].get("requested").is_none());
    }
}

#[test]
fn the_method_that_is_taken_is_named() {
    let key = Key::new("ES256", "k");
    let mut filter = Filter::new(config(&key, json!({})));
    let answer = filter.ask(&get("/mcp").bearer(key.token(json!({}))));
    assert_eq!(
        (answer.status(), answer.header("allow")),
        (Some(405), Some("POST"))
    );
}

#[test]
fn a_challenge_names_all_that_the_message_asks() {
    let key = Key::new("ES256", "k");
    let mut filter = Filter::new(config(&key, json!({})));
    let metadata = format!("resource_metadata=\"{METADATA}\"");
    let mut challenge = |ask: Ask| {
        let answer = filter.ask(&ask);
        let challenge = answer.header("www-authenticate").expect("a challenge");
        assert!(
            challenge.ends_with(&metadata) || challenge.contains(&metadata),
            "{challenge}"
        );
        challenge.to_owned()
    };
    let with = |ask: Ask, claims: Value| ask.bearer(key.token(strong(claims)));
    let nothing = json!({ "scope": "" });
    for (ask, scope) in [
        // Before anything is looked at but the credential: a client asks for one token, and then gives up.
        (call("delete_user"), "mcp:use admin"),
        (call("delete_user").bearer("rubbish"), "mcp:use admin"),
        (
            with(call("delete_user"), json!({ "exp": 1 })),
            "mcp:use admin",
        ),
        (message("tools/list"), "mcp:use"),
        // What does not pass anyway, asks no more than every message.
        (call("other"), "mcp:use"),
        (post(), "mcp:use"),
        (with(message("tools/list"), nothing.clone()), "mcp:use"),
        (with(call("look"), nothing.clone()), "mcp:use"),
        (with(call("search"), nothing.clone()), "mcp:use read"),
        (with(call("delete_user"), nothing), "mcp:use admin"),
        // Also what the token has already.
        (
            with(call("delete_user"), json!({ "scope": "mcp:use" })),
            "mcp:use admin",
        ),
        (with(call("delete_user"), json!({})), "mcp:use admin"),
    ] {
        let challenge = challenge(ask);
        assert!(
            challenge.contains(&format!(", scope=\"{scope}\"")),
            "{challenge} {scope}"
        );
    }
    let step_up = challenge(with(call("delete_user"), json!({ "acr": "mfa" })));
    assert!(
        step_up.contains("acr_values=\"phr\", max_age=\"300\""),
        "{step_up}"
    );
    let step_up = challenge(with(call("look"), json!({ "acr": "pwd" })));
    assert!(
        step_up.contains("acr_values=\"mfa phr\", max_age=\"3600\""),
        "{step_up}"
    );
}

#[test]
fn a_stranger_is_told_what_the_tool_asks() {
    let key = Key::new("ES256", "k");
    let config = json!({
        "providers": { "corp": provider([&key]) },
        "rules": [{ "access": "optional", "scopes": { "all": ["use"] }, "mcp": {
            "tools": [{ "name": "delete", "scopes": { "all": ["admin"] } }],
        } }],
    });
    let answer = Filter::new(config).ask(&call("delete"));
    assert_eq!(answer.code(), "MISSING_TOKEN");
    let challenge = answer.header("www-authenticate");
    assert_eq!(
        challenge,
        Some("Bearer realm=\"portcullis\", scope=\"use admin\"")
    );
}

#[test]
fn the_scopes_of_tools_are_in_the_metadata() {
    let key = Key::new("ES256", "k");
    let mut filter = Filter::new(config(&key, json!({})));
    let answer = filter.ask(&get("/.well-known/oauth-protected-resource/mcp"));
    let scopes = &body(&answer)["scopes_supported"];
    assert_eq!(*scopes, json!(["mcp:use", "read", "admin"]));
}

#[test]
fn what_to_ask_for_is_in_the_refusal() {
    let key = Key::new("ES256", "k");
    let mut filter = Filter::new(config(&key, json!({})));
    let answer = filter.ask(&call("delete_user").bearer(key.token(strong(json!({})))));
    assert_eq!((answer.code(), answer.status()), (APPROVAL, Some(403)));
    let challenge = answer.header("www-authenticate").unwrap();
    assert!(
        challenge.contains("error=\"insufficient_authorization_details\""),
        "{challenge}"
    );
    let details = json!([
        { "type": "tool_call", "identifier": "delete_user", "locations": [RESOURCE] },
    ]);
    assert_eq!(
        body(&answer)["error"]["data"]["authorization_details"],
        details
    );

    // A name that wants to be more than a name.
    let name = "delete_\"}],\"x\":[{\"\u{2028}\n";
    let ask = call("=?base64?ZGVsZXRlXyJ9XSwieCI6W3si4oCoCg==?=");
    let answer = filter.ask(&ask.bearer(key.token(strong(json!({})))));
    assert_eq!(answer.code(), APPROVAL);
    let details = &body(&answer)["error"]["data"]["authorization_details"];
    assert_eq!(details[0]["identifier"], name);

    // On any other rule it is a member beside the code.
    let config = json!({
        "providers": { "corp": provider([&key]) }, "rules": [{ "approval": "payment" }],
    });
    let answer = Filter::new(config).ask(&get("/").bearer(key.token(json!({}))));
    assert_eq!(answer.code(), APPROVAL);
    assert_eq!(
        body(&answer)["authorization_details"],
        json!([{ "type": "payment" }])
    );
}

/// A call of `pay`, with a token that carries its approval.
fn pay(key: &Key, claims: Value) -> Ask {
    let details = json!([{ "type": "payment", "identifier": "pay" }]);
    let claims = amended(json!({ "authorization_details": details }), claims);
    call("pay").bearer(key.token(strong(claims)))
}

#[test]
fn an_approval_that_counts_once_is_good_for_one_request() {
    let key = Key::new("ES256", "k");
    let mut filter = Filter::new(config(&key, json!({})));
    assert!(filter.ask(&pay(&key, json!({}))).passes());
    assert_eq!(filter.ask(&pay(&key, json!({}))).code(), APPROVAL);
    // The same approval in a token that was signed again.
    assert_eq!(filter.ask(&pay(&key, json!({ "x": 1 }))).code(), APPROVAL);
    // Another token is another approval, until it ends.
    assert!(filter.ask(&pay(&key, json!({ "jti": "2" }))).passes());
    assert_eq!(
        filter.ask(&pay(&key, json!({ "jti": null }))).code(),
        APPROVAL
    );
    let last = NOW + 600 + 29;
    assert_eq!(filter.at(last).ask(&pay(&key, json!({}))).code(), APPROVAL);
}

#[test]
fn what_is_refused_uses_no_approval() {
    let key = Key::new("ES256", "k");
    let mut filter = Filter::new(config(&key, json!({})));
    for (claims, code) in [
        (json!({ "scope": "" }), "INSUFFICIENT_SCOPE"),
        (json!({ "acr": "pwd" }), "INSUFFICIENT_AUTHENTICATION"),
        (json!({ "aud": "other" }), "INVALID_AUDIENCE"),
        (json!({ "authorization_details": [] }), APPROVAL),
    ] {
        assert_eq!(filter.ask(&pay(&key, claims)).code(), code);
    }
    assert!(filter.spent.borrow().is_empty());
    assert!(filter.ask(&pay(&key, json!({}))).passes());
}

/// The token says it, where the rule does not.
#[test]
fn a_token_says_that_its_approval_counts_once() {
    let key = Key::new("ES256", "k");
    let mut filter = Filter::new(config(&key, json!({})));
    let with = |details: Value| {
        let claims = strong(json!({ "authorization_details": details }));
        call("delete_user").bearer(key.token(claims))
    };
    let once = json!({ "type": "tool_call", "identifier": "delete_user", "once": true });
    let always = json!({ "type": "tool_call", "identifier": "delete_user" });
    assert!(filter.ask(&with(json!([once]))).passes());
    assert_eq!(filter.ask(&with(json!([once]))).code(), APPROVAL);
    for _ in 0..3 {
        assert!(filter.ask(&with(json!([once, always]))).passes());
    }
    // Each approval of a token counts for itself.
    let other = json!({ "type": "tool_call", "identifier": "delete_team", "once": true });
    let claims = strong(json!({ "authorization_details": [once, other] }));
    let ask = call("delete_team").bearer(key.token(claims));
    assert!(filter.ask(&ask).passes());
    assert_eq!(filter.ask(&ask).code(), APPROVAL);
}

#[test]
fn two_approvals_of_one_request_are_both_used() {
    let key = Key::new("ES256", "k");
    let rule = json!({
        "match": { "path": { "exact": "/mcp" } },
        "approval": { "type": "session", "once": true },
        "mcp": { "tools": [{ "name": "*", "approval": { "type": "tool_call", "once": true } }] },
    });
    let config = json!({ "providers": { "corp": provider([&key]) }, "rules": [rule] });
    let mut filter = Filter::new(config);
    let with = |details: Value| {
        let claims = json!({ "jti": "1", "authorization_details": details });
        call("pay").bearer(key.token(claims))
    };
    let [session, tool] =
        ["session", "tool_call"].map(|t| json!({ "type": t, "identifier": "pay" }));
    assert_eq!(filter.ask(&with(json!([session]))).code(), APPROVAL);
    assert_eq!(filter.ask(&with(json!([tool]))).code(), APPROVAL);
    assert!(filter.spent.borrow().is_empty());
    assert!(filter.ask(&with(json!([tool, session]))).passes());
    assert_eq!(filter.ask(&with(json!([tool, session]))).code(), APPROVAL);
}

/// One request uses an approval once, whoever asks for it.
#[test]
fn rule_and_tool_may_ask_for_the_same_approval() {
    let key = Key::new("ES256", "k");
    let approval = json!({ "type": "tool_call", "once": true });
    let rule = json!({ "approval": approval, "mcp": { "tools": [{ "name": "*", "approval": approval }] } });
    let config = json!({ "providers": { "corp": provider([&key]) }, "rules": [rule] });
    let mut filter = Filter::new(config);
    let details = json!([{ "type": "tool_call", "identifier": "pay" }]);
    let with = |claims: Value| call("pay").bearer(key.token(claims));
    let approved = with(json!({ "jti": "1", "authorization_details": details }));
    assert!(filter.ask(&approved).passes());
    let again = filter.ask(&approved);
    assert_eq!(again.code(), APPROVAL);
    let body: Value = serde_json::from_str(&again.reply.expect("a refusal").body).expect("JSON");
    assert_eq!(body["error"]["data"]["authorization_details"], details);
    let nameless = with(json!({ "jti": "", "authorization_details": details }));
    assert_eq!(filter.ask(&nameless).code(), APPROVAL);
}

#[test]
fn a_use_is_remembered_as_long_as_its_token_is_good() {
    let key = Key::new("ES256", "k");
    let provider = amended(
        provider([&key]),
        json!({ "require_exp": false, "clock_tolerance": "7s" }),
    );
    let mut filter = Filter::new(config(&key, json!({ "providers": { "corp": provider } })));
    let mut until = |ask: &Ask| match filter.begin(ask) {
        Stage::Waits(_, Callout::Spend(expense)) => expense.until.as_secs(),
        _ => panic!("an approval is used without asking"),
    };
    assert_eq!(until(&pay(&key, json!({}))), NOW + 600 + 7);
    // Without an end, for good.
    let details = json!([{ "type": "payment", "identifier": "pay" }]);
    let mut claims = strong(json!({ "jti": "2", "authorization_details": details }));
    claims["exp"] = Value::Null;
    let last_date = 253_402_300_799;
    assert!(until(&call("pay").bearer(key.token(claims))) > last_date);
}

#[test]
fn what_cannot_be_recorded_is_no_approval() {
    let key = Key::new("ES256", "k");
    let mut filter = Filter::new(config(&key, json!({})));
    for (spent, code, status) in [
        (Spent::Unrecorded, "APPROVALS_UNAVAILABLE", 503),
        (Spent::Again, APPROVAL, 403),
    ] {
        let ask = pay(&key, json!({}));
        let Stage::Waits(waiting, Callout::Spend(expense)) = filter.begin(&ask) else {
            panic!("an approval is used without asking");
        };
        let Stage::Answered(answer) = filter.resume(waiting, &ask, Reply::Spent(expense.id, spent))
        else {
            panic!("it is asked for again");
        };
        assert_eq!((answer.code(), answer.status()), (code, Some(status)));
    }
}

#[test]
fn audit_lines_name_the_tool() {
    let key = Key::new("ES256", "k");
    let mut filter = Filter::new(config(&key, json!({})));
    let good = key.token(strong(json!({})));
    for (ask, code, tool) in [
        (call("look").bearer(&good), Value::Null, json!("look")),
        (
            call("=?base64?bG9vaw==?=").bearer(&good),
            Value::Null,
            json!("look"),
        ),
        (
            call("other").bearer(&good),
            json!("TOOL_NOT_ALLOWED"),
            json!("other"),
        ),
        (call("look"), json!("MISSING_TOKEN"), json!("look")),
        (
            message("tools/list").bearer(&good),
            Value::Null,
            Value::Null,
        ),
        (
            post().bearer(&good),
            json!("MCP_HEADERS_REQUIRED"),
            Value::Null,
        ),
    ] {
        let audit = filter.ask(&ask).audit();
        assert_eq!((&audit["code"], &audit["tool"]), (&code, &tool), "{audit}");
        assert_eq!(audit["rule"], "tools");
    }
    // Where the rule is for no MCP server, these headers mean nothing.
    let plain = json!({
        "providers": { "corp": provider([&key]) }, "rules": [{}], "audit": "all",
    });
    let audit = Filter::new(plain).ask(&call("look").bearer(&good)).audit();
    assert_eq!(audit.get("tool"), None);
}

#[test]
fn in_shadow_mode_every_refusal_comes_before_identity() {
    let key = Key::new("ES256", "k");
    let changes = json!({ "mode": "shadow" });
    let mut filter = Filter::new(config(&key, changes));
    let good = key.token(strong(json!({})));
    for (ask, code) in [
        (
            call("look").with("origin", "https://evil.example"),
            "ORIGIN_NOT_ALLOWED",
        ),
        (get("/mcp"), "METHOD_NOT_ALLOWED"),
        (post(), "MCP_HEADERS_REQUIRED"),
        (call("other"), "TOOL_NOT_ALLOWED"),
        (call("pay"), APPROVAL),
    ] {
        let answer = filter.ask(&ask.bearer(&good));
        assert_eq!(answer.code(), code);
        assert!(answer.reply.is_none());
        assert_eq!(answer.forwarded("x-auth-subject"), [""; 0]);
    }
    let answer = filter.ask(&call("look").bearer(&good));
    assert!(answer.passes());
    assert_eq!(answer.forwarded("x-auth-subject"), ["alice"]);
}

/// Token passthrough: a token for this gateway is none for the server behind it.
#[test]
fn the_server_gets_the_message_and_not_the_token() {
    let key = Key::new("ES256", "k");
    let mut filter = Filter::new(config(&key, json!({})));
    let ask = call("look")
        .with("mcp-param-region", "us-west1")
        .bearer(key.token(strong(json!({}))));
    let answer = filter.ask(&ask);
    assert!(answer.passes());
    assert_eq!(answer.forwarded("authorization"), [""; 0]);
    assert_eq!(answer.forwarded("x-auth-subject"), ["alice"]);
    assert_eq!(answer.forwarded("mcp-name"), ["look"]);
    assert_eq!(answer.forwarded("mcp-param-region"), ["us-west1"]);
}

#[test]
fn a_rule_for_api_keys_alone_challenges_with_their_scheme() {
    let key = Key::new("ES256", "k");
    let config = json!({
        "providers": { "corp": provider([&key]) },
        "api_keys": { "keys": [{ "id": "bot", "hash": sha256("secret") }] },
        "rules": [{ "credentials": ["api_keys"], "mcp": {
            "tools": [{ "name": "*", "scopes": { "all": ["admin"] } }],
        } }],
    });
    let answer = Filter::new(config).ask(&call("x").with("x-api-key", "secret"));
    assert_eq!(answer.code(), "INSUFFICIENT_SCOPE");
    assert_eq!(
        answer.header("www-authenticate"),
        Some("ApiKey realm=\"portcullis\"")
    );
}

#[test]
fn a_preflight_goes_on_as_nobody() {
    let key = Key::new("ES256", "k");
    let rule = json!({ "mcp": { "origins": ["https://app.example"] } });
    let config = json!({ "providers": { "corp": provider([&key]) }, "rules": [rule] });
    let ask = preflight("/mcp", "POST").with("x-auth-subject", "root");
    let answer = Filter::new(config).ask(&ask.bearer(key.token(json!({}))));
    assert!(answer.passes());
    assert_eq!(answer.forwarded("x-auth-subject"), [""; 0]);
}
