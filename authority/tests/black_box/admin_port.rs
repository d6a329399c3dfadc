//! Only programs may use the admin port, not the web pages in a browser on the same machine.

use crate::http::{Request, Response};
use crate::server::{Folder, Server, TOUR, now};

const MINT: &str = r#"{"client":"a"}"#;

/// A request for each endpoint of the port. Without the guard each would succeed.
fn requests() -> Vec<(&'static str, &'static str, String)> {
    let revocation = format!(r#"{{"client_id":"reader","before":{}}}"#, now());
    vec![
        ("GET", "/api-keys", String::new()),
        ("POST", "/api-keys", MINT.to_owned()),
        ("GET", "/health", String::new()),
        ("POST", "/keys/rotate", String::new()),
        ("POST", "/revocations", revocation),
        ("PUT", "/faults", r#"{"path":"/x","status":500}"#.to_owned()),
        ("PUT", "/faults/key-swap", String::new()),
        ("DELETE", "/faults", String::new()),
        // Unknown paths too: a page must not learn which paths exist.
        ("GET", "/nothing", String::new()),
    ]
}

#[track_caller]
fn refused(answer: &Response, status: u16, error: &str, why: &str) {
    assert_eq!(answer.status, status, "{why}: {}", answer.body);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.json()["error"], error, "{why}");
    assert!(answer.json()["error_description"].is_string(), "{why}");
}

/// The state that a page might have changed.
fn state(server: &Server) -> (String, String, String) {
    let body = |answer: Response| answer.expect(200).body;
    (
        body(server.poll("/api-keys")),
        body(server.poll("/revocations")),
        body(server.get("/jwks.json")),
    )
}

#[test]
fn a_page_whose_name_was_rebound_is_refused_everything() {
    let server = Server::with_faults();
    let before = state(&server);
    for (method, path, body) in requests() {
        for host in [
            "evil.example",
            "evil.example:9001",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "localhost@evil.example",
            "authority",
            "0.0.0.0:9001",
            "10.0.0.1",
            "",
        ] {
            let request = Request::new(method, path).hosts(&[host]).json(&body);
            let why = format!("{method} {path} of {host:?}");
            refused(&server.send_admin(request), 403, "access_denied", &why);
        }
        for hosts in [&[][..], &["localhost", "evil.example"]] {
            let request = Request::new(method, path).hosts(hosts).json(&body);
            let why = format!("{method} {path} of {hosts:?}");
            refused(&server.send_admin(request), 400, "invalid_request", &why);
        }
    }
    // RFC 9112 §3.2.2: a target in absolute form overrides the Host header.
    let absolute = Request::new("GET", "http://evil.example/api-keys");
    refused(
        &server.send_admin(absolute),
        403,
        "access_denied",
        "absolute",
    );
    assert_eq!(state(&server), before);
}

#[test]
fn whoever_asks_for_loopback_is_answered() {
    let server = Server::start();
    let own = server.admin.clone();
    for host in [
        own.as_str(),
        "localhost",
        "LOCALHOST:9001",
        "127.0.0.1",
        "127.0.0.2:80",
        "[::1]:9001",
    ] {
        let request = Request::new("GET", "/api-keys").hosts(&[host]);
        server.send_admin(request).expect(200);
    }
    let absolute = format!("http://{own}/api-keys");
    server
        .send_admin(Request::new("GET", &absolute))
        .expect(200);
}

#[test]
fn other_names_are_configured() {
    let folder = Folder::new();
    let tour = std::fs::read_to_string(TOUR).unwrap();
    let names = "admin_hosts = [\"idp-admin.corp.example\", \"10.0.0.1\"]";
    let config = folder.write("authority.toml", &format!("{names}\n{tour}"));
    let server = Server::with(config, &[]);
    let ask = |host| server.send_admin(Request::new("GET", "/health").hosts(&[host]));
    for host in [
        "idp-admin.corp.example",
        "IDP-Admin.corp.example:443",
        "10.0.0.1:9001",
    ] {
        ask(host).expect(200);
    }
    for host in ["corp.example", "x.idp-admin.corp.example", "10.0.0.2"] {
        ask(host).expect(403);
    }
}

/// Browsers add `Origin` to every request that could change something, and no script can remove it.
#[test]
fn a_request_of_a_page_is_refused() {
    let server = Server::with_faults();
    let before = state(&server);
    for (method, path, body) in requests() {
        for origin in ["https://evil.example", "http://localhost:9001", "null", ""] {
            let request = Request::new(method, path).json(&body);
            let why = format!("{method} {path} from {origin:?}");
            let answer = server.send_admin(request.header("origin", origin));
            refused(&answer, 403, "access_denied", &why);
            assert_eq!(answer.header("access-control-allow-origin"), None);
        }
    }
    assert_eq!(state(&server), before);
}

/// The types that a form, or a script without a preflight, can send (Fetch, CORS-safelisted request-header).
#[test]
fn a_body_that_does_not_say_that_it_is_json_is_not_read() {
    let server = Server::with_faults();
    let before = state(&server);
    for (method, path, body) in requests().into_iter().filter(|(.., body)| !body.is_empty()) {
        for content_type in [
            None,
            Some("text/plain"),
            Some("text/plain; charset=application/json"),
            Some("application/x-www-form-urlencoded"),
            Some("multipart/form-data; boundary=x"),
            Some("application/jsonp"),
            Some("text/plain, application/json"),
            Some(""),
        ] {
            let request = Request::new(method, path).body(&body);
            let request = match content_type {
                Some(content_type) => request.header("content-type", content_type),
                None => request,
            };
            let why = format!("{method} {path} as {content_type:?}");
            refused(&server.send_admin(request), 415, "invalid_request", &why);
        }
        let twice = Request::new(method, path).json(&body);
        let twice = twice.header("content-type", "text/plain");
        refused(&server.send_admin(twice), 415, "invalid_request", "twice");
    }
    let grace = Request::new("POST", "/api-keys/x/rotate").body(r#"{"grace":"0s"}"#);
    refused(&server.send_admin(grace), 415, "invalid_request", "rotate");
    assert_eq!(state(&server), before);

    for content_type in ["application/json", "Application/JSON; charset=utf-8"] {
        let mint = Request::new("POST", "/api-keys").header("content-type", content_type);
        server.send_admin(mint.body(MINT)).expect(201);
    }
}
