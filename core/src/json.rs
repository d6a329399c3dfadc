//! Strict JSON (RFC 8259): one reader for configurations, key sets, tokens and answers.
//!
//! What a lenient reader forgives is where two parties come to read one token differently, so
//! this one refuses it: duplicate members at any depth (RFC 7519 §4 leaves them to the parser),
//! lone surrogates, invalid UTF-8, bytes after the value, numbers beyond a double's range. Numbers
//! stay as they were written.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::limits::JSON_DEPTH;

/// A JSON value that borrows what it can from the text it was read from.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    Null,
    Bool(bool),
    Number(Number<'a>),
    String(Cow<'a, str>),
    Array(Vec<Value<'a>>),
    Object(Object<'a>),
}

/// A number as it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Number<'a>(Cow<'a, str>);

/// Members in the order they were written; no name stands twice, but after [`parse_leniently`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object<'a>(Vec<(Cow<'a, str>, Value<'a>)>);

/// Why a text is not JSON that we accept, and at which byte.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InvalidJson {
    pub fault: Fault,
    pub at: usize,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    Control,
    Depth,
    DuplicateMember,
    Escape,
    Number,
    NumberRange,
    Surrogate,
    Syntax,
    TrailingBytes,
    Truncated,
    Utf8,
}

/// Reads one value that spans the whole text.
pub fn parse(text: &[u8]) -> Result<Value<'_>, InvalidJson> {
    read(text, Duplicates::Refused)
}

/// The same, but members that stand twice stay, for whoever reports all of them by their paths.
pub fn parse_leniently(text: &[u8]) -> Result<Value<'_>, InvalidJson> {
    read(text, Duplicates::Kept)
}

fn read(text: &[u8], duplicates: Duplicates) -> Result<Value<'_>, InvalidJson> {
    let text = std::str::from_utf8(text).map_err(|e| InvalidJson {
        fault: Fault::Utf8,
        at: e.valid_up_to(),
    })?;
    let mut reader = Reader {
        text,
        at: 0,
        duplicates,
    };
    reader.skip_space();
    let value = reader.value(0)?;
    reader.skip_space();
    if reader.peek().is_some() {
        return Err(reader.fault(Fault::TrailingBytes));
    }
    Ok(value)
}

/// Reads one object that spans the whole text; any other value is a syntax fault at its start.
pub fn parse_object(text: &[u8]) -> Result<Object<'_>, InvalidJson> {
    match parse(text)? {
        Value::Object(object) => Ok(object),
        _ => Err(InvalidJson {
            fault: Fault::Syntax,
            at: 0,
        }),
    }
}

// === impl Value ===

impl<'a> Value<'a> {
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(s) => Some(s),
            _ => None,
        }
    }

    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(b) => Some(*b),
            _ => None,
        }
    }

    pub fn as_number(&self) -> Option<&Number<'a>> {
        match self {
            Value::Number(n) => Some(n),
            _ => None,
        }
    }

    pub fn as_array(&self) -> Option<&[Value<'a>]> {
        match self {
            Value::Array(items) => Some(items),
            _ => None,
        }
    }

    pub fn as_object(&self) -> Option<&Object<'a>> {
        match self {
            Value::Object(object) => Some(object),
            _ => None,
        }
    }

    /// Memory that it takes, about.
    pub fn bytes(&self) -> usize {
        // A text of its own takes its pointers and the allocator's share, too.
        const EACH: usize = 32;
        let own = size_of::<Self>();
        let inner = match self {
            Value::Null | Value::Bool(_) => 0,
            Value::Number(n) => n.as_str().len(),
            Value::String(s) => s.len(),
            Value::Array(items) => items.iter().map(Value::bytes).sum(),
            Value::Object(object) => {
                let name = |name: &str| name.len().saturating_add(EACH);
                let members = object.iter();
                members
                    .map(|(n, value)| name(n).saturating_add(value.bytes()))
                    .sum()
            }
        };
        own.saturating_add(inner).saturating_add(EACH)
    }

    /// What kind of value this is, for messages that must not repeat the value itself.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        }
    }

    pub fn into_owned(self) -> Value<'static> {
        match self {
            Value::Null => Value::Null,
            Value::Bool(b) => Value::Bool(b),
            Value::Number(Number(n)) => Value::Number(Number(Cow::Owned(n.into_owned()))),
            Value::String(s) => Value::String(Cow::Owned(s.into_owned())),
            Value::Array(items) => Value::Array(items.into_iter().map(Value::into_owned).collect()),
            Value::Object(Object(members)) => Value::Object(Object(
                members
                    .into_iter()
                    .map(|(name, value)| (Cow::Owned(name.into_owned()), value.into_owned()))
                    .collect(),
            )),
        }
    }
}

/// Compact JSON text.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Bool(b) => write!(f, "{b}"),
            Value::Number(n) => f.write_str(n.as_str()),
            Value::String(s) => Quoted(s).fmt(f),
            Value::Array(items) => {
                for (i, item) in items.iter().enumerate() {
                    f.write_str(if i == 0 { "[" } else { "," })?;
                    item.fmt(f)?;
                }
                f.write_str(if items.is_empty() { "[]" } else { "]" })
            }
            Value::Object(object) => object.fmt(f),
        }
    }
}

// === impl Number ===

impl Number<'_> {
    /// `None` for what JSON has no number for.
    pub fn from_f64(number: f64) -> Option<Self> {
        let text = number.is_finite().then(|| number.to_string())?;
        Some(Number(Cow::Owned(text)))
    }

    /// The number as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The nearest double.
    pub fn to_f64(&self) -> f64 {
        // The reader has checked the grammar, which is a part of what `f64` parses.
        self.0.parse().unwrap_or(f64::NAN)
    }

    /// The number where it is written as a plain integer that fits into this type of integers.
    pub fn to_integer<I: FromStr>(&self) -> Option<I> {
        self.0.parse().ok()
    }
}

// === impl Object ===

impl<'a> Object<'a> {
    /// `None` where a name stands twice.
    pub fn from_members(members: Vec<(Cow<'a, str>, Value<'a>)>) -> Option<Self> {
        (!has_duplicate(&members)).then_some(Object(members))
    }

    pub fn get(&self, name: &str) -> Option<&Value<'a>> {
        self.0
            .iter()
            .find_map(|(n, value)| (n == name).then_some(value))
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value<'a>)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value))
    }

    /// The names that stand twice or more.
    pub fn duplicates(&self) -> BTreeSet<&str> {
        let mut seen = BTreeSet::new();
        let names = self.iter().map(|(name, _)| name);
        names.filter(|name| !seen.insert(*name)).collect()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Display for Object<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (name, value)) in self.0.iter().enumerate() {
            f.write_str(if i == 0 { "{" } else { "," })?;
            Quoted(name).fmt(f)?;
            f.write_str(":")?;
            value.fmt(f)?;
        }
        f.write_str(if self.0.is_empty() { "{}" } else { "}" })
    }
}

// === impl Quoted ===

/// A string as a JSON string literal on one line.
pub struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        let mut rest = self.0;
        while let Some(i) = rest.find(is_escaped) {
            let (plain, tail) = rest.split_at(i);
            f.write_str(plain)?;
            let mut chars = tail.chars();
            match chars.next() {
                Some(c @ ('"' | '\\')) => write!(f, "\\{c}")?,
                Some(c) => write!(f, "\\u{:04x}", u32::from(c))?,
                None => {}
            }
            rest = chars.as_str();
        }
        f.write_str(rest)?;
        f.write_str("\"")
    }
}

/// As much of a text as takes at most so many bytes between the quotes of [`Quoted`].
pub fn quotable_prefix(text: &str, bytes: usize) -> &str {
    let mut written = 0_usize;
    let end = text.char_indices().find_map(|(at, c)| {
        let length = match c {
            '"' | '\\' => 2,
            c if is_escaped(c) => 6,
            c => c.len_utf8(),
        };
        written = written.saturating_add(length);
        (written > bytes).then_some(at)
    });
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}

/// U+2028 and U+2029 end a line for JavaScript, Python and others.
pub fn is_escaped(c: char) -> bool {
    c.is_control() || matches!(c, '"' | '\\' | '\u{2028}' | '\u{2029}')
}

// === impl InvalidJson ===

impl fmt::Display for InvalidJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fault = match self.fault {
            Fault::Control => "an unescaped control character",
            Fault::Depth => "nested too deeply",
            Fault::DuplicateMember => "a member that stands twice",
            Fault::Escape => "an invalid escape",
            Fault::Number => "an invalid number",
            Fault::NumberRange => "a number beyond a double's range",
            Fault::Surrogate => "a lone surrogate",
            Fault::Syntax => "not valid JSON",
            Fault::TrailingBytes => "more bytes after the JSON value",
            Fault::Truncated => "it ends too early",
            Fault::Utf8 => "not UTF-8",
        };
        write!(f, "{fault} at byte {}", self.at)
    }
}

// === impl Reader ===

struct Reader<'a> {
    text: &'a str,
    at: usize,
    duplicates: Duplicates,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Duplicates {
    Kept,
    Refused,
}

impl<'a> Reader<'a> {
    fn fault(&self, fault: Fault) -> InvalidJson {
        InvalidJson { fault, at: self.at }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn advance(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.advance();
        }
    }

    /// The text from `start` to where the reader stands.
    fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn value(&mut self, depth: usize) -> Result<Value<'a>, InvalidJson> {
        match self.peek() {
            Some(b'"') => Ok(Value::String(self.string()?)),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.literal("true", Value::Bool(true)),
            Some(b'f') => self.literal("false", Value::Bool(false)),
            Some(b'n') => self.literal("null", Value::Null),
            Some(_) => Err(self.fault(Fault::Syntax)),
            None => Err(self.fault(Fault::Truncated)),
        }
    }

    fn literal(&mut self, word: &str, value: Value<'a>) -> Result<Value<'a>, InvalidJson> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word) {
            return Err(self.fault(Fault::Syntax));
        }
        self.at = self.at.saturating_add(word.len());
        Ok(value)
    }

    fn deeper(&self, depth: usize) -> Result<usize, InvalidJson> {
        if depth >= JSON_DEPTH {
            return Err(self.fault(Fault::Depth));
        }
        Ok(depth.saturating_add(1))
    }

    fn array(&mut self, depth: usize) -> Result<Value<'a>, InvalidJson> {
        let depth = self.deeper(depth)?;
        let mut items = Vec::new();
        self.advance();
        self.skip_space();
        if self.peek() == Some(b']') {
            self.advance();
            return Ok(Value::Array(items));
        }
        loop {
            self.skip_space();
            items.push(self.value(depth)?);
            if self.ends_list(b']')? {
                return Ok(Value::Array(items));
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value<'a>, InvalidJson> {
        let depth = self.deeper(depth)?;
        let mut members: Vec<(Cow<'a, str>, Value<'a>)> = Vec::new();
        let start = self.at;
        self.advance();
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.advance();
            return Ok(Value::Object(Object(members)));
        }
        loop {
            self.skip_space();
            let name = match self.peek() {
                Some(b'"') => self.string()?,
                Some(_) => return Err(self.fault(Fault::Syntax)),
                None => return Err(self.fault(Fault::Truncated)),
            };
            self.skip_space();
            match self.peek() {
                Some(b':') => self.advance(),
                Some(_) => return Err(self.fault(Fault::Syntax)),
                None => return Err(self.fault(Fault::Truncated)),
            }
            self.skip_space();
            let value = self.value(depth)?;
            members.push((name, value));
            if self.ends_list(b'}')? {
                break;
            }
        }
        if self.duplicates == Duplicates::Refused && has_duplicate(&members) {
            return Err(InvalidJson {
                fault: Fault::DuplicateMember,
                at: start,
            });
        }
        Ok(Value::Object(Object(members)))
    }

    /// After an element: a comma goes on, `close` ends.
    fn ends_list(&mut self, close: u8) -> Result<bool, InvalidJson> {
        self.skip_space();
        match self.peek() {
            Some(b',') => {
                self.advance();
                Ok(false)
            }
            Some(b) if b == close => {
                self.advance();
                Ok(true)
            }
            Some(_) => Err(self.fault(Fault::Syntax)),
            None => Err(self.fault(Fault::Truncated)),
        }
    }

    fn digits(&mut self) -> Result<(), InvalidJson> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.advance();
        }
        if self.at == start {
            return Err(self.fault(Fault::Number));
        }
        Ok(())
    }

    fn number(&mut self) -> Result<Value<'a>, InvalidJson> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.advance();
        }
        match self.peek() {
            Some(b'0') => self.advance(),
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.advance();
            self.digits()?;
        }
        let has_exponent = matches!(self.peek(), Some(b'e' | b'E'));
        if has_exponent {
            self.advance();
            if let Some(b'+' | b'-') = self.peek() {
                self.advance();
            }
            self.digits()?;
        }
        let number = Number(Cow::Borrowed(self.since(start)));
        // A double has 309 digits before its point at the most.
        let may_overflow = has_exponent || number.as_str().len() > 300;
        if may_overflow && !number.to_f64().is_finite() {
            self.at = start;
            return Err(self.fault(Fault::NumberRange));
        }
        Ok(Value::Number(number))
    }

    fn string(&mut self) -> Result<Cow<'a, str>, InvalidJson> {
        self.advance();
        let start = self.at;
        let mut owned: Option<String> = None;
        let mut plain = start;
        loop {
            match self.peek() {
                None => return Err(self.fault(Fault::Truncated)),
                Some(b'"') => {
                    let tail = self.since(plain);
                    self.advance();
                    return Ok(match owned {
                        None => Cow::Borrowed(tail),
                        Some(mut s) => {
                            s.push_str(tail);
                            Cow::Owned(s)
                        }
                    });
                }
                Some(b'\\') => {
                    let s = owned.get_or_insert_default();
                    s.push_str(self.since(plain));
                    self.advance();
                    let c = self.escape()?;
                    owned.get_or_insert_default().push(c);
                    plain = self.at;
                }
                Some(0..=0x1f) => return Err(self.fault(Fault::Control)),
                Some(_) => self.skip_plain(),
            }
        }
    }

    /// To the next byte of a string that means something, or to the end.
    fn skip_plain(&mut self) {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let special = |b: &u8| matches!(b, b'"' | b'\\' | 0..=0x1f);
        let plain = rest.iter().position(special).unwrap_or(rest.len());
        self.at = self.at.saturating_add(plain);
    }

    /// What follows a backslash.
    fn escape(&mut self) -> Result<char, InvalidJson> {
        let c = match self.peek() {
            Some(c @ (b'"' | b'\\' | b'/')) => char::from(c),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.advance();
                return self.unicode_escape();
            }
            Some(_) => return Err(self.fault(Fault::Escape)),
            None => return Err(self.fault(Fault::Truncated)),
        };
        self.advance();
        Ok(c)
    }

    fn unicode_escape(&mut self) -> Result<char, InvalidJson> {
        let first = self.four_hex_digits()?;
        let code = match first {
            0xd800..=0xdbff => {
                let rest = self.text.get(self.at..).unwrap_or_default();
                if !rest.starts_with("\\u") {
                    return Err(self.fault(Fault::Surrogate));
                }
                self.at = self.at.saturating_add(2);
                let second = self.four_hex_digits()?;
                if !(0xdc00..=0xdfff).contains(&second) {
                    return Err(self.fault(Fault::Surrogate));
                }
                // Both halves hold ten bits (RFC 8259 §7).
                ((first & 0x3ff) << 10)
                    .saturating_add(0x10000)
                    .saturating_add(second & 0x3ff)
            }
            code => code,
        };
        char::from_u32(code).ok_or(self.fault(Fault::Surrogate))
    }

    fn four_hex_digits(&mut self) -> Result<u32, InvalidJson> {
        let end = self.at.saturating_add(4);
        let digits = self
            .text
            .get(self.at..end)
            .filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))
            .ok_or(self.fault(Fault::Escape))?;
        self.at = end;
        u32::from_str_radix(digits, 16).map_err(|_| self.fault(Fault::Escape))
    }
}

/// Small objects by comparing pairs; larger ones by sorting, or an attacker's object of
/// thousands of members would cost the square of it.
fn has_duplicate(members: &[(Cow<'_, str>, Value<'_>)]) -> bool {
    const PAIRWISE: usize = 16;
    if members.len() <= PAIRWISE {
        return members.iter().enumerate().any(|(i, (name, _))| {
            members
                .get(..i)
                .is_some_and(|before| before.iter().any(|(other, _)| other == name))
        });
    }
    let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_ref()).collect();
    names.sort_unstable();
    names.windows(2).any(|pair| match pair {
        [a, b] => a == b,
        _ => false,
    })
}

#[cfg(test)]
mod tests;
