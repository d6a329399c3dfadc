//! `GET /.well-known/oauth-authorization-server` (RFC 8414 §3)

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::json;

use crate::app::App;
use crate::response::Document;

pub async fn answer(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let issuer = &app.settings.issuer;
    let scopes: BTreeSet<&str> = app
        .settings
        .clients
        .iter()
        .flat_map(|client| client.scopes.iter())
        .collect();
    let body = json!({
        "issuer": issuer.as_str(),
        "token_endpoint": issuer.url("/token"),
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "grant_types_supported": ["client_credentials"],
        // REQUIRED, and empty for a server without an authorization endpoint.
        "response_types_supported": [],
        "scopes_supported": scopes,
        "jwks_uri": issuer.url("/jwks.json"),
        "introspection_endpoint": issuer.url("/introspect"),
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic"],
        "revocation_endpoint": issuer.url("/revoke"),
        "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
    });
    Document::json(body.to_string()).answer(&headers)
}
