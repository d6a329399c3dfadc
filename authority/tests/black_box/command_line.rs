use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::http::Request;
use crate::server::{
    AUTHORITY, Folder, OPAQUE, PATIENCE, READER, Server, TOUR, eventually, tour_where,
};

pub fn run(args: &[&str], stdin: &str) -> Output {
    let mut child = Command::new(AUTHORITY)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(stdin.as_bytes())
        .unwrap();
    // If a server starts that should refuse to, it does not end by itself.
    let begin = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begin.elapsed() > PATIENCE {
            child.kill().unwrap();
        }
        thread::sleep(Duration::from_millis(10));
    }
    child.wait_with_output().unwrap()
}

#[track_caller]
fn refuses(args: &[&str], expected: &str) {
    let output = run(args, "");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success(), "{args:?}");
    assert!(stderr.contains(expected), "{args:?}: {stderr}");
}

#[test]
fn secrets_are_hashed_for_the_configuration() {
    let tour = std::fs::read_to_string(TOUR).unwrap();
    for input in [
        READER.1.to_owned(),
        format!("{}\n", READER.1),
        format!("{}\r\n", READER.1),
    ] {
        let output = run(&["hash-secret"], &input);
        assert!(output.status.success());
        let hash = String::from_utf8(output.stdout).unwrap();
        assert!(
            tour.contains(&format!("secret_hash = \"{}\"", hash.trim_end())),
            "{hash}"
        );
    }
    assert!(!run(&["hash-secret"], "\n").status.success());
}

/// The hash is that of `sha256sum </dev/null`: a client without a secret would be authenticated.
#[test]
fn the_hash_of_nothing_is_no_secret_hash() {
    const NOTHING: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let folder = Folder::new();
    let config = folder.file("authority.toml");
    let args = ["serve", "--config", config.to_str().unwrap()];
    for hash in [
        NOTHING.to_owned(),
        NOTHING.to_uppercase().replace("SHA", "sha"),
    ] {
        let tour = tour_where(&format!("secret_hash = \"{hash}\""));
        folder.write("authority.toml", &tour);
        for path in ["clients[0].secret_hash: ", "clients[6].secret_hash: "] {
            refuses(&args, path);
        }
    }
}

#[test]
fn claims_are_made_up_only_where_faults_are_on() {
    let folder = Folder::new();
    let config = folder.write("authority.toml", &tour_where("acr = \"phr\""));
    let args = ["serve", "--config", config.to_str().unwrap()];
    refuses(&args, "clients[0].acr: tokens would say");
    Server::with(&config, &["--faults"]);
}

#[test]
fn an_admin_port_for_others_is_refused() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let args = [
            "serve",
            "--config",
            TOUR,
            "--listen",
            "127.0.0.1:0",
            "--admin",
            address,
        ];
        refuses(&args, "admin: expected a loopback address");
    }
}

#[test]
fn health_is_told_by_the_exit_status() {
    let server = Server::with_faults();
    let url = |path: &str| format!("http://{}{path}", server.public);
    assert!(run(&["health", &url("/health")], "").status.success());
    for (url, expected) in [
        (url("/nothing"), "404"),
        (url(""), "404"),
        (url("/health").replace("http", "https"), "expected a URL"),
        ("http://127.0.0.1:1/health".to_owned(), "no answer"),
        ("127.0.0.1".to_owned(), "expected a URL"),
    ] {
        refuses(&["health", &url], expected);
    }
    server
        .admin("PUT", "/faults", r#"{"path":"/health","status":503}"#)
        .expect(204);
    refuses(&["health", &url("/health")], "503");
}

#[test]
fn a_wrong_command_line_is_explained() {
    for (args, expected) in [
        (&[][..], "a command is missing"),
        (&["sing"], "unknown argument \"sing\""),
        (&["serve"], "--config FILE is missing"),
        (&["serve", "--config"], "--config needs a value"),
        (
            &["serve", "--config", TOUR, "--listen", "here"],
            "--listen: found \"here\"",
        ),
        (
            &["serve", "--config", TOUR, "--admin", ":9001"],
            "--admin: found \":9001\"",
        ),
        (
            &["serve", "--config", TOUR, "--verbose"],
            "unknown argument \"--verbose\"",
        ),
        (
            &["serve", "--config", TOUR, "--issuer", "idp"],
            "issuer: expected an http(s) URL",
        ),
        (
            &["serve", "--config", "/nowhere.toml"],
            "/nowhere.toml: No such file",
        ),
        (&["health"], "a URL is missing"),
        (&["hash-secret", "s3cret"], "unknown argument"),
    ] {
        refuses(args, expected);
    }
    assert!(run(&["--help"], "").status.success());
}

#[test]
fn a_server_that_is_told_to_end_ends_well() {
    let (status, stderr) = Server::start().terminate();
    assert_eq!(status.code(), Some(0));
    assert!(stderr.contains("no database"), "{stderr}");
}

#[test]
fn requests_in_flight_are_answered_before_the_end() {
    let server = Server::start();
    let request = Request::new("POST", "/token").basic(READER.0, READER.1);
    let request = request.form("grant_type=client_credentials");
    let answer = request.try_send_around(&server.public, || {
        server.ask_to_end();
        eventually("it takes no more connections", || {
            TcpStream::connect(&server.public).is_err()
        });
    });
    answer.unwrap().expect(200);
    let (status, _) = server.terminate();
    assert!(status.success());
}

#[test]
fn a_database_belongs_to_one_process_and_one_user() {
    let folder = Folder::new();
    let database = folder.file("authority.db");
    let first = Server::on_database(&database);
    first.token(OPAQUE);
    for entry in std::fs::read_dir(database.parent().unwrap()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", entry.path());
    }
    let path = database.to_str().unwrap();
    let second = [
        "serve",
        "--config",
        TOUR,
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
    ];
    refuses(
        &[&second[..], &["--database", path]].concat(),
        "in use by another process",
    );
    first.kill();
    Server::on_database(&database);
}

#[test]
fn what_is_secret_is_never_logged() {
    let server = Server::start();
    let token = server.token(OPAQUE);
    let jwt = server.token(READER);
    server.introspect(&token);
    server.revoke(READER, &jwt).expect(200);
    server.revoke(READER, &token).expect(400);
    let form = "grant_type=client_credentials&client_id=reader&client_secret=wr0ng-s3cret";
    server
        .send(Request::new("POST", "/token").form(form))
        .expect(401);
    let key = server
        .admin("POST", "/api-keys", r#"{"client":"a"}"#)
        .expect(201)
        .json();
    let (_, stderr) = server.terminate();
    let key = key["key"].as_str().unwrap();
    for secret in [&token, &jwt, "wr0ng-s3cret", OPAQUE.1, READER.1, key] {
        assert!(!stderr.contains(secret), "{stderr}");
    }
}
