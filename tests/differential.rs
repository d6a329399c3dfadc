//! Portcullis against Envoy itself, in one Envoy: generated tokens through our filter and through `jwt_authn`, generated
//! paths and hosts through our rules and through Envoy's router. Where the two disagree, the disagreement is of a class
//! in a table, with its reason (`docs/differential.md`); any other fails the test. So does a token that we let in and
//! that is not good, and a request that reaches a route by another rule than that route's.
//!
//! `DIFFERENTIAL_CASES` is how many cases are drawn of each kind, `DIFFERENTIAL_SEED` what from: a failure prints both.
//! `ENVOY_BIN` and `PORTCULLIS_WASM` as in the other tests on a real Envoy.

#![allow(clippy::disallowed_methods)]

#[path = "envoy"]
mod envoy {
    #[allow(dead_code, reason = "the other tests use the rest")]
    pub mod harness;
}

mod differential {
    pub mod classes;
    pub mod document;
    pub mod drafts;
    pub mod http2;
    pub mod pair;
    pub mod random;
    pub mod report;
    pub mod ring;
    pub mod routing;
    pub mod rules;
    pub mod targets;
    pub mod tokens;
}

use differential::classes::{Gap, PATH_GAP, PORT_GAP, TARGETS, TOKENS};
use differential::document;
use differential::pair::Reading;
use differential::random::{self, Random};
use differential::report::Report;
use differential::routing::{self, Comparison, Ours};
use differential::targets::{self, Target};
use differential::tokens;

/// Cases that every `cargo test` draws.
const CASES: usize = 3000;

/// How many are compared before the next ones are drawn.
const BATCH: usize = 1000;

#[test]
fn tokens_are_judged_as_jwt_authn_judges_them() {
    let cases = random::cases(CASES);
    let names = TOKENS.iter().map(|class| class.odd[0]);
    let mut report = Report::of("tokens", cases, names);
    let mut gateway = tokens::Gateway::start();
    gateway.compare(cases, &mut Random::of(random::seed()), |case| {
        let class = TOKENS.iter().position(|class| class.fits(&case));
        match (case.fault(), class) {
            (Some(fault), _) => report.fault(fault, &case.shown()),
            (None, _) if case.agrees() => report.agreement(),
            (None, Some(class)) => report.disagreement(class),
            (None, None) => report.fault("a disagreement of no class", &case.shown()),
        }
    });
    report.finish();
}

#[test]
fn rules_judge_what_the_router_routes() {
    let plain = Reading::RECOMMENDED;
    let raw = Reading {
        normalize_path: false,
        ..plain
    };
    let with_flag = |reading| Reading {
        allow_on_headers_stop_iteration: true,
        ..reading
    };
    let mut gateway = routing::Gateway::start(&[plain, with_flag(plain), raw, with_flag(raw)]);
    let cases = random::cases(CASES);
    let names = TARGETS.iter().map(|class| class.odd);
    let gap = "read otherwise without normalize_path";
    let mut report = Report::of("targets", cases, names.chain([gap]));
    // The flag, and most of the protocol, can make no difference: they get a smaller share.
    for (reading, http2, cases) in [
        (0, false, cases),
        (0, true, cases / 2),
        (1, false, cases / 4),
        (2, false, cases / 2),
        (2, true, cases / 4),
        (3, false, cases / 4),
    ] {
        each_target(cases, |targets| {
            for case in gateway.compare(reading, targets, http2) {
                match judge(&case, &PATH_GAP) {
                    Verdict::Agrees => report.agreement(),
                    Verdict::Class(class) => report.disagreement(class),
                    Verdict::Gap => report.disagreement(TARGETS.len()),
                    Verdict::Fault(fault) => report.fault(fault, &case.shown()),
                }
            }
        });
    }
    report.finish();
}

/// Without what every shipped configuration sets, hosts are read in two ways: this is what it is set for.
#[test]
fn hosts_need_the_recommended_settings() {
    let with_ports = Reading {
        ignore_port_in_host_matching: false,
        ..Reading::RECOMMENDED
    };
    let with_dots = Reading {
        strip_trailing_host_dot: false,
        ..Reading::RECOMMENDED
    };
    let mut gateway = routing::Gateway::start(&[with_ports, with_dots]);
    let cases = random::cases(CASES) / 4;
    let names = [
        "of the table",
        "read otherwise without ignore_port_in_host_matching",
    ];
    let mut report = Report::of("targets without the settings", cases, names);
    for reading in [0, 1] {
        each_target(cases, |targets| {
            for case in gateway.compare(reading, targets, false) {
                match judge(&case, &PORT_GAP) {
                    Verdict::Agrees => report.agreement(),
                    Verdict::Class(_) => report.disagreement(0),
                    Verdict::Gap => report.disagreement(1),
                    Verdict::Fault(fault) => report.fault(fault, &case.shown()),
                }
            }
        });
    }
    report.finish();

    let dotted = [Target::plain(b"/x", b"www.example.com.")];
    let refused = gateway.compare(1, &dotted, false).remove(0).ours;
    assert_eq!(refused, Ours::Refused("AMBIGUOUS_HOST".to_owned()));
}

#[test]
fn the_document_has_the_table() {
    document::check();
}

/// The corpus, then so many that are drawn, in batches.
fn each_target(cases: usize, mut compare: impl FnMut(&[Target])) {
    compare(&targets::corpus());
    let mut random = Random::of(random::seed());
    let mut left = cases;
    while left > 0 {
        let batch = left.min(BATCH);
        let drawn: Vec<Target> = (0..batch).map(|_| targets::generate(&mut random)).collect();
        compare(&drawn);
        left -= batch;
    }
}

enum Verdict {
    Agrees,
    Class(usize),
    /// As the setting that is missing would have it.
    Gap,
    Fault(&'static str),
}

fn judge(case: &Comparison, gap: &Gap) -> Verdict {
    let class = TARGETS.iter().position(|class| class.fits(case));
    match class {
        _ if case.is_ambiguous_but_judged() => Verdict::Fault("ambiguous, and judged by a rule"),
        _ if case.agrees() => Verdict::Agrees,
        Some(class) => Verdict::Class(class),
        None if (gap.has)(case) => Verdict::Gap,
        None if case.is_weaker() => Verdict::Fault("judged by another rule than the route's"),
        None => Verdict::Fault("a disagreement of no class"),
    }
}
