//! The beginning of a JSON string, with its escapes decoded.

use crate::limits::USAGE_TEXT_BYTES;

/// A string so far. What cannot be one of the names that matter is no text: a longer one, and one with an
/// escape that does not stand for an ASCII character.
#[derive(Clone, Copy, Debug)]
pub struct Text {
    bytes: [u8; USAGE_TEXT_BYTES],
    length: usize,
    is_other: bool,
    escape: Escape,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Escape {
    None,
    /// Behind the backslash.
    Begun,
    /// Among the four digits behind `\u`.
    Unicode {
        value: u32,
        digits: u8,
    },
}

// === impl Text ===

impl Text {
    /// An empty string.
    pub const fn new() -> Self {
        Text {
            bytes: [0; USAGE_TEXT_BYTES],
            length: 0,
            is_other: false,
            escape: Escape::None,
        }
    }

    /// Makes it the empty string again.
    pub fn clear(&mut self) {
        self.length = 0;
        self.is_other = false;
        self.escape = Escape::None;
    }

    /// What the string says, if it may be one that matters.
    pub fn get(&self) -> Option<&[u8]> {
        let text = self.bytes.get(..self.length)?;
        (!self.is_other && self.escape == Escape::None).then_some(text)
    }

    /// Whether the next byte belongs to an escape.
    pub fn is_escaped(&self) -> bool {
        self.escape != Escape::None
    }

    /// Reads a backslash.
    pub fn escape(&mut self) {
        self.escape = Escape::Begun;
    }

    /// Reads a byte of an escape.
    pub fn escaped(&mut self, byte: u8) {
        self.escape = match (self.escape, byte) {
            (Escape::Begun, b'u') => Escape::Unicode {
                value: 0,
                digits: 0,
            },
            (Escape::Unicode { value, digits }, _) => match (char::from(byte).to_digit(16), digits)
            {
                (Some(digit), 0..3) => Escape::Unicode {
                    value: value << 4 | digit,
                    digits: digits.saturating_add(1),
                },
                (Some(digit), _) => {
                    match u8::try_from(value << 4 | digit) {
                        Ok(ascii) if ascii.is_ascii() => self.push(&[ascii]),
                        _ => self.is_other = true,
                    }
                    Escape::None
                }
                (None, _) => self.other(),
            },
            // `\"` and `\/` and the like: no name that matters has one of these characters, or a line feed.
            _ => self.other(),
        };
    }

    fn other(&mut self) -> Escape {
        self.is_other = true;
        Escape::None
    }

    /// Reads bytes that stand for themselves.
    pub fn push(&mut self, bytes: &[u8]) {
        let end = self.length.saturating_add(bytes.len());
        match self.bytes.get_mut(self.length..end) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.length = end;
            }
            None => self.is_other = true,
        }
    }
}

#[cfg(test)]
mod tests;
