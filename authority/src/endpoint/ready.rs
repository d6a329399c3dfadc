//! `GET /ready`: whether requests may be sent here.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;

use crate::app::App;
use crate::refusal::{Internal, Refusal};
use crate::response;

#[derive(Serialize)]
struct Ready {
    status: &'static str,
}

/// Handles the request: 200 while the database and the cache answer.
pub async fn answer(State(app): State<Arc<App>>) -> Result<Response, Refusal> {
    app.blocking(|app| {
        let pong = app.database.ping();
        pong.map_err(|error| Refusal::StoreAway(Internal::Database(error)))
    })
    .await?;
    if let Some(cache) = &app.cache {
        let settings = cache.settings().await;
        settings.map_err(|error| Refusal::StoreAway(Internal::Cache(error)))?;
    }
    Ok(response::json_no_store(&Ready { status: "ready" })?)
}
