//! The shipped gateway in front of model providers, as it is: its Envoy configuration, its policy and its files of keys. Only
//! the addresses are the tests', and the providers speak no TLS here.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use portcullis_model_upstream::ModelUpstream;
use portcullis_testing::service::Call;
use serde_json::{Value, json};

use crate::harness::client::{Answer, Request, request};
use crate::harness::envoy::{Envoy, module_with_bodies};
use crate::harness::keys::{Key, fresh_api_key, hmac_sha256, jwks};
use crate::harness::service::{Reply, Service};
use crate::harness::{PATIENCE, poll};

const PEPPER: &str = "0123456789abcdef0123";

/// The gateway, its two providers, and credentials that it knows.
struct Gateway {
    envoy: Envoy,
    port: u16,
    keys: PathBuf,
    openai: ModelUpstream,
    anthropic: ModelUpstream,
    _idp: Service,
    issuer: Key,
    /// The key of `support-assistant`, and that of `search-indexer`.
    applications: [String; 2],
}

/// A configuration of the project as JSON: `scripts/envoy_config.sh` with these variables.
fn rendered(variables: &[(&str, &str)]) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let printed = Command::new("sh")
        .arg(root.join("scripts/envoy_config.sh"))
        .arg("envoy/ai-gateway.yaml")
        .envs(variables.iter().copied())
        .output()
        .expect("a shell");
    assert!(printed.status.success(), "{printed:?}");
    let yaml = String::from_utf8(printed.stdout).expect("it is text");
    serde_saphyr::from_str(&yaml).expect("it is YAML")
}

/// Puts a key into place as `mv` does, so that nobody reads half of one.
fn put_key(keys: &Path, provider: &str, value: &str) {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("envoy/keys");
    let shipped = fs::read_to_string(shipped.join(format!("{provider}.yaml"))).unwrap();
    let (before, _) = shipped.split_once("inline_string: \"").unwrap();
    let file = format!("{before}inline_string: \"{value}\"}}}}\n");
    let next = keys.join("next");
    fs::write(&next, file).unwrap();
    fs::rename(next, keys.join(format!("{provider}.yaml"))).unwrap();
}

impl Gateway {
    fn start() -> Self {
        let folder = Envoy::folder();
        let keys = folder.join("keys");
        fs::create_dir(&keys).unwrap();
        put_key(&keys, "openai", "Bearer openai-1");
        put_key(&keys, "anthropic", "anthropic-1");
        let (openai, anthropic) = (ModelUpstream::start(), ModelUpstream::start());
        let issuer = Key::new("ES256", "k");
        let set = jwks([&issuer]);
        let idp = Service::start(move |_| Reply::json(&set));
        let ports = [openai.port(), anthropic.port(), idp.port()].map(|port| port.to_string());
        let module = module_with_bodies();
        let mut bootstrap = rendered(&[
            ("POLICY", "policies/ai-gateway.yaml"),
            ("MODULE", module.to_str().unwrap()),
            ("KEYS", keys.to_str().unwrap()),
            ("ADMIN_PORT", "0"),
            ("LISTEN_ADDRESS", "127.0.0.1"),
            ("LISTEN_PORT", "0"),
            ("OPENAI_HOST", "127.0.0.1"),
            ("OPENAI_PORT", &ports[0]),
            ("ANTHROPIC_HOST", "127.0.0.1"),
            ("ANTHROPIC_PORT", &ports[1]),
            ("IDP_HOST", "127.0.0.1"),
            ("IDP_PORT", &ports[2]),
        ]);
        let clusters = bootstrap["static_resources"]["clusters"].as_array_mut();
        for cluster in clusters.unwrap() {
            let cluster = cluster.as_object_mut().unwrap();
            assert!(cluster.remove("transport_socket").is_some(), "{cluster:?}");
        }
        let manager = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
        let manager = bootstrap.pointer_mut(manager).unwrap();
        let plugin = &mut manager["http_filters"][0]["typed_config"]["config"];
        let environment = &mut plugin["vm_config"]["environment_variables"];
        assert_eq!(*environment, json!({ "host_env_keys": ["API_KEY_PEPPER"] }));
        *environment = json!({ "key_values": { "API_KEY_PEPPER": PEPPER } });
        let applications = [fresh_api_key(), fresh_api_key()];
        let known = &mut plugin["configuration"]["value"]["api_keys"]["keys"];
        for (entry, key) in known.as_array_mut().unwrap().iter_mut().zip(&applications) {
            entry["hash"] = json!(hmac_sha256(PEPPER, key));
        }
        // The shipped log goes to standard output.
        let log = &mut manager["access_log"][0];
        log["typed_config"]["@type"] =
            json!("type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog");
        log["typed_config"]["path"] = json!(folder.join("access.log"));
        fs::write(folder.join("bootstrap.json"), bootstrap.to_string()).unwrap();
        let envoy = Envoy::start(folder, 1)
            .unwrap_or_else(|refused| panic!("Envoy refused to start:\n{}", refused.log));
        let port = envoy.listener("edge").expect("a listener");
        Self {
            envoy,
            port,
            keys,
            openai,
            anthropic,
            _idp: idp,
            issuer,
            applications,
        }
    }

    /// A person of the team `red` with these scopes.
    fn person(&self, scope: &str, path: &str, body: &Value) -> Request {
        let token = self.issuer.token(json!({
            "aud": "ai-gateway", "team": "red", "scope": scope,
        }));
        posted(path, body).bearer(token)
    }

    /// An application by the number of its key.
    fn application(&self, number: usize, path: &str, body: &Value) -> Request {
        posted(path, body)
            .host("apps.ai.example.com")
            .header("x-api-key", &self.applications[number])
    }

    fn send(&self, request: &Request) -> Answer {
        let sent = request.send(self.port);
        sent.unwrap_or_else(|e| panic!("{e}\n{request:?}\n{}", self.envoy.log_tail()))
    }

    fn refused(&self, request: &Request, code: &str) {
        let before = [&self.openai, &self.anthropic].map(ModelUpstream::received);
        let answer = self.send(request);
        let body = answer.json().unwrap_or_else(|e| panic!("{e}: {answer:?}"));
        assert_eq!(body["code"], code, "{request:?}{answer:?}");
        let after = [&self.openai, &self.anthropic].map(ModelUpstream::received);
        assert_eq!(after, before, "it reached a provider: {request:?}");
    }

    /// Sends it; what the provider received.
    fn passed(&self, provider: &ModelUpstream, request: &Request) -> (Answer, Call) {
        let answer = self.send(request);
        assert_eq!(answer.status, 200, "{request:?}{answer:?}");
        let last = provider.exchanges().pop().expect("it arrived there");
        (answer, last.call)
    }
}

fn posted(path: &str, body: &Value) -> Request {
    request("POST", path)
        .header("content-type", "application/json")
        .body(body.to_string())
}

fn chat(model: &str, category: &str) -> Value {
    json!({
        "model": model, "messages": [{ "role": "user", "content": "hello" }],
        "max_completion_tokens": 64, "metadata": { "category": category },
    })
}

fn question(model: &str) -> Value {
    json!({ "model": model, "messages": [{ "role": "user", "content": "hello" }], "max_tokens": 64 })
}

#[test]
fn providers_get_their_own_keys_and_nothing_of_the_callers() {
    let gateway = Gateway::start();
    let chats = "/v1/chat/completions";
    let openai = ("authorization", "Bearer openai-1");
    let anthropic = ("x-api-key", "anthropic-1");
    let of_openai = &gateway.openai;
    let cases = [
        (
            of_openai,
            openai,
            gateway.person("chat:write", chats, &chat("gpt-4o-mini", "chat")),
        ),
        (
            of_openai,
            openai,
            gateway.person("chat:write models:premium", chats, &chat("gpt-4o", "chat")),
        ),
        (
            of_openai,
            openai,
            gateway.person(
                "chat:write prompts:code",
                chats,
                &chat("gpt-4o-mini", "code_generation"),
            ),
        ),
        (
            of_openai,
            openai,
            gateway.person(
                "embeddings:write",
                "/v1/embeddings",
                &json!({ "model": "text-embedding-3-small", "input": "hello" }),
            ),
        ),
        (
            of_openai,
            openai,
            gateway.application(0, chats, &question("gpt-4o-mini")),
        ),
        (
            of_openai,
            openai,
            gateway.application(
                1,
                "/v1/embeddings",
                &json!({ "model": "text-embedding-3-large", "input": "hello" }),
            ),
        ),
        (
            &gateway.anthropic,
            anthropic,
            gateway.person("chat:write", "/v1/messages", &question("claude-haiku-4-5")),
        ),
        (
            &gateway.anthropic,
            anthropic,
            gateway.application(0, "/v1/messages", &question("claude-haiku-4-5")),
        ),
    ];
    for (provider, (name, key), request) in cases {
        let request = request
            .header("cookie", "session=theirs")
            .header("x-forwarded-for", "192.0.2.7");
        let (answer, call) = gateway.passed(provider, &request);
        assert_eq!(call.all(name), [key], "{request:?}");
        let other = if name == "x-api-key" {
            "authorization"
        } else {
            "x-api-key"
        };
        assert_eq!(call.all(other), [""; 0], "{request:?}");
        for (name, value) in &call.headers {
            let is_ours = name.starts_with("x-auth-")
                || name.starts_with("x-envoy-")
                || name.starts_with("x-forwarded-");
            assert!(!is_ours && name != "cookie", "{name}: {value:?}");
        }
        for secret in request.secrets() {
            let sent = call
                .headers
                .iter()
                .any(|(_, value)| value.windows(secret.len()).any(|part| part == secret));
            assert!(!sent, "{request:?} went on with its credential");
        }
        assert!(answer.header("ratelimit").is_some(), "{answer:?}");
        assert!(!answer.contains(key.as_bytes()), "{answer:?}");
    }

    // A bound is put in where the request has none.
    let mut unbounded = chat("gpt-4o", "chat");
    unbounded
        .as_object_mut()
        .unwrap()
        .remove("max_completion_tokens");
    let request = gateway.person("chat:write models:premium", chats, &unbounded);
    let (_, call) = gateway.passed(of_openai, &request);
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    assert_eq!(body["max_completion_tokens"], 4096);

    // What the provider says that it took is in the access log.
    let log = poll(PATIENCE, || {
        let log = gateway.envoy.read("access.log");
        let entries = log
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let entries: Vec<_> = entries.collect();
        (entries.len() == 9).then_some(entries)
    });
    let log = log.expect("a line for each");
    let seen: BTreeSet<String> = log
        .iter()
        .map(|line| format!("{} {} {}", line["client_id"], line["tenant"], line["model"]))
        .collect();
    assert!(
        seen.contains(r#""support-assistant" "support" "claude-haiku-4-5""#),
        "{seen:?}"
    );
    for line in &log {
        let tokens = line["input_tokens"]
            .as_str()
            .and_then(|n| n.parse::<u64>().ok());
        assert!(tokens.is_some_and(|n| n > 0), "{line}");
    }
}

#[test]
fn what_the_policy_does_not_allow_reaches_no_provider() {
    let gateway = Gateway::start();
    let chats = "/v1/chat/completions";
    let mini = chat("gpt-4o-mini", "chat");
    let mut referring = mini.clone();
    referring["previous_response_id"] = json!("resp_1");
    let mut expensive = chat("gpt-4o", "chat");
    expensive["max_completion_tokens"] = json!(4097);
    let mut twenty = mini.clone();
    twenty["max_completion_tokens"] = json!(50_000);
    for (code, request) in [
        ("MISSING_TOKEN", posted(chats, &mini)),
        (
            "MISSING_TOKEN",
            posted(chats, &mini).header("x-api-key", &gateway.applications[0]),
        ),
        (
            "INSUFFICIENT_SCOPE",
            gateway.person("models:read", chats, &mini),
        ),
        (
            "INSUFFICIENT_SCOPE",
            gateway.person("chat:write", chats, &chat("gpt-4o", "chat")),
        ),
        (
            "INSUFFICIENT_SCOPE",
            gateway.person("chat:write", chats, &chat("gpt-4o-mini", "code_generation")),
        ),
        (
            "MODEL_NOT_ALLOWED",
            gateway.person("chat:write models:premium", chats, &chat("o3", "chat")),
        ),
        (
            "PROMPT_NOT_ALLOWED",
            gateway.person("chat:write", chats, &chat("gpt-4o-mini", "medical")),
        ),
        (
            "PROMPT_NOT_ALLOWED",
            gateway.person("chat:write", chats, &question("gpt-4o-mini")),
        ),
        (
            "MAX_TOKENS_EXCEEDED",
            gateway.person("chat:write models:premium", chats, &expensive),
        ),
        (
            "REFERENCE_NOT_ALLOWED",
            gateway.person("chat:write", chats, &referring),
        ),
        (
            "MALFORMED_BODY",
            gateway.person("chat:write", chats, &json!([])),
        ),
        (
            "MODEL_NOT_ALLOWED",
            gateway.person("chat:write", "/v1/messages", &question("gpt-4o-mini")),
        ),
        (
            "MODEL_NOT_ALLOWED",
            gateway.application(0, chats, &question("gpt-4o")),
        ),
        (
            "MODEL_NOT_ALLOWED",
            gateway.application(1, chats, &question("gpt-4o-mini")),
        ),
        (
            "MODEL_NOT_ALLOWED",
            gateway.application(0, "/v1/files", &question("gpt-4o-mini")),
        ),
        ("NO_RULE", gateway.person("chat:write", "/v1/files", &mini)),
    ] {
        gateway.refused(&request, code);
    }
    // A minute's budget of a person and a model: the first reservation leaves no room for the second.
    let (_, _) = gateway.passed(&gateway.openai, &gateway.person("chat:write", chats, &mini));
    twenty["max_completion_tokens"] = json!(60_000);
    gateway.refused(
        &gateway.person("chat:write", chats, &twenty),
        "BUDGET_EXCEEDED",
    );
}

/// Nothing is lost while a key is rotated, and soon all requests have the new one.
#[test]
fn a_providers_key_is_rotated_under_load() {
    let gateway = Gateway::start();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        let body = question("gpt-4o-mini");
                        let request = gateway.application(0, "/v1/chat/completions", &body);
                        assert_eq!(gateway.send(&request).status, 200);
                    }
                })
            })
            .collect();
        let is_used = |key: &str| {
            let last = gateway.openai.exchanges().pop()?;
            (last.call.all("authorization") == [key]).then_some(())
        };
        for key in ["Bearer openai-1", "Bearer openai-2", "Bearer openai-3"] {
            put_key(&gateway.keys, "openai", key);
            let used = poll(PATIENCE, || is_used(key));
            assert!(used.is_some(), "{key} is never used");
        }
        stop.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().expect("every answer is good");
        }
    });
    let known: BTreeSet<Vec<String>> = (1..=3)
        .map(|n| vec![format!("Bearer openai-{n}")])
        .collect();
    for exchange in gateway.openai.exchanges() {
        let sent = exchange.call.all("authorization");
        assert!(known.contains(&sent), "{sent:?}");
    }
}
