//! `POST /token` (RFC 6749 §3.2): a grant makes the token, a proof of possession binds it, and it is issued in the client's format.

mod client_credentials;
mod exchange;
mod narrowing;

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
use crate::grant_type::{CLIENT_CREDENTIALS, TOKEN_EXCHANGE};
use crate::refusal::Refusal;
use crate::request_body::RequestBody;
use crate::response;
use crate::secret::{self, Secret};
use crate::status_list::Status;
use crate::store::tokens;

/// The successful response (RFC 6749 §5.1).
#[derive(Serialize)]
struct TokenResponse<'a> {
    access_token: &'a str,
    /// RFC 8693 §2.2.1
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_token_type: Option<&'static str>,
    token_type: &'static str,
    expires_in: i64,
    scope: &'a str,
}

/// RFC 9068
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
    let grant_type = form
        .get("grant_type")
        .ok_or(Refusal::InvalidRequest("grant_type is missing"))?;
    if ![CLIENT_CREDENTIALS, TOKEN_EXCHANGE].contains(&grant_type) {
        return Err(Refusal::UnsupportedGrantType);
    }
    if client.scopes.is_empty() {
        return Err(Refusal::UnauthorizedClient("this client gets no tokens"));
    }
    // After the client's authentication: nobody else can make the server verify signatures or remember proofs.
    let proof = dpop::check(headers, &app.settings.issuer.url("/token"), now)?;
    let jkt = proof.as_ref().map(|proof| proof.jkt.as_str());
    let (token, issued_token_type) = if grant_type == TOKEN_EXCHANGE {
        let (token, issued) = exchange::grant(app, client, &form, jkt, now)?;
        (token, Some(issued))
    } else {
        (client_credentials::grant(client, &form, jkt, now)?, None)
    };

    let access_token = tokens::issue(&app.database, &token, proof.as_ref(), |index| {
        encode(app, client, &token, index)
    })?;
    let access_token =
        access_token.ok_or(Refusal::InvalidDpopProof("the proof was used before"))?;
    Ok(response::json_no_store(&TokenResponse {
        access_token: access_token.expose(),
        issued_token_type,
        token_type: token.token_type(),
        expires_in: token.exp.seconds().saturating_sub(now.seconds()),
        scope: &token.scope,
    })?)
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
