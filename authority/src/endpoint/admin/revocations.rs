//! `POST /revocations`: one entry of the revocation list, or an array of them.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::json;

use super::parse;
use crate::clock::UnixTime;
use crate::refusal::Refusal;
use crate::request_body::RequestBody;
use crate::response;
use crate::revocation::{Entry, Revocation};
use crate::server::App;

pub async fn add(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    RequestBody(body): RequestBody,
) -> Result<Response, Refusal> {
    let now = UnixTime::now();
    app.blocking(move |app| {
        let entries: Vec<Entry> = if body.trim_ascii_start().starts_with(b"[") {
            parse(&headers, &body)?
        } else {
            vec![parse(&headers, &body)?]
        };
        let revocations: Option<Vec<Revocation>> = entries.into_iter().map(Entry::parse).collect();
        let revocations = revocations.ok_or(Refusal::InvalidRequest(
            "expected jti and exp, or sub, client_id or both and before",
        ))?;
        app.store.revoke(&revocations, now)?;
        Ok(response::json_no_store(
            &json!({"revoked": revocations.len()}),
        ))
    })
    .await
}
