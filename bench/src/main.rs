//! Measures what Portcullis costs an Envoy, beside what Envoy's native filters cost it. `make bench` runs it;
//! README.md tells how it measures.

mod chart;
mod memory;
mod proof;
mod report;
mod side_by_side;
mod under_load;

use std::env;
use std::fs;
use std::path::PathBuf;
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
    let portcullis = built("target/wasm32-wasip1/release/portcullis.wasm", "bench")?;
    let noop = built("target/noop/wasm32-wasip1/release/noop.wasm", "bench")?;

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
    let folder = root().join("target/bench");
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
    let results = root().join("docs/bench");
    fs::create_dir_all(&results)?;
    fs::write(results.join("results.md"), report.markdown())?;
    fs::write(results.join("results.svg"), chart::draw(&report))?;
    eprintln!(
        "    written: docs/bench/results.md and results.svg; Envoy's configuration: target/bench/envoy.yaml"
    );
    Ok(())
}
