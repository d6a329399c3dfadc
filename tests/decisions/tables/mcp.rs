//! Messages of MCP, as their headers name them.

use serde_json::{Value, json};

use super::{Ask, PASSES, Tables, get, preflight};
use crate::harness::keys::{Key, amended, sha256};
use crate::harness::now;
use crate::harness::policy::provider;

const HEADERS: &str = "MCP_HEADERS_REQUIRED";
const METHOD: &str = "METHOD_NOT_ALLOWED";
const MISSING: &str = "MISSING_TOKEN";
const NO_SCOPE: &str = "INSUFFICIENT_SCOPE";
const ORIGIN: &str = "ORIGIN_NOT_ALLOWED";
const TOOL: &str = "TOOL_NOT_ALLOWED";
const APPROVAL: &str = "APPROVAL_REQUIRED";
const STEP_UP: &str = "INSUFFICIENT_AUTHENTICATION";

const VERSION: &str = "2026-07-28";
const RESOURCE: &str = "https://api.example.com/mcp";

judged! {
    what_is_listed_passes_and_nothing_else,
    of_several_entries_the_first_decides,
    only_the_default_methods_pass_where_none_are_listed,
    resources_in_any_disguise,
    headers_that_do_not_say_what_is_asked,
    names_in_base64,
    other_methods_of_http,
    origins,
    preflights_are_judged_by_their_origin_alone,
    what_rule_and_entry_ask_together,
    one_after_the_other,
    without_a_credential,
    api_keys,
    approvals,
    approvals_of_a_rule,
    approvals_of_a_part_of_the_request,
    other_rules_read_none_of_these_headers,
}

fn policy(key: &Key, rule: Value) -> Value {
    let rule = amended(json!({ "match": { "path": { "exact": "/mcp" } } }), rule);
    json!({ "providers": { "corp": provider([key]) }, "rules": [rule] })
}

fn with_mcp(key: &Key, mcp: Value) -> Value {
    policy(key, json!({ "mcp": mcp }))
}

fn post() -> Ask {
    get("/mcp").method("POST")
}

/// A message without a name.
fn message(method: &str) -> Ask {
    post()
        .with("mcp-protocol-version", VERSION)
        .with("mcp-method", method)
}

fn named(method: &str, name: &str) -> Ask {
    message(method).with("mcp-name", name)
}

fn call(tool: &str) -> Ask {
    named("tools/call", tool)
}

fn what_is_listed_passes_and_nothing_else(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let token = key.token(json!({}));
    let mcp = json!({
        "tools": [{ "name": "search_*" }, { "name": "delete_user" }],
        "prompts": [{ "name": "greet" }],
        "resources": [{ "uri": "docs://*" }],
        "methods": ["tools/list", "notifications/progress"],
    });
    let ask = |ask: Ask| ask.bearer(&token);
    tables.judge(
        with_mcp(&key, mcp),
        &[
            ("a tool", ask(call("delete_user")), PASSES),
            ("a tool by its pattern", ask(call("search_web")), PASSES),
            ("the least of a pattern", ask(call("search_")), PASSES),
            ("another tool", ask(call("drop_table")), TOOL),
            ("another case", ask(call("Delete_user")), TOOL),
            ("a longer name", ask(call("delete_users")), TOOL),
            ("a star as a name", ask(call("*")), TOOL),
            ("a prompt", ask(named("prompts/get", "greet")), PASSES),
            (
                "a tool as a prompt",
                ask(named("prompts/get", "delete_user")),
                TOOL,
            ),
            ("a prompt as a tool", ask(call("greet")), TOOL),
            (
                "a resource",
                ask(named("resources/read", "docs://a/b?c=../d")),
                PASSES,
            ),
            (
                "another scheme",
                ask(named("resources/read", "file:///etc/passwd")),
                TOOL,
            ),
            ("a method", ask(message("tools/list")), PASSES),
            (
                "a method with a name",
                ask(named("tools/list", "anything")),
                PASSES,
            ),
            (
                "a notification",
                ask(message("notifications/progress")),
                PASSES,
            ),
            ("another method", ask(message("prompts/list")), TOOL),
            ("another case of a method", ask(message("tools/List")), TOOL),
            ("a longer method", ask(message("tools/list/")), TOOL),
            (
                "the method of older versions",
                ask(message("initialize")),
                TOOL,
            ),
            (
                "a call in another case",
                ask(named("Tools/call", "delete_user")),
                TOOL,
            ),
            (
                "a list of methods",
                ask(message("tools/list, tools/call")),
                TOOL,
            ),
        ],
    );
}

fn of_several_entries_the_first_decides(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let all = |scope: &str| json!({ "all": [scope] });
    let mcp = json!({ "tools": [
        { "name": "admin_read", "scopes": all("read") },
        { "name": "admin_*", "scopes": all("admin") },
        { "name": "*" },
    ] });
    let reader = key.token(json!({ "scope": "read" }));
    let nobody = key.token(json!({}));
    tables.judge(
        with_mcp(&key, mcp),
        &[
            ("the first", call("admin_read").bearer(&reader), PASSES),
            (
                "the first, without its scope",
                call("admin_read").bearer(&nobody),
                NO_SCOPE,
            ),
            ("the second", call("admin_write").bearer(&reader), NO_SCOPE),
            ("the last", call("search").bearer(&nobody), PASSES),
        ],
    );
}

fn only_the_default_methods_pass_where_none_are_listed(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let token = key.token(json!({}));
    let rows = [
        ("server/discover", PASSES),
        ("tools/list", PASSES),
        ("prompts/list", PASSES),
        ("resources/list", PASSES),
        ("resources/templates/list", PASSES),
        ("completion/complete", TOOL),
        ("subscriptions/listen", TOOL),
        ("notifications/cancelled", TOOL),
        ("initialize", TOOL),
        ("ping", TOOL),
        ("logging/setLevel", TOOL),
    ];
    let rows = rows.map(|(method, expected)| (method, message(method).bearer(&token), expected));
    tables.judge(with_mcp(&key, json!({})), &rows);
    let names = ["tools/call", "prompts/get", "resources/read"];
    let rows = names.map(|method| (method, named(method, "a:b").bearer(&token), TOOL));
    tables.judge(with_mcp(&key, json!({})), &rows);
    let rows = [(
        "server/discover",
        message("server/discover").bearer(&token),
        TOOL,
    )];
    tables.judge(with_mcp(&key, json!({ "methods": [] })), &rows);
}

fn resources_in_any_disguise(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let token = key.token(json!({}));
    let mut rows = Vec::new();
    for (uri, expected) in [
        ("docs://public/a.b/..c", PASSES),
        ("docs://public/a?x=/../y", PASSES),
        ("docs://public/a%20b", PASSES),
        ("docs://private/a", TOOL),
        ("docs://public/../private/a", TOOL),
        ("docs://public/./a", TOOL),
        ("docs://public/..", TOOL),
        ("docs://public/%2e%2e/private", TOOL),
        ("docs://public/.%2E/private", TOOL),
        ("docs://public/%252e%252e/private", TOOL),
        ("docs://public/%25252e./private", TOOL),
        ("docs://public/..%2fprivate", TOOL),
        ("docs://public/..%3b/private", TOOL),
        ("docs://public/..\\private", TOOL),
        ("docs://public/a\\b", TOOL),
        ("docs://public/a%5cb", TOOL),
        ("docs://public/a%255Cb", TOOL),
        ("docs://public/%c0%ae%c0%ae/private", TOOL),
        // docs://public/../private
        ("=?base64?ZG9jczovL3B1YmxpYy8uLi9wcml2YXRl?=", TOOL),
    ] {
        rows.push((uri, named("resources/read", uri).bearer(&token), expected));
    }
    let mcp = json!({ "resources": [{ "uri": "docs://public/*" }] });
    tables.judge(with_mcp(&key, mcp), &rows);
}

fn headers_that_do_not_say_what_is_asked(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let token = key.token(json!({}));
    let version = ("mcp-protocol-version", VERSION);
    let (method, name) = (("mcp-method", "tools/call"), ("mcp-name", "search"));
    let list = ("mcp-method", "tools/list");
    let mut rows = Vec::new();
    for (what, headers) in [
        ("none", &[][..]),
        ("no version", &[method, name]),
        ("no method", &[version, name]),
        ("no name", &[version, method]),
        (
            "an empty version",
            &[("mcp-protocol-version", ""), method, name],
        ),
        ("an empty method", &[version, ("mcp-method", ""), name]),
        ("an empty name", &[version, method, ("mcp-name", "")]),
        (
            "an older version",
            &[("mcp-protocol-version", "2025-11-25"), method, name],
        ),
        ("the oldest", &[("mcp-protocol-version", "2025-03-26")]),
        (
            "a newer version",
            &[("mcp-protocol-version", "2027-01-01"), method, name],
        ),
        ("two versions", &[version, version, method, name]),
        ("two methods", &[version, method, method, name]),
        (
            "two methods in two spellings",
            &[version, list, ("mcp_method", "tools/call")],
        ),
        ("two names", &[version, method, name, name]),
        (
            "two names in two spellings",
            &[version, method, name, ("mcp_name", "other")],
        ),
        (
            "two names where none is needed",
            &[version, list, name, name],
        ),
        (
            "a name beyond ASCII",
            &[version, method, ("mcp-name", "caf\u{e9}")],
        ),
    ] {
        let ask = headers
            .iter()
            .fold(post(), |ask, (name, value)| ask.with(name, value));
        rows.push((what, ask.bearer(&token), HEADERS));
    }
    // A server that is not careless finds no header there, and checks none against the body.
    for (what, respelled) in [
        ("the version in another spelling", "mcp_protocol_version"),
        ("the method in another spelling", "mcp.method"),
        ("the name in another spelling", "mcp_name"),
    ] {
        let headers = [version, method, name].into_iter();
        let ask = headers.fold(post(), |ask, (header, value)| {
            match respelled.replace(['_', '.'], "-") == header {
                true => ask.with(respelled, value),
                false => ask.with(header, value),
            }
        });
        rows.push((what, ask.bearer(&token), HEADERS));
    }
    let mcp = json!({ "tools": [{ "name": "*" }] });
    tables.judge(with_mcp(&key, mcp), &rows);
}

fn names_in_base64(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let token = key.token(json!({}));
    let mut rows = Vec::new();
    for (name, expected) in [
        // café
        ("=?base64?Y2Fmw6k=?=", PASSES),
        // search
        ("=?base64?c2VhcmNo?=", PASSES),
        // delete
        ("=?base64?ZGVsZXRl?=", TOOL),
        ("=?BASE64?c2VhcmNo?=", TOOL),
        ("=?base64?Y2Fmw6k?=", HEADERS),
        ("=?base64?Y2Fm6Q==?=", HEADERS),
        ("=?base64?c2Vhcm No?=", HEADERS),
        ("=?base64??=", HEADERS),
        ("=?base64?=", HEADERS),
    ] {
        rows.push((name, call(name).bearer(&token), expected));
    }
    let mcp = json!({ "tools": [{ "name": "caf\u{e9}" }, { "name": "search" }] });
    tables.judge(with_mcp(&key, mcp), &rows);
}

fn other_methods_of_http(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let token = key.token(json!({}));
    let rows = |methods: &[&'static str]| {
        let mut rows = Vec::new();
        for method in methods {
            let ask = message("tools/list").method(method);
            rows.push((*method, ask.clone().bearer(&token), METHOD));
            rows.push((*method, ask, MISSING));
            let bare = get("/mcp").method(method);
            rows.push((*method, bare.bearer(&token), METHOD));
        }
        rows
    };
    let policy = with_mcp(&key, json!({}));
    let mut known = rows(&["GET", "DELETE", "PUT", "PATCH", "OPTIONS"]);
    known.push(("POST", message("tools/list").bearer(&token), PASSES));
    tables.judge(policy.clone(), &known);
    // An answer to HEAD has no body, and Envoy knows no QUERY.
    tables.judge_natively(policy, &rows(&["HEAD", "QUERY", "post"]));
}

fn origins(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let token = key.token(json!({}));
    let from = |origin: &str| message("tools/list").with("origin", origin).bearer(&token);
    tables.judge(
        with_mcp(
            &key,
            json!({ "origins": ["https://app.example.com", "http://localhost:6274"] }),
        ),
        &[
            ("none", message("tools/list").bearer(&token), PASSES),
            ("one of them", from("https://app.example.com"), PASSES),
            ("in another case", from("HTTPS://App.Example.Com"), PASSES),
            (
                "with its default port",
                from("https://app.example.com:443"),
                PASSES,
            ),
            ("the other", from("http://localhost:6274"), PASSES),
            ("another port", from("https://app.example.com:8443"), ORIGIN),
            ("another scheme", from("http://app.example.com"), ORIGIN),
            ("another host", from("https://evil.example"), ORIGIN),
            (
                "a longer host",
                from("https://app.example.com.evil.example"),
                ORIGIN,
            ),
            ("a host below", from("https://x.app.example.com"), ORIGIN),
            ("null", from("null"), ORIGIN),
            ("empty", from(""), ORIGIN),
            ("a path after it", from("https://app.example.com/"), ORIGIN),
            (
                "a list",
                from("https://app.example.com, https://app.example.com"),
                ORIGIN,
            ),
            (
                "two",
                from("https://app.example.com").with("origin", "https://app.example.com"),
                ORIGIN,
            ),
        ],
    );
    tables.judge(
        with_mcp(&key, json!({})),
        &[
            ("none", message("tools/list").bearer(&token), PASSES),
            ("any", from("https://app.example.com"), ORIGIN),
            ("the server's own", from("https://api.example.com"), ORIGIN),
            ("null", from("null"), ORIGIN),
        ],
    );
}

fn preflights_are_judged_by_their_origin_alone(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let mcp = json!({ "mcp": { "origins": ["https://app.example"] } });
    let evil = get("/mcp")
        .method("OPTIONS")
        .with("origin", "https://evil.example")
        .with("access-control-request-method", "POST");
    for rule in [
        json!({}),
        json!({ "access": "optional" }),
        json!({ "access": "anonymous" }),
    ] {
        tables.judge(
            policy(&key, amended(mcp.clone(), rule)),
            &[
                ("an allowed origin", preflight("/mcp", "POST"), PASSES),
                (
                    "with a bad token",
                    preflight("/mcp", "POST").bearer("x"),
                    PASSES,
                ),
                ("for another method", preflight("/mcp", "DELETE"), PASSES),
                ("another origin", evil.clone(), ORIGIN),
            ],
        );
    }
    let off = amended(policy(&key, mcp), json!({ "allow_cors_preflight": false }));
    tables.judge(off, &[("no preflight", preflight("/mcp", "POST"), MISSING)]);
}

fn what_rule_and_entry_ask_together(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let rule = json!({
        "scopes": { "all": ["mcp:use"] },
        "authentication": { "acr": ["mfa", "phr"], "max_age": "10m" },
        "mcp": { "tools": [
            { "name": "search", "scopes": { "any": ["read", "admin"] } },
            { "name": "pay", "authentication": { "acr": ["phr", "phrh"], "max_age": "5m" } },
            { "name": "look" },
        ] },
    });
    let with = |scope: &str, acr: &str, age: i64| {
        key.token(json!({ "scope": scope, "acr": acr, "auth_time": now() - age }))
    };
    let good = with("mcp:use read", "phr", 10);
    tables.judge(
        policy(&key, rule),
        &[
            ("both", call("search").bearer(&good), PASSES),
            (
                "the other of any",
                call("search").bearer(with("mcp:use admin", "mfa", 10)),
                PASSES,
            ),
            (
                "the rule's scope alone",
                call("search").bearer(with("mcp:use", "mfa", 10)),
                NO_SCOPE,
            ),
            (
                "the entry's scope alone",
                call("search").bearer(with("read", "mfa", 10)),
                NO_SCOPE,
            ),
            (
                "an entry that asks nothing",
                call("look").bearer(with("mcp:use", "mfa", 10)),
                PASSES,
            ),
            (
                "the rule's scope is missing",
                call("look").bearer(with("read", "mfa", 10)),
                NO_SCOPE,
            ),
            (
                "and for a method",
                message("tools/list").bearer(with("read", "mfa", 10)),
                NO_SCOPE,
            ),
            ("acr of both", call("pay").bearer(&good), PASSES),
            (
                "acr of the rule alone",
                call("pay").bearer(with("mcp:use", "mfa", 10)),
                STEP_UP,
            ),
            (
                "acr of the entry alone",
                call("pay").bearer(with("mcp:use", "phrh", 10)),
                STEP_UP,
            ),
            (
                "the smaller age",
                call("pay").bearer(with("mcp:use", "phr", 400)),
                STEP_UP,
            ),
            (
                "the rule's age",
                call("look").bearer(with("mcp:use", "phr", 400)),
                PASSES,
            ),
            (
                "beyond the rule's age",
                call("look").bearer(with("mcp:use", "phr", 700)),
                STEP_UP,
            ),
        ],
    );
}

/// Each row lacks what is checked next, and all that comes after it.
fn one_after_the_other(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let rule = json!({
        "audiences": ["mcp"],
        "claims": [{ "claim": "tenant", "equals": "acme" }],
        "mcp": {
            "origins": ["https://app.example"],
            "tools": [{
                "name": "delete_user", "scopes": { "all": ["admin"] },
                "authentication": { "acr": ["phr"] }, "approval": "tool_call",
            }],
        },
    });
    let evil = |ask: Ask| ask.with("origin", "https://evil.example");
    let delete = |ask: Ask| ask.method("DELETE");
    let with = |claims: Value| {
        let audiences = json!({ "aud": ["api-gateway", "mcp"] });
        key.token(amended(audiences, claims))
    };
    let details = json!([{ "type": "tool_call", "identifier": "delete_user" }]);
    let asked = |claims: Value| call("delete_user").bearer(with(claims));
    tables.judge(
        policy(&key, rule),
        &[
            ("Origin", delete(evil(get("/mcp")).bearer("x").bearer("y")), ORIGIN),
            ("credential", delete(get("/mcp")), MISSING),
            ("its validity", delete(get("/mcp")).bearer("x"), "MALFORMED_TOKEN"),
            ("its audience", delete(get("/mcp")).bearer(key.token(json!({}))), "INVALID_AUDIENCE"),
            ("method", delete(get("/mcp")).bearer(with(json!({}))), METHOD),
            ("headers", post().bearer(with(json!({}))), HEADERS),
            ("tool", call("other").bearer(with(json!({}))), TOOL),
            ("authentication", asked(json!({})), STEP_UP),
            ("scopes", asked(json!({ "acr": "phr" })), NO_SCOPE),
            ("claims", asked(json!({ "acr": "phr", "scope": "admin" })), "CLAIM_MISMATCH"),
            (
                "approval",
                asked(json!({ "acr": "phr", "scope": "admin", "tenant": "acme" })),
                APPROVAL,
            ),
            (
                "nothing is missing",
                asked(json!({
                    "acr": "phr", "scope": "admin", "tenant": "acme", "authorization_details": details,
                })),
                PASSES,
            ),
        ],
    );
}

fn without_a_credential(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let token = key.token(json!({}));
    let mcp = json!({
        "tools": [
            { "name": "free" },
            { "name": "scoped", "scopes": { "all": ["read"] } },
            { "name": "fresh", "authentication": { "max_age": "5m" } },
            { "name": "approved", "approval": "tool_call" },
        ],
    });
    let optional = json!({ "access": "optional", "scopes": { "all": ["mcp:use"] }, "mcp": mcp });
    tables.judge(
        policy(&key, optional),
        &[
            ("a tool that asks for nothing", call("free"), PASSES),
            ("a method", message("tools/list"), PASSES),
            ("a tool that asks for a scope", call("scoped"), MISSING),
            ("a tool that asks for a login", call("fresh"), MISSING),
            ("a tool that asks for approval", call("approved"), MISSING),
            ("no tool", call("other"), TOOL),
            ("no headers", post(), HEADERS),
            ("another method", get("/mcp"), METHOD),
            (
                "an origin",
                call("free").with("origin", "https://a.example"),
                ORIGIN,
            ),
            (
                "a credential that lacks the rule's scope",
                call("free").bearer(&token),
                NO_SCOPE,
            ),
            (
                "a bad credential",
                call("free").bearer("x"),
                "MALFORMED_TOKEN",
            ),
        ],
    );
    let anonymous = json!({ "access": "anonymous", "mcp": { "tools": [{ "name": "free" }] } });
    tables.judge(
        policy(&key, anonymous),
        &[
            ("a tool", call("free"), PASSES),
            ("no tool", call("other"), TOOL),
            ("no headers", post(), HEADERS),
            ("another method", get("/mcp"), METHOD),
            (
                "an origin",
                call("free").with("origin", "https://a.example"),
                ORIGIN,
            ),
        ],
    );
}

fn api_keys(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let policy = json!({
        "providers": { "corp": provider([&key]) },
        "api_keys": { "keys": [{ "id": "bot", "hash": sha256("secret"), "scopes": ["read"] }] },
        "rules": [{
            "match": { "path": { "exact": "/mcp" } },
            "mcp": { "tools": [
                { "name": "read", "scopes": { "all": ["read"] } },
                { "name": "write", "scopes": { "all": ["write"] } },
                { "name": "fresh", "authentication": { "max_age": "5m" } },
                { "name": "approved", "approval": "tool_call" },
            ] },
        }],
    });
    let by_key = |tool: &str| call(tool).with("x-api-key", "secret");
    tables.judge(
        policy,
        &[
            ("its scope", by_key("read"), PASSES),
            ("another scope", by_key("write"), NO_SCOPE),
            ("a login, which no key has", by_key("fresh"), STEP_UP),
            (
                "an approval, which no key has",
                by_key("approved"),
                APPROVAL,
            ),
        ],
    );
}

fn approvals(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let mcp = json!({
        "tools": [{ "name": "delete_*", "approval": "tool_call" }, { "name": "*" }],
        "prompts": [{ "name": "p", "approval": "prompt" }],
        "resources": [{ "uri": "docs://*", "approval": { "type": "read" } }],
    });
    let policy = amended(
        with_mcp(&key, mcp),
        json!({ "resources": [{ "resource": RESOURCE }] }),
    );
    let with = |ask: Ask, details: Value| {
        ask.bearer(key.token(json!({ "authorization_details": details })))
    };
    let delete = |details: Value| with(call("delete_user"), details);
    let one = |changes: Value| {
        let approval = json!({ "type": "tool_call", "identifier": "delete_user" });
        delete(json!([amended(approval, changes)]))
    };
    tables.judge(
        policy,
        &[
            ("the tool", one(json!({})), PASSES),
            (
                "among others",
                delete(json!([
                    { "type": "payment" }, { "type": "tool_call", "identifier": "delete_user" },
                ])),
                PASSES,
            ),
            (
                "at this resource",
                one(json!({ "locations": ["x", RESOURCE] })),
                PASSES,
            ),
            (
                "no details",
                call("delete_user").bearer(key.token(json!({}))),
                APPROVAL,
            ),
            ("nothing approved", delete(json!([])), APPROVAL),
            (
                "another tool",
                one(json!({ "identifier": "delete_team" })),
                APPROVAL,
            ),
            (
                "the pattern",
                one(json!({ "identifier": "delete_*" })),
                APPROVAL,
            ),
            ("another type", one(json!({ "type": "payment" })), APPROVAL),
            (
                "no identifier",
                one(json!({ "identifier": null })),
                APPROVAL,
            ),
            (
                "at another resource",
                one(json!({ "locations": ["https://b.example/"] })),
                APPROVAL,
            ),
            ("at no resource", one(json!({ "locations": [] })), APPROVAL),
            (
                "not in a list",
                delete(json!({ "type": "tool_call", "identifier": "delete_user" })),
                APPROVAL,
            ),
            (
                "once, without a jti",
                one(json!({ "once": true })),
                APPROVAL,
            ),
            (
                "how often is unreadable",
                one(json!({ "once": "true" })),
                APPROVAL,
            ),
            (
                "a tool that needs none",
                with(call("search"), json!([])),
                PASSES,
            ),
            (
                "a prompt",
                with(
                    named("prompts/get", "p"),
                    json!([{ "type": "prompt", "identifier": "p" }]),
                ),
                PASSES,
            ),
            (
                "a prompt with a tool's approval",
                with(
                    named("prompts/get", "p"),
                    json!([{ "type": "tool_call", "identifier": "p" }]),
                ),
                APPROVAL,
            ),
            (
                "a resource",
                with(
                    named("resources/read", "docs://a"),
                    json!([{ "type": "read", "identifier": "docs://a" }]),
                ),
                PASSES,
            ),
            (
                "another resource",
                with(
                    named("resources/read", "docs://b"),
                    json!([{ "type": "read", "identifier": "docs://a" }]),
                ),
                APPROVAL,
            ),
            // café
            (
                "a name in base64",
                with(
                    call("=?base64?ZGVsZXRlX2NhdsOp?="),
                    json!([
                        { "type": "tool_call", "identifier": "delete_cav\u{e9}" },
                    ]),
                ),
                PASSES,
            ),
        ],
    );
}

fn approvals_of_a_rule(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let with = |ask: Ask, details: Value| {
        ask.bearer(key.token(json!({ "authorization_details": details })))
    };
    let both = json!({ "approval": "session", "mcp": {
        "tools": [{ "name": "delete_user", "approval": "tool_call" }, { "name": "search" }],
    } });
    let delete = |details: Value| with(call("delete_user"), details);
    tables.judge(
        policy(&key, both),
        &[
            (
                "both",
                delete(json!([
                    { "type": "session", "identifier": "delete_user" },
                    { "type": "tool_call", "identifier": "delete_user" },
                ])),
                PASSES,
            ),
            (
                "the rule's alone",
                delete(json!([
                    { "type": "session", "identifier": "delete_user" },
                ])),
                APPROVAL,
            ),
            (
                "the tool's alone",
                delete(json!([
                    { "type": "tool_call", "identifier": "delete_user" },
                ])),
                APPROVAL,
            ),
            (
                "the rule's for another tool",
                with(
                    call("search"),
                    json!([
                        { "type": "session", "identifier": "delete_user" },
                    ]),
                ),
                APPROVAL,
            ),
            (
                "a message without a name",
                with(
                    message("tools/list"),
                    json!([
                        { "type": "session" },
                    ]),
                ),
                PASSES,
            ),
        ],
    );
    let plain = json!({ "approval": { "type": "payment" } });
    tables.judge(
        policy(&key, plain),
        &[
            (
                "approved",
                with(post(), json!([{ "type": "payment" }])),
                PASSES,
            ),
            (
                "not approved",
                with(post(), json!([{ "type": "refund" }])),
                APPROVAL,
            ),
        ],
    );
}

fn approvals_of_a_part_of_the_request(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let on = |path: Value, identifier: Value| {
        json!({
            "match": { "path": path },
            "approval": { "type": "payment", "identifier": identifier },
        })
    };
    let policy = json!({
        "providers": { "corp": provider([&key]) },
        "rules": [
            on(json!({ "template": "/orders/{order}/pay" }), json!({ "path": "order" })),
            on(json!({ "exact": "/header" }), json!({ "header": "x-order" })),
            on(json!({ "exact": "/host" }), json!({ "host": 0 })),
            {
                "match": { "path": { "exact": "/mcp" } },
                "mcp": { "tools": [{ "name": "pay", "approval": {
                    "type": "payment", "identifier": { "header": "mcp-param-order" },
                } }] },
            },
        ],
    });
    let with = |ask: Ask, order: &str| {
        let details = json!([{ "type": "payment", "identifier": order }]);
        ask.bearer(key.token(json!({ "authorization_details": details })))
    };
    let order = |path: &str, order: &str| with(get(path), order);
    let header = |value: &str| with(get("/header").with("x-order", value), "17");
    let tool = |value: &str| with(call("pay").with("mcp-param-order", value), "17");
    tables.judge(
        policy,
        &[
            ("the segment", order("/orders/17/pay", "17"), PASSES),
            ("decoded", order("/orders/%31%37%20a/pay", "17 a"), PASSES),
            ("another segment", order("/orders/18/pay", "17"), APPROVAL),
            ("no UTF-8", order("/orders/%FF/pay", "\u{fffd}"), APPROVAL),
            ("the header", header("17"), PASSES),
            ("another value", header("18"), APPROVAL),
            ("no header", order("/header", "17"), APPROVAL),
            (
                "no header, and nothing approved",
                order("/header", ""),
                APPROVAL,
            ),
            (
                "the header twice",
                header("17").with("x_order", "17"),
                APPROVAL,
            ),
            ("the host", order("/host", "api"), PASSES),
            (
                "another host",
                with(get("/host").host("b.example.com"), "api"),
                APPROVAL,
            ),
            ("a tool's parameter", tool("17"), PASSES),
            ("another parameter", tool("18"), APPROVAL),
            ("the tool's name", with(call("pay"), "pay"), APPROVAL),
        ],
    );
}

fn other_rules_read_none_of_these_headers(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let token = key.token(json!({}));
    let ask = call("x").with("mcp-method", "y").with("origin", "null");
    let rows = [("headers of a message", ask.bearer(&token), PASSES)];
    tables.judge(policy(&key, json!({})), &rows);
}
