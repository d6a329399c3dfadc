//! What the service is told by whoever starts it.

use std::collections::HashMap;

use bench::callers::ApiKey;
use serde::Deserialize;

/// All of it, as JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub api_keys: Vec<ApiKey>,
    /// The scope that each path asks for. A path that is not named is closed to API keys.
    pub scopes_of_paths: HashMap<String, String>,
    pub introspection: Introspection,
}

/// The endpoint (RFC 7662) that knows the opaque tokens.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Introspection {
    pub uri: String,
    pub client_id: String,
    pub client_secret: String,
    pub issuer: String,
    pub audience: String,
    /// The scope that each request with a token asks for.
    pub scope: String,
    /// How many answers are remembered, and for how many seconds.
    pub cache_entries: usize,
    pub cache_ttl: u64,
}
