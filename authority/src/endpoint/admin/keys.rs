//! `POST /keys/rotate[?drop_old=true]`: new signing keys.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use serde::Serialize;

use crate::app::App;
use crate::clock::UnixTime;
use crate::form::Form;
use crate::keys::JwkSet;
use crate::refusal::Refusal;
use crate::response;

#[derive(Serialize)]
struct Rotated<'a> {
    /// The kids of the keys that sign from now on.
    active: Vec<&'a str>,
    published: JwkSet<'a>,
}

/// Handles the request.
pub async fn rotate(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let drop_old = match Form::parse_query(query.as_deref())?.get("drop_old") {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(Refusal::InvalidRequest("drop_old: expected true or false")),
    };
    let now = UnixTime::now();
    app.blocking(move |app| {
        let grace = (!drop_old).then_some(app.settings.key_grace);
        Ok(app.keys.rotate(&app.database, grace, now)?)
    })
    .await?;
    let keys = app.keys.current();
    let rotated = Rotated {
        active: keys.active_kids().collect(),
        published: keys.jwks(now),
    };
    Ok(response::json_no_store(&rotated)?)
}
