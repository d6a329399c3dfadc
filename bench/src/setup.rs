//! Envoy's configuration, out of the templates in ../config.

use serde_json::{Value, json};

use crate::issuer::sha256;
use crate::traffic::{self, FEW_KEYS, FEW_RULES, MANY_KEYS, MANY_RULES};

const ENVOY: &str = include_str!("../config/envoy.yaml");
const LISTENER: &str = include_str!("../config/listener.yaml");

const NONE: &str = include_str!("../config/filters/none.yaml");
const NOOP: &str = include_str!("../config/filters/noop.yaml");
const HOST_CALLS: &str = include_str!("../config/filters/host-calls.yaml");
const EXT_AUTHZ_HTTP: &str = include_str!("../config/filters/ext-authz-http.yaml");
const EXT_AUTHZ_GRPC: &str = include_str!("../config/filters/ext-authz-grpc.yaml");
const NATIVE: &str = include_str!("../config/filters/native.yaml");
const PORTCULLIS: &str = include_str!("../config/filters/portcullis.yaml");

const TOKENS: &str = include_str!("../config/policies/tokens.yaml");
const API_KEYS: &str = include_str!("../config/policies/api-keys.yaml");
const INTROSPECTION: &str = include_str!("../config/policies/introspection.yaml");

/// The names of the listeners.
pub const LISTENERS: [&str; 17] = [
    "none",
    "noop",
    "host-calls",
    "host-calls-keys",
    "ext-authz-http",
    "ext-authz-http-keys",
    "ext-authz-grpc",
    "ext-authz-grpc-keys",
    "native",
    "native-cached",
    "portcullis",
    "portcullis-filter-state",
    "portcullis-new",
    "portcullis-proofs",
    "portcullis-few-keys",
    "portcullis-many-keys",
    "portcullis-introspection",
];

/// What a run puts into the templates.
pub struct Setup {
    /// The keys of the tokens.
    pub jwks: Value,
    /// The file of the module that does nothing.
    pub noop_module: String,
    /// The file of the module that only makes host calls.
    pub host_calls_module: String,
    /// The file of the filter's module.
    pub portcullis_module: String,
    /// The port of the introspection endpoint.
    pub authority_port: u16,
    /// The port of the authorization service.
    pub ext_authz_port: u16,
}

/// All that a policy can put into filter state.
const FILTER_STATE: &str =
    "filter_state: [subject, client_id, tenant, scopes, rule, decision, code]";

impl Setup {
    /// The whole configuration, in YAML.
    pub fn envoy(&self) -> String {
        let listeners: Vec<String> = LISTENERS.iter().map(|name| self.listener(name)).collect();
        fill(
            ENVOY,
            &[
                ("LISTENERS", &listeners.join("\n")),
                ("AUTHORITY_PORT", &self.authority_port.to_string()),
                ("EXT_AUTHZ_PORT", &self.ext_authz_port.to_string()),
            ],
        )
    }

    fn listener(&self, name: &str) -> String {
        let few = |text: &str| with_keys(text, FEW_KEYS, FEW_RULES);
        let many = |text: &str| with_keys(text, MANY_KEYS, MANY_RULES);
        let portcullis = |policy: &str| portcullis(name, &self.portcullis_module, policy);
        let filters = match name {
            "noop" => fill(NOOP, &[("NOOP_MODULE", &self.noop_module)]),
            "host-calls" => self.host_calls(name, "token"),
            "host-calls-keys" => self.host_calls(name, "api_key"),
            "ext-authz-http" => with_credential(EXT_AUTHZ_HTTP, "authorization"),
            "ext-authz-http-keys" => with_credential(EXT_AUTHZ_HTTP, "x-api-key"),
            "ext-authz-grpc" => with_credential(EXT_AUTHZ_GRPC, "authorization"),
            "ext-authz-grpc-keys" => with_credential(EXT_AUTHZ_GRPC, "x-api-key"),
            "native" => self.native(""),
            "native-cached" => self.native("jwt_cache_config: {jwt_cache_size: 4096}"),
            "portcullis" | "portcullis-new" => {
                portcullis(&fill(TOKENS, &[("JWKS", &self.jwks.to_string())]))
            }
            "portcullis-proofs" => {
                let tokens = fill(TOKENS, &[("JWKS", &self.jwks.to_string())]);
                portcullis(&tokens.replace("    jwks:", "    dpop: {}\n    jwks:"))
            }
            "portcullis-filter-state" => {
                let tokens = fill(TOKENS, &[("JWKS", &self.jwks.to_string())]);
                portcullis(&format!("{}\n{FILTER_STATE}\n", tokens.trim_end()))
            }
            "portcullis-few-keys" => portcullis(&few(API_KEYS)),
            "portcullis-many-keys" => portcullis(&many(API_KEYS)),
            "portcullis-introspection" => portcullis(INTROSPECTION),
            _ => NONE.to_owned(),
        };
        listener(name, &filters)
    }

    fn host_calls(&self, name: &str, credential_kind: &str) -> String {
        let values = [
            ("NAME", name),
            ("HOST_CALLS_MODULE", &self.host_calls_module),
            ("CREDENTIAL_KIND", credential_kind),
        ];
        fill(HOST_CALLS, &values)
    }

    fn native(&self, cache: &str) -> String {
        let jwks = self.jwks.to_string();
        fill(NATIVE, &[("JWKS", &jwks), ("JWT_CACHE", cache)])
    }
}

/// A listener with these filters before its router.
pub fn listener(name: &str, filters: &str) -> String {
    let sixth = match name.ends_with("-keys") {
        true => "x-auth-key-id",
        false => "x-auth-token-id",
    };
    fill(
        LISTENER,
        &[
            ("NAME", name),
            ("SIXTH_HEADER", sixth),
            ("FILTERS", filters.trim_end()),
        ],
    )
}

/// Portcullis, in a VM of this name.
pub fn portcullis(name: &str, module: &str, policy: &str) -> String {
    fill(
        PORTCULLIS,
        &[
            ("NAME", name),
            ("PORTCULLIS_MODULE", module),
            ("POLICY", policy.trim_end()),
        ],
    )
}

/// An ext_authz filter that sends this header of a request to the service.
fn with_credential(filter: &str, header: &str) -> String {
    fill(filter, &[("CREDENTIAL", header)])
}

fn with_keys(policy: &str, keys: usize, rules: usize) -> String {
    let rule = |i| {
        json!({
            "name": format!("service-{i:04}"),
            "match": { "path": { "exact": traffic::path_of_rule(i) } },
            "scopes": { "all": ["data:read"] },
        })
    };
    let keys = api_keys(keys);
    let rules: Value = (0..rules).map(rule).collect();
    fill(
        policy,
        &[
            ("API_KEYS", &keys.to_string()),
            ("RULES", &rules.to_string()),
        ],
    )
}

/// As `api_keys.keys` lists them.
pub fn api_keys(count: usize) -> Value {
    let key = |i| {
        json!({
            "id": key_id(i),
            "client": format!("client-{i:05}"),
            "hash": sha256(&traffic::api_key(i)),
            "scopes": ["data:read"],
            "tenant": "acme",
        })
    };
    (0..count).map(key).collect()
}

/// The id of the API key with this number.
pub fn key_id(i: usize) -> String {
    format!("client-{i:05}-2026")
}

/// `${NAME}` becomes its value; on a line of its own every line of the value is indented like it.
pub fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::new();
    for line in template.lines() {
        let placeholder = line.trim();
        let indent = &line
            .get(..line.len() - line.trim_start().len())
            .unwrap_or_default();
        let alone = values
            .iter()
            .find(|(name, _)| placeholder == format!("${{{name}}}"));
        if let Some((_, value)) = alone {
            for line in value.lines() {
                filled.push_str(&format!("{indent}{line}\n"));
            }
            continue;
        }
        let mut line = line.to_owned();
        for (name, value) in values {
            line = line.replace(&format!("${{{name}}}"), value);
        }
        filled.push_str(&line);
        filled.push('\n');
    }
    filled
}
