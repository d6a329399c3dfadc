//! The address of a service that Envoy calls for us.

use std::time::Duration;

use crate::secret::Secret;

/// A service that Envoy calls for us.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The Envoy cluster that takes the call.
    pub cluster: Box<str>,
    /// `http` or `https`, for the request's `:scheme`.
    pub scheme: Box<str>,
    /// Host and port, for the request's `:authority`.
    pub authority: Box<str>,
    /// With the query; begins with a slash.
    pub path: Box<str>,
    /// Never zero: Envoy takes zero for "no timeout at all".
    pub timeout: Duration,
    /// The whole value of the `authorization` header.
    pub authorization: Option<Secret>,
}
