//! One Envoy with several listeners that differ in nothing but what a comparison is about.

use std::fs;
use std::io;

use serde_json::{Value, json};

use crate::envoy::harness::client::{Answer, Connection, Request};
use crate::envoy::harness::envoy::{Envoy, module};

/// How a listener reads requests.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Reading {
    pub normalize_path: bool,
    pub ignore_port_in_host_matching: bool,
    pub strip_trailing_host_dot: bool,
    /// The plugin's.
    pub allow_on_headers_stop_iteration: bool,
}

impl Reading {
    /// As every shipped configuration has it.
    pub const RECOMMENDED: Self = Self {
        normalize_path: true,
        ignore_port_in_host_matching: true,
        strip_trailing_host_dot: true,
        allow_on_headers_stop_iteration: false,
    };
}

pub struct Listener {
    pub name: String,
    pub reading: Reading,
    /// Before the router.
    pub filter: Option<Value>,
    pub virtual_hosts: Value,
}

impl Listener {
    fn config(&self) -> Value {
        let router = json!({
            "name": "envoy.filters.http.router",
            "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
        });
        let filters: Vec<Value> = self.filter.iter().cloned().chain([router]).collect();
        let manager = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": self.name,
            "stream_idle_timeout": "15s",
            // A header that HTTP/2 has not ends its stream, and not the connection, for which Envoy takes a second.
            "http2_protocol_options": { "override_stream_error_on_invalid_http_message": true },
            "normalize_path": self.reading.normalize_path,
            "merge_slashes": false,
            "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
            "strip_trailing_host_dot": self.reading.strip_trailing_host_dot,
            "http_filters": filters,
            "route_config": {
                "ignore_port_in_host_matching": self.reading.ignore_port_in_host_matching,
                "virtual_hosts": self.virtual_hosts,
            },
        });
        let manager = json!({ "name": "envoy.filters.network.http_connection_manager", "typed_config": manager });
        json!({
            "name": self.name,
            "address": { "socket_address": { "address": "127.0.0.1", "port_value": 0 } },
            "filter_chains": [{ "filters": [manager] }],
        })
    }
}

/// Our filter with this policy.
pub fn portcullis(policy: &Value, reading: Reading) -> Value {
    let stop_iteration = reading.allow_on_headers_stop_iteration;
    json!({
        "name": "envoy.filters.http.wasm",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {
                // Before 1.40 Envoy takes two plugins for one that differ in nothing but the flag.
                "name": format!("portcullis-{stop_iteration}"),
                "configuration": { "@type": "type.googleapis.com/google.protobuf.StringValue", "value": policy.to_string() },
                "failure_policy": "FAIL_RELOAD",
                "reload_config": { "backoff": { "base_interval": "0.1s" } },
                "allow_on_headers_stop_iteration": stop_iteration,
                "vm_config": {
                    "vm_id": "portcullis",
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": { "local": { "filename": module() } },
                },
            },
        },
    })
}

/// Starts an Envoy with these listeners and no upstream: every route answers by itself.
pub fn start(listeners: &[Listener]) -> Envoy {
    let folder = Envoy::folder();
    let listeners: Vec<Value> = listeners.iter().map(Listener::config).collect();
    let bootstrap = json!({
        "node": { "id": "test", "cluster": "test" },
        "admin": { "address": { "socket_address": { "address": "127.0.0.1", "port_value": 0 } }, "access_log": [] },
        "static_resources": { "listeners": listeners },
    });
    fs::write(folder.join("bootstrap.json"), bootstrap.to_string()).expect("a writable folder");
    Envoy::start(folder, 1)
        .unwrap_or_else(|refused| panic!("Envoy refused to start:\n{}", refused.log))
}

/// The way to one listener; it outlives the connections that Envoy closes.
pub struct Channel {
    port: u16,
    open: Option<Connection>,
}

impl Channel {
    pub fn to(port: u16) -> Self {
        Self { port, open: None }
    }

    pub fn send(&mut self, request: &Request) -> io::Result<Answer> {
        if let Some(connection) = self.open.take()
            && let Ok(answer) = self.send_on(connection, request)
        {
            return Ok(answer);
        }
        // Envoy may have closed the last one behind its answer.
        let connection = Connection::open(self.port)?;
        self.send_on(connection, request)
    }

    fn send_on(&mut self, mut connection: Connection, request: &Request) -> io::Result<Answer> {
        let answer = connection.send(request)?;
        if answer.header("connection").as_deref() != Some("close") {
            self.open = Some(connection);
        }
        Ok(answer)
    }
}
