//! `POST /v1/completions`.

use serde_json::{Value, json};

use super::event::Event;
use super::with_choices;
use crate::question::Question;

pub fn document(question: &Question<'_>) -> Event {
    let choices = (0..question.answers).map(|index| {
        let text = question.text(index);
        choice(index, &text, finish_reason(question))
    });
    let document = completion(question, choices.collect());
    with_choices::document(question, document)
}

pub fn stream(question: &Question<'_>) -> Vec<Event> {
    let all = || 0..question.answers;
    let words = (0..question.words).flat_map(|word| {
        all().map(move |index| choice(index, &question.word(index, word), Value::Null))
    });
    let end = all().map(|index| choice(index, "", finish_reason(question)));
    with_choices::stream(question, words.chain(end), |choices| {
        completion(question, choices)
    })
}

/// Documents and chunks have the same members.
fn completion(question: &Question<'_>, choices: Value) -> Value {
    json!({
        "id": question.id("cmpl-"),
        "object": "text_completion",
        "created": 1_767_225_600,
        "model": question.model,
        "choices": choices,
        "system_fingerprint": "fp_000000000000",
    })
}

fn choice(index: usize, text: &str, finish_reason: Value) -> Value {
    json!({
        "index": index,
        "text": text,
        "logprobs": null,
        "finish_reason": finish_reason,
    })
}

fn finish_reason(question: &Question<'_>) -> Value {
    json!(if question.is_cut_off {
        "length"
    } else {
        "stop"
    })
}
