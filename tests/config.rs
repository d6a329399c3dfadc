//! Configurations that compile, and those that fail with exactly the messages written at
//! their top, in the order in which they are reported: `#! ` begins a fault, `#!- ` one of the module
//! without bodies, `#!+ ` one of the module with them, `#? ` a warning.

mod config {
    pub mod harness;
    mod meaning;
    mod messages;
    mod protobuf;
    mod schema;
    mod size;
    mod whole_files;
}

use config::harness::{compile_yaml, environment, files, good, meaning, reference, to_json};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const GOOD: &[&str] = &["tests/config/good"];
const BAD: &[&str] = &["tests/config/bad"];
const FAULT_MARKS: &[&str] = &["#! ", "#!- "];
/// Policies for `portcullis-ai.wasm`, which its own tests compile.
const NEED_BODIES: &[&str] = &["ai-gateway.yaml", "tour-models.yaml"];
