//! Reads the members of an answer's JSON object, or of an event's, that say what was used. Everything else is
//! skipped without a look at it: how deep it is nested is a number here, and no text is kept.

use crate::api::Api;
use crate::usage::counts::{Counts, Field};
use crate::usage::number::Number;
use crate::usage::seek;
use crate::usage::text::Text;

/// An object, as far as it has been read.
#[derive(Clone, Copy, Debug)]
pub struct Members {
    step: Step,
    place: Place,
    /// The member whose value comes next or is being read.
    member: Member,
    text: Text,
    number: Number,
    said: Said,
}

/// What an object said that decides whether its usage is the final one.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Said {
    /// It is no object but `[DONE]`, by which OpenAI ends a stream.
    pub is_done: bool,
    /// Its `type`.
    pub kind: Kind,
    /// Its `choices`.
    pub choices: Choices,
    /// `delta` has a `stop_reason`.
    pub has_stop_reason: bool,
    /// A usage object in it ended.
    pub has_usage: bool,
    /// It named a number for the input.
    pub has_input: bool,
    /// It named a number for the output.
    pub has_output: bool,
    /// It named one for the output in `usage` itself, not in that of `response` or `message`.
    pub has_own_output: bool,
}

/// The types of events after which a model says no more.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Kind {
    /// Anthropic's `message_stop`.
    MessageStop,
    /// OpenAI's `response.completed`, `response.incomplete` and `response.failed`.
    ResponseEnd,
    /// Every other type, and none.
    #[default]
    Other,
}

/// What a member `choices` has.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Choices {
    /// There is no such member.
    #[default]
    Absent,
    /// An array of nothing.
    Empty,
    /// Anything else.
    Some,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Step {
    /// In front of the object.
    Begin,
    /// Behind as many bytes of `[DONE]`.
    Done(usize),
    /// In front of a name, or of the end of an object.
    Name,
    /// In a name.
    InName,
    /// Behind a name.
    Colon,
    /// In front of a value.
    Value,
    /// In the string of `type`.
    InType,
    /// In a number that counts.
    InNumber,
    /// In another number, or in `true`, `false` or `null`.
    InScalar,
    /// Behind the bracket of `choices`.
    InChoices,
    /// In as many arrays and objects that do not matter.
    Skip(u64),
    /// In a string in there, or in a member that does not matter.
    SkipString(u64),
    /// Behind the backslash in such a string.
    SkipEscape(u64),
    /// Behind a value.
    Behind,
    /// Behind the object, or where it is none.
    End,
}

/// The objects whose members matter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    Root,
    /// `response` or `message`.
    Part,
    /// `delta`.
    Delta,
    /// `usage`.
    Usage,
    /// `usage` in `response` or `message`.
    UsageOfPart,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Member {
    Choices,
    Count(Field),
    Delta,
    Other,
    Part,
    StopReason,
    Type,
    Usage,
}

const DONE: &[u8; 6] = b"[DONE]";

// === impl Members ===

impl Members {
    /// An object of which nothing has been read.
    pub const fn new() -> Self {
        Members {
            step: Step::Begin,
            place: Place::Root,
            member: Member::Other,
            text: Text::new(),
            number: Number::new(),
            said: Said {
                is_done: false,
                kind: Kind::Other,
                choices: Choices::Absent,
                has_stop_reason: false,
                has_usage: false,
                has_input: false,
                has_output: false,
                has_own_output: false,
            },
        }
    }

    /// Begins another object.
    pub fn restart(&mut self) {
        self.step = Step::Begin;
        self.place = Place::Root;
        self.said = Said::default();
    }

    /// Whether the object ended, or is none. No text that follows says anything.
    pub fn has_ended(&self) -> bool {
        self.step == Step::End
    }

    /// What the object said so far.
    pub fn said(&self) -> &Said {
        &self.said
    }

    /// Reads on.
    pub fn read(&mut self, mut text: &[u8], api: Api, counts: &mut Counts) {
        while let Some((&byte, behind)) = text.split_first() {
            // The steps that skip as much as they can come first: most of an answer is theirs.
            match self.step {
                Step::SkipString(depth) => {
                    (self.step, text) = skip(text, depth, true);
                    continue;
                }
                Step::Skip(depth) => {
                    (self.step, text) = skip(text, depth, false);
                    continue;
                }
                Step::InName | Step::InType if !self.text.is_escaped() => {
                    let end = seek::string_end(text);
                    let (plain, _) = text
                        .split_at_checked(end.unwrap_or(text.len()))
                        .unwrap_or((text, &[]));
                    self.text.push(plain);
                    let Some((byte, behind)) = split_at(text, end) else {
                        return;
                    };
                    text = behind;
                    match byte {
                        b'\\' => self.text.escape(),
                        _ => self.end_text(api),
                    }
                    continue;
                }
                Step::End => return,
                _ => {}
            }
            match self.step {
                Step::InNumber if !is_delimiter(byte) => self.number.read(byte),
                Step::InNumber => {
                    self.end_number(counts);
                    self.step = Step::Behind;
                    continue;
                }
                Step::InScalar if !is_delimiter(byte) => {}
                Step::InScalar => {
                    self.step = Step::Behind;
                    continue;
                }
                Step::SkipEscape(depth) => self.step = Step::SkipString(depth),
                Step::InName | Step::InType => self.text.escaped(byte),
                Step::Done(read) => self.read_done(byte, read),
                _ if is_white_space(byte) => {}
                Step::Begin => {
                    self.step = match byte {
                        b'{' => Step::Name,
                        b'[' => Step::Done(1),
                        _ => Step::End,
                    };
                }
                Step::Name => match byte {
                    b'"' => {
                        self.text.clear();
                        self.step = Step::InName;
                    }
                    b'}' => self.end_object(),
                    _ => self.step = Step::End,
                },
                Step::Colon if byte == b':' => self.step = Step::Value,
                Step::Value => self.begin_value(byte, counts),
                Step::InChoices => {
                    self.said.choices = match byte {
                        b']' => Choices::Empty,
                        _ => Choices::Some,
                    };
                    self.step = Step::Skip(1);
                    continue;
                }
                Step::Behind => match byte {
                    b',' => self.step = Step::Name,
                    b'}' => self.end_object(),
                    _ => self.step = Step::End,
                },
                _ => self.step = Step::End,
            }
            text = behind;
        }
    }

    fn read_done(&mut self, byte: u8, read: usize) {
        let read = match DONE.get(read) {
            Some(expected) if *expected == byte => read.saturating_add(1),
            _ => 0,
        };
        // What follows in that event does not matter: OpenAI's clients look at its beginning too.
        self.said.is_done = read == DONE.len();
        self.step = match read {
            0 => Step::End,
            _ if self.said.is_done => Step::End,
            _ => Step::Done(read),
        };
    }

    /// A name ended, or a `type`.
    fn end_text(&mut self, api: Api) {
        let text = self.text.get().unwrap_or_default();
        if self.step == Step::InType {
            self.said.kind = match text {
                b"message_stop" => Kind::MessageStop,
                b"response.completed" | b"response.incomplete" | b"response.failed" => {
                    Kind::ResponseEnd
                }
                _ => Kind::Other,
            };
            self.step = Step::Behind;
            return;
        }
        self.member = match (self.place, text) {
            (Place::Root, b"choices") => Member::Choices,
            (Place::Root, b"delta") => Member::Delta,
            (Place::Root, b"message" | b"response") => Member::Part,
            (Place::Root, b"type") => Member::Type,
            (Place::Root | Place::Part, b"usage") => Member::Usage,
            (Place::Delta, b"stop_reason") => Member::StopReason,
            (Place::Usage | Place::UsageOfPart, name) => {
                Field::of(api, name).map_or(Member::Other, Member::Count)
            }
            _ => Member::Other,
        };
        self.step = Step::Colon;
    }

    fn begin_value(&mut self, byte: u8, counts: &mut Counts) {
        match (self.member, byte) {
            (Member::Count(_), b'-' | b'0'..=b'9') => {
                self.number = Number::new();
                self.number.read(byte);
                self.step = Step::InNumber;
                return;
            }
            // Nothing was counted, says Anthropic where it has no cache. Only `null` begins with this.
            (Member::Count(_), b'n') => {}
            (Member::Count(field), _) => counts.take(field, None),
            (Member::Choices, b'[') => {
                self.step = Step::InChoices;
                return;
            }
            (Member::Choices, b'n') => self.said.choices = Choices::Absent,
            (Member::Choices, _) => self.said.choices = Choices::Some,
            (Member::Delta, b'{') => return self.begin_object(Place::Delta),
            (Member::Part, b'{') => return self.begin_object(Place::Part),
            (Member::StopReason, _) => self.said.has_stop_reason = byte == b'"',
            (Member::Type, b'"') => {
                self.text.clear();
                self.step = Step::InType;
                return;
            }
            (Member::Usage, b'{') if self.place == Place::Root => {
                return self.begin_object(Place::Usage);
            }
            (Member::Usage, b'{') => return self.begin_object(Place::UsageOfPart),
            _ => {}
        }
        self.step = match byte {
            b'"' => Step::SkipString(0),
            b'[' | b'{' => Step::Skip(1),
            b',' | b':' | b']' | b'}' => Step::End,
            _ => Step::InScalar,
        };
    }

    fn begin_object(&mut self, place: Place) {
        self.place = place;
        self.step = Step::Name;
    }

    fn end_object(&mut self) {
        self.said.has_usage |= matches!(self.place, Place::Usage | Place::UsageOfPart);
        let outer = match self.place {
            Place::Root => None,
            Place::Part | Place::Delta | Place::Usage => Some(Place::Root),
            Place::UsageOfPart => Some(Place::Part),
        };
        self.step = match outer {
            Some(outer) => {
                self.place = outer;
                Step::Behind
            }
            None => Step::End,
        };
    }

    fn end_number(&mut self, counts: &mut Counts) {
        let Member::Count(field) = self.member else {
            return;
        };
        let tokens = self.number.tokens();
        counts.take(field, tokens);
        match field {
            Field::Input => self.said.has_input = tokens.is_some(),
            Field::Output => {
                self.said.has_output = tokens.is_some();
                let is_own = self.place == Place::Usage;
                self.said.has_own_output |= is_own && tokens.is_some();
            }
            Field::CacheCreation | Field::CacheRead | Field::Total => {}
        }
    }
}

/// Skips to the end of `depth` arrays and objects, from within them or from within a string in them. Returns what
/// is behind.
fn skip(mut text: &[u8], mut depth: u64, mut is_in_string: bool) -> (Step, &[u8]) {
    loop {
        if is_in_string {
            let Some((byte, behind)) = split_at(text, seek::string_end(text)) else {
                return (Step::SkipString(depth), &[]);
            };
            text = behind;
            if byte == b'\\' {
                match text.split_first() {
                    Some((_, behind)) => text = behind,
                    None => return (Step::SkipEscape(depth), &[]),
                }
                continue;
            }
            is_in_string = false;
        } else {
            let Some((byte, behind)) = split_at(text, seek::structure(text)) else {
                return (Step::Skip(depth), &[]);
            };
            text = behind;
            match byte {
                b'"' => is_in_string = true,
                b'[' | b'{' => depth = depth.saturating_add(1),
                _ => depth = depth.saturating_sub(1),
            }
        }
        if depth == 0 && !is_in_string {
            return (Step::Behind, text);
        }
    }
}

/// The byte at a place, and what is behind it.
fn split_at(text: &[u8], at: Option<usize>) -> Option<(u8, &[u8])> {
    let (byte, behind) = text.get(at?..)?.split_first()?;
    Some((*byte, behind))
}

/// What ends a number or a word.
fn is_delimiter(byte: u8) -> bool {
    is_white_space(byte) || matches!(byte, b',' | b':' | b']' | b'}' | b'"' | b'[' | b'{')
}

fn is_white_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}
