//! `POST /v1/responses`.

use serde_json::{Value, json};

use super::event::Event;
use crate::journal::Claimed;
use crate::question::{Figures, PADDING, Question};

pub fn document(question: &Question<'_>) -> Event {
    let (response, claimed) = ended(question, &question.text(0));
    Event::document(&response).claiming(claimed)
}

pub fn stream(question: &Question<'_>) -> Vec<Event> {
    let id = question.id("msg_");
    let begun = response(question, "in_progress", json!([]));
    let empty = json!({
        "id": id,
        "type": "message",
        "status": "in_progress",
        "role": "assistant",
        "content": [],
    });
    let of_part = json!({ "item_id": id, "output_index": 0, "content_index": 0 });
    let mut events = Numbered::default();
    events.push("response.created", json!({ "response": begun }));
    events.push("response.in_progress", json!({ "response": begun }));
    let item = json!({ "output_index": 0, "item": empty });
    events.push("response.output_item.added", item);
    let added = with(&of_part, "part", part(""));
    events.push("response.content_part.added", added);
    for i in 0..question.words {
        let delta = with(&of_part, "delta", json!(question.word(0, i)));
        events.push(
            "response.output_text.delta",
            with(&delta, "logprobs", json!([])),
        );
    }
    // The padding of a huge answer is in its delta alone.
    let text = question.text(0).replace(PADDING, "");
    let done = with(&of_part, "text", json!(text));
    events.push(
        "response.output_text.done",
        with(&done, "logprobs", json!([])),
    );
    events.push(
        "response.content_part.done",
        with(&of_part, "part", part(&text)),
    );
    let item = message(question, &text);
    events.push(
        "response.output_item.done",
        json!({ "output_index": 0, "item": item }),
    );
    let (response, claimed) = ended(question, &text);
    events.push(
        &format!("response.{}", status(question)),
        json!({ "response": response }),
    );
    let mut events = events.0;
    if let Some(last) = events.last_mut() {
        last.claimed = claimed;
    }
    events
}

/// Events that are numbered from 0.
#[derive(Default)]
struct Numbered(Vec<Event>);

impl Numbered {
    fn push(&mut self, name: &str, mut data: Value) {
        data["type"] = json!(name);
        data["sequence_number"] = json!(self.0.len());
        self.0.push(Event::named(&data));
    }
}

fn with(object: &Value, name: &str, value: Value) -> Value {
    let mut object = object.clone();
    object[name] = value;
    object
}

/// The whole response, and what it claims.
fn ended(question: &Question<'_>, text: &str) -> (Value, Option<Claimed>) {
    let output = json!([message(question, text)]);
    let mut response = response(question, status(question), output);
    let figures = question.figures(question.claimed.output);
    if let Some(figures) = &figures {
        response["usage"] = usage(figures);
    }
    (response, figures.and_then(|figures| figures.claimed))
}

fn response(question: &Question<'_>, status: &str, output: Value) -> Value {
    let body = &question.body;
    let incomplete = match status {
        "incomplete" => json!({ "reason": "max_output_tokens" }),
        _ => Value::Null,
    };
    json!({
        "id": question.id("resp_"),
        "object": "response",
        "created_at": 1_767_225_600,
        "status": status,
        "background": false,
        "error": null,
        "incomplete_details": incomplete,
        "instructions": body["instructions"],
        "max_output_tokens": body["max_output_tokens"],
        "metadata": {},
        "model": question.model,
        "output": output,
        "parallel_tool_calls": true,
        "previous_response_id": body["previous_response_id"],
        "reasoning": { "effort": null, "summary": null },
        "service_tier": "default",
        "store": true,
        "temperature": 1.0,
        "text": { "format": { "type": "text" } },
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": null,
        "user": null,
    })
}

fn message(question: &Question<'_>, text: &str) -> Value {
    json!({
        "id": question.id("msg_"),
        "type": "message",
        "status": status(question),
        "role": "assistant",
        "content": [part(text)],
    })
}

fn part(text: &str) -> Value {
    json!({ "type": "output_text", "annotations": [], "logprobs": [], "text": text })
}

fn usage(figures: &Figures) -> Value {
    json!({
        "input_tokens": figures.all_input,
        "input_tokens_details": { "cached_tokens": figures.cached, "cache_write_tokens": 0 },
        "output_tokens": figures.output,
        "output_tokens_details": { "reasoning_tokens": 0 },
        "total_tokens": figures.total,
    })
}

fn status(question: &Question<'_>) -> &'static str {
    if question.is_cut_off {
        "incomplete"
    } else {
        "completed"
    }
}
