//! Measures what Portcullis costs, beside Envoy's native filters, ext_authz, ext_proc and the host's calls alone. `make
//! bench` runs it; README.md tells how it measures. `ONLY=heads` or `ONLY=bodies` measures one of its two modules, and writes
//! no results.

mod bodies;
mod cases;
mod chart;
mod comparisons;
mod ext_authz;
mod memory;
mod proof;
mod report;
mod side_by_side;
mod under_load;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bench::envoy::Envoy;
use bench::issuer::Issuer;
use bench::setup::Setup;
use bench::traffic::Traffic;
use bench::{Result, authority, built, clock, root, setting};

use crate::report::Report;

/// How long and how hard; each can be set in the environment.
struct Effort {
    rounds: usize,
    requests: usize,
    connections: usize,
    rate: f64,
}

impl Effort {
    /// Requests before those that are measured in each turn.
    fn warm_up(&self) -> usize {
        self.requests / 8
    }
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
    let binary =
        PathBuf::from(env::var("ENVOY_BIN").map_err(|_| "ENVOY_BIN: set by `make bench`")?);
    let only = env::var("ONLY").unwrap_or_default();
    let report = match "heads".contains(&only) {
        true => Some(measure_heads(&binary, &effort)?),
        false => None,
    };
    let bodies = match "bodies".contains(&only) {
        true => Some(bodies::measure(&binary, &effort)?),
        false => None,
    };
    if let Some(report) = &report {
        println!("{}", report.summary());
    }
    if let Some(bodies) = &bodies {
        print!("{}", bodies.summary());
    }
    let (Some(report), Some(bodies)) = (report, bodies) else {
        return Ok(());
    };
    let results = root().join("docs/bench");
    fs::create_dir_all(&results)?;
    let text = report.markdown() + &bodies.markdown(&effort);
    fs::write(results.join("results.md"), text)?;
    fs::write(results.join("results.svg"), chart::draw(&report))?;
    eprintln!(
        "    written: docs/bench/results.md and results.svg; Envoy's configurations: target/bench/envoy.yaml and \
         target/bench/bodies/envoy.yaml"
    );
    Ok(())
}

/// The filter that decides from heads alone.
fn measure_heads<'e>(binary: &Path, effort: &'e Effort) -> Result<Report<'e>> {
    let portcullis = built("target/wasm32-wasip1/release/portcullis.wasm", "bench")?;
    let noop = built("target/noop/wasm32-wasip1/release/noop.wasm", "bench")?;
    let host_calls = built(
        "target/host-calls/wasm32-wasip1/release/host_calls.wasm",
        "bench",
    )?;
    proof::prove_noop(&noop)?;

    eprintln!("    signing tokens");
    let issuer = Issuer::new(clock::unix_seconds())?;
    let traffic = Traffic::prepare(&issuer)?;
    let authority_port = authority::start()?;
    let ext_authz = ext_authz::start(authority_port)?;
    let setup = Setup {
        jwks: issuer.jwks(),
        noop_module: noop.display().to_string(),
        portcullis_module: portcullis.display().to_string(),
        host_calls_module: host_calls.display().to_string(),
        authority_port,
        ext_authz_port: ext_authz.port,
    };

    eprintln!("    starting Envoy");
    let folder = root().join("target/bench");
    let envoy = Envoy::start(binary, &folder, &setup.envoy())?;
    proof::prove_all(&envoy, &issuer)?;

    eprintln!("    filling the caches");
    let memory = memory::measure(&envoy, &traffic)?;

    Ok(Report {
        memory,
        measured: side_by_side::measure(&envoy, &ext_authz, &traffic, effort)?,
        under_load: under_load::measure(&envoy, &traffic, effort.rate)?,
        envoy: envoy.version.clone(),
        module_bytes: fs::metadata(&portcullis)?.len(),
        effort,
    })
}
