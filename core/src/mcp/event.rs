//! Server-sent events (HTML Standard §9.2.6, "Interpreting an event stream").

use std::borrow::Cow;
use std::ops::Range;

use crate::json::parts;
use crate::limits::MCP_LIST_BYTES;

/// A stream that is cut into its events, in whatever pieces it comes.
#[derive(Debug, Default)]
pub struct EventStream {
    /// What came of the event that is not complete yet.
    held: Vec<u8>,
    /// The length of that, also where it is too long to be held.
    length: usize,
    /// Whether its last line has something in it.
    is_in_line: bool,
    /// Whether the last byte was a CR: a LF after it ends no other line.
    is_after_cr: bool,
    /// Whether an event came before.
    is_under_way: bool,
    /// Whether that event passed.
    has_passed: bool,
}

/// An event as it came.
#[derive(Debug)]
pub struct Event<'e> {
    raw: &'e [u8],
    lines: Vec<DataLine>,
}

/// A line of an event's data.
#[derive(Debug)]
struct DataLine {
    /// All of it, with its end.
    whole: Range<usize>,
    /// What it adds to the data.
    value: Range<usize>,
}

/// What passes of an event, if anything does.
pub type Rewrite<'r> = dyn for<'e> FnMut(&Event<'e>) -> Option<Cow<'e, [u8]>> + 'r;

// === impl EventStream ===

impl EventStream {
    /// Reads on, and gives out what passes of the events that are complete now. At the `end` of the stream all are.
    /// An event of more than [`MCP_LIST_BYTES`] bytes does not pass.
    pub fn read(&mut self, mut chunk: &[u8], end: bool, rewrite: &mut Rewrite<'_>) -> Vec<u8> {
        let mut passed = Vec::new();
        // The event before ended with a CR, whose LF comes only now.
        if self.is_after_cr
            && self.length == 0
            && let Some(rest) = chunk.strip_prefix(b"\n")
        {
            self.is_after_cr = false;
            passed.extend(self.has_passed.then_some(b'\n'));
            chunk = rest;
        }
        while let Some((event, rest)) = self.find_end(chunk).and_then(|e| chunk.split_at_checked(e))
        {
            self.hold(event);
            self.finish(rewrite, &mut passed);
            chunk = rest;
        }
        self.hold(chunk);
        if end && self.length > 0 {
            // Clients should discard it, and some do not.
            self.finish(rewrite, &mut passed);
        }
        passed
    }

    /// Where the event that is under way ends in what came now: behind its first empty line.
    fn find_end(&mut self, bytes: &[u8]) -> Option<usize> {
        for (at, byte) in bytes.iter().enumerate() {
            let is_after_cr = std::mem::replace(&mut self.is_after_cr, *byte == b'\r');
            match byte {
                b'\n' if is_after_cr => {}
                b'\n' | b'\r' if self.is_in_line => self.is_in_line = false,
                b'\n' | b'\r' => {
                    let end = at.saturating_add(1);
                    if *byte == b'\r' && bytes.get(end) == Some(&b'\n') {
                        self.is_after_cr = false;
                        return Some(end.saturating_add(1));
                    }
                    return Some(end);
                }
                _ => self.is_in_line = true,
            }
        }
        None
    }

    fn hold(&mut self, bytes: &[u8]) {
        self.length = self.length.saturating_add(bytes.len());
        match self.length <= MCP_LIST_BYTES {
            true => self.held.extend_from_slice(bytes),
            false => self.held = Vec::new(),
        }
    }

    fn finish(&mut self, rewrite: &mut Rewrite<'_>, passed: &mut Vec<u8>) {
        let raw = std::mem::take(&mut self.held);
        let length = std::mem::take(&mut self.length);
        let is_first = !std::mem::replace(&mut self.is_under_way, true);
        self.is_in_line = false;
        let event = || rewrite(&Event::read(&raw, is_first));
        let rewritten = (length <= MCP_LIST_BYTES).then(event).flatten();
        self.has_passed = rewritten.is_some();
        passed.extend_from_slice(&rewritten.unwrap_or_default());
    }
}

// === impl Event ===

impl<'e> Event<'e> {
    /// Reads an event. A stream may begin with a byte order mark, which is no part of its first line.
    fn read(raw: &'e [u8], is_first: bool) -> Self {
        let mut lines = Vec::new();
        let mut start = match is_first && raw.starts_with("\u{feff}".as_bytes()) {
            true => '\u{feff}'.len_utf8(),
            false => 0,
        };
        while let Some(rest) = raw.get(start..).filter(|rest| !rest.is_empty()) {
            let ends = |b: &u8| matches!(b, b'\r' | b'\n');
            let length = rest.iter().position(ends).unwrap_or(rest.len());
            let (line, behind) = rest.split_at_checked(length).unwrap_or_default();
            let end = match behind {
                [b'\r', b'\n', ..] => 2,
                [_, ..] => 1,
                [] => 0,
            };
            let line_end = start.saturating_add(length);
            let next = line_end.saturating_add(end);
            if let Some(offset) = data_offset(line) {
                lines.push(DataLine {
                    whole: start..next,
                    value: start.saturating_add(offset)..line_end,
                });
            }
            start = next;
        }
        Event { raw, lines }
    }

    /// As it came.
    pub fn raw(&self) -> &'e [u8] {
        self.raw
    }

    /// Its data: the lines of it, each but the last with a line feed behind it.
    pub fn data(&self) -> Cow<'e, [u8]> {
        let raw = self.raw;
        let value = |line: &DataLine| raw.get(line.value.clone()).unwrap_or_default();
        match self.lines.as_slice() {
            [line] => Cow::Borrowed(value(line)),
            lines => {
                let values: Vec<&[u8]> = lines.iter().map(value).collect();
                Cow::Owned(values.join(&b'\n'))
            }
        }
    }

    /// The event without some parts of its data, which are given in their order and do not overlap. What is no data
    /// stays, and so do the line feeds between lines of which something stays.
    pub fn without(&self, parts: &[Range<usize>]) -> Vec<u8> {
        let mut cuts = Vec::new();
        let mut start = 0_usize;
        let mut parts = parts;
        for DataLine { whole, value } in &self.lines {
            let end = start.saturating_add(value.len());
            let from = parts.partition_point(|part| part.end <= start);
            parts = parts.get(from..).unwrap_or_default();
            let here = parts.iter().take_while(|part| part.start < end);
            let here = here.map(|part| part.start.max(start)..part.end.min(end));
            let lost = here
                .clone()
                .fold(0, |lost: usize, cut| lost.saturating_add(cut.len()));
            match lost > 0 && lost == value.len() {
                true => cuts.push(whole.clone()),
                false => {
                    // A value is never before its place in the data.
                    let moved = value.start.saturating_sub(start);
                    let in_raw = |at: usize| at.saturating_add(moved);
                    cuts.extend(here.map(|cut| in_raw(cut.start)..in_raw(cut.end)));
                }
            }
            start = end.saturating_add(1);
        }
        parts::without(self.raw, &cuts)
    }
}

/// Where the value of a line of data begins; `None` for other fields and for comments.
fn data_offset(line: &[u8]) -> Option<usize> {
    match line.strip_prefix(b"data")? {
        [] => Some(4),
        [b':', b' ', ..] => Some(6),
        [b':', ..] => Some(5),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
