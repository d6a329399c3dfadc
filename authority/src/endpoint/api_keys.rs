//! `GET /api-keys`: the key list as the filter reads it, for clients that may introspect. The hashes are of keys with 256
//! random bits, from which nobody finds a key; who has which rights is not everybody's business.

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
        app.settings.clients.authenticate_introspector(&headers)?;
        let body = json!({"keys": app.store.api_keys()?}).to_string();
        Ok(reply::json_revalidated(&headers, body))
    })
    .await
}
