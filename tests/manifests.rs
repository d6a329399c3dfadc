//! The shipped manifests: their configurations compile, and the documents themselves fit the
//! CustomResourceDefinitions of their kinds, where those are at hand.

mod manifests {
    pub mod crd;
}

use std::fs;
use std::path::{Path, PathBuf};

use portcullis_core::policy::{InvalidPolicy, compile};
use portcullis_testing::outside_data::skipped;
use serde_json::{Value, json};

use self::manifests::crd::{self, Definitions};

const FOLDERS: [&str; 2] = ["envoy/istio", "envoy/envoy-gateway"];

/// The files for `portcullis-ai.wasm`.
const WITH_BODIES: &str = "/with-bodies.yaml";

/// A document, and the file that it stands in.
struct Document {
    file: String,
    content: Value,
}

fn documents() -> Vec<Document> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = FOLDERS.map(|folder| crd::yaml_files(&root.join(folder)).expect(folder));
    let documents = files.iter().flatten().flat_map(|path: &PathBuf| {
        let name = path.strip_prefix(root).unwrap().display().to_string();
        let yaml = fs::read_to_string(path).unwrap();
        let contents: Vec<Value> = serde_saphyr::from_multiple(&yaml)
            .unwrap_or_else(|invalid| panic!("{name}: {invalid}"));
        assert!(!contents.is_empty(), "{name}");
        let document = move |content| Document {
            file: name.clone(),
            content,
        };
        contents.into_iter().map(document)
    });
    documents.collect()
}

fn of_kind(kind: &str) -> Document {
    let mut all = documents().into_iter();
    all.find(|document| document.content["kind"] == kind)
        .unwrap_or_else(|| panic!("no {kind}"))
}

/// Every value behind a member of that name, at any depth.
fn all<'v>(value: &'v Value, name: &str, found: &mut Vec<&'v Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| all(item, name, found)),
        Value::Object(members) => {
            found.extend(members.get(name));
            members.values().for_each(|member| all(member, name, found));
        }
        _ => {}
    }
}

/// The configuration of the filter in a document, and the variables that its VM is given.
fn configuration(document: &Value) -> Option<(&Value, Vec<String>)> {
    let texts = |values: &Value, name: &str| -> Vec<String> {
        let text = |value: &Value| match name {
            "" => value.as_str().unwrap().to_owned(),
            name => value[name].as_str().unwrap().to_owned(),
        };
        values.as_array().unwrap().iter().map(text).collect()
    };
    match document["kind"].as_str()? {
        "WasmPlugin" => {
            let spec = &document["spec"];
            Some((
                &spec["pluginConfig"],
                texts(&spec["vmConfig"]["env"], "name"),
            ))
        }
        "EnvoyExtensionPolicy" => {
            let wasm = &document["spec"]["wasm"][0];
            Some((&wasm["config"], texts(&wasm["env"]["hostKeys"], "")))
        }
        "EnvoyFilter" => {
            let patches = document["spec"]["configPatches"].as_array()?;
            let mut filters = patches
                .iter()
                .map(|p| &p["patch"]["value"]["typed_config"]["config"]);
            let filter = filters.find(|filter| filter["configuration"].is_object())?;
            let variables = &filter["vm_config"]["environment_variables"]["host_env_keys"];
            let wrapped = &filter["configuration"];
            assert_eq!(
                wrapped["@type"],
                "type.googleapis.com/google.protobuf.Struct"
            );
            Some((&wrapped["value"], texts(variables, "")))
        }
        _ => None,
    }
}

#[test]
fn every_document_says_what_it_is() {
    for Document { file, content } in documents() {
        for member in [
            "/apiVersion",
            "/kind",
            "/metadata/name",
            "/metadata/namespace",
        ] {
            let text = content.pointer(member).and_then(Value::as_str);
            assert!(
                text.is_some_and(|text| !text.is_empty()),
                "{file}: {member}"
            );
        }
        assert!(content["spec"].is_object(), "{file}");
    }
}

#[test]
fn every_configuration_compiles_with_the_variables_that_its_vm_gets() {
    let mut compiled = Vec::new();
    for Document { file, content } in documents() {
        let Some((configuration, variables)) = configuration(&content) else {
            continue;
        };
        let given = |name: &str| {
            let given = variables.iter().any(|variable| variable == name);
            given.then(|| "0123456789abcdef0123".to_owned())
        };
        match compile(configuration.to_string().as_bytes(), &given) {
            Ok(policy) => assert_eq!(policy.warnings, [], "{file}"),
            Err(invalid) if is_for_the_other_module(&file, &invalid) => {}
            Err(invalid) => panic!("{file}:\n{invalid}"),
        }
        compiled.push(file);
    }
    let shipped = [
        "envoy/istio/own-vm.yaml",
        "envoy/istio/wasm-plugin.yaml",
        "envoy/istio/with-bodies.yaml",
        "envoy/envoy-gateway/extension-policy.yaml",
        "envoy/envoy-gateway/with-bodies.yaml",
    ];
    assert_eq!(compiled, shipped);
}

/// Whether it is for the module that reads bodies, and lacks nothing else: this test runs for each.
fn is_for_the_other_module(file: &str, invalid: &InvalidPolicy) -> bool {
    let mut faults = invalid.faults().iter().map(ToString::to_string);
    file.ends_with(WITH_BODIES) && faults.all(|f| f.ends_with("needs portcullis-ai.wasm"))
}

/// Where a body decides, its callback must come.
#[test]
fn modules_that_read_bodies_have_the_switch_for_it() {
    let named = |name: &'static str| move |value: &&Value| value["name"] == name;
    let istio = &documents_of("envoy/istio/with-bodies.yaml")[0];
    let patches = istio["spec"]["configPatches"].as_array().unwrap();
    let mut values = patches.iter().map(|patch| &patch["patch"]["value"]);
    let plugin = values.find(named("portcullis-ai")).unwrap();
    let plugin = &plugin["typed_config"]["config"];
    assert_eq!(plugin["allow_on_headers_stop_iteration"], true);

    let gateway = documents_of("envoy/envoy-gateway/with-bodies.yaml");
    let mut kinds = gateway.iter();
    let policy = kinds.find(|document| document["kind"] == "EnvoyPatchPolicy");
    let patches = policy.unwrap()["spec"]["jsonPatches"].as_array().unwrap();
    let switch = patches.iter().map(|patch| &patch["operation"]);
    let mut switch = switch.filter(|o| o["path"] == "allow_on_headers_stop_iteration");
    let switch = switch.next().unwrap();
    assert_eq!(switch["value"], true);
    // Of the plugin that this file adds: the name is Envoy Gateway's, made of the policy's.
    let extension = &gateway[0];
    assert_eq!(extension["kind"], "EnvoyExtensionPolicy");
    let (name, space) = (
        &extension["metadata"]["name"],
        &extension["metadata"]["namespace"],
    );
    let plugin = format!(
        "envoyextensionpolicy/{}/{}/wasm/0",
        space.as_str().unwrap(),
        name.as_str().unwrap()
    );
    assert!(switch["jsonPath"].as_str().unwrap().contains(&plugin));
}

fn documents_of(file: &str) -> Vec<Value> {
    let of_file = documents().into_iter().filter(|d| d.file == file);
    of_file.map(|document| document.content).collect()
}

/// A request that waits in a VM which is lost ends at the stream's idle timeout.
#[test]
fn no_request_waits_for_ever() {
    let shipped = documents();
    // Models take their time.
    for (with_bodies, idle_expected, route_expected) in [
        (false, json!("15s"), json!("15s")),
        (true, json!("300s"), json!("600s")),
    ] {
        for folder in FOLDERS {
            let mut idle = Vec::new();
            let mut route = Vec::new();
            let of_folder = shipped.iter().filter(|d| d.file.starts_with(folder));
            for document in of_folder.filter(|d| d.file.ends_with(WITH_BODIES) == with_bodies) {
                all(&document.content, "stream_idle_timeout", &mut idle);
                all(&document.content, "streamIdleTimeout", &mut idle);
                all(&document.content["spec"], "requestTimeout", &mut route);
                let mut routes = Vec::new();
                all(&document.content, "route", &mut routes);
                route.extend(routes.iter().filter_map(|route| route.get("timeout")));
                idle.extend(patched(&document.content, "stream_idle_timeout"));
            }
            assert_eq!(
                (idle, route),
                (vec![&idle_expected], vec![&route_expected]),
                "{folder}"
            );
        }
    }
}

/// What an `EnvoyPatchPolicy` puts at that path.
fn patched<'v>(document: &'v Value, path: &str) -> Option<&'v Value> {
    let patches = document["spec"]["jsonPatches"].as_array()?.iter();
    let mut operations = patches.map(|patch| &patch["operation"]);
    Some(&operations.find(|operation| operation["path"] == path)?["value"])
}

#[test]
fn no_manifest_lets_requests_in_unjudged() {
    for Document { file, content } in documents() {
        let text = content.to_string();
        for open in ["FAIL_OPEN", r#""failOpen":true"#, "fail_open"] {
            assert!(!text.contains(open), "{file}: {open}");
        }
    }
}

// === the definitions ===

#[test]
fn every_document_fits_the_definition_of_its_kind() {
    let Some(definitions) = Definitions::at_hand() else {
        return;
    };
    let mut checked = 0;
    for Document { file, content } in documents() {
        let kind = &content["kind"];
        match definitions.faults(&content) {
            None => skipped(&format!("{file}: no definition of {kind}")),
            Some(faults) => {
                assert!(faults.is_empty(), "{file}: {kind}: {faults:#?}");
                checked += 1;
            }
        }
    }
    assert!(checked >= 5, "only {checked} had a definition");
}

/// One change to a shipped document, and where the fault is then.
#[test]
fn a_wrong_field_does_not_fit() {
    let Some(definitions) = Definitions::at_hand() else {
        return;
    };
    let cases = [
        ("WasmPlugin", "/spec", "failStrategie", json!("FAIL_CLOSE")),
        ("WasmPlugin", "/spec", "failStrategy", json!("FAIL_SOFTLY")),
        ("WasmPlugin", "/spec", "url", json!(7)),
        ("WasmPlugin", "/spec", "url", Value::Null),
        ("WasmPlugin", "/spec", "sha256", json!("abc")),
        (
            "WasmPlugin",
            "/spec/vmConfig/env/0",
            "valueFrom",
            json!("SECRET"),
        ),
        (
            "WasmPlugin",
            "/spec/vmConfig/env/0",
            "value_from",
            json!("HOST"),
        ),
        (
            "EnvoyFilter",
            "/spec/configPatches/0",
            "applyTo",
            json!("HTTP_FILTERS"),
        ),
        (
            "EnvoyFilter",
            "/spec/configPatches/0/patch",
            "op",
            json!("ADD"),
        ),
        (
            "EnvoyExtensionPolicy",
            "/spec/wasm/0",
            "failOpen",
            json!("no"),
        ),
        ("EnvoyExtensionPolicy", "/spec/wasm/0", "vmId", json!("x")),
        (
            "EnvoyExtensionPolicy",
            "/spec/wasm/0/code",
            "type",
            json!("Oci"),
        ),
        ("EnvoyExtensionPolicy", "/spec/wasm/0", "code", Value::Null),
        ("EnvoyPatchPolicy", "/spec", "targetRef", Value::Null),
        (
            "EnvoyPatchPolicy",
            "/spec/jsonPatches/0",
            "operations",
            json!([]),
        ),
        (
            "EnvoyPatchPolicy",
            "/spec/jsonPatches/0/operation",
            "op",
            json!("put"),
        ),
        // Where a field may be anything, it is; beside it, nothing is.
        (
            "EnvoyPatchPolicy",
            "/spec/jsonPatches/0/operation",
            "values",
            json!(1),
        ),
    ];
    for (kind, at, member, value) in cases {
        let mut document = of_kind(kind).content;
        let case = format!("{kind}{at}/{member}: {value}");
        let object = document.pointer_mut(at).and_then(Value::as_object_mut);
        let object = object.unwrap_or_else(|| panic!("{case}: not there"));
        match value {
            Value::Null => assert!(object.remove(member).is_some(), "{case}"),
            value => drop(object.insert(member.into(), value)),
        }
        let faults = definitions.faults(&document).expect("its definition");
        let path = at.trim_start_matches('/').replace('/', ".");
        let named = |fault: &String| fault.starts_with(&path) && fault.contains(member);
        assert!(faults.iter().any(named), "{case}: {faults:?}");
    }
}

/// The checker by itself: a schema, a value, and what is wrong with it.
#[test]
fn the_checker_knows_what_a_schema_says() {
    let object = json!({ "type": "object", "required": ["a"], "properties": { "a": { "type": "integer" } } });
    let text = json!({ "type": "string", "minLength": 2, "maxLength": 3, "pattern": "^x" });
    let list =
        json!({ "type": "array", "minItems": 1, "maxItems": 2, "items": { "type": "boolean" } });
    let map = json!({ "type": "object", "additionalProperties": { "type": "number", "minimum": 1, "maximum": 2 } });
    let open = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    let either = json!({ "type": "object", "properties": { "a": {}, "b": {} },
        "oneOf": [{ "required": ["a"] }, { "required": ["b"] }], "not": { "required": ["c"] } });
    let port = json!({ "x-kubernetes-int-or-string": true, "anyOf": [{ "type": "integer" }, { "type": "string" }] });
    let word = json!({ "type": "string", "enum": ["A", "B"] });
    let cases = [
        (&object, json!({ "a": 1 }), 0),
        (&object, json!({}), 1),
        (&object, json!({ "a": "1" }), 1),
        (&object, json!({ "a": 1.5 }), 1),
        (&object, json!({ "a": null }), 1),
        (&object, json!({ "a": 1, "b": 1, "c": 1 }), 2),
        (&object, json!([]), 1),
        (&text, json!("xä"), 0),
        (&text, json!("x"), 1),
        (&text, json!("xxxx"), 1),
        (&text, json!("ax"), 1),
        (&list, json!([true]), 0),
        (&list, json!([]), 1),
        (&list, json!([true, false, true]), 1),
        (&list, json!([true, 0]), 1),
        (&map, json!({ "x": 1.5 }), 0),
        (&map, json!({ "x": 0, "y": 3, "z": "1" }), 3),
        (&open, json!({ "x": { "y": [1] } }), 0),
        (&open, json!("x"), 1),
        (&either, json!({ "a": 1 }), 0),
        (&either, json!({}), 1),
        (&either, json!({ "a": 1, "b": 1 }), 1),
        (&either, json!({ "a": 1, "c": 1 }), 2),
        (&port, json!(80), 0),
        (&port, json!("http"), 0),
        (&port, json!(true), 1),
        (&word, json!("A"), 0),
        (&word, json!("a"), 1),
    ];
    for (schema, value, expected) in cases {
        let faults = crd::check(schema, &value);
        assert_eq!(faults.len(), expected, "{value} as {schema}: {faults:?}");
    }
}

/// Rules know neither ports nor a trailing dot, and Envoy's virtual hosts must not either: else a request that meets the
/// rules of one host goes where another is routed. The same holds for escapes in the path.
#[test]
fn every_way_to_ship_it_has_one_reading_of_host_and_path() {
    for setting in ["strip_trailing_host_dot", "ignore_port_in_host_matching"] {
        assert_set_everywhere(setting, true);
    }
    // Envoy Gateway normalizes paths by itself.
    assert_set_everywhere("normalize_path", false);
}

/// A proof of possession is for one URI: its scheme is what Envoy says, and its port what the client wrote.
#[test]
fn every_way_to_ship_it_knows_the_uri_that_the_client_used() {
    assert_set_everywhere("use_remote_address", true);
    let manifests = documents().into_iter().map(|d| d.content.to_string());
    for text in manifests.chain(whole_envoys()) {
        for strips in ["strip_any_host_port", "strip_matching_host_port"] {
            assert!(!text.contains(strips), "{strips}");
        }
    }
}

/// The configurations of an Envoy as a whole.
fn whole_envoys() -> [String; 2] {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = ["envoy/envoy.yaml", "envoy/ai-gateway.yaml"];
    files.map(|file| fs::read_to_string(root.join(file)).unwrap())
}

fn assert_set_everywhere(setting: &str, also_in_envoy_gateway: bool) {
    for envoy in whole_envoys() {
        let managers = envoy.matches("http_connection_manager.v3.Http").count();
        let line = format!("{setting}: true");
        let set = envoy.lines().filter(|l| l.trim() == line).count();
        assert_eq!(set, managers, "{setting}");
    }
    // What is merged into Istio's own configuration.
    let patches: Vec<Document> = documents()
        .into_iter()
        .filter(|document| document.file == "envoy/istio/proxy.yaml")
        .collect();
    let mut found = Vec::new();
    let contents = patches.iter().map(|document| &document.content);
    contents.for_each(|content| all(content, setting, &mut found));
    assert_eq!(found, [&json!(true)], "{setting}");
    if !also_in_envoy_gateway {
        return;
    }
    // What is put into Envoy Gateway's.
    let policy = of_kind("EnvoyPatchPolicy").content;
    let patches = policy["spec"]["jsonPatches"].as_array().unwrap();
    let sets = |patch: &&Value| {
        let path = patch["operation"]["path"].as_str().unwrap();
        path.trim_start_matches('/') == setting
    };
    let patch = patches.iter().find(sets).expect(setting);
    assert_eq!(patch["operation"]["value"], true, "{setting}");
}
