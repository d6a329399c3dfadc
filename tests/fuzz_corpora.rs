//! The fuzz targets on their corpora, and on what a few cheap changes make of each seed: what a
//! fuzzer once found stays found, with every `cargo test` and on any toolchain.

#[path = "../fuzz/targets.rs"]
mod targets;

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

type Target = fn(&[u8]) -> bool;

const TARGETS: [(&str, Target); 13] = [
    ("claims", targets::claims),
    ("configuration", targets::configuration),
    ("inflate", targets::inflate),
    ("introspection", targets::introspection),
    ("jwks", targets::jwks),
    ("fetch_lease", targets::fetch_lease),
    ("proof", targets::proof),
    ("replica", targets::replica),
    ("request", targets::request),
    ("revocation", targets::revocation),
    ("state", targets::state),
    ("status_list", targets::status_list),
    ("token", targets::token),
];

/// Changed copies of the seeds of a target, as many of each.
const MUTANTS: usize = 4000;

/// Larger seeds cost more to run and have few bytes that matter.
const MUTATED_BYTES: usize = 4096;

struct Seed {
    name: String,
    bytes: Vec<u8>,
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz")
        .join(name)
}

/// Names of what is in a folder of `fuzz/`, sorted.
fn names(name: &str) -> Vec<String> {
    let folder = folder(name);
    let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
    let mut names: Vec<String> = entries.map(|entry| name(entry.unwrap())).collect();
    names.sort();
    names
}

fn seeds(target: &str) -> Vec<Seed> {
    let corpus = format!("corpus/{target}");
    let seed = |name: String| Seed {
        bytes: fs::read(folder(&corpus).join(&name)).unwrap(),
        name,
    };
    names(&corpus).into_iter().map(seed).collect()
}

/// Runs a target; where it panics, says on what.
fn run(name: &str, target: Target, of: &str, input: &[u8]) -> bool {
    catch_unwind(AssertUnwindSafe(|| target(input))).unwrap_or_else(|_| {
        let shown = String::from_utf8_lossy(input);
        panic!("{name}, made of {of}: {}", shown.escape_debug())
    })
}

// === the corpora ===

#[test]
fn every_target_is_a_file_and_has_seeds() {
    let listed: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).into()).collect();
    let files = names("fuzz_targets").into_iter();
    let files = files.map(|name| name.strip_suffix(".rs").expect("a target").to_owned());
    assert_eq!(files.collect::<BTreeSet<_>>(), listed);
    assert_eq!(names("corpus").into_iter().collect::<BTreeSet<_>>(), listed);
    for name in &listed {
        let manifest = fs::read_to_string(folder("Cargo.toml")).unwrap();
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
        let file = fs::read_to_string(folder("fuzz_targets").join(format!("{name}.rs"))).unwrap();
        assert!(file.contains(&format!("targets::{name}(data)")), "{name}");
        let seeds = seeds(name);
        for kind in ["accepted-", "refused-"] {
            let has = seeds.iter().any(|seed| seed.name.starts_with(kind));
            assert!(has, "{name}: no seed that is {kind}");
        }
    }
}

#[test]
fn every_seed_ends_as_its_name_says() {
    let mut wrong = Vec::new();
    for (name, target) in TARGETS {
        for seed in seeds(name) {
            let expected = match seed.name.split_once('-') {
                Some(("accepted", _)) => true,
                Some(("refused", _)) => false,
                _ => panic!("{name}/{}: accepted or refused?", seed.name),
            };
            let accepted = run(name, target, &seed.name, &seed.bytes);
            if accepted != expected {
                wrong.push(format!("{name}/{}", seed.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_mutant_of_a_seed_breaks_what_must_hold() {
    for (name, target) in TARGETS {
        let seeds = seeds(name);
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        for seed in seeds.iter().filter(|s| s.bytes.len() <= MUTATED_BYTES) {
            for _ in 0..MUTANTS / seeds.len() {
                let other = &seeds[random.below(seeds.len())].bytes;
                let mutant = random.mutate(&seed.bytes, other);
                run(name, target, &seed.name, &mutant);
            }
        }
    }
}

// === mutations ===

/// xorshift64*: the same on every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    /// Below `bound`, or zero.
    fn below(&mut self, bound: usize) -> usize {
        (self.next() as usize).checked_rem(bound).unwrap_or(0)
    }

    /// A seed with one to three changes.
    fn mutate(&mut self, seed: &[u8], other: &[u8]) -> Vec<u8> {
        /// What parsers stumble over.
        const BYTES: &[u8] = b"\0\x01\x7f\x80\xff\"\\{}[]:,.;/%=&- \r\n09eu";
        let mut bytes = seed.to_vec();
        for _ in 0..=self.below(3) {
            let at = self.below(bytes.len());
            let to = at + self.below(bytes.len().saturating_sub(at).min(64) + 1);
            match self.below(7) {
                0 => bytes.truncate(at),
                1 => drop(bytes.drain(at..to)),
                2 => {
                    let copy = bytes[at..to].to_vec();
                    bytes.splice(at..at, copy);
                }
                3 => {
                    let cut = self.below(other.len());
                    bytes.truncate(at);
                    bytes.extend_from_slice(&other[cut..]);
                }
                4 => bytes.insert(at, BYTES[self.below(BYTES.len())]),
                5 if !bytes.is_empty() => bytes[at] = BYTES[self.below(BYTES.len())],
                _ if !bytes.is_empty() => bytes[at] ^= 1 << self.below(8),
                _ => {}
            }
        }
        bytes
    }
}
