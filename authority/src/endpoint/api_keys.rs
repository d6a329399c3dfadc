//! `GET /api-keys`: the key list as the filter reads it, for clients that may introspect. The hashes are of keys with 256
//! random bits, from which nobody finds a key; who has which rights is not everybody's business.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::json;

use crate::app::{App, PolledList};
use crate::clock::UnixTime;
use crate::document_cache::CachedDocument;
use crate::refusal::Refusal;
use crate::response::Document;
use crate::store::api_keys;
use crate::store::database::Dataset;

pub async fn answer(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Refusal> {
    app.settings.clients.authenticate_introspector(&headers)?;
    let version = app.database.version(Dataset::ApiKeys);
    let now = UnixTime::now();
    let builder = Arc::clone(&app);
    let build = move || edition(&builder);
    let list = app
        .lists
        .get(PolledList::ApiKeys, version, now, build)
        .await?;
    Ok(list.answer(&headers))
}

fn edition(app: &App) -> Result<CachedDocument, Refusal> {
    let version = app.database.version(Dataset::ApiKeys);
    let body = json!({"keys": api_keys::all(&app.database)?});
    Ok(CachedDocument {
        document: Document::json(body.to_string()),
        version,
        // Nothing in it depends on the time.
        fresh: UnixTime::ANY_TIME,
    })
}
