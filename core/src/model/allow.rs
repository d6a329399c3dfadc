//! Which names pass: models, and kinds of prompts.

use crate::json::Value;
use crate::pattern::{self, Pattern};

/// The first of these entries whose pattern takes the name: it decides.
pub fn first_match<'e, E>(
    entries: &'e [E],
    pattern: impl Fn(&E) -> &Pattern,
    name: &str,
) -> Option<&'e E> {
    entries.iter().find(|entry| pattern(entry).matches(name))
}

/// Whether a caller's own list takes the name: an array of patterns, or patterns with a space between two.
/// Anything else is no list, also an array with something in it that is no string.
pub fn lists(claim: Option<&Value<'_>>, name: &str) -> bool {
    let is_it = |word: &str| pattern::matches(word, name);
    match claim {
        Some(Value::String(words)) => words.split(' ').filter(|word| !word.is_empty()).any(is_it),
        Some(Value::Array(items)) => {
            let words = || items.iter().filter_map(Value::as_str);
            words().count() == items.len() && words().any(is_it)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
