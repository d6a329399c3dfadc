//! The numbers of an answer's usage.

use crate::api::Api;

/// What an answer used, in tokens.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Usage {
    /// What went in.
    pub input: u64,
    /// What came out.
    pub output: u64,
    /// The larger of what the answer calls the total, and both together.
    pub total: u64,
}

/// A member of a usage object that counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Field {
    /// Anthropic's input that was written to a cache.
    CacheCreation,
    /// Anthropic's input that was read from a cache.
    CacheRead,
    /// What went in.
    Input,
    /// What came out.
    Output,
    /// Both.
    Total,
}

/// What was named so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    cache_creation: Count,
    cache_read: Count,
    input: Count,
    output: Count,
    total: Count,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    /// The last number, zero before the first.
    last: u64,
    standing: Standing,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Standing {
    #[default]
    Absent,
    Known,
    /// The last value was no number of tokens.
    Unreadable,
}

// === impl Field ===

impl Field {
    /// The field that an API has under this name.
    ///
    /// OpenAI's counts of cached and reasoned tokens are parts of the others. Anthropic's cached input is not
    /// within `input_tokens`.
    pub fn of(api: Api, name: &[u8]) -> Option<Field> {
        match (api, name) {
            (_, b"total_tokens") => Some(Field::Total),
            (Api::Chat | Api::Completions | Api::Embeddings, b"prompt_tokens") => {
                Some(Field::Input)
            }
            (Api::Chat | Api::Completions | Api::Embeddings, b"completion_tokens") => {
                Some(Field::Output)
            }
            (Api::Messages | Api::Responses, b"input_tokens") => Some(Field::Input),
            (Api::Messages | Api::Responses, b"output_tokens") => Some(Field::Output),
            (Api::Messages, b"cache_creation_input_tokens") => Some(Field::CacheCreation),
            (Api::Messages, b"cache_read_input_tokens") => Some(Field::CacheRead),
            _ => None,
        }
    }
}

// === impl Counts ===

impl Counts {
    /// Takes the next value of a field; `None` is one that is no number of tokens.
    pub fn take(&mut self, field: Field, tokens: Option<u64>) {
        let count = match field {
            Field::CacheCreation => &mut self.cache_creation,
            Field::CacheRead => &mut self.cache_read,
            Field::Input => &mut self.input,
            Field::Output => &mut self.output,
            Field::Total => &mut self.total,
        };
        *count = match tokens {
            Some(tokens) => Count {
                last: tokens,
                standing: Standing::Known,
            },
            None => Count {
                last: count.last,
                standing: Standing::Unreadable,
            },
        };
    }

    /// The usage, where all that an API must name is known by its last value.
    pub fn usage(&self, api: Api) -> Option<Usage> {
        let may_lack_output = api == Api::Embeddings;
        let input =
            self.input.is_known() && self.cache_creation.is_fine() && self.cache_read.is_fine();
        let output = self.output.is_known() || may_lack_output && self.output.is_fine();
        (input && output).then(|| self.named())
    }

    /// The last numbers of all fields, where they are numbers; zero for what was not named.
    pub fn named(&self) -> Usage {
        let cached = self
            .cache_creation
            .last
            .saturating_add(self.cache_read.last);
        let input = self.input.last.saturating_add(cached);
        let output = self.output.last;
        let total = self.total.last.max(input.saturating_add(output));
        Usage {
            input,
            output,
            total,
        }
    }
}

// === impl Count ===

impl Count {
    fn is_known(&self) -> bool {
        self.standing == Standing::Known
    }

    /// Whether it is known, or nothing was said.
    fn is_fine(&self) -> bool {
        self.standing != Standing::Unreadable
    }
}
