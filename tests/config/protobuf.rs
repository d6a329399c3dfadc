//! A configuration means the same as a `Struct` and as JSON text: its policy, its warnings, its
//! faults.

use std::fs;

use portcullis_core::policy::compile;
use serde_json::Value;

use crate::{BAD, environment, files, good, meaning, to_json};

/// The value as `google.protobuf.Struct` has it on the wire (`google/protobuf/struct.proto`).
fn to_struct(object: &Value) -> Vec<u8> {
    let members = object.as_object().expect("a Struct is an object");
    let entry = |(name, value): (&String, &Value)| {
        let entry = [bytes(1, name.as_bytes()), bytes(2, &to_value(value))];
        bytes(1, &entry.concat())
    };
    members.iter().flat_map(entry).collect()
}

fn to_value(value: &Value) -> Vec<u8> {
    match value {
        Value::Null => vec![1 << 3, 0],
        Value::Number(number) => {
            let double = number.as_f64().expect("a double");
            [&[2 << 3 | 1], &double.to_le_bytes()[..]].concat()
        }
        Value::String(text) => bytes(3, text.as_bytes()),
        Value::Bool(bit) => vec![4 << 3, u8::from(*bit)],
        Value::Object(_) => bytes(5, &to_struct(value)),
        Value::Array(items) => {
            let items = items.iter().flat_map(|item| bytes(1, &to_value(item)));
            bytes(6, &items.collect::<Vec<_>>())
        }
    }
}

/// A field of the wire type 2: tag, length, bytes.
fn bytes(number: u8, payload: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    let mut length = payload.len();
    while length >= 0x80 {
        field.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
        length >>= 7;
    }
    field.push(u8::try_from(length).unwrap());
    field.extend_from_slice(payload);
    field
}

#[test]
fn a_struct_means_what_its_json_means() {
    let mut faults = 0;
    for path in good().into_iter().chain(files(BAD)) {
        let json = to_json(&fs::read_to_string(&path).unwrap());
        let of_text = compile(json.to_string().as_bytes(), &environment);
        let of_struct = compile(&to_struct(&json), &environment);
        match (of_text, of_struct) {
            (Ok(one), Ok(other)) => {
                assert_eq!(one.warnings, other.warnings, "{}", path.display());
                assert_eq!(meaning(&one.policy), meaning(&other.policy));
            }
            // No member at all is no byte at all.
            (Err(_), Err(other)) if json == serde_json::json!({}) => {
                let message = "configuration: found nothing, expected a JSON object";
                assert_eq!(other.to_string(), message);
            }
            (Err(one), Err(other)) => {
                faults += one.faults().len();
                assert_eq!(one, other, "{}", path.display());
            }
            (one, other) => panic!("{}: {one:?} and {other:?}", path.display()),
        }
    }
    assert!(faults > 100, "only {faults} faults were compared");
}
