//! What a request costs at the border of the VM: how often the host enters the module, and what the module asks of
//! the host. Envoy's log names each of these calls at the level trace, and every one of them is in a table here.
//!
//! Bodies are among the requests, so that nobody pays for a body that no rule of this module can read.

use std::collections::BTreeMap;

use serde_json::json;

use crate::harness::client::{Request, get, request};
use crate::harness::gateway::{Gateway, Setup};
use crate::harness::keys::{Key, amended, fresh_api_key, sha256};
use crate::harness::policy::{api_key, provider};
use crate::harness::{PATIENCE, poll};

/// A credential that is known: all headers read at once, the clock, six identity headers, the credential taken out.
const KNOWN: &str = "
proxy_on_context_create
proxy_on_request_headers
  proxy_get_header_map_pairs
    proxy_on_memory_allocate
  proxy_get_current_time_nanoseconds
  proxy_add_header_map_value
  proxy_add_header_map_value
  proxy_add_header_map_value
  proxy_add_header_map_value
  proxy_add_header_map_value
  proxy_add_header_map_value
  proxy_remove_header_map_value
proxy_on_delete
";

/// The same with trailers, which are read as well: a client's copy of an identity header may be among them.
const KNOWN_WITH_TRAILERS: &str = "
proxy_on_context_create
proxy_on_request_headers
  proxy_get_header_map_pairs
    proxy_on_memory_allocate
  proxy_get_current_time_nanoseconds
  proxy_add_header_map_value
  proxy_add_header_map_value
  proxy_add_header_map_value
  proxy_add_header_map_value
  proxy_add_header_map_value
  proxy_add_header_map_value
  proxy_remove_header_map_value
proxy_on_request_trailers
  proxy_get_header_map_pairs
    proxy_on_memory_allocate
proxy_on_delete
";

/// A refusal: instead of the edits the client's address, the audit line with it, and the answer.
const REFUSED: &str = "
proxy_on_context_create
proxy_on_request_headers
  proxy_get_header_map_pairs
    proxy_on_memory_allocate
  proxy_get_current_time_nanoseconds
  proxy_get_property
    proxy_on_memory_allocate
  proxy_log
  proxy_send_local_response
proxy_on_delete
";

#[test]
fn a_request_costs_these_calls_and_no_more() {
    let (key, secret) = (Key::new("ES256", "k"), fresh_api_key());
    let token = key.token(json!({
        "client_id": "orders-web", "scope": "data:read", "tenant": "acme", "jti": "known",
    }));
    let named = json!({ "client": "robot", "scopes": ["data:read"], "tenant": "acme" });
    let policy = json!({
        "providers": { "corp": provider([&key]) },
        "api_keys": { "keys": [amended(api_key("robot-2026", &sha256(&secret)), named)] },
        "rules": [
            { "match": { "path": { "prefix": "/" } }, "scopes": { "all": ["data:read"] } },
        ],
        "forward": { "headers": {
            "x-auth-subject": "subject",
            "x-auth-client-id": "client_id",
            "x-auth-scopes": "scopes",
            "x-auth-tenant": "tenant",
            "x-auth-provider": "provider",
            "x-auth-id": "claim:sub",
        } },
    });
    let gateway = Setup::of(policy).traced().start();
    let with_token = |request: Request| request.bearer(&token);
    let with_key = |request: Request| request.header("x-api-key", &secret);
    let posted = || request("POST", "/orders").header("content-type", "application/json");
    let body = "{\"text\":\"no rule of this module reads it\"}";

    // The first one of each is judged from scratch, and is not in the table.
    course(&gateway, &with_token(get("/orders")), 200);
    course(&gateway, &with_key(get("/orders")), 200);
    let mut wrong = Vec::new();
    for (what, credential) in [
        ("a token", &with_token as &dyn Fn(Request) -> Request),
        ("an API key", &with_key),
    ] {
        for (how, request, expected) in [
            ("GET", get("/orders"), KNOWN),
            ("POST with a length", posted().body(body), KNOWN),
            ("POST in pieces", posted().piece(body).piece(body), KNOWN),
            (
                "POST in pieces with a trailer",
                posted().piece(body).piece(body).trailer("x-sum", "1"),
                KNOWN_WITH_TRAILERS,
            ),
        ] {
            // Twice, so that nothing may depend on how often a credential came.
            for _ in 0..2 {
                let found = course(&gateway, &credential(request.clone()), 200);
                if found != expected.trim_start() {
                    wrong.push(format!("{what}, {how}:\n{found}"));
                }
            }
        }
    }
    for (how, request) in [("GET", get("/orders")), ("POST", posted().body(body))] {
        let found = course(&gateway, &request, 401);
        if found != REFUSED.trim_start() {
            wrong.push(format!("no credential, {how}:\n{found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Sends a request that is answered with this status, and returns the calls that it caused: a line each in their order,
/// those within another indented below it.
fn course(gateway: &Gateway, request: &Request, status: u16) -> String {
    let before = streams(&gateway.log()).len();
    let answer = gateway.send(request);
    assert_eq!(answer.status, status, "{request:?}");
    // Envoy ends a stream after its answer.
    let ended = poll(PATIENCE, || streams(&gateway.log()).into_iter().nth(before));
    ended.unwrap_or_else(|| panic!("no stream ended:\n{}", gateway.log_tail()))
}

/// The calls of each stream that has ended, in the order in which they ended.
///
/// Between a stream's start and its end, everything counts that its worker does with the VM, whatever context it is
/// for, but for the ticks, which come when they are due.
fn streams(log: &str) -> Vec<String> {
    let mut ended = Vec::new();
    let mut workers: BTreeMap<&str, Worker> = BTreeMap::new();
    for line in log.lines() {
        let Some((thread, call)) = traced(line) else {
            continue;
        };
        let worker = workers.entry(thread).or_default();
        if let Some(stream) = worker.follow(call) {
            ended.push(stream);
        }
    }
    ended
}

/// What one thread is doing with its VM.
#[derive(Default)]
struct Worker {
    /// How many calls have begun and not ended.
    depth: usize,
    in_tick: bool,
    stream: Option<String>,
}

/// One line of the log: a call begins or ends, in either direction.
enum Call<'l> {
    Begins { name: &'l str, arguments: &'l str },
    Ends { name: &'l str },
}

impl Worker {
    /// The calls of a stream, where its last one ends here.
    fn follow(&mut self, call: Call<'_>) -> Option<String> {
        match call {
            Call::Begins { name, arguments } => {
                if self.depth == 0 {
                    self.in_tick = name == "proxy_on_tick";
                    // The parent of a root context is 0.
                    if name == "proxy_on_context_create" && !arguments.ends_with(", 0") {
                        assert!(self.stream.is_none(), "two streams at once");
                        self.stream = Some(String::new());
                    }
                }
                if let Some(stream) = self.stream.as_mut().filter(|_| !self.in_tick) {
                    let indent = "  ".repeat(self.depth);
                    stream.push_str(&format!("{indent}{name}\n"));
                }
                self.depth += 1;
                None
            }
            Call::Ends { name } => {
                self.depth -= 1;
                let is_last = self.depth == 0 && name == "proxy_on_delete";
                is_last.then(|| self.stream.take())?
            }
        }
    }
}

/// The thread and the call of a line like
/// `[time][thread][trace][wasm] [file] [host->vm] proxy_on_request_headers(2, 9, 1)` or
/// `… [vm<-host] env.proxy_get_header_map_pairs return: 0`.
fn traced(line: &str) -> Option<(&str, Call<'_>)> {
    let thread = line.split(['[', ']']).nth(3)?;
    let begins = ["[host->vm] ", "[vm->host] "];
    if let Some((_, call)) = begins.iter().find_map(|mark| line.split_once(mark)) {
        let (name, arguments) = call.split_once('(')?;
        let arguments = arguments.strip_suffix(')')?;
        let name = short(name);
        return Some((thread, Call::Begins { name, arguments }));
    }
    let ends = ["[host<-vm] ", "[vm<-host] "];
    let (_, call) = ends.iter().find_map(|mark| line.split_once(mark))?;
    let (name, _) = call.split_once(" return: ")?;
    Some((thread, Call::Ends { name: short(name) }))
}

/// Without the module that a function of the host is imported from.
fn short(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(_, name)| name)
}
