//! What a CustomResourceDefinition says of its documents, checked as an API server does that
//! refuses unknown fields: all of a structural schema but `format`, and no rules in CEL.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use portcullis_testing::outside_data::crds;
use regex_lite::Regex;
use serde_json::Value;

/// Schemas by `apiVersion` and `kind`.
pub struct Definitions(HashMap<(String, String), Value>);

/// The YAML files of a folder, sorted.
pub fn yaml_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
    let mut files = entries.collect::<io::Result<Vec<_>>>()?;
    files.retain(|path| path.extension().is_some_and(|e| e == "yaml"));
    files.sort();
    Ok(files)
}

// === impl Definitions ===

impl Definitions {
    /// From outside the repository, where that is at hand.
    pub fn at_hand() -> Option<Self> {
        let files = yaml_files(&crds()?).unwrap();
        let mut schemas = HashMap::new();
        for file in files {
            let yaml = fs::read_to_string(&file).unwrap();
            let parsed: Result<Vec<Value>, _> = serde_saphyr::from_multiple(&yaml);
            let parsed = parsed.unwrap_or_else(|e| panic!("{}: {e}", file.display()));
            for definition in parsed.iter().map(|definition| &definition["spec"]) {
                let (group, kind) = (&definition["group"], &definition["names"]["kind"]);
                for version in definition["versions"].as_array().expect("versions") {
                    let name = version["name"].as_str().expect("a version");
                    let api = format!("{}/{name}", group.as_str().expect("a group"));
                    let kind = kind.as_str().expect("a kind").to_owned();
                    let schema = &version["schema"]["openAPIV3Schema"];
                    schemas.insert((api, kind), schema.clone());
                }
            }
        }
        Some(Definitions(schemas))
    }

    /// What is wrong with a document; `None` where its kind has no definition here.
    pub fn faults(&self, document: &Value) -> Option<Vec<String>> {
        let text = |name: &str| document[name].as_str().unwrap_or_default().to_owned();
        let schema = self.0.get(&(text("apiVersion"), text("kind")))?;
        let mut document = document.clone();
        // The API server's own, which a schema need not mention.
        for member in ["apiVersion", "kind", "metadata"] {
            document.as_object_mut()?.remove(member);
        }
        Some(check(schema, &document))
    }
}

// === the checker ===

/// Every fault, each with its place in the document.
pub fn check(schema: &Value, value: &Value) -> Vec<String> {
    let mut checker = Checker {
        prunes: true,
        faults: Vec::new(),
    };
    checker.check(schema, value, "");
    checker.faults
}

struct Checker {
    /// Unknown fields are faults. Below `anyOf` and its kin, schemas name but a part of them.
    prunes: bool,
    faults: Vec<String>,
}

impl Checker {
    fn fault(&mut self, at: &str, what: impl std::fmt::Display) {
        self.faults.push(format!("{at}: {what}"));
    }

    fn check(&mut self, schema: &Value, value: &Value, at: &str) {
        if value.is_null() && schema["nullable"] == true {
            return;
        }
        if schema["x-kubernetes-int-or-string"] == true {
            if !value.is_i64() && !value.is_string() {
                self.fault(at, "neither an integer nor a string");
            }
        } else if let Some(kind) = schema["type"].as_str()
            && !is_of(kind, value)
        {
            self.fault(at, format!("{value} is no {kind}"));
            return;
        } else {
            self.check_alternatives(schema, value, at);
        }
        if let Some(allowed) = schema["enum"].as_array()
            && !allowed.contains(value)
        {
            self.fault(at, format!("{value} is none of {allowed:?}"));
        }
        match value {
            Value::Object(_) => self.check_object(schema, value, at),
            Value::Array(items) => {
                self.check_bounds(schema, ["minItems", "maxItems"], items.len() as f64, at);
                for (index, item) in items.iter().enumerate() {
                    self.check(&schema["items"], item, &join(at, &index.to_string()));
                }
            }
            Value::String(text) => {
                let length = text.chars().count() as f64;
                self.check_bounds(schema, ["minLength", "maxLength"], length, at);
                if let Some(pattern) = schema["pattern"].as_str() {
                    let regex = Regex::new(pattern).unwrap_or_else(|e| panic!("{pattern}: {e}"));
                    if !regex.is_match(text) {
                        self.fault(at, format!("{text:?} does not match {pattern}"));
                    }
                }
            }
            Value::Number(number) => {
                let number = number.as_f64().expect("a number");
                self.check_bounds(schema, ["minimum", "maximum"], number, at);
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn check_object(&mut self, schema: &Value, value: &Value, at: &str) {
        let members = value.as_object().expect("an object");
        for name in schema["required"].as_array().into_iter().flatten() {
            let name = name.as_str().expect("a name");
            if !members.contains_key(name) {
                self.fault(&join(at, name), "required");
            }
        }
        let bounds = ["minProperties", "maxProperties"];
        self.check_bounds(schema, bounds, members.len() as f64, at);
        let keeps = schema["x-kubernetes-preserve-unknown-fields"] == true;
        for (name, member) in members {
            let at = join(at, name);
            match (&schema["properties"][name], &schema["additionalProperties"]) {
                (Value::Null, Value::Object(_)) => {
                    self.check(&schema["additionalProperties"], member, &at);
                }
                (Value::Null, Value::Bool(true)) => {}
                (Value::Null, _) if keeps || !self.prunes => {}
                (Value::Null, _) => self.fault(&at, "unknown"),
                (property, _) => self.check(property, member, &at),
            }
        }
    }

    fn check_bounds(&mut self, schema: &Value, [least, most]: [&str; 2], found: f64, at: &str) {
        let bound = |name| schema[name].as_f64();
        if bound(least).is_some_and(|bound| found < bound) {
            self.fault(at, format!("{found} is below {least}"));
        }
        if bound(most).is_some_and(|bound| found > bound) {
            self.fault(at, format!("{found} is above {most}"));
        }
    }

    fn check_alternatives(&mut self, schema: &Value, value: &Value, at: &str) {
        let holds = |schema: &Value| {
            let mut checker = Checker {
                prunes: false,
                faults: Vec::new(),
            };
            checker.check(schema, value, at);
            checker.faults.is_empty()
        };
        for (word, least, most) in [
            ("allOf", usize::MAX, usize::MAX),
            ("anyOf", 1, usize::MAX),
            ("oneOf", 1, 1),
        ] {
            let Some(alternatives) = schema[word].as_array() else {
                continue;
            };
            let fitting = alternatives.iter().filter(|schema| holds(schema)).count();
            if fitting < least.min(alternatives.len()) || fitting > most {
                self.fault(at, format!("fits {fitting} of {word}"));
            }
        }
        if schema["not"].is_object() && holds(&schema["not"]) {
            self.fault(at, "fits what it must not");
        }
    }
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "array" => value.is_array(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "object" => value.is_object(),
        "string" => value.is_string(),
        other => panic!("{other} is no type"),
    }
}

fn join(at: &str, name: &str) -> String {
    match at {
        "" => name.to_owned(),
        at => format!("{at}.{name}"),
    }
}
