//! `POST /introspect` (RFC 7662).

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;

use crate::access_token::Claims;
use crate::app::App;
use crate::client::Client;
use crate::clock::UnixTime;
use crate::form::Form;
use crate::refusal::Refusal;
use crate::request_body::RequestBody;
use crate::response;
use crate::secret::Secret;
use crate::store::tokens::{self, StoredToken};

/// What the client is told about the token (§2.2).
#[derive(Serialize)]
struct Introspection<'a> {
    active: bool,
    /// "SHOULD NOT include any additional information about an inactive token": unknown tokens, expired, revoked and
    /// those for other audiences look the same.
    #[serde(flatten)]
    token: Option<Description<'a>>,
}

#[derive(Serialize)]
struct Description<'a> {
    token_type: &'static str,
    nbf: UnixTime,
    #[serde(flatten)]
    claims: Claims<'a>,
}

/// Handles the request.
pub async fn answer(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    RequestBody(body): RequestBody,
) -> Result<Response, Refusal> {
    let now = UnixTime::now();
    app.blocking(move |app| introspect(app, &headers, &body, now))
        .await
}

fn introspect(
    app: &App,
    headers: &HeaderMap,
    body: &[u8],
    now: UnixTime,
) -> Result<Response, Refusal> {
    let client = app.settings.clients.authenticate_basic(headers)?;
    if !client.may_introspect {
        return Err(Refusal::UnauthorizedClient(
            "this client may not introspect",
        ));
    }
    let form = Form::parse(headers, body)?;
    let token = form
        .get("token")
        .ok_or(Refusal::InvalidRequest("token is missing"))?;

    let stored = tokens::find(&app.database, &Secret::new(token.to_owned()))?
        .filter(|stored| stored.is_active(now) && is_for(stored, client));
    let token = stored.as_ref().map(|stored| Description {
        token_type: stored.token.token_type(),
        nbf: stored.token.iat,
        claims: stored.token.claims(&app.settings.issuer),
    });
    Ok(response::json_no_store(&Introspection {
        active: token.is_some(),
        token,
    })?)
}

fn is_for(stored: &StoredToken, client: &Client) -> bool {
    let mut audiences = stored.token.audiences.iter();
    audiences.any(|audience| client.audiences.contains(audience))
}
