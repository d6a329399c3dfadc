//! `GET /jwks.json` (RFC 7517 §5): the public keys.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use crate::app::App;
use crate::clock::UnixTime;
use crate::refusal::Refusal;
use crate::response::Document;

/// Handles the request.
pub async fn answer(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Refusal> {
    let keys = app.keys.current();
    Ok(Document::json(&keys.jwks(UnixTime::now()))?.respond(&headers))
}
