//! Strict JSON (RFC 8259): one reader for configurations, key sets, tokens and answers.
//!
//! Two parties can read one token differently where a reader is lenient, so this one refuses duplicate
//! keys at any depth (RFC 7519 §4 leaves them to the parser), lone surrogates, invalid UTF-8, bytes
//! after the value and nesting beyond [`JSON_DEPTH`](crate::limits::JSON_DEPTH). serde_json reads the
//! text; the tree is built here, because `serde_json::Value` drops duplicate keys silently and copies
//! every string.
//!
//! A number is a `u64`, an `i64` or else a double: integers beyond 64 bits lose their last digits, and
//! a number beyond a double's range is refused.

#[cfg(feature = "ai")]
pub mod parts;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::limits::WHOLE_NUMBER;

pub use serde_json::Number;

/// A JSON value that borrows what it can from the text it was read from.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number as serde_json reads it.
    Number(Number),
    /// A string without its escapes.
    String(Cow<'a, str>),
    /// The elements in the order they were written.
    Array(Vec<Value<'a>>),
    /// The members in the order they were written.
    Object(Object<'a>),
}

/// Members in the order they were written, without duplicate keys except after [`parse_leniently`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object<'a>(Vec<(Cow<'a, str>, Value<'a>)>);

/// Why a text is not JSON that we accept, with line and column. It repeats nothing of the text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvalidJson(Box<str>);

/// Reads one value that spans the whole text.
pub fn parse(text: &[u8]) -> Result<Value<'_>, InvalidJson> {
    parse_with(text, Duplicates::Refused)
}

/// Reads one value and keeps duplicate keys, for a caller that reports all of them by their paths.
pub fn parse_leniently(text: &[u8]) -> Result<Value<'_>, InvalidJson> {
    parse_with(text, Duplicates::Kept)
}

/// Reads one object that spans the whole text; any other value is a fault.
pub fn parse_object(text: &[u8]) -> Result<Object<'_>, InvalidJson> {
    match parse(text)? {
        Value::Object(object) => Ok(object),
        _ => Err(InvalidJson("expected an object".into())),
    }
}

fn parse_with(text: &[u8], duplicates: Duplicates) -> Result<Value<'_>, InvalidJson> {
    let valid = std::str::from_utf8(text);
    let text = valid.map_err(|e| InvalidJson::not_utf8(text, e.valid_up_to()))?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = ValueSeed { duplicates }.deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

// === impl Value ===

impl<'a> Value<'a> {
    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(s) => Some(s),
            _ => None,
        }
    }

    /// The value of a boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(b) => Some(*b),
            _ => None,
        }
    }

    /// The number, where this is one.
    pub fn as_number(&self) -> Option<&Number> {
        match self {
            Value::Number(n) => Some(n),
            _ => None,
        }
    }

    /// A whole number from 0 to [`WHOLE_NUMBER`], also where it is written as `4096.0` or `4e3`.
    pub fn as_whole(&self) -> Option<u64> {
        let number = self.as_number()?;
        let whole = number.as_u64().or_else(|| {
            let double = number.as_f64()?;
            let is_whole = double.fract() == 0.0 && (0.0..=WHOLE_NUMBER as f64).contains(&double);
            is_whole.then_some(double as u64)
        });
        whole.filter(|whole| *whole <= WHOLE_NUMBER)
    }

    /// The elements of an array.
    pub fn as_array(&self) -> Option<&[Value<'a>]> {
        match self {
            Value::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The object, where this is one.
    pub fn as_object(&self) -> Option<&Object<'a>> {
        match self {
            Value::Object(object) => Some(object),
            _ => None,
        }
    }

    /// About how much memory it takes.
    pub fn bytes(&self) -> usize {
        // Each string also takes its pointers and the allocator's overhead.
        const EACH: usize = 32;
        let own = size_of::<Self>();
        let inner = match self {
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
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

    /// The same value without a borrow.
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Value::Null => Value::Null,
            Value::Bool(b) => Value::Bool(b),
            Value::Number(n) => Value::Number(n),
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
            Value::Number(n) => n.fmt(f),
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

// === impl Object ===

impl<'a> Object<'a> {
    /// `None` if two members have the same name.
    pub fn from_members(members: Vec<(Cow<'a, str>, Value<'a>)>) -> Option<Self> {
        (!has_duplicate(&members)).then_some(Object(members))
    }

    /// The value of the member with this name.
    pub fn get(&self, name: &str) -> Option<&Value<'a>> {
        self.0
            .iter()
            .find_map(|(n, value)| (n == name).then_some(value))
    }

    /// The members in the order they were written.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value<'a>)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value))
    }

    /// The names that occur more than once.
    pub fn duplicates(&self) -> BTreeSet<&str> {
        let mut seen = BTreeSet::new();
        let names = self.iter().map(|(name, _)| name);
        names.filter(|name| !seen.insert(*name)).collect()
    }

    /// Whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of members.
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

/// The longest prefix of a text that takes at most `bytes` bytes between the quotes of [`Quoted`].
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

impl InvalidJson {
    fn not_utf8(text: &[u8], valid: usize) -> Self {
        let before = text.get(..valid).unwrap_or_default();
        let line = before
            .iter()
            .filter(|b| **b == b'\n')
            .count()
            .saturating_add(1);
        let last = before.rsplit(|b| *b == b'\n').next().unwrap_or_default();
        let column = last.len().saturating_add(1);
        InvalidJson(format!("not UTF-8 at line {line} column {column}").into())
    }
}

impl From<serde_json::Error> for InvalidJson {
    fn from(error: serde_json::Error) -> Self {
        InvalidJson(error.to_string().into())
    }
}

impl fmt::Display for InvalidJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid JSON: {}", self.0)
    }
}

// === impl ValueSeed ===

/// Builds the tree of any value.
#[derive(Clone, Copy)]
struct ValueSeed {
    duplicates: Duplicates,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Duplicates {
    Kept,
    Refused,
}

impl<'de> DeserializeSeed<'de> for ValueSeed {
    type Value = Value<'de>;

    fn deserialize<D: Deserializer<'de>>(self, text: D) -> Result<Value<'de>, D::Error> {
        text.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value<'de>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, bool: bool) -> Result<Value<'de>, E> {
        Ok(Value::Bool(bool))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value<'de>, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value<'de>, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value<'de>, E> {
        let number = Number::from_f64(number);
        number
            .map(Value::Number)
            .ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::String(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(Value::String(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value<'de>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = elements.next_element_seed(self)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some(name) = entries.next_key_seed(NameSeed)? {
            members.push((name, entries.next_value_seed(self)?));
        }
        if self.duplicates == Duplicates::Refused && has_duplicate(&members) {
            // The position that follows is the end of the object.
            return Err(A::Error::custom("duplicate key in an object that ends"));
        }
        Ok(Value::Object(Object(members)))
    }
}

/// Reads the name of a member.
struct NameSeed;

impl<'de> DeserializeSeed<'de> for NameSeed {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, text: D) -> Result<Cow<'de, str>, D::Error> {
        text.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for NameSeed {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

/// Compares all pairs of a small object and sorts a larger one: an attacker's object of thousands of members
/// must not cost quadratic time.
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
