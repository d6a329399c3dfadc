//! A piece of an answer that belongs together.

use serde_json::Value;

use crate::journal::Claimed;

/// A document, or an event of a stream.
pub struct Event {
    pub text: String,
    /// The usage that it names.
    pub claimed: Option<Claimed>,
}

impl Event {
    pub fn document(document: &Value) -> Self {
        Self::of(document.to_string())
    }

    /// As OpenAI's chat completions and completions have them.
    pub fn data(data: &Value) -> Self {
        Self::of(format!("data: {data}\n\n"))
    }

    /// With the name that its data has as `type`.
    pub fn named(data: &Value) -> Self {
        let name = data["type"].as_str().unwrap_or_default();
        Self::of(format!("event: {name}\ndata: {data}\n\n"))
    }

    /// The last of OpenAI's chat completions and completions.
    pub fn done() -> Self {
        Self::of("data: [DONE]\n\n".to_owned())
    }

    pub fn claiming(mut self, claimed: Option<Claimed>) -> Self {
        self.claimed = claimed;
        self
    }

    fn of(text: String) -> Self {
        Self {
            text,
            claimed: None,
        }
    }
}
