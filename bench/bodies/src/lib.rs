//! Holds each request until its body is complete, reads that body, and reads each piece of the answer's body. It judges
//! nothing and counts nothing.
//!
//! It is written on the Proxy-Wasm ABI 0.2.1 itself, so that no SDK adds anything, and exports only the callbacks that
//! this takes: what this module costs is the host's. Needs Envoy's `allow_on_headers_stop_iteration`.

use std::hint::black_box;

const REQUEST_BODY: u32 = 0;
const RESPONSE_BODY: u32 = 1;

const CONTINUE: u32 = 0;
const PAUSE: u32 = 1;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_get_buffer_bytes(
        buffer: u32,
        start: usize,
        max: usize,
        data: *mut *mut u8,
        len: *mut usize,
    ) -> u32;
}

unsafe extern "C" {
    fn __wasm_call_ctors();
}

/// Reads so many bytes of a body, or all where there are fewer. A call that fails ends the VM, and the measurement with it.
fn read(body: u32, size: usize) {
    if size == 0 {
        return;
    }
    let mut data = std::ptr::null_mut();
    let mut len = 0;
    // SAFETY: the host writes both during the call.
    let status = unsafe { proxy_get_buffer_bytes(body, 0, size, &mut data, &mut len) };
    assert_eq!(status, 0);
    assert!(!data.is_null());
    // SAFETY: the host got the memory from `proxy_on_memory_allocate`, which asked the global allocator for
    // exactly `len` bytes at the alignment of a byte, and wrote all of them.
    let bytes = unsafe { Vec::from_raw_parts(data, len, len) };
    // Kept from the optimizer, as nobody looks at them.
    black_box(bytes);
}

// SAFETY (of every export below): the names are the host's, and no other crate here has them.

#[unsafe(no_mangle)]
extern "C" fn _initialize() {
    // SAFETY: the host calls this once, before anything else.
    unsafe { __wasm_call_ctors() };
}

#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(len: usize) -> *mut u8 {
    Box::into_raw(Box::<[u8]>::new_uninit_slice(len)).cast()
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(_context: u32, _parent: u32) {}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(_context: u32, _headers: u32, end_of_stream: u32) -> u32 {
    match end_of_stream {
        0 => PAUSE,
        _ => CONTINUE,
    }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_body(_context: u32, size: usize, end_of_stream: u32) -> u32 {
    if end_of_stream == 0 {
        return PAUSE;
    }
    read(REQUEST_BODY, size);
    CONTINUE
}

/// A body with trailers ends with them.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_trailers(_context: u32, _trailers: u32) -> u32 {
    read(REQUEST_BODY, usize::MAX);
    CONTINUE
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_body(_context: u32, size: usize, _end_of_stream: u32) -> u32 {
    read(RESPONSE_BODY, size);
    CONTINUE
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(_context: u32) {}
