//! An introspection endpoint (RFC 7662) to which every token is a good one.

use std::net::TcpListener;
use std::thread;

use serde_json::json;

use crate::Result;
use crate::clock;
use crate::http::Connection;
use crate::issuer::SCOPES;

/// Serves until the process ends; the port it serves on.
pub fn start() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let expires = clock::unix_seconds() + 4 * 3600;
    let body = json!({
        "active": true,
        "iss": "https://idp.example.com/",
        "sub": "f3a1c6de-75d4-4c3b-9d5e-0b8a1f2c7e44",
        "aud": "https://api.example.com",
        "exp": expires,
        "jti": "known",
        "client_id": "orders-web",
        "scope": SCOPES,
        "tenant": "acme",
        "token_type": "Bearer",
    })
    .to_string();
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    thread::spawn(move || {
        for stream in listener.incoming().map_while(std::io::Result::ok) {
            let answer = answer.clone();
            thread::spawn(move || {
                let mut connection = Connection::over(stream);
                while connection.receive_request().is_some() {
                    if connection.send(answer.as_bytes()).is_err() {
                        break;
                    }
                }
            });
        }
    });
    Ok(port)
}
