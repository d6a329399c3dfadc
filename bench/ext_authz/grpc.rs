//! `ext_authz` over gRPC: `envoy.service.auth.v3.Authorization/Check`.
//!
//! The messages are written down here instead of generated, so that no build needs Envoy's `.proto` files and
//! `protoc`. Only the fields that this service reads or sets are there: prost skips the others.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bench::callers::Caller;
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use tonic::body::Body;
use tonic::server::{Grpc, UnaryService};
use tonic::{Code, Status};
use tonic_prost::ProstCodec;

use crate::authorizer::{Authorizer, Credentials};

const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";

/// Serves one gRPC call.
pub async fn answer(authorizer: Arc<Authorizer>, request: Request<Incoming>) -> Response<Body> {
    if request.uri().path() != CHECK {
        return Status::unimplemented("only Check").into_http();
    }
    let mut grpc = Grpc::new(ProstCodec::default());
    grpc.unary(Check(authorizer), request).await
}

struct Check(Arc<Authorizer>);

impl UnaryService<CheckRequest> for Check {
    type Response = CheckResponse;
    type Future = Pin<
        Box<dyn Future<Output = Result<tonic::Response<CheckResponse>, Status>> + Send + 'static>,
    >;

    fn call(&mut self, request: tonic::Request<CheckRequest>) -> Self::Future {
        let authorizer = Arc::clone(&self.0);
        Box::pin(async move {
            let request = request.into_inner();
            Ok(tonic::Response::new(check(&authorizer, request).await))
        })
    }
}

async fn check(authorizer: &Authorizer, request: CheckRequest) -> CheckResponse {
    let http = request.attributes.and_then(|it| it.request?.http);
    let http = http.unwrap_or_default();
    let header = |name: &str| {
        let value = http.headers.get(name);
        value.map(String::as_bytes).unwrap_or_default()
    };
    let credentials = Credentials {
        api_key: header("x-api-key"),
        authorization: header("authorization"),
    };
    match authorizer.authorize(credentials, &http.path).await {
        Ok(caller) => permit(&caller),
        Err(status) => deny(status),
    }
}

fn permit(caller: &Caller) -> CheckResponse {
    let header = |(name, value): &(&'static str, hyper::header::HeaderValue)| HeaderValueOption {
        header: Some(HeaderValue {
            key: (*name).to_owned(),
            value: String::from_utf8_lossy(value.as_bytes()).into_owned(),
        }),
        // What a client sent under this name is replaced.
        append_action: AppendAction::OverwriteIfExistsOrAdd.into(),
    };
    CheckResponse {
        status: Some(RpcStatus {
            code: Code::Ok.into(),
        }),
        http_response: Some(HttpResponse::Ok(OkHttpResponse {
            headers: caller.identity.iter().map(header).collect(),
            headers_to_remove: vec![caller.credential.to_owned()],
        })),
    }
}

fn deny(status: StatusCode) -> CheckResponse {
    CheckResponse {
        status: Some(RpcStatus {
            code: Code::PermissionDenied.into(),
        }),
        http_response: Some(HttpResponse::Denied(DeniedHttpResponse {
            status: Some(HttpStatus {
                code: status.as_u16().into(),
            }),
        })),
    }
}

// === the messages of envoy.service.auth.v3 ===

#[derive(Clone, PartialEq, prost::Message)]
struct CheckRequest {
    #[prost(message, optional, tag = "1")]
    attributes: Option<AttributeContext>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct AttributeContext {
    #[prost(message, optional, tag = "4")]
    request: Option<RequestAttributes>,
}

/// `AttributeContext.Request`.
#[derive(Clone, PartialEq, prost::Message)]
struct RequestAttributes {
    #[prost(message, optional, tag = "2")]
    http: Option<HttpRequest>,
}

/// `AttributeContext.HttpRequest`.
#[derive(Clone, PartialEq, prost::Message)]
struct HttpRequest {
    #[prost(map = "string, string", tag = "3")]
    headers: std::collections::HashMap<String, String>,
    /// With the query.
    #[prost(string, tag = "4")]
    path: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct CheckResponse {
    #[prost(message, optional, tag = "1")]
    status: Option<RpcStatus>,
    #[prost(oneof = "HttpResponse", tags = "2, 3")]
    http_response: Option<HttpResponse>,
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, prost::Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum HttpResponse {
    #[prost(message, tag = "2")]
    Denied(DeniedHttpResponse),
    #[prost(message, tag = "3")]
    Ok(OkHttpResponse),
}

#[derive(Clone, PartialEq, prost::Message)]
struct DeniedHttpResponse {
    #[prost(message, optional, tag = "1")]
    status: Option<HttpStatus>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct OkHttpResponse {
    #[prost(message, repeated, tag = "2")]
    headers: Vec<HeaderValueOption>,
    #[prost(string, repeated, tag = "5")]
    headers_to_remove: Vec<String>,
}

/// `envoy.type.v3.HttpStatus`.
#[derive(Clone, PartialEq, prost::Message)]
struct HttpStatus {
    #[prost(int32, tag = "1")]
    code: i32,
}

/// `envoy.config.core.v3.HeaderValueOption`.
#[derive(Clone, PartialEq, prost::Message)]
struct HeaderValueOption {
    #[prost(message, optional, tag = "1")]
    header: Option<HeaderValue>,
    #[prost(enumeration = "AppendAction", tag = "3")]
    append_action: i32,
}

/// `envoy.config.core.v3.HeaderValue`.
#[derive(Clone, PartialEq, prost::Message)]
struct HeaderValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
}

/// `envoy.config.core.v3.HeaderValueOption.HeaderAppendAction`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, prost::Enumeration)]
#[repr(i32)]
enum AppendAction {
    AppendIfExistsOrAdd = 0,
    OverwriteIfExistsOrAdd = 2,
}
