//! `GET /api-keys`: the key list as the filter reads it. The hashes are of keys with 256 random bits:
//! nobody finds a key from one.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::json;

use crate::refusal::Refusal;
use crate::reply;
use crate::server::App;

pub async fn answer(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Refusal> {
    app.blocking(move |app| {
        let body = json!({"keys": app.store.api_keys()?}).to_string();
        Ok(reply::json_revalidated(&headers, body))
    })
    .await
}
