//! `POST /revocations`: adds an entry to the revocation list, or an array of entries.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;

use crate::app::App;
use crate::clock::UnixTime;
use crate::json_body;
use crate::refusal::Refusal;
use crate::request_body::RequestBody;
use crate::response;
use crate::revocation::{Entry, Revocation};
use crate::store::revocations;

#[derive(Serialize)]
struct Added {
    /// The number of entries.
    revoked: usize,
}

/// Handles the request: all entries or none.
pub async fn add(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    RequestBody(body): RequestBody,
) -> Result<Response, Refusal> {
    let now = UnixTime::now();
    app.blocking(move |app| {
        let entries: Vec<Entry> = if body.trim_ascii_start().starts_with(b"[") {
            json_body::parse(&headers, &body)?
        } else {
            vec![json_body::parse(&headers, &body)?]
        };
        let entries: Option<Vec<Revocation>> = entries.into_iter().map(Entry::parse).collect();
        let entries = entries.ok_or(Refusal::InvalidRequest(
            "expected jti and exp, or sub, client_id or both and before",
        ))?;
        revocations::add(&app.database, &entries, now)?;
        let revoked = entries.len();
        Ok(response::json_no_store(&Added { revoked })?)
    })
    .await
}
