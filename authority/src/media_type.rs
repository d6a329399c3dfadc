//! The media type of a request body.

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;

/// Whether there is one Content-Type header, and it names this type. Its parameters do not matter.
///
/// Not the `mime` crate: that refuses white space before `;`, which RFC 9110 §5.6.6 allows.
pub fn is(headers: &HeaderMap, expected: &str) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return false;
    };
    let media_type = value
        .to_str()
        .ok()
        .and_then(|value| value.split(';').next());
    media_type.is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case(expected))
}
