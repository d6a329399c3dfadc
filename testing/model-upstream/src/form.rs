//! Answers in the forms of the APIs.

mod chat;
mod completions;
mod embeddings;
mod event;
mod messages;
mod responses;
mod with_choices;

use serde_json::{Value, json};

pub use self::event::Event;
use crate::question::Question;
use crate::steering::Api;

/// An answer: a JSON document, or the events of a stream.
pub enum Form {
    Document(Event),
    Stream(Vec<Event>),
}

/// The answer to a question.
pub fn answer(api: Api, question: &Question<'_>) -> Form {
    let (document, stream) = (Form::Document, Form::Stream);
    match (api, question.is_stream) {
        (Api::Chat, false) => document(chat::document(question)),
        (Api::Chat, true) => stream(chat::stream(question)),
        (Api::Completions, false) => document(completions::document(question)),
        (Api::Completions, true) => stream(completions::stream(question)),
        // It has no streams.
        (Api::Embeddings, _) => document(embeddings::document(question)),
        (Api::Messages, false) => document(messages::document(question)),
        (Api::Messages, true) => stream(messages::stream(question)),
        (Api::Responses, false) => document(responses::document(question)),
        (Api::Responses, true) => stream(responses::stream(question)),
    }
}

/// An error as the API's clients know it.
pub fn error(api: Option<Api>, status: u16, message: &str) -> Value {
    let kind = match status {
        400 => "invalid_request_error",
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        _ => "api_error",
    };
    match api {
        Some(Api::Messages) => json!({
            "type": "error",
            "error": { "type": kind, "message": message },
            "request_id": "req_000000000000000000000000",
        }),
        _ => json!({
            "error": { "message": message, "type": kind, "param": null, "code": null },
        }),
    }
}
