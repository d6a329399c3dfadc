//! Reads JSON into plain structs and goes on after a fault, so that one try reports them all.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::json::{Object, Quoted, Value};
use crate::time::UnixTime;

/// Something that stands in a configuration.
pub trait Read<'v>: Sized {
    /// `None` once its faults are on record.
    fn read(value: &'v Value<'v>, at: At<'_>, faults: &mut Faults) -> Option<Self>;
}

/// One of a few words.
pub trait Word: Copy + 'static {
    const WORDS: &'static [(&'static str, Self)];
}

/// An optional member.
#[derive(Default)]
pub enum Field<T> {
    #[default]
    Absent,
    /// It is there, and what is wrong with it is on record.
    Faulty,
    Given(T),
}

/// A list; `None` stands where an element was faulty, so that the others keep their index.
pub struct List<T>(Vec<Option<T>>);

/// A list that must not be empty.
pub struct OneOrMore<T>(List<T>);

/// An object whose member names are the operator's own; `None` where a value was faulty.
pub struct Map<'v, T>(Vec<(&'v str, Option<T>)>);

/// A path in the configuration: `providers.corp.jwks.remote.cluster`, `rules[3].name`.
#[derive(Clone, Copy)]
pub enum At<'p> {
    /// What the document is called where it is meant as a whole.
    Root(&'static str),
    Key(&'p At<'p>, &'p str),
    Index(&'p At<'p>, usize),
}

/// What is wrong, and where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    pub path: Box<str>,
    pub problem: Problem,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Problem {
    Missing,
    /// In the words of whoever tried to read it.
    Invalid(Box<str>),
    Unfit {
        found: Cow<'static, str>,
        expected: Cow<'static, str>,
    },
    UnknownKey {
        known: Box<[&'static str]>,
        meant: Option<&'static str>,
    },
}

/// Every fault that was found so far.
#[derive(Debug, Default)]
pub struct Faults(Vec<Fault>);

/// The members of one object, each asked for by its name; what nobody asked for is a fault.
pub struct Fields<'r, 'v> {
    object: &'v Object<'v>,
    at: At<'r>,
    faults: &'r mut Faults,
    known: Vec<&'static str>,
}

/// How much of an unfit string a message repeats.
const SHOWN_CHARACTERS: usize = 64;

/// A longer unknown key resembles none of ours, and the comparison costs the product of both
/// lengths.
const COMPARED_BYTES: usize = 40;

// === impl Field ===

impl<T> Field<T> {
    /// The default where nothing was written, `None` where that was faulty.
    pub fn or(self, default: T) -> Option<T> {
        match self {
            Field::Absent => Some(default),
            Field::Faulty => None,
            Field::Given(value) => Some(value),
        }
    }

    /// The default where nothing was written, else what becomes of that.
    pub fn map_or<U>(self, default: U, compile: impl FnOnce(T) -> Option<U>) -> Option<U> {
        match self {
            Field::Absent => Some(default),
            Field::Faulty => None,
            Field::Given(value) => compile(value),
        }
    }

    pub fn is_absent(&self) -> bool {
        matches!(self, Field::Absent)
    }

    /// Goes on with what was written: the outer `None` says that it is faulty, the inner one
    /// that it is absent.
    pub fn and_then<U>(self, compile: impl FnOnce(T) -> Option<U>) -> Option<Option<U>> {
        match self {
            Field::Absent => Some(None),
            Field::Faulty => None,
            Field::Given(value) => compile(value).map(Some),
        }
    }
}

// === impl List ===

impl<T> List<T> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The elements that could be read, each with its index.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &T)> {
        let items = self.0.iter().enumerate();
        items.filter_map(|(i, item)| item.as_ref().map(|item| (i, item)))
    }

    pub fn into_indexed(self) -> impl Iterator<Item = (usize, T)> {
        let items = self.0.into_iter().enumerate();
        items.filter_map(|(i, item)| item.map(|item| (i, item)))
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        List(Vec::new())
    }
}

impl<'v, T: Read<'v>> Read<'v> for List<T> {
    fn read(value: &'v Value<'v>, at: At<'_>, faults: &mut Faults) -> Option<Self> {
        let Value::Array(items) = value else {
            faults.wrong_type(at, value, "an array");
            return None;
        };
        let mut list = Vec::new();
        for (i, item) in items.iter().enumerate() {
            list.push(T::read(item, at.index(i), faults));
        }
        Some(List(list))
    }
}

// === impl OneOrMore ===

impl<T> OneOrMore<T> {
    pub fn iter(&self) -> impl Iterator<Item = (usize, &T)> {
        self.0.iter()
    }

    pub fn into_indexed(self) -> impl Iterator<Item = (usize, T)> {
        self.0.into_indexed()
    }
}

impl<'v, T: Read<'v>> Read<'v> for OneOrMore<T> {
    fn read(value: &'v Value<'v>, at: At<'_>, faults: &mut Faults) -> Option<Self> {
        let list = List::read(value, at, faults)?;
        if list.is_empty() {
            faults.unfit(at, "an empty array", "at least one element");
            return None;
        }
        Some(OneOrMore(list))
    }
}

// === impl Map ===

impl<'v, T> Map<'v, T> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All names, also those whose value was faulty.
    pub fn names(&self) -> impl Iterator<Item = &'v str> {
        self.0.iter().map(|(name, _)| *name)
    }

    pub fn into_members(self) -> impl Iterator<Item = (&'v str, Option<T>)> {
        self.0.into_iter()
    }
}

impl<T> Default for Map<'_, T> {
    fn default() -> Self {
        Map(Vec::new())
    }
}

impl<'v, T: Read<'v>> Read<'v> for Map<'v, T> {
    fn read(value: &'v Value<'v>, at: At<'_>, faults: &mut Faults) -> Option<Self> {
        let object = <&Object>::read(value, at, faults)?;
        let members = object.iter();
        Some(Map(members
            .map(|(name, value)| (name, T::read(value, at.key(name), faults)))
            .collect()))
    }
}

// === impl Read for what needs no struct ===

impl<'v> Read<'v> for &'v Value<'v> {
    fn read(value: &'v Value<'v>, _: At<'_>, _: &mut Faults) -> Option<Self> {
        Some(value)
    }
}

impl<'v> Read<'v> for &'v Object<'v> {
    fn read(value: &'v Value<'v>, at: At<'_>, faults: &mut Faults) -> Option<Self> {
        let object = value.as_object();
        if object.is_none() {
            faults.wrong_type(at, value, "an object");
        }
        object
    }
}

impl<'v> Read<'v> for &'v str {
    fn read(value: &'v Value<'v>, at: At<'_>, faults: &mut Faults) -> Option<Self> {
        let text = value.as_str();
        if text.is_none() {
            faults.wrong_type(at, value, "a string");
        }
        text
    }
}

impl<'v> Read<'v> for bool {
    fn read(value: &'v Value<'v>, at: At<'_>, faults: &mut Faults) -> Option<Self> {
        let bool = value.as_bool();
        if bool.is_none() {
            faults.wrong_type(at, value, "true or false");
        }
        bool
    }
}

impl<'v> Read<'v> for u64 {
    fn read(value: &'v Value<'v>, at: At<'_>, faults: &mut Faults) -> Option<Self> {
        let Value::Number(number) = value else {
            faults.wrong_type(at, value, "a whole number");
            return None;
        };
        // Envoy's Struct knows doubles only, and some writers print them as `4096.0`.
        let written = number.to_string();
        let digits = written.strip_suffix(".0").unwrap_or(&written);
        let whole = digits.parse().ok();
        if whole.is_none() {
            faults.unfit(at, shown(digits), "a whole number");
        }
        whole
    }
}

impl<'v> Read<'v> for Duration {
    fn read(value: &'v Value<'v>, at: At<'_>, faults: &mut Faults) -> Option<Self> {
        const EXPECTED: &str = "a duration such as 500ms, 30s or 1h";
        let Value::String(text) = value else {
            faults.wrong_type(at, value, EXPECTED);
            return None;
        };
        let duration = parse_duration(text);
        if duration.is_none() {
            faults.unfit(at, quoted(text), EXPECTED);
        }
        duration
    }
}

impl<'v> Read<'v> for UnixTime {
    fn read(value: &'v Value<'v>, at: At<'_>, faults: &mut Faults) -> Option<Self> {
        const EXPECTED: &str = "an RFC 3339 time such as 2027-01-01T00:00:00Z";
        let Value::String(text) = value else {
            faults.wrong_type(at, value, EXPECTED);
            return None;
        };
        let time = OffsetDateTime::parse(text, &Rfc3339).ok().map(|time| {
            let fraction = Duration::from_micros(time.microsecond().into());
            UnixTime::from_secs(time.unix_timestamp()).plus(fraction)
        });
        if time.is_none() {
            faults.unfit(at, quoted(text), EXPECTED);
        }
        time
    }
}

impl<'v, W: Word> Read<'v> for W {
    fn read(value: &'v Value<'v>, at: At<'_>, faults: &mut Faults) -> Option<Self> {
        let Value::String(text) = value else {
            faults.wrong_type(
                at,
                value,
                alternatives(W::WORDS.iter().map(|(word, _)| *word)),
            );
            return None;
        };
        let word = W::WORDS.iter().find(|(word, _)| word == text);
        if word.is_none() {
            let legal = alternatives(W::WORDS.iter().map(|(word, _)| *word));
            faults.unfit(at, quoted(text), legal);
        }
        word.map(|(_, meaning)| *meaning)
    }
}

/// Whole or decimal numbers with a unit each, as protobuf (`1.5s`) and Go (`1h30m`) write them.
fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let (number, tail) = rest.split_at(rest.find(|c: char| c.is_ascii_alphabetic())?);
        let end = tail.find(|c: char| !c.is_ascii_alphabetic());
        let (unit, tail) = tail.split_at(end.unwrap_or(tail.len()));
        let nanos_per_unit: u128 = match unit {
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        // A century in milliseconds on one side, protobuf's nanoseconds on the other.
        if !digits(whole) || !digits(fraction) || whole.len() > 12 || fraction.len() > 9 {
            return None;
        }
        let scale = 10u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        let amount = whole.parse::<u128>().ok()?.checked_mul(scale)?;
        let amount = amount.checked_add(fraction.parse().ok()?)?;
        let nanos = amount.checked_mul(nanos_per_unit)?.checked_div(scale)?;
        total = total.checked_add(Duration::from_nanos(u64::try_from(nanos).ok()?))?;
        rest = tail;
    }
    (!text.is_empty()).then_some(total)
}

// === impl At ===

impl<'p> At<'p> {
    pub const CONFIGURATION: At<'static> = At::Root("configuration");

    pub fn key(&'p self, key: &'p str) -> At<'p> {
        At::Key(self, key)
    }

    pub fn index(&'p self, index: usize) -> At<'p> {
        At::Index(self, index)
    }
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            At::Root(document) => f.write_str(document),
            At::Index(list, index) => write!(f, "{list}[{index}]"),
            At::Key(object, key) => {
                let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
                if key.is_empty() || !key.chars().all(plain) {
                    return write!(f, "{object}[{}]", quoted(key));
                }
                match object {
                    At::Root(_) => f.write_str(key),
                    _ => write!(f, "{object}.{key}"),
                }
            }
        }
    }
}

// === impl Fault ===

/// On one line.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path)?;
        match &self.problem {
            Problem::Missing => f.write_str("required"),
            Problem::Invalid(reason) => f.write_str(reason),
            Problem::Unfit { found, expected } => write!(f, "found {found}, expected {expected}"),
            Problem::UnknownKey {
                meant: Some(meant), ..
            } => write!(f, "unknown key, did you mean {meant}?"),
            Problem::UnknownKey { known, .. } => {
                write!(
                    f,
                    "unknown key, expected {}",
                    alternatives(known.iter().copied())
                )
            }
        }
    }
}

// === impl Faults ===

impl Faults {
    pub fn missing(&mut self, at: At<'_>) {
        self.push(at, Problem::Missing);
    }

    pub fn unfit(
        &mut self,
        at: At<'_>,
        found: impl Into<Cow<'static, str>>,
        expected: impl Into<Cow<'static, str>>,
    ) {
        let (found, expected) = (found.into(), expected.into());
        self.push(at, Problem::Unfit { found, expected });
    }

    pub fn invalid(&mut self, at: At<'_>, reason: String) {
        self.push(at, Problem::Invalid(reason.into()));
    }

    /// Names the kind of value alone: a misplaced value may be a secret.
    pub fn wrong_type(
        &mut self,
        at: At<'_>,
        value: &Value<'_>,
        expected: impl Into<Cow<'static, str>>,
    ) {
        self.unfit(at, value.kind(), expected);
    }

    /// Every duplicate key, at any depth.
    pub fn duplicates(&mut self, at: At<'_>, value: &Value<'_>) {
        match value {
            Value::Object(object) => {
                for name in object.duplicates() {
                    self.unfit(at.key(name), "a duplicate key", "one");
                }
                for (name, value) in object.iter() {
                    self.duplicates(at.key(name), value);
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.duplicates(at.index(index), item);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn into_vec(self) -> Vec<Fault> {
        self.0
    }

    fn push(&mut self, at: At<'_>, problem: Problem) {
        let path = at.to_string().into();
        self.0.push(Fault { path, problem });
    }
}

// === impl Fields ===

impl<'r, 'v> Fields<'r, 'v> {
    pub fn of(value: &'v Value<'v>, at: At<'r>, faults: &'r mut Faults) -> Option<Self> {
        let object = <&Object>::read(value, at, faults)?;
        Some(Fields {
            object,
            at,
            faults,
            known: Vec::new(),
        })
    }

    pub fn required<T: Read<'v>>(&mut self, key: &'static str) -> Option<T> {
        match self.optional(key) {
            Field::Given(value) => Some(value),
            Field::Faulty => None,
            Field::Absent => {
                self.faults.missing(self.at.key(key));
                None
            }
        }
    }

    pub fn optional<T: Read<'v>>(&mut self, key: &'static str) -> Field<T> {
        self.known.push(key);
        match self.object.get(key) {
            None => Field::Absent,
            Some(value) => match T::read(value, self.at.key(key), self.faults) {
                None => Field::Faulty,
                Some(value) => Field::Given(value),
            },
        }
    }

    /// Which one of `keys` is there: none and several are faults.
    pub fn exactly_one(&mut self, keys: &'static [&'static str]) -> Option<&'static str> {
        self.known.extend(keys);
        let mut there = keys.iter().filter(|key| self.object.get(key).is_some());
        let found = match (there.next(), there.next()) {
            (Some(key), None) => return Some(key),
            (Some(one), Some(other)) => format!("{one} and {other}").into(),
            (None, _) => Cow::Borrowed("none"),
        };
        let expected = format!("exactly one of {}", keys.join(", "));
        self.faults.unfit(self.at, found, expected);
        None
    }

    /// After the last question: whatever else is there is a fault.
    pub fn close(self) {
        for (name, _) in self.object.iter() {
            if !self.known.contains(&name) {
                let meant = nearest(name, &self.known);
                let known = self.known.clone().into();
                let problem = Problem::UnknownKey { known, meant };
                self.faults.push(self.at.key(name), problem);
            }
        }
    }
}

/// The one of `known` that `name` is likely a slip of: at most a third of it is wrong.
fn nearest(name: &str, known: &[&'static str]) -> Option<&'static str> {
    if name.len() > COMPARED_BYTES {
        return None;
    }
    let distances = known.iter().map(|key| (distance(name, key), *key));
    let (distance, key) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance.saturating_mul(3) <= key.len()).then_some(key)
}

/// Levenshtein's: the least number of insertions, deletions and replacements.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut left = i.saturating_add(1);
        let mut diagonal = i;
        let mut next = vec![left];
        for (y, above) in b.bytes().zip(row.iter().skip(1)) {
            let replaced = diagonal.saturating_add(usize::from(x != y));
            left = replaced.min(above.min(&left).saturating_add(1));
            next.push(left);
            diagonal = *above;
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

/// `a, b or c`.
pub fn alternatives<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    let words: Vec<&str> = words.into_iter().collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => words.concat(),
    }
}

/// A string for a message, on one line and not too long. Never for what may be a secret.
pub fn quoted(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARACTERS) {
        None => Quoted(text).to_string(),
        Some((end, _)) => format!("{}…", Quoted(text.get(..end).unwrap_or_default())),
    }
}

fn shown(number: &str) -> String {
    number.chars().take(SHOWN_CHARACTERS).collect()
}

#[cfg(test)]
mod tests;
