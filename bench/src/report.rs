//! The results, for a terminal and as Markdown.

use std::fmt::Write as _;

use crate::Effort;
use crate::cases::{CASES, TOKEN_BASELINE, groups};
use crate::comparisons::{ABOVE_THE_FLOOR, BESIDE_EXT_AUTHZ, Comparison, GOALS};
use crate::memory::{ENTRIES, Growth};
use crate::side_by_side::Measured;
use crate::under_load::Row;
use bench::clock;
use bench::figures::{grouped, mebibytes};
use bench::machine::{cpu_model, cpus, kernel};
use bench::statistics::Median;

/// All results of a run.
pub struct Report<'e> {
    pub measured: Measured,
    pub under_load: Vec<Row>,
    pub memory: Vec<Growth>,
    pub envoy: String,
    /// The size of the module.
    pub module_bytes: u64,
    pub effort: &'e Effort,
}

// === impl Report ===

impl Report<'_> {
    /// All figures, in short.
    pub fn summary(&self) -> String {
        let mut text = String::new();
        let tables = [&GOALS[..], &BESIDE_EXT_AUTHZ, &ABOVE_THE_FLOOR];
        for comparison in tables.into_iter().flatten() {
            let Comparison { what, against, .. } = comparison;
            let ratio = self.measured.ratio(comparison);
            let _ = writeln!(
                text,
                "{:<6} {:>5.2} [{:.2} to {:.2}]{}: {what} / {against}",
                verdict(comparison, ratio),
                ratio.value,
                ratio.low,
                ratio.high,
                match comparison.at_most {
                    Some(goal) => format!(", at most {goal:.2}"),
                    None => String::new(),
                },
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

    /// The file `docs/bench/results.md`.
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
        self.write_ratios(&mut text);
        self.write_costs(&mut text);
        self.write_load(&mut text);
        self.write_memory(&mut text);
        text
    }

    fn write_ratios(&self, text: &mut String) {
        let Effort {
            rounds,
            requests,
            connections,
            ..
        } = self.effort;
        let _ = writeln!(
            text,
            "## Side by side\n\n\
             Ratios of the CPU that a request takes above one without filters. Median of {rounds} rounds of {requests} \
             requests each over {connections} connections, all variants in turns in one process; in brackets the \
             interval that holds the true median in 95 of 100 runs.\n"
        );
        self.write_comparisons(text, &GOALS);
        text.push_str(
            "\n### Beside ext_authz\n\n\
             Envoy's ext_authz filter asks a small native service on the same machine, which does the same job; the CPU of \
             Envoy and of the service are added up.\n\n",
        );
        self.write_comparisons(text, &BESIDE_EXT_AUTHZ);
        text.push_str(
            "\n### Above the floor\n\n\
             A module that judges nothing, and makes only the host calls that such a request needs: no filter in a Wasm VM \
             can cost less.\n\n",
        );
        self.write_comparisons(text, &ABOVE_THE_FLOOR);
    }

    fn write_comparisons(&self, text: &mut String, comparisons: &[Comparison]) {
        let has_goals = comparisons.iter().any(|it| it.at_most.is_some());
        text.push_str(match has_goals {
            true => "| what | against | at most | measured | |\n|---|---|---|---|---|\n",
            false => "| what | against | measured |\n|---|---|---|\n",
        });
        for comparison in comparisons {
            let ratio = self.measured.ratio(comparison);
            let _ = write!(text, "| {} | {} |", comparison.what, comparison.against);
            if let Some(goal) = comparison.at_most {
                let _ = write!(text, " {goal:.2} |");
            }
            let Median { value, low, high } = ratio;
            let _ = write!(text, " **{value:.2}** [{low:.2} to {high:.2}] |");
            if has_goals {
                let _ = write!(text, " {} |", verdict(comparison, ratio));
            }
            text.push('\n');
        }
    }

    fn write_costs(&self, text: &mut String) {
        let _ = writeln!(
            text,
            "\n## Microseconds\n\nAn Envoy without filters spends {:.1} µs of CPU on a request with a token. What a variant \
             takes above that:",
            self.measured.total(TOKEN_BASELINE).value
        );
        for (group, cases) in groups() {
            let _ = writeln!(text, "\n| {group} | µs per request |\n|---|---|");
            for case in cases {
                let Median { value, low, high } = self.measured.above(case.id);
                let what = case.what;
                let _ = writeln!(text, "| {what} | **{value:.1}** [{low:.1} to {high:.1}] |");
            }
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
}

/// Empty where there is no goal.
fn verdict(comparison: &Comparison, ratio: Median) -> &'static str {
    match comparison.at_most {
        Some(goal) if ratio.value <= goal => "ok",
        Some(_) => "missed",
        None => "",
    }
}
