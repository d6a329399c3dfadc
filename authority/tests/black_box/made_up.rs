//! Claims that nobody established, which `--faults` allows.

use serde_json::{Value, json};

use crate::server::{Folder, OPAQUE, READER, Server, WRITER, now, tour_where};

const MADE_UP: &str = r#"acr = "phr"
auth_age = "2h"
authorization_details = [
    {type = "tool_call", identifier = "delete_user", locations = ["https://mcp.example.com/mcp"], once = true},
    {type = "payment", amount = {value = 12.5, currency = "EUR"}, parts = 3},
]"#;

fn server() -> Server {
    let folder = Folder::new();
    let config = folder.write("authority.toml", &tour_where(MADE_UP));
    Server::with(config, &["--faults"])
}

#[track_caller]
fn has_them(claims: &Value) {
    assert_eq!(claims["acr"], "phr");
    let auth_time = claims["auth_time"].as_i64().unwrap();
    assert_eq!(claims["iat"].as_i64().unwrap() - auth_time, 2 * 60 * 60);
    assert!((0..60).contains(&(now() - 2 * 60 * 60 - auth_time)));
    let expected = json!([
        {
            "type": "tool_call",
            "identifier": "delete_user",
            "locations": ["https://mcp.example.com/mcp"],
            "once": true,
        },
        {"type": "payment", "amount": {"value": 12.5, "currency": "EUR"}, "parts": 3},
    ]);
    assert_eq!(claims["authorization_details"], expected);
}

#[test]
fn a_token_says_what_is_made_up() {
    let server = server();
    for client in [READER, WRITER] {
        let token = server.token(client);
        has_them(&server.verify(&token).unwrap().1);
        has_them(&server.introspect(&token));
    }
    has_them(&server.introspect(&server.token(OPAQUE)));
}

#[test]
fn a_token_of_any_other_client_says_nothing_of_it() {
    let server = Server::with_faults();
    for client in [READER, OPAQUE] {
        let described = server.introspect(&server.token(client));
        for name in ["acr", "auth_time", "authorization_details", "act", "cnf"] {
            assert_eq!(described.get(name), None, "{name}");
        }
    }
}
