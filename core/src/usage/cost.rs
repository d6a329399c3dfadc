//! What an answer costs.

use crate::api::{Estimate, Unit};
use crate::usage::counts::Usage;

/// What became of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// The upstream refused it, or never had it, or dropped it: it costs nothing.
    Nothing,
    /// The answer says what it used.
    Used(Usage),
    /// It was answered, or may have been, and what it used is not known.
    Unknown {
        /// What the answer named before it ended.
        named: Usage,
        /// The data events of the stream that came before it ended.
        events: u64,
    },
}

/// What an outcome costs a budget, for a request that was thought to use `estimate`.
///
/// Where the usage is not known it is the largest of the estimate, of what was named, and of one token of output
/// for each event. A request counts as one even if it was not answered: its estimate is one.
pub fn cost(outcome: &Outcome, unit: Unit, estimate: Estimate) -> u64 {
    match (outcome, unit) {
        (Outcome::Nothing, _) => 0,
        (_, Unit::Requests) => 1,
        (Outcome::Used(usage), Unit::InputTokens) => usage.input,
        (Outcome::Used(usage), Unit::OutputTokens) => usage.output,
        (Outcome::Used(usage), Unit::TotalTokens) => usage.total,
        (Outcome::Unknown { named, .. }, Unit::InputTokens) => estimate.input.max(named.input),
        (Outcome::Unknown { named, events }, Unit::OutputTokens) => {
            estimate.output.max(named.output).max(*events)
        }
        (Outcome::Unknown { named, events }, Unit::TotalTokens) => {
            let output = estimate.output.max(*events);
            estimate.input.saturating_add(output).max(named.total)
        }
    }
}

// === impl Outcome ===

impl Outcome {
    /// Of an answer that says nothing.
    pub const UNSAID: Outcome = Outcome::Unknown {
        named: Usage {
            input: 0,
            output: 0,
            total: 0,
        },
        events: 0,
    };
}

#[cfg(test)]
mod tests;
