//! Durable state in SQLite. What a function has answered `Ok` to survives `kill -9` and power loss.

pub mod api_keys;
pub mod database;
pub mod dpop_proofs;
pub mod ledger;
pub mod revocations;
pub mod signing_keys;
pub mod tokens;
