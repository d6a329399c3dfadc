//! The messages of `envoy.service.ext_proc.v3`.
//!
//! They are written down here instead of generated, so that no build needs Envoy's `.proto` files and `protoc`. Only the
//! fields that this service reads or sets are there: prost skips the others.

use bytes::Bytes;

#[derive(Clone, PartialEq, prost::Message)]
pub struct ProcessingRequest {
    #[prost(oneof = "Asked", tags = "2, 3, 4, 5")]
    pub asked: Option<Asked>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Asked {
    #[prost(message, tag = "2")]
    RequestHeaders(HttpHeaders),
    #[prost(message, tag = "3")]
    ResponseHeaders(HttpHeaders),
    #[prost(message, tag = "4")]
    RequestBody(HttpBody),
    #[prost(message, tag = "5")]
    ResponseBody(HttpBody),
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct HttpHeaders {
    #[prost(message, optional, tag = "1")]
    pub headers: Option<HeaderMap>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct HttpBody {
    /// A part of what was received, which is not copied.
    #[prost(bytes = "bytes", tag = "1")]
    pub body: Bytes,
    #[prost(bool, tag = "2")]
    pub end_of_stream: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ProcessingResponse {
    #[prost(oneof = "Answered", tags = "1, 2, 3, 4, 7")]
    pub answered: Option<Answered>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Answered {
    #[prost(message, tag = "1")]
    RequestHeaders(PhaseResponse),
    #[prost(message, tag = "2")]
    ResponseHeaders(PhaseResponse),
    #[prost(message, tag = "3")]
    RequestBody(PhaseResponse),
    #[prost(message, tag = "4")]
    ResponseBody(PhaseResponse),
    #[prost(message, tag = "7")]
    Immediate(ImmediateResponse),
}

/// `HeadersResponse` and `BodyResponse`, which are alike.
#[derive(Clone, PartialEq, prost::Message)]
pub struct PhaseResponse {
    #[prost(message, optional, tag = "1")]
    pub response: Option<CommonResponse>,
}

/// Continues.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CommonResponse {
    #[prost(message, optional, tag = "2")]
    pub header_mutation: Option<HeaderMutation>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct HeaderMutation {
    #[prost(message, repeated, tag = "1")]
    pub set_headers: Vec<HeaderValueOption>,
    #[prost(string, repeated, tag = "2")]
    pub remove_headers: Vec<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ImmediateResponse {
    #[prost(message, optional, tag = "1")]
    pub status: Option<HttpStatus>,
}

/// `envoy.type.v3.HttpStatus`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct HttpStatus {
    #[prost(int32, tag = "1")]
    pub code: i32,
}

/// `envoy.config.core.v3.HeaderMap`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct HeaderMap {
    #[prost(message, repeated, tag = "1")]
    pub headers: Vec<HeaderValue>,
}

/// `envoy.config.core.v3.HeaderValueOption`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct HeaderValueOption {
    #[prost(message, optional, tag = "1")]
    pub header: Option<HeaderValue>,
    #[prost(enumeration = "AppendAction", tag = "3")]
    pub append_action: i32,
}

/// `envoy.config.core.v3.HeaderValue`. Envoy uses its bytes alone here.
#[derive(Clone, PartialEq, prost::Message)]
pub struct HeaderValue {
    #[prost(string, tag = "1")]
    pub key: String,
    #[prost(bytes = "bytes", tag = "3")]
    pub raw_value: Bytes,
}

/// `envoy.config.core.v3.HeaderValueOption.HeaderAppendAction`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, prost::Enumeration)]
#[repr(i32)]
pub enum AppendAction {
    AppendIfExistsOrAdd = 0,
    OverwriteIfExistsOrAdd = 2,
}

impl HeaderMap {
    /// The value of a header; empty where there is none.
    pub fn get(&self, name: &str) -> &[u8] {
        let found = self.headers.iter().find(|header| header.key == name);
        found.map_or(b"", |header| &header.raw_value)
    }
}

impl HeaderValueOption {
    /// Replaces whatever is there under this name.
    pub fn set(name: &str, value: impl Into<Bytes>) -> Self {
        HeaderValueOption {
            header: Some(HeaderValue {
                key: name.to_owned(),
                raw_value: value.into(),
            }),
            append_action: AppendAction::OverwriteIfExistsOrAdd.into(),
        }
    }
}

impl From<HeaderMutation> for PhaseResponse {
    fn from(mutation: HeaderMutation) -> Self {
        PhaseResponse {
            response: Some(CommonResponse {
                header_mutation: Some(mutation),
            }),
        }
    }
}
