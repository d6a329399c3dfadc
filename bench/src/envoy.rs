//! The one Envoy of a run: its listeners, its counters and the time that it has spent.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::Result;
use crate::clock::poll;
use crate::machine::cpu_of_process;

/// Long, because each VM compiles ten thousand API keys.
const START_UP: Duration = Duration::from_secs(120);

/// A running Envoy. It is ended when this value is dropped.
pub struct Envoy {
    process: Child,
    folder: PathBuf,
    admin_port: u16,
    ports: BTreeMap<String, u16>,
    /// The version that it reports.
    pub version: String,
}

impl Envoy {
    /// Starts on this configuration, with one worker, and waits until it serves.
    pub fn start(binary: &Path, folder: &Path, configuration: &str) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let file = folder.join("envoy.yaml");
        fs::write(&file, configuration)?;
        let admin = folder.join("admin");
        let _ = fs::remove_file(&admin);
        let process = Command::new(binary)
            .arg("--config-path")
            .arg(&file)
            .arg("--admin-address-path")
            .arg(&admin)
            .args(["--concurrency", "1", "--disable-hot-restart"])
            .args(["--log-level", "warning"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(folder.join("envoy.log"))?)
            .spawn()?;
        let mut envoy = Envoy {
            process,
            folder: folder.to_path_buf(),
            admin_port: 0,
            ports: BTreeMap::new(),
            version: version(binary)?,
        };
        let ready = poll(START_UP, || match envoy.process.try_wait() {
            Ok(None) => envoy.is_ready(&admin).then_some(true),
            _ended => Some(false),
        });
        if ready != Some(true) {
            let log = envoy.folder.join("envoy.log");
            return Err(format!("Envoy does not serve; see {}", log.display()).into());
        }
        envoy.ports = envoy.listeners()?;
        Ok(envoy)
    }

    fn is_ready(&mut self, admin: &Path) -> bool {
        let address = fs::read_to_string(admin).unwrap_or_default();
        let port = address
            .rsplit(':')
            .next()
            .and_then(|p| p.trim().parse().ok());
        self.admin_port = port.unwrap_or_default();
        self.admin_port != 0 && self.admin("/ready").is_ok()
    }

    /// The body of the admin interface's answer. A status of 400 or more is an error.
    fn admin(&self, path: &str) -> Result<String> {
        let url = format!("http://127.0.0.1:{}{path}", self.admin_port);
        // A proxy that the environment names is not for the loopback.
        let config = ureq::Agent::config_builder().proxy(None).build();
        let mut answer = config.new_agent().get(url).call()?;
        Ok(answer.body_mut().read_to_string()?)
    }

    fn listeners(&self) -> Result<BTreeMap<String, u16>> {
        let answer: Value = serde_json::from_str(&self.admin("/listeners?format=json")?)?;
        let statuses = answer.get("listener_statuses").and_then(Value::as_array);
        let port = |status: &Value| {
            let name = status.get("name")?.as_str()?.to_owned();
            let port = status.pointer("/local_address/socket_address/port_value")?;
            let port = port.as_u64()?;
            Some((name, u16::try_from(port).ok()?))
        };
        Ok(statuses.into_iter().flatten().filter_map(port).collect())
    }

    /// The port of the listener with this name.
    pub fn port(&self, listener: &str) -> Result<u16> {
        let port = self.ports.get(listener).copied();
        Ok(port.ok_or_else(|| format!("Envoy has no listener {listener}"))?)
    }

    /// Nanoseconds that all its threads were on a CPU.
    pub fn cpu(&self) -> Result<u64> {
        cpu_of_process(self.process.id())
    }

    /// Bytes of memory that it has in use.
    pub fn resident(&self) -> Result<u64> {
        self.memory("VmRSS:")
    }

    /// The most bytes of memory that it ever had in use.
    pub fn resident_at_most(&self) -> Result<u64> {
        self.memory("VmHWM:")
    }

    fn memory(&self, name: &str) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
        Ok(kilobytes.ok_or("no such memory")?.parse::<u64>()? * 1024)
    }

    /// Bytes of its log.
    pub fn logged(&self) -> Result<u64> {
        Ok(fs::metadata(self.folder.join("envoy.log"))?.len())
    }

    /// The sum of the counters and gauges whose names end with `name`.
    pub fn count(&self, name: &str) -> Result<u64> {
        let text = self.admin(&format!("/stats?filter={name}"))?;
        let lines = text.lines().filter_map(|line| line.split_once(": "));
        Ok(lines
            .filter(|(found, _)| found.ends_with(name))
            .filter_map(|(_, value)| value.trim().parse::<u64>().ok())
            .sum())
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// 1.40.0, out of `envoy  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL`.
pub fn version(binary: &Path) -> Result<String> {
    let output = Command::new(binary).arg("--version").output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = text
        .split("version: ")
        .nth(1)
        .and_then(|v| v.split('/').nth(1));
    Ok(version.ok_or("Envoy tells no version")?.to_owned())
}
