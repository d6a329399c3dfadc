//! `POST /token`: the client credentials grant (RFC 6749 §4.4), with tokens after RFC 9068, bound by DPoP (RFC 9449) where the
//! request has a proof.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;

use crate::access_token::{AccessToken, Claims};
use crate::app::App;
use crate::client::{Client, TokenFormat};
use crate::clock::UnixTime;
use crate::dpop;
use crate::form::Form;
use crate::refusal::Refusal;
use crate::request_body::RequestBody;
use crate::response;
use crate::scope::Scopes;
use crate::secret::{self, Secret};
use crate::status_list::Status;
use crate::store::tokens;

/// The successful response (RFC 6749 §5.1).
#[derive(Serialize)]
struct TokenResponse<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: u64,
    scope: &'a str,
}

#[derive(Serialize)]
struct JwtClaims<'a> {
    #[serde(flatten)]
    claims: Claims<'a>,
    status: Status,
}

/// Handles the request.
pub async fn answer(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    RequestBody(body): RequestBody,
) -> Result<Response, Refusal> {
    let now = UnixTime::now();
    app.blocking(move |app| grant(app, &headers, &body, now))
        .await
}

fn grant(app: &App, headers: &HeaderMap, body: &[u8], now: UnixTime) -> Result<Response, Refusal> {
    let form = Form::parse(headers, body)?;
    let client = app.settings.clients.authenticate(headers, &form)?;
    match form.get("grant_type") {
        Some("client_credentials") => {}
        Some(_) => return Err(Refusal::UnsupportedGrantType),
        None => return Err(Refusal::InvalidRequest("grant_type is missing")),
    }
    if client.scopes.is_empty() {
        return Err(Refusal::UnauthorizedClient("this client gets no tokens"));
    }
    // After the client's authentication: nobody else can make the server verify signatures or remember proofs.
    let proof = dpop::check(headers, &app.settings.issuer.url("/token"), now)?;
    let scopes = scopes(client, &form)?;
    let audiences = audiences(client, &form)?;

    let made_up = &client.made_up;
    let token = AccessToken {
        jti: secret::random::<16>()?,
        client_id: client.id.clone(),
        sub: client.subject.clone(),
        scope: scopes.to_string(),
        audiences,
        tenant: client.tenant.clone(),
        iat: now,
        exp: now.saturating_add(client.token_lifetime),
        actors: Vec::new(),
        acr: made_up.acr.clone(),
        auth_time: made_up.auth_age.map(|age| now.saturating_sub(age)),
        authorization_details: made_up.authorization_details.clone(),
        jkt: proof.as_ref().map(|proof| proof.jkt.clone()),
    };
    let access_token = tokens::issue(&app.database, &token, proof.as_ref(), |index| {
        encode(app, client, &token, index)
    })?;
    let access_token =
        access_token.ok_or(Refusal::InvalidDpopProof("the proof was used before"))?;
    Ok(response::json_no_store(&TokenResponse {
        access_token: access_token.expose(),
        token_type: token.token_type(),
        expires_in: client.token_lifetime.as_secs(),
        scope: &token.scope,
    })?)
}

/// The scopes of the request, or all of the client's scopes if the request names none (RFC 6749 §3.3).
fn scopes(client: &Client, form: &Form) -> Result<Scopes, Refusal> {
    let Some(text) = form.get("scope") else {
        return Ok(client.scopes.clone());
    };
    let asked = Scopes::parse(text).map_err(|_| Refusal::InvalidScope)?;
    if asked.is_subset_of(&client.scopes) {
        Ok(asked)
    } else {
        Err(Refusal::InvalidScope)
    }
}

/// The resources of the request (RFC 8707 §2), or all of the client's audiences if it names none.
fn audiences(client: &Client, form: &Form) -> Result<Vec<String>, Refusal> {
    let mut asked: Vec<String> = Vec::new();
    for resource in form.all("resource") {
        if !client.audiences.iter().any(|audience| audience == resource) {
            return Err(Refusal::InvalidTarget);
        }
        if !asked.iter().any(|known| known == resource) {
            asked.push(resource.to_owned());
        }
    }
    Ok(if asked.is_empty() {
        client.audiences.clone()
    } else {
        asked
    })
}

/// The token in the client's format. A JWT says where its status is published.
fn encode(app: &App, client: &Client, token: &AccessToken, index: u64) -> Result<Secret, Refusal> {
    let issuer = &app.settings.issuer;
    let encoded = match client.format {
        TokenFormat::Opaque => secret::random::<32>()?,
        TokenFormat::Jwt => {
            let claims = JwtClaims {
                claims: token.claims(issuer),
                status: Status::of_token(index, issuer),
            };
            app.signing_keys()
                .sign(client.algorithm, "at+jwt", &claims)?
        }
    };
    Ok(Secret::new(encoded))
}
