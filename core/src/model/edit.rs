//! What is put into a body. All of its other bytes stay as they are.

mod span;

use std::ops::Range;

use crate::api::Api;
use crate::json::{Object, Quoted, Value};
use crate::model::fault::MalformedBody;
use crate::model::member::is_given;

/// What has to be in a body.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Changes<'n> {
    /// The most output that may be asked for, and the name of this member in chat completions. The other APIs
    /// have one name each.
    pub bound: Option<(&'n str, u64)>,
    /// Whether a stream has to say what it used.
    pub include_usage: bool,
}

/// An object and the text that it was read from.
#[derive(Clone, Copy)]
struct Written<'t> {
    text: &'t [u8],
    /// Where this text begins in the body.
    start: usize,
    members: &'t Object<'t>,
}

/// Bytes that take the place of others in the body.
struct Splice {
    place: Range<usize>,
    bytes: String,
}

const STREAM_OPTIONS: &str = "stream_options";
const INCLUDE_USAGE: &str = "include_usage";

/// The value of [`STREAM_OPTIONS`] where a body has no such object.
const OPTIONS: &str = r#"{"include_usage":true}"#;

/// Whether the answer is to come as a stream. What is no boolean counts too, except zero: a strict server
/// refuses it, and to a lenient one it may mean `true`.
pub fn streams(body: &Object<'_>) -> bool {
    match body.get("stream") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(streams)) => *streams,
        Some(value) => value.as_whole() != Some(0),
    }
}

/// The text of `body` with these changes; `None` where there is nothing to change.
pub fn edited<'t>(
    text: &'t [u8],
    body: &'t Object<'t>,
    api: Api,
    changes: &Changes<'_>,
) -> Result<Option<Vec<u8>>, MalformedBody> {
    let written = Written {
        text,
        start: 0,
        members: body,
    };
    let mut splices = Vec::new();
    let mut added = Vec::new();
    if let Some((name, bound)) = missing_bound(body, api, changes.bound) {
        let bound = bound.to_string();
        match body.get(name) {
            None => added.push(member(name, &bound)),
            // `null`.
            Some(_) => splices.push(written.replaced(name, bound)?),
        }
    }
    if changes.include_usage && matches!(api, Api::Chat | Api::Completions) && streams(body) {
        match body.get(STREAM_OPTIONS) {
            None => added.push(member(STREAM_OPTIONS, OPTIONS)),
            Some(Value::Object(options)) => {
                let options = written.inner(STREAM_OPTIONS, options)?;
                splices.extend(options.with_usage()?);
            }
            // It asks for no usage, and a server that does not mind its type streams all the same.
            Some(_) => splices.push(written.replaced(STREAM_OPTIONS, OPTIONS.to_owned())?),
        }
    }
    if !added.is_empty() {
        splices.push(written.extended(&added)?);
    }
    Ok((!splices.is_empty()).then(|| spliced(text, splices)))
}

/// The bound and the name to put it in under, where the body has no maximum that its API knows.
fn missing_bound<'n>(
    body: &Object<'_>,
    api: Api,
    bound: Option<(&'n str, u64)>,
) -> Option<(&'n str, u64)> {
    let (chat_name, bound) = bound?;
    let (put_in, known): (_, &[&str]) = match api {
        Api::Chat => (chat_name, &["max_completion_tokens", "max_tokens"]),
        Api::Completions | Api::Messages => ("max_tokens", &["max_tokens"]),
        Api::Embeddings => return None,
        Api::Responses => ("max_output_tokens", &["max_output_tokens"]),
    };
    let is_there = known.iter().any(|name| is_given(body, name));
    (!is_there).then_some((put_in, bound))
}

fn member(name: &str, value: &str) -> String {
    format!("{}:{value}", Quoted(name))
}

/// The text with these bytes in it.
fn spliced(text: &[u8], mut splices: Vec<Splice>) -> Vec<u8> {
    splices.sort_by_key(|splice| splice.place.start);
    let more: usize = splices.iter().map(|splice| splice.bytes.len()).sum();
    let mut edited = Vec::with_capacity(text.len().saturating_add(more));
    let mut from = 0;
    for splice in splices {
        edited.extend_from_slice(text.get(from..splice.place.start).unwrap_or_default());
        edited.extend_from_slice(splice.bytes.as_bytes());
        from = splice.place.end;
    }
    edited.extend_from_slice(text.get(from..).unwrap_or_default());
    edited
}

// === impl Written ===

impl<'t> Written<'t> {
    /// The text of a member's value, and where it begins here.
    fn value(&self, name: &str) -> Result<(&'t [u8], usize), MalformedBody> {
        let mut names = self.members.iter().map(|(name, _)| name);
        let index = names.position(|other| other == name);
        let place = index.and_then(|index| span::of_value(self.text, index));
        let place = place.ok_or(MalformedBody)?;
        let value = self.text.get(place.clone()).ok_or(MalformedBody)?;
        Ok((value, place.start))
    }

    /// The object that is a member's value.
    fn inner(&self, name: &str, members: &'t Object<'t>) -> Result<Self, MalformedBody> {
        let (text, at) = self.value(name)?;
        Ok(Written {
            text,
            start: self.start.saturating_add(at),
            members,
        })
    }

    /// Another value in the place of a member's own.
    fn replaced(&self, name: &str, bytes: String) -> Result<Splice, MalformedBody> {
        let (value, at) = self.value(name)?;
        let start = self.start.saturating_add(at);
        let place = start..start.saturating_add(value.len());
        Ok(Splice { place, bytes })
    }

    /// More members before the last brace.
    fn extended(&self, members: &[String]) -> Result<Splice, MalformedBody> {
        let brace = self.text.iter().rposition(|b| *b == b'}');
        let brace = self.start.saturating_add(brace.ok_or(MalformedBody)?);
        let comma = if self.members.is_empty() { "" } else { "," };
        Ok(Splice {
            place: brace..brace,
            bytes: format!("{comma}{}", members.join(",")),
        })
    }

    /// What these options lack to ask for usage.
    fn with_usage(&self) -> Result<Option<Splice>, MalformedBody> {
        match self.members.get(INCLUDE_USAGE) {
            Some(Value::Bool(true)) => Ok(None),
            Some(_) => self.replaced(INCLUDE_USAGE, "true".to_owned()).map(Some),
            None => self.extended(&[member(INCLUDE_USAGE, "true")]).map(Some),
        }
    }
}

#[cfg(test)]
mod tests;
