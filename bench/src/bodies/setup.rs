//! The configuration of the Envoy whose variants read bodies, and of the service that ext_proc asks.

use bench::setup::{api_keys, fill};
use bench::traffic::FEW_KEYS;
use serde_json::{Value, json};

use crate::bodies::variants::Variant;

const ENVOY: &str = include_str!("../../config/bodies.yaml");
const LISTENER: &str = include_str!("../../config/bodies-listener.yaml");

const NONE: &str = include_str!("../../config/filters/none.yaml");
const BODIES: &str = include_str!("../../config/filters/bodies.yaml");
const EXT_PROC: &str = include_str!("../../config/filters/ext-proc.yaml");
const PORTCULLIS_AI: &str = include_str!("../../config/filters/portcullis-ai.yaml");

const MODELS: &str = include_str!("../../config/policies/models.yaml");

/// The tokens of each client, more than a run can use. Envoy hands over larger numbers of a YAML file as strings.
const LIMIT: u64 = 2_000_000_000;

/// What a run puts into the templates.
pub struct Setup {
    pub bodies_module: String,
    pub portcullis_ai_module: String,
    pub upstream_port: u16,
    pub ext_proc_port: u16,
}

// === impl Setup ===

impl Setup {
    /// The whole configuration, in YAML.
    pub fn envoy(&self) -> String {
        let listeners = Variant::ALL.map(|variant| self.listener(variant));
        fill(
            ENVOY,
            &[
                ("LISTENERS", &listeners.join("\n")),
                ("UPSTREAM_PORT", &self.upstream_port.to_string()),
                ("EXT_PROC_PORT", &self.ext_proc_port.to_string()),
            ],
        )
    }

    fn listener(&self, variant: Variant) -> String {
        let filters = match variant {
            Variant::None => NONE.to_owned(),
            Variant::HoldAndRead => fill(BODIES, &[("BODIES_MODULE", &self.bodies_module)]),
            Variant::ExtProc => EXT_PROC.to_owned(),
            Variant::Portcullis => fill(
                PORTCULLIS_AI,
                &[
                    ("PORTCULLIS_AI_MODULE", &self.portcullis_ai_module),
                    ("POLICY", policy().trim_end()),
                ],
            ),
        };
        let name = variant.listener();
        fill(LISTENER, &[("NAME", name), ("FILTERS", filters.trim_end())])
    }
}

fn policy() -> String {
    fill(
        MODELS,
        &[
            ("API_KEYS", &api_keys(FEW_KEYS).to_string()),
            ("LIMIT", &LIMIT.to_string()),
        ],
    )
}

/// The same job as in policies/models.yaml.
pub fn service() -> Value {
    json!({
        "api_keys": api_keys(FEW_KEYS),
        "scope": "data:read",
        "models": [{ "name": "gpt-4o", "max_output_tokens": 4096 }, { "name": "*-mini" }],
        "budget": {
            "name": "monthly",
            "limit": LIMIT,
            "window": 744 * 3600,
            "default_output_tokens": 1024,
        },
    })
}
