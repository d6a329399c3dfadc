//! Every configuration in a file of its own compiles, or fails with exactly the messages at its top.

use std::fs;
use std::path::Path;

use crate::{BAD, FAULT_MARKS, NEED_BODIES, ROOT, compile_yaml, files, good, reference};

/// The lines of a YAML file that begin with one of these marks.
fn expected<'y>(yaml: &'y str, marks: &[&str]) -> Vec<&'y str> {
    let message = |line: &'y str| marks.iter().find_map(|mark| line.strip_prefix(mark));
    yaml.lines().filter_map(message).collect()
}

#[test]
fn good_ones_compile_with_exactly_their_warnings() {
    for path in good() {
        let yaml = fs::read_to_string(&path).unwrap();
        match compile_yaml(&yaml) {
            Err(invalid) => panic!("{}:\n{invalid}", path.display()),
            Ok(compiled) => {
                let found: Vec<_> = compiled.warnings.iter().map(ToString::to_string).collect();
                assert_eq!(found, expected(&yaml, &["#? "]), "{}", path.display());
            }
        }
    }
}

#[test]
fn bad_ones_fail_with_exactly_their_messages() {
    let mut wrong = String::new();
    for path in files(BAD) {
        let yaml = fs::read_to_string(&path).unwrap();
        let found = match compile_yaml(&yaml) {
            Ok(_) => String::from("it compiled"),
            Err(invalid) => invalid.to_string(),
        };
        if found.lines().ne(expected(&yaml, FAULT_MARKS)) {
            let name = path.file_name().unwrap().to_string_lossy();
            let lines = found.lines().map(|line| format!("#! {line}\n"));
            wrong += &format!("{name}\n{}", lines.collect::<String>());
        }
    }
    assert!(wrong.is_empty(), "other messages than written:\n{wrong}");
}

/// They lack the other module and nothing else.
#[test]
fn policies_for_the_other_module_say_so() {
    for name in NEED_BODIES {
        let path = Path::new(ROOT).join("policies").join(name);
        let invalid = compile_yaml(&fs::read_to_string(path).unwrap()).unwrap_err();
        for fault in invalid.faults() {
            let message = fault.to_string();
            assert!(
                message.ends_with("needs portcullis-ai.wasm"),
                "{name}: {message}"
            );
        }
    }
}

/// An operator may copy the reference as it stands.
#[test]
fn the_reference_compiles() {
    let [yaml] = reference("All of it")[..] else {
        panic!("one block");
    };
    if let Err(invalid) = compile_yaml(yaml) {
        panic!("{invalid}");
    }
}
