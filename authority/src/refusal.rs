//! Every reason for which an endpoint refuses a request, and the one map from reasons to HTTP responses.

use std::fmt;

use aws_lc_rs::error::Unspecified;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::cache::connection;
use crate::keys;
use crate::response;
use crate::store::database;

/// Why a request is refused.
#[derive(Debug)]
pub enum Refusal {
    /// The caller is known, and may not do this.
    AccessDenied(&'static str),
    /// The body is over the limit of its endpoint.
    BodyTooLarge,
    /// The server is at fault.
    Internal(Internal),
    /// The JSON is wrong. The answer has the details: it is for operators and for clients that may introspect.
    InvalidBody(serde_json::Error),
    /// No client is authenticated. No reason is given: failures must be indistinguishable.
    InvalidClient,
    /// A DPoP proof is wrong (RFC 9449 §5).
    InvalidDpopProof(&'static str),
    /// The request is malformed.
    InvalidRequest(&'static str),
    /// A scope is malformed or not allowed.
    InvalidScope,
    /// A resource (RFC 8707) is not allowed.
    InvalidTarget,
    /// The path has no such method.
    MethodNotAllowed,
    /// The path or the object that it names does not exist.
    NotFound,
    /// A store does not answer. What was asked may be asked again.
    StoreAway(Internal),
    /// The body took longer than `read_timeout`.
    TooSlow,
    /// The client is authenticated, and may not use this endpoint.
    UnauthorizedClient(&'static str),
    /// The grant type is unknown.
    UnsupportedGrantType,
    /// The body is not declared as JSON.
    UnsupportedMediaType,
}

/// A fault of the server: logged, never told to the client.
#[derive(Debug)]
pub enum Internal {
    /// The cache failed.
    Cache(connection::Error),
    /// The database failed.
    Database(database::Error),
    /// A response could not be written as JSON.
    Json(serde_json::Error),
    /// Making or using the signing keys failed.
    Keys(keys::Error),
    /// The job that handled the request panicked.
    Panicked,
}

/// RFC 6749 §5.2
#[derive(Serialize)]
struct Body<'a> {
    error: &'static str,
    error_description: &'a str,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        use StatusCode as S;
        // Codes of RFC 6749 §5.2, and of RFC 8707 §2 (`invalid_target`) and RFC 9449 §5 (`invalid_dpop_proof`).
        let detail;
        let (status, error, description) = match self {
            Self::AccessDenied(why) => (S::FORBIDDEN, "access_denied", why),
            Self::BodyTooLarge => (
                S::PAYLOAD_TOO_LARGE,
                "invalid_request",
                "the body is too large",
            ),
            Self::Internal(cause) => {
                eprintln!("authority: internal error: {cause}");
                (
                    S::INTERNAL_SERVER_ERROR,
                    "server_error",
                    "the server failed",
                )
            }
            Self::InvalidBody(error) => {
                detail = error.to_string();
                (S::BAD_REQUEST, "invalid_request", detail.as_str())
            }
            Self::InvalidClient => (
                S::UNAUTHORIZED,
                "invalid_client",
                "client authentication failed",
            ),
            Self::InvalidDpopProof(why) => (S::BAD_REQUEST, "invalid_dpop_proof", why),
            Self::InvalidRequest(why) => (S::BAD_REQUEST, "invalid_request", why),
            Self::InvalidScope => (
                S::BAD_REQUEST,
                "invalid_scope",
                "a scope is malformed or not for this client",
            ),
            Self::InvalidTarget => (
                S::BAD_REQUEST,
                "invalid_target",
                "a resource is not for this client",
            ),
            Self::MethodNotAllowed => (
                S::METHOD_NOT_ALLOWED,
                "invalid_request",
                "the method is not supported here",
            ),
            Self::NotFound => (S::NOT_FOUND, "not_found", "there is nothing here"),
            Self::StoreAway(cause) => {
                eprintln!("authority: internal error: {cause}");
                (
                    S::SERVICE_UNAVAILABLE,
                    "temporarily_unavailable",
                    "a store does not answer",
                )
            }
            Self::TooSlow => (
                S::REQUEST_TIMEOUT,
                "invalid_request",
                "the body did not come in time",
            ),
            Self::UnauthorizedClient(why) => (S::BAD_REQUEST, "unauthorized_client", why),
            Self::UnsupportedGrantType => (
                S::BAD_REQUEST,
                "unsupported_grant_type",
                "only client_credentials and token exchange are supported",
            ),
            Self::UnsupportedMediaType => (
                S::UNSUPPORTED_MEDIA_TYPE,
                "invalid_request",
                "expected content-type: application/json",
            ),
        };
        let body = Body {
            error,
            error_description: description,
        };
        let Ok(body) = response::json_no_store(&body) else {
            return S::INTERNAL_SERVER_ERROR.into_response();
        };
        let mut response = (status, body).into_response();
        let more = match status {
            S::UNAUTHORIZED => Some((WWW_AUTHENTICATE, "Basic realm=\"authority\"")),
            S::SERVICE_UNAVAILABLE => Some((RETRY_AFTER, "1")),
            _ => None,
        };
        if let Some((name, value)) = more {
            let value = HeaderValue::from_static(value);
            response.headers_mut().insert(name, value);
        }
        response
    }
}

impl fmt::Display for Internal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cache(error) => write!(f, "cache: {error}"),
            Self::Database(error) => write!(f, "database: {error}"),
            Self::Json(error) => write!(f, "a response cannot be written: {error}"),
            Self::Keys(error) => write!(f, "signing keys: {error}"),
            Self::Panicked => f.write_str("a request panicked"),
        }
    }
}

impl From<keys::Error> for Refusal {
    fn from(error: keys::Error) -> Self {
        Self::Internal(Internal::Keys(error))
    }
}

impl From<Unspecified> for Refusal {
    fn from(error: Unspecified) -> Self {
        keys::Error::from(error).into()
    }
}

impl From<database::Error> for Refusal {
    fn from(error: database::Error) -> Self {
        Self::Internal(Internal::Database(error))
    }
}

/// Of a response. The JSON of a request is read by [`crate::json_body`], which knows the client to be at fault.
impl From<serde_json::Error> for Refusal {
    fn from(error: serde_json::Error) -> Self {
        Self::Internal(Internal::Json(error))
    }
}
