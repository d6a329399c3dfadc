//! `GET /status/{list}`: a Status List Token (IETF draft-ietf-oauth-status-list §5.1)

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::clock::UnixTime;
use crate::refusal::Refusal;
use crate::server::App;
use crate::status_list::ListNumber;

pub async fn answer(
    State(app): State<Arc<App>>,
    Path(list): Path<String>,
) -> Result<Response, Refusal> {
    let list = ListNumber::parse(&list).ok_or(Refusal::NotFound)?;
    let now = UnixTime::now();
    let token = app
        .blocking(move |app| status_list_token(app, list, now))
        .await?;
    Ok(([(CONTENT_TYPE, "application/statuslist+jwt")], token).into_response())
}

fn status_list_token(app: &App, list: ListNumber, now: UnixTime) -> Result<String, Refusal> {
    let revoked = app
        .store
        .revoked_indices(list.indices())?
        .ok_or(Refusal::NotFound)?;
    let settings = &app.settings.status_list;
    let claims = json!({
        "sub": list.uri(&app.settings.issuer),
        "iat": now.seconds(),
        "exp": now.saturating_add(settings.lifetime).seconds(),
        "ttl": settings.ttl.as_secs(),
        "status_list": list.claim(&revoked),
    });
    Ok(app
        .signing_keys()
        .sign(settings.algorithm, "statuslist+jwt", &claims)?)
}
