//! The results, for a terminal and as Markdown.

use std::fmt::Write as _;

use crate::Effort;
use crate::memory::{ENTRIES, Growth};
use crate::side_by_side::{CASES, GOALS, Goal, Measured, TOKEN_BASELINE};
use crate::under_load::Row;
use bench::clock;
use bench::figures::{grouped, mebibytes};
use bench::machine::{cpu_model, cpus, kernel};
use bench::statistics::Median;

pub struct Report {
    pub measured: Measured,
    pub under_load: Vec<Row>,
    pub memory: Vec<Growth>,
    pub envoy: String,
    pub module_bytes: u64,
    pub effort: Effort,
}

// === impl Report ===

impl Report {
    /// The goals alone.
    pub fn summary(&self) -> String {
        let mut text = String::new();
        for (goal, ratio) in self.ratios() {
            let Goal { what, against, .. } = goal;
            let _ = writeln!(
                text,
                "{:<6} {:>5.2} [{:.2} to {:.2}], at most {:.2}: {what} / {against}",
                verdict(goal, ratio),
                ratio.value,
                ratio.low,
                ratio.high,
                goal.at_most,
            );
        }
        text.push('\n');
        for case in &CASES {
            let above = self.measured.above(case.id);
            let total = self.measured.total(case.id);
            let _ = writeln!(
                text,
                "{:>7.1} µs {:>8.1} µs in all  {} | {}",
                above.value, total.value, case.group, case.what
            );
        }
        text.push('\n');
        for row in &self.under_load {
            let _ = writeln!(
                text,
                "{:>7.0} /s  p50 {:>5.0}  p99 {:>6.0}  p99.9 {:>6.0} µs  {}",
                row.throughput.value, row.p50, row.p99, row.p999, row.what
            );
        }
        text.push('\n');
        for Growth { what, bytes } in &self.memory {
            let _ = writeln!(text, "{:>7.1} MiB  {ENTRIES} {what}", mebibytes(*bytes));
        }
        text
    }

    pub fn markdown(&self) -> String {
        let mut text = String::from("# Results\n\n");
        let _ = writeln!(
            text,
            "`make bench`, {}. Envoy {}, one worker; {}; {} CPUs; Linux {}; the module has {} bytes.\n\
             How it is measured, and the configuration of every variant: [bench/](../../bench/README.md).\n",
            clock::today(),
            self.envoy,
            cpu_model(),
            cpus(),
            kernel(),
            grouped(self.module_bytes),
        );
        text.push_str("![CPU per request above an Envoy without filters](results.svg)\n\n");
        self.write_goals(&mut text);
        self.write_costs(&mut text);
        self.write_load(&mut text);
        self.write_memory(&mut text);
        text
    }

    fn write_goals(&self, text: &mut String) {
        let Effort {
            rounds,
            requests,
            connections,
            ..
        } = self.effort;
        let _ = writeln!(
            text,
            "## Side by side\n\n\
             Ratios of the CPU that Envoy spends on a request above one without filters. Median of {rounds} rounds of \
             {requests} requests each over {connections} connections, all variants in turns in one process; in brackets \
             the interval that holds the true median in 95 of 100 runs.\n\n\
             | what | against | at most | measured | |\n|---|---|---|---|---|"
        );
        for (goal, ratio) in self.ratios() {
            let _ = writeln!(
                text,
                "| {} | {} | {:.2} | **{:.2}** [{:.2} to {:.2}] | {} |",
                goal.what,
                goal.against,
                goal.at_most,
                ratio.value,
                ratio.low,
                ratio.high,
                verdict(goal, ratio),
            );
        }
    }

    fn write_costs(&self, text: &mut String) {
        let _ = writeln!(
            text,
            "\n## Microseconds\n\nAn Envoy without filters spends {:.1} µs of CPU on such a request.\n\n\
             | what | variant | µs per request above it |\n|---|---|---|",
            self.measured.total(TOKEN_BASELINE).value
        );
        for case in CASES.iter().filter(|case| !case.is_baseline()) {
            let above = self.measured.above(case.id);
            let _ = writeln!(
                text,
                "| {} | {} | **{:.1}** [{:.1} to {:.1}] |",
                case.group, case.what, above.value, above.low, above.high
            );
        }
    }

    fn write_load(&self, text: &mut String) {
        let _ = writeln!(
            text,
            "\n## Under load\n\n\
             Requests per second of one worker with every connection busy, and latencies at {} requests per second that \
             are sent when they are due, whatever becomes of those before them.\n\n\
             | variant | requests per second | p50 µs | p99 µs | p99.9 µs |\n|---|---|---|---|---|",
            self.effort.rate
        );
        for row in &self.under_load {
            let _ = writeln!(
                text,
                "| {} | {} | {:.0} | {:.0} | {:.0} |",
                row.what,
                grouped(row.throughput.value as u64),
                row.p50,
                row.p99,
                row.p999
            );
        }
    }

    fn write_memory(&self, text: &mut String) {
        let _ = writeln!(
            text,
            "\n## Memory\n\n\
             What Envoy's resident memory grows by when a worker's cache is filled; each worker has its own.\n\n\
             | a worker's cache, full | MiB | bytes each |\n|---|---|---|"
        );
        for Growth { what, bytes } in &self.memory {
            let _ = writeln!(
                text,
                "| {} {what} | {:.1} | {} |",
                grouped(ENTRIES as u64),
                mebibytes(*bytes),
                grouped(bytes / ENTRIES as u64),
            );
        }
    }

    fn ratios(&self) -> impl Iterator<Item = (&'static Goal, Median)> {
        GOALS.iter().map(|goal| (goal, self.measured.ratio(goal)))
    }
}

fn verdict(goal: &Goal, ratio: Median) -> &'static str {
    match ratio.value <= goal.at_most {
        true => "ok",
        false => "missed",
    }
}
