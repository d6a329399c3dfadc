//! The forms of a response: JSON, and documents with an `ETag`.

use aws_lc_rs::digest::{SHA256, digest};
use axum::body::Bytes;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

const JSON: &str = "application/json";

/// A body that readers poll, with its `ETag`. Cloning it copies no bytes of the body.
#[derive(Clone)]
pub struct Document {
    body: Bytes,
    content_type: &'static str,
    tag: String,
}

/// JSON that nobody may store, for it holds a secret or a passing state (RFC 6749 §5.1).
pub fn json_no_store(body: &impl Serialize) -> serde_json::Result<Response> {
    let headers = [(CACHE_CONTROL, "no-store"), (CONTENT_TYPE, JSON)];
    Ok((headers, serde_json::to_string(body)?).into_response())
}

// === impl Document ===

impl Document {
    /// A JSON document.
    pub fn json(body: &impl Serialize) -> serde_json::Result<Self> {
        Ok(Self::new(JSON, serde_json::to_string(body)?))
    }

    /// A document of any media type.
    pub fn new(content_type: &'static str, body: String) -> Self {
        let digest = digest(&SHA256, body.as_bytes());
        Self {
            body: body.into(),
            content_type,
            tag: format!("\"{}\"", URL_SAFE_NO_PAD.encode(digest)),
        }
    }

    /// The size of the body in bytes.
    pub fn len(&self) -> usize {
        self.body.len()
    }

    /// The document, or 304 for a client that has it already (RFC 9110 §13.1.2).
    pub fn respond(self, request: &HeaderMap) -> Response {
        let known = request
            .get_all(IF_NONE_MATCH)
            .iter()
            .filter_map(|value| value.to_str().ok());
        let mut known = known.flat_map(|value| value.split(',')).map(str::trim);
        // The comparison is weak: a proxy that compresses the body turns the tag into a weak one.
        let is_known = known.any(|known| known.trim_start_matches("W/") == self.tag);
        let headers = [(CACHE_CONTROL, "no-cache".to_owned()), (ETAG, self.tag)];
        if is_known {
            (StatusCode::NOT_MODIFIED, headers).into_response()
        } else {
            (headers, [(CONTENT_TYPE, self.content_type)], self.body).into_response()
        }
    }
}
