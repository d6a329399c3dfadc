//! The stage of `docs/mcp.md`: its MCP server, its authority, and Envoy with its policy between them and a client. On free
//! ports: what the page calls 10000, 9000 and 8000 is replaced on the way in, and on the way out.

use std::env;
use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use serde_json::{Value, json};

use crate::harness::client::{Request, get, request};
use crate::harness::gateway::{Gateway, Setup};
use crate::harness::keys::{Key, amended, jwks};
use crate::harness::policy::{ISSUER, only, provider};
use crate::harness::{PATIENCE, poll, python_packages};

pub struct Helpdesk {
    pub gateway: Gateway,
    authority: Process,
    server: Process,
    /// Signs tokens for the same rule: with claims that the authority does not give.
    key: Key,
    folder: PathBuf,
}

/// A process that ends with its owner.
struct Process {
    child: Child,
    port: u16,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the project.
pub fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A binary of the workspace, which cargo puts beside the tests.
fn binary(name: &str) -> PathBuf {
    let test = env::current_exe().expect("a path");
    let folder = test.parent().and_then(Path::parent);
    let binary = folder.expect("target/debug/deps").join(name);
    let at = binary.display();
    assert!(binary.is_file(), "no {name} at {at}: run `make {name}`");
    binary
}

/// A free port, below those that Linux gives to connections (`ip_local_port_range` begins at 32768): its owner binds it
/// later.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let begin = u16::try_from(std::process::id() % 5_000).expect("below 5000");
    let found = poll(PATIENCE, || {
        let port = 20_000 + begin + NEXT.fetch_add(1, Ordering::Relaxed) % 5_000;
        TcpListener::bind(("127.0.0.1", port)).ok().map(|_| port)
    });
    found.expect("a free port")
}

impl Helpdesk {
    /// The same for all tests that run at a time.
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Helpdesk>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let open = Arc::new(Self::open("5m"));
            *shared = Arc::downgrade(&open);
            open
        })
    }

    /// The authority's tokens are valid for so long.
    pub fn open(token_lifetime: &str) -> Self {
        Self::begin(token_lifetime, false)
    }

    /// With the module that reads bodies: it verifies them, and filters lists.
    pub fn reading_bodies() -> Self {
        Self::begin("5m", true)
    }

    fn begin(token_lifetime: &str, reads_bodies: bool) -> Self {
        let key = Key::new("ES256", "approver");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!(
            "mcp-{}-{}",
            std::process::id(),
            free_port()
        ));
        fs::create_dir_all(&folder).expect("a writable folder");
        let server_port = free_port();
        let mut server = Command::new("python3");
        server
            .env("PYTHONPATH", python_packages("MCP_PACKAGES", "mcp"))
            .args(["docs/mcp/server.py", &server_port.to_string()]);
        let server = Process::start(server_port, server, &folder, "server");

        // The policy names Envoy's port, which is known only when Envoy runs. So the first policy is another one.
        let authority_port = free_port();
        let setup = Setup::of(only(provider([&key])));
        let setup = match reads_bodies {
            true => setup.with_bodies(),
            false => setup,
        };
        let gateway = setup
            .over_lds()
            .cluster("mcp", server.port)
            .cluster("authority", authority_port)
            .virtual_hosts(json!([{ "name": "mcp", "domains": ["*"], "routes": [
                { "match": { "prefix": "/" }, "route": { "cluster": "mcp", "timeout": "15s" } },
            ] }]))
            .start();
        let ports = |text: &str| {
            text.replace("localhost:10000", &format!("localhost:{}", gateway.port()))
                .replace("localhost:9000", &format!("localhost:{authority_port}"))
        };
        let configuration = ports(&read("docs/mcp/authority.toml"));
        fs::write(
            folder.join("authority.toml"),
            format!("{configuration}\ntoken_lifetime = \"{token_lifetime}\"\n"),
        )
        .expect("a writable folder");
        let mut authority = Command::new(binary("authority"));
        authority
            .args(["serve", "--admin", "127.0.0.1:0", "--config"])
            .arg(folder.join("authority.toml"))
            .args(["--listen", &format!("127.0.0.1:{authority_port}")]);
        let authority = Process::start(authority_port, authority, &folder, "authority");

        let policy = ports(&read("docs/mcp/policy.yaml"));
        let mut policy: Value = serde_saphyr::from_str(&policy).expect("YAML");
        let authority_provider = &policy["providers"]["authority"];
        let (issuer, audiences) = (
            authority_provider["issuer"].clone(),
            authority_provider["audiences"].clone(),
        );
        policy["providers"]["approver"] =
            json!({ "issuer": ISSUER, "audiences": audiences, "jwks": { "inline": jwks([&key]) } });
        if reads_bodies {
            policy["rules"][0]["mcp"]["body"] = json!("verify");
            policy["rules"][0]["mcp"]["list"] = json!("filter");
        }
        // Clients are to ask the page's authority.
        policy["resources"][0]["authorization_servers"] = json!([issuer]);
        assert!(gateway.update(policy), "{}", gateway.log_tail());
        let helpdesk = Self {
            gateway,
            authority,
            server,
            key,
            folder,
        };
        helpdesk.await_policy();
        helpdesk
    }

    /// Old listeners go on for a moment.
    fn await_policy(&self) {
        let metadata = get("/.well-known/oauth-protected-resource/mcp").host(self.host());
        self.gateway.await_status(&metadata, 200);
    }

    pub fn host(&self) -> String {
        format!("localhost:{}", self.gateway.port())
    }

    pub fn url(&self) -> String {
        format!("http://{}/mcp", self.host())
    }

    /// What the page calls the addresses, and what they are.
    fn addresses(&self) -> [(&'static str, String); 3] {
        let local = |port: u16| format!("localhost:{port}");
        [
            ("localhost:10000", local(self.gateway.port())),
            ("localhost:9000", local(self.authority.port)),
            ("localhost:8000", local(self.server.port)),
        ]
    }

    /// A token with these scopes and claims.
    pub fn token(&self, scope: &str, claims: Value) -> String {
        let claims = amended(
            json!({ "aud": self.url(), "scope": scope, "client_id": "agent" }),
            claims,
        );
        self.key.token(claims)
    }

    /// What a command of the page prints.
    pub fn shell(&self, command: &str) -> String {
        let options = format!(
            "docs/mcp/client.py --url {} --issuer http://localhost:{}",
            self.url(),
            self.authority.port
        );
        let mut command = command.replace("docs/mcp/client.py", &options);
        for (shown, address) in self.addresses() {
            command = command.replace(shown, &address);
        }
        let mut shell = Command::new("sh");
        shell.args(["-c", &command]);
        self.run(shell)
    }

    /// What the page's client prints.
    pub fn python(&self, words: &[&str]) -> String {
        let mut client = Command::new("python3");
        client
            .args(["docs/mcp/client.py", "--url", &self.url(), "--issuer"])
            .arg(format!("http://localhost:{}", self.authority.port))
            .args(words);
        self.run(client)
    }

    /// What the client of the Rust SDK prints.
    pub fn rust(&self, options: &[&str], steps: &[&str]) -> String {
        let mut client = Command::new(binary("mcp-client"));
        client.args(options).arg(self.url()).args(steps);
        self.run(client)
    }

    fn run(&self, mut command: Command) -> String {
        let output: Output = command
            .current_dir(root())
            .env("PYTHONPATH", python_packages("MCP_PACKAGES", "mcp"))
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let printed = [output.stdout, output.stderr].concat();
        let mut printed = String::from_utf8_lossy(&printed).into_owned();
        for (shown, address) in self.addresses() {
            printed = printed.replace(&address, shown);
        }
        printed
    }

    /// A message in JSON-RPC without the headers that describe it.
    pub fn message(&self, token: &str, body: &Value) -> Request {
        request("POST", "/mcp")
            .host(self.host())
            .bearer(token)
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .body(body.to_string())
    }
}

impl Drop for Helpdesk {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

// === impl Process ===

impl Process {
    /// Waits until it listens on that port.
    fn start(port: u16, mut command: Command, folder: &Path, name: &str) -> Self {
        let log = folder.join(format!("{name}.log"));
        let file = File::create(&log).expect("a writable folder");
        let errors = file.try_clone().expect("a file");
        let child = command
            .current_dir(root())
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut process = Self { child, port };
        let is_up = poll(PATIENCE, || {
            let listens = TcpStream::connect(("127.0.0.1", port)).is_ok();
            let ended = !matches!(process.child.try_wait(), Ok(None));
            (listens || ended).then_some(!ended)
        });
        let said = || fs::read_to_string(&log).unwrap_or_default();
        assert_eq!(is_up, Some(true), "{name} does not start: {}", said());
        process
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
