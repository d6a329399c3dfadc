#![cfg(target_arch = "wasm32")]
//! The filter: Envoy's callbacks become steps of `portcullis_core`, and its steps become host calls.
//!
//! Nothing here decides about a request. Each plugin configuration in a VM is a `root::Root`
//! with a `worker::Worker`, and each HTTP stream a `stream::Stream` that shares that worker.
//! A `fetcher::Fetcher` keeps one document (a key set, a list) up to date.

// One bad byte from a client must not trap the worker's VM: nothing here may panic on input.
#![deny(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

#[cfg(feature = "ai")]
mod budget_share;
mod call;
mod clock;
mod fetcher;
mod host_abi;
mod host_signatures;
mod list_share;
mod log;
mod reply;
mod root;
mod shared_data;
mod spent_share;
mod stream;
mod telemetry;
#[cfg(feature = "test-hooks")]
mod test_hooks;
mod worker;

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|root| Box::new(root::Root::new(root)));
}}
