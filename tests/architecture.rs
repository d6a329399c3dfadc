//! The import law: a file of the core uses what stands above it in `core/src/lib.rs` and the files below
//! itself, and no files use each other in a circle.

use std::collections::{BTreeMap, BTreeSet};
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

/// Files that declare a type on which the files right below them work, which may use it: the parts of one
/// `impl`, or the readers of one type's parts. In every other folder, what siblings share is in a file of
/// its own.
const SPREAD: [&str; 3] = ["keys", "revocation/replica", "verification/signature"];

/// What a file is called: its path below `core/src` without the ending.
fn module_of(path: &Path) -> String {
    let relative = path.strip_prefix(root().join("core/src")).unwrap();
    let name = relative.to_str().expect("a name of this project");
    name.trim_end_matches(".rs").to_owned()
}

/// A file's code without comments and tests.
fn code(text: &str) -> String {
    let code = text.split("#[cfg(test)]").next().unwrap();
    let lines = code.lines();
    let lines = lines.filter(|line| !line.trim_start().starts_with("//"));
    // How far something is visible is no use of it, and a macro's paths are its callers'.
    let code = lines.collect::<Vec<_>>().join("\n");
    code.replace("pub(in crate::", "pub(in ")
        .replace("$crate::", "")
}

/// The paths below `core/src` that a file names, groups in braces written out.
fn uses(module: &str, text: &str) -> Vec<Vec<String>> {
    let code = code(text);
    let own: Vec<String> = module.split('/').map(str::to_owned).collect();
    let parent = &own[..own.len() - 1];
    let mut paths = Vec::new();
    for (prefix, before) in [("crate::", &[][..]), ("self::", &own), ("super::", parent)] {
        for (at, _) in code.match_indices(prefix) {
            let is_path = !code[..at].ends_with(|c: char| c.is_alphanumeric() || "_:".contains(c));
            assert!(is_path, "{module}: a path that begins elsewhere");
            let mut rest = &code[at + prefix.len()..];
            read_paths(&mut rest, before, &mut paths);
        }
    }
    paths
}

fn read_paths(rest: &mut &str, before: &[String], paths: &mut Vec<Vec<String>>) {
    let mut path = before.to_vec();
    loop {
        *rest = rest.trim_start();
        if let Some(group) = rest.strip_prefix('{') {
            *rest = group;
            loop {
                *rest = rest.trim_start();
                if let Some(behind) = rest.strip_prefix('}') {
                    *rest = behind;
                    return;
                }
                read_paths(rest, &path, paths);
                *rest = rest.trim_start();
                *rest = rest.strip_prefix(',').unwrap_or(rest);
            }
        }
        let end = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        assert!(end > 0 || rest.starts_with('*'), "a path: {rest:.40}");
        if end > 0 && &rest[..end] != "self" {
            path.push(rest[..end].to_owned());
        }
        *rest = rest[end..].trim_start_matches('*');
        match rest.strip_prefix("::") {
            Some(behind) => *rest = behind,
            None => break,
        }
    }
    paths.push(path);
}

#[test]
fn paths_in_braces_are_written_out() {
    let text = "use crate::a::{self, B, c::{D, e::*}};\nuse super::F;\nuse self::g::H;\n\
                pub(in crate::i) struct J(crate::k::L<u8>);";
    let paths = uses("m/n", text);
    let paths: Vec<String> = paths.iter().map(|path| path.join("::")).collect();
    let expected = [
        "a",
        "a::B",
        "a::c::D",
        "a::c::e",
        "k::L",
        "m::n::g::H",
        "m::F",
    ];
    assert_eq!(paths, expected);
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
        let Some(mine) = rank(&top).filter(|_| !is_test) else {
            continue;
        };
        for used in uses(&module_of(&path), &read(&path)) {
            checked += 1;
            match rank(&used[0]) {
                Some(theirs) if theirs <= mine => {}
                _ => broken.push(format!(
                    "{} uses crate::{}",
                    path.display(),
                    used.join("::")
                )),
            }
        }
    }
    assert!(checked > 50, "the test must see the imports: {checked}");
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Which files each file uses; it uses those that it declares.
fn graph() -> BTreeMap<String, BTreeSet<String>> {
    let files: BTreeMap<String, String> = sources()
        .into_keys()
        .filter(|path| path.file_name().unwrap() != "tests.rs")
        .map(|path| (module_of(&path), read(&path)))
        .filter(|(module, _)| module != "lib")
        .collect();
    let mut graph = BTreeMap::new();
    for (module, text) in &files {
        let mut used = BTreeSet::new();
        for path in uses(module, text) {
            // What follows the last module is an item in it.
            let prefixes = (1..=path.len()).rev().map(|n| path[..n].join("/"));
            used.extend(prefixes.into_iter().find(|p| files.contains_key(p)));
        }
        for line in code(text).lines() {
            let declared = line.trim_start_matches("pub ");
            let declared = declared.trim_start_matches("pub(super) ");
            let declared = declared
                .strip_prefix("mod ")
                .and_then(|m| m.strip_suffix(';'));
            used.extend(declared.map(|name| format!("{module}/{name}")));
        }
        used.remove(module);
        if let Some((parent, _)) = module.rsplit_once('/')
            && SPREAD.contains(&parent)
        {
            used.remove(parent);
        }
        graph.insert(module.clone(), used);
    }
    graph
}

/// A file that declares another uses it: so a file may not use its own parent, and what both need
/// stands in a file of its own.
#[test]
fn no_files_use_each_other_in_a_circle() {
    let graph = graph();
    for parent in SPREAD {
        assert!(graph.contains_key(parent), "{parent} is no file");
    }
    let uses: usize = graph.values().map(BTreeSet::len).sum();
    assert!(uses > 200, "the test must see the imports: {uses}");
    let mut circles = Vec::new();
    for (module, used) in &graph {
        for first in used {
            let mut reached = BTreeSet::from([first]);
            let mut next = vec![first];
            while let Some(at) = next.pop() {
                let further = graph.get(at).into_iter().flatten();
                next.extend(further.filter(|module| reached.insert(module)));
            }
            if reached.contains(module) {
                circles.push(format!("{module} uses {first}, which leads back to it"));
            }
        }
    }
    assert!(circles.is_empty(), "{circles:#?}");
}

#[test]
fn the_core_has_no_unsafe_code() {
    assert!(read(&root().join("core/src/lib.rs")).contains("#![forbid(unsafe_code)]"));
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
