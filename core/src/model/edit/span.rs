//! Where values are in a text.

use std::ops::Range;

/// Where the value of the member with this index is in the text of an object. The text has been read before,
/// so nothing is checked here.
pub fn of_value(object: &[u8], index: usize) -> Option<Range<usize>> {
    let mut marks = marks(object);
    let colon = marks.nth(index.checked_mul(2)?)?;
    let start = colon.checked_add(1)?;
    let value = object.get(start..marks.next()?)?;
    let space = value.len().checked_sub(value.trim_ascii_start().len())?;
    let start = start.checked_add(space)?;
    Some(start..start.checked_add(value.trim_ascii().len())?)
}

/// Where the object's own colons, commas and closing brace are: in turns a colon and what ends its value.
fn marks(object: &[u8]) -> impl Iterator<Item = usize> {
    let mut depth = 0_usize;
    let mut is_quoted = false;
    let mut is_escaped = false;
    let bytes = object.iter().enumerate();
    let marks = bytes.filter(move |(_, byte)| match byte {
        _ if is_escaped => {
            is_escaped = false;
            false
        }
        b'\\' => {
            is_escaped = true;
            false
        }
        b'"' => {
            is_quoted = !is_quoted;
            false
        }
        _ if is_quoted => false,
        b'{' | b'[' => {
            depth = depth.saturating_add(1);
            false
        }
        b'}' | b']' => {
            depth = depth.saturating_sub(1);
            depth == 0
        }
        b':' | b',' => depth == 1,
        _ => false,
    });
    marks.map(|(at, _)| at)
}
