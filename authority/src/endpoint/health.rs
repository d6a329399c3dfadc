//! `GET /health`, on both ports.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;

use crate::app::App;
use crate::cache::connection::Settings;
use crate::refusal::Refusal;
use crate::response;

#[derive(Serialize)]
struct Health {
    status: &'static str,
    /// Whether Redis keeps what it has answered. Null: it is away. Absent: there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    cache: Option<Option<Settings>>,
}

/// Handles the request: 200 while the database answers.
pub async fn answer(State(app): State<Arc<App>>) -> Result<Response, Refusal> {
    app.blocking(|app| Ok(app.database.ping()?)).await?;
    let cache = match &app.cache {
        Some(cache) => Some(cache.settings().await.ok()),
        None => None,
    };
    let status = "ok";
    Ok(response::json_no_store(&Health { status, cache })?)
}
