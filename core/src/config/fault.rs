//! The faults of a document and their paths. All faults are collected before any is reported.

use std::borrow::Cow;
use std::fmt;

use crate::json::{Quoted, Value};

/// One thing that is wrong, at one JSON path.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConfigFault {
    /// `providers.corp.jwks.remote.cluster`, `rules[3].name`; the document's name for all of it.
    pub path: Box<str>,
    /// What is wrong there.
    pub problem: Problem,
}

/// What can be wrong with a value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Problem {
    /// One object has the key more than once.
    DuplicateKey,
    /// What a parser said about the text.
    Invalid(Box<str>),
    /// A required key is absent.
    Missing,
    /// The value has the wrong type, or is out of range.
    Unfit {
        /// What is there; never a text that may be a secret.
        found: Cow<'static, str>,
        /// What would be right.
        expected: Cow<'static, str>,
    },
    /// The object has no such key.
    UnknownKey {
        /// The keys that it can have.
        known: Box<[&'static str]>,
        /// The key that was probably meant.
        meant: Option<&'static str>,
    },
}

/// Something that is valid and probably a mistake.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Warning {
    /// The JSON path.
    pub path: Box<str>,
    /// What happens because of it.
    pub message: Box<str>,
}

/// The position of a value in a document, valid for the [`Findings`] that made it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct At(usize);

/// The faults and warnings of one document, and the paths of everything that was read from it.
#[derive(Debug)]
pub struct Findings<'v> {
    document: &'static str,
    /// The path of each position: `At(n)` is the entry before `n`, and `At(0)` the document itself.
    steps: Vec<PathStep<'v>>,
    faults: Vec<ConfigFault>,
    warnings: Vec<Warning>,
}

#[derive(Clone, Copy, Debug)]
enum PathStep<'v> {
    Key(At, &'v str),
    Index(At, usize),
}

/// How many characters of an unfit string a message repeats.
const SHOWN_CHARACTERS: usize = 64;

/// A longer unknown key is not compared: it resembles no key of ours, and a comparison costs the product of
/// both lengths.
const COMPARED_BYTES: usize = 40;

// === impl ConfigFault ===

/// On one line.
impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path)?;
        match &self.problem {
            Problem::DuplicateKey => f.write_str("duplicate key"),
            Problem::Invalid(reason) => f.write_str(reason),
            Problem::Missing => f.write_str("required"),
            Problem::Unfit { found, expected } => write!(f, "found {found}, expected {expected}"),
            Problem::UnknownKey {
                meant: Some(meant), ..
            } => write!(f, "unknown key, did you mean {meant}?"),
            Problem::UnknownKey { known, .. } => {
                let known = alternatives(known.iter().copied());
                write!(f, "unknown key, expected {known}")
            }
        }
    }
}

// === impl Warning ===

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

// === impl At ===

impl At {
    /// The document as a whole.
    pub const DOCUMENT: At = At(0);
}

// === impl Findings ===

impl<'v> Findings<'v> {
    /// None yet. Messages about the document as a whole call it by this name.
    pub fn new(document: &'static str) -> Self {
        Findings {
            document,
            steps: Vec::new(),
            faults: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// The member `key` of the object at `object`.
    pub fn key(&mut self, object: At, key: &'v str) -> At {
        self.step(PathStep::Key(object, key))
    }

    /// The element `index` of the array at `array`.
    pub fn index(&mut self, array: At, index: usize) -> At {
        self.step(PathStep::Index(array, index))
    }

    fn step(&mut self, step: PathStep<'v>) -> At {
        self.steps.push(step);
        At(self.steps.len())
    }

    /// `providers.corp.jwks.remote.cluster`, `rules[3].name`: one line, whatever the keys are.
    pub fn path(&self, at: At) -> String {
        let mut path = String::new();
        self.write_path(at, &mut path);
        if path.is_empty() {
            path.push_str(self.document);
        }
        path
    }

    fn write_path(&self, at: At, path: &mut String) {
        let step = at.0.checked_sub(1).and_then(|i| self.steps.get(i));
        match step {
            None => {}
            Some(PathStep::Index(array, index)) => {
                self.write_path(*array, path);
                *path += &format!("[{index}]");
            }
            Some(PathStep::Key(object, key)) => {
                self.write_path(*object, path);
                let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
                if key.is_empty() || !key.chars().all(plain) {
                    if path.is_empty() {
                        path.push_str(self.document);
                    }
                    *path += &format!("[{}]", quoted(key));
                    return;
                }
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(key);
            }
        }
    }

    /// A required key is absent.
    #[cold]
    pub fn missing(&mut self, at: At) {
        self.fault(at, Problem::Missing);
    }

    /// The value cannot be used. `found` must not repeat what may be a secret.
    #[cold]
    pub fn unfit(
        &mut self,
        at: At,
        found: impl Into<Cow<'static, str>>,
        expected: impl Into<Cow<'static, str>>,
    ) {
        let (found, expected) = (found.into(), expected.into());
        self.fault(at, Problem::Unfit { found, expected });
    }

    /// A parser refused the text, and says why.
    #[cold]
    pub fn invalid(&mut self, at: At, reason: String) {
        self.fault(at, Problem::Invalid(reason.into()));
    }

    /// The message has only the type of the value: a value with the wrong type may be a secret.
    #[cold]
    pub fn wrong_type(
        &mut self,
        at: At,
        value: &Value<'_>,
        expected: impl Into<Cow<'static, str>>,
    ) {
        self.unfit(at, value.kind(), expected);
    }

    /// The object has no such key, but `known` ones.
    #[cold]
    pub fn unknown_key(&mut self, at: At, key: &str, known: &[&'static str]) {
        let meant = nearest(key, known);
        let known = known.into();
        self.fault(at, Problem::UnknownKey { known, meant });
    }

    /// Reports every duplicate key at any depth: nobody can tell which of the two counts.
    pub fn duplicate_keys(&mut self, at: At, value: &'v Value<'v>) {
        // No fault refers to these steps later, so they are dropped.
        let steps = self.steps.len();
        match value {
            Value::Object(object) => {
                for name in object.duplicates() {
                    let at = self.key(at, name);
                    self.fault(at, Problem::DuplicateKey);
                }
                for (name, value) in object.iter() {
                    let at = self.key(at, name);
                    self.duplicate_keys(at, value);
                    self.steps.truncate(steps);
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    let at = self.index(at, index);
                    self.duplicate_keys(at, item);
                    self.steps.truncate(steps);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    /// Valid, probably a mistake.
    #[cold]
    pub fn warn(&mut self, at: At, message: impl Into<Box<str>>) {
        let path = self.path(at).into();
        let message = message.into();
        self.warnings.push(Warning { path, message });
    }

    /// The warnings of a document without a fault; otherwise its faults, in the order in which
    /// they were found.
    pub fn finish(self) -> Result<Vec<Warning>, Vec<ConfigFault>> {
        match self.faults.is_empty() {
            true => Ok(self.warnings),
            false => Err(self.faults),
        }
    }

    #[cold]
    fn fault(&mut self, at: At, problem: Problem) {
        let path = self.path(at).into();
        self.faults.push(ConfigFault { path, problem });
    }
}

/// The key of `known` that was probably meant: at most a third of its letters differ.
fn nearest(key: &str, known: &[&'static str]) -> Option<&'static str> {
    if key.len() > COMPARED_BYTES {
        return None;
    }
    let distances = known
        .iter()
        .map(|known| (edit_distance(key, known), *known));
    let (distance, nearest) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance.saturating_mul(3) <= nearest.len()).then_some(nearest)
}

/// The Levenshtein distance: the smallest number of insertions, deletions and replacements.
fn edit_distance(a: &str, b: &str) -> usize {
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
#[cold]
pub fn alternatives<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    let words: Vec<&str> = words.into_iter().collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => words.concat(),
    }
}

/// A string for a message, on one line and not too long. Never for what may be a secret.
#[cold]
pub fn quoted(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARACTERS) {
        None => Quoted(text).to_string(),
        Some((end, _)) => format!("{}…", Quoted(text.get(..end).unwrap_or_default())),
    }
}

/// A number for a message: not too long.
#[cold]
pub fn shortened(number: &str) -> String {
    number.chars().take(SHOWN_CHARACTERS).collect()
}

#[cfg(test)]
mod tests;
