//! Reads JSON into the structs of a configuration and goes on after a fault, so that one try finds
//! them all. What was read knows where it stands.

use std::borrow::Cow;

use crate::config::fault::{At, Findings};
use crate::json::{Object, Value};

/// What a JSON value can be read as.
pub trait FromValue<'v>: Sized {
    /// `None` once the faults of the value are recorded.
    fn from_value(value: &'v Value<'v>, at: At, findings: &mut Findings<'v>) -> Option<Self>;
}

/// A struct whose fields are the members of one object.
pub trait FromMembers<'v>: Sized {
    /// Asks for each member once.
    fn from_members(members: &mut ObjectReader<'_, 'v>) -> Self;
}

/// A field of such a struct.
pub trait FromMember<'v>: Sized {
    /// Reads the member `key`.
    fn from_member(key: &'static str, members: &mut ObjectReader<'_, 'v>) -> Self;
}

/// An enum of which an object has exactly one member.
pub trait Choice<'v>: Sized {
    /// The names of the members.
    const KEYS: &'static [&'static str];

    /// Reads the member `key`, one of [`Choice::KEYS`].
    fn from_member(key: &'static str, members: &mut ObjectReader<'_, 'v>) -> Option<Self>;
}

/// A value, and where it stands.
#[derive(Clone, Copy)]
pub struct Located<T> {
    /// Where it stands.
    pub at: At,
    /// What stands there.
    pub value: T,
}

/// A member that must be there; `None` once its fault is recorded.
pub type Required<T> = Option<Located<T>>;

/// A member that may be absent.
pub struct Optional<T> {
    /// Where it stands, or would stand.
    pub at: At,
    written: Written<T>,
}

/// What was written of an [`Optional`] member.
enum Written<T> {
    Absent,
    /// It is there, and its faults are recorded.
    Faulty,
    Valid(T),
}

/// Exactly one of the members of an enum, in the object that the field's struct is read from.
pub struct ExactlyOne<T>(pub Option<T>);

/// A list; `None` in the place of an element whose faults are recorded.
pub struct ListOf<T>(Vec<Option<Located<T>>>);

/// A list that is not empty.
pub struct NonEmpty<T>(ListOf<T>);

/// An object whose keys are the operator's; `None` where the faults of a value are recorded.
pub struct Named<'v, T>(Vec<(Located<&'v str>, Option<T>)>);

/// Reads the members of one object. A member that nobody asks for is a fault.
pub struct ObjectReader<'r, 'v> {
    /// `None`: an object without members.
    object: Option<&'v Object<'v>>,
    at: At,
    findings: &'r mut Findings<'v>,
    known: Vec<&'static str>,
    /// Those of the other module, which are refused already.
    refused: &'static [&'static str],
}

/// Why a key or a word of that module is refused.
pub const NEEDS_BODIES: &str = "needs portcullis-ai.wasm";

// === impl Optional ===

impl<T> Optional<T> {
    /// The default where the member is absent; `None` where it is faulty.
    pub fn or(self, default: T) -> Option<Located<T>> {
        let at = self.at;
        match self.written {
            Written::Absent => Some(Located { at, value: default }),
            Written::Faulty => None,
            Written::Valid(value) => Some(Located { at, value }),
        }
    }

    /// The default where the member is absent, otherwise what becomes of it.
    pub fn map_or<U>(self, default: U, compile: impl FnOnce(Located<T>) -> Option<U>) -> Option<U> {
        let at = self.at;
        match self.written {
            Written::Absent => Some(default),
            Written::Faulty => None,
            Written::Valid(value) => compile(Located { at, value }),
        }
    }

    /// What becomes of the member: the outer `None` says that it is faulty, the inner one that it
    /// is absent.
    pub fn and_then<U>(self, compile: impl FnOnce(Located<T>) -> Option<U>) -> Option<Option<U>> {
        self.map_or(None, |located| compile(located).map(Some))
    }

    /// What was written, where it is valid.
    pub fn given(self) -> Option<Located<T>> {
        self.and_then(Some)?
    }

    /// Whether nothing was written.
    pub fn is_absent(&self) -> bool {
        matches!(self.written, Written::Absent)
    }
}

impl<'v, T: FromMembers<'v>> Optional<T> {
    /// An absent object reads as an empty one, whose members have their defaults.
    pub fn or_empty(self, findings: &mut Findings<'v>) -> Option<Located<T>> {
        let at = self.at;
        let value = match self.written {
            Written::Absent => T::from_members(&mut ObjectReader {
                object: None,
                at,
                findings,
                known: Vec::new(),
                refused: &[],
            }),
            Written::Faulty => return None,
            Written::Valid(value) => value,
        };
        Some(Located { at, value })
    }
}

// === impl ListOf ===

impl<T> ListOf<T> {
    /// Whether nothing was written in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T> Default for ListOf<T> {
    fn default() -> Self {
        ListOf(Vec::new())
    }
}

/// Every element; `None` where the faults of one are recorded, so that no reader can pass over it.
impl<T> IntoIterator for ListOf<T> {
    type Item = Option<Located<T>>;
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'v, T: FromValue<'v>> FromValue<'v> for ListOf<T> {
    fn from_value(value: &'v Value<'v>, at: At, findings: &mut Findings<'v>) -> Option<Self> {
        let Value::Array(items) = value else {
            findings.wrong_type(at, value, "an array");
            return None;
        };
        let items = items.iter().enumerate().map(|(i, item)| {
            let at = findings.index(at, i);
            let value = T::from_value(item, at, findings)?;
            Some(Located { at, value })
        });
        Some(ListOf(items.collect()))
    }
}

// === impl NonEmpty ===

impl<T> IntoIterator for NonEmpty<T> {
    type Item = Option<Located<T>>;
    type IntoIter = <ListOf<T> as IntoIterator>::IntoIter;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'v, T: FromValue<'v>> FromValue<'v> for NonEmpty<T> {
    fn from_value(value: &'v Value<'v>, at: At, findings: &mut Findings<'v>) -> Option<Self> {
        let list = ListOf::from_value(value, at, findings)?;
        if list.is_empty() {
            findings.unfit(at, "an empty array", "at least one element");
            return None;
        }
        Some(NonEmpty(list))
    }
}

// === impl Named ===

impl<'v, T> Named<'v, T> {
    /// Whether nothing was written in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All names, also those whose value is faulty.
    pub fn names(&self) -> impl Iterator<Item = &'v str> {
        self.0.iter().map(|(name, _)| name.value)
    }
}

impl<T> Default for Named<'_, T> {
    fn default() -> Self {
        Named(Vec::new())
    }
}

impl<'v, T> IntoIterator for Named<'v, T> {
    type Item = (Located<&'v str>, Option<T>);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'v, T: FromValue<'v>> FromValue<'v> for Named<'v, T> {
    fn from_value(value: &'v Value<'v>, at: At, findings: &mut Findings<'v>) -> Option<Self> {
        let object = <&Object>::from_value(value, at, findings)?;
        let members = object.iter().map(|(name, value)| {
            let at = findings.key(at, name);
            let value = T::from_value(value, at, findings);
            (Located { at, value: name }, value)
        });
        Some(Named(members.collect()))
    }
}

// === impl FromValue for objects ===

impl<'v, T: FromMembers<'v>> FromValue<'v> for T {
    fn from_value(value: &'v Value<'v>, at: At, findings: &mut Findings<'v>) -> Option<Self> {
        let object = <&Object>::from_value(value, at, findings)?;
        let mut members = ObjectReader {
            object: Some(object),
            at,
            findings,
            known: Vec::new(),
            refused: &[],
        };
        let read = T::from_members(&mut members);
        members.refuse_unknown();
        Some(read)
    }
}

// === impl FromMember ===

impl<'v, T: FromValue<'v>> FromMember<'v> for Required<T> {
    fn from_member(key: &'static str, members: &mut ObjectReader<'_, 'v>) -> Self {
        members.required(key)
    }
}

impl<'v, T: FromValue<'v>> FromMember<'v> for Optional<T> {
    fn from_member(key: &'static str, members: &mut ObjectReader<'_, 'v>) -> Self {
        members.optional(key)
    }
}

impl<'v, T: Choice<'v>> FromMember<'v> for ExactlyOne<T> {
    /// The members have their own keys; the field's name is none.
    fn from_member(_: &'static str, members: &mut ObjectReader<'_, 'v>) -> Self {
        let key = members.exactly_one(T::KEYS);
        ExactlyOne(key.and_then(|key| T::from_member(key, members)))
    }
}

/// An object that has exactly one of the members and nothing else.
impl<'v, T: Choice<'v>> FromMembers<'v> for ExactlyOne<T> {
    fn from_members(members: &mut ObjectReader<'_, 'v>) -> Self {
        ExactlyOne::from_member("", members)
    }
}

// === impl ObjectReader ===

impl<'v> ObjectReader<'_, 'v> {
    /// The member `key`, as its field's type wants it.
    pub fn member<M: FromMember<'v>>(&mut self, key: &'static str) -> M {
        M::from_member(key, self)
    }

    /// A member whose absence is a fault.
    #[inline(never)]
    pub fn required<T: FromValue<'v>>(&mut self, key: &'static str) -> Required<T> {
        let Optional { at, written } = self.optional(key);
        match written {
            Written::Valid(value) => Some(Located { at, value }),
            Written::Faulty => None,
            Written::Absent => {
                self.findings.missing(at);
                None
            }
        }
    }

    /// A member that may be absent.
    #[inline(never)]
    pub fn optional<T: FromValue<'v>>(&mut self, key: &'static str) -> Optional<T> {
        let (at, value) = self.look_up(key);
        let written = match value.map(|value| T::from_value(value, at, self.findings)) {
            None => Written::Absent,
            Some(None) => Written::Faulty,
            Some(Some(value)) => Written::Valid(value),
        };
        Optional { at, written }
    }

    /// Apart from its reading, of which there is one function for each type.
    #[inline(never)]
    fn look_up(&mut self, key: &'static str) -> (At, Option<&'v Value<'v>>) {
        // One of several members was asked for already.
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        let at = self.findings.key(self.at, key);
        (at, self.object.and_then(|object| object.get(key)))
    }

    /// Which one of `keys` is there: none and several are faults.
    fn exactly_one(&mut self, keys: &'static [&'static str]) -> Option<&'static str> {
        self.known.extend(keys);
        let is_there = |key: &&&str| self.object.is_some_and(|o| o.get(key).is_some());
        let mut there = keys.iter().filter(is_there);
        let found = match (there.next(), there.next()) {
            (Some(key), None) => return Some(key),
            (Some(one), Some(other)) => format!("{one} and {other}").into(),
            (None, _) => Cow::Borrowed("none"),
        };
        let expected = format!("exactly one of {}", keys.join(", "));
        self.findings.unfit(self.at, found, expected);
        None
    }

    /// Members of the module that reads bodies.
    #[cfg(not(feature = "ai"))]
    pub fn refuse_bodies(&mut self, keys: &'static [&'static str]) {
        self.refused = keys;
        for key in keys {
            if self.object.is_some_and(|object| object.get(key).is_some()) {
                let at = self.findings.key(self.at, key);
                self.findings.invalid(at, NEEDS_BODIES.into());
            }
        }
    }

    /// After the last question: any other member is a fault.
    fn refuse_unknown(self) {
        let members = self.object.into_iter().flat_map(Object::iter);
        let is_told = |name: &&str| self.known.contains(name) || self.refused.contains(name);
        for (name, _) in members.filter(|(name, _)| !is_told(name)) {
            let at = self.findings.key(self.at, name);
            self.findings.unknown_key(at, name, &self.known);
        }
    }
}
