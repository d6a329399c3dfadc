//! `POST /revoke` (RFC 7009).

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};

use crate::app::App;
use crate::clock::UnixTime;
use crate::form::Form;
use crate::refusal::Refusal;
use crate::request_body::RequestBody;
use crate::revocation::Revocation;
use crate::secret::Secret;
use crate::store::{revocations, tokens};

/// Handles the request.
pub async fn answer(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    RequestBody(body): RequestBody,
) -> Result<StatusCode, Refusal> {
    let now = UnixTime::now();
    app.blocking(move |app| revoke(app, &headers, &body, now))
        .await
}

fn revoke(
    app: &App,
    headers: &HeaderMap,
    body: &[u8],
    now: UnixTime,
) -> Result<StatusCode, Refusal> {
    let form = Form::parse(headers, body)?;
    let client = app.settings.clients.authenticate(headers, &form)?;
    let token = form
        .get("token")
        .ok_or(Refusal::InvalidRequest("token is missing"))?;

    // §2.2: an unknown token counts as revoked.
    let Some(stored) = tokens::find(&app.database, &Secret::new(token.to_owned()))? else {
        return Ok(StatusCode::OK);
    };
    // §2.1: only the client that the token was issued to may revoke it.
    if stored.token.client_id != client.id {
        return Err(Refusal::UnauthorizedClient(
            "the token was not issued to this client",
        ));
    }
    let revocation = Revocation::Token {
        jti: stored.token.jti,
        exp: stored.token.exp,
    };
    revocations::add(&app.database, &[revocation], now)?;
    Ok(StatusCode::OK)
}
