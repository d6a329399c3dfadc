//! State in Redis, which many instances share.

pub mod connection;
pub mod ledger;
