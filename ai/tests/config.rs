//! The tests of the configuration, for the module that reads bodies: those of the other module, and its own.

mod config {
    mod bodies;
    #[path = "../../../tests/config/harness.rs"]
    pub mod harness;
    #[path = "../../../tests/config/meaning.rs"]
    mod meaning;
    #[path = "../../../tests/config/messages.rs"]
    mod messages;
    #[path = "../../../tests/documents/pages.rs"]
    pub mod pages;
    #[path = "../../../tests/config/protobuf.rs"]
    mod protobuf;
    #[path = "../../../tests/config/schema.rs"]
    mod schema;
    #[path = "../../../tests/config/whole_files.rs"]
    mod whole_files;
}

use config::harness::{compile_yaml, environment, files, good, meaning, reference, to_json};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const GOOD: &[&str] = &["tests/config/good", "ai/tests/config/good"];
const BAD: &[&str] = &["tests/config/bad", "ai/tests/config/bad"];
const FAULT_MARKS: &[&str] = &["#! ", "#!+ "];
/// This one has all keys.
const NEED_BODIES: &[&str] = &[];
