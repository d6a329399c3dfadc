//! Services that an Envoy calls, and the introspection endpoint (RFC 7662) to which nearly every token is a good one.

use std::net::TcpListener;
use std::thread;

use serde_json::{Value, json};

use crate::Result;
use crate::clock;
use crate::http::Connection;
use crate::issuer::SCOPES;

/// A token that is not active.
pub const INACTIVE: &str = "inactive";

/// A token with another scope than the requests ask for.
pub const OTHER_SCOPE: &str = "other-scope";

/// Serves until the process ends; the port it serves on.
pub fn start() -> Result<u16> {
    let mut other = active_token();
    if let Some(scope) = other.get_mut("scope") {
        *scope = "other".into();
    }
    let [active, inactive, other] =
        [active_token(), json!({ "active": false }), other].map(|body| json_answer(&body));
    serve(move |_head, body| {
        let form = String::from_utf8_lossy(body);
        let token = form.split('&').find_map(|pair| pair.strip_prefix("token="));
        Some(match token {
            Some(INACTIVE) => inactive.clone(),
            Some(OTHER_SCOPE) => other.clone(),
            _ => active.clone(),
        })
    })
}

/// Serves until the process ends, a thread for each connection. `answer` gets a request's head, in lower case, and its
/// body; where it yields nothing the request is never answered.
pub fn serve<F>(answer: F) -> Result<u16>
where
    F: Fn(&str, &[u8]) -> Option<Vec<u8>> + Clone + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(std::io::Result::ok) {
            let answer = answer.clone();
            thread::spawn(move || {
                let mut connection = Connection::over(stream);
                while let Some((head, body)) = connection.receive_request() {
                    let Some(answer) = answer(&head, &body) else {
                        continue;
                    };
                    if connection.send(&answer).is_err() {
                        break;
                    }
                }
            });
        }
    });
    Ok(port)
}

/// What an introspection endpoint says of a good token.
pub fn active_token() -> Value {
    json!({
        "active": true,
        "iss": "https://idp.example.com/",
        "sub": "f3a1c6de-75d4-4c3b-9d5e-0b8a1f2c7e44",
        "aud": "https://api.example.com",
        "exp": clock::unix_seconds() + 4 * 3600,
        "jti": "known",
        "client_id": "orders-web",
        "scope": SCOPES,
        "tenant": "acme",
        "token_type": "Bearer",
    })
}

/// The bytes of a 200 with this body.
pub fn json_answer(body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}
