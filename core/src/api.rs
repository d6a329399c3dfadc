//! The APIs of model providers.

/// What a path of a model provider's API speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Api {
    /// OpenAI's chat completions.
    Chat,
    /// OpenAI's completions.
    Completions,
    /// OpenAI's embeddings.
    Embeddings,
    /// Anthropic's messages.
    Messages,
    /// OpenAI's responses.
    Responses,
}

/// What a budget counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unit {
    /// Tokens that went in.
    InputTokens,
    /// Tokens that came out.
    OutputTokens,
    /// Requests that were answered.
    Requests,
    /// Tokens in both directions.
    TotalTokens,
}

/// What a request is thought to use before it goes up.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Estimate {
    /// Tokens that go in.
    pub input: u64,
    /// Tokens that come out at most.
    pub output: u64,
}

// === impl Api ===

impl Api {
    /// As configurations write them.
    pub const NAMES: [(&'static str, Api); 5] = [
        ("chat", Api::Chat),
        ("completions", Api::Completions),
        ("responses", Api::Responses),
        ("embeddings", Api::Embeddings),
        ("messages", Api::Messages),
    ];

    /// What a path speaks, by its end.
    pub fn of_path(path: &str) -> Option<Api> {
        const ENDS: [(&str, Api); 5] = [
            ("/chat/completions", Api::Chat),
            ("/completions", Api::Completions),
            ("/embeddings", Api::Embeddings),
            ("/messages", Api::Messages),
            ("/responses", Api::Responses),
        ];
        let api = ENDS.iter().find(|(end, _)| path.ends_with(end));
        api.map(|(_, api)| *api)
    }
}

// === impl Unit ===

impl Unit {
    /// As configurations write them.
    pub const NAMES: [(&'static str, Unit); 4] = [
        ("total_tokens", Unit::TotalTokens),
        ("input_tokens", Unit::InputTokens),
        ("output_tokens", Unit::OutputTokens),
        ("requests", Unit::Requests),
    ];
}
