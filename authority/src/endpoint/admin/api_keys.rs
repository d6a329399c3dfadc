//! `GET /api-keys`, `POST /api-keys`, `POST /api-keys/{id}/rotate`, `POST /api-keys/{id}/revoke`

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::clock::{HumanDuration, Rfc3339, UnixTime};
use crate::json_body;
use crate::refusal::Refusal;
use crate::request_body::RequestBody;
use crate::response;
use crate::scope::Scopes;
use crate::secret::{self, Secret, SecretHash};
use crate::store::api_keys::{self, ApiKey};

const DEFAULT_GRACE: Duration = Duration::from_secs(24 * 60 * 60);

/// Tells people and secret scanners what they have found.
const PREFIX: &str = "pck_";

/// In bytes, for each name: the list of keys is one response.
const MAX_NAME: usize = 256;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mint {
    client: String,
    #[serde(default)]
    scopes: Vec<String>,
    tenant: Option<String>,
    not_before: Option<Rfc3339>,
    expires_at: Option<Rfc3339>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rotate {
    grace: Option<HumanDuration>,
    /// Of the new key. Default: that of the old key.
    expires_at: Option<Rfc3339>,
}

#[derive(Serialize)]
struct Created<'a> {
    id: &'a str,
    key: &'a str,
    client: &'a str,
    scopes: &'a [String],
    expires_at: Option<Rfc3339>,
}

/// Handles `GET /api-keys`.
pub async fn list(State(app): State<Arc<App>>) -> Result<Response, Refusal> {
    app.blocking(|app| {
        let keys = api_keys::all(&app.database)?;
        Ok(response::json_no_store(&keys)?)
    })
    .await
}

/// Handles `POST /api-keys`.
pub async fn mint(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    RequestBody(body): RequestBody,
) -> Result<Response, Refusal> {
    let Mint {
        client,
        scopes,
        tenant,
        not_before,
        expires_at,
    } = json_body::parse(&headers, &body)?;
    let now = UnixTime::now();
    if [Some(&client), tenant.as_ref()]
        .into_iter()
        .flatten()
        .any(|name| !is_name(name))
    {
        return Err(Refusal::InvalidRequest(
            "client, tenant: expected 1 to 256 printable characters",
        ));
    }
    let scopes = Scopes::from_tokens(scopes).map_err(|_| Refusal::InvalidScope)?;
    if expires_at.is_some_and(|Rfc3339(expires_at)| expires_at <= now) {
        return Err(Refusal::InvalidRequest("expires_at: has passed"));
    }
    app.blocking(move |app| {
        let (id, secret) = new_key()?;
        let key = ApiKey {
            id,
            client,
            hash: SecretHash::digest(secret.expose().as_bytes()).to_string(),
            scopes: scopes.into_tokens(),
            tenant,
            not_before,
            expires_at,
            revoked: false,
        };
        api_keys::add(&app.database, &key, now)?;
        shown_once(&key, &secret)
    })
    .await
}

/// Handles `POST /api-keys/{id}/rotate`: a new key like the old one, which stays valid for a grace period.
pub async fn rotate(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    RequestBody(body): RequestBody,
) -> Result<Response, Refusal> {
    let Rotate { grace, expires_at } = if body.is_empty() {
        Rotate::default()
    } else {
        json_body::parse(&headers, &body)?
    };
    let now = UnixTime::now();
    let until = now.saturating_add(grace.map_or(DEFAULT_GRACE, |HumanDuration(grace)| grace));
    app.blocking(move |app| {
        let (new_id, secret) = new_key()?;
        let hash = SecretHash::digest(secret.expose().as_bytes()).to_string();
        let rotated = api_keys::replace(&app.database, &id, until, now, |old| {
            if old.revoked || old.expires_at.is_some_and(|Rfc3339(end)| end <= now) {
                return Err(Refusal::InvalidRequest("the key is revoked or has expired"));
            }
            let expires_at = expires_at.or(old.expires_at);
            Ok(ApiKey {
                id: new_id,
                hash,
                expires_at,
                not_before: None,
                ..old
            })
        })?;
        shown_once(&rotated.ok_or(Refusal::NotFound)?, &secret)
    })
    .await
}

/// Handles `POST /api-keys/{id}/revoke`.
pub async fn revoke(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    app.blocking(move |app| match api_keys::revoke(&app.database, &id)? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Refusal::NotFound),
    })
    .await
}

fn new_key() -> Result<(String, Secret), Refusal> {
    let id = format!("key_{}", secret::random::<12>()?);
    Ok((
        id,
        Secret::new(format!("{PREFIX}{}", secret::random::<32>()?)),
    ))
}

/// The only response that ever has a key in it.
fn shown_once(key: &ApiKey, secret: &Secret) -> Result<Response, Refusal> {
    let created = Created {
        id: &key.id,
        key: secret.expose(),
        client: &key.client,
        scopes: &key.scopes,
        expires_at: key.expires_at,
    };
    Ok((StatusCode::CREATED, response::json_no_store(&created)?).into_response())
}

/// The filter forwards names in headers, so they may not have control characters.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_NAME && !text.chars().any(char::is_control)
}
