//! Whether a claim names what the request is about.

use std::iter;

use crate::policy::requirement::RequestPart;
use crate::request::headers::{Occurrence, occurrence};
use crate::request::path::escape;
use crate::request::{RequestTarget, host};

/// Whether this part of the request is there exactly once, is not empty and equals `claim`, byte for byte. An
/// empty part is none: an upstream that falls back to a default there would do so for everybody.
pub fn equals(target: &RequestTarget<'_>, part: &RequestPart, claim: &str) -> bool {
    if claim.is_empty() {
        return false;
    }
    match part {
        RequestPart::Segment(at) => {
            let mut segments = target.path().split('/').skip(1);
            let segment = segments.nth(*at);
            // What is no UTF-8 equals no claim.
            segment.is_some_and(|segment| decoded(segment).eq(claim.bytes()))
        }
        RequestPart::Header(name) => match occurrence(target.request().headers, name) {
            Occurrence::Once(value) => value == claim.as_bytes(),
            Occurrence::Never | Occurrence::Several => false,
        },
        RequestPart::HostLabel(at) => {
            let host = target.host();
            !host::is_address(host) && host.split('.').nth(*at) == Some(claim)
        }
    }
}

/// The bytes of a segment of a canonical path, every escape decoded once. A path with an escape in an escape
/// is refused before any rule, so nothing is left to decode.
fn decoded(segment: &str) -> impl Iterator<Item = u8> {
    let mut rest = segment.as_bytes();
    iter::from_fn(move || {
        let (first, tail) = rest.split_first()?;
        let (byte, tail) = escape(first, tail).unwrap_or((*first, tail));
        rest = tail;
        Some(byte)
    })
}

#[cfg(test)]
mod tests;
