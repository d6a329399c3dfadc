//! The shapes in which endpoints answer.

use aws_lc_rs::digest::{SHA256, digest};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

const JSON: &str = "application/json";

pub fn json(body: &Value) -> Response {
    ([(CONTENT_TYPE, JSON)], body.to_string()).into_response()
}

/// With a secret or a passing state in it (RFC 6749 §5.1).
pub fn json_no_store(body: &Value) -> Response {
    ([(CACHE_CONTROL, "no-store")], json(body)).into_response()
}

/// JSON that is polled: 304 to whoever has it already (RFC 9110 §13.1.2).
pub fn json_revalidated(request: &HeaderMap, body: String) -> Response {
    let digest = digest(&SHA256, body.as_bytes());
    let tag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(digest));
    let known = request
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let known = known.flat_map(|value| value.split(',')).map(str::trim);
    // The comparison is weak: a proxy that recodes the body makes the tag a weak one.
    let is_known = known
        .into_iter()
        .any(|known| known.trim_start_matches("W/") == tag);
    let headers = [(CACHE_CONTROL, "no-cache".to_owned()), (ETAG, tag)];
    if is_known {
        (StatusCode::NOT_MODIFIED, headers).into_response()
    } else {
        (headers, [(CONTENT_TYPE, JSON)], body).into_response()
    }
}
