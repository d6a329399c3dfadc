//! Values that are no objects and no lists: texts, numbers, words, durations, times.

use std::fmt;
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::config::fault::{At, Findings, alternatives, quoted, shortened};
use crate::config::reader::{FromValue, NEEDS_BODIES};
use crate::json::{Object, Value};
use crate::time::UnixTime;

/// A duration as operators write it: `1h`, `90s`, `500ms`.
pub struct DisplayDuration(pub Duration);

// === impl FromValue ===

impl<'v> FromValue<'v> for &'v Value<'v> {
    fn from_value(value: &'v Value<'v>, _: At, _: &mut Findings<'v>) -> Option<Self> {
        Some(value)
    }
}

impl<'v> FromValue<'v> for &'v Object<'v> {
    fn from_value(value: &'v Value<'v>, at: At, findings: &mut Findings<'v>) -> Option<Self> {
        let object = value.as_object();
        if object.is_none() {
            findings.wrong_type(at, value, "an object");
        }
        object
    }
}

impl<'v> FromValue<'v> for &'v str {
    fn from_value(value: &'v Value<'v>, at: At, findings: &mut Findings<'v>) -> Option<Self> {
        let text = value.as_str();
        if text.is_none() {
            findings.wrong_type(at, value, "a string");
        }
        text
    }
}

impl<'v> FromValue<'v> for bool {
    fn from_value(value: &'v Value<'v>, at: At, findings: &mut Findings<'v>) -> Option<Self> {
        let bool = value.as_bool();
        if bool.is_none() {
            findings.wrong_type(at, value, "true or false");
        }
        bool
    }
}

impl<'v> FromValue<'v> for u64 {
    fn from_value(value: &'v Value<'v>, at: At, findings: &mut Findings<'v>) -> Option<Self> {
        const EXPECTED: &str = "a whole number";
        #[cfg(feature = "ai")]
        if let Some(large) = large_number(value) {
            return Some(large);
        }
        let Value::Number(_) = value else {
            findings.wrong_type(at, value, EXPECTED);
            return None;
        };
        // A Struct has doubles only, and some writers print them as `4096.0`.
        let number = value.to_string();
        let digits = number.strip_suffix(".0").unwrap_or(&number);
        let whole = digits.parse().ok();
        if whole.is_none() {
            findings.unfit(at, shortened(&number), EXPECTED);
        }
        whole
    }
}

/// A number that is a string: Envoy writes those beyond 31 bits so, where it reads a `Struct` from YAML.
#[cfg(feature = "ai")]
pub fn large_number(value: &Value<'_>) -> Option<u64> {
    let text = value.as_str()?;
    let is_plain = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    let number = text.parse().ok().filter(|_| is_plain)?;
    (number > i32::MAX as u64).then_some(number)
}

impl<'v> FromValue<'v> for Duration {
    fn from_value(value: &'v Value<'v>, at: At, findings: &mut Findings<'v>) -> Option<Self> {
        parsed(
            value,
            parse_duration,
            "a duration such as 500ms, 30s or 1h",
            at,
            findings,
        )
    }
}

impl<'v> FromValue<'v> for UnixTime {
    fn from_value(value: &'v Value<'v>, at: At, findings: &mut Findings<'v>) -> Option<Self> {
        parsed(
            value,
            parse_time,
            "an RFC 3339 time such as 2027-01-01T00:00:00Z",
            at,
            findings,
        )
    }
}

/// A string that `parse` understands.
fn parsed<'v, T>(
    value: &'v Value<'v>,
    parse: fn(&str) -> Option<T>,
    expected: &'static str,
    at: At,
    findings: &mut Findings<'v>,
) -> Option<T> {
    let Value::String(text) = value else {
        findings.wrong_type(at, value, expected);
        return None;
    };
    let parsed = parse(text);
    if parsed.is_none() {
        findings.unfit(at, quoted(text), expected);
    }
    parsed
}

/// One of a few words, by what it means. `refused` are words of the module that reads bodies.
pub(super) fn meaning<'v, W: Copy>(
    words: &[(&'static str, W)],
    refused: &[&'static str],
    value: &'v Value<'v>,
    at: At,
    findings: &mut Findings<'v>,
) -> Option<W> {
    let known = || {
        let words = words.iter().map(|(word, _)| *word);
        alternatives(words.chain(refused.iter().copied()))
    };
    let Value::String(text) = value else {
        findings.wrong_type(at, value, known());
        return None;
    };
    let found = words.iter().find(|(word, _)| word == text);
    match (found, refused.contains(&text.as_ref())) {
        (Some(_), _) => {}
        (None, true) => findings.invalid(at, format!("{text} {NEEDS_BODIES}")),
        (None, false) => findings.unfit(at, quoted(text), known()),
    }
    found.map(|(_, meaning)| *meaning)
}

/// Numbers with a unit each, `ms`, `s`, `m` or `h`, as protobuf (`1.5s`) and Go (`1h30m`) write
/// them.
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
        // 12 digits are a century in milliseconds, 9 are protobuf's nanoseconds.
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

/// RFC 3339, to the microsecond.
fn parse_time(text: &str) -> Option<UnixTime> {
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    let fraction = Duration::from_micros(time.microsecond().into());
    Some(UnixTime::from_secs(time.unix_timestamp()).plus(fraction))
}

// === impl DisplayDuration ===

impl fmt::Display for DisplayDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match (self.0.subsec_nanos(), seconds) {
            (0, 0) => f.write_str("0s"),
            (0, s) if s.is_multiple_of(3600) => write!(f, "{}h", s / 3600),
            (0, s) if s.is_multiple_of(60) => write!(f, "{}m", s / 60),
            (0, s) => write!(f, "{s}s"),
            (n, _) if n.is_multiple_of(1_000_000) => write!(f, "{}ms", self.0.as_millis()),
            _ => write!(f, "{:?}", self.0),
        }
    }
}

#[cfg(test)]
mod tests;
