//! A provider of models behind the filter, and the Python clients in front of it.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use portcullis_model_upstream::ModelUpstream;
use serde_json::{Value, json};

use crate::harness::gateway::{Gateway, Setup};
use crate::harness::keys::{Key, amended, fresh_api_key, sha256};
use crate::harness::policy::{api_key, only, provider};
use crate::harness::{now, python_packages};

/// What the budget `monthly` has.
pub const LIMIT: u64 = 1_000_000;

pub struct Stage {
    pub gateway: Gateway,
    pub upstream: ModelUpstream,
    /// A key that may do all.
    pub api_key: String,
    key: Key,
}

/// Each with these members added.
pub fn amended_all(calls: Vec<Value>, more: &Value) -> Vec<Value> {
    let calls = calls.into_iter();
    calls.map(|call| amended(call, more.clone())).collect()
}

/// A rule for each base path; `/v1` itself is what most calls go to.
fn rules() -> Value {
    let rule = |base: &str, more: Value| {
        let rule = json!({
            "match": { "path": { "template": format!("{base}/v1/**") } },
            "credentials": ["corp"],
            "scopes": { "all": ["llm:use"] },
            "model": { "allow": [{ "name": "*" }] },
        });
        amended(rule, more)
    };
    let models = json!({ "allow": [
        { "name": "*-premium", "scopes": { "all": ["llm:premium"] } },
        { "name": "*-bounded", "max_output_tokens": 64 },
        { "name": "gpt-*" }, { "name": "claude-*" }, { "name": "text-embedding-*" },
    ] });
    let references = amended(models.clone(), json!({ "references": "deny" }));
    let chat_only = json!({ "category": { "header": "x-kind" }, "allow": [{ "name": "chat" }] });
    json!([
        rule("", json!({ "model": models, "budgets": ["monthly"] })),
        rule("/keys", json!({ "credentials": ["api_keys"] })),
        rule("/closed", json!({ "model": references })),
        rule("/kinds", json!({ "prompt": chat_only })),
        rule("/short", json!({ "body": { "max_bytes": 20 } })),
        rule("/poor", json!({ "budgets": ["tiny"] })),
        rule("/bursts", json!({ "budgets": ["burst"] })),
    ])
}

fn budgets() -> Value {
    let budget = |limit: u64, window: &str| json!({ "per": ["subject"], "limit": limit, "window": window, "charge": "total_tokens" });
    json!({
        "monthly": budget(LIMIT, "744h"),
        "tiny": budget(10, "744h"),
        "burst": budget(100, "3s"),
    })
}

impl Stage {
    /// Tokens, and below `/keys` the API key, need the scope `llm:use`. Envoy puts the provider's own credential in, as
    /// operators do.
    pub fn open() -> Self {
        let (key, secret) = (Key::new("ES256", "k"), fresh_api_key());
        let robot = amended(
            api_key("robot", &sha256(&secret)),
            json!({ "scopes": ["llm:use"] }),
        );
        let policy = amended(
            only(provider([&key])),
            json!({
                "api_keys": { "keys": [robot] },
                "rules": rules(),
                "budgets": budgets(),
            }),
        );
        let upstream = ModelUpstream::start();
        let own = json!({
            "header": { "key": "authorization", "value": "Bearer of-the-provider" },
            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
        });
        let route = json!({
            "match": { "prefix": "/" },
            "route": { "cluster": "upstream", "timeout": "15s" },
            "request_headers_to_add": [own],
        });
        let gateway = Setup::of(policy)
            .with_bodies()
            .upstream(upstream.port())
            .virtual_hosts(json!([{ "name": "models", "domains": ["*"], "routes": [route] }]))
            .start();
        Self {
            gateway,
            upstream,
            api_key: secret,
            key,
        }
    }

    /// A token with these scopes.
    pub fn token(&self, scope: &str) -> String {
        self.key.token(json!({ "scope": scope }))
    }

    pub fn expired_token(&self) -> String {
        let expired = json!({ "scope": "llm:use", "exp": now() - 600 });
        self.key.token(expired)
    }

    /// What the clients tell of each call, one after the other.
    pub fn run(&self, calls: &[Value]) -> Vec<Value> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut python = Command::new("python3")
            .arg(root.join("tests/envoy/llm_clients/client.py"))
            .arg(format!("http://127.0.0.1:{}", self.gateway.port()))
            .env("PYTHONPATH", python_packages("LLM_PACKAGES", "llm-clients"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("Python runs");
        let mut input = python.stdin.take().expect("piped");
        for call in calls {
            // Where this fails, Python has ended, and says why.
            let _ = writeln!(input, "{call}");
        }
        drop(input);
        let output = python.wait_with_output().expect("it ends");
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let told: Vec<Value> = told
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        assert_eq!(told.len(), calls.len(), "{complaint}");
        told
    }
}
