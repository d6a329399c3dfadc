//! The endpoints of the admin port. A request that passes [`crate::browser_guard`] is the operator's.

pub mod api_keys;
pub mod faults;
pub mod keys;
pub mod revocations;
