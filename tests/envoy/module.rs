//! What the built module offers to the host.

use wasmparser::{ExternalKind, Parser, Payload};

use std::path::Path;

use crate::harness::envoy::{
    module, module_with_bodies, module_with_bodies_and_test_hooks, module_with_test_hooks,
};

/// Envoy enters the VM for each callback that is exported, on every phase and every body chunk.
const EXPORTS: [&str; 11] = [
    "_initialize",
    "memory",
    "proxy_abi_version_0_2_1",
    "proxy_on_configure",
    "proxy_on_context_create",
    "proxy_on_delete",
    "proxy_on_http_call_response",
    "proxy_on_memory_allocate",
    "proxy_on_request_headers",
    "proxy_on_request_trailers",
    "proxy_on_tick",
];

/// And these for bodies.
const EXPORTS_FOR_BODIES: [&str; 5] = [
    "proxy_on_log",
    "proxy_on_request_body",
    "proxy_on_response_body",
    "proxy_on_response_headers",
    "proxy_on_response_trailers",
];

fn exports(module: &Path) -> Vec<String> {
    let bytes = std::fs::read(module).expect("the module");
    let mut exports = Vec::new();
    for payload in Parser::new(0).parse_all(&bytes) {
        if let Payload::ExportSection(section) = payload.expect("a Wasm module") {
            for export in section {
                let export = export.expect("an export");
                let is_function = export.kind == ExternalKind::Func;
                assert_eq!(is_function, export.name != "memory", "{}", export.name);
                exports.push(export.name.to_owned());
            }
        }
    }
    exports.sort();
    exports
}

#[test]
fn the_module_exports_what_it_uses_and_no_more() {
    for path in [module(), module_with_test_hooks()] {
        assert_eq!(exports(&path), EXPORTS, "{}", path.display());
    }
    let mut with_bodies = [EXPORTS.as_slice(), &EXPORTS_FOR_BODIES].concat();
    with_bodies.sort_unstable();
    for path in [module_with_bodies(), module_with_bodies_and_test_hooks()] {
        assert_eq!(exports(&path), with_bodies, "{}", path.display());
    }
}
