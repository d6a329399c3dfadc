//! The decisions of Portcullis, an authorization filter for Envoy.
//!
//! The core does no I/O, reads no clock and draws no random numbers: bytes, configuration and time go in, a
//! step comes out. A host such as the filter's module turns [`evaluation::Step`]s into calls and brings the
//! replies back.
//!
//! ```text
//! config ─compile▶ policy ┐        ┌─ Await(Waiting, Callout) ◀── shell ──▶ Reply ─┐
//! host bytes ──▶ request ─┴▶ credential ▶ verification ▶ authorization ▶ decision ▶ effects
//! ```
//!
//! # Where to start
//!
//! - [`policy::compile`] turns a configuration into a [`policy::Policy`].
//! - [`evaluation::begin`] evaluates a request against it: a [`decision::Decision`], or what has to be found
//!   out first.
//! - [`effects::of`] says what a decision does to the request.
//! - [`verification::State`] is what a worker remembers between requests.
//!
//! # The import law
//!
//! The modules below are in the order in which a request meets them. A file uses only modules above its own,
//! and no files use each other in a circle. A file that declares another uses it, so no file uses its parent:
//! what siblings share is in a file of its own. `tests/architecture.rs` checks this.

#![forbid(unsafe_code)]
#![deny(missing_docs)]
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

#[cfg(feature = "ai")]
pub mod api;

pub mod deadline;

pub mod secret;

pub mod cache;

pub mod fetch_lease;

pub mod spent;

#[cfg(feature = "ai")]
pub mod budget;

#[cfg(feature = "ai")]
pub mod ledger;

pub mod revocation;

pub mod scope;

pub mod keys;

pub mod request;

pub mod pattern;

pub mod mcp;

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
