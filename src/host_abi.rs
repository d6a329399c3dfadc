//! The four places where the SDK's interface is too narrow or too slow, and the only `unsafe` code.
//!
//! The symbols named here are the SDK's own exports, and the host's. `scripts/link_module.sh` exports
//! [`portcullis_request_head_`] under the name `proxy_on_request_headers`.

#![allow(unsafe_code)]

use std::cell::Cell;

#[cfg(feature = "ai")]
use portcullis_core::request::Request;
use proxy_wasm::types::{MapType, Status};

/// What Envoy is to do with a stream (`FilterHeadersStatus` of Proxy-Wasm ABI 0.2.1).
const CONTINUE: u32 = 0;

/// Holds the request as a whole, its body and trailers too.
const STOP_ALL_ITERATION_AND_WATERMARK: u32 = 4;

/// Holds the headers, and asks about the body next (with `allow_on_headers_stop_iteration`).
#[cfg(feature = "ai")]
const STOP_ITERATION: u32 = 1;

/// `Status::Ok`.
const OK: u32 = 0;

/// No gRPC status of our own: Envoy maps the HTTP status for gRPC requests.
const NO_GRPC_STATUS: i32 = -1;

unsafe extern "C" {
    // The SDK's exports, as functions.
    safe fn proxy_on_request_headers(stream: u32, headers: usize, end_of_stream: bool) -> u32;
    safe fn proxy_on_queue_ready(root: u32, queue: u32);
}

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, len: *mut usize) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_len: usize,
        body: *const u8,
        body_len: usize,
        headers: *const u8,
        headers_len: usize,
        grpc_status: i32,
    ) -> u32;
}

/// Wraps the SDK's `proxy_on_request_headers`, whose `Action` cannot express status 4.
///
/// Were a paused request `StopIteration` (1), then with Envoy's `allow_on_headers_stop_iteration`
/// the body's callback would be asked next. A module that does not export one lets the request go
/// on by that, before it is judged.
///
/// The name is as long as the one that it gets in the module, so that the linker's output keeps its
/// length.
// SAFETY: no other function has this name.
#[unsafe(no_mangle)]
extern "C" fn portcullis_request_head_(stream: u32, headers: usize, end_of_stream: bool) -> u32 {
    IS_IN_FRONT.set(true);
    #[cfg(feature = "ai")]
    LETS_BODY_COME.set(false);
    match proxy_on_request_headers(stream, headers, end_of_stream) {
        CONTINUE => CONTINUE,
        #[cfg(feature = "ai")]
        _ if LETS_BODY_COME.take() => STOP_ITERATION,
        _ => STOP_ALL_ITERATION_AND_WATERMARK,
    }
}

/// The request whose headers are looked at now is paused, and its body may come meanwhile: each callback for it is
/// answered until the request is decided.
#[cfg(feature = "ai")]
pub fn let_body_come() {
    LETS_BODY_COME.set(true);
}

#[cfg(feature = "ai")]
thread_local! {
    static LETS_BODY_COME: Cell<bool> = const { Cell::new(false) };
}

thread_local! {
    static IS_IN_FRONT: Cell<bool> = const { Cell::new(false) };
}

/// Whether [`portcullis_request_head_`] is what the host calls. A module that another linker made
/// has the SDK's function in its place, and must not judge requests.
pub fn is_in_front() -> bool {
    IS_IN_FRONT.get()
}

/// Makes the root the SDK's active context, so that the answers to the next calls go to the root.
///
/// The SDK gives the answer to a call to the context that was active when the call was made, and drops
/// it if that is a stream that is gone. But other requests may wait for the same answer. To be called
/// from a stream's callback only: in a root's callback, the root is active already.
pub fn activate_root(root: u32) {
    // Enters the root's callback, which does nothing, and comes back with the root active.
    proxy_on_queue_ready(root, 0);
}

/// Answers the request in the upstream's place. `details` is what access logs show as
/// `%RESPONSE_CODE_DETAILS%`, which the SDK leaves empty.
pub fn send_local_response(
    status: u16,
    details: &str,
    headers: &[(&str, &str)],
    body: &[u8],
    grpc_status: Option<u32>,
) -> Result<(), Status> {
    let headers = encode(headers);
    let grpc_status = grpc_status.and_then(|status| i32::try_from(status).ok());
    // SAFETY: the host reads these slices during the call, and keeps none of them.
    let status = unsafe {
        proxy_send_local_response(
            status.into(),
            details.as_ptr(),
            details.len(),
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            grpc_status.unwrap_or(NO_GRPC_STATUS),
        )
    };
    match status {
        OK => Ok(()),
        _ => Err(Status::InternalFailure),
    }
}

/// Header maps as the ABI writes them: their number, the lengths of each name and value, then the
/// bytes of each with a NUL behind.
fn encode<T: AsRef<[u8]>>(pairs: &[(T, T)]) -> Vec<u8> {
    let length = |text: &T| {
        let length = text.as_ref().len();
        u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
    };
    let count = u32::try_from(pairs.len()).unwrap_or(u32::MAX);
    let mut encoded = count.to_le_bytes().to_vec();
    for (name, value) in pairs {
        encoded.extend(length(name));
        encoded.extend(length(value));
    }
    for (name, value) in pairs {
        for text in [name, value] {
            encoded.extend_from_slice(text.as_ref());
            encoded.push(0);
        }
    }
    encoded
}

/// A header map as the host wrote it: one buffer, of which [`HeaderMap::pairs`] are slices.
///
/// The SDK copies each name and each value into an allocation of its own, which doubles the work of a
/// request whose token is known.
pub struct HeaderMap(Vec<u8>);

/// Reads a header map, as `hostcalls::get_map_bytes` does.
pub fn header_map(map: MapType) -> Result<HeaderMap, Status> {
    let mut data = std::ptr::null_mut();
    let mut len = 0;
    // SAFETY: the host writes both during the call.
    let status = unsafe { proxy_get_header_map_pairs(map as u32, &mut data, &mut len) };
    if status != OK {
        return Err(Status::InternalFailure);
    }
    if data.is_null() {
        return Ok(HeaderMap(Vec::new()));
    }
    // SAFETY: the host got the memory from the SDK's `proxy_on_memory_allocate`, which asks the global
    // allocator for exactly `len` bytes at the alignment of a byte, and wrote all of them.
    Ok(HeaderMap(unsafe { Vec::from_raw_parts(data, len, len) }))
}

impl HeaderMap {
    /// A copy of a request's headers, which stays when the host's are gone.
    #[cfg(feature = "ai")]
    pub fn of(request: &Request<'_>) -> Self {
        HeaderMap(encode(request.headers))
    }

    /// Name and value of each header, duplicates kept.
    pub fn pairs(&self) -> Vec<(&[u8], &[u8])> {
        self.decode().unwrap_or_default()
    }

    /// The reverse of [`encode`].
    fn decode(&self) -> Option<Vec<(&[u8], &[u8])>> {
        let (count, rest) = self.0.split_first_chunk::<4>()?;
        let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
        let (lengths, mut data) = rest.split_at_checked(count.checked_mul(8)?)?;
        let mut take = |length: &[u8; 4]| {
            let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
            let (text, rest) = data.split_at_checked(length)?;
            (_, data) = rest.split_first()?;
            Some(text)
        };
        let (lengths, _) = lengths.as_chunks::<4>();
        let (lengths, _) = lengths.as_chunks::<2>();
        // As many as the lengths that were sent, whatever the count says.
        let mut pairs = Vec::with_capacity(lengths.len());
        for [name, value] in lengths {
            pairs.push((take(name)?, take(value)?));
        }
        Some(pairs)
    }
}
