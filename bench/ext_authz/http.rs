//! `ext_authz` over HTTP: Envoy sends the request's head, and a 200 lets the request through with the headers of
//! the answer.

use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::{Request, Response};
use tonic::body::Body;

use crate::authorizer::{Authorizer, Credentials};

/// Envoy takes the headers that this one names out of the request.
const HEADERS_TO_REMOVE: &str = "x-envoy-auth-headers-to-remove";

/// Answers one check of Envoy.
pub async fn answer(authorizer: &Authorizer, request: &Request<Incoming>) -> Response<Body> {
    let header = |name: &str| {
        let value = request.headers().get(name);
        value.map(HeaderValue::as_bytes).unwrap_or_default()
    };
    let credentials = Credentials {
        api_key: header("x-api-key"),
        authorization: header("authorization"),
    };
    let verdict = authorizer
        .authorize(credentials, request.uri().path())
        .await;
    let mut response = Response::new(Body::empty());
    match verdict {
        Ok(caller) => {
            let headers = response.headers_mut();
            for (name, value) in &caller.identity {
                headers.insert(*name, value.clone());
            }
            let credential = HeaderValue::from_static(caller.credential);
            headers.insert(HEADERS_TO_REMOVE, credential);
        }
        Err(status) => *response.status_mut() = status,
    }
    response
}
