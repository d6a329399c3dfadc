//! An Envoy with the filter in front of an echoing upstream.

use std::env;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::client::{Answer, Request};
use super::envoy::{
    Envoy, Refused, module, module_with_bodies, module_with_bodies_and_test_hooks,
    module_with_test_hooks,
};
use super::refusal::{self, Challenge};
use super::service::Service;
use super::table::Rows;
use super::{NOISE, PATIENCE, poll};

/// How a gateway is set up; `start` makes one.
#[derive(Clone)]
pub struct Setup {
    policy: Value,
    /// Instead of the policy, be it JSON or not.
    policy_text: Option<String>,
    /// More policies, each on a listener of its own.
    beside: Vec<Value>,
    workers: u32,
    clusters: Vec<Value>,
    environment: Map<String, Value>,
    over_lds: bool,
    mutual_tls: bool,
    in_a_struct: bool,
    virtual_hosts: Option<Value>,
    held_up: bool,
    twice: bool,
    web_sockets: bool,
    /// Envoy's `allow_on_headers_stop_iteration`: a pause at the headers then lets the body's callbacks run.
    stop_iteration: bool,
    traced: bool,
    /// Whether the module reads bodies, and whether it obeys the header `x-test-hook`.
    bodies: bool,
    hooks: bool,
    /// The port of the upstream; without one, an echo of the gateway's own.
    upstream: Option<u16>,
}

pub struct Gateway {
    envoy: Envoy,
    setup: Setup,
    upstream: Service,
    port: u16,
}

impl Setup {
    pub fn of(policy: Value) -> Self {
        Self {
            policy,
            policy_text: None,
            beside: Vec::new(),
            workers: 1,
            clusters: Vec::new(),
            environment: Map::new(),
            over_lds: false,
            mutual_tls: false,
            in_a_struct: false,
            virtual_hosts: None,
            held_up: false,
            twice: false,
            web_sockets: false,
            stop_iteration: env::var_os("PORTCULLIS_TEST_STOP_ITERATION")
                .is_some_and(|on| on == "1"),
            traced: false,
            bodies: false,
            hooks: false,
            upstream: None,
        }
    }

    pub fn policy_text(mut self, text: &str) -> Self {
        self.policy_text = Some(text.to_owned());
        self
    }

    /// The same filter in the same VM with more policies, each on a listener of its own.
    pub fn beside(mut self, policies: Vec<Value>) -> Self {
        self.beside = policies;
        self
    }

    pub fn workers(mut self, workers: u32) -> Self {
        self.workers = workers;
        self
    }

    /// A cluster of one host on this port.
    pub fn cluster(self, name: &str, port: u16) -> Self {
        self.replicated_cluster(name, &[port])
    }

    /// A cluster that is spoken to in TLS.
    pub fn tls_cluster(mut self, name: &str, port: u16) -> Self {
        self = self.cluster(name, port);
        let cluster = self.clusters.last_mut().expect("just added");
        let tls =
            "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";
        cluster["transport_socket"] = json!({
            "name": "envoy.transport_sockets.tls",
            "typed_config": { "@type": tls },
        });
        self
    }

    pub fn cluster_without_hosts(self, name: &str) -> Self {
        self.cluster_at(name, json!([]))
    }

    /// A cluster whose circuit breaker lets one call through at a time.
    pub fn narrow_cluster(mut self, name: &str, port: u16) -> Self {
        self = self.cluster(name, port);
        let cluster = self.clusters.last_mut().expect("just added");
        cluster["circuit_breakers"] = json!({ "thresholds": [{
            "max_connections": 1, "max_pending_requests": 1, "max_requests": 1, "max_retries": 0,
        }] });
        self
    }

    /// A cluster of several hosts of this machine.
    pub fn replicated_cluster(self, name: &str, ports: &[u16]) -> Self {
        let endpoint = |port: &u16| {
            let address =
                json!({ "socket_address": { "address": "127.0.0.1", "port_value": port } });
            json!({ "endpoint": { "address": address } })
        };
        let endpoints: Vec<Value> = ports.iter().map(endpoint).collect();
        self.cluster_at(name, json!([{ "lb_endpoints": endpoints }]))
    }

    fn cluster_at(mut self, name: &str, endpoints: Value) -> Self {
        self.clusters.push(json!({
            "name": name,
            "type": "STATIC",
            "connect_timeout": "1s",
            "load_assignment": { "cluster_name": name, "endpoints": endpoints },
        }));
        self
    }

    /// An environment variable of the VM.
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), json!(value));
        self
    }

    /// The listener comes over LDS, so that `Gateway::update` works. A bad policy is then no reason not to start.
    pub fn over_lds(mut self) -> Self {
        self.over_lds = true;
        self
    }

    /// A second listener asks clients for a certificate (`Gateway::tls_port`).
    pub fn mutual_tls(mut self) -> Self {
        self.mutual_tls = true;
        self
    }

    /// The policy reaches the plugin as a `Struct` instead of a `StringValue`.
    pub fn in_a_struct(mut self) -> Self {
        self.in_a_struct = true;
        self
    }

    /// With `allow_on_headers_stop_iteration`, which other plugins need.
    pub fn stop_iteration(mut self, allowed: bool) -> Self {
        self.stop_iteration = allowed;
        self
    }

    /// Instead of one that sends everything to the upstream.
    pub fn virtual_hosts(mut self, virtual_hosts: Value) -> Self {
        self.virtual_hosts = Some(virtual_hosts);
        self
    }

    /// A filter before ours lets each request wait for the milliseconds of `x-envoy-fault-delay-request`.
    pub fn held_up(mut self) -> Self {
        self.held_up = true;
        self
    }

    /// The filter stands in the chain twice, in one VM.
    pub fn twice(mut self) -> Self {
        self.twice = true;
        self
    }

    /// WebSockets pass, over HTTP/1.1 and HTTP/2.
    pub fn web_sockets(mut self) -> Self {
        self.web_sockets = true;
        self
    }

    /// Envoy logs what goes between it and the VM.
    pub fn traced(mut self) -> Self {
        self.traced = true;
        self
    }

    /// The module that obeys the header `x-test-hook`.
    pub fn with_test_hooks(mut self) -> Self {
        self.hooks = true;
        self
    }

    /// The module that reads bodies, and the switch that it needs for that.
    pub fn with_bodies(mut self) -> Self {
        self.bodies = true;
        self.stop_iteration(true)
    }

    /// An upstream on this port in place of the echo.
    pub fn upstream(mut self, port: u16) -> Self {
        self.upstream = Some(port);
        self
    }

    pub fn start(self) -> Gateway {
        self.try_start()
            .unwrap_or_else(|refused| panic!("Envoy refused to start:\n{}", refused.log))
    }

    pub fn try_start(mut self) -> Result<Gateway, Refused> {
        let upstream = Service::echo();
        let port = self.upstream.unwrap_or(upstream.port());
        self = self.cluster("upstream", port);
        let cluster = self.clusters.last_mut().expect("just added");
        cluster["typed_extension_protocol_options"] = json!({
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": { "http_protocol_options": { "enable_trailers": true } },
            },
        });
        let folder = Envoy::folder();
        fs::write(
            folder.join("bootstrap.json"),
            self.bootstrap(&folder).to_string(),
        )
        .expect("a writable folder");
        if self.over_lds {
            self.publish(&folder);
        }
        let envoy = match self.traced {
            true => Envoy::start_traced(folder, self.workers)?,
            false => Envoy::start(folder, self.workers)?,
        };
        let mut gateway = Gateway {
            envoy,
            setup: self,
            upstream,
            port: 0,
        };
        gateway.port = gateway
            .listener("plain")
            .expect("a listener for plain HTTP");
        Ok(gateway)
    }

    fn bootstrap(&self, folder: &Path) -> Value {
        let mut bootstrap = json!({
            "node": { "id": "test", "cluster": "test" },
            "admin": { "address": socket(), "access_log": [] },
            "static_resources": { "clusters": self.clusters },
            "stats_config": { "stats_tags": shipped_stats_tags() },
        });
        if self.over_lds {
            let source = json!({
                "path": folder.join("lds/listeners.json"),
                "watched_directory": { "path": folder.join("lds") },
            });
            bootstrap["dynamic_resources"] =
                json!({ "lds_config": { "path_config_source": source } });
        } else {
            bootstrap["static_resources"]["listeners"] = json!(self.listeners(folder));
        }
        bootstrap
    }

    /// Puts the listeners where Envoy watches: at once, by a rename.
    fn publish(&self, folder: &Path) {
        let watched = folder.join("lds");
        fs::create_dir_all(&watched).expect("a writable folder");
        let mut listeners = self.listeners(folder);
        for listener in &mut listeners {
            listener["@type"] = json!("type.googleapis.com/envoy.config.listener.v3.Listener");
        }
        let draft = folder.join("listeners.json");
        fs::write(&draft, json!({ "resources": listeners }).to_string())
            .expect("a writable folder");
        fs::rename(draft, watched.join("listeners.json")).expect("a writable folder");
    }

    fn listeners(&self, folder: &Path) -> Vec<Value> {
        let listener = |name: &str, chain: Value| json!({ "name": name, "address": socket(), "filter_chains": [chain] });
        let connections = self.connection_manager(folder);
        let mut listeners = vec![listener("plain", json!({ "filters": [connections] }))];
        for (i, policy) in self.beside.iter().enumerate() {
            let one = Setup::of(policy.clone());
            let connections = one.connection_manager(folder);
            listeners.push(listener(&beside(i), json!({ "filters": [connections] })));
        }
        if self.mutual_tls {
            let fixture = |name: &str| json!({ "filename": format!("{}/tests/envoy/fixtures/{name}", env!("CARGO_MANIFEST_DIR")) });
            let certificate = json!({ "certificate_chain": fixture("server.pem"), "private_key": fixture("server-key.pem") });
            let context = json!({
                "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
                "common_tls_context": {
                    "tls_certificates": [certificate],
                    "validation_context": { "trusted_ca": fixture("client.pem") },
                },
            });
            let socket = json!({ "name": "envoy.transport_sockets.tls", "typed_config": context });
            listeners.push(listener(
                "tls",
                json!({ "filters": [connections], "transport_socket": socket }),
            ));
        }
        listeners
    }

    fn connection_manager(&self, folder: &Path) -> Value {
        let state = |name: &str| {
            (
                name.to_owned(),
                json!(format!("%FILTER_STATE(wasm.portcullis.{name}:PLAIN)%")),
            )
        };
        let mut log: Map<_, _> = [
            "subject",
            "client_id",
            "tenant",
            "scopes",
            "rule",
            "decision",
            "code",
        ]
        .map(state)
        .into_iter()
        .collect();
        log.insert("path".to_owned(), json!("%REQ(:PATH)%"));
        log.insert("details".to_owned(), json!("%RESPONSE_CODE_DETAILS%"));
        log.insert("header".to_owned(), json!("%REQ(X-AUTH-SUBJECT)%"));
        let access_log = json!({
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": folder.join("access.log"),
            "log_format": { "json_format": log },
        });
        let router = json!({ "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" });
        let mut filters = vec![
            json!({ "name": "envoy.filters.http.wasm", "typed_config": self.filter() }),
            json!({ "name": "envoy.filters.http.router", "typed_config": router }),
        ];
        if self.twice {
            filters.insert(0, filters[0].clone());
        }
        if self.held_up {
            let fault = json!({
                "@type": "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault",
                "delay": { "header_delay": {}, "percentage": { "numerator": 100 } },
            });
            filters.insert(
                0,
                json!({ "name": "envoy.filters.http.fault", "typed_config": fault }),
            );
        }
        let route = json!({ "match": { "prefix": "/" }, "route": { "cluster": "upstream", "timeout": "15s" } });
        let all = json!([{ "name": "all", "domains": ["*"], "routes": [route] }]);
        let routes = json!({
            "ignore_port_in_host_matching": true,
            "virtual_hosts": self.virtual_hosts.as_ref().unwrap_or(&all),
        });
        let upgrades = json!([{ "upgrade_type": "websocket", "enabled": self.web_sockets }]);
        json!({
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                "stat_prefix": "ingress",
                "stream_idle_timeout": "15s",
                "access_log": [{ "name": "envoy.access_loggers.file", "typed_config": access_log }],
                "http_filters": filters,
                "strip_trailing_host_dot": true,
                // As shipped: Envoy writes `x-forwarded-proto`, whatever the client wrote.
                "use_remote_address": true,
                // A test names the requests that it looks for.
                "preserve_external_request_id": true,
                "http_protocol_options": { "enable_trailers": true },
                "http2_protocol_options": { "allow_connect": self.web_sockets },
                "upgrade_configs": upgrades,
                "route_config": routes,
            },
        })
    }

    fn module(&self) -> PathBuf {
        match (self.bodies, self.hooks) {
            (false, false) => module(),
            (false, true) => module_with_test_hooks(),
            (true, false) => module_with_bodies(),
            (true, true) => module_with_bodies_and_test_hooks(),
        }
    }

    fn filter(&self) -> Value {
        let configuration = if self.in_a_struct {
            json!({ "@type": "type.googleapis.com/google.protobuf.Struct", "value": self.policy })
        } else {
            let text = self
                .policy_text
                .clone()
                .unwrap_or_else(|| self.policy.to_string());
            json!({ "@type": "type.googleapis.com/google.protobuf.StringValue", "value": text })
        };
        let mut filter = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {
                "name": "portcullis",
                "configuration": configuration,
                "failure_policy": "FAIL_RELOAD",
                "reload_config": { "backoff": { "base_interval": "0.1s" } },
                "vm_config": {
                    "vm_id": "portcullis",
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": { "local": { "filename": self.module() } },
                    "environment_variables": { "key_values": self.environment },
                },
            },
        });
        if self.stop_iteration {
            // DisplayDuration only where it is on: Envoys before 1.35 refuse a bootstrap with it.
            filter["config"]["allow_on_headers_stop_iteration"] = json!(true);
        }
        filter
    }
}

/// The labels that operators are told to give the counters.
fn shipped_stats_tags() -> Vec<Value> {
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/envoy/envoy.yaml");
    let shipped = fs::read_to_string(shipped).expect("the tour has an Envoy configuration");
    let tag = |line: &str| {
        let line = line.trim().strip_prefix("- {tag_name: ")?;
        let (name, regex) = line.strip_suffix("'}")?.split_once(", regex: '")?;
        Some(json!({ "tag_name": name, "regex": regex }))
    };
    let tags: Vec<Value> = shipped.lines().filter_map(tag).collect();
    assert!(
        !tags.is_empty(),
        "envoy/envoy.yaml has no stats_tags of one line each"
    );
    tags
}

fn beside(index: usize) -> String {
    format!("beside-{index}")
}

/// Any free port of this machine.
fn socket() -> Value {
    json!({ "socket_address": { "address": "127.0.0.1", "port_value": 0 } })
}

/// What became of a request.
pub struct Outcome {
    pub request: Request,
    pub answer: Answer,
    pub elapsed: Duration,
}

impl fmt::Debug for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "\n--- request\n{:?}--- answer after {:?}\n{:?}",
            self.request, self.elapsed, self.answer
        )
    }
}

impl Outcome {
    /// Panics where the answer is no refusal by this code.
    pub fn assert_refused(&self, code: &str) {
        let verdict = refusal::check(&self.answer, code, Challenge::Bearer);
        assert!(verdict.is_ok(), "{verdict:?} in {self:?}");
    }

    pub fn assert_passed(&self) {
        let verdict = self.answer.seen();
        assert!(verdict.is_ok(), "{verdict:?} in {self:?}");
    }

    /// Panics where the answer took longer than a limit of the contract and what a busy machine adds.
    pub fn assert_within(&self, limit: Duration) {
        assert!(
            self.elapsed < limit + NOISE,
            "later than {limit:?}: {self:?}"
        );
    }
}

impl Gateway {
    pub fn start(policy: Value) -> Self {
        Setup::of(policy).start()
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn tls_port(&self) -> u16 {
        self.listener("tls").expect("a listener for TLS")
    }

    /// The port of a policy that was set up beside the first.
    pub fn port_beside(&self, index: usize) -> u16 {
        self.listener(&beside(index)).expect("a listener for each")
    }

    fn listener(&self, name: &str) -> Option<u16> {
        self.envoy.listener(name)
    }

    pub fn send(&self, request: &Request) -> Answer {
        request.send(self.port).unwrap_or_else(|error| {
            panic!(
                "{error}\n{request:?}\nEnvoy's log:\n{}",
                self.envoy.log_tail()
            )
        })
    }

    pub fn timed(&self, request: Request) -> Outcome {
        let start = Instant::now();
        let answer = self.send(&request);
        Outcome {
            request,
            answer,
            elapsed: start.elapsed(),
        }
    }

    /// Sends all at once. The outcomes come in the order of the requests.
    pub fn send_all(&self, requests: Vec<Request>) -> Vec<Outcome> {
        thread::scope(|scope| {
            let under_way: Vec<_> = requests
                .into_iter()
                .map(|request| scope.spawn(move || self.timed(request)))
                .collect();
            under_way
                .into_iter()
                .map(|thread| thread.join().expect("an answer"))
                .collect()
        })
    }

    /// Repeats a request until its answer has this status; panics with the last answer where it never has.
    pub fn await_status(&self, request: &Request, status: u16) -> Outcome {
        let mut last = None;
        let found = poll(PATIENCE, || {
            last = Some(self.timed(request.clone()));
            last.take_if(|outcome| outcome.answer.status == status)
        });
        found.unwrap_or_else(|| {
            panic!(
                "never {status}: {last:?}\nEnvoy's log:\n{}",
                self.envoy.log_tail()
            )
        })
    }

    /// Runs the rows of a table to its end, then fails with all that went wrong.
    pub fn table(&self, fill: impl FnOnce(&mut Rows<'_>)) {
        let mut rows = Rows::of(self);
        fill(&mut rows);
        rows.finish();
    }

    /// How many requests reached the upstream.
    pub fn upstream_calls(&self) -> usize {
        self.upstream.calls().len()
    }

    /// Publishes another policy over LDS; whether Envoy took it.
    pub fn update(&self, policy: Value) -> bool {
        let count = |name| self.counter(&format!("listener_manager.lds.{name}"));
        let counts = || [count("update_success"), count("update_rejected")];
        let before = counts();
        let setup = Setup {
            policy,
            ..self.setup.clone()
        };
        setup.publish(&self.envoy.file(""));
        let taken = poll(PATIENCE, || match counts() {
            [taken, _] if taken > before[0] => Some(true),
            [_, refused] if refused > before[1] => Some(false),
            _ => None,
        });
        taken.expect("Envoy reads the update")
    }

    /// A counter by its full name, those of the filter without Envoy's `wasmcustom.`; 0 where nobody counted yet.
    pub fn counter(&self, name: &str) -> u64 {
        let stats = self
            .envoy
            .admin("/stats")
            .map(|answer| answer.body)
            .unwrap_or_default();
        let stats = String::from_utf8_lossy(&stats);
        let values = stats.lines().filter_map(|line| {
            let (found, value) = line.split_once(": ")?;
            (found.strip_prefix("wasmcustom.").unwrap_or(found) == name).then_some(value)
        });
        values.filter_map(|value| value.parse::<u64>().ok()).sum()
    }

    /// The counters have these values, once the workers have handed over what they counted: they do
    /// on their tick.
    pub fn assert_counts(&self, expected: &[(&str, u64)]) {
        let counts = || {
            let names = expected.iter().map(|(name, _)| *name);
            names
                .map(|name| (name, self.counter(name)))
                .collect::<Vec<_>>()
        };
        if poll(PATIENCE, || (counts() == expected).then_some(())).is_none() {
            assert_eq!(counts(), expected, "{}", self.log_tail());
        }
    }

    /// The counter has, or will have, at least this value.
    pub fn assert_counts_at_least(&self, counter: &str, least: u64) {
        let counted = poll(PATIENCE, || (self.counter(counter) >= least).then_some(()));
        let (found, log) = (self.counter(counter), self.log_tail());
        assert!(counted.is_some(), "{counter}: {found}, not {least}\n{log}");
    }

    /// The lines of `/stats/prometheus` that are the filter's.
    pub fn prometheus_of_filter(&self) -> String {
        let answer = self
            .envoy
            .admin("/stats/prometheus")
            .expect("the admin interface answers");
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let ours = text.lines().filter(|line| line.starts_with("portcullis"));
        ours.map(|line| format!("{line}\n")).collect()
    }

    /// Bytes of memory that Envoy takes now, and that it took at the most.
    pub fn memory(&self) -> Option<[u64; 2]> {
        self.envoy.memory()
    }

    pub fn log(&self) -> String {
        self.envoy.log()
    }

    pub fn log_tail(&self) -> String {
        self.envoy.log_tail()
    }

    /// The audit line about a request to this path, once it is there.
    pub fn audit(&self, path: &str) -> Option<Value> {
        poll(Duration::from_secs(10), || {
            audit_lines(&self.log()).find(|line| line["path"] == path)
        })
    }

    /// The access log entry of a request to this path, once it is there.
    pub fn access(&self, path: &str) -> Option<Value> {
        poll(Duration::from_secs(10), || {
            let log = self.envoy.read("access.log");
            log.lines()
                .filter_map(|line| serde_json::from_str(line).ok())
                .find(|entry: &Value| entry["path"] == path)
        })
    }
}

/// The audit lines in Envoy's log, oldest first.
pub fn audit_lines(log: &str) -> impl Iterator<Item = Value> {
    log.lines().filter_map(|line| {
        let json = line.find('{').map(|start| &line[start..])?;
        let audit: Value = serde_json::from_str(json).ok()?;
        audit.get("decision").is_some().then_some(audit)
    })
}
