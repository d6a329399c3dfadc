//! `POST /v1/chat/completions`.

use serde_json::{Value, json};

use super::event::Event;
use super::with_choices;
use crate::question::Question;

/// All timestamps: 2026-01-01T00:00:00Z.
const CREATED: u64 = 1_767_225_600;

pub fn document(question: &Question<'_>) -> Event {
    let choice = |index: usize| {
        json!({
            "index": index,
            "message": {
                "role": "assistant",
                "content": question.text(index),
                "refusal": null,
                "annotations": [],
            },
            "logprobs": null,
            "finish_reason": finish_reason(question),
        })
    };
    let document = json!({
        "id": question.id("chatcmpl-"),
        "object": "chat.completion",
        "created": CREATED,
        "model": question.model,
        "choices": (0..question.answers).map(choice).collect::<Vec<_>>(),
        "service_tier": "default",
        "system_fingerprint": "fp_000000000000",
    });
    with_choices::document(question, document)
}

pub fn stream(question: &Question<'_>) -> Vec<Event> {
    let all = || 0..question.answers;
    let choice = |index: usize, delta: Value, finish_reason: Value| {
        json!({
            "index": index,
            "delta": delta,
            "logprobs": null,
            "finish_reason": finish_reason,
        })
    };
    let begin = all().map(|index| {
        let delta = json!({ "role": "assistant", "content": "", "refusal": null });
        choice(index, delta, Value::Null)
    });
    let words = (0..question.words).flat_map(|word| {
        all().map(move |index| {
            let delta = json!({ "content": question.word(index, word) });
            choice(index, delta, Value::Null)
        })
    });
    let end = all().map(|index| choice(index, json!({}), finish_reason(question).into()));
    with_choices::stream(question, begin.chain(words).chain(end), |choices| {
        json!({
            "id": question.id("chatcmpl-"),
            "object": "chat.completion.chunk",
            "created": CREATED,
            "model": question.model,
            "choices": choices,
            "service_tier": "default",
            "system_fingerprint": "fp_000000000000",
        })
    })
}

fn finish_reason(question: &Question<'_>) -> &'static str {
    if question.is_cut_off {
        "length"
    } else {
        "stop"
    }
}
