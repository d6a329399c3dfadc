//! `GET /.well-known/oauth-authorization-server` (RFC 8414 §3).

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;

use crate::algorithm::Algorithm;
use crate::app::App;
use crate::dpop;
use crate::grant_type::{CLIENT_CREDENTIALS, TOKEN_EXCHANGE};
use crate::refusal::Refusal;
use crate::response::Document;

const BASIC: &str = "client_secret_basic";
const POST: &str = "client_secret_post";

/// RFC 8414 §2
#[derive(Serialize)]
struct Metadata<'a> {
    issuer: &'a str,
    token_endpoint: String,
    token_endpoint_auth_methods_supported: &'a [&'a str],
    grant_types_supported: &'a [&'a str],
    /// REQUIRED, and empty for a server without an authorization endpoint.
    response_types_supported: &'a [&'a str],
    scopes_supported: BTreeSet<&'a str>,
    jwks_uri: String,
    introspection_endpoint: String,
    introspection_endpoint_auth_methods_supported: &'a [&'a str],
    revocation_endpoint: String,
    revocation_endpoint_auth_methods_supported: &'a [&'a str],
    /// RFC 9449 §5.1
    dpop_signing_alg_values_supported: [&'a str; dpop::ALGORITHMS.len()],
}

/// Handles the request.
pub async fn answer(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Refusal> {
    let issuer = &app.settings.issuer;
    let clients = app.settings.clients.iter();
    let metadata = Metadata {
        issuer: issuer.as_str(),
        token_endpoint: issuer.url("/token"),
        token_endpoint_auth_methods_supported: &[BASIC, POST],
        grant_types_supported: &[CLIENT_CREDENTIALS, TOKEN_EXCHANGE],
        response_types_supported: &[],
        scopes_supported: clients.flat_map(|client| client.scopes.iter()).collect(),
        jwks_uri: issuer.url("/jwks.json"),
        introspection_endpoint: issuer.url("/introspect"),
        introspection_endpoint_auth_methods_supported: &[BASIC],
        revocation_endpoint: issuer.url("/revoke"),
        revocation_endpoint_auth_methods_supported: &[BASIC, POST],
        dpop_signing_alg_values_supported: dpop::ALGORITHMS.map(Algorithm::name),
    };
    Ok(Document::json(&metadata)?.respond(&headers))
}
