//! The compiled policy: what a configuration means. It is parsed once and immutable, and a request
//! cannot meet a mistake in it.

pub mod api_keys;
#[cfg(feature = "ai")]
pub mod budget;
pub mod callout;
pub mod claim;
mod compile;
mod compiled;
pub mod demands;
pub mod endpoint;
pub mod forward;
pub mod location;
pub mod mcp;
#[cfg(feature = "ai")]
pub mod model;
pub mod provider;
pub mod request_part;
pub mod requirement;
pub mod resource;
pub mod route;

pub use crate::config::fault::Warning;
pub use crate::config::{Audit, Mode, Unmatched};
pub use crate::policy::compile::{Compiled, InvalidPolicy, compile, compile_api_keys};
pub use crate::policy::compiled::{Limits, Policy, PolledList};
pub use crate::policy::provider::{CredentialSource, ProviderId};
