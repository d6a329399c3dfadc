//! `GET /revocations[?since=CURSOR]`, and the same for API keys at `/api-keys/revocations`: for clients that may introspect

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;

use crate::app::{App, PolledList};
use crate::clock::UnixTime;
use crate::document_cache::CachedDocument;
use crate::form::Form;
use crate::refusal::Refusal;
use crate::response::Document;
use crate::revocation::Since;
use crate::store::revocations::{self, RevocationList, RevocationSlice};

/// A reader takes no more than this in one page.
const MAX_ENTRIES: usize = 50_000;
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Entries whose tokens have expired go when a page is built: by time alone that need not be often.
const LIFETIME: Duration = Duration::from_secs(10 * 60);

/// What stands around the entries: members' names and a cursor.
const ENVELOPE: usize = 256;

pub async fn of_tokens(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    answer(&app, RevocationList::Tokens, query.as_deref(), &headers).await
}

pub async fn of_api_keys(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    answer(&app, RevocationList::ApiKeys, query.as_deref(), &headers).await
}

async fn answer(
    app: &Arc<App>,
    list: RevocationList,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Result<Response, Refusal> {
    app.settings.clients.authenticate_introspector(headers)?;
    let query = Form::parse_query(query)?;
    let since = Since::parse_cursor(query.get("since"), app.database.epoch());
    let version = app.database.version(list.dataset());
    let now = UnixTime::now();
    let (key, builder) = (PolledList::Revocations(list, since), Arc::clone(app));
    let build = move || edition(&builder, list, since, now);
    let page = app.lists.get(key, version, now, build).await?;
    Ok(page.answer(headers))
}

fn edition(
    app: &App,
    list: RevocationList,
    since: Since,
    now: UnixTime,
) -> Result<CachedDocument, Refusal> {
    let version = app.database.version(list.dataset());
    // One more than a page takes shows whether there is more.
    let limit = MAX_ENTRIES.saturating_add(1);
    let slice = revocations::read(&app.database, list, since, limit, now)?;
    Ok(CachedDocument {
        document: Document::json(page(&slice, app.database.epoch())),
        version,
        fresh: now..now.saturating_add(LIFETIME),
    })
}

/// As many entries as a page may hold. Its cursor is the end of the list, or its own where there is more.
fn page(slice: &RevocationSlice, epoch: &str) -> String {
    let RevocationSlice {
        reset,
        end,
        entries,
    } = slice;
    let mut revoked = String::new();
    let mut position = *end;
    let mut last = 0;
    let mut more = false;
    for (count, (id, entry)) in entries.iter().enumerate() {
        let size = revoked
            .len()
            .saturating_add(entry.len())
            .saturating_add(ENVELOPE);
        if count >= MAX_ENTRIES || size > MAX_BYTES {
            (more, position) = (true, last);
            break;
        }
        if count > 0 {
            revoked.push(',');
        }
        revoked.push_str(entry);
        last = *id;
    }
    let cursor = Since::format_cursor(epoch, position);
    let reset = if *reset { r#""reset":true,"# } else { "" };
    let more = if more { r#""more":true,"# } else { "" };
    format!(r#"{{"cursor":"{cursor}",{reset}{more}"revoked":[{revoked}]}}"#)
}
