//! The soak: clients of every kind against the shipped set-up for as long as `SOAK_SECONDS` says (a minute where it says nothing), while
//! all that it rests on changes, fails and comes back. An oracle that knows the contract, and nothing of the filter, judges each answer
//! and each request that reaches the upstream.
//!
//! `SOAK_SEED` repeats a run's numbers; how the threads meet is another matter.

#![allow(clippy::disallowed_methods)]

mod actors;
mod authority;
mod client;
mod credential;
/// What the cases on a real Envoy are written with; a part of it is enough here.
#[allow(dead_code)]
#[path = "../envoy"]
mod envoy {
    pub mod harness;
}
mod gateway;
mod history;
mod issuer;
mod oracle;
mod policy;
mod random;
mod report;
mod requests;
mod upstream;

use std::env;
use std::str::FromStr;
use std::time::Duration;

use crate::actors::Soak;
use crate::envoy::harness;
use crate::history::now;

fn variable<T: FromStr>(name: &str) -> Option<T> {
    let text = env::var(name).ok().filter(|text| !text.is_empty())?;
    let value = text.parse().ok();
    assert!(value.is_some(), "{name}: found {text:?}, expected a number");
    value
}

#[test]
fn every_answer_is_right_whatever_changes_fails_and_comes_back() {
    let seconds = variable("SOAK_SECONDS").unwrap_or(60);
    assert!(
        seconds >= 40,
        "SOAK_SECONDS: found {seconds}, expected 40 or more"
    );
    let seed = variable("SOAK_SEED").unwrap_or_else(|| u64::from(now().subsec_nanos()));
    println!("soak: SOAK_SECONDS={seconds} SOAK_SEED={seed}");
    let soak = Soak::start(seed);
    let report = soak.run(Duration::from_secs(seconds));
    println!("{report}");
    report.assert_good();
}
