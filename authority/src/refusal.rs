//! Every way in which an endpoint says no, and the one map to HTTP.

use std::fmt;

use aws_lc_rs::error::Unspecified;
use axum::http::header::{CACHE_CONTROL, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::keys;
use crate::response;
use crate::store::database;

#[derive(Debug)]
pub enum Refusal {
    AccessDenied(&'static str),
    BodyTooLarge,
    Internal(Internal),
    /// On the admin port, where the caller may know what is wrong with its JSON.
    InvalidBody(serde_json::Error),
    InvalidClient,
    InvalidRequest(&'static str),
    InvalidScope,
    InvalidTarget,
    MethodNotAllowed,
    NotFound,
    TooSlow,
    UnauthorizedClient(&'static str),
    UnsupportedGrantType,
    UnsupportedMediaType,
}

/// Our own fault: logged here, never told to the client.
#[derive(Debug)]
pub enum Internal {
    Keys(keys::Error),
    Panicked,
    Database(database::Error),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        use StatusCode as S;
        // Codes of RFC 6749 §5.2 and, for `invalid_target`, RFC 8707 §2.
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
            Self::TooSlow => (
                S::REQUEST_TIMEOUT,
                "invalid_request",
                "the body did not come in time",
            ),
            Self::UnauthorizedClient(why) => (S::BAD_REQUEST, "unauthorized_client", why),
            Self::UnsupportedGrantType => (
                S::BAD_REQUEST,
                "unsupported_grant_type",
                "only client_credentials is supported",
            ),
            Self::UnsupportedMediaType => (
                S::UNSUPPORTED_MEDIA_TYPE,
                "invalid_request",
                "expected content-type: application/json",
            ),
        };
        let body = json!({"error": error, "error_description": description});
        let mut response = (status, response::json(&body)).into_response();
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == S::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Basic realm=\"authority\"");
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

impl fmt::Display for Internal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keys(error) => write!(f, "signing keys: {error}"),
            Self::Panicked => f.write_str("a request panicked"),
            Self::Database(error) => write!(f, "database: {error}"),
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
