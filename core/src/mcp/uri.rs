//! URIs of resources that every server reads in the same way.

/// Whether the part of a URI before its query has neither a dot segment, nor a backslash, nor a control character, in whatever
/// spelling: a server that resolves it reads another resource than the one that a pattern matched.
pub fn is_unambiguous(uri: &str) -> bool {
    let before_query = uri.split('?').next().unwrap_or_default();
    let decoded = decode_fully(before_query.as_bytes());
    // Browsers' parsers drop tabs and line breaks before they resolve (URL standard, "basic URL parser").
    let is_ambiguous = |b: &u8| *b == b'\\' || b.is_ascii_control();
    if decoded.iter().any(is_ambiguous) || has_overlong(&decoded) {
        return false;
    }
    // A URI without an authority has its first segment right after the scheme.
    let scheme = decoded.iter().position(|b| matches!(b, b':' | b'/'));
    let path = scheme
        .filter(|at| decoded.get(*at) == Some(&b':'))
        .and_then(|at| decoded.get(at.saturating_add(1)..));
    let mut segments = path.unwrap_or(&decoded).split(|b| *b == b'/');
    !segments.any(is_dot_segment)
}

/// Every escape decoded, also those that decoding spells. An escape is two bytes longer than its value, so
/// this ends, and it is linear: each byte is put in once, and each value stands for three of them.
fn decode_fully(text: &[u8]) -> Vec<u8> {
    let mut decoded: Vec<u8> = Vec::with_capacity(text.len());
    for byte in text {
        decoded.push(*byte);
        while let [.., b'%', high, low] = decoded.as_slice() {
            let digit = |b: &u8| char::from(*b).to_digit(16);
            let value = digit(high)
                .zip(digit(low))
                .and_then(|(high, low)| u8::try_from(high << 4 | low).ok());
            let Some(value) = value else {
                break;
            };
            decoded.truncate(decoded.len().saturating_sub(3));
            decoded.push(value);
        }
    }
    decoded
}

/// A segment without what lenient servers cut off: a query or a fragment that was escaped, parameters, and
/// what follows a NUL.
fn is_dot_segment(segment: &[u8]) -> bool {
    let name = segment
        .split(|b| matches!(b, b';' | b'?' | b'#' | 0))
        .next();
    matches!(name, Some(b"." | b".."))
}

/// An ASCII character in more bytes than one, which lax decoders read as a dot, a slash or a backslash
/// (CVE-2008-2938).
fn has_overlong(bytes: &[u8]) -> bool {
    bytes.windows(2).any(|pair| {
        matches!(
            pair,
            [0xc0 | 0xc1, _] | [0xe0, 0x80..=0x9f] | [0xf0, 0x80..=0x8f]
        )
    })
}

#[cfg(test)]
mod tests;
