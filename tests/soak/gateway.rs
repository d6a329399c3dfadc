//! Envoy as it is shipped (`envoy/envoy.yaml`), with two workers, its listener over LDS, and the module that traps on demand.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::client::{Answer, get};
use crate::harness::envoy::{Envoy, module_with_test_hooks};
use crate::harness::{PATIENCE, poll};

/// Longer than any connection here lives: Envoy ends the connections of a configuration that is gone for so long.
const DRAIN_SECONDS: &str = "30";

pub struct Ports {
    pub upstream: u16,
    pub authority: u16,
    pub idp: u16,
}

pub struct Gateway {
    envoy: Envoy,
    listener: Value,
    pub port: u16,
}

impl Gateway {
    pub fn start(ports: &Ports, environment: &Value, policy: &Value) -> Self {
        let folder = Envoy::folder();
        let mut bootstrap = shipped(ports);
        let mut listener = bootstrap["static_resources"]["listeners"][0].take();
        listener["@type"] = json!("type.googleapis.com/envoy.config.listener.v3.Listener");
        plugin(&mut listener)["vm_config"]["environment_variables"] =
            json!({ "key_values": environment });
        // Off in what is shipped; with it clients can send identity headers behind a body.
        manager(&mut listener)["http_protocol_options"] = json!({ "enable_trailers": true });
        bootstrap["static_resources"]["listeners"] = json!([]);
        let clusters = bootstrap["static_resources"]["clusters"].as_array_mut();
        let clusters = clusters.expect("clusters");
        clusters[0]["typed_extension_protocol_options"] = trailers_upstream();
        clusters.push(cluster("idp", ports.idp));
        bootstrap["node"] = json!({ "id": "soak", "cluster": "soak" });
        let source = json!({
            "path": folder.join("lds/listeners.json"),
            "watched_directory": { "path": folder.join("lds") },
        });
        bootstrap["dynamic_resources"] = json!({ "lds_config": { "path_config_source": source } });
        fs::write(folder.join("bootstrap.json"), bootstrap.to_string()).expect("a writable folder");
        publish(&folder, &listener, policy, 0);
        let envoy = Envoy::start_with(folder, 2, &["--drain-time-s", DRAIN_SECONDS])
            .unwrap_or_else(|refused| panic!("Envoy refused to start:\n{}", refused.log));
        let port = poll(PATIENCE, || port(&envoy))
            .unwrap_or_else(|| panic!("no listener:\n{}", envoy.log_tail()));
        Self {
            envoy,
            listener,
            port,
        }
    }

    /// Publishes another policy over LDS; whether Envoy took it.
    pub fn update(&self, policy: &Value, number: u64) -> bool {
        let before = self.updates();
        publish(&self.envoy.file(""), &self.listener, policy, number);
        let taken = poll(PATIENCE, || match self.updates() {
            [taken, _] if taken > before[0] => Some(true),
            [_, refused] if refused > before[1] => Some(false),
            _ => None,
        });
        taken
            .unwrap_or_else(|| panic!("Envoy does not read the update:\n{}", self.envoy.log_tail()))
    }

    /// How many updates Envoy took, and how many it refused.
    fn updates(&self) -> [u64; 2] {
        ["update_success", "update_rejected"]
            .map(|it| self.stat(&format!("listener_manager.lds.{it}")))
    }

    /// One of Envoy's numbers; 0 where nobody counted yet.
    pub fn stat(&self, name: &str) -> u64 {
        let filter = format!("/stats?filter=^{}$", name.replace('.', "\\."));
        let stats = self
            .envoy
            .admin(&filter)
            .map(|answer| answer.body)
            .unwrap_or_default();
        let stats = String::from_utf8_lossy(&stats).into_owned();
        let value = stats
            .trim()
            .rsplit(": ")
            .next()
            .and_then(|value| value.parse().ok());
        value.unwrap_or_default()
    }

    /// Makes the VM of one worker trap.
    pub fn trap(&self) -> Answer {
        let request = get("/").header("x-test-hook", "trap");
        request
            .send(self.port)
            .unwrap_or_else(|error| panic!("{error}:\n{}", self.envoy.log_tail()))
    }

    /// Bytes of memory that Envoy takes now, and that it took at the most.
    pub fn memory(&self) -> [u64; 2] {
        self.envoy.memory().expect("Envoy runs, on Linux")
    }

    pub fn log(&self) -> PathBuf {
        self.envoy.file("log")
    }

    pub fn log_tail(&self) -> String {
        self.envoy.log_tail()
    }
}

fn manager(listener: &mut Value) -> &mut Value {
    &mut listener["filter_chains"][0]["filters"][0]["typed_config"]
}

fn plugin(listener: &mut Value) -> &mut Value {
    &mut manager(listener)["http_filters"][0]["typed_config"]["config"]
}

fn port(envoy: &Envoy) -> Option<u16> {
    let listeners = envoy.admin("/listeners?format=json").ok()?.json().ok()?;
    let address = &listeners["listener_statuses"][0]["local_address"];
    u16::try_from(address["socket_address"]["port_value"].as_u64()?).ok()
}

/// Puts the listener where Envoy watches: at once, by a rename.
fn publish(folder: &Path, listener: &Value, policy: &Value, number: u64) {
    let watched = folder.join("lds");
    fs::create_dir_all(&watched).expect("a writable folder");
    let mut listener = listener.clone();
    // No request goes on unjudged, whatever this is.
    plugin(&mut listener)["allow_on_headers_stop_iteration"] = json!(number % 2 == 1);
    plugin(&mut listener)["configuration"] = match policy {
        Value::Object(_) => {
            json!({ "@type": "type.googleapis.com/google.protobuf.Struct", "value": policy })
        }
        other => {
            json!({ "@type": "type.googleapis.com/google.protobuf.StringValue", "value": other.to_string() })
        }
    };
    let draft = folder.join("listeners.json");
    fs::write(&draft, json!({ "resources": [listener] }).to_string()).expect("a writable folder");
    fs::rename(draft, watched.join("listeners.json")).expect("a writable folder");
}

fn cluster(name: &str, port: u16) -> Value {
    let address = json!({ "socket_address": { "address": "127.0.0.1", "port_value": port } });
    let endpoints = json!([{ "lb_endpoints": [{ "endpoint": { "address": address } }] }]);
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": { "cluster_name": name, "endpoints": endpoints },
    })
}

fn trailers_upstream() -> Value {
    const OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    json!({ OPTIONS: {
        "@type": format!("type.googleapis.com/{OPTIONS}"),
        "explicit_http_config": { "http_protocol_options": { "enable_trailers": true } },
    } })
}

/// The shipped configuration with these ports in its placeholders.
fn shipped(ports: &Ports) -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/envoy/envoy.yaml");
    let mut text = fs::read_to_string(path).expect("the tour has an Envoy configuration");
    let module = module_with_test_hooks().display().to_string();
    let values = [
        ("LISTEN_ADDRESS", "127.0.0.1".to_owned()),
        ("LISTEN_PORT", "0".to_owned()),
        ("ADMIN_PORT", "0".to_owned()),
        ("MODULE", module),
        ("UPSTREAM_HOST", "127.0.0.1".to_owned()),
        ("UPSTREAM_PORT", ports.upstream.to_string()),
        ("AUTHORITY_HOST", "127.0.0.1".to_owned()),
        ("AUTHORITY_PORT", ports.authority.to_string()),
        ("MODELS_PORT", "0".to_owned()),
        ("MODELS_MODULE", String::new()),
        ("MODELS_HOST", "127.0.0.1".to_owned()),
        ("MODELS_UPSTREAM_PORT", "1".to_owned()),
    ];
    for (name, value) in values {
        let placeholder = format!("${{{name}:-");
        assert!(text.contains(&placeholder), "no placeholder {name}");
        while let Some(start) = text.find(&placeholder) {
            let end = start + text[start..].find('}').expect("a placeholder ends");
            text.replace_range(start..=end, &value);
        }
    }
    let text = text
        .replace("${POLICY}", "{}")
        .replace("${MODELS_POLICY}", "{}");
    let shipped = serde_saphyr::from_str(&text);
    let mut shipped: Value = shipped.expect("the tour's Envoy configuration is YAML");
    // No model is asked here.
    for kind in ["listeners", "clusters"] {
        let all = shipped["static_resources"][kind].as_array_mut();
        all.expect(kind).retain(|one| one["name"] != "models");
    }
    shipped
}

/// How long Envoy may need until the streams of those who left are gone.
pub fn settle(gateway: &Gateway, limit: Duration) -> u64 {
    let began = Instant::now();
    loop {
        let active = gateway.stat("http.edge.downstream_rq_active");
        if active == 0 || began.elapsed() > limit {
            return active;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
