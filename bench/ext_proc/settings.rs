//! What the service is told by whoever starts it.

use bench::callers::ApiKey;
use serde::Deserialize;

/// All of it, as JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub api_keys: Vec<ApiKey>,
    /// The scope that each request asks for.
    pub scope: String,
    /// The first whose name matches decides.
    pub models: Vec<Model>,
    pub budget: Budget,
}

/// A model, or several.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// The whole name, or `*` and what it ends with.
    pub name: String,
    pub max_output_tokens: Option<u64>,
}

/// How many tokens each client may use.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    pub name: String,
    pub limit: u64,
    /// Seconds.
    pub window: u64,
    /// Reserved where the request names no maximum, and its model has no bound.
    pub default_output_tokens: u64,
}

impl Model {
    /// Whether this is the model, or one of these models.
    pub fn is(&self, name: &str) -> bool {
        match self.name.strip_prefix('*') {
            Some(end) => name.ends_with(end),
            None => name == self.name,
        }
    }
}
