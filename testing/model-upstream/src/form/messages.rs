//! `POST /v1/messages`.

use serde_json::{Value, json};

use super::event::Event;
use crate::question::{Figures, Question};

pub fn document(question: &Question<'_>) -> Event {
    let content = json!([{ "type": "text", "text": question.text(0) }]);
    let mut message = message(question, content, stop_reason(question));
    let Some(figures) = question.figures(question.claimed.output) else {
        return Event::document(&message);
    };
    message["usage"] = usage(&figures);
    Event::document(&message).claiming(figures.claimed)
}

pub fn stream(question: &Question<'_>) -> Vec<Event> {
    let mut message = message(question, json!([]), Value::Null);
    // The count so far, which the last one replaces.
    let at_start = question.figures(question.claimed.output.min(1));
    let claimed = at_start.as_ref().and_then(|figures| figures.claimed);
    if let Some(figures) = &at_start {
        message["usage"] = usage(figures);
    }
    let start = json!({ "type": "message_start", "message": message });
    let mut events = vec![
        Event::named(&start).claiming(claimed),
        Event::named(&json!({
            "type": "content_block_start",
            "index": 0,
            "content_block": { "type": "text", "text": "" },
        })),
        Event::named(&json!({ "type": "ping" })),
    ];
    events.extend((0..question.words).map(|i| {
        Event::named(&json!({
            "type": "content_block_delta",
            "index": 0,
            "delta": { "type": "text_delta", "text": question.word(0, i) },
        }))
    }));
    events.push(Event::named(
        &json!({ "type": "content_block_stop", "index": 0 }),
    ));
    let mut delta = json!({
        "type": "message_delta",
        "delta": { "stop_reason": stop_reason(question), "stop_sequence": null },
    });
    let at_end = question.figures(question.claimed.output);
    if let Some(figures) = &at_end {
        delta["usage"] = json!({ "output_tokens": figures.output });
    }
    let claimed = at_end.and_then(|figures| figures.claimed);
    events.push(Event::named(&delta).claiming(claimed));
    events.push(Event::named(&json!({ "type": "message_stop" })));
    events
}

fn message(question: &Question<'_>, content: Value, stop_reason: Value) -> Value {
    json!({
        "id": question.id("msg_"),
        "type": "message",
        "role": "assistant",
        "model": question.model,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": null,
    })
}

fn usage(figures: &Figures) -> Value {
    json!({
        "input_tokens": figures.input,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": figures.cached,
        "cache_creation": { "ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0 },
        "output_tokens": figures.output,
        "service_tier": "standard",
    })
}

fn stop_reason(question: &Question<'_>) -> Value {
    json!(if question.is_cut_off {
        "max_tokens"
    } else {
        "end_turn"
    })
}
