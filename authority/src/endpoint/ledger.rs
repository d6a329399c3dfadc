//! `POST /ledger`: grants a part of a budget of tokens to an Envoy, or takes back what it does not need. For clients that may
//! introspect.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Deserializer, Serialize};

use crate::app::App;
use crate::clock::UnixTime;
use crate::ledger::{Account, Answer, Change, Entry, Outcome, Window};
use crate::media_type;
use crate::refusal::Refusal;
use crate::request_body::RequestBody;
use crate::response;

/// In bytes, for ids and holders: room for 128 random bits in any notation.
const MAX_ID: usize = 128;

/// In bytes, as in the filter's configuration.
const MAX_BUDGET: usize = 64;

/// In bytes: for a longer key the filter sends its SHA-256.
const MAX_KEY: usize = 1024;

/// Beyond this, JSON's numbers need not be exact (RFC 8259 §6).
const MAX_NUMBER: u64 = 1 << 53;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    id: String,
    holder: String,
    budget: String,
    key: String,
    window: u64,
    length: u64,
    #[serde(default, deserialize_with = "number")]
    limit: Option<u64>,
    #[serde(default, deserialize_with = "number")]
    want: Option<u64>,
    #[serde(default, rename = "return", deserialize_with = "number")]
    back: Option<u64>,
}

#[derive(Serialize)]
struct NotNow {
    now: UnixTime,
}

/// Handles the request.
pub async fn answer(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    RequestBody(body): RequestBody,
) -> Result<Response, Refusal> {
    app.settings.clients.authenticate_introspector(&headers)?;
    let entry = parse(&headers, &body)?;
    let change = entry.change;
    match (app.ledger.record(entry).await?, change) {
        (Outcome::NotNow(now), _) => {
            let body = response::json_no_store(&NotNow { now })?;
            Ok((StatusCode::CONFLICT, body).into_response())
        }
        (Outcome::Made(answer @ Answer::Granted { .. }), Change::Grant { .. })
        | (Outcome::Made(answer @ Answer::Returned { .. }), Change::Return(_)) => {
            Ok(response::json_no_store(&answer)?)
        }
        (Outcome::Made(_), _) => Err(Refusal::InvalidRequest("id: already used")),
    }
}

fn parse(headers: &HeaderMap, body: &[u8]) -> Result<Entry, Refusal> {
    if !media_type::is(headers, "application/json") {
        return Err(Refusal::InvalidRequest("expected application/json"));
    }
    // serde also takes an array for a struct.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(Refusal::InvalidRequest("expected an object"));
    }
    let Body {
        id,
        holder,
        budget,
        key,
        window,
        length,
        limit,
        want,
        back,
    } = serde_json::from_slice(body).map_err(Refusal::InvalidBody)?;
    let invalid = |problem| Err(Refusal::InvalidRequest(problem));
    if !is_id(&id) || !is_id(&holder) {
        return invalid("id, holder: expected 1 to 128 characters of ASCII, without spaces");
    }
    if !is_budget(&budget) {
        return invalid("budget: expected 1 to 64 letters, digits, _ and -");
    }
    if key.is_empty() || key.len() > MAX_KEY {
        return invalid("key: expected 1 to 1024 bytes");
    }
    let Some(window) = Window::new(window, length) else {
        return invalid("length: expected 1 to 2678400; window: expected a multiple of it");
    };
    let change = match (limit, want, back) {
        (Some(limit), Some(want), None) => Change::Grant { limit, want },
        (None, None, Some(amount)) => Change::Return(amount),
        _ => return invalid("expected limit and want, or return"),
    };
    Ok(Entry {
        id,
        holder,
        account: Account {
            budget,
            key,
            window,
        },
        change,
    })
}

/// A number where the member is there: null is none.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let number = u64::deserialize(deserializer)?;
    if number > MAX_NUMBER {
        return Err(serde::de::Error::custom("expected a number up to 2^53"));
    }
    Ok(Some(number))
}

fn is_id(text: &str) -> bool {
    (1..=MAX_ID).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

fn is_budget(name: &str) -> bool {
    (1..=MAX_BUDGET).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}
