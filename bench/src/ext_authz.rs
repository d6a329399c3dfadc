//! The authorization service that Envoy's ext_authz asks: a process of its own, so that its CPU can be read.

use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use bench::Result;
use bench::machine::cpu_of_process;
use bench::setup::api_keys;
use bench::traffic::{FEW_KEYS, FEW_RULES, path_of_rule};

/// The running service. It is ended when this value is dropped.
pub struct ExtAuthz {
    process: Child,
    /// Where it listens, for HTTP and for gRPC.
    pub port: u16,
}

impl ExtAuthz {
    /// Starts the service, which asks the introspection endpoint at this port, and waits until it listens.
    pub fn start(authority_port: u16) -> Result<Self> {
        let program = env::current_exe()?.with_file_name("ext-authz-service");
        let process = Command::new(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut service = ExtAuthz { process, port: 0 };
        let mut input = service.process.stdin.take().ok_or("no standard input")?;
        input.write_all(settings(authority_port).to_string().as_bytes())?;
        drop(input);
        let output = service.process.stdout.take().ok_or("no standard output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let port = line.trim().parse();
        service.port = port.map_err(|_| "the authorization service did not start")?;
        Ok(service)
    }

    /// Nanoseconds that it was on a CPU.
    pub fn cpu(&self) -> Result<u64> {
        cpu_of_process(self.process.id())
    }
}

/// The same job as in policies/api-keys.yaml and policies/introspection.yaml.
fn settings(authority_port: u16) -> Value {
    let scopes: serde_json::Map<_, _> = (0..FEW_RULES)
        .map(|rule| (path_of_rule(rule), "data:read".into()))
        .collect();
    json!({
        "api_keys": api_keys(FEW_KEYS),
        "scopes_of_paths": scopes,
        "introspection": {
            "uri": format!("http://127.0.0.1:{authority_port}/introspect"),
            "client_id": "gateway",
            "client_secret": "known to nobody but this benchmark",
            "issuer": "https://idp.example.com/",
            "audience": "https://api.example.com",
            "scope": "data:read",
            "cache_entries": 4096,
            "cache_ttl": 3600,
        },
    })
}

impl Drop for ExtAuthz {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
