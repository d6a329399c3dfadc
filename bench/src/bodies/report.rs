//! The results of the variants that read bodies, for a terminal and as Markdown.

use std::fmt::Write as _;

use bench::figures::grouped;
use bench::statistics::Median;

use crate::Effort;
use crate::bodies::variants::{JSON_BYTES, Kind, LONG, REQUEST_BYTES, Variant};
use crate::bodies::{Cost, Measured};

/// What Portcullis costs, divided by what its peer costs.
struct Comparison {
    what: &'static str,
    cost: Cost,
    peer: Variant,
    at_most: f64,
}

const REQUEST: &str = "a chat request of 4 KB, without the events of its answer";
const EVENT: &str = "an event of its answer";
const STREAM: &str = "the request with a streamed answer of 400 events, usage at its end";
const JSON: &str = "the request with an answer of 64 KB in JSON, with usage";

const COMPARISONS: [Comparison; 6] = [
    Comparison {
        what: REQUEST,
        cost: Cost::Request,
        peer: Variant::HoldAndRead,
        at_most: 1.5,
    },
    Comparison {
        what: EVENT,
        cost: Cost::Event,
        peer: Variant::HoldAndRead,
        at_most: 1.5,
    },
    Comparison {
        what: STREAM,
        cost: Cost::Whole(Kind::Long),
        peer: Variant::HoldAndRead,
        at_most: 1.5,
    },
    Comparison {
        what: JSON,
        cost: Cost::Whole(Kind::Json),
        peer: Variant::HoldAndRead,
        at_most: 1.5,
    },
    Comparison {
        what: STREAM,
        cost: Cost::Whole(Kind::Long),
        peer: Variant::ExtProc,
        at_most: 0.25,
    },
    Comparison {
        what: JSON,
        cost: Cost::Whole(Kind::Json),
        peer: Variant::ExtProc,
        at_most: 0.25,
    },
];

/// The tables of costs.
const COSTS: [(&str, Cost); 4] = [
    (REQUEST, Cost::Request),
    (EVENT, Cost::Event),
    (STREAM, Cost::Whole(Kind::Long)),
    (JSON, Cost::Whole(Kind::Json)),
];

// === impl Measured ===

impl Measured {
    /// All figures, in short.
    pub fn summary(&self) -> String {
        let mut text = String::new();
        for comparison in &COMPARISONS {
            let Comparison {
                what,
                peer,
                at_most,
                ..
            } = comparison;
            let Median { value, low, high } = self.ratio(comparison.cost, *peer);
            let verdict = comparison.verdict(value);
            let against = peer.what();
            let _ = writeln!(
                text,
                "{verdict:<6} {value:>5.2} [{low:.2} to {high:.2}], at most {at_most:.2}: {what} / {against}"
            );
        }
        text.push('\n');
        for (what, cost) in COSTS {
            for variant in others() {
                let above = self.above(cost, variant);
                let total = match cost {
                    Cost::Whole(kind) => {
                        format!("{:>8.1} µs in all", self.total(kind, variant).value)
                    }
                    Cost::Request | Cost::Event => " ".repeat(18),
                };
                let _ = writeln!(
                    text,
                    "{:>8.2} µs {total}  {what} | {}",
                    above.value,
                    variant.what()
                );
            }
        }
        text
    }

    /// The sections of `docs/bench/results.md`.
    pub fn markdown(&self, effort: &Effort) -> String {
        let mut text = String::new();
        let Effort {
            rounds,
            requests,
            connections,
            ..
        } = effort;
        let _ = writeln!(
            text,
            "\n## Decisions from bodies\n\n\
             `portcullis-ai.wasm` ({} bytes) with one rule: an API key, a model that is allowed, a maximum of tokens, a budget for each \
             client. Requests of {} bytes go to a model's server on the same machine, and its answers come back: a stream of {LONG} \
             events, each read by itself, or {} bytes of JSON. Of ext_proc the CPU of Envoy and of its service are added up.\n\n\
             Ratios of the CPU above an Envoy without filters. Median of {rounds} rounds over {connections} connections, of {} requests each \
             with a long stream, {} with a short one and {} with JSON, all variants in turns in one process. An event costs the \
             difference of long streams and short ones, divided by the events that these lack.\n\n\
             | what | against | at most | measured | |\n|---|---|---|---|---|",
            grouped(self.module_bytes),
            grouped(REQUEST_BYTES as u64),
            grouped(JSON_BYTES as u64),
            Kind::Long.share(*requests),
            Kind::Short.share(*requests),
            Kind::Json.share(*requests),
        );
        for comparison in &COMPARISONS {
            let Comparison { what, at_most, .. } = comparison;
            let Median { value, low, high } = self.ratio(comparison.cost, comparison.peer);
            let (verdict, against) = (comparison.verdict(value), comparison.peer.what());
            let _ = writeln!(
                text,
                "| {what} | {against} | {at_most:.2} | **{value:.2}** [{low:.2} to {high:.2}] | {verdict} |"
            );
        }
        for (what, cost) in COSTS {
            let _ = writeln!(text, "\n| µs for {what} | |\n|---|---|");
            if let Cost::Whole(kind) = cost {
                let Median { value, .. } = self.total(kind, Variant::None);
                let _ = writeln!(text, "| no filter, in all | {value:.1} |");
            }
            for variant in others() {
                let Median { value, low, high } = self.above(cost, variant);
                let what = variant.what();
                let _ = writeln!(text, "| {what} | **{value:.2}** [{low:.2} to {high:.2}] |");
            }
        }
        text
    }
}

// === impl Comparison ===

impl Comparison {
    fn verdict(&self, ratio: f64) -> &'static str {
        match ratio <= self.at_most {
            true => "ok",
            false => "missed",
        }
    }
}

/// All variants but the baseline.
fn others() -> impl Iterator<Item = Variant> {
    Variant::ALL
        .into_iter()
        .filter(|variant| *variant != Variant::None)
}
