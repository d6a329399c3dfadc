//! The documents, and the configurations in them. The tests of both modules compile these.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::ROOT;

/// Folders that hold what was built or fetched.
const NOT_OURS: [&str; 3] = ["target", ".cache", ".git"];

/// Every Markdown file of the project with its text.
pub fn documents() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(ROOT).to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !NOT_OURS.contains(&name.as_str()) {
                folders.push(path);
            } else if name.ends_with(".md") {
                found.push((path.clone(), fs::read_to_string(path).unwrap()));
            }
        }
    }
    found
}

/// Every plugin configuration in a YAML block of theirs, and whose it is.
pub fn configurations() -> Vec<(PathBuf, Value)> {
    let mut found = Vec::new();
    for (path, page) in documents() {
        for block in page.split("```yaml\n").skip(1) {
            let yaml = block.split("```").next().unwrap();
            let value: Value = serde_saphyr::from_str(yaml)
                .unwrap_or_else(|invalid| panic!("{}: {invalid}\n{yaml}", path.display()));
            let mut in_block = Vec::new();
            configurations_in(&value, &mut in_block);
            found.extend(
                in_block
                    .into_iter()
                    .map(|value| (path.clone(), value.clone())),
            );
        }
    }
    found
}

/// The whole of a document, or what an Envoy filter has as its `configuration`.
pub fn configurations_in<'v>(value: &'v Value, found: &mut Vec<&'v Value>) {
    match value {
        Value::Object(members) if members.contains_key("rules") => found.push(value),
        Value::Object(members) => members.values().for_each(|v| configurations_in(v, found)),
        Value::Array(items) => items.iter().for_each(|v| configurations_in(v, found)),
        _ => {}
    }
}
