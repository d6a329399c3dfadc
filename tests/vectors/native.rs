//! The implementations that run without an Envoy, and what they say of the vectors.

use std::collections::HashMap;
use std::thread;

use portcullis_core::keys::{Algorithm, Key, KeySet, Origin};
use portcullis_core::verification::signature::Verifier;

use super::decoder;
use crate::lists;
use crate::lists::vector::Vector;

#[test]
fn every_vector() {
    thread::scope(|scope| {
        for (name, vectors) in lists::all() {
            println!("{name}: {} vectors", vectors.len());
            scope.spawn(move || hold_all(&vectors));
        }
    });
}

/// Holds every vector against one judge; a key that does not load is a refusal.
pub fn hold(name: &str, vectors: &[Vector], judge: impl Fn(Algorithm, &Key, &[u8], &[u8]) -> bool) {
    let mut keys = HashMap::new();
    let wrong: Vec<_> = vectors
        .iter()
        .filter(|vector| {
            let key = keys.entry(&vector.jwk).or_insert_with(|| key(vector));
            let verdict = key.as_ref().is_some_and(|key| {
                judge(vector.algorithm, key, &vector.message, &vector.signature)
            });
            verdict != vector.valid
        })
        .map(|vector| format!("{} (expected {})", vector.name, vector.valid))
        .collect();
    assert!(
        wrong.is_empty(),
        "{name} is wrong about {} of {}:\n{}",
        wrong.len(),
        vectors.len(),
        wrong.join("\n")
    );
}

/// The key, unless it is one that we refuse.
fn key(vector: &Vector) -> Option<Key> {
    let (keys, _) = KeySet::parse(vector.jwks().as_bytes(), Origin::Inline).ok()?;
    keys.iter().next().cloned()
}

/// Holds the vectors against Rust alone and against Rust behind the host's interface.
pub fn hold_all(vectors: &[Vector]) {
    for (name, verifier) in [
        ("pure Rust", Verifier::software()),
        ("the host's path", decoder::verifier()),
    ] {
        hold(name, vectors, |algorithm, key, message, signature| {
            verifier.verify(algorithm, key, message, signature).is_ok()
        });
    }
}
