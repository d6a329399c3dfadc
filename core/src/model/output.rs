//! How much output a body asks for.

use crate::api::Api;
use crate::json::{Object, Value};
use crate::model::fault::MalformedBody;

/// How much output a body asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OutputWish {
    /// The largest maximum that it names.
    largest: Option<u64>,
    /// How many answers the maximum is for.
    answers: u64,
}

/// The names of a maximum. A server may know others than its API does, so all of them count everywhere.
const MAXIMA: [&str; 3] = ["max_completion_tokens", "max_output_tokens", "max_tokens"];

// === impl OutputWish ===

impl OutputWish {
    /// Reads what a body says about its output.
    pub fn read(body: &Object<'_>, api: Api) -> Result<Self, MalformedBody> {
        let mut largest = None;
        for name in MAXIMA {
            largest = largest.max(whole(body, name, 0)?);
        }
        let choices = whole(body, "n", 1)?.max(whole(body, "best_of", 1)?);
        let choices = choices.unwrap_or(1);
        let answers = match api {
            Api::Embeddings => 0,
            Api::Completions => choices.saturating_mul(prompts(body)),
            Api::Chat | Api::Messages | Api::Responses => choices,
        };
        Ok(OutputWish { largest, answers })
    }

    /// Whether any maximum is above this bound.
    pub fn exceeds(&self, bound: u64) -> bool {
        self.largest.is_some_and(|largest| largest > bound)
    }

    /// The tokens of output that may come; `unsaid` for each answer where the body names no maximum.
    pub fn tokens(&self, unsaid: u64) -> u64 {
        self.largest.unwrap_or(unsaid).saturating_mul(self.answers)
    }
}

/// A number that is whole and not below `least`; `None` where it is left out.
fn whole(body: &Object<'_>, name: &str, least: u64) -> Result<Option<u64>, MalformedBody> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let whole = value.as_whole().filter(|whole| *whole >= least);
            whole.map(Some).ok_or(MalformedBody)
        }
    }
}

/// How many prompts a completion is for. A list of numbers is one prompt, in tokens.
fn prompts(body: &Object<'_>) -> u64 {
    let is_token = |item: &Value<'_>| matches!(item, Value::Number(_));
    match body.get("prompt") {
        Some(Value::Array(items)) if !items.iter().all(is_token) => {
            u64::try_from(items.len()).unwrap_or(u64::MAX)
        }
        _ => 1,
    }
}

#[cfg(test)]
mod tests;
