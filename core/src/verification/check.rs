//! The checks of a credential, each with what it keeps between requests.

pub(super) mod api_key;
pub(super) mod confirmation;
pub(super) mod introspection;
pub(super) mod jwt;
pub(super) mod possession;
pub(super) mod revocation;
pub(super) mod signature;
pub(super) mod status;
