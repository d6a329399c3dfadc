//! What floods do to good requests, and what one refusal costs. `make floods` runs it; README.md tells how it measures.
//!
//! `floods --smoke` does all of it in seconds, with too few requests for figures, and writes no results; `ONLY=kid` does
//! what has these letters in its name, and writes none either.

mod attack;
mod costs;
mod flood;
mod good;
mod report;
mod services;
mod setup;
mod waiting;

use std::env;
use std::fs;
use std::process::ExitCode;
use std::time::Duration;

use bench::issuer::Issuer;
use bench::machine::CpuTime;
use bench::{Result, clock, root, setting};

use crate::report::Report;
use crate::services::Services;
use crate::setup::Setup;

/// How long and how hard.
pub struct Effort {
    /// What each flood is measured for, and how long it runs before that.
    pub time: Duration,
    pub lead: Duration,
    /// Of what a flood sends, and over how many connections.
    pub strength: f64,
    /// Connections that wait, and for how many seconds.
    pub waiting: usize,
    pub patience: u64,
    /// Of the costs of a refusal.
    pub rounds: usize,
    pub requests: usize,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let is_smoke = match arguments.as_slice() {
        [] => Ok(false),
        [flag] if flag == "--smoke" => Ok(true),
        _ => Err("floods [--smoke]".into()),
    };
    match is_smoke.and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nfloods: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(is_smoke: bool) -> Result<()> {
    let effort = match is_smoke {
        true => Effort {
            time: Duration::from_millis(200),
            lead: Duration::from_millis(100),
            strength: 0.05,
            waiting: 100,
            patience: 1,
            rounds: 1,
            requests: 20,
        },
        false => Effort {
            time: Duration::from_secs_f64(setting("FLOOD_SECONDS", 5.0)?),
            lead: Duration::from_secs(1),
            strength: 1.0,
            waiting: setting("WAITING", 10_000)?,
            patience: 5,
            rounds: setting("ROUNDS", 15)?,
            requests: setting("REQUESTS", 500)?,
        },
    };
    let before = CpuTime::read()?;
    let issuer = Issuer::new(clock::unix_seconds())?;
    let services = Services::start(setup::jwks(&issuer))?;
    let setup = Setup::find(&services, is_smoke)?;

    let only = env::var("ONLY").unwrap_or_default();
    let mut floods = Vec::new();
    for flood in attack::floods(&issuer)? {
        if !flood.what.contains(&only) {
            continue;
        }
        eprintln!("    {}", flood.what);
        floods.push(flood::run(&setup, &services, &issuer, &flood, &effort)?);
    }
    let mut waits = Vec::new();
    for wait in waiting::WAITS
        .iter()
        .filter(|wait| wait.what.contains(&only))
    {
        eprintln!("    {}", wait.what);
        waits.push(waiting::run(&setup, &services, &issuer, wait, &effort)?);
    }
    eprintln!("    one refused request");
    let costs = costs::measure(&setup, &issuer, &effort, &only)?;

    let report = Report {
        envoy: setup.version()?,
        module_bytes: setup.module_bytes()?,
        of_others: CpuTime::read()?.of_others_since(before),
        effort,
        floods,
        waits,
        costs,
    };
    let text = report.markdown();
    print!("{text}");
    if !is_smoke && only.is_empty() {
        fs::write(root().join("docs/bench/floods.md"), text)?;
        eprintln!("    written: docs/bench/floods.md");
    }
    Ok(())
}
