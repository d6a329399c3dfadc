//! Reads usage from an answer's body.

use crate::api::Api;
use crate::usage::counts::{Counts, Usage};
use crate::usage::event_stream::{EventStream, Piece};
use crate::usage::members::{Choices, Kind, Members};

/// How an answer is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Framing {
    /// One JSON object.
    Json,
    /// An event stream, whose events have JSON objects as their data.
    EventStream,
}

/// An answer, as far as it has been read: some hundred bytes, however long the answer is.
///
/// Usage counts at the top level and in `response` and `message`. Of each field the last value counts: where
/// that is no whole number from 0 to 2^53 the field has none, whatever came before, and `null` is no value.
#[derive(Clone, Copy, Debug)]
pub struct UsageReader {
    api: Api,
    framing: Framing,
    /// How much of a byte order mark has been read; `None` behind where it may be.
    mark: Option<usize>,
    stream: EventStream,
    members: Members,
    counts: Counts,
    events: u64,
    standing: Standing,
}

/// How much an answer has said.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Standing {
    /// Not what it says at its end.
    Partial,
    /// The usage that it says at its end. What follows may still name other numbers.
    Told,
    /// That, and nothing follows.
    Final,
}

/// UTF-8's byte order mark, which may stand in front of an event stream and does in front of some JSON.
const MARK: &[u8; 3] = b"\xef\xbb\xbf";

// === impl UsageReader ===

impl UsageReader {
    /// An answer of which nothing has been read.
    pub fn new(api: Api, framing: Framing) -> Self {
        UsageReader {
            api,
            framing,
            mark: Some(0),
            stream: EventStream::new(),
            members: Members::new(),
            counts: Counts::default(),
            events: 0,
            standing: Standing::Partial,
        }
    }

    /// Reads the next bytes, which may begin and end anywhere.
    pub fn read(&mut self, mut chunk: &[u8]) {
        while let Some(matched) = self.mark
            && let Some((byte, behind)) = chunk.split_first()
        {
            match MARK.get(matched) {
                Some(expected) if expected == byte => {
                    chunk = behind;
                    self.mark = Some(matched.saturating_add(1));
                }
                _ => {
                    self.mark = None;
                    // A part of a mark is none.
                    if matched < MARK.len() {
                        self.read_body(MARK.get(..matched).unwrap_or_default());
                    }
                }
            }
        }
        self.read_body(chunk);
    }

    /// The answer came to its end as it should: an event that no blank line ends was delivered as well.
    pub fn end(&mut self) {
        if self.framing == Framing::EventStream && self.stream.is_in_event() {
            self.end_event();
        }
    }

    /// What the answer used, by the last value of each field, if it has said so.
    ///
    /// The output that Anthropic's `message_start` names is what the answer begins with: it is no usage until
    /// the stream names another, or ends by `message_stop`.
    pub fn usage(&self) -> Option<Usage> {
        let begins_with_usage = self.api == Api::Messages && self.framing == Framing::EventStream;
        let counts = !begins_with_usage || self.standing >= Standing::Told;
        self.counts.usage(self.api).filter(|_| counts)
    }

    /// The numbers that were named so far; zero for what was not.
    pub fn named(&self) -> Usage {
        self.counts.named()
    }

    /// How many events with data the stream had so far. OpenAI's `[DONE]` is none.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Whether the usage that the answer says at its end has been read. An answer that breaks off behind it has
    /// said what it used.
    pub fn is_told(&self) -> bool {
        self.standing >= Standing::Told && self.usage().is_some()
    }

    /// Whether nothing that follows changes what the answer used. What follows is not read.
    pub fn is_final(&self) -> bool {
        self.standing == Standing::Final
    }

    fn read_body(&mut self, bytes: &[u8]) {
        match self.framing {
            Framing::Json => self.read_object(bytes),
            Framing::EventStream => self.read_stream(bytes),
        }
    }

    fn read_object(&mut self, bytes: &[u8]) {
        if self.members.has_ended() {
            return;
        }
        self.members.read(bytes, self.api, &mut self.counts);
        // One object has one usage, so it is all there is where it has ended.
        if self.members.said().has_usage && self.counts.usage(self.api).is_some() {
            self.standing = match self.members.has_ended() {
                true => Standing::Final,
                false => Standing::Told,
            };
        }
    }

    fn read_stream(&mut self, mut bytes: &[u8]) {
        while !self.is_final()
            && let Some(piece) = self.stream.next(&mut bytes)
        {
            match piece {
                Piece::Data(data) if !self.members.has_ended() => {
                    self.members.read(data, self.api, &mut self.counts);
                    if self.members.has_ended() {
                        self.end_object();
                    }
                }
                Piece::Data(_) => {}
                Piece::End => self.end_event(),
                Piece::Silent => self.events = self.events.saturating_add(1),
            }
        }
    }

    fn end_event(&mut self) {
        let counts = !self.members.said().is_done;
        self.events = self.events.saturating_add(counts.into());
        self.members.restart();
    }

    /// An event's object ended: was it the last that says what was used?
    fn end_object(&mut self) {
        let said = self.members.said();
        let has_all = said.has_input && (said.has_output || self.api == Api::Embeddings);
        let standing = match self.api {
            // With `include_usage` a chunk without choices says the usage of all. Servers that put numbers into
            // other chunks count up with them.
            Api::Chat | Api::Completions | Api::Embeddings => match said.choices {
                Choices::Empty if has_all => Standing::Final,
                Choices::Absent if has_all => Standing::Told,
                _ => Standing::Partial,
            },
            // A `message_delta` with the reason for the stop says the usage of all; the API allows others before.
            Api::Messages => match said.kind {
                Kind::MessageStop => Standing::Final,
                _ if said.has_own_output && said.has_stop_reason => Standing::Final,
                _ if said.has_own_output => Standing::Told,
                _ => Standing::Partial,
            },
            Api::Responses => match said.kind {
                Kind::ResponseEnd if has_all => Standing::Final,
                // Until the end it is null.
                _ if has_all => Standing::Told,
                _ => Standing::Partial,
            },
        };
        let standing = match said.is_done {
            true => Standing::Final,
            false => standing,
        };
        // Without usage nothing is final, and the numbers that come later count.
        if self.counts.usage(self.api).is_some() {
            self.standing = self.standing.max(standing);
        }
    }
}

#[cfg(test)]
mod tests;
