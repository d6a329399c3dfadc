//! `GET /status/{list}`: a Status List Token (IETF draft-ietf-oauth-status-list §5.1).

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;

use crate::app::App;
use crate::clock::UnixTime;
use crate::document_cache::CachedDocument;
use crate::refusal::Refusal;
use crate::response::Document;
use crate::status_list::{ListNumber, StatusList};
use crate::store::database::Dataset;
use crate::store::tokens;

#[derive(Serialize)]
struct Claims {
    sub: String,
    iat: UnixTime,
    exp: UnixTime,
    ttl: u64,
    status_list: StatusList,
}

/// Handles the request.
pub async fn answer(
    State(app): State<Arc<App>>,
    Path(list): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let list = ListNumber::parse(&list).ok_or(Refusal::NotFound)?;
    let now = UnixTime::now();
    let version = app.database.version(Dataset::Statuses);
    let builder = Arc::clone(&app);
    let build = move || document(&builder, list, now);
    let token = app.statuses.get(list, version, now, build).await?;
    Ok(token.respond(&headers))
}

fn document(app: &App, list: ListNumber, now: UnixTime) -> Result<CachedDocument, Refusal> {
    let version = app.database.version(Dataset::Statuses);
    let revoked =
        tokens::revoked_indices(&app.database, list.indices())?.ok_or(Refusal::NotFound)?;
    let settings = &app.settings.status_list;
    let claims = Claims {
        sub: list.uri(&app.settings.issuer),
        iat: now,
        exp: now.saturating_add(settings.lifetime),
        ttl: settings.ttl.as_secs(),
        status_list: list.claim(&revoked),
    };
    let token = app
        .signing_keys()
        .sign(settings.algorithm, "statuslist+jwt", &claims)?;
    Ok(CachedDocument {
        document: Document::new("application/statuslist+jwt", token),
        version,
        fresh: now..now.saturating_add(settings.served_for()),
    })
}
