//! What a rule says about paths, parsed to what the index needs.

use regex_lite::RegexBuilder;

use crate::policy::route::invalid_match::{InvalidMatch, InvalidPath};
use crate::request::path::{CanonicalPath, PathQuirks};

/// An expression may cost time in proportion to its size for each byte of a path, of which there are
/// [`crate::limits::REGEX_PATH_BYTES`] at the most. This is room for some thousand characters.
const REGEX_BYTES: usize = 32 * 1024;

/// Segments that lead to a rule, and what may follow them. The default matches every path.
#[derive(Clone, Debug, Default)]
pub struct PathMatch {
    pub(super) segments: Vec<Segment>,
    pub(super) end: End,
    quirks: PathQuirks,
    /// The names in a template, and which segment each stands for.
    variables: Vec<(Box<str>, usize)>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Segment {
    Literal(Box<str>),
    /// Any that is not empty.
    One,
}

#[derive(Clone, Debug, Default)]
pub(super) enum End {
    #[default]
    Anything,
    Nothing,
    /// Anything, if the path as a whole matches.
    Regex(Regex),
}

/// Of a whole path.
#[derive(Clone, Debug)]
pub(super) struct Regex(regex_lite::Regex);

// === impl PathMatch ===

impl PathMatch {
    /// The one path.
    pub fn exact(text: &str) -> Result<Self, InvalidMatch> {
        literal(text, End::Nothing).map_err(|fault| invalid(text, fault))
    }

    /// The path and all below it, by whole segments; a slash at its end changes nothing.
    pub fn prefix(text: &str) -> Result<Self, InvalidMatch> {
        let mut prefix = literal(text, End::Anything).map_err(|fault| invalid(text, fault))?;
        if prefix.segments.last() == Some(&Segment::Literal("".into())) {
            prefix.segments.pop();
        }
        Ok(prefix)
    }

    /// `{name}` or `*` stands for one segment, `**` at the end for any number of them.
    pub fn template(text: &str) -> Result<Self, InvalidMatch> {
        template(text).map_err(|fault| invalid(text, fault))
    }

    /// An expression that the whole canonical path has to match.
    pub fn regex(text: &str) -> Result<Self, InvalidMatch> {
        regex(text).map_err(|fault| invalid(text, fault))
    }

    /// What it can match only where its rule allows it.
    pub fn quirks(&self) -> PathQuirks {
        self.quirks
    }

    pub(super) fn leading_path(&self) -> Option<String> {
        if matches!(self.end, End::Regex(_)) {
            return None;
        }
        let literals = self.segments.iter().map_while(|segment| match segment {
            Segment::Literal(text) => Some(format!("/{text}")),
            Segment::One => None,
        });
        let path: String = literals.collect();
        Some(if path.is_empty() { "/".into() } else { path })
    }

    /// The segment that a name in a template stands for, counted from 0.
    pub(super) fn variable(&self, name: &str) -> Option<usize> {
        let mut variables = self.variables.iter();
        variables
            .find(|(n, _)| n.as_ref() == name)
            .map(|(_, segment)| *segment)
    }

    /// Whether one path may match both. Of an expression, only the segments that all of its matches begin
    /// with are looked at.
    pub(super) fn may_meet(&self, other: &PathMatch) -> bool {
        let (shorter, longer) = match self.segments.len() <= other.segments.len() {
            true => (self, other),
            false => (other, self),
        };
        let pairs = shorter.segments.iter().zip(&longer.segments);
        let has_room = shorter.segments.len() == longer.segments.len();
        pairs.into_iter().all(|(a, b)| a.may_be(b))
            && (has_room || !matches!(shorter.end, End::Nothing))
    }

    /// Whether it matches every path that `other` matches. An expression counts as matching none of them.
    pub(super) fn covers(&self, other: &PathMatch) -> bool {
        let covers_start = self.segments.len() <= other.segments.len()
            && self
                .segments
                .iter()
                .zip(&other.segments)
                .all(|(a, b)| a.covers(b));
        covers_start
            && match (&self.end, &other.end) {
                (End::Anything, _) => true,
                (End::Nothing, End::Nothing) => self.segments.len() == other.segments.len(),
                (End::Nothing | End::Regex(_), _) => false,
            }
    }

    pub(super) fn into_regex(self) -> Option<Regex> {
        match self.end {
            End::Regex(regex) => Some(regex),
            End::Anything | End::Nothing => None,
        }
    }
}

// === impl Segment ===

impl Segment {
    fn may_be(&self, other: &Segment) -> bool {
        self.covers(other) || other.covers(self)
    }

    fn covers(&self, other: &Segment) -> bool {
        match (self, other) {
            (Segment::One, Segment::One) => true,
            (Segment::One, Segment::Literal(text)) => !text.is_empty(),
            (Segment::Literal(a), Segment::Literal(b)) => a == b,
            (Segment::Literal(_), Segment::One) => false,
        }
    }
}

fn invalid(text: &str, fault: InvalidPath) -> InvalidMatch {
    InvalidMatch::Path {
        found: text.into(),
        fault,
    }
}

/// The segments of a path that begins with a slash; `/` has one, which is empty.
fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.strip_prefix('/').unwrap_or(path).split('/')
}

fn canonical(text: &str) -> Result<CanonicalPath<'_>, InvalidPath> {
    CanonicalPath::parse(text.as_bytes()).map_err(InvalidPath::Ambiguous)
}

fn literal(text: &str, end: End) -> Result<PathMatch, InvalidPath> {
    let path = canonical(text)?;
    // Taken as characters they would make a rule that matches nothing: of a rule that denies,
    // nobody would notice.
    if text.contains(['*', '{', '}']) {
        return Err(InvalidPath::Pattern);
    }
    Ok(PathMatch {
        segments: segments(path.as_str())
            .map(|s| Segment::Literal(s.into()))
            .collect(),
        end,
        quirks: path.quirks(),
        variables: Vec::new(),
    })
}

fn template(text: &str) -> Result<PathMatch, InvalidPath> {
    let path = canonical(text)?;
    let mut variables: Vec<(Box<str>, usize)> = Vec::new();
    let mut parsed = Vec::new();
    let mut end = End::Nothing;
    for segment in segments(path.as_str()) {
        // Something follows `**`: where that began would have to be guessed.
        if matches!(end, End::Anything) {
            return Err(InvalidPath::TemplateRest);
        }
        if segment == "**" {
            end = End::Anything;
        } else if segment == "*" {
            parsed.push(Segment::One);
        } else if let Some(name) = variable(segment) {
            if variables.iter().any(|(n, _)| n.as_ref() == name) {
                return Err(InvalidPath::TemplateRepeats);
            }
            variables.push((name.into(), parsed.len()));
            parsed.push(Segment::One);
        } else if segment.contains(['*', '{', '}']) {
            return Err(InvalidPath::TemplateSegment);
        } else {
            parsed.push(Segment::Literal(segment.into()));
        }
    }
    Ok(PathMatch {
        segments: parsed,
        end,
        quirks: path.quirks(),
        variables,
    })
}

/// The name in `{name}`.
fn variable(segment: &str) -> Option<&str> {
    let name = segment.strip_prefix('{')?.strip_suffix('}')?;
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    (!name.is_empty() && name.bytes().all(legal)).then_some(name)
}

fn regex(text: &str) -> Result<PathMatch, InvalidPath> {
    if !is_canonical(text) {
        return Err(InvalidPath::RegexNotCanonical);
    }
    let build = |pattern: &str| {
        RegexBuilder::new(pattern)
            .size_limit(REGEX_BYTES)
            .build()
            .map_err(InvalidPath::Regex)
    };
    // First alone, or `/a)|(/b` would break out of the anchors.
    build(text)?;
    let whole = build(&format!("^(?:{text})$"))?;
    let prefix = literal_prefix(text);
    if !prefix.is_empty() && !prefix.starts_with('/') {
        return Err(InvalidPath::RegexNotAbsolute);
    }
    // Whole segments that every match begins with lead to the rule.
    let leading = prefix.rsplit_once('/').map_or("", |(leading, _)| leading);
    let segments = match leading {
        "" => Vec::new(),
        leading => segments(leading)
            .map(|s| Segment::Literal(s.into()))
            .collect(),
    };
    Ok(PathMatch {
        segments,
        end: End::Regex(Regex(whole)),
        quirks: PathQuirks::NONE,
        variables: Vec::new(),
    })
}

/// Whether an expression spells its escapes as canonical paths do: others match nothing, and
/// so do characters outside ASCII.
fn is_canonical(pattern: &str) -> bool {
    let escapes = pattern.as_bytes().windows(3).all(|window| match window {
        [b'%', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
            let path = [b'/', b'x', b'%', *high, *low];
            CanonicalPath::parse(&path).is_ok_and(|p| p.as_str().as_bytes() == path)
        }
        _ => true,
    });
    pattern.is_ascii() && escapes
}

/// Text that every match begins with. Alternatives may hide anywhere, so an expression with a
/// `|` has none.
fn literal_prefix(pattern: &str) -> &str {
    let pattern = pattern.strip_prefix('^').unwrap_or(pattern);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '~' | '%');
    if pattern.contains('|') {
        return "";
    }
    let Some(end) = pattern.find(|c| !plain(c)) else {
        return pattern;
    };
    let (prefix, rest) = pattern.split_at(end);
    // What is repeated may be there no times.
    match rest.starts_with(['?', '*', '+', '{']) {
        true => prefix.split_at(prefix.len().saturating_sub(1)).0,
        false => prefix,
    }
}

// === impl Regex ===

impl Regex {
    pub(super) fn is_match(&self, path: &str) -> bool {
        self.0.is_match(path)
    }
}

#[cfg(test)]
mod tests;
