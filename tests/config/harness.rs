//! What the tests of both modules share: without bodies here, with them in `ai/tests`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use portcullis_core::policy::{Compiled, InvalidPolicy, Policy, compile};
use serde_json::Value;

use crate::{GOOD, NEED_BODIES, ROOT};

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
        #[cfg(feature = "ai")]
        budgets,
    } = policy;
    #[cfg(not(feature = "ai"))]
    let budgets = ();
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
    format!("{whole:?}{rest:?}{audit:?}{filter_state:?}{budgets:?}")
}

/// The YAML files of some folders of this project, sorted.
pub fn files(folders: &[&str]) -> Vec<PathBuf> {
    let of_folder = |folder: &&str| {
        let folder = Path::new(ROOT).join(folder);
        let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| path.extension().is_some_and(|e| e == "yaml"));
        files.sort();
        assert!(!files.is_empty(), "{}: no configuration", folder.display());
        files
    };
    folders.iter().flat_map(of_folder).collect()
}

/// The configurations that compile, and the shipped policies.
pub fn good() -> Vec<PathBuf> {
    let mut files = [files(GOOD), files(&["policies"])].concat();
    files.retain(|path| !is_for_the_other_module(path));
    files
}

fn is_for_the_other_module(path: &Path) -> bool {
    let is_policy = path
        .parent()
        .is_some_and(|folder| folder.ends_with("policies"));
    is_policy && NEED_BODIES.iter().any(|name| path.ends_with(name))
}

/// The YAML blocks of a section of the reference.
pub fn reference(heading: &str) -> Vec<&'static str> {
    let page = include_str!("../../docs/configuration.md");
    let section = page.split(&format!("\n## {heading}\n")).nth(1);
    let section = section.unwrap_or_else(|| panic!("{heading} is not there"));
    let section = section.split("\n## ").next().unwrap();
    let blocks = section.split("```yaml\n").skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap())
        .collect()
}
