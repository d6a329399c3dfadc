//! Callers with budgets of every unit, in front of a provider of models.

use std::net::TcpListener;
use std::time::Duration;

use portcullis_model_upstream::ModelUpstream;
use serde_json::{Value, json};

use crate::harness::client::{Request, request};
use crate::harness::gateway::{Gateway, Setup};
use crate::harness::keys::{Key, amended};
use crate::harness::policy::{only, provider};
use crate::harness::{PATIENCE, poll};

/// What each budget has.
pub const LIMIT: u64 = 1_000_000;

/// What a request costs, by the budgets of the rule: total, input and output tokens, requests.
pub type Cost = [u64; 4];

pub const NOTHING: Cost = [0; 4];

/// How long the routes of `/short` wait for an answer, and those of `/idle` for more of it.
pub const TIMEOUT: Duration = Duration::from_millis(700);

pub struct Stage {
    pub gateway: Gateway,
    pub upstream: ModelUpstream,
    key: Key,
    _deaf: TcpListener,
}

fn policy(key: &Key) -> Value {
    let budget = |charge: &str| json!({ "per": ["subject"], "limit": LIMIT, "window": "744h", "charge": charge });
    amended(
        only(provider([key])),
        json!({
            "rules": [{
                "match": { "path": { "template": "/**" } },
                "model": { "allow": [{ "name": "*" }] },
                "budgets": ["total", "input", "output", "requests"],
            }],
            "budgets": {
                "total": budget("total_tokens"),
                "input": budget("input_tokens"),
                "output": budget("output_tokens"),
                "requests": budget("requests"),
            },
        }),
    )
}

impl Stage {
    pub fn open(workers: u32) -> Self {
        Self::with(workers, |setup| setup)
    }

    /// One worker, with a module that traps on demand.
    pub fn that_traps() -> Self {
        Self::with(1, Setup::with_test_hooks)
    }

    fn with(workers: u32, more: impl FnOnce(Setup) -> Setup) -> Self {
        let key = Key::new("ES256", "k");
        let upstream = ModelUpstream::start();
        // It takes connections, and no handshake of TLS goes on there.
        let deaf = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let deaf_port = deaf.local_addr().expect("a bound socket").port();
        let route = |prefix: &str, more: Value| {
            let to = amended(
                json!({ "cluster": "upstream", "prefix_rewrite": "/", "timeout": "15s" }),
                more,
            );
            json!({ "match": { "prefix": prefix }, "route": to })
        };
        let short = format!("{}s", TIMEOUT.as_secs_f32());
        let routes = [
            route("/short/", json!({ "timeout": short })),
            route("/idle/", json!({ "idle_timeout": short })),
            route("/closed/", json!({ "cluster": "closed" })),
            route("/deaf/", json!({ "cluster": "deaf", "timeout": short })),
            route("/", json!({})),
        ];
        let gateway = more(Setup::of(policy(&key)))
            .with_bodies()
            .workers(workers)
            .upstream(upstream.port())
            .cluster("closed", 1)
            .tls_cluster("deaf", deaf_port)
            .virtual_hosts(json!([{ "name": "models", "domains": ["*"], "routes": routes }]))
            .start();
        Stage {
            gateway,
            upstream,
            key,
            _deaf: deaf,
        }
    }

    pub fn request(&self, caller: &str, path: &str, body: &Value) -> Request {
        request("POST", path)
            .bearer(self.key.token(json!({ "sub": caller })))
            .header("content-type", "application/json")
            .body(body.to_string())
    }

    /// What is spent and reserved, by a request that costs nothing.
    pub fn spent(&self, caller: &str) -> Cost {
        let body = json!({ "model": "m", "max_tokens": 0 });
        let probe = self.request(caller, "/v1/chat/completions", &body);
        let answer = self
            .gateway
            .send(&probe.header("x-model-fault", "status:500"));
        let input = (body.to_string().len() as u64).div_ceil(4);
        let limits = answer
            .header("ratelimit")
            .unwrap_or_else(|| panic!("{answer:?}"));
        let mut reserved = [input, input, 0, 1].into_iter();
        let left: Vec<u64> = limits
            .split(',')
            .map(|limit| left(limit) + reserved.next().unwrap())
            .collect();
        let left: Cost = left.try_into().expect("four budgets");
        left.map(|left| LIMIT - left)
    }

    /// Waits until this is spent, and no longer reserved.
    pub fn assert_spent(&self, caller: &str, expected: Cost) {
        let found = poll(PATIENCE.min(Duration::from_secs(8)), || {
            (self.spent(caller) == expected).then_some(())
        });
        let log = self.gateway.log_tail();
        assert!(
            found.is_some(),
            "{caller}: {:?}, not {expected:?}\n{log}",
            self.spent(caller)
        );
    }
}

/// `r` of a limit in the header `RateLimit`.
fn left(limit: &str) -> u64 {
    let r = limit
        .split(';')
        .find_map(|part| part.trim().strip_prefix("r="));
    r.and_then(|r| r.parse().ok())
        .unwrap_or_else(|| panic!("{limit}"))
}

/// A request that names a maximum of 1000 tokens.
pub fn body(stream: bool) -> Value {
    let messages = json!([{ "role": "user", "content": "How are you?" }]);
    json!({ "model": "m", "max_tokens": 1000, "messages": messages, "stream": stream })
}

/// What such a request is thought to cost.
pub fn estimate(stream: bool) -> Cost {
    let input = (body(stream).to_string().len() as u64).div_ceil(4);
    [input + 1000, input, 1000, 1]
}

pub fn used(input: u64, output: u64) -> Cost {
    [input + output, input, output, 1]
}
