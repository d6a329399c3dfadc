//! One Envoy process: where its binary is, how it starts, and that it ends with its owner.

use std::env;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use super::client::{Answer, get};
use super::{PATIENCE, poll};

/// The module under test.
pub fn module() -> PathBuf {
    built("PORTCULLIS_WASM", "target", "portcullis.wasm")
}

/// The module that also reads bodies.
pub fn module_with_bodies() -> PathBuf {
    built("PORTCULLIS_AI_WASM", "target", "portcullis-ai.wasm")
}

/// The module with switches that a test breaks it by.
pub fn module_with_test_hooks() -> PathBuf {
    built(
        "PORTCULLIS_TEST_HOOKS_WASM",
        "target/test-hooks",
        "portcullis.wasm",
    )
}

/// The module that also reads bodies, with these switches.
pub fn module_with_bodies_and_test_hooks() -> PathBuf {
    built(
        "PORTCULLIS_AI_TEST_HOOKS_WASM",
        "target/test-hooks",
        "portcullis-ai.wasm",
    )
}

/// The module that this variable names, or else the one in this target folder.
fn built(variable: &str, target: &str, name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let default = || root.join(target).join("wasm32-wasip1/release").join(name);
    let module = env::var_os(variable).map_or_else(default, PathBuf::from);
    assert!(
        module.is_file(),
        "no module at {}: run `make test`, or set {variable}",
        module.display()
    );
    fs::canonicalize(module).expect("the module has a path")
}

fn binary() -> PathBuf {
    if let Some(named) = env::var_os("ENVOY_BIN") {
        return PathBuf::from(named);
    }
    let cached = Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/envoy/envoy");
    let path = env::var_os("PATH").unwrap_or_default();
    let installed = env::split_paths(&path).map(|folder| folder.join("envoy"));
    let found = [cached]
        .into_iter()
        .chain(installed)
        .find(|candidate| candidate.is_file());
    found.expect("no Envoy in .cache/envoy nor on the PATH: run `make test`, or set ENVOY_BIN")
}

pub struct Envoy {
    process: Child,
    folder: PathBuf,
    admin: u16,
}

/// An Envoy that ended before it was ready, and what it said.
pub struct Refused {
    pub log: String,
}

impl Envoy {
    /// A folder of its own for an Envoy's files; goes when the Envoy does.
    pub fn folder() -> PathBuf {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "envoy-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&folder).expect("a folder for Envoy's files");
        folder
    }

    /// Starts on the `bootstrap.json` in that folder and waits until Envoy is ready.
    pub fn start(folder: PathBuf, workers: u32) -> Result<Self, Refused> {
        Self::start_with(folder, workers, &[])
    }

    /// The same with more arguments.
    pub fn start_with(folder: PathBuf, workers: u32, more: &[&str]) -> Result<Self, Refused> {
        Self::start_logging(folder, workers, "wasm:info", more)
    }

    /// The same, with what goes between Envoy and the VM in its log.
    pub fn start_traced(folder: PathBuf, workers: u32) -> Result<Self, Refused> {
        Self::start_logging(folder, workers, "wasm:trace", &[])
    }

    fn start_logging(
        folder: PathBuf,
        workers: u32,
        logged: &str,
        more: &[&str],
    ) -> Result<Self, Refused> {
        let binary = binary();
        let log = File::create(folder.join("log")).expect("a log file");
        let process = Command::new(&binary)
            .arg("--config-path")
            .arg(folder.join("bootstrap.json"))
            .arg("--admin-address-path")
            .arg(folder.join("admin"))
            .args(["--concurrency", &workers.to_string()])
            .args(["--disable-hot-restart", "--file-flush-interval-msec", "50"])
            .args(["--log-level", "warning", "--component-log-level", logged])
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", binary.display()));
        let mut envoy = Self {
            process,
            folder,
            admin: 0,
        };
        let ready = poll(PATIENCE, || match envoy.process.try_wait() {
            Ok(None) => envoy.is_ready().then_some(true),
            _ended => Some(false),
        });
        match ready {
            Some(true) => Ok(envoy),
            Some(false) => Err(Refused { log: envoy.log() }),
            None => panic!("Envoy is not ready in time; its log:\n{}", envoy.log_tail()),
        }
    }

    fn is_ready(&mut self) -> bool {
        let address = fs::read_to_string(self.folder.join("admin")).unwrap_or_default();
        self.admin = address
            .rsplit(':')
            .next()
            .and_then(|port| port.trim().parse().ok())
            .unwrap_or_default();
        self.admin != 0
            && self
                .admin("/ready")
                .is_ok_and(|answer| answer.status == 200)
    }

    /// The port of the listener of this name, once it is there.
    pub fn listener(&self, name: &str) -> Option<u16> {
        poll(PATIENCE, || {
            let listeners = self.admin("/listeners?format=json").ok()?.json().ok()?;
            let statuses = listeners["listener_statuses"].as_array()?;
            let status = statuses.iter().find(|status| status["name"] == name)?;
            let port = status["local_address"]["socket_address"]["port_value"].as_u64()?;
            u16::try_from(port).ok()
        })
    }

    /// Asks the admin interface.
    pub fn admin(&self, path: &str) -> io::Result<Answer> {
        get(path).send(self.admin)
    }

    /// Bytes of memory that the process takes now, and that it took at the most; `None` where there is no `/proc`.
    pub fn memory(&self) -> Option<[u64; 2]> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).ok()?;
        let kilobytes = |name: &str| -> Option<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().strip_suffix(" kB")?.parse().ok()
        };
        Some([kilobytes("VmRSS:")? * 1024, kilobytes("VmHWM:")? * 1024])
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub fn read(&self, name: &str) -> String {
        fs::read(self.file(name))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    pub fn log(&self) -> String {
        self.read("log")
    }

    /// The end of the log, for a failed case.
    pub fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(25)..].join("\n")
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
