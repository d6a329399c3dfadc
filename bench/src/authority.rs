//! Services that an Envoy calls, and the introspection endpoint (RFC 7662) to which nearly every token is a good one.

use std::future::pending;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};

use crate::Result;
use crate::clock;
use crate::issuer::SCOPES;

/// A token that is not active.
pub const INACTIVE: &str = "inactive";

/// A token with another scope than the requests ask for.
pub const OTHER_SCOPE: &str = "other-scope";

/// The most that is read of a form with a token.
const FORM_BYTES: usize = 64 * 1024;

/// What a service does with a request. The bytes are JSON, and answered with a 200.
pub enum Reply {
    /// Answers at once.
    Now(Bytes),
    /// Answers after a delay.
    After(Duration, Bytes),
    /// Does not answer.
    Never,
}

/// Starts the introspection endpoint, which serves until the process ends. Returns its port.
pub fn start() -> Result<u16> {
    let mut other = active_token();
    if let Some(scope) = other.get_mut("scope") {
        *scope = "other".into();
    }
    let [active, inactive, other] = [active_token(), json!({ "active": false }), other]
        .map(|body| Bytes::from(body.to_string()));
    serve(move |_path, body| {
        let token = form_urlencoded::parse(body).find(|(name, _)| name == "token");
        let answer = match token.as_ref().map(|(_, token)| token.as_ref()) {
            Some(INACTIVE) => &inactive,
            Some(OTHER_SCOPE) => &other,
            _ => &active,
        };
        Reply::Now(answer.clone())
    })
}

/// Serves on one thread until the process ends, and returns the port. `reply` gets a request's path and its body.
pub fn serve<F>(reply: F) -> Result<u16>
where
    F: Fn(&str, &[u8]) -> Reply + Send + Sync + 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let port = listener.local_addr()?.port();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let reply = Arc::new(reply);
    thread::spawn(move || {
        let served: Result<()> = runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            loop {
                let (stream, _) = listener.accept().await?;
                let reply = Arc::clone(&reply);
                let service = service_fn(move |request| answer(Arc::clone(&reply), request));
                let connection =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                // Envoy may end a connection at any time, so that it ends is no error.
                tokio::spawn(async { drop(connection.await) });
            }
        });
        if let Err(error) = served {
            eprintln!("bench: a service ended: {error}");
        }
    });
    Ok(port)
}

async fn answer<F>(
    reply: Arc<F>,
    request: Request<Incoming>,
) -> std::result::Result<Response<Full<Bytes>>, crate::Error>
where
    F: Fn(&str, &[u8]) -> Reply,
{
    let (head, body) = request.into_parts();
    let body = Limited::new(body, FORM_BYTES).collect().await?.to_bytes();
    let json = match reply(head.uri.path(), &body) {
        Reply::Now(json) => json,
        Reply::After(time, json) => {
            tokio::time::sleep(time).await;
            json
        }
        Reply::Never => pending().await,
    };
    let mut response = Response::new(Full::new(json));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    Ok(response)
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
