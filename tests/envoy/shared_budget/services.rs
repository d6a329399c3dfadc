//! The ledger's processes: a Redis that keeps each answer on disk, and an authority on it.
//!
//! `REDIS_SERVER` names the program of Redis (default: that of `make test`).

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::harness::envoy::Envoy;
use crate::harness::keys::sha256;
use crate::harness::{PATIENCE, poll};

/// Who asks for the filter.
const CLIENT: &str = "gateway";

pub struct Redis {
    process: Child,
    folder: PathBuf,
    port: u16,
}

pub struct Authority {
    process: Child,
    /// Held, so that its stdout stays open.
    _stdout: BufReader<ChildStdout>,
    folder: PathBuf,
    port: u16,
}

/// What the filter proves itself by.
pub fn authorization(secret: &str) -> String {
    let pair = BASE64_STANDARD.encode(format!("{CLIENT}:{secret}"));
    format!("Basic {pair}")
}

// === impl Redis ===

impl Redis {
    pub fn start() -> Self {
        let cached = Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/redis/redis-server");
        let program = env::var_os("REDIS_SERVER").map_or(cached, PathBuf::from);
        // Another process can take the port meanwhile.
        for _ in 0..5 {
            let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
            let port = free.local_addr().expect("a bound socket").port();
            drop(free);
            let folder = Envoy::folder();
            let process = Command::new(&program)
                .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
                .args([
                    "--save",
                    "",
                    "--appendonly",
                    "yes",
                    "--appendfsync",
                    "always",
                ])
                .arg("--dir")
                .arg(&folder)
                .stdout(Stdio::null())
                .spawn();
            let process = process.unwrap_or_else(|error| {
                panic!("{program:?}: {error}: run `make test`, or set REDIS_SERVER to what scripts/redis.sh prints")
            });
            let mut redis = Self {
                process,
                folder,
                port,
            };
            let is_up = poll(PATIENCE, || match redis.process.try_wait() {
                Ok(None) => redis.answers().then_some(true),
                _ended => Some(false),
            });
            if is_up.expect("Redis answers") {
                return redis;
            }
        }
        panic!("no Redis starts");
    }

    fn answers(&self) -> bool {
        let ping = || {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.write_all(b"PING\r\n")?;
            let mut answer = [0; 7];
            stream.read_exact(&mut answer).map(|()| answer)
        };
        ping().is_ok_and(|answer| &answer == b"+PONG\r\n")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        end(&mut self.process, &self.folder);
    }
}

// === impl Authority ===

impl Authority {
    /// Whose ledger is in that Redis; the filter has that secret.
    pub fn start(redis: &Redis, secret: &str) -> Self {
        let folder = Envoy::folder();
        let configuration = format!(
            "issuer = \"http://authority\"\naudience = \"api-gateway\"\n\
             [[clients]]\nid = \"{CLIENT}\"\nsecret_hash = \"{}\"\nintrospect = true\n",
            sha256(secret)
        );
        let file = folder.join("authority.toml");
        fs::write(&file, configuration).expect("a writable folder");
        let log = fs::File::create(folder.join("log")).expect("a writable folder");
        let mut process = Command::new(binary())
            .args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
            .arg("--config")
            .arg(&file)
            .args(["--cache", &format!("redis://127.0.0.1:{}", redis.port)])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the authority starts");
        // It says where it is once it can be asked.
        let mut stdout = BufReader::new(process.stdout.take().expect("a pipe"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("a pipe");
        let address = line.trim_end().strip_prefix("listening http://127.0.0.1:");
        let port = address.and_then(|port| port.parse().ok());
        let mut authority = Self {
            process,
            _stdout: stdout,
            folder,
            port: 0,
        };
        authority.port = port.unwrap_or_else(|| panic!("{line:?}\n{}", authority.log()));
        authority
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// `kill -9`
    pub fn kill(&mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it ends");
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        end(&mut self.process, &self.folder);
    }
}

/// Where cargo puts the binaries beside the tests.
fn binary() -> PathBuf {
    let test = env::current_exe().expect("a path");
    let folder = test.parent().and_then(Path::parent);
    let binary = folder.expect("target/debug/deps").join("authority");
    assert!(
        binary.is_file(),
        "no authority at {}: run `make authority`",
        binary.display()
    );
    binary
}

/// The test may have ended it already.
fn end(process: &mut Child, folder: &Path) {
    let _ = process.kill();
    let _ = process.wait();
    let _ = fs::remove_dir_all(folder);
}
