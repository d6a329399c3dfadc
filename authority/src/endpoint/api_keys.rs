//! `GET /api-keys`: the list of API keys as the filter reads it, for clients that may introspect.
//!
//! The list has the keys' hashes. A key has 256 random bits, so no hash gives its key away; but the list also says who has
//! which rights, which is not for everybody.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use crate::app::{App, PolledList};
use crate::clock::UnixTime;
use crate::document_cache::CachedDocument;
use crate::refusal::Refusal;
use crate::response::Document;
use crate::store::api_keys;
use crate::store::database::Dataset;

/// Handles the request.
pub async fn answer(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Refusal> {
    app.settings.clients.authenticate_introspector(&headers)?;
    let version = app.database.version(Dataset::ApiKeys);
    let (key, builder) = (PolledList::ApiKeys, Arc::clone(&app));
    let build = move || document(&builder);
    let list = app.lists.get(key, version, UnixTime::now(), build).await?;
    Ok(list.respond(&headers))
}

fn document(app: &App) -> Result<CachedDocument, Refusal> {
    let version = app.database.version(Dataset::ApiKeys);
    Ok(CachedDocument {
        document: Document::json(&api_keys::all(&app.database)?)?,
        version,
        // Nothing in it depends on the time.
        fresh: UnixTime::ANY_TIME,
    })
}
