//! The real server on free ports, asked over real HTTP.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

mod admin_port;
mod answers;
mod api_keys;
mod command_line;
mod durability;
mod faults;
mod http;
mod introspection;
mod keys;
mod limits;
mod metadata;
mod polled;
mod revocation;
mod revocation_list;
mod server;
mod status_list;
mod token;
