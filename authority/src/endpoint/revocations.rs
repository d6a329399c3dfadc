//! `GET /revocations[?since=CURSOR]` and `GET /api-keys/revocations[?since=CURSOR]`: the revocation lists, page by page, for
//! clients that may introspect.

use std::ops::Not;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;

use crate::app::{App, PolledList};
use crate::clock::UnixTime;
use crate::document_cache::CachedDocument;
use crate::form::Form;
use crate::refusal::Refusal;
use crate::response::Document;
use crate::revocation::Since;
use crate::store::revocations::{self, ListEntry, RevocationList, RevocationSlice};

/// The filter accepts no larger page.
const MAX_ENTRIES: usize = 50_000;
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// A page is built again after this time even without a change: that drops the entries of expired tokens.
const LIFETIME: Duration = Duration::from_secs(10 * 60);

/// More bytes than a page has around its entries: member names and a cursor.
const ENVELOPE: usize = 256;

#[derive(Serialize)]
struct Page<'a> {
    /// Where to go on: after the last entry of this page, or at the end of the list.
    cursor: String,
    #[serde(skip_serializing_if = "Not::not")]
    reset: bool,
    #[serde(skip_serializing_if = "Not::not")]
    more: bool,
    revoked: &'a [ListEntry],
}

/// Handles `/revocations`.
pub async fn of_tokens(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    answer(&app, RevocationList::Tokens, query.as_deref(), &headers).await
}

/// Handles `/api-keys/revocations`.
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
    let build = move || document(&builder, list, since, now);
    let page = app.lists.get(key, version, now, build).await?;
    Ok(page.respond(headers))
}

fn document(
    app: &App,
    list: RevocationList,
    since: Since,
    now: UnixTime,
) -> Result<CachedDocument, Refusal> {
    let version = app.database.version(list.dataset());
    // One entry over the limit shows that there is more.
    let limit = MAX_ENTRIES.saturating_add(1);
    let slice = revocations::read(&app.database, list, since, limit, now)?;
    let page = page(&slice, app.database.epoch())?;
    Ok(CachedDocument {
        document: Document::json(&page)?,
        version,
        fresh: now..now.saturating_add(LIFETIME),
    })
}

/// As many entries as fit a page.
fn page<'a>(slice: &'a RevocationSlice, epoch: &str) -> serde_json::Result<Page<'a>> {
    let RevocationSlice {
        reset,
        end,
        entries,
    } = slice;
    let mut bytes = ENVELOPE;
    let mut count = 0_usize;
    for entry in entries.iter().take(MAX_ENTRIES) {
        let entry = serde_json::to_string(entry)?;
        bytes = bytes.saturating_add(entry.len()).saturating_add(",".len());
        if bytes > MAX_BYTES {
            break;
        }
        count = count.saturating_add(1);
    }
    let (revoked, rest) = entries.split_at_checked(count).unwrap_or((entries, &[]));
    let more = !rest.is_empty();
    let last = revoked.last().map_or(0, |entry| entry.position);
    Ok(Page {
        cursor: Since::format_cursor(epoch, if more { last } else { *end }),
        reset: *reset,
        more,
        revoked,
    })
}
