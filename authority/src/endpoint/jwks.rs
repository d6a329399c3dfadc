//! `GET /jwks.json` (RFC 7517 §5)

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use crate::app::App;
use crate::clock::UnixTime;
use crate::response::Document;

pub async fn answer(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let jwks = app.keys.current().jwks(UnixTime::now());
    Document::json(jwks.to_string()).answer(&headers)
}
