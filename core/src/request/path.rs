//! Paths that every parser reads in the same way.
//!
//! A rule protects a path only if the upstream reads the path in the same way. So a path is converted to one
//! form, and what proxies and servers are known to read differently is refused: CVE-2019-9901 and CVE-2021-31920 (dot segments, `//`), CVE-2021-29492 (escaped
//! slashes, backslashes), CVE-2008-2938 (overlong UTF-8), and `..;/` of servlet containers.

use std::borrow::Cow;
use std::fmt;
use std::ops::BitOr;

/// Escapes of unreserved characters decoded, the digits of all others in upper case
/// (RFC 3986 §6.2.2). Nothing else is rewritten, so that what the upstream gets is what was
/// matched, byte for byte up to that equivalence.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CanonicalPath<'a> {
    text: Cow<'a, str>,
    quirks: PathQuirks,
}

/// What a path is refused for unless its rule allows it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PathQuirks(u8);

/// Why a path has more than one reading.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PathFault {
    /// A backslash, raw or escaped.
    Backslash,
    /// A space or control character.
    Control,
    /// A segment `.` or `..`.
    DotSegment,
    /// An escape that decodes to an escape.
    DoubleEscape,
    /// A `%` that two hexadecimal digits do not follow.
    Escape,
    /// A `#`.
    Fragment,
    /// A raw byte beyond ASCII.
    NonAscii,
    /// The path does not begin with a slash.
    NotAbsolute,
    /// An overlong form of UTF-8.
    Overlong,
    /// A `?`.
    Query,
}

// === impl CanonicalPath ===

impl<'a> CanonicalPath<'a> {
    /// Reads a path without query. Borrows it where it is canonical already.
    pub fn parse(raw: &'a [u8]) -> Result<Self, PathFault> {
        let [b'/', tail @ ..] = raw else {
            return Err(PathFault::NotAbsolute);
        };
        let text = std::str::from_utf8(raw).map_err(|_| PathFault::NonAscii)?;
        let mut rewrite = Rewrite {
            text,
            kept: 0,
            out: String::new(),
        };
        let mut segment = SegmentScan::default();
        let mut quirks = PathQuirks::NONE;
        let mut rest = tail;
        while let [byte, tail @ ..] = rest {
            let start = raw.len().saturating_sub(rest.len());
            rest = tail;
            match byte {
                b'/' => segment.end(&mut quirks)?,
                b'.' => segment.dot(),
                b';' => {
                    segment.parameters();
                    quirks = quirks | PathQuirks::SEMICOLON;
                }
                b'%' => {
                    let (value, tail) = escape(byte, rest).ok_or(PathFault::Escape)?;
                    rest = tail;
                    match value {
                        b'.' => segment.dot(),
                        b'/' => {
                            segment.end(&mut quirks)?;
                            quirks = quirks | PathQuirks::ENCODED_SLASH;
                        }
                        // Proxies that decode once pass on a bare `;`, which the next server
                        // takes for the start of parameters.
                        b';' => {
                            segment.parameters();
                            quirks = quirks | PathQuirks::SEMICOLON;
                        }
                        b'\\' => return Err(PathFault::Backslash),
                        b'%' if spells_escape(rest) => return Err(PathFault::DoubleEscape),
                        0..=0x1f | 0x7f => return Err(PathFault::Control),
                        lead if is_overlong(lead, rest) => return Err(PathFault::Overlong),
                        _ => segment.name(),
                    }
                    rewrite.escape(start, value);
                }
                b'\\' => return Err(PathFault::Backslash),
                b'?' => return Err(PathFault::Query),
                b'#' => return Err(PathFault::Fragment),
                0..=0x20 | 0x7f => return Err(PathFault::Control),
                // URIs are ASCII (RFC 3986 §2): some servers escape such a byte, some decode
                // it, as UTF-8 or as Latin-1.
                0x80.. => return Err(PathFault::NonAscii),
                _ => segment.name(),
            }
        }
        segment.end_path()?;
        Ok(CanonicalPath {
            text: rewrite.finish(),
            quirks,
        })
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What only a rule that allows it may match.
    pub fn quirks(&self) -> PathQuirks {
        self.quirks
    }

    /// The same path, borrowed from this one.
    pub fn borrowed(&self) -> CanonicalPath<'_> {
        CanonicalPath {
            text: Cow::Borrowed(&self.text),
            quirks: self.quirks,
        }
    }
}

/// The same path with the digits of its escapes in upper case, where some are not: Envoy's router
/// compares text, and knows no other spelling of `%C3` than the one of its route. Unreserved
/// characters stay as they are; with `normalize_path` none is escaped.
pub fn with_upper_case_escapes(path: &[u8]) -> Option<Vec<u8>> {
    if !path.contains(&b'%') {
        return None;
    }
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let [byte, tail @ ..] = rest {
        let end = match escape(byte, tail) {
            Some((value, after)) if !is_unreserved(value) => {
                let spelled = rest.len().saturating_sub(after.len());
                let spelled = rest.get(..spelled).unwrap_or_default();
                out.extend(spelled.iter().map(u8::to_ascii_uppercase));
                after
            }
            _ => {
                out.push(*byte);
                tail
            }
        };
        rest = end;
    }
    (out != path).then_some(out)
}

pub(crate) fn is_unreserved(value: u8) -> bool {
    value.is_ascii_alphanumeric() || b"-._~".contains(&value)
}

/// The value of the escape that `percent` and the bytes after it form, and what follows it.
pub(crate) fn escape<'a>(percent: &u8, rest: &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (b'%', [high, low, rest @ ..]) = (percent, rest) else {
        return None;
    };
    let digit = |b: &u8| {
        char::from(*b)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    Some((digit(high)? << 4 | digit(low)?, rest))
}

/// Whether `%25` before these bytes becomes an escape when it is decoded twice. The digits may be escaped
/// themselves: `2e`, `%32e`.
fn spells_escape(rest: &[u8]) -> bool {
    after_hex_digit(rest).and_then(after_hex_digit).is_some()
}

fn after_hex_digit(rest: &[u8]) -> Option<&[u8]> {
    let (first, tail) = rest.split_first()?;
    let (value, tail) = escape(first, tail).unwrap_or((*first, tail));
    value.is_ascii_hexdigit().then_some(tail)
}

/// Escapes that write an ASCII character in more bytes than one: lax decoders read `%C0%AF`
/// and `%E0%80%AF` as a slash. C0 and C1 have no other use in UTF-8 (RFC 3629 §3).
fn is_overlong(lead: u8, rest: &[u8]) -> bool {
    let next = || {
        let (first, tail) = rest.split_first()?;
        escape(first, tail).map(|(value, _)| value)
    };
    match lead {
        0xc0 | 0xc1 => true,
        0xe0 => matches!(next(), Some(0x80..=0x9f)),
        0xf0 => matches!(next(), Some(0x80..=0x8f)),
        _ => false,
    }
}

// === impl Rewrite ===

/// The canonical text; borrowed while nothing differs from the input.
struct Rewrite<'a> {
    text: &'a str,
    /// `out` has everything up to here.
    kept: usize,
    out: String,
}

impl<'a> Rewrite<'a> {
    /// Writes the escape at `start` in its canonical form.
    fn escape(&mut self, start: usize, value: u8) {
        let end = start.saturating_add(3);
        let unreserved = is_unreserved(value);
        let given = self.text.get(start..end).unwrap_or_default();
        if !unreserved && !given.bytes().any(|b| b.is_ascii_lowercase()) {
            return;
        }
        self.out
            .push_str(self.text.get(self.kept..start).unwrap_or_default());
        if unreserved {
            self.out.push(char::from(value));
        } else {
            self.out
                .extend(given.chars().map(|c| c.to_ascii_uppercase()));
        }
        self.kept = end;
    }

    fn finish(mut self) -> Cow<'a, str> {
        if self.kept == 0 {
            return Cow::Borrowed(self.text);
        }
        self.out
            .push_str(self.text.get(self.kept..).unwrap_or_default());
        Cow::Owned(self.out)
    }
}

// === impl SegmentScan ===

/// The segment without its parameters, as lenient servers read it: an escaped slash ends it, too.
#[derive(Default)]
struct SegmentScan {
    dots: usize,
    /// Other characters than dots.
    named: bool,
    parameters: bool,
}

impl SegmentScan {
    fn dot(&mut self) {
        if !self.parameters {
            self.dots = self.dots.saturating_add(1);
        }
    }

    fn name(&mut self) {
        self.named |= !self.parameters;
    }

    fn parameters(&mut self) {
        self.parameters = true;
    }

    /// A separator ends the segment.
    fn end(&mut self, quirks: &mut PathQuirks) -> Result<(), PathFault> {
        self.end_path()?;
        if !self.named && self.dots == 0 {
            *quirks = *quirks | PathQuirks::DOUBLE_SLASH;
        }
        *self = SegmentScan::default();
        Ok(())
    }

    /// The end of the path ends it: a trailing slash is not a double slash.
    fn end_path(&self) -> Result<(), PathFault> {
        if !self.named && matches!(self.dots, 1 | 2) {
            return Err(PathFault::DotSegment);
        }
        Ok(())
    }
}

// === impl PathQuirks ===

impl PathQuirks {
    /// No quirk.
    pub const NONE: Self = PathQuirks(0);
    /// `%2F`
    pub const ENCODED_SLASH: Self = PathQuirks(1);
    /// An empty segment before the last, also one between escaped slashes or before parameters.
    pub const DOUBLE_SLASH: Self = PathQuirks(2);
    /// `;` or `%3B`
    pub const SEMICOLON: Self = PathQuirks(4);

    /// Each of them, by the name that a configuration gives it.
    pub const NAMES: [(&'static str, Self); 3] = [
        ("encoded_slash", Self::ENCODED_SLASH),
        ("double_slash", Self::DOUBLE_SLASH),
        ("semicolon", Self::SEMICOLON),
    ];

    /// Whether there is no quirk.
    pub fn is_empty(self) -> bool {
        self == Self::NONE
    }

    /// Whether `allowed` has all of these.
    pub fn is_within(self, allowed: Self) -> bool {
        self.0 & !allowed.0 == 0
    }
}

impl BitOr for PathQuirks {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        PathQuirks(self.0 | other.0)
    }
}

/// By their names in a configuration.
impl fmt::Display for PathQuirks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = Self::NAMES
            .iter()
            .filter(|(_, quirk)| quirk.is_within(*self));
        if let Some((name, _)) = names.next() {
            f.write_str(name)?;
        }
        names.try_for_each(|(name, _)| write!(f, ", {name}"))
    }
}

// === impl PathFault ===

impl fmt::Display for PathFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PathFault::Backslash => "a backslash",
            PathFault::Control => "a space or control character",
            PathFault::DotSegment => "a segment `.` or `..`",
            PathFault::DoubleEscape => "an escape of an escape (`%25` and two hex digits)",
            PathFault::Escape => "a `%` without two hex digits",
            PathFault::Fragment => "a fragment (`#`)",
            PathFault::NonAscii => "a character outside ASCII that is not percent-encoded",
            PathFault::NotAbsolute => "no `/` at its start",
            PathFault::Overlong => "an overlong UTF-8 form",
            PathFault::Query => "a query (`?`)",
        })
    }
}

#[cfg(test)]
mod tests;
