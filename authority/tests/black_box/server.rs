//! A server process, started and stopped by a test.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, TokenData, Validation};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::answers::TokenResponse;
use crate::http::{Request, Response};

pub const AUTHORITY: &str = env!("CARGO_BIN_EXE_authority");
pub const TOUR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tour.toml");

pub const READER: (&str, &str) = ("reader", "reader-secret-3f9c1a7e5b2d8046");
pub const WRITER: (&str, &str) = ("writer", "writer-secret-8d21c6f04e7ab395");
pub const EDWARD: (&str, &str) = ("edward", "edward-secret-51b7e0d93c6f2a84");
pub const STRANGER: (&str, &str) = ("stranger", "stranger-secret-c04a96e1f87d3b52");
pub const SHORTLIVED: (&str, &str) = ("shortlived", "shortlived-secret-7e2f5d1b9a0c4836");
pub const OPAQUE: (&str, &str) = ("opaque", "opaque-secret-29d6b8f3a1c5e740");
pub const GATEWAY: (&str, &str) = ("gateway", "gateway-secret-b5e803c7d1946fa2");

/// How long to wait for something that will happen. No passing test waits that long.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct Server {
    child: Child,
    /// Kept, so that the server's stdout stays open.
    _stdout: BufReader<ChildStdout>,
    pub public: String,
    pub admin: String,
}

/// A folder that is deleted after the test.
pub struct Folder(PathBuf);

// === impl Server ===

impl Server {
    /// Starts it with the tour's configuration and with its state in memory.
    pub fn start() -> Self {
        Self::with(TOUR, &[])
    }

    /// As [`Self::start`], where faults can be injected.
    pub fn with_faults() -> Self {
        Self::with(TOUR, &["--faults"])
    }

    pub fn with(config: impl AsRef<Path>, args: &[&str]) -> Self {
        let mut child = Command::new(AUTHORITY)
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--admin",
                "127.0.0.1:0",
                "--config",
            ])
            .arg(config.as_ref())
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It prints its addresses when it is ready.
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = |prefix: &str| {
            let mut line = String::new();
            stdout.read_line(&mut line).unwrap();
            let address = line.trim_end().strip_prefix(prefix);
            address
                .unwrap_or_else(|| panic!("expected {prefix}, found {line:?}"))
                .to_owned()
        };
        let (public, admin) = (line("listening http://"), line("admin http://"));
        Self {
            child,
            _stdout: stdout,
            public,
            admin,
        }
    }

    pub fn on_database(path: &Path) -> Self {
        Self::with(TOUR, &["--database", path.to_str().unwrap()])
    }

    pub fn get(&self, path: &str) -> Response {
        self.send(Request::new("GET", path))
    }

    pub fn send(&self, request: Request) -> Response {
        request.try_send(&self.public).unwrap()
    }

    /// GET as a client that may introspect.
    pub fn poll(&self, path: &str) -> Response {
        self.send(Request::new("GET", path).basic(GATEWAY.0, GATEWAY.1))
    }

    /// A request with a JSON body to the admin port.
    pub fn admin(&self, method: &str, path: &str, body: &str) -> Response {
        self.send_admin(Request::new(method, path).json(body))
    }

    pub fn send_admin(&self, request: Request) -> Response {
        request.try_send(&self.admin).unwrap()
    }

    pub fn ask_token(&self, (id, secret): (&str, &str)) -> Response {
        let form = "grant_type=client_credentials";
        self.send(Request::new("POST", "/token").basic(id, secret).form(form))
    }

    pub fn token(&self, client: (&str, &str)) -> String {
        let answer: TokenResponse = self.ask_token(client).expect(200).json_as();
        answer.access_token
    }

    pub fn introspect(&self, token: &str) -> Value {
        let request = Request::new("POST", "/introspect").basic(GATEWAY.0, GATEWAY.1);
        self.send(request.form(format!("token={token}")))
            .expect(200)
            .json()
    }

    pub fn is_active(&self, token: &str) -> bool {
        self.introspect(token)["active"].as_bool().unwrap()
    }

    pub fn revoke(&self, (id, secret): (&str, &str), token: &str) -> Response {
        let request = Request::new("POST", "/revoke").basic(id, secret);
        self.send(request.form(format!("token={token}")))
    }

    /// Header and claims, if the published key that the token names verifies its signature.
    pub fn verify(&self, token: &str) -> Option<(Value, Value)> {
        self.verify_as(token)
    }

    pub fn verify_as<C: DeserializeOwned>(&self, token: &str) -> Option<(Value, C)> {
        let header = jsonwebtoken::decode_header(token).unwrap();
        let jwks: JwkSet = self.get("/jwks.json").expect(200).json_as();
        let key = jwks.find(header.kid.as_deref().unwrap())?;
        let mut validation = Validation::new(header.alg);
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        let key = DecodingKey::from_jwk(key).unwrap();
        let decoded = jsonwebtoken::decode(token, &key, &validation);
        let decoded: TokenData<C> = decoded.ok()?;
        Some((serde_json::to_value(header).unwrap(), decoded.claims))
    }

    /// `kill -9`
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// `kill -9`, while requests are under way.
    pub fn kill_now(&self) {
        self.signal("-KILL");
    }

    /// SIGTERM
    pub fn ask_to_end(&self) {
        self.signal("-TERM");
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let kill = Command::new("kill").args([signal, &pid]).status();
        assert!(kill.unwrap().success());
    }

    /// Ends it by SIGTERM. Returns its exit status and all that it wrote to stderr.
    pub fn terminate(mut self) -> (ExitStatus, String) {
        self.ask_to_end();
        let mut stderr = String::new();
        let mut pipe = self.child.stderr.take().unwrap();
        pipe.read_to_string(&mut stderr).unwrap();
        (self.child.wait().unwrap(), stderr)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The test may have ended it already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

// === impl Folder ===

impl Folder {
    pub fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!(
            "{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.file(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The tour's configuration, with this key for every client.
pub fn tour_where(key: &str) -> String {
    let tour = std::fs::read_to_string(TOUR).unwrap();
    let (name, _) = key.split_once(" =").unwrap();
    let others: Vec<&str> = tour
        .lines()
        .filter(|line| !line.starts_with(name))
        .collect();
    others
        .join("\n")
        .replace("[[clients]]", &format!("[[clients]]\n{key}"))
}

/// Waits until the condition holds.
#[track_caller]
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < PATIENCE, "{what}: never");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs() as i64
}
