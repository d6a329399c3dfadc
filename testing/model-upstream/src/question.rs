//! A request, read: what is asked for, and how much is said and claimed.

use serde_json::{Value, json};

use crate::journal::Claimed;
use crate::steering::{Api, Steering, UsageForm};

/// What is said where no maximum is named.
const WORDS: usize = 16;

/// Answers that one request may ask for.
const MOST_ANSWERS: usize = 128;

/// The text: some of it is not ASCII, so that a cut may fall within a character.
const TEXT: [&str; 12] = [
    "Every", "answer", "here", "is", "made", "of", "the", "same", "twelve", "words", "für", "世界,",
];

/// Stands where a huge answer has its padding: a character for private use, which no client sends.
pub const PADDING: char = '\u{f8ff}';

pub struct Question<'s> {
    pub number: u64,
    pub body: Value,
    pub model: String,
    pub is_stream: bool,
    /// How many answers it gets.
    pub answers: usize,
    /// Words of each answer.
    pub words: usize,
    /// The answer ends because the request's maximum is reached.
    pub is_cut_off: bool,
    /// What is claimed at the end, in whatever form.
    pub claimed: Claimed,
    pub steering: &'s Steering,
}

/// A usage in the form that the request asked for.
pub struct Figures {
    pub input: Value,
    pub cached: Value,
    /// Input and cached together.
    pub all_input: Value,
    pub output: Value,
    pub total: Value,
    /// `None` where nobody can read it.
    pub claimed: Option<Claimed>,
}

impl<'s> Question<'s> {
    /// An error says what the provider would complain about.
    pub fn read(
        number: u64,
        path: &str,
        api: Api,
        body: &[u8],
        steering: &'s Steering,
    ) -> Result<Self, String> {
        let body: Value = serde_json::from_slice(body).map_err(|error| {
            format!("We could not parse the JSON body of your request: {error}")
        })?;
        if !body.is_object() {
            return Err("The body of your request is no JSON object".to_owned());
        }
        // `/model/{model}/invoke` names it in the path.
        let in_path = path.rsplit('/').nth(1).unwrap_or_default();
        let model = body["model"].as_str().unwrap_or(in_path).to_owned();
        let (n, tried, prompts) = match api {
            Api::Chat => (count(&body, "n"), count(&body, "n"), 1),
            Api::Completions => {
                let n = count(&body, "n");
                (n, n.max(count(&body, "best_of")), inputs(&body).len())
            }
            Api::Embeddings | Api::Messages | Api::Responses => (1, 1, 1),
        };
        if tried > MOST_ANSWERS {
            return Err(format!("`n` and `best_of` are at most {MOST_ANSWERS}"));
        }
        let maximum = maximum(&body);
        let words = steering.output_tokens;
        let words = words.unwrap_or_else(|| maximum.unwrap_or(WORDS).min(WORDS));
        let words = if api == Api::Embeddings { 0 } else { words };
        let output = (words * tried).saturating_mul(prompts) as u64;
        let input = steering
            .input_tokens
            .unwrap_or_else(|| words_of_input(&body));
        Ok(Self {
            number,
            model,
            is_stream: body["stream"] == true,
            answers: n * prompts,
            words,
            is_cut_off: maximum.is_some_and(|maximum| words >= maximum),
            claimed: Claimed {
                input: input.saturating_add(steering.cached_tokens),
                output,
            },
            steering,
            body,
        })
    }

    /// A word of the answer with this number, as it stands in the text.
    pub fn word(&self, answer: usize, index: usize) -> String {
        let space = if index == 0 { "" } else { " " };
        let word = TEXT[index % TEXT.len()];
        if self.steering.huge.is_some() && answer == 0 && index == 0 {
            return format!("{PADDING}{word}");
        }
        format!("{space}{word}")
    }

    /// All words of an answer.
    pub fn text(&self, answer: usize) -> String {
        (0..self.words).map(|i| self.word(answer, i)).collect()
    }

    /// An id that ends with the request's number.
    pub fn id(&self, prefix: &str) -> String {
        format!("{prefix}{:024}", self.number)
    }

    /// The usage after so many output tokens; `None` where the answer is to name none.
    pub fn figures(&self, output: u64) -> Option<Figures> {
        let claimed = Claimed {
            output,
            ..self.claimed
        };
        let cached = self.steering.cached_tokens;
        let input = claimed.input.saturating_sub(cached);
        let numbers = [input, cached, claimed.input, output, claimed.total()];
        let (values, claimed) = match self.steering.usage_form {
            UsageForm::Absent => return None,
            UsageForm::Whole => (numbers.map(Value::from), Some(claimed)),
            UsageForm::Float => (numbers.map(|it| json!(it as f64)), Some(claimed)),
            UsageForm::Wrong => {
                let words = [input, cached, claimed.input].map(|it| json!(it.to_string()));
                let [input, cached, all_input] = words;
                ([input, cached, all_input, json!(-1), Value::Null], None)
            }
        };
        let [input, cached, all_input, output, total] = values;
        Some(Figures {
            input,
            cached,
            all_input,
            output,
            total,
            claimed,
        })
    }
}

/// The prompts of a completion, or what is to be embedded: a text, its tokens, or a list of either.
pub fn inputs(body: &Value) -> Vec<&Value> {
    let given = if body["prompt"].is_null() {
        &body["input"]
    } else {
        &body["prompt"]
    };
    match given {
        Value::Array(all) if !all.iter().all(Value::is_number) => all.iter().collect(),
        one => vec![one],
    }
}

/// At least 1; what does not fit is more than anybody may ask for.
fn count(body: &Value, name: &str) -> usize {
    let count = body[name].as_u64().unwrap_or(1).max(1);
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// The smallest that the request names.
fn maximum(body: &Value) -> Option<usize> {
    let names = ["max_completion_tokens", "max_output_tokens", "max_tokens"];
    let named = names.iter().filter_map(|name| body[*name].as_u64());
    named
        .min()
        .map(|least| usize::try_from(least).unwrap_or(usize::MAX))
}

/// A token for each word and each number: a prompt may be given as tokens. At least one.
fn words_of_input(body: &Value) -> u64 {
    fn words(value: &Value) -> u64 {
        match value {
            Value::String(text) => text.split_whitespace().count() as u64,
            Value::Number(_) => 1,
            Value::Array(all) => all.iter().map(words).sum(),
            Value::Object(members) => {
                let said = members
                    .iter()
                    .filter(|(name, _)| !["role", "type"].contains(&name.as_str()));
                said.map(|(_, value)| words(value)).sum()
            }
            Value::Null | Value::Bool(_) => 0,
        }
    }
    let members = ["messages", "prompt", "input", "instructions", "system"];
    let all: u64 = members.iter().map(|name| words(&body[*name])).sum();
    all.max(1)
}
