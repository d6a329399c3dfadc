//! The binary, as a container runs it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use portcullis_testing::client::get;

const BINARY: &str = env!("CARGO_BIN_EXE_model-upstream");

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn is_healthy(port: u16) -> bool {
    let probe = Command::new(BINARY)
        .args(["health", &port.to_string()])
        .stderr(Stdio::null())
        .status();
    probe.expect("it runs").success()
}

#[test]
fn it_says_where_it_listens_and_ends_when_asked() {
    let child = Command::new(BINARY)
        .args(["--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .spawn();
    let mut running = Running(child.expect("it runs"));
    let mut line = String::new();
    let output = running.0.stdout.take().expect("piped");
    BufReader::new(output).read_line(&mut line).expect("a line");
    let port = line.trim().strip_prefix("listening http://127.0.0.1:");
    let port: u16 = port.and_then(|port| port.parse().ok()).expect("a port");
    assert_eq!(get("/requests").send(port).expect("an answer").status, 200);
    assert!(is_healthy(port));
    let asked = Command::new("kill")
        .arg(running.0.id().to_string())
        .status();
    assert!(asked.expect("kill runs").success());
    let ended = running.0.wait().expect("it ends");
    assert!(ended.success(), "{ended}");
    assert!(!is_healthy(port));
}

#[test]
fn a_word_that_it_does_not_know_is_an_error() {
    for words in [
        ["--liste", "127.0.0.1:0"],
        ["--listen", "nowhere"],
        ["health", "x"],
    ] {
        let status = Command::new(BINARY)
            .args(words)
            .stderr(Stdio::null())
            .status();
        assert!(!status.expect("it runs").success(), "{words:?}");
    }
}
