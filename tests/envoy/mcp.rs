//! Messages of MCP, and approvals that count once for all workers.

use serde_json::{Value, json};

use crate::harness::client::{Request, request};
use crate::harness::gateway::{Gateway, Setup};
use crate::harness::keys::{Key, amended};
use crate::harness::policy::{only, provider};

fn policy(key: &Key, more: Value) -> Value {
    let rule = json!({
        "match": { "path": { "exact": "/mcp" } },
        "mcp": { "tools": [
            { "name": "pay", "approval": { "type": "payment", "once": true } },
            { "name": "look" },
        ] },
    });
    amended(
        only(provider([key])),
        amended(json!({ "rules": [rule], "audit": "all" }), more),
    )
}

fn call(tool: &str, token: &str) -> Request {
    request("POST", "/mcp")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", tool)
        .header("authorization", format!("Bearer {token}"))
}

fn approved(key: &Key, jti: &str) -> String {
    let details = json!([{ "type": "payment", "identifier": "pay" }]);
    key.token(json!({ "jti": jti, "authorization_details": details }))
}

fn passed(gateway: &Gateway, requests: Vec<Request>) -> usize {
    let outcomes = gateway.send_all(requests);
    let is_refused = |status: u16| {
        assert!(
            [200, 403].contains(&status),
            "{status}\n{}",
            gateway.log_tail()
        );
        status == 403
    };
    let statuses = outcomes.iter().map(|outcome| outcome.answer.status);
    statuses.filter(|status| !is_refused(*status)).count()
}

#[test]
fn an_approval_that_counts_once_counts_once_on_all_workers() {
    let key = Key::new("ES256", "k");
    let gateway = Setup::of(policy(&key, json!({}))).workers(2).start();
    for jti in ["1", "2", "3"] {
        let token = approved(&key, jti);
        let at_once = (0..16).map(|_| call("pay", &token)).collect();
        assert_eq!(passed(&gateway, at_once), 1, "{jti}");
        assert_eq!(passed(&gateway, vec![call("pay", &token)]), 0, "{jti}");
    }
    // What asks for no approval is no use of one.
    let token = approved(&key, "4");
    let at_once = (0..8).map(|_| call("look", &token)).collect();
    assert_eq!(passed(&gateway, at_once), 8);
    assert_eq!(passed(&gateway, vec![call("pay", &token)]), 1);
}

/// Otherwise every rollout would renew every approval.
#[test]
fn another_configuration_remembers_what_was_used() {
    let key = Key::new("ES256", "k");
    let gateway = Setup::of(policy(&key, json!({}))).over_lds().start();
    let token = approved(&key, "1");
    assert_eq!(passed(&gateway, vec![call("pay", &token)]), 1);
    assert!(gateway.update(policy(&key, json!({ "realm": "another" }))));
    assert_eq!(passed(&gateway, vec![call("pay", &token)]), 0);
    assert_eq!(passed(&gateway, vec![call("pay", &approved(&key, "2"))]), 1);
}

#[test]
fn a_client_reads_what_to_ask_for_and_the_log_which_tool_it_was() {
    let key = Key::new("ES256", "k");
    let gateway = Gateway::start(policy(&key, json!({})));
    let answer = gateway.send(&call("pay", &key.token(json!({ "jti": "1" }))));
    assert_eq!(answer.status, 403);
    let body = answer.json().expect("JSON");
    let details = json!([{ "type": "payment", "identifier": "pay" }]);
    assert_eq!(body["error"]["data"]["authorization_details"], details);
    assert_eq!(body["error"]["code"], -32010);
    let line = gateway.audit("/mcp").expect("an audit line");
    assert_eq!(
        (&line["tool"], &line["code"]),
        (&"pay".into(), &"APPROVAL_REQUIRED".into())
    );

    let answer = gateway.send(
        &request("GET", "/mcp").header("authorization", format!("Bearer {}", key.token(json!({})))),
    );
    assert_eq!(
        (answer.status, answer.header("allow").as_deref()),
        (405, Some("POST"))
    );
}
