//! How many instructions each step takes, which no other load on the machine changes: `make instructions`.
//!
//! `steps` alone runs itself under callgrind, each step a few times and many times; the difference is the step's.
//! `steps NAME TIMES` runs one.

mod steps;

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use bench::Result;
use steps::Measurable;

/// So that what is allocated only the first time does not count.
const FEW: u64 = 10;

const MANY: u64 = 210;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let result = match arguments.as_slice() {
        [] => count_all(),
        [name, times] => repeat(name, times),
        _ => Err("steps [NAME TIMES]".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("steps: {error}");
            ExitCode::FAILURE
        }
    }
}

fn repeat(name: &str, times: &str) -> Result<()> {
    let mut all = steps::all()?;
    let found = all.iter_mut().find(|step| step.name == name);
    let Measurable { run, .. } = found.ok_or("no such step")?;
    for _ in 0..times.parse::<u64>()? {
        run();
    }
    Ok(())
}

fn count_all() -> Result<()> {
    let mut table = String::from(
        "# Instructions\n\n\
         `make instructions`: what each step of the core takes natively on x86-64, counted by callgrind. The same on \
         every run, but for addresses and hash seeds, so a change shows.\n\n\
         | step | instructions |\n|---|---|\n",
    );
    for step in steps::all()? {
        let instructions = (count(step.name, MANY)? - count(step.name, FEW)?) / (MANY - FEW);
        println!("{instructions:>9}  {}", step.name);
        let _ = writeln!(table, "| {} | {instructions} |", step.name);
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/bench/instructions.md");
    Ok(fs::write(file, table)?)
}

/// The instructions of a whole process that runs the step this often.
fn count(step: &str, times: u64) -> Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env::current_exe()?)
        .args([step, &times.to_string()])
        .output()?;
    let log = String::from_utf8_lossy(&output.stderr);
    let collected = log.lines().find_map(|line| line.split_once("Collected :"));
    match collected {
        Some((_, count)) if output.status.success() => Ok(count.trim().parse()?),
        _ => Err(format!("valgrind counts nothing:\n{log}").into()),
    }
}
