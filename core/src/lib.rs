//! The decisions of Portcullis, an authorization filter for Envoy.
//!
//! The core does no I/O and reads no clock: bytes, configuration and time go in, a step comes
//! out. The modules stand in the order in which a request meets them; each uses only those above
//! it, and its own children.
//!
//! ```text
//! config ─compile▶ policy ┐        ┌─ Await(Waiting, Callout) ◀── shell ──▶ Reply ─┐
//! host bytes ──▶ request ─┴▶ credential ▶ verification ▶ authorization ▶ decision ▶ effects
//! ```

#![forbid(unsafe_code)]
// One bad byte from a client must not trap the worker's VM: nothing here may panic on input.
#![deny(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

// A blank line between them keeps the order, which the import law reads.

pub mod limits;

pub mod json;

pub mod time;

pub mod deadline;

pub mod secret;

pub mod cache;

pub mod fetch_lease;

pub mod revocation;

pub mod scope;

pub mod keys;

pub mod request;

pub mod config;

pub mod policy;

pub mod credential;

pub mod verification;

pub mod authorization;

pub mod decision;

pub mod evaluation;

pub mod effects;

pub mod audit_rate;

pub mod in_flight;

pub mod waiting;
