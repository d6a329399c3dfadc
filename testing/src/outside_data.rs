//! Test data from outside the repository. A test whose data is absent is skipped: it says so on standard error, and in
//! the file that `PORTCULLIS_TEST_SKIPS` names, which `make test` counts. With `OUTSIDE_DATA=required`, as `.ci/run`
//! sets it, the test fails instead.

use std::env;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;

use serde_json::Value;

/// The variable that names another folder, and what is in that folder.
struct Source {
    variable: &'static str,
    folder: &'static str,
    content: &'static str,
}

const CORPORA: Source = Source {
    variable: "CORPORA",
    folder: "../shared/corpora",
    content: "corpora",
};

const CRDS: Source = Source {
    variable: "CRDS",
    folder: "../shared/crds",
    content: "CRDs",
};

/// A JSON file of the corpora: recorded tokens, attacks and vectors.
pub fn corpus(name: &str) -> Option<Value> {
    let file = CORPORA.folder()?.join(name);
    let text = fs::read(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    Some(serde_json::from_slice(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display())))
}

/// The folder of the CustomResourceDefinitions of Istio and Envoy Gateway.
pub fn crds() -> Option<PathBuf> {
    CRDS.folder()
}

/// Reports that the running test, or a part of it, is skipped. Written to the stream itself, for the test harness
/// swallows what a passing test prints.
pub fn skipped(why: &str) {
    let thread = thread::current();
    let test = thread.name().unwrap_or("a test");
    let line = format!("skipped: {why}: {test}\n");
    io::stderr()
        .write_all(line.as_bytes())
        .expect("standard error is open");
    if let Some(list) = env::var_os("PORTCULLIS_TEST_SKIPS") {
        let list = OpenOptions::new().create(true).append(true).open(&list);
        let written = list.and_then(|mut list| list.write_all(line.as_bytes()));
        written.expect("the file of PORTCULLIS_TEST_SKIPS can be written");
    }
}

// === impl Source ===

impl Source {
    /// `None` where the folder is absent and may be.
    fn folder(&self) -> Option<PathBuf> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
        let default = || root.expect("the workspace's folder").join(self.folder);
        let folder = env::var_os(self.variable).map_or_else(default, PathBuf::from);
        if folder.is_dir() {
            return Some(folder);
        }
        let is_required = env::var_os("OUTSIDE_DATA").is_some_and(|it| it == "required");
        assert!(
            !is_required,
            "no {} at {}: set {}",
            self.content,
            folder.display(),
            self.variable
        );
        skipped(&format!("no {}", self.content));
        None
    }
}
