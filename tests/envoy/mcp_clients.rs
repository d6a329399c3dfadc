//! Real MCP clients and a real MCP server, with Envoy and the filter between them: all that `docs/mcp.md` shows, and what
//! each refusal tells the user of a client. `MCP_PACKAGES` names the folder of the Python packages (default: `.cache/mcp`).

mod helpdesk;

use serde_json::{Value, json};

use self::helpdesk::{Helpdesk, read};
use crate::harness::client::{Answer, Request};
use crate::harness::now;

const VERSION: &str = "2026-07-28";

/// The blocks of code in a page: their language and their text, without their indentation.
fn blocks(page: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(language) = line.trim_start().strip_prefix("```") else {
            continue;
        };
        let indent = line.len() - line.trim_start().len();
        let inside = lines.by_ref().take_while(|line| line.trim() != "```");
        let text: String = inside
            .map(|line| format!("{}\n", line.get(indent..).unwrap_or_default()))
            .collect();
        found.push((language.to_owned(), text));
    }
    found
}

/// Each command that is followed by what it prints.
#[test]
fn the_page_shows_what_its_commands_print() {
    let page = read("docs/mcp.md");
    let policy = format!("```yaml\n{}```", read("docs/mcp/policy.yaml"));
    assert!(page.contains(&policy), "the page shows another policy");
    let helpdesk = Helpdesk::shared();
    let blocks = blocks(&page);
    let mut checked = 0;
    for pair in blocks.windows(2) {
        let [(language, command), (of_output, shown)] = pair else {
            panic!("windows of two")
        };
        if language == "sh" && ["text", "json"].contains(&of_output.as_str()) {
            assert_eq!(&helpdesk.shell(command), shown, "{command}");
            checked += 1;
        }
    }
    assert!(checked >= 5, "the test must see the commands: {checked}");
}

/// What a refusal says to a person.
fn reason(answer: &Answer, code: &str) -> String {
    let body = answer
        .json()
        .unwrap_or_else(|why| panic!("{why}: {answer:?}"));
    assert_eq!(body["code"], code, "{answer:?}");
    let description = body["error_description"].as_str();
    description.expect("a description").to_owned()
}

/// A call of a tool.
fn call(helpdesk: &Helpdesk, token: &str, tool: &str) -> Request {
    let envelope = json!({
        "io.modelcontextprotocol/protocolVersion": VERSION,
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": tool, "arguments": {}, "_meta": envelope,
    } });
    helpdesk.message(token, &body)
}

/// The message, and headers that describe it.
fn described(message: Request, method: &str, name: &str) -> Request {
    message
        .header("mcp-protocol-version", VERSION)
        .header("mcp-method", method)
        .header("mcp-name", name)
}

#[test]
fn a_refusal_tells_a_client_s_user_why() {
    let helpdesk = Helpdesk::shared();
    let send = |request: Request| helpdesk.gateway.send(&request);
    let call = |token: &str, tool: &str| call(&helpdesk, token, tool);

    let token = helpdesk.token("mcp:use tools:read", json!({}));
    let refused = |tool: &str, code: &str| {
        reason(
            &send(described(call(&token, tool), "tools/call", tool)),
            code,
        )
    };
    let scope = refused("close_ticket", "INSUFFICIENT_SCOPE");
    let not_allowed = refused("wipe_disk", "TOOL_NOT_ALLOWED");
    let steps = [
        "tools",
        "search_docs query=refunds",
        "close_ticket id=7",
        "wipe_disk",
        "read docs://refunds",
        "read docs://rückgabe",
        "read internal://salaries",
    ];
    assert_eq!(
        helpdesk.python(&[&["--token", &token], steps.as_slice()].concat()),
        format!(
            "tools: search_docs, close_ticket, delete_user, wipe_disk\n\
             search_docs query=refunds: 1 page about refunds\n\
             close_ticket id=7: refused: {scope}\n\
             wipe_disk: refused: {not_allowed}\n\
             read docs://refunds: Within 30 days.\n\
             read docs://rückgabe: Innerhalb von 30 Tagen.\n\
             read internal://salaries: refused: {not_allowed}\n"
        )
    );
    let rust = helpdesk.rust(&["--token", &token], &steps);
    let [tools, search, close, wipe, refunds, umlaut, salaries] =
        rust.lines().collect::<Vec<_>>()[..]
    else {
        panic!("{rust}")
    };
    assert_eq!(
        tools,
        "tools: search_docs, close_ticket, delete_user, wipe_disk"
    );
    assert_eq!(search, "search_docs query=refunds: 1 page about refunds");
    // The challenge, for the application to ask for another token.
    assert!(close.contains(&scope), "{close}");
    assert!(close.contains("scope=\"mcp:use tools:write\""), "{close}");
    // Where there is no challenge, the whole body.
    assert!(wipe.contains(&not_allowed), "{wipe}");
    assert_eq!(refunds, "read docs://refunds: Within 30 days.");
    assert_eq!(umlaut, "read docs://rückgabe: Innerhalb von 30 Tagen.");
    assert!(salaries.contains(&not_allowed), "{salaries}");

    // The policy says `body: server`.
    for (method, name) in [("tools/call", "search_docs"), ("tools/list", "wipe_disk")] {
        let answer = send(described(call(&token, "wipe_disk"), method, name));
        let error = &answer.json().expect("JSON")["error"];
        assert_eq!(
            (answer.status, &error["code"]),
            (400, &json!(-32020)),
            "{answer:?}"
        );
        assert!(
            error.get("data").is_none(),
            "the server refuses: {answer:?}"
        );
    }
}

#[test]
fn what_a_refusal_asks_for_lets_the_call_in() {
    let helpdesk = Helpdesk::shared();
    let token = |details: Value| {
        let details = json!({ "authorization_details": details });
        helpdesk.token("mcp:use tools:write", details)
    };
    let unapproved = token(Value::Null);
    let delete = "delete_user name=mallory";
    let message = call(&helpdesk, &unapproved, "delete_user");
    let message = described(message, "tools/call", "delete_user");
    let refused = helpdesk.gateway.send(&message);
    let why = reason(&refused, "APPROVAL_REQUIRED");
    assert_eq!(
        helpdesk.python(&["--token", &unapproved, delete]),
        format!("{delete}: refused: {why}\n")
    );
    let rust = helpdesk.rust(&["--token", &unapproved], &[delete]);
    assert!(rust.contains(&why), "{rust}");

    let wanted = refused.json().expect("JSON")["error"]["data"]["authorization_details"].take();
    let approved = token(wanted);
    let deleted = format!("{delete}: deleted mallory\n");
    assert_eq!(helpdesk.python(&["--token", &approved, delete]), deleted);
    assert_eq!(helpdesk.rust(&["--token", &approved], &[delete]), deleted);
}

#[test]
fn a_client_that_cannot_connect_tells_why() {
    let helpdesk = Helpdesk::shared();
    let good = helpdesk.token("mcp:use", json!({}));
    let expired = helpdesk.token("mcp:use", json!({ "exp": now() - 600 }));
    // The Rust SDK tells no more of a 401.
    let unauthorized = "Auth required";
    for (options, token, code, told) in [
        (
            ["--token", "rubbish"].as_slice(),
            "rubbish",
            "MALFORMED_TOKEN",
            Some(unauthorized),
        ),
        (
            &["--token", &expired],
            &expired,
            "TOKEN_EXPIRED",
            Some(unauthorized),
        ),
        (
            &["--token", &good, "--old"],
            &good,
            "MCP_HEADERS_REQUIRED",
            None,
        ),
    ] {
        // As versions before 2026-07-28 begin.
        let initialize = helpdesk.message(token, &json!({ "method": "initialize" }));
        let why = reason(&helpdesk.gateway.send(&initialize), code);
        assert_eq!(
            helpdesk.python(&[options, &["tools"]].concat()),
            format!("not connected: {why}\n")
        );
        let rust = helpdesk.rust(options, &["tools"]);
        assert!(rust.starts_with("not connected: "), "{rust}");
        assert!(rust.contains(told.unwrap_or(&why)), "{rust}");
    }
    // Which versions are spoken here.
    let initialize = helpdesk.message(&good, &json!({ "method": "initialize" }));
    let answer = helpdesk
        .gateway
        .send(&initialize.header("mcp-protocol-version", "2025-06-18"));
    reason(&answer, "MCP_HEADERS_REQUIRED");
    let error = &answer.json().expect("JSON")["error"];
    assert_eq!(error["code"], -32022);
    assert_eq!(error["data"]["supported"], json!([VERSION]));
    assert_eq!(error["data"]["requested"], "2025-06-18");
}

/// A token that expires between two calls is missed at the second, whose tool asks for more than the rule does: and a
/// client gets one token for a call, by the challenge that it gets first.
#[test]
fn one_new_token_is_enough_for_a_call() {
    let helpdesk = Helpdesk::open("6s");
    let search = "search_docs query=refunds";
    assert_eq!(
        helpdesk.python(&[search, "wait 6.5", search]),
        format!(
            "new token: mcp:use\n\
             new token: mcp:use tools:read\n\
             {search}: 1 page about refunds\n\
             wait 6.5: done\n\
             new token: mcp:use tools:read\n\
             {search}: 1 page about refunds\n"
        )
    );
}

/// With the module that reads bodies: clients of older versions are let in too, and no client is shown a tool that it may
/// not call.
#[test]
fn clients_of_every_version_see_and_call_their_tools() {
    let helpdesk = Helpdesk::reading_bodies();
    let token = helpdesk.token("mcp:use tools:read", json!({}));
    let refused = |tool: &str, code: &str| {
        let message = call(&helpdesk, &token, tool);
        let answer = helpdesk.gateway.send(&message);
        assert_eq!(answer.json().expect("JSON")["id"], 1, "{answer:?}");
        reason(&answer, code)
    };
    let scope = refused("close_ticket", "INSUFFICIENT_SCOPE");
    let not_allowed = refused("wipe_disk", "TOOL_NOT_ALLOWED");
    let steps = [
        "tools",
        "search_docs query=refunds",
        "close_ticket id=7",
        "wipe_disk",
        "read docs://rückgabe",
    ];
    for version in [&[][..], &["--old"]] {
        let options = [&["--token", &token], version].concat();
        assert_eq!(
            helpdesk.python(&[options.as_slice(), steps.as_slice()].concat()),
            format!(
                "tools: search_docs\n\
                 search_docs query=refunds: 1 page about refunds\n\
                 close_ticket id=7: refused: {scope}\n\
                 wipe_disk: refused: {not_allowed}\n\
                 read docs://rückgabe: Innerhalb von 30 Tagen.\n"
            ),
            "{version:?}"
        );
        let rust = helpdesk.rust(&options, &steps[..2]);
        let expected = "tools: search_docs\nsearch_docs query=refunds: 1 page about refunds\n";
        assert_eq!(rust, expected, "{version:?}");
    }
    let token = helpdesk.token("mcp:use tools:write", json!({}));
    // What wants an approval is shown.
    for version in [&[][..], &["--old"]] {
        let options = [&["--token", &token], version, &["tools"]].concat();
        let expected = "tools: close_ticket, delete_user\n";
        assert_eq!(helpdesk.python(&options), expected);
    }
}
