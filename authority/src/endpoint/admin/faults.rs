//! `PUT /faults`, `PUT /faults/key-swap`, `DELETE /faults`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Deserialize;

use crate::app::App;
use crate::clock::HumanDuration;
use crate::fault_injection::{Fault, Instead};
use crate::json_body;
use crate::refusal::Refusal;
use crate::request_body::RequestBody;
use crate::store::database::Dataset;

/// A fault. With `status`, `headers` or `body` it replaces the endpoint's response.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    path: String,
    delay: Option<HumanDuration>,
    status: Option<u16>,
    headers: Option<BTreeMap<String, String>>,
    body: Option<String>,
}

/// Handles `PUT /faults`.
pub async fn set(
    State(app): State<Arc<App>>,
    request_headers: HeaderMap,
    RequestBody(request): RequestBody,
) -> Result<StatusCode, Refusal> {
    let Entry {
        path,
        delay,
        status,
        headers,
        body,
    } = json_body::parse(&request_headers, &request)?;
    if !path.starts_with('/') {
        return Err(Refusal::InvalidRequest("path: expected an absolute path"));
    }
    if delay.is_none() && status.is_none() && headers.is_none() && body.is_none() {
        return Err(Refusal::InvalidRequest(
            "expected delay, status, headers or body",
        ));
    }
    let instead = match (status, headers, body) {
        (None, None, None) => None,
        (status, headers, body) => Some(Instead {
            status: StatusCode::from_u16(status.unwrap_or(200))
                .ok()
                .filter(|status| !status.is_informational())
                .ok_or(Refusal::InvalidRequest("status: expected 200 to 999"))?,
            headers: header_map(headers.unwrap_or_default())?,
            body: body.unwrap_or_default(),
        }),
    };
    let delay = delay.map_or(Duration::ZERO, |HumanDuration(delay)| delay);
    app.faults.set(path, Fault { delay, instead });
    Ok(StatusCode::NO_CONTENT)
}

/// Handles `PUT /faults/key-swap`: from now on unpublished keys sign tokens and status lists, under the kids of the published
/// keys, so every signature is wrong.
pub async fn swap_keys(State(app): State<Arc<App>>) -> Result<StatusCode, Refusal> {
    app.blocking(|app| {
        app.faults.swap_keys(app.keys.current().decoys()?);
        app.database.note_change(Dataset::Statuses);
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

/// Handles `DELETE /faults`.
pub async fn clear(State(app): State<Arc<App>>) -> StatusCode {
    app.faults.clear();
    app.database.note_change(Dataset::Statuses);
    StatusCode::NO_CONTENT
}

fn header_map(headers: BTreeMap<String, String>) -> Result<HeaderMap, Refusal> {
    let mut map = HeaderMap::new();
    map.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in headers {
        let name = HeaderName::try_from(name);
        let name = name.map_err(|_| Refusal::InvalidRequest("headers: not a header name"))?;
        let value = HeaderValue::try_from(value);
        let value = value.map_err(|_| Refusal::InvalidRequest("headers: not a header value"))?;
        map.insert(name, value);
    }
    Ok(map)
}
