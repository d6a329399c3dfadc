//! What is wrong with a key of the configuration.

use std::fmt;
use std::time::Duration;

use crate::clock::HumanDuration;

/// A key with an invalid value.
#[derive(Debug, PartialEq)]
pub struct Invalid {
    key: String,
    problem: &'static str,
}

/// A duration of whole seconds, as claims have it.
pub fn seconds(
    entry: Option<HumanDuration>,
    default: Duration,
    key: &str,
    faults: &mut Vec<Invalid>,
) -> Duration {
    let Some(HumanDuration(duration)) = entry else {
        return default;
    };
    if duration.is_zero() || duration.subsec_nanos() > 0 {
        faults.push(Invalid::new(key, "expected whole seconds, one or more"));
    }
    duration
}

// === impl Invalid ===

impl Invalid {
    /// Of the key at this path.
    pub fn new(key: &str, problem: &'static str) -> Self {
        Self {
            key: key.to_owned(),
            problem,
        }
    }

    /// Of a key of the client with this index.
    pub fn of_client(index: usize, key: &str, problem: &'static str) -> Self {
        Self {
            key: format!("clients[{index}].{key}"),
            problem,
        }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.problem)
    }
}
