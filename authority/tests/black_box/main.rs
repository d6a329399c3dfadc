//! Tests of the built server: a process for each test, on free ports, over HTTP.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

mod admin_port;
mod answers;
mod api_keys;
mod command_line;
mod dpop;
mod durability;
mod faults;
mod http;
mod introspection;
mod keys;
mod ledger;
mod limits;
mod made_up;
mod metadata;
mod polled;
mod proof;
#[cfg(feature = "redis-tests")]
mod redis;
mod revocation;
mod revocation_list;
mod server;
mod status_list;
mod token;
mod token_exchange;
