//! Claims that nobody established: for tests of resource servers that ask for them.

use std::time::Duration;

use serde_json::Value;

/// What a client's tokens say because its configuration says so.
#[derive(Default)]
pub struct MadeUp {
    /// How the subject was authenticated, allegedly.
    pub acr: Option<String>,
    /// How long ago the subject was authenticated, allegedly.
    pub auth_age: Option<Duration>,
    /// What was granted beside scopes (RFC 9396), allegedly: an array of objects.
    pub authorization_details: Option<Value>,
}
