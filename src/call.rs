//! Calls to services, on their way out and back.

use std::time::Duration;

use portcullis_core::verification::callout::{Call, CallFault};
use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, MapType, Status};

/// Envoy takes zero for "no timeout at all".
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(1);

/// What the ABI can say.
const LONGEST_TIMEOUT: Duration = Duration::from_millis(u32::MAX as u64);

/// Sends a request; its answer comes to the root with the token that this returns. The root must be
/// active: see [`crate::host_abi::activate_root`].
pub fn send(call: &Call) -> Result<u32, Status> {
    let text = |bytes| std::str::from_utf8(bytes).map_err(|_| Status::BadArgument);
    let endpoint = &call.endpoint;
    let mut headers: Vec<(&str, &str)> = vec![
        (":method", call.method),
        (":scheme", &endpoint.scheme),
        (":authority", &endpoint.authority),
        (":path", &endpoint.path),
        // What never reached the service is safe to send again, and costs it nothing.
        ("x-envoy-retry-on", "connect-failure,refused-stream"),
        ("x-envoy-max-retries", "2"),
    ];
    if let Some(authorization) = &endpoint.authorization {
        headers.push(("authorization", text(authorization.expose())?));
    }
    for (name, value) in &call.headers {
        headers.push((name, text(value)?));
    }
    let timeout = endpoint.timeout.clamp(SHORTEST_TIMEOUT, LONGEST_TIMEOUT);
    let (cluster, body) = (&endpoint.cluster, Some(call.body.as_slice()));
    hostcalls::dispatch_http_call(cluster, headers, body, Vec::new(), timeout)
}

/// The body of a good answer, of `limit` bytes at most. `has_headers`: without, the answer broke
/// off, and the SDK panics where it is read.
pub fn receive(has_headers: bool, limit: usize) -> Result<Vec<u8>, CallFault> {
    if !has_headers {
        return Err(CallFault::BrokenOff);
    }
    let headers = hostcalls::get_map_bytes(MapType::HttpCallResponseHeaders)
        .map_err(|_| CallFault::BrokenOff)?;
    let status = headers
        .iter()
        .find(|(name, _)| name == ":status")
        .and_then(|(_, value)| std::str::from_utf8(value).ok()?.parse().ok())
        .unwrap_or(0);
    match status {
        200 => {}
        // What Envoy itself answers for a call that took too long.
        504 => return Err(CallFault::Timeout),
        other => return Err(CallFault::Status(other)),
    }
    // One byte more than is allowed, so that a body at the limit and one beyond it differ.
    let most = limit.saturating_add(1);
    let body = hostcalls::get_buffer(BufferType::HttpCallResponseBody, 0, most)
        .map_err(|_| CallFault::BrokenOff)?
        .unwrap_or_default();
    if body.len() > limit {
        return Err(CallFault::TooLarge);
    }
    Ok(body)
}
