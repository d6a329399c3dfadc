//! What the tests share: an HTTP client and a scripted HTTP service that send exactly the bytes they are told to, and
//! test data from outside the repository. Nothing here is part of the filter.

// A test measures with clocks, and fails by a panic.
#![allow(clippy::disallowed_methods)]
#![deny(missing_docs)]

pub mod client;
pub mod http2;
pub mod outside_data;
pub mod service;

use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take that has no limit of its own: generous, since machines are shared.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Polls until `probe` yields something; `None` after `limit`.
pub fn poll<T>(limit: Duration, mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = probe() {
            return Some(found);
        }
        if Instant::now() >= deadline {
            return None;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Bytes beyond printable ASCII as `\xc3`.
pub fn printable(bytes: &[u8]) -> String {
    let shown = |byte: &u8| match byte {
        b' '..=b'~' => char::from(*byte).to_string(),
        _ => format!("\\x{byte:02x}"),
    };
    bytes.iter().map(shown).collect()
}
