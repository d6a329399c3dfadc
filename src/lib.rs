#![cfg(target_arch = "wasm32")]
//! The thin part around the core: Envoy's callbacks in, host calls out, and no `if` about who
//! may pass.

// One bad byte from a client must not trap the worker's VM: nothing here may panic on input.
#![deny(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod abi;
mod call;
mod deadline;
mod flights;
mod host;
mod list;
mod root;
mod shared;
mod source;
mod telemetry;
#[cfg(feature = "test-hooks")]
mod test_hooks;
mod worker;
