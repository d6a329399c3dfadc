//! `POST /keys/rotate[?drop_old=true]`

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use serde_json::json;

use crate::app::App;
use crate::clock::UnixTime;
use crate::form::Form;
use crate::refusal::Refusal;
use crate::response;

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
    let active: Vec<&str> = keys.active_kids().collect();
    Ok(response::json_no_store(
        &json!({"active": active, "published": keys.jwks(now)}),
    ))
}
