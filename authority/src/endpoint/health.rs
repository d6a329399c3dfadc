//! `GET /health`, on both ports.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;

use crate::app::App;
use crate::refusal::Refusal;
use crate::response;

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

/// Handles the request: 200 while the database answers.
pub async fn answer(State(app): State<Arc<App>>) -> Result<Response, Refusal> {
    app.blocking(|app| Ok(app.database.ping()?)).await?;
    Ok(response::json_no_store(&Health { status: "ok" })?)
}
