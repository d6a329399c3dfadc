//! Lists in answers of MCP servers, by what their reader may use.

use serde_json::{Value, json};

use crate::harness::keys::{Key, amended, sha256};
use crate::harness::policy::provider;
use crate::harness::{Answer, Ask, Filter, get};

fn config(key: &Key, rule: Value, mcp: Value) -> Value {
    let all = |scope: &str| json!({ "all": [scope] });
    let own = json!({
        "list": "filter",
        "body": "server",
        "tools": [
            { "name": "admin_read", "scopes": all("read") },
            { "name": "admin_*", "scopes": all("admin") },
            { "name": "pay", "scopes": all("read"), "approval": "payment" },
            { "name": "strong", "authentication": { "acr": ["phr"], "max_age": "5m" } },
            { "name": "search" },
        ],
        "prompts": [{ "name": "*", "scopes": { "any": ["read", "write"] } }],
        "resources": [{ "uri": "docs://*" }, { "uri": "file:///*", "scopes": all("admin") }],
        "methods": ["tools/list", "prompts/list", "resources/list", "resources/templates/list"],
    });
    let own = json!({ "scopes": { "all": ["use"] }, "mcp": amended(own, mcp) });
    json!({
        "providers": { "corp": provider([key]) },
        "api_keys": { "keys": [{ "id": "bot", "hash": sha256("secret"), "scopes": ["use", "read"] }] },
        "rules": [amended(own, rule)],
    })
}

fn list(method: &str) -> Ask {
    let ask = get("/mcp")
        .method("POST")
        .with("accept-encoding", "gzip, br");
    ask.with("mcp-protocol-version", "2026-07-28")
        .with("mcp-method", method)
}

/// An answer that lists these.
fn listing(member: &str, named: &str, names: &[&str]) -> String {
    let entry = |name: &&str| {
        let mut entry = json!({ "title": "x" });
        entry[named] = json!(name);
        entry
    };
    let entries: Vec<Value> = names.iter().map(entry).collect();
    json!({ "jsonrpc": "2.0", "id": 1, "result": { member: entries } }).to_string()
}

/// The names that are left of them.
fn left(answer: &mut Answer, member: &str, named: &str, names: &[&str]) -> Vec<String> {
    let body = listing(member, named, names);
    let passage = answer.passage.as_mut().expect("its answer is followed");
    let lists = passage.lists.as_mut().expect("a list");
    let shorter = lists.json(body.as_bytes()).expect("it can be read");
    // As a stream of events it is the same.
    let events = lists.events(format!("data: {body}\n\n").as_bytes(), true);
    let shorter = shorter.unwrap_or_else(|| body.into_bytes());
    assert_eq!(events, [b"data: ", shorter.as_slice(), b"\n\n"].concat());
    let shorter: Value = serde_json::from_slice(&shorter).expect("JSON");
    let entries = shorter["result"][member].as_array().expect("a list");
    let name = |entry: &Value| entry[named].as_str().expect("a name").to_owned();
    entries.iter().map(name).collect()
}

const TOOLS: [&str; 6] = [
    "admin_read",
    "admin_write",
    "pay",
    "strong",
    "search",
    "other",
];

#[test]
fn a_list_shows_what_its_reader_may_use() {
    let key = Key::new("ES256", "k");
    let mut filter = Filter::new(config(&key, json!({}), json!({})));
    for (scope, tools, prompts, resources) in [
        // What wants a login or an approval stays.
        ("use", &["strong", "search"][..], &[][..], &["docs://a"][..]),
        (
            "use read",
            &["admin_read", "pay", "strong", "search"],
            &["greet"],
            &["docs://a"],
        ),
        (
            "use admin",
            &["admin_write", "strong", "search"],
            &[],
            &["docs://a", "file:///a"],
        ),
        (
            "use admin read",
            &["admin_read", "admin_write", "pay", "strong", "search"],
            &["greet"],
            &["docs://a", "file:///a"],
        ),
    ] {
        let token = key.token(json!({ "scope": scope }));
        let mut ask = |method: &str| {
            let answer = filter.ask(&list(method).bearer(&token));
            assert!(answer.passes());
            assert_eq!(answer.forwarded("accept-encoding"), [""; 0]);
            answer
        };
        assert_eq!(left(&mut ask("tools/list"), "tools", "name", &TOOLS), tools);
        assert_eq!(
            left(&mut ask("prompts/list"), "prompts", "name", &["greet"]),
            prompts
        );
        let uris = [
            "docs://a",
            "docs://a/../b",
            "docs://%2e%2e",
            "file:///a",
            "http://a",
        ];
        assert_eq!(
            left(&mut ask("resources/list"), "resources", "uri", &uris),
            resources
        );
    }
    let bot = list("tools/list").with("x-api-key", "secret");
    let tools = left(&mut filter.ask(&bot), "tools", "name", &TOOLS);
    assert_eq!(tools, ["admin_read", "pay", "strong", "search"]);
}

#[test]
fn a_stranger_sees_what_asks_for_no_scope() {
    let key = Key::new("ES256", "k");
    let rule = json!({ "access": "optional" });
    let mut filter = Filter::new(config(&key, rule, json!({})));
    let mut answer = filter.ask(&list("tools/list"));
    assert_eq!(left(&mut answer, "tools", "name", &TOOLS), ["search"]);
}

#[test]
fn other_answers_are_not_followed() {
    let key = Key::new("ES256", "k");
    let token = key.token(json!({ "scope": "use read" }));
    let mut filter = Filter::new(config(&key, json!({}), json!({})));
    for ask in [
        list("resources/templates/list"),
        list("tools/call").with("mcp-name", "search"),
    ] {
        let answer = filter.ask(&ask.bearer(&token));
        assert!(answer.passes());
        assert_eq!(answer.forwarded("accept-encoding"), ["gzip, br"]);
        assert!(answer.passage.is_none_or(|passage| !passage.is_followed()));
    }
    // Nor are those of a rule that filters nothing.
    let config = config(&key, json!({}), json!({ "list": null }));
    let answer = Filter::new(config).ask(&list("tools/list").bearer(&token));
    assert!(answer.passes());
    assert_eq!(answer.forwarded("accept-encoding"), ["gzip, br"]);
    assert!(answer.passage.is_none_or(|passage| !passage.is_followed()));
}

#[test]
fn messages_of_older_versions_have_lists_too() {
    let key = Key::new("ES256", "k");
    let token = key.token(json!({ "scope": "use read" }));
    let mut filter = Filter::new(config(&key, json!({}), json!({ "body": "verify" })));
    let post = get("/mcp").method("POST").bearer(&token);
    let request = |id: i64, method: &str| json!({ "jsonrpc": "2.0", "id": id, "method": method });
    let one = request(1, "tools/list").to_string();
    let mut answer = filter.ask_with_body(&post, one.as_bytes());
    let expected = ["admin_read", "pay", "strong", "search"];
    assert_eq!(left(&mut answer, "tools", "name", &TOOLS), expected);
    let batch = json!([
        request(1, "ping"),
        request(2, "resources/list"),
        request(3, "tools/list")
    ]);
    let mut answer = filter.ask_with_body(&post, batch.to_string().as_bytes());
    assert_eq!(left(&mut answer, "tools", "name", &TOOLS), expected);
    assert_eq!(
        left(&mut answer, "resources", "uri", &["file:///a", "docs://a"]),
        ["docs://a"]
    );
    // Nobody asked for these.
    assert_eq!(left(&mut answer, "prompts", "name", &["a"]), ["a"]);
    let ping = request(1, "ping").to_string();
    let answer = filter.ask_with_body(&post, ping.as_bytes());
    assert!(answer.passes() && answer.passage.is_none_or(|passage| !passage.is_followed()));
}

#[test]
fn in_shadow_mode_nothing_is_filtered() {
    let key = Key::new("ES256", "k");
    let token = key.token(json!({ "scope": "use" }));
    let mut config = config(&key, json!({}), json!({}));
    config["mode"] = json!("shadow");
    let answer = Filter::new(config).ask(&list("tools/list").bearer(&token));
    assert!(answer.passes());
    assert_eq!(answer.forwarded("accept-encoding"), ["gzip, br"]);
    assert!(answer.passage.is_none_or(|passage| passage.lists.is_none()));
}
