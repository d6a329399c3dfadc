//! Envoy as the module sees it: the only file with host calls.
//!
//! Every call returns a `Result` for every status, and every value is bytes: the SDK's wrappers
//! panic on what they do not expect, and one header value that is no UTF-8 would end a worker's
//! VM.

#![allow(unsafe_code)]

use std::time::{Duration, Instant};

use portcullis_core::time::UnixTime;

/// A host call's status other than 0.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Failed(pub u32);

/// Proxy-Wasm ABI 0.2.1, `Status`.
pub const NOT_FOUND: Failed = Failed(1);

#[derive(Clone, Copy)]
#[repr(u32)]
pub enum LogLevel {
    Info = 2,
    Warn = 3,
    Error = 4,
    Critical = 5,
}

#[derive(Clone, Copy)]
#[repr(u32)]
enum Map {
    RequestHeaders = 0,
    RequestTrailers = 1,
    CallResponseHeaders = 6,
}

#[derive(Clone, Copy)]
#[repr(u32)]
enum Buffer {
    CallResponseBody = 4,
    PluginConfiguration = 7,
}

/// A header map as the host wrote it: one buffer, of which [`Headers::pairs`] are slices.
#[derive(Debug, Default)]
pub struct Headers(Vec<u8>);

mod abi {
    #[link(wasm_import_module = "env")]
    unsafe extern "C" {
        pub fn proxy_log(level: u32, text: *const u8, len: usize) -> u32;
        pub fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
        pub fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
        pub fn proxy_get_buffer_bytes(
            buffer: u32,
            start: usize,
            max: usize,
            data: *mut *mut u8,
            len: *mut usize,
        ) -> u32;
        pub fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, len: *mut usize) -> u32;
        pub fn proxy_add_header_map_value(
            map: u32,
            name: *const u8,
            name_len: usize,
            value: *const u8,
            value_len: usize,
        ) -> u32;
        pub fn proxy_replace_header_map_value(
            map: u32,
            name: *const u8,
            name_len: usize,
            value: *const u8,
            value_len: usize,
        ) -> u32;
        pub fn proxy_remove_header_map_value(map: u32, name: *const u8, name_len: usize) -> u32;
        pub fn proxy_send_local_response(
            status: u32,
            details: *const u8,
            details_len: usize,
            body: *const u8,
            body_len: usize,
            headers: *const u8,
            headers_len: usize,
            grpc_status: i32,
        ) -> u32;
        pub fn proxy_continue_stream(stream: u32) -> u32;
        pub fn proxy_set_effective_context(context: u32) -> u32;
        pub fn proxy_http_call(
            cluster: *const u8,
            cluster_len: usize,
            headers: *const u8,
            headers_len: usize,
            body: *const u8,
            body_len: usize,
            trailers: *const u8,
            trailers_len: usize,
            timeout: u32,
            token: *mut u32,
        ) -> u32;
        pub fn proxy_get_shared_data(
            key: *const u8,
            key_len: usize,
            data: *mut *mut u8,
            len: *mut usize,
            cas: *mut u32,
        ) -> u32;
        pub fn proxy_set_shared_data(
            key: *const u8,
            key_len: usize,
            data: *const u8,
            len: usize,
            cas: u32,
        ) -> u32;
        pub fn proxy_define_metric(
            kind: u32,
            name: *const u8,
            name_len: usize,
            metric: *mut u32,
        ) -> u32;
        pub fn proxy_increment_metric(metric: u32, offset: i64) -> u32;
        pub fn proxy_get_property(
            path: *const u8,
            path_len: usize,
            data: *mut *mut u8,
            len: *mut usize,
        ) -> u32;
        pub fn proxy_set_property(
            path: *const u8,
            path_len: usize,
            data: *const u8,
            len: usize,
        ) -> u32;
        pub fn proxy_call_foreign_function(
            name: *const u8,
            name_len: usize,
            argument: *const u8,
            argument_len: usize,
            data: *mut *mut u8,
            len: *mut usize,
        ) -> u32;
    }
}

fn check(status: u32) -> Result<(), Failed> {
    match status {
        0 => Ok(()),
        status => Err(Failed(status)),
    }
}

/// Runs a call that hands over bytes which the host allocated in this module.
fn receive(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Result<Vec<u8>, Failed> {
    let mut data = std::ptr::null_mut();
    let mut len = 0;
    check(call(&mut data, &mut len))?;
    if data.is_null() {
        return Ok(Vec::new());
    }
    // SAFETY: the host got the memory from `allocate` below, which asked the global allocator
    // for exactly `len` bytes at the alignment of a byte, and wrote all of them.
    Ok(unsafe { Vec::from_raw_parts(data, len, len) })
}

/// Memory for the host to hand bytes over in.
pub fn allocate(len: usize) -> *mut u8 {
    // Not zeroed: it is the host's to write, and `receive` reads it only then.
    Box::into_raw(Box::<[u8]>::new_uninit_slice(len)).cast()
}

// === log and clock ===

pub fn log(level: LogLevel, text: &str) {
    // SAFETY: the host reads the text during the call. That a log line is lost is no fault that
    // anything could be done about.
    let _ = unsafe { abi::proxy_log(level as u32, text.as_ptr(), text.len()) };
}

pub fn now() -> UnixTime {
    let mut nanoseconds = 0;
    // SAFETY: the host writes the number during the call.
    let status = unsafe { abi::proxy_get_current_time_nanoseconds(&mut nanoseconds) };
    match status {
        0 => UnixTime::since_epoch(Duration::from_nanos(nanoseconds)),
        // A clock that fails must not make expired tokens good.
        _ => UnixTime::FAR_FUTURE,
    }
}

/// The monotonic clock, for how long somebody waits.
#[allow(
    clippy::disallowed_methods,
    reason = "the shell is where clocks are read"
)]
pub fn instant() -> Instant {
    Instant::now()
}

pub fn set_tick_period(period: Duration) -> Result<(), Failed> {
    let millis = u32::try_from(period.as_millis()).unwrap_or(u32::MAX);
    // SAFETY: no memory is passed.
    check(unsafe { abi::proxy_set_tick_period_milliseconds(millis) })
}

// === buffers ===

fn buffer(buffer: Buffer, max: usize) -> Result<Vec<u8>, Failed> {
    receive(|data, len| {
        // SAFETY: the host writes both during the call.
        unsafe { abi::proxy_get_buffer_bytes(buffer as u32, 0, max, data, len) }
    })
}

/// What the operator wrote; empty where there is none.
pub fn plugin_configuration() -> Result<Vec<u8>, Failed> {
    match buffer(Buffer::PluginConfiguration, usize::MAX) {
        Err(NOT_FOUND) => Ok(Vec::new()),
        other => other,
    }
}

pub fn call_response_body(max: usize) -> Result<Vec<u8>, Failed> {
    buffer(Buffer::CallResponseBody, max)
}

// === headers ===

fn headers(map: Map) -> Result<Headers, Failed> {
    receive(|data, len| {
        // SAFETY: the host writes both during the call.
        unsafe { abi::proxy_get_header_map_pairs(map as u32, data, len) }
    })
    .map(Headers)
}

pub fn request_headers() -> Result<Headers, Failed> {
    headers(Map::RequestHeaders)
}

pub fn request_trailers() -> Result<Headers, Failed> {
    headers(Map::RequestTrailers)
}

pub fn call_response_headers() -> Result<Headers, Failed> {
    headers(Map::CallResponseHeaders)
}

pub fn add_request_header(name: &[u8], value: &[u8]) -> Result<(), Failed> {
    // SAFETY: the host reads both during the call.
    check(unsafe {
        abi::proxy_add_header_map_value(
            Map::RequestHeaders as u32,
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
        )
    })
}

/// Replaces every header of that name.
pub fn set_request_header(name: &[u8], value: &[u8]) -> Result<(), Failed> {
    // SAFETY: the host reads both during the call.
    check(unsafe {
        abi::proxy_replace_header_map_value(
            Map::RequestHeaders as u32,
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
        )
    })
}

fn remove(map: Map, name: &[u8]) -> Result<(), Failed> {
    // SAFETY: the host reads the name during the call.
    check(unsafe { abi::proxy_remove_header_map_value(map as u32, name.as_ptr(), name.len()) })
}

pub fn remove_request_header(name: &[u8]) -> Result<(), Failed> {
    remove(Map::RequestHeaders, name)
}

pub fn remove_request_trailer(name: &[u8]) -> Result<(), Failed> {
    remove(Map::RequestTrailers, name)
}

// === streams ===

/// `details` is what access logs show as `%RESPONSE_CODE_DETAILS%`.
pub fn send_local_response(
    status: u16,
    details: &str,
    headers: &[(&[u8], &[u8])],
    body: &[u8],
    grpc_status: Option<u32>,
) -> Result<(), Failed> {
    let headers = encode_pairs(headers);
    let grpc_status = grpc_status
        .and_then(|s| i32::try_from(s).ok())
        .unwrap_or(-1);
    // SAFETY: the host reads all of it during the call.
    check(unsafe {
        abi::proxy_send_local_response(
            u32::from(status),
            details.as_ptr(),
            details.len(),
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            grpc_status,
        )
    })
}

pub fn continue_request() -> Result<(), Failed> {
    const HTTP_REQUEST: u32 = 0;
    // SAFETY: no memory is passed.
    check(unsafe { abi::proxy_continue_stream(HTTP_REQUEST) })
}

/// Makes the calls that follow act on another context: a root may so wake its streams. A stream
/// that is gone is an error, and harmless.
pub fn set_effective_context(context: u32) -> Result<(), Failed> {
    // SAFETY: no memory is passed.
    check(unsafe { abi::proxy_set_effective_context(context) })
}

// === callouts ===

/// Starts a request to `cluster`; the answer comes with the token that this returns.
pub fn http_call(
    cluster: &str,
    headers: &[(&[u8], &[u8])],
    body: &[u8],
    timeout: Duration,
) -> Result<u32, Failed> {
    let headers = encode_pairs(headers);
    // Envoy takes zero for "no timeout at all".
    let timeout = u32::try_from(timeout.as_millis())
        .unwrap_or(u32::MAX)
        .max(1);
    let mut token = 0;
    // SAFETY: the host reads all of it, and writes the token, during the call.
    check(unsafe {
        abi::proxy_http_call(
            cluster.as_ptr(),
            cluster.len(),
            headers.as_ptr(),
            headers.len(),
            body.as_ptr(),
            body.len(),
            std::ptr::null(),
            0,
            timeout,
            &mut token,
        )
    })?;
    Ok(token)
}

// === shared data ===

/// A value that all workers share, and the number to replace it by.
pub fn shared_data(key: &[u8]) -> Result<(Vec<u8>, u32), Failed> {
    let mut cas = 0;
    let value = receive(|data, len| {
        // SAFETY: the host reads the key, and writes the rest, during the call.
        unsafe { abi::proxy_get_shared_data(key.as_ptr(), key.len(), data, len, &mut cas) }
    })?;
    Ok((value, cas))
}

/// Replaces the value if its number is still `cas`; without one in any case.
pub fn set_shared_data(key: &[u8], value: &[u8], cas: Option<u32>) -> Result<(), Failed> {
    // SAFETY: the host reads both during the call.
    check(unsafe {
        abi::proxy_set_shared_data(
            key.as_ptr(),
            key.len(),
            value.as_ptr(),
            value.len(),
            cas.unwrap_or(0),
        )
    })
}

// === metrics and properties ===

pub fn define_counter(name: &str) -> Result<u32, Failed> {
    const COUNTER: u32 = 0;
    let mut metric = 0;
    // SAFETY: the host reads the name, and writes the number, during the call.
    check(unsafe { abi::proxy_define_metric(COUNTER, name.as_ptr(), name.len(), &mut metric) })?;
    Ok(metric)
}

pub fn increment(metric: u32, by: i64) -> Result<(), Failed> {
    // SAFETY: no memory is passed.
    check(unsafe { abi::proxy_increment_metric(metric, by) })
}

/// `path`: segments with a NUL byte between them.
pub fn property(path: &[u8]) -> Result<Vec<u8>, Failed> {
    receive(|data, len| {
        // SAFETY: the host reads the path, and writes the rest, during the call.
        unsafe { abi::proxy_get_property(path.as_ptr(), path.len(), data, len) }
    })
}

/// Filter state `wasm.<name>`.
pub fn set_property(name: &str, value: &[u8]) -> Result<(), Failed> {
    // SAFETY: the host reads both during the call.
    check(unsafe {
        abi::proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len())
    })
}

// === foreign functions ===

pub fn call_foreign_function(name: &str, argument: &[u8]) -> Result<Vec<u8>, Failed> {
    receive(|data, len| {
        // SAFETY: the host reads name and argument, and writes the rest, during the call.
        unsafe {
            abi::proxy_call_foreign_function(
                name.as_ptr(),
                name.len(),
                argument.as_ptr(),
                argument.len(),
                data,
                len,
            )
        }
    })
}

// === impl Headers ===

impl Headers {
    /// Name and value of each header, duplicates kept. The host's encoding: how many there are,
    /// the length of each name and value, then the bytes of each with a NUL behind.
    pub fn pairs(&self) -> Vec<(&[u8], &[u8])> {
        self.decode().unwrap_or_default()
    }

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

fn encode_pairs(pairs: &[(&[u8], &[u8])]) -> Vec<u8> {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
    let count = u32::try_from(pairs.len()).unwrap_or(u32::MAX);
    let mut encoded = count.to_le_bytes().to_vec();
    for (name, value) in pairs {
        encoded.extend(length(name));
        encoded.extend(length(value));
    }
    for (name, value) in pairs {
        for text in [name, value] {
            encoded.extend_from_slice(text);
            encoded.push(0);
        }
    }
    encoded
}
