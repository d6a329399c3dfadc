//! Request bodies: complete, within the limit of their route, and within `read_timeout`.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;

use crate::app::App;
use crate::refusal::Refusal;

/// A body, read to its end.
pub struct RequestBody(pub Bytes);

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
