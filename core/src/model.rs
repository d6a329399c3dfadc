//! The request body of a call to a model: what it asks for, and the little that is put into it.
//!
//! A rule decides by a few members, and the upstream reads the body again. Where the two readings differ, a
//! body says one thing here and another there. So what is read is strict, and members that a careless reader
//! takes for others are refused.

pub mod allow;

pub mod edit;

mod fault;

mod member;

pub mod output;

mod reference;

mod text;

use crate::api::{Api, Estimate};
use crate::json::{self, Object, Value};
use crate::model::edit::Changes;
use crate::model::output::OutputWish;

pub use crate::model::fault::MalformedBody;

/// The body of a call to a model: one JSON object.
#[derive(Debug)]
pub struct ModelBody<'b> {
    text: &'b [u8],
    members: Object<'b>,
}

/// What is reserved where a request does not say what it will use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Unsaid {
    /// The most output that the request may ask for, where there is such a bound.
    pub bound: Option<u64>,
    /// Tokens of output for a request without a maximum and without a bound.
    pub output_tokens: u64,
    /// Tokens of input for a body that refers to what is not in it.
    pub input_tokens: u64,
}

// === impl ModelBody ===

impl<'b> ModelBody<'b> {
    /// Reads a body as strictly as tokens are read. Members that decide something must also be spelled as the
    /// APIs spell them: `Model` beside `model` is what counts to servers that do not tell cases apart.
    pub fn parse(text: &'b [u8]) -> Result<Self, MalformedBody> {
        let members = json::parse_object(text).map_err(|_| MalformedBody)?;
        match member::is_ambiguous(&members) {
            true => Err(MalformedBody),
            false => Ok(ModelBody { text, members }),
        }
    }

    /// The model that is asked for.
    pub fn model(&self) -> Result<&str, MalformedBody> {
        let model = self.members.get("model").and_then(Value::as_str);
        model.ok_or(MalformedBody)
    }

    /// The models that may answer instead, in the body's order.
    pub fn alternatives(&self) -> Result<Vec<&str>, MalformedBody> {
        let is_list = |name: &str| matches!(name, "models" | "fallbacks");
        let lists = self.members.iter().filter(|(name, _)| is_list(name));
        let mut models = Vec::new();
        for (_, list) in lists {
            for model in list.as_array().ok_or(MalformedBody)? {
                models.push(model.as_str().ok_or(MalformedBody)?);
            }
        }
        Ok(models)
    }

    /// Whether the body points at what its provider stores: for whoever knows its name, where tenants share
    /// an account.
    pub fn refers_to_stored_state(&self) -> bool {
        reference::to_stored_state(&self.members)
    }

    /// The string that these members lead to, outermost first.
    pub fn string_at(&self, path: &[Box<str>]) -> Option<&str> {
        let (last, outer) = path.split_last()?;
        let mut object = &self.members;
        for name in outer {
            object = object.get(name)?.as_object()?;
        }
        object.get(last)?.as_str()
    }

    /// What a classifier gets: the text of the prompt, at most
    /// [`CLASSIFIED_BYTES`](crate::limits::CLASSIFIED_BYTES) of it.
    pub fn text(&self) -> String {
        text::of(&self.members)
    }

    /// That the answer does not come later and elsewhere, where nobody counts it. `false` and `null` alone say
    /// so: a lenient server takes `1` and `"true"` for `true`.
    pub fn check_background(&self) -> Result<(), MalformedBody> {
        match self.members.get("background") {
            None | Some(Value::Null | Value::Bool(false)) => Ok(()),
            Some(_) => Err(MalformedBody),
        }
    }

    /// How much output the body asks for.
    pub fn output(&self, api: Api) -> Result<OutputWish, MalformedBody> {
        OutputWish::read(&self.members, api)
    }

    /// Whether the answer is to come as a stream.
    pub fn streams(&self) -> bool {
        edit::streams(&self.members)
    }

    /// What is reserved for the request, whose output is `wish`.
    pub fn estimate(&self, wish: &OutputWish, unsaid: &Unsaid) -> Estimate {
        // A token of text takes about four bytes.
        let written = u64::try_from(self.text.len().div_ceil(4)).unwrap_or(u64::MAX);
        let referred = match unsaid.input_tokens {
            0 => 0,
            tokens if reference::to_elsewhere(&self.members) => tokens,
            _ => 0,
        };
        Estimate {
            input: written.saturating_add(referred),
            output: wish.tokens(unsaid.bound.unwrap_or(unsaid.output_tokens)),
        }
    }

    /// The body with what has to be put in; `None` where it goes on byte for byte.
    pub fn edited(
        &self,
        api: Api,
        changes: &Changes<'_>,
    ) -> Result<Option<Vec<u8>>, MalformedBody> {
        edit::edited(self.text, &self.members, api, changes)
    }
}

#[cfg(test)]
mod tests;
