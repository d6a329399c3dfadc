//! Portcullis inside a real Envoy, from the outside: requests go in over TCP, and what counts is what the
//! client gets back, what the upstream receives, and what the other services are asked.
//!
//! `PORTCULLIS_WASM` names the module (default: `target/wasm32-wasip1/release/portcullis.wasm`),
//! `PORTCULLIS_TEST_HOOKS_WASM` the one built with the feature `test-hooks` (default: the same below `target/test-hooks`),
//! `ENVOY_BIN` the Envoy (default: `.cache/envoy/envoy`, then the PATH). `make test` provides them all.
//! `PORTCULLIS_TEST_STOP_ITERATION=1` has every gateway run with `allow_on_headers_stop_iteration` (Envoy 1.35 and later);
//! `make test-envoys` runs the cases on several Envoys, with it and without.

#![allow(clippy::disallowed_methods)]

/// Makes one test of the topics of a file.
macro_rules! judged {
    ($($topic:ident),+ $(,)?) => {
        #[test]
        fn on_envoy() {
            crate::decisions::hold(&[$((stringify!($topic), $topic)),+]);
        }
    };
}

mod ai_gateway;
mod api_keys;
mod bodies;
mod bodies_under_way;
mod body_limits;
mod budgets;
mod client_certificates;
mod configuration;
mod credentials;
mod decisions;
mod dpop;
mod grpc;
mod harness;
mod header_conditions;
mod host_calls;
mod host_signatures;
mod hosts;
mod identity;
mod introspection;
mod jwks;
#[path = "../vectors/lists.rs"]
mod lists;
mod llm_clients;
mod mcp;
mod mcp_bodies;
mod mcp_clients;
mod module;
mod realm;
mod reload;
mod remembered_verdicts;
mod remote_api_keys;
mod resources;
mod revocation;
mod shadow;
mod shared_budget;
mod status_list;
mod streams;
mod telemetry;
mod waiting;

/// The tables that the native tests judge as well.
#[path = "../decisions"]
mod shared {
    pub mod tables;
}

use shared::tables;
