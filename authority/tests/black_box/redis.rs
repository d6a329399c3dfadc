//! A Redis process, started and stopped by a test. `REDIS_SERVER` names the program (default: that of `make test`).

use std::env;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use redis::{Client, Connection, RedisResult};

use crate::server::{Folder, eventually};

/// What keeps each answer on disk.
pub const DURABLE: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];

/// Where scripts/redis.sh unpacks one.
const UNPACKED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../.cache/redis/redis-server");

pub struct Redis {
    child: Child,
    port: u16,
    args: Vec<String>,
    folder: Folder,
}

// === impl Redis ===

impl Redis {
    pub fn start() -> Self {
        Self::with(&DURABLE)
    }

    pub fn with(args: &[&str]) -> Self {
        let folder = Folder::new();
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        // Another process can take the port meanwhile.
        for _ in 0..5 {
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = free.local_addr().unwrap().port();
            drop(free);
            let mut child = spawn(port, &args, &folder);
            if is_up(&mut child, port) {
                return Self {
                    child,
                    port,
                    args,
                    folder,
                };
            }
        }
        panic!("no Redis starts");
    }

    /// For `--cache`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn connect(&self) -> Connection {
        connect(self.port).unwrap()
    }

    /// The names of all keys.
    pub fn keys(&self) -> Vec<String> {
        let keys = ::redis::cmd("KEYS").arg("*").query(&mut self.connect());
        keys.unwrap()
    }

    /// `kill -9`
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it on what it left on disk.
    pub fn restart(&mut self) {
        self.child = spawn(self.port, &self.args, &self.folder);
        assert!(is_up(&mut self.child, self.port));
    }

    /// Stops it in its tracks: connections are accepted, and nothing is answered.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let kill = Command::new("kill").args([signal, &pid]).status();
        assert!(kill.unwrap().success());
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // The test may have ended it already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(port: u16, args: &[String], folder: &Folder) -> Child {
    let program = env::var_os("REDIS_SERVER").unwrap_or_else(|| UNPACKED.into());
    let child = Command::new(&program)
        .args(["--bind", "127.0.0.1", "--save", "", "--port"])
        .arg(port.to_string())
        .arg("--dir")
        .arg(folder.path())
        .args(args)
        .stdout(Stdio::null())
        .spawn();
    child.unwrap_or_else(|error| {
        panic!("{program:?}: {error}: run `make test`, or set REDIS_SERVER to what scripts/redis.sh prints")
    })
}

/// Whether it answers. With a password it answers that it wants one.
fn is_up(child: &mut Child, port: u16) -> bool {
    let mut is_up = None;
    eventually("Redis answers", || {
        let pong: RedisResult<String> =
            connect(port).and_then(|mut connection| ::redis::cmd("PING").query(&mut connection));
        is_up = match pong {
            Ok(_) => Some(true),
            Err(error) if error.code() == Some("NOAUTH") => Some(true),
            Err(_) => child.try_wait().unwrap().map(|_| false),
        };
        is_up.is_some()
    });
    is_up.unwrap()
}

fn connect(port: u16) -> RedisResult<Connection> {
    Client::open(("127.0.0.1", port))?.get_connection()
}
