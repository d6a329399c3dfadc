//! The authorization service that Envoy's ext_authz asks.

use serde_json::{Value, json};

use bench::Result;
use bench::service::Service;
use bench::setup::api_keys;
use bench::traffic::{FEW_KEYS, FEW_RULES, path_of_rule};

/// Starts the service, which asks the introspection endpoint at this port. It speaks HTTP and gRPC.
pub fn start(authority_port: u16) -> Result<Service> {
    Service::start("ext-authz-service", &settings(authority_port))
}

/// The same job as in policies/api-keys.yaml and policies/introspection.yaml.
fn settings(authority_port: u16) -> Value {
    let scopes: serde_json::Map<_, _> = (0..FEW_RULES)
        .map(|rule| (path_of_rule(rule), "data:read".into()))
        .collect();
    json!({
        "api_keys": api_keys(FEW_KEYS),
        "scopes_of_paths": scopes,
        "introspection": {
            "uri": format!("http://127.0.0.1:{authority_port}/introspect"),
            "client_id": "gateway",
            "client_secret": "known to nobody but this benchmark",
            "issuer": "https://idp.example.com/",
            "audience": "https://api.example.com",
            "scope": "data:read",
            "cache_entries": 4096,
            "cache_ttl": 3600,
        },
    })
}
