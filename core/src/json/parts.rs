//! The parts of a JSON text as they are written, for what changes or repeats a text byte for byte.
//!
//! For texts that [`parse`](crate::json::parse) has accepted. Others have no parts here, or they have parts that
//! another reader would not find.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::value::RawValue;

/// The value of the member with this name.
pub fn member<'t>(object: &'t str, name: &str) -> Option<&'t str> {
    let mut members: BTreeMap<String, &'t RawValue> = serde_json::from_str(object).ok()?;
    members.remove(name).map(RawValue::get)
}

/// The elements in the order they were written.
pub fn elements(array: &str) -> Option<Vec<&str>> {
    let elements: Vec<&RawValue> = serde_json::from_str(array).ok()?;
    Some(elements.into_iter().map(RawValue::get).collect())
}

/// Where a part stands in the text that it is a part of.
pub fn range(part: &str, whole: &str) -> Option<Range<usize>> {
    let start = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
    let range = start..start.checked_add(part.len())?;
    (whole.get(range.clone())? == part).then_some(range)
}

/// A text without some of its parts, which are given in their order and do not overlap.
pub fn without(text: &[u8], parts: &[Range<usize>]) -> Vec<u8> {
    let mut rest = Vec::with_capacity(text.len());
    let mut from = 0;
    for part in parts {
        rest.extend_from_slice(text.get(from..part.start).unwrap_or_default());
        from = part.end;
    }
    rest.extend_from_slice(text.get(from..).unwrap_or_default());
    rest
}

#[cfg(test)]
mod tests;
