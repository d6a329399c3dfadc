//! The admin port: whoever reaches it past [`crate::browser_guard`] is the operator.

pub mod api_keys;
pub mod faults;
pub mod keys;
pub mod revocations;

use axum::http::HeaderMap;
use serde::de::DeserializeOwned;

use crate::refusal::Refusal;
use crate::request_body;

/// What does not say that it is JSON may come from a web page: forms and plain text are sent to any site without asking it
/// first (Fetch, CORS-safelisted request-header).
fn parse<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, Refusal> {
    if !request_body::is_of_type(headers, "application/json") {
        return Err(Refusal::UnsupportedMediaType);
    }
    serde_json::from_slice(body).map_err(Refusal::InvalidBody)
}
