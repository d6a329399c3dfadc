//! The import law: a file uses what stands above it in `core/src/lib.rs`, and its own children.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The modules in the order in which `core/src/lib.rs` declares them.
fn modules() -> Vec<String> {
    read(&root().join("core/src/lib.rs"))
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .map(str::to_owned)
        .collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Every source file of the core, with the top module that it belongs to.
fn sources() -> BTreeMap<PathBuf, String> {
    sources_below("core/src")
}

fn sources_below(source: &str) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root().join(source)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let relative = path.strip_prefix(root().join(source)).unwrap();
            let top = relative.iter().next().unwrap().to_str().unwrap();
            found.insert(path.clone(), top.trim_end_matches(".rs").to_owned());
        }
    }
    found
}

/// The top modules that a file names with `crate::`, outside its tests.
fn uses(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]").next().unwrap();
    let code: String = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n");
    code.match_indices("crate::")
        .map(|(i, prefix)| {
            code[i + prefix.len()..]
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect()
        })
        .collect()
}

#[test]
fn a_file_uses_only_what_stands_above_it() {
    let modules = modules();
    assert!(modules.len() > 10, "core/src/lib.rs lists the modules");
    let rank = |module: &str| modules.iter().position(|m| m == module);
    let mut broken = Vec::new();
    let mut checked = 0;
    for (path, top) in sources() {
        let is_test = path.file_name().unwrap() == "tests.rs";
        // The shell and the binaries may use everything, and nothing uses them.
        let Some(mine) = rank(&top).filter(|_| !is_test) else {
            continue;
        };
        for used in uses(&read(&path)) {
            checked += 1;
            match rank(&used) {
                Some(theirs) if theirs <= mine => {}
                _ => broken.push(format!("{} uses crate::{used}", path.display())),
            }
        }
    }
    assert!(checked > 50, "the test must see the imports: {checked}");
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn one_file_has_the_host_calls() {
    let with_host_calls: Vec<PathBuf> = sources_below("src")
        .into_keys()
        .filter(|path| read(path).contains("wasm_import_module"))
        .collect();
    assert_eq!(with_host_calls, [root().join("src/host_abi.rs")]);
}

#[test]
fn unsafe_code_stays_at_the_border() {
    for path in sources_below("src").into_keys() {
        let border = path.ends_with("src/host_abi.rs");
        assert!(
            border || !read(&path).contains("unsafe "),
            "{}",
            path.display()
        );
    }
}

/// A file's name tells what is in it.
#[test]
fn no_file_has_a_name_that_says_nothing() {
    for path in sources().into_keys() {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let empty = [
            "mod", "util", "utils", "helper", "helpers", "manager", "common", "misc",
        ];
        assert!(!empty.contains(&name), "{}", path.display());
    }
}

/// The core reads no clock.
#[test]
fn time_is_an_argument() {
    let is_test = |path: &PathBuf| path.file_name().unwrap() == "tests.rs";
    for path in sources().into_keys().filter(|path| !is_test(path)) {
        let text = read(&path);
        let reads = text.contains("SystemTime::now") || text.contains("Instant::now");
        assert!(!reads, "{}", path.display());
    }
}
