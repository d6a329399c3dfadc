//! JSON bodies of the admin endpoints.

use axum::http::HeaderMap;
use serde::de::DeserializeOwned;

use crate::media_type;
use crate::refusal::Refusal;

/// A body that says that it is JSON.
///
/// Any other body may come from a web page: a browser sends forms and plain text to any site without a preflight (Fetch,
/// CORS-safelisted request-header).
pub fn parse<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, Refusal> {
    if !media_type::is(headers, "application/json") {
        return Err(Refusal::UnsupportedMediaType);
    }
    serde_json::from_slice(body).map_err(Refusal::InvalidBody)
}
