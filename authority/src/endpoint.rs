//! The routes of both ports. Each endpoint has a file, named after its path.

mod admin;
mod api_keys;
mod health;
mod introspect;
mod jwks;
mod ledger;
mod metadata;
mod ready;
mod revocations;
mod revoke;
mod status;
mod token;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::{get, post, put};

use crate::app::App;
use crate::browser_guard;
use crate::fault_injection;
use crate::refusal::Refusal;

/// In bytes: room for a form with the longest token that the filter accepts (16 KiB), every byte of it escaped.
const MAX_FORM: usize = 64 * 1024;

/// In bytes: room for fifty thousand revocations in one request.
const MAX_ADMIN_BODY: usize = 8 * 1024 * 1024;

/// The public port.
pub fn public(app: Arc<App>) -> Router {
    let router = Router::new()
        .route(
            "/.well-known/oauth-authorization-server",
            get(metadata::answer),
        )
        .route("/api-keys", get(api_keys::answer))
        .route("/api-keys/revocations", get(revocations::of_api_keys))
        .route("/health", get(health::answer))
        .route("/introspect", post(introspect::answer))
        .route("/jwks.json", get(jwks::answer))
        .route("/ledger", post(ledger::answer))
        .route("/ready", get(ready::answer))
        .route("/revocations", get(revocations::of_tokens))
        .route("/revoke", post(revoke::answer))
        .route("/status/{list}", get(status::answer))
        .route("/token", post(token::answer));
    let router = finish(router, MAX_FORM);
    let router = if app.settings.faults {
        let faults = Arc::clone(&app.faults);
        router.layer(middleware::from_fn_with_state(
            faults,
            fault_injection::inject,
        ))
    } else {
        router
    };
    router.with_state(app)
}

/// The admin port.
pub fn admin(app: Arc<App>) -> Router {
    let router = Router::new()
        .route(
            "/api-keys",
            get(admin::api_keys::list).post(admin::api_keys::mint),
        )
        .route("/api-keys/{id}/revoke", post(admin::api_keys::revoke))
        .route("/api-keys/{id}/rotate", post(admin::api_keys::rotate))
        .route("/health", get(health::answer))
        .route("/keys/rotate", post(admin::keys::rotate))
        .route("/revocations", post(admin::revocations::add));
    let router = if app.settings.faults {
        router
            .route(
                "/faults",
                put(admin::faults::set).delete(admin::faults::clear),
            )
            .route("/faults/key-swap", put(admin::faults::swap_keys))
    } else {
        router
    };
    finish(router, MAX_ADMIN_BODY)
        .layer(middleware::from_fn_with_state(
            Arc::clone(&app.settings.admin_hosts),
            browser_guard::inspect,
        ))
        .with_state(app)
}

fn finish(router: Router<Arc<App>>, max_body: usize) -> Router<Arc<App>> {
    router
        .fallback(async || Refusal::NotFound)
        .method_not_allowed_fallback(async || Refusal::MethodNotAllowed)
        .layer(DefaultBodyLimit::max(max_body))
}
