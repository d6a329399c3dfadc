#![cfg(target_arch = "wasm32")]
//! The thin part around the core: Envoy's callbacks in, host calls out, and no `if` about who
//! may pass.

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
