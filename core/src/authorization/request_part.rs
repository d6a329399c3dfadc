//! Whether a claim names what the request is about.

use std::borrow::Cow;

use crate::policy::request_part::RequestPart;
use crate::request::headers::{Occurrence, occurrence};
use crate::request::path::escape;
use crate::request::{RequestTarget, host};

/// Whether this part of the request is there and equals `claim`, byte for byte.
pub fn equals(target: &RequestTarget<'_>, part: &RequestPart, claim: &str) -> bool {
    text(target, part).is_some_and(|text| text == claim)
}

/// This part of the request, where it is there exactly once, is UTF-8 and not empty. An empty part is none: an
/// upstream that falls back to a default there would do so for everybody.
pub fn text<'a>(target: &'a RequestTarget<'_>, part: &RequestPart) -> Option<Cow<'a, str>> {
    let text = match part {
        RequestPart::Segment(at) => {
            let mut segments = target.path().split('/').skip(1);
            decoded(segments.nth(*at)?)?
        }
        RequestPart::Header(name) => match occurrence(target.request().headers, name) {
            Occurrence::Once(value) => Cow::Borrowed(std::str::from_utf8(value).ok()?),
            Occurrence::Never | Occurrence::Several => return None,
        },
        RequestPart::HostLabel(at) => {
            let host = target.host();
            let label = host.split('.').nth(*at)?;
            Cow::Borrowed(Some(label).filter(|_| !host::is_address(host))?)
        }
    };
    (!text.is_empty()).then_some(text)
}

/// A segment of a canonical path, every escape decoded once. A path with an escape in an escape is refused
/// before any rule, so nothing is left to decode.
fn decoded(segment: &str) -> Option<Cow<'_, str>> {
    if !segment.contains('%') {
        return Some(Cow::Borrowed(segment));
    }
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let [first, tail @ ..] = rest {
        let (byte, tail) = escape(first, tail).unwrap_or((*first, tail));
        bytes.push(byte);
        rest = tail;
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests;
