//! The shapes in which endpoints answer.

use aws_lc_rs::digest::{SHA256, digest};
use axum::body::Bytes;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

const JSON: &str = "application/json";

/// What is polled: a body and its tag. A copy costs nothing.
#[derive(Clone)]
pub struct Document {
    body: Bytes,
    content_type: &'static str,
    tag: String,
}

pub fn json(body: &Value) -> Response {
    ([(CONTENT_TYPE, JSON)], body.to_string()).into_response()
}

/// With a secret or a passing state in it (RFC 6749 §5.1).
pub fn json_no_store(body: &Value) -> Response {
    ([(CACHE_CONTROL, "no-store")], json(body)).into_response()
}

// === impl Document ===

impl Document {
    pub fn json(body: String) -> Self {
        Self::new(JSON, body)
    }

    pub fn new(content_type: &'static str, body: String) -> Self {
        let digest = digest(&SHA256, body.as_bytes());
        Self {
            body: body.into(),
            content_type,
            tag: format!("\"{}\"", URL_SAFE_NO_PAD.encode(digest)),
        }
    }

    pub fn len(&self) -> usize {
        self.body.len()
    }

    /// 304 to whoever has it already (RFC 9110 §13.1.2).
    pub fn answer(self, request: &HeaderMap) -> Response {
        let known = request
            .get_all(IF_NONE_MATCH)
            .iter()
            .filter_map(|value| value.to_str().ok());
        let mut known = known.flat_map(|value| value.split(',')).map(str::trim);
        // The comparison is weak: a proxy that recodes the body makes the tag a weak one.
        let is_known = known.any(|known| known.trim_start_matches("W/") == self.tag);
        let headers = [(CACHE_CONTROL, "no-cache".to_owned()), (ETAG, self.tag)];
        if is_known {
            (StatusCode::NOT_MODIFIED, headers).into_response()
        } else {
            (headers, [(CONTENT_TYPE, self.content_type)], self.body).into_response()
        }
    }
}
