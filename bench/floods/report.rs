//! The results, as Markdown that a terminal can show as well.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use bench::clock;
use bench::figures::{grouped, mebibytes};
use bench::machine::{cpu_model, cpus, kernel};

use crate::Effort;
use crate::costs::Cost;
use crate::flood::Flooded;
use crate::good::Served;
use crate::services::INTROSPECTION;
use crate::waiting::Waited;

/// All results of a run.
pub struct Report {
    pub floods: Vec<Flooded>,
    pub waits: Vec<Waited>,
    pub costs: Vec<Cost>,
    pub envoy: String,
    /// The size of the module.
    pub module_bytes: u64,
    pub effort: Effort,
    /// The share of the machine's CPU time that other processes took.
    pub of_others: f64,
}

// === impl Report ===

impl Report {
    /// The file `docs/bench/floods.md`.
    pub fn markdown(&self) -> String {
        let mut text = String::from("# Floods\n\n");
        let _ = writeln!(
            text,
            "`make floods`, {}. Envoy {}, one worker; {}; {} CPUs; Linux {}; the module has {} bytes.\n\
             Other processes took {:.0} % of its CPU time meanwhile.\n\
             How it is measured: [bench/](../../bench/README.md#floods).\n",
            clock::today(),
            self.envoy,
            cpu_model(),
            cpus(),
            kernel(),
            grouped(self.module_bytes),
            self.of_others * 100.0,
        );
        self.write_floods(&mut text);
        self.write_waits(&mut text);
        self.write_costs(&mut text);
        text
    }

    fn write_floods(&self, text: &mut String) {
        let _ = writeln!(
            text,
            "## Good requests under a flood\n\n\
             {} s each, on an Envoy of its own. Good requests: 100 a second with a known JWT, 50 with one of ten opaque tokens \
             (`cache_ttl` 1 s, an introspection endpoint that takes {} ms), 100 with an API key. In each cell the share that \
             passed, and p50 / p99 of these in milliseconds; where not all passed, what became of the rest.\n\n\
             | flood | answered per second | with | JWT | opaque token | API key | CPU of Envoy | MiB, at the most | log KB/s | VMs lost |\n\
             |---|---|---|---|---|---|---|---|---|---|",
            self.effort.time.as_secs_f64(),
            INTROSPECTION.as_millis(),
        );
        for flooded in &self.floods {
            let (rate, verdicts) = match &flooded.attack {
                Some(attack) => (
                    grouped(attack.rate.round() as u64),
                    shares(&attack.verdicts),
                ),
                None => ("".to_owned(), "".to_owned()),
            };
            let good: Vec<String> = flooded.good.iter().map(served).collect();
            let strain = &flooded.strain;
            let [before, most] = strain.resident.map(mebibytes);
            let _ = writeln!(
                text,
                "| {} | {rate} | {verdicts} | {} | {:.0} % | {most:.0} (+{:.0}) | {:.0} | {} |",
                flooded.what,
                good.join(" | "),
                strain.cpu * 100.0,
                most - before,
                strain.logged / 1000.0,
                strain.reloads,
            );
        }
        let _ = writeln!(text, "\nWhat the filter asked in that time:\n");
        for flooded in &self.floods {
            let _ = writeln!(
                text,
                "- {}: {} introspections, {} fetches of keys, {} polls of the revocation list",
                flooded.what, flooded.questions, flooded.fetches, flooded.polls
            );
        }
    }

    fn write_waits(&self, text: &mut String) {
        let _ = writeln!(
            text,
            "\n## Connections that wait\n\n\
             A request on each of so many connections, all at once; each waits for a callout that is never answered.\n\n\
             | they wait for | connections | under way at once | timeout s | last answer after s | ended with | JWT | opaque token | API key | CPU of Envoy | KiB per connection | and per request that waits | VMs lost |\n\
             |---|---|---|---|---|---|---|---|---|---|---|---|---|"
        );
        for waited in &self.waits {
            let good: Vec<String> = waited.good.iter().map(served).collect();
            let each = |bytes: u64| bytes as f64 / 1024.0 / waited.connections.max(1) as f64;
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {:.2} | {} | {} | {:.0} % | {:.1} | {:.1} | {} |",
                waited.what,
                grouped(waited.connections as u64),
                grouped(waited.under_way),
                waited.timeout,
                waited.last,
                shares(&waited.ends),
                good.join(" | "),
                waited.strain.cpu * 100.0,
                each(waited.idle),
                each(waited.waiting),
                waited.strain.reloads,
            );
        }
        let _ = writeln!(text, "\nGood requests when that is over:\n");
        for waited in &self.waits {
            let good = waited.good_after.iter();
            let good: Vec<String> = good.map(|s| format!("{} {}", s.what, served(s))).collect();
            let _ = writeln!(text, "- {}: {}", waited.what, good.join("; "));
        }
    }

    fn write_costs(&self, text: &mut String) {
        let Effort {
            rounds, requests, ..
        } = self.effort;
        let _ = writeln!(
            text,
            "\n## One refused request\n\n\
             Microseconds of Envoy's CPU above an Envoy without the filter that gets the same bytes and answers 200. Median of \
             {rounds} rounds of {requests} requests; in brackets the interval that holds the true median in 95 of 100 runs. \
             Audit lines are on, at most 100 a second, as by default.\n\n\
             | refused | answer | µs | an Envoy without the filter, µs |\n|---|---|---|---|"
        );
        for cost in &self.costs {
            let above = cost.above;
            let _ = writeln!(
                text,
                "| {} | {} | **{:.1}** [{:.1} to {:.1}] | {:.1} |",
                cost.what, cost.verdict, above.value, above.low, above.high, cost.without.value
            );
        }
    }
}

fn served(served: &Served) -> String {
    let Served {
        due, passed, rest, ..
    } = served;
    let mut text = percent(*passed, *due);
    if *passed > 0 {
        let (p50, p99) = (served.p50 / 1000.0, served.p99 / 1000.0);
        let _ = write!(text, ", {p50:.1} / {p99:.1}");
    }
    for (what, count) in rest {
        let _ = write!(text, "; {count} × {what}");
    }
    text
}

/// As in `401 TOKEN_INACTIVE 12 %, 503 88 %`.
fn shares(counts: &BTreeMap<String, usize>) -> String {
    let all = counts.values().sum();
    let share = |(what, count): (&String, &usize)| format!("{what} {}", percent(*count, all));
    let shares: Vec<String> = counts.iter().map(share).collect();
    shares.join(", ")
}

/// 100 % only where it is all of them.
fn percent(part: usize, all: usize) -> String {
    match part == all {
        true => "100 %".to_owned(),
        false => format!("{:.1} %", (part as f64 / all as f64 * 100.0).min(99.9)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_all_is_never_said_to_be() {
        assert_eq!(percent(250, 250), "100 %");
        assert_eq!(percent(99_999, 100_000), "99.9 %");
        assert_eq!(percent(0, 250), "0.0 %");
    }
}
