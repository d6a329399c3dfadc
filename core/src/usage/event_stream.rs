//! The lines of an event stream: WHATWG HTML §9.2, "Server-sent events".

use crate::usage::seek;

/// A stream, as far as it has been read.
#[derive(Clone, Copy, Debug)]
pub struct EventStream {
    place: Place,
    /// The last byte was a CR: an LF right behind it ends no other line.
    is_behind_cr: bool,
    /// The event that is being read has data.
    has_data: bool,
}

/// Where in a line the next byte is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    /// Behind as many bytes of `data`.
    Name(usize),
    /// Behind `data:`, where a space counts as none.
    Colon,
    /// In the value of a line of data.
    Data,
    /// In a line of something else.
    Other,
}

/// What comes next in a stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Piece<'a> {
    /// Bytes of an event's data.
    Data(&'a [u8]),
    /// The end of an event with data. One without is none.
    End,
    /// A whole event that says nothing about usage.
    Silent,
}

const DATA: &[u8; 4] = b"data";

// === impl EventStream ===

impl EventStream {
    /// A stream of which nothing has been read.
    pub const fn new() -> Self {
        EventStream {
            place: Place::Name(0),
            is_behind_cr: false,
            has_data: false,
        }
    }

    /// Whether an event has begun whose end has not been read.
    pub fn is_in_event(&self) -> bool {
        self.has_data || self.place == Place::Name(DATA.len())
    }

    /// Reads up to the end of the next piece, which it takes from `rest`.
    pub fn next<'a>(&mut self, rest: &mut &'a [u8]) -> Option<Piece<'a>> {
        while let Some((byte, behind)) = rest.split_first() {
            let is_behind_cr = std::mem::take(&mut self.is_behind_cr);
            if is_behind_cr && *byte == b'\n' {
                *rest = behind;
                continue;
            }
            let is_between_events = self.place == Place::Name(0) && !self.has_data;
            if is_between_events && let Some(behind) = behind_silent_event(rest) {
                *rest = behind;
                return Some(Piece::Silent);
            }
            match self.place {
                Place::Name(_) | Place::Colon if matches!(byte, b'\n' | b'\r') => {
                    *rest = behind;
                    if let Some(piece) = self.end_line(*byte) {
                        return Some(piece);
                    }
                }
                Place::Name(matched) => match DATA.get(matched) {
                    Some(expected) if expected == byte => {
                        *rest = behind;
                        self.place = Place::Name(matched.saturating_add(1));
                    }
                    None if *byte == b':' => {
                        *rest = behind;
                        self.place = Place::Colon;
                        if let Some(piece) = self.begin_data() {
                            return Some(piece);
                        }
                    }
                    _ => self.place = Place::Other,
                },
                Place::Colon => {
                    self.place = Place::Data;
                    if *byte == b' ' {
                        *rest = behind;
                    }
                }
                Place::Data | Place::Other => {
                    let end = seek::line_end(rest).unwrap_or(rest.len());
                    let (line, behind) = rest.split_at_checked(end)?;
                    *rest = behind;
                    let is_data = self.place == Place::Data;
                    if let Some((byte, behind)) = behind.split_first() {
                        *rest = behind;
                        // No event ends at the end of a line that has a name.
                        self.end_line(*byte);
                    }
                    if is_data && !line.is_empty() {
                        return Some(Piece::Data(line));
                    }
                }
            }
        }
        None
    }

    /// A line of data begins. Several are one text, of as many lines.
    fn begin_data(&mut self) -> Option<Piece<'static>> {
        let is_further = std::mem::replace(&mut self.has_data, true);
        is_further.then_some(Piece::Data(b"\n"))
    }

    fn end_line(&mut self, byte: u8) -> Option<Piece<'static>> {
        self.is_behind_cr = byte == b'\r';
        match std::mem::replace(&mut self.place, Place::Name(0)) {
            Place::Name(0) => std::mem::take(&mut self.has_data).then_some(Piece::End),
            // A name alone is a line of data without text.
            Place::Name(matched) if matched == DATA.len() => self.begin_data(),
            Place::Name(_) | Place::Colon | Place::Data | Place::Other => None,
        }
    }
}

/// What is behind an event of one line of data, if it is whole and its text is an object without a name or a type
/// that matters. Most events are like this, and to see that takes a quarter of the time that reading them takes.
///
/// In a name only `\u` stands for a letter, so a text without it has each name as it is.
fn behind_silent_event(bytes: &[u8]) -> Option<&[u8]> {
    let text = bytes.strip_prefix(b"data:")?;
    let text = text.strip_prefix(b" ").unwrap_or(text);
    if text.first() != Some(&b'{') {
        return None;
    }
    let mut rest = text;
    loop {
        let at = seek::mention(rest)?;
        let (before, from) = rest.split_at_checked(at)?;
        rest = match from {
            [b'\\', b'u', ..] => return None,
            [b'\\', b'\n' | b'\r', ..] => from.get(1..)?,
            [b'\\', ..] => from.get(2..)?,
            [b'g', behind @ ..] => {
                let matters = match behind {
                    // Where the stream says its usage at the end, all other events have this.
                    [b'e', b'"', b':', b'n', b'u', b'l', b'l', ..] => false,
                    [b'e', b'"', ..] => before.ends_with(b"\"usa"),
                    [b'e', b'_', b's', b't', b'o', b'p', ..] => before.ends_with(b"\"messa"),
                    _ => false,
                };
                if matters {
                    return None;
                }
                behind
            }
            [b'\n', b'\n', behind @ ..] | [b'\r', b'\n', b'\r', b'\n', behind @ ..] => {
                return Some(behind);
            }
            _ => return None,
        };
    }
}

#[cfg(test)]
mod tests;
