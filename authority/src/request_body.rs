//! Bodies of requests: whole, within the limit of their route, and in time.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};

use crate::refusal::Refusal;
use crate::server::App;

pub struct RequestBody(pub Bytes);

/// Whether the request says that its body is of this type; the type's parameters do not matter.
pub fn is_of_type(headers: &HeaderMap, expected: &str) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return false;
    };
    let media_type = value
        .to_str()
        .ok()
        .and_then(|value| value.split(';').next());
    media_type.is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case(expected))
}

impl FromRequest<Arc<App>> for RequestBody {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Refusal> {
        let whole = Bytes::from_request(request, app);
        match tokio::time::timeout(app.settings.read_timeout, whole).await {
            Ok(Ok(bytes)) => Ok(Self(bytes)),
            Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(Refusal::BodyTooLarge)
            }
            Ok(Err(_)) => Err(Refusal::InvalidRequest("the body is not whole")),
            Err(_) => Err(Refusal::TooSlow),
        }
    }
}
