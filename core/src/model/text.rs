//! The text of a prompt.

use crate::json::{Object, Value};
use crate::limits::CLASSIFIED_BYTES;
use crate::model::member::names;

/// The members of a body that are the prompt.
const PROMPT: [&str; 5] = ["messages", "prompt", "input", "instructions", "system"];

/// The members that hold text, or parts with text, in OpenAI's messages and items and in Anthropic's blocks;
/// also in what tools answered, where a client can write what it likes.
const TEXTS: [&str; 14] = [
    "content",
    "context",
    "logs",
    "output",
    "outputs",
    "reasoning_content",
    "refusal",
    "results",
    "stderr",
    "stdout",
    "summary",
    "text",
    "thinking",
    "title",
];

/// The text of every message, whoever said it, and of the other members that are the prompt: in the body's
/// order, a line feed between two. Of a longer text only its two ends, cut at characters.
pub fn of(body: &Object<'_>) -> String {
    let mut pieces = Vec::new();
    for (name, value) in body.iter() {
        match name {
            "prompt" if value.as_object().is_some() => collect_variables(value, &mut pieces),
            name if PROMPT.contains(&name) => collect(value, &mut pieces),
            _ => {}
        }
    }
    // The line feed before the first.
    let text = pieces.get(1..).unwrap_or_default();
    ends(text)
}

fn collect<'v>(value: &'v Value<'_>, pieces: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => pieces.extend(["\n", text]),
        Value::Array(items) => items.iter().for_each(|item| collect(item, pieces)),
        Value::Object(object) => {
            for (name, value) in object.iter() {
                // A document whose text is in the body; the data of others is no text.
                let is_source = names(name, "source") && value.as_object().is_some();
                let is_data = names(name, "data") && is_plain_text(object);
                if is_source || is_data || TEXTS.iter().any(|ours| names(name, ours)) {
                    collect(value, pieces);
                }
            }
        }
        _ => {}
    }
}

/// What a client fills a stored prompt in with.
fn collect_variables<'v>(prompt: &'v Value<'_>, pieces: &mut Vec<&'v str>) {
    let prompt = prompt.as_object();
    let variables = prompt.and_then(|prompt| prompt.get("variables")?.as_object());
    let values = variables.into_iter().flat_map(Object::iter);
    values.for_each(|(_, value)| collect(value, pieces));
}

fn is_plain_text(object: &Object<'_>) -> bool {
    object.get("type").and_then(Value::as_str) == Some("text")
}

/// The pieces as one text, without its middle where it is too long.
fn ends(pieces: &[&str]) -> String {
    const HALF: usize = CLASSIFIED_BYTES / 2;
    let length: usize = pieces.iter().map(|piece| piece.len()).sum();
    if length <= CLASSIFIED_BYTES {
        return pieces.concat();
    }
    let mut ends: String = cut(pieces.iter().copied(), HALF, beginning).concat();
    let end = cut(pieces.iter().rev().copied(), HALF, ending);
    ends.extend(end.into_iter().rev());
    ends
}

/// As many of the pieces as have room, and a part of the next.
fn cut<'p>(
    pieces: impl Iterator<Item = &'p str>,
    mut room: usize,
    part: impl Fn(&'p str, usize) -> &'p str,
) -> Vec<&'p str> {
    let mut kept = Vec::new();
    for piece in pieces {
        let part = part(piece, room);
        room = room.saturating_sub(part.len());
        kept.push(part);
        if part.len() < piece.len() {
            break;
        }
    }
    kept
}

/// The first characters of a text, in at most so many bytes.
fn beginning(text: &str, bytes: usize) -> &str {
    let ends = (0..=bytes.min(text.len())).rev();
    ends.filter_map(|end| text.get(..end))
        .next()
        .unwrap_or_default()
}

/// The last characters of a text, in at most so many bytes.
fn ending(text: &str, bytes: usize) -> &str {
    let starts = text.len().saturating_sub(bytes)..=text.len();
    starts
        .filter_map(|start| text.get(start..))
        .next()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
