//! Measures what Portcullis costs an Envoy, beside what Envoy's native filters cost it. `make bench` runs it;
//! README.md tells how it measures.

mod authority;
mod chart;
mod clock;
mod envoy;
mod http;
mod issuer;
mod load;
mod memory;
mod proof;
mod report;
mod setup;
mod side_by_side;
mod statistics;
mod traffic;
mod under_load;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use crate::envoy::Envoy;
use crate::issuer::Issuer;
use crate::report::Report;
use crate::setup::Setup;
use crate::traffic::Traffic;

type Error = Box<dyn std::error::Error + Send + Sync>;
type Result<T> = std::result::Result<T, Error>;

/// How long and how hard; each can be set in the environment.
struct Effort {
    rounds: usize,
    requests: usize,
    connections: usize,
    rate: f64,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nbench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let effort = Effort {
        rounds: setting("ROUNDS", 31)?,
        requests: setting("REQUESTS", 2000)?,
        connections: setting("CONNECTIONS", 8)?,
        rate: setting("RATE", 2000.0)?,
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let binary =
        PathBuf::from(env::var("ENVOY_BIN").map_err(|_| "ENVOY_BIN: set by `make bench`")?);
    let portcullis = built(&root, "target/wasm32-wasip1/release/portcullis.wasm")?;
    let noop = built(&root, "target/noop/wasm32-wasip1/release/noop.wasm")?;

    eprintln!("    signing tokens");
    let issuer = Issuer::new(clock::unix_seconds())?;
    let traffic = Traffic::prepare(&issuer)?;
    let setup = Setup {
        jwks: issuer.jwks(),
        noop_module: noop.display().to_string(),
        portcullis_module: portcullis.display().to_string(),
        authority_port: authority::start()?,
    };

    eprintln!("    starting Envoy");
    let folder = root.join("target/bench");
    let envoy = Envoy::start(&binary, &folder, &setup.envoy())?;
    proof::prove_all(&envoy, &issuer)?;

    eprintln!("    filling the caches");
    let memory = memory::measure(&envoy, &traffic)?;

    let report = Report {
        memory,
        measured: side_by_side::measure(
            &envoy,
            &traffic,
            effort.rounds,
            effort.requests,
            effort.connections,
        )?,
        under_load: under_load::measure(&envoy, &traffic, effort.rate)?,
        envoy: envoy.version.clone(),
        module_bytes: fs::metadata(&portcullis)?.len(),
        effort,
    };
    print!("{}", report.summary());
    let results = root.join("docs/bench");
    fs::create_dir_all(&results)?;
    fs::write(results.join("results.md"), report.markdown())?;
    fs::write(results.join("results.svg"), chart::draw(&report))?;
    eprintln!(
        "    written: docs/bench/results.md and results.svg; Envoy's configuration: target/bench/envoy.yaml"
    );
    Ok(())
}

fn setting<T: FromStr>(name: &str, default: T) -> Result<T> {
    match env::var(name) {
        Err(_) => Ok(default),
        Ok(text) => {
            let value = text.parse();
            Ok(value.map_err(|_| format!("{name}={text} is no number"))?)
        }
    }
}

fn built(root: &Path, name: &str) -> Result<PathBuf> {
    let found = fs::canonicalize(root.join(name));
    Ok(found.map_err(|_| format!("no {name}: run `make bench`"))?)
}
