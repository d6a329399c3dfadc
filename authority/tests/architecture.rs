//! No circles: the files of `src/` can be read in an order in which each uses only files that were read before.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A file by its module path: `store::tokens` is `src/store/tokens.rs`.
type Uses = BTreeMap<String, BTreeSet<String>>;

/// Each file, and the files that it uses. A file uses every module that it declares, so no file may use its parent.
fn uses() -> Uses {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let code: BTreeMap<String, String> = sources(&root)
        .into_iter()
        .map(|path| (module(&root, &path), code(&path)))
        .collect();
    code.iter()
        .map(|(module, text)| {
            let declared = declared(text).map(|child| match module.as_str() {
                "main" => child.to_owned(),
                parent => format!("{parent}::{child}"),
            });
            let imported = imported(text).map(|path| {
                owner(&code, path).unwrap_or_else(|| panic!("{module}: which file has {path}?"))
            });
            let used = declared.chain(imported).filter(|used| used != module);
            (module.clone(), used.collect())
        })
        .collect()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| match path.extension() {
            _ if path.is_dir() => sources(&path),
            Some(extension) if extension == "rs" => vec![path],
            _ => Vec::new(),
        })
        .collect()
}

fn module(root: &Path, path: &Path) -> String {
    let path = path.strip_prefix(root).unwrap().with_extension("");
    let names: Vec<&str> = path.iter().map(|name| name.to_str().unwrap()).collect();
    names.join("::")
}

/// Without comments and unit tests, which may use anything.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let (code, _) = text.split_once("#[cfg(test)]\nmod").unwrap_or((&text, ""));
    let lines = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn declared(code: &str) -> impl Iterator<Item = &str> {
    code.lines().filter_map(|line| {
        let line = line.trim_start_matches("pub ");
        line.strip_prefix("mod ")?.strip_suffix(';')
    })
}

/// What follows each `crate::`, up to the first character that belongs to no path.
fn imported(code: &str) -> impl Iterator<Item = &str> {
    code.split("crate::").skip(1).map(|rest| {
        let is_path = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':');
        rest.split(|c| !is_path(c)).next().unwrap()
    })
}

/// The file that has an item: the longest beginning of its path that is a file.
fn owner(code: &BTreeMap<String, String>, path: &str) -> Option<String> {
    let names: Vec<&str> = path.split("::").collect();
    let beginnings = (1..=names.len())
        .rev()
        .map(|end| names.get(..end).unwrap().join("::"));
    beginnings
        .into_iter()
        .find(|module| code.contains_key(module))
}

#[test]
fn no_file_uses_a_file_that_uses_it() {
    let mut left = uses();
    let edges: usize = left.values().map(BTreeSet::len).sum();
    assert!(
        left.len() > 30 && edges > 100,
        "{} files, {edges} uses",
        left.len()
    );
    // Takes away what uses nothing that is left, until no file is left, or only circles.
    loop {
        let (free, bound): (Uses, Uses) = left
            .clone()
            .into_iter()
            .partition(|(_, used)| !used.iter().any(|used| left.contains_key(used)));
        if free.is_empty() {
            break;
        }
        left = bound;
    }
    assert!(left.is_empty(), "circles among, or above, these: {left:#?}");
}

/// `super::` and nested imports would hide uses from the test above.
#[test]
fn every_use_is_spelled_out_from_the_crate_root() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for path in sources(&root) {
        let code = code(&path);
        for hidden in ["super::", "crate::{", "crate::*"] {
            assert!(!code.contains(hidden), "{}: {hidden}", path.display());
        }
    }
}
