//! The authority: the real process, killed and started again on the same state.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::harness::client::{Answer, Request, get, request};
use crate::harness::keys::sha256;
use crate::harness::{PATIENCE, poll};
use crate::random::Random;

pub const AUTHORITY: &str = "http://authority";
pub const AUDIENCE: &str = "api-gateway";

/// A client of the authority, who gets tokens.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    pub id: &'static str,
    pub scopes: &'static str,
    pub tenant: Option<&'static str>,
    pub algorithm: &'static str,
    pub is_opaque: bool,
    /// Seconds.
    pub lifetime: u64,
    pub audience: &'static str,
}

const fn client(id: &'static str, algorithm: &'static str, scopes: &'static str) -> Client {
    Client {
        id,
        scopes,
        tenant: Some("acme"),
        algorithm,
        is_opaque: false,
        lifetime: 120,
        audience: AUDIENCE,
    }
}

pub const CLIENTS: [Client; 9] = [
    client("reader", "RS256", "data:read"),
    client("writer", "ES256", "data:read data:write"),
    Client {
        tenant: None,
        ..client("edward", "EdDSA", "data:read")
    },
    Client {
        tenant: Some("other"),
        ..client("victim", "EdDSA", "data:write")
    },
    Client {
        lifetime: 3,
        ..client("shortlived", "ES256", "data:read")
    },
    Client {
        audience: "other-api",
        ..client("stranger", "RS256", "data:read")
    },
    Client {
        is_opaque: true,
        ..client("opaque", "RS256", "data:read")
    },
    Client {
        is_opaque: true,
        tenant: None,
        ..client("clerk", "RS256", "data:write")
    },
    Client {
        is_opaque: true,
        lifetime: 4,
        ..client("fleeting", "RS256", "data:read")
    },
];

/// Who asks for the filter.
pub const GATEWAY: &str = "gateway";

pub struct Authority {
    process: Option<Child>,
    /// Held, so that its stdout stays open.
    stdout: Option<BufReader<ChildStdout>>,
    folder: PathBuf,
    pub port: u16,
    admin: u16,
    secret: String,
}

/// Where cargo puts the binaries beside the tests.
fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("a path");
    let folder = test
        .parent()
        .and_then(Path::parent)
        .expect("target/debug/deps");
    let binary = folder.join("authority");
    assert!(
        binary.is_file(),
        "no authority at {}: run `make authority`",
        binary.display()
    );
    binary
}

/// A port that no outgoing connection takes while the authority is away: below those that Linux gives out
/// (`ip_local_port_range` begins at 32768).
fn port(random: &mut Random) -> u16 {
    let found = poll(PATIENCE, || {
        let port = u16::try_from(random.between(20_000, 32_000)).expect("a port");
        TcpListener::bind(("127.0.0.1", port)).ok().map(|_| port)
    });
    found.expect("a free port")
}

pub fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{id}:{secret}")))
}

impl Authority {
    /// On an empty database in that folder.
    pub fn start(folder: PathBuf, random: &mut Random) -> Self {
        let mut authority = Self {
            process: None,
            stdout: None,
            folder,
            port: port(random),
            admin: port(random),
            secret: random.hex(),
        };
        fs::write(
            authority.folder.join("authority.toml"),
            authority.configuration(),
        )
        .expect("a writable folder");
        authority.revive();
        authority
    }

    fn configuration(&self) -> String {
        let mut text = format!(
            "issuer = \"{AUTHORITY}\"\naudience = \"{AUDIENCE}\"\nkey_grace = \"10m\"\n\
             [status_list]\nttl = \"2s\"\nlifetime = \"60s\"\n"
        );
        let hash = sha256(&self.secret);
        for client in CLIENTS {
            let Client {
                id,
                scopes,
                tenant,
                algorithm,
                is_opaque,
                lifetime,
                audience,
            } = client;
            text += &format!(
                "[[clients]]\nid = \"{id}\"\nsecret_hash = \"{hash}\"\nscopes = \"{scopes}\"\nalgorithm = \"{algorithm}\"\n\
                 token_lifetime = \"{lifetime}s\"\naudiences = [\"{audience}\"]\nsubject = \"subject of {id}\"\n"
            );
            if let Some(tenant) = tenant {
                text += &format!("tenant = \"{tenant}\"\n");
            }
            if is_opaque {
                text += "access_token_format = \"opaque\"\n";
            }
        }
        text + &format!(
            "[[clients]]\nid = \"{GATEWAY}\"\nsecret_hash = \"{hash}\"\nintrospect = true\n"
        )
    }

    /// What every client proves itself by.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// `kill -9`
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("it runs");
            process.wait().expect("it ends");
        }
    }

    /// Starts it on the state that it left; returns once it can be asked.
    pub fn revive(&mut self) {
        let revived = poll(PATIENCE, || self.try_start().then_some(()));
        assert!(
            revived.is_some(),
            "the authority does not start:\n{}",
            self.log()
        );
    }

    fn try_start(&mut self) -> bool {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.join("authority.log"))
            .expect("a writable folder");
        let mut process = Command::new(binary())
            .arg("serve")
            .arg("--config")
            .arg(self.folder.join("authority.toml"))
            .arg("--database")
            .arg(self.folder.join("authority.db"))
            .args(["--listen", &format!("127.0.0.1:{}", self.port)])
            .args(["--admin", &format!("127.0.0.1:{}", self.admin)])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the authority starts");
        let mut stdout = BufReader::new(process.stdout.take().expect("a pipe"));
        // It says where it is once it can be asked.
        let is_up = ["listening http://", "admin http://"].iter().all(|prefix| {
            let mut line = String::new();
            stdout.read_line(&mut line).is_ok() && line.starts_with(prefix)
        });
        if !is_up {
            let _ = process.kill();
            let _ = process.wait();
            return false;
        }
        self.process = Some(process);
        self.stdout = Some(stdout);
        true
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("authority.log")).unwrap_or_default()
    }

    fn send(&self, port: u16, request: &Request, status: u16) -> Answer {
        let request = request.clone().host(format!("127.0.0.1:{port}"));
        let answer = request.send(port).unwrap_or_else(|error| {
            panic!(
                "the authority does not answer: {error}\n{request:?}\n{}",
                self.log()
            )
        });
        assert_eq!(answer.status, status, "{request:?}\n{answer:?}");
        answer
    }

    fn form(&self, path: &str, client: &str, form: &str) -> Answer {
        let request = request("POST", path)
            .header("authorization", basic(client, &self.secret))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form);
        self.send(self.port, &request, 200)
    }

    fn admin(&self, path: &str, body: &Value, status: u16) -> Answer {
        let request = request("POST", path)
            .header("content-type", "application/json")
            .body(body.to_string());
        self.send(self.admin, &request, status)
    }

    pub fn token(&self, client: &str) -> String {
        let answer = self.form("/token", client, "grant_type=client_credentials");
        let json = answer.json().expect("JSON");
        json["access_token"].as_str().expect("a token").to_owned()
    }

    /// RFC 7009.
    pub fn revoke_token(&self, client: &str, token: &str) {
        self.form("/revoke", client, &format!("token={token}"));
    }

    /// An entry of the revocation list.
    pub fn revoke(&self, entry: &Value) {
        self.admin("/revocations", entry, 200);
    }

    pub fn rotate_keys(&self, drop_old: bool) {
        self.admin(
            &format!("/keys/rotate?drop_old={drop_old}"),
            &json!({}),
            200,
        );
    }

    /// The kids that it publishes.
    pub fn kids(&self) -> Vec<String> {
        let answer = self.send(self.port, &get("/jwks.json"), 200);
        let set = answer.json().expect("JSON");
        let kid = |key: &Value| key["kid"].as_str().expect("a kid").to_owned();
        set["keys"]
            .as_array()
            .expect("keys")
            .iter()
            .map(kid)
            .collect()
    }

    /// The id of a new key, and the key.
    pub fn mint(&self, client: &str) -> (String, String) {
        let key = json!({ "client": client, "scopes": ["data:read"], "tenant": "acme" });
        Self::minted(&self.admin("/api-keys", &key, 201))
    }

    /// A key in the place of this one, which works on for so many seconds.
    pub fn rotate_key(&self, id: &str, grace: u64) -> (String, String) {
        let grace = json!({ "grace": format!("{grace}s") });
        Self::minted(&self.admin(&format!("/api-keys/{id}/rotate"), &grace, 201))
    }

    fn minted(answer: &Answer) -> (String, String) {
        let json = answer.json().expect("JSON");
        let text = |name: &str| json[name].as_str().expect("a text").to_owned();
        (text("id"), text("key"))
    }

    pub fn revoke_key(&self, id: &str) {
        self.admin(&format!("/api-keys/{id}/revoke"), &json!({}), 204);
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}
