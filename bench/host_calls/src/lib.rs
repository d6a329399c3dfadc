//! Makes the host calls that Portcullis needs for a known credential, and judges nothing.
//!
//! Each request costs: the VM entered for the stream's start, its headers and its end; all headers read in one
//! call; the clock read; six identity headers added; the credential removed. The texts are fixed, and as long as
//! those that Portcullis sets for the same request. It is written on the Proxy-Wasm ABI 0.2.1 itself, and exports
//! the callbacks that Portcullis exports, so that no SDK adds anything: what this module costs is the host's.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};

const REQUEST_HEADERS: u32 = 0;
const PLUGIN_CONFIGURATION: u32 = 7;
const CONTINUE: u32 = 0;

/// What a module does to one request.
struct Edits {
    added: [(&'static str, &'static str); 6],
    removed: &'static str,
}

const TOKEN: Edits = Edits {
    added: [
        ("x-auth-subject", "f3a1c6de-75d4-4c3b-9d5e-0b8a1f2c7e44"),
        ("x-auth-client-id", "orders-web"),
        ("x-auth-scopes", "data:read data:write"),
        ("x-auth-tenant", "acme"),
        ("x-auth-provider", "idp"),
        ("x-auth-token-id", "known"),
    ],
    removed: "authorization",
};

const API_KEY: Edits = Edits {
    added: [
        ("x-auth-subject", "client-00000"),
        ("x-auth-client-id", "client-00000"),
        ("x-auth-scopes", "data:read"),
        ("x-auth-tenant", "acme"),
        ("x-auth-provider", "api_keys"),
        ("x-auth-key-id", "client-00000-2026"),
    ],
    removed: "x-api-key",
};

/// Whether the plugin's configuration is `api_key`; else it is `token`.
static EDITS_API_KEY: AtomicBool = AtomicBool::new(false);

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_get_buffer_bytes(
        buffer: u32,
        start: usize,
        max: usize,
        data: *mut *mut u8,
        len: *mut usize,
    ) -> u32;
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, len: *mut usize) -> u32;
    fn proxy_add_header_map_value(
        map: u32,
        name: *const u8,
        name_len: usize,
        value: *const u8,
        value_len: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(map: u32, name: *const u8, name_len: usize) -> u32;
}

unsafe extern "C" {
    fn __wasm_call_ctors();
}

/// A call that fails ends the VM, and the measurement with it.
fn check(status: u32) {
    assert_eq!(status, 0);
}

/// The bytes that a call hands over.
fn receive(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Vec<u8> {
    let mut data = std::ptr::null_mut();
    let mut len = 0;
    check(call(&mut data, &mut len));
    assert!(!data.is_null());
    // SAFETY: the host got the memory from `proxy_on_memory_allocate`, which asked the global allocator for
    // exactly `len` bytes at the alignment of a byte, and wrote all of them.
    unsafe { Vec::from_raw_parts(data, len, len) }
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
extern "C" fn proxy_on_configure(_context: u32, _configuration_len: usize) -> u32 {
    let configuration = receive(|data, len| {
        // SAFETY: the host writes both during the call.
        unsafe { proxy_get_buffer_bytes(PLUGIN_CONFIGURATION, 0, usize::MAX, data, len) }
    });
    match configuration.as_slice() {
        b"token" => EDITS_API_KEY.store(false, Ordering::Relaxed),
        b"api_key" => EDITS_API_KEY.store(true, Ordering::Relaxed),
        _ => return 0,
    }
    1
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_tick(_context: u32) {}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(_context: u32, _headers: u32, _end_of_stream: u32) -> u32 {
    // Kept from the optimizer, as nobody reads them.
    black_box(receive(|data, len| {
        // SAFETY: the host writes both during the call.
        unsafe { proxy_get_header_map_pairs(REQUEST_HEADERS, data, len) }
    }));
    let mut time = 0;
    // SAFETY: the host writes the number during the call.
    check(unsafe { proxy_get_current_time_nanoseconds(&mut time) });
    let edits = match EDITS_API_KEY.load(Ordering::Relaxed) {
        true => &API_KEY,
        false => &TOKEN,
    };
    for (name, value) in edits.added {
        // SAFETY: the host reads both during the call.
        check(unsafe {
            proxy_add_header_map_value(
                REQUEST_HEADERS,
                name.as_ptr(),
                name.len(),
                value.as_ptr(),
                value.len(),
            )
        });
    }
    let removed = edits.removed;
    // SAFETY: the host reads the name during the call.
    check(unsafe {
        proxy_remove_header_map_value(REQUEST_HEADERS, removed.as_ptr(), removed.len())
    });
    CONTINUE
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_trailers(_context: u32, _trailers: u32) -> u32 {
    CONTINUE
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_http_call_response(
    _context: u32,
    _token: u32,
    _headers: u32,
    _body_len: usize,
    _trailers: u32,
) {
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(_context: u32) {}
