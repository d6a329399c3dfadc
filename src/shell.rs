//! The thin part around the core: Envoy's callbacks in, host calls out, and no `if` about who
//! may pass.

mod abi;
mod call;
mod deadline;
mod flights;
mod host;
mod list;
#[cfg(feature = "proving")]
mod proving;
mod root;
mod shared;
mod source;
mod telemetry;
mod worker;
