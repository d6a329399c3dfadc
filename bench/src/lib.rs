//! What the measurements share: one Envoy, its configuration, requests and clients.

#![deny(missing_docs)]

pub mod authority;
pub mod callers;
pub mod clock;
pub mod envoy;
pub mod figures;
pub mod http;
pub mod issuer;
pub mod load;
pub mod machine;
pub mod prover;
pub mod service;
pub mod setup;
pub mod statistics;
pub mod traffic;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Whatever ends a run.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
/// What every step of a run returns.
pub type Result<T> = std::result::Result<T, Error>;

/// The project's folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A number that an environment variable can set.
pub fn setting<T: FromStr>(name: &str, default: T) -> Result<T> {
    match env::var(name) {
        Err(_) => Ok(default),
        Ok(text) => {
            let value = text.parse();
            Ok(value.map_err(|_| format!("{name}={text} is no number"))?)
        }
    }
}

/// The path of a module. Where it is missing, the error names the make target that builds it.
pub fn built(name: &str, target: &str) -> Result<PathBuf> {
    let found = fs::canonicalize(root().join(name));
    Ok(found.map_err(|_| format!("no {name}: run `make {target}`"))?)
}
