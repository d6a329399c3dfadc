//! The admin port: whoever reaches it past [`crate::browser_guard`] is the operator.

pub mod api_keys;
pub mod faults;
pub mod keys;
pub mod revocations;
