//! Answers in the upstream's place.

/// An answer that no upstream gave.
#[derive(Debug, Eq, PartialEq)]
pub struct LocalReply {
    /// The HTTP status.
    pub status: u16,
    /// Its headers.
    pub headers: Vec<(&'static str, String)>,
    /// Its body; in gRPC, the message.
    pub body: String,
    /// The status of a gRPC request. Envoy itself would not map a 400 to 3 (INVALID_ARGUMENT).
    pub grpc_status: Option<u32>,
    /// What access logs show as `%RESPONSE_CODE_DETAILS%`.
    pub details: String,
}
