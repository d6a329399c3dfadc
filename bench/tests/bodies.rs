//! `ONLY=bodies make bench` in small, so that its code does not rot: every variant proves that it does the same job, and that
//! each request was charged to the token.

use std::env;
use std::path::Path;
use std::process::Command;

#[test]
fn every_variant_that_reads_bodies_does_the_same_job() {
    let cached = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.cache/envoy/envoy");
    let envoy = env::var_os("ENVOY_BIN").unwrap_or_else(|| cached.into());
    let output = Command::new(env!("CARGO_BIN_EXE_bench"))
        .envs([("ONLY", "bodies"), ("ROUNDS", "1"), ("REQUESTS", "40")])
        .env("ENVOY_BIN", envoy)
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");

    let results = String::from_utf8_lossy(&output.stdout);
    for (goal, rows) in [(", at most 1.50: ", 4), (", at most 0.25: ", 2)] {
        assert_eq!(results.matches(goal).count(), rows, "{results}");
    }
    assert!(!results.contains("NaN"), "{results}");
}
