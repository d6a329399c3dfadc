//! Calls to services, on their way out and back.

use crate::host::{self, Failed};
use portcullis_core::verification::callout::{Call, CallFault};

/// Sends a request; its answer will come with the token that this returns.
pub fn send(call: &Call) -> Result<u32, Failed> {
    let endpoint = &call.endpoint;
    let mut headers: Vec<(&[u8], &[u8])> = vec![
        (b":method", call.method.as_bytes()),
        (b":scheme", endpoint.scheme.as_bytes()),
        (b":authority", endpoint.authority.as_bytes()),
        (b":path", endpoint.path.as_bytes()),
        // What never reached the service is safe to send again, and costs it nothing.
        (b"x-envoy-retry-on", b"connect-failure,refused-stream"),
        (b"x-envoy-max-retries", b"2"),
    ];
    let authorization = endpoint.authorization.iter();
    headers.extend(authorization.map(|value| (&b"authorization"[..], value.expose())));
    let own = call.headers.iter();
    headers.extend(own.map(|(name, value)| (name.as_bytes(), value.as_ref())));
    host::http_call(&endpoint.cluster, &headers, &call.body, endpoint.timeout)
}

/// The body of a good answer, of `limit` bytes at the most. `has_headers`: without, the answer
/// broke off, and reading it would be an error.
pub fn receive(has_headers: bool, limit: usize) -> Result<Vec<u8>, CallFault> {
    if !has_headers {
        return Err(CallFault::BrokenOff);
    }
    let headers = host::call_response_headers().map_err(|_| CallFault::BrokenOff)?;
    let pairs = headers.pairs();
    let status = pairs
        .iter()
        .find(|(name, _)| *name == b":status")
        .and_then(|(_, value)| std::str::from_utf8(value).ok()?.parse().ok())
        .unwrap_or(0);
    match status {
        200 => {}
        // What Envoy itself answers for a call that took too long.
        504 => return Err(CallFault::Timeout),
        other => return Err(CallFault::Status(other)),
    }
    // One byte more than is allowed, so that a body at the limit and one beyond it differ.
    let body =
        host::call_response_body(limit.saturating_add(1)).map_err(|_| CallFault::BrokenOff)?;
    if body.len() > limit {
        return Err(CallFault::TooLarge);
    }
    Ok(body)
}
