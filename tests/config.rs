//! Configurations that compile, and those that fail with exactly the messages written at
//! their top: `#! ` begins a fault, `#? ` a warning, in the order in which they are reported.

mod config {
    mod meaning;
    mod messages;
    mod protobuf;
    mod schema;
    mod size;
}

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use portcullis_core::policy::{Compiled, InvalidPolicy, Policy, compile};
use serde_json::Value;

/// What the VM's environment holds in these tests.
pub fn environment(name: &str) -> Option<String> {
    let value = match name {
        "EMPTY" => "",
        "SHORT" => "fifteen bytes!!",
        "PEPPER" | "API_KEY_PEPPER" | "INTROSPECTION_SECRET" | "LIST_AUTHORIZATION" => {
            "0123456789abcdef0123"
        }
        _ => return None,
    };
    Some(value.into())
}

pub fn compile_yaml(yaml: &str) -> Result<Compiled, InvalidPolicy> {
    compile(to_json(yaml).to_string().as_bytes(), &environment)
}

pub fn to_json(yaml: &str) -> Value {
    serde_saphyr::from_str(yaml).expect("the test's own YAML")
}

/// All that a policy says, but for what has no order: the tables of digests, the forwarded headers.
pub fn meaning(policy: &Policy) -> String {
    let Policy {
        realm,
        mode,
        providers,
        api_keys,
        takes_proofs,
        locations,
        routes,
        rules,
        unmatched,
        allow_cors_preflight,
        resources,
        forward,
        compared_headers,
        claims,
        limits,
        audit,
        filter_state,
    } = policy;
    let api_keys = api_keys.as_ref().map(|keys| {
        let [by_sha256, by_hmac] = [&keys.inline.sha256, &keys.inline.hmac_sha256].map(|table| {
            let keys = table.values().map(|key| format!("{key:?}"));
            keys.collect::<BTreeSet<_>>()
        });
        let calls = (&keys.remote, &keys.revocation_list);
        (&keys.locations, &keys.pepper, by_sha256, by_hmac, calls)
    });
    let headers = forward.headers.iter().map(|header| format!("{header:?}"));
    let headers: BTreeSet<_> = headers.collect();
    let forward = (headers, &forward.payload_header, forward.credential);
    let whole = (realm, mode, providers, api_keys, locations, routes, rules);
    let rest = (
        takes_proofs,
        unmatched,
        allow_cors_preflight,
        resources,
        forward,
        (compared_headers, claims),
        limits,
    );
    format!("{whole:?}{rest:?}{audit:?}{filter_state:?}")
}

/// The YAML files of a folder of this project, sorted.
pub fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "yaml"));
    files.sort();
    assert!(!files.is_empty(), "{}: no configuration", folder.display());
    files
}

/// The shipped policies, where they are shipped already.
pub fn shipped() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    if folder.exists() {
        files("policies")
    } else {
        Vec::new()
    }
}

/// The lines of a YAML file that begin with `mark`.
fn expected<'y>(yaml: &'y str, mark: &str) -> Vec<&'y str> {
    yaml.lines().filter_map(|l| l.strip_prefix(mark)).collect()
}

#[test]
fn good_ones_compile_with_exactly_their_warnings() {
    for path in files("tests/config/good").into_iter().chain(shipped()) {
        let yaml = fs::read_to_string(&path).unwrap();
        match compile_yaml(&yaml) {
            Err(invalid) => panic!("{}:\n{invalid}", path.display()),
            Ok(compiled) => {
                let found: Vec<_> = compiled.warnings.iter().map(ToString::to_string).collect();
                assert_eq!(found, expected(&yaml, "#? "), "{}", path.display());
            }
        }
    }
}

#[test]
fn bad_ones_fail_with_exactly_their_messages() {
    let mut wrong = String::new();
    for path in files("tests/config/bad") {
        let yaml = fs::read_to_string(&path).unwrap();
        let found = match compile_yaml(&yaml) {
            Ok(_) => String::from("it compiled"),
            Err(invalid) => invalid.to_string(),
        };
        if found.lines().ne(expected(&yaml, "#! ")) {
            let name = path.file_name().unwrap().to_string_lossy();
            let lines = found.lines().map(|line| format!("#! {line}\n"));
            wrong += &format!("{name}\n{}", lines.collect::<String>());
        }
    }
    assert!(wrong.is_empty(), "other messages than written:\n{wrong}");
}

/// An operator may copy the reference as it stands.
#[test]
fn the_reference_compiles() {
    let page = include_str!("../docs/configuration.md");
    let section = page.split("\n## All of it\n").nth(1).unwrap();
    let yaml = section.split("```yaml\n").nth(1).unwrap();
    let yaml = yaml.split("```").next().unwrap();
    if let Err(invalid) = compile_yaml(yaml) {
        panic!("{invalid}");
    }
}
