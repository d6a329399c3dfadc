//! What chat completions and completions share: choices, their usage, and where a stream names it.

use serde_json::{Value, json};

use super::event::Event;
use crate::question::{Figures, Question};

/// The object, and what it claims.
pub fn usage(question: &Question<'_>) -> Option<(Value, Figures)> {
    let figures = question.figures(question.claimed.output)?;
    let usage = json!({
        "prompt_tokens": figures.all_input,
        "completion_tokens": figures.output,
        "total_tokens": figures.total,
        "prompt_tokens_details": { "cached_tokens": figures.cached, "audio_tokens": 0 },
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    });
    Some((usage, figures))
}

/// A document with its usage.
pub fn document(question: &Question<'_>, mut document: Value) -> Event {
    let Some((usage, figures)) = usage(question) else {
        return Event::document(&document);
    };
    document["usage"] = usage;
    Event::document(&document).claiming(figures.claimed)
}

/// A stream of chunks: `chunk` makes one of a list of choices. Where the usage is asked for, every chunk has a member for
/// it, which is null in all but one, whose list is empty.
pub fn stream(
    question: &Question<'_>,
    choices: impl IntoIterator<Item = Value>,
    chunk: impl Fn(Value) -> Value,
) -> Vec<Event> {
    let is_asked_for = question.body["stream_options"]["include_usage"] == true;
    let usage = usage(question).filter(|_| is_asked_for);
    let with_usage = |choices: Value, usage: Value| {
        let mut chunk = chunk(choices);
        if is_asked_for {
            chunk["usage"] = usage;
        }
        Event::data(&chunk)
    };
    let choices = choices.into_iter();
    let mut events: Vec<Event> = choices
        .map(|choice| with_usage(json!([choice]), Value::Null))
        .collect();
    if let Some((usage, figures)) = usage {
        events.push(with_usage(json!([]), usage).claiming(figures.claimed));
    }
    events.push(Event::done());
    events
}
