//! `POST /introspect` (RFC 7662)

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Value, json};

use crate::app::App;
use crate::client::Client;
use crate::clock::UnixTime;
use crate::form::Form;
use crate::refusal::Refusal;
use crate::request_body::RequestBody;
use crate::response;
use crate::secret::Secret;
use crate::store::tokens::{self, StoredToken};

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

    let answer = match tokens::find(&app.database, &Secret::new(token.to_owned()))? {
        Some(issued) if is_active(&issued, client, now) => {
            let mut answer = issued.grant.claims(&app.settings.issuer);
            answer.insert("active".to_owned(), true.into());
            answer.insert("nbf".to_owned(), issued.grant.iat.seconds().into());
            answer.insert("token_type".to_owned(), "Bearer".into());
            Value::Object(answer)
        }
        // §2.2: "SHOULD NOT include any additional information about an inactive token": unknown,
        // expired, revoked and somebody else's look the same.
        _ => json!({"active": false}),
    };
    Ok(response::json_no_store(&answer))
}

fn is_active(issued: &StoredToken, client: &Client, now: UnixTime) -> bool {
    let StoredToken { grant, revoked } = issued;
    let for_client = grant
        .audiences
        .iter()
        .any(|audience| client.audiences.contains(audience));
    for_client && !revoked && now < grant.exp
}
