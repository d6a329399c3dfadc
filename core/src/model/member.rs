//! Names of members, as careless readers see them.

use crate::json::{Object, Value};

/// The members of a body that decide something here or are put in.
const DECISIVE: [&str; 22] = [
    "background",
    "best_of",
    "container",
    "conversation",
    "fallbacks",
    "input",
    "instructions",
    "max_completion_tokens",
    "max_output_tokens",
    "max_tokens",
    "mcp_servers",
    "messages",
    "model",
    "models",
    "n",
    "previous_response_id",
    "prompt",
    "stream",
    "stream_options",
    "system",
    "tools",
    "web_search_options",
];

/// Whether a body has a member that some readers take for a decisive one, and others do not. `Model` beside
/// `model` is an unknown member to most servers, and the one that counts to those in Go.
pub fn is_ambiguous(body: &Object<'_>) -> bool {
    let options = body.get("stream_options").and_then(Value::as_object);
    has_other_spelling(body, &DECISIVE)
        || options.is_some_and(|options| has_other_spelling(options, &["include_usage"]))
}

fn has_other_spelling(object: &Object<'_>, ours: &[&str]) -> bool {
    // Only these have something to fold.
    let folds = |name: &str| {
        name.bytes()
            .any(|b| b.is_ascii_uppercase() || !b.is_ascii())
    };
    let is_ours = |name: &str| ours.iter().any(|ours| names(name, ours));
    let mut all = object.iter().map(|(name, _)| name);
    all.any(|name| folds(name) && is_ours(name))
}

/// Whether a reader that does not tell upper from lower case takes `name` for `ours`, which is in lower case.
/// Go's `encoding/json` and .NET's web defaults read like that. To Go, U+017F is an `s` and U+212A a `k`.
pub fn names(name: &str, ours: &str) -> bool {
    let folded = |c: char| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    };
    match name.len() > ours.len() {
        true => name.chars().map(folded).eq(ours.chars()),
        // The two take more bytes than what they are folded to.
        false => name.eq_ignore_ascii_case(ours),
    }
}

/// Whether an object has a member and not only its name: clients write `null` for what they leave out.
pub fn is_given(object: &Object<'_>, name: &str) -> bool {
    !matches!(object.get(name), None | Some(Value::Null))
}

#[cfg(test)]
mod tests;
