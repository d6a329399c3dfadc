//! `make floods` in small, so that its code does not rot: every flood, every wait and every kind of refusal is sent, and
//! the program itself checks that each kind is refused for what its name says and that no flood is let in.

use std::process::Command;

#[test]
fn every_flood_runs_and_good_requests_pass_without_one() {
    let output = Command::new(env!("CARGO_BIN_EXE_floods"))
        .arg("--smoke")
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");

    let results = String::from_utf8_lossy(&output.stdout);
    let row = |what: &str| {
        let row = results.lines().find(|line| line.starts_with(what));
        row.unwrap_or_else(|| panic!("no row {what}:\n{results}"))
    };
    let undisturbed = row("| none |");
    assert_eq!(undisturbed.matches("100 %,").count(), 3, "{undisturbed}");
    row("| no credential | 401 MISSING_TOKEN |");
    row("| random `kid`s |");
    row("| a key set that does not come, for unknown `kid`s | 100 |");
    row("| bad signature, PS256 | 401 INVALID_SIGNATURE |");
}
