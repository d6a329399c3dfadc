//! The limits on what one client can use: time, connections and memory.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use crate::http::Request;
use crate::server::{Folder, READER, Server, TOUR};

/// Longer than every limit.
const PATIENCE: Duration = Duration::from_secs(60);

const BYTE_EVERY: Duration = Duration::from_millis(100);

fn impatient() -> Server {
    let folder = Folder::new();
    let tour = std::fs::read_to_string(TOUR).unwrap();
    let config = folder.write("authority.toml", &format!("read_timeout = \"1s\"\n{tour}"));
    Server::with(config, &["--faults"])
}

/// Sends `begin`, then the bytes of `rest` slowly, over and over. Returns what the server sent until it hung up, and how long that
/// took.
fn dribble(address: &str, begin: &str, rest: &[u8]) -> (String, Duration) {
    let start = Instant::now();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(BYTE_EVERY)).unwrap();
    stream.write_all(begin.as_bytes()).unwrap();
    let (mut answer, mut chunk) = (Vec::new(), [0; 1024]);
    for byte in rest.iter().cycle() {
        assert!(start.elapsed() < PATIENCE, "{address} waits on: {begin:?}");
        // The server may have hung up already; the next read shows it.
        let _ = stream.write_all(&[*byte]);
        match stream.read(&mut chunk) {
            Ok(0) => break,
            Ok(size) => answer.extend_from_slice(&chunk[..size]),
            Err(error) if is_timeout(&error) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => panic!("{error}"),
        }
    }
    (String::from_utf8(answer).unwrap(), start.elapsed())
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

#[test]
fn whoever_sends_the_head_slowly_is_cut_off() {
    let server = impatient();
    thread::scope(|scope| {
        for address in [&server.public, &server.admin] {
            for begin in [
                "",
                "G",
                "GET /health HTTP/1.1\r\nhost: localhost\r\nx-slow: ",
            ] {
                scope.spawn(move || {
                    let (answer, after) = dribble(address, begin, b"a");
                    assert_eq!(answer, "", "{begin:?}");
                    assert!(after >= Duration::from_secs(1), "{begin:?}: {after:?}");
                });
            }
            // Each line comes quickly, but the head never ends.
            scope.spawn(move || dribble(address, "GET /health HTTP/1.1\r\n", b"a:b\r\n"));
        }
    });
    server.get("/health").expect(200);
    server.admin("GET", "/health", "").expect(200);
}

#[test]
fn there_is_a_limit_where_none_is_configured() {
    let server = Server::start();
    thread::scope(|scope| {
        for address in [&server.public, &server.admin] {
            scope.spawn(move || {
                let (answer, after) = dribble(address, "GET /health HTTP/1.1\r\nx-slow: ", b"a");
                assert_eq!(answer, "");
                assert!(after >= Duration::from_secs(10), "{after:?}");
            });
        }
    });
}

#[test]
fn whoever_sends_nothing_is_cut_off() {
    let server = impatient();
    for address in [&server.public, &server.admin] {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(stream.read(&mut [0; 16]).unwrap(), 0);
    }
}

#[test]
fn whoever_sends_the_body_slowly_is_cut_off() {
    const JSON: &str = "content-type: application/json\r\n";
    let server = impatient();
    let (public, admin) = (&server.public, &server.admin);
    thread::scope(|scope| {
        for (address, target, headers) in [
            (public, "POST /token", ""),
            (public, "POST /introspect", ""),
            (public, "POST /revoke", ""),
            (admin, "POST /api-keys", JSON),
            (admin, "POST /revocations", JSON),
            (admin, "PUT /faults", JSON),
        ] {
            scope.spawn(move || {
                let head = format!("{target} HTTP/1.1\r\nhost: localhost\r\n{headers}");
                let head = format!("{head}content-length: 50000\r\n\r\n");
                let (answer, after) = dribble(address, &head, b" ");
                assert!(answer.starts_with("HTTP/1.1 408 "), "{target}: {answer}");
                assert!(answer.contains("\"error\":\"invalid_request\""), "{answer}");
                assert!(after >= Duration::from_secs(1), "{target}: {after:?}");
            });
        }
    });
}

#[test]
fn a_slow_client_within_the_limit_is_answered() {
    let server = Server::start();
    let request = Request::new("POST", "/token").basic(READER.0, READER.1);
    let request = request.form("grant_type=client_credentials");
    let pause = || thread::sleep(Duration::from_millis(1500));
    request
        .try_send_around(&server.public, pause)
        .unwrap()
        .expect(200);
}

#[test]
fn a_head_has_a_limit_in_bytes_and_in_headers() {
    let server = Server::start();
    let sized = |size: usize| Request::new("GET", "/health").header("x-long", &"a".repeat(size));
    let many = |count: usize| {
        (0..count).fold(Request::new("GET", "/health"), |request, n| {
            request.header(&format!("x-{n}"), "a")
        })
    };
    for (request, is_refused) in [
        (sized(15 * 1024), false),
        (sized(16 * 1024), true),
        (sized(64 * 1024), true),
        (many(60), false),
        (many(64), true),
        (many(90), true),
    ] {
        for address in [&server.public, &server.admin] {
            // The answer can be lost if the server hangs up while the request is still being sent.
            let answer = request.clone().try_send(address);
            let status = answer.map_or(431, |answer| answer.status);
            assert_eq!(status, if is_refused { 431 } else { 200 });
        }
    }
}

#[test]
fn a_body_has_a_limit() {
    let server = Server::start();
    let form = format!("grant_type=client_credentials&x={}", "a".repeat(64 * 1024));
    let answer = server
        .send(Request::new("POST", "/token").form(form))
        .expect(413);
    assert_eq!(answer.json()["error"], "invalid_request");
}
