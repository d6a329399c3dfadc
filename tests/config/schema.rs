//! The JSON Schema and the reader agree: on every key, and on which configurations are good.

use std::collections::BTreeSet;
use std::fs;

use portcullis_core::config::fault::Problem;
use portcullis_core::policy::compile;
use regex_lite::Regex;
use serde_json::{Map, Value, json};

use crate::{BAD, environment, files, good, meaning, to_json};

fn schema() -> Value {
    let text = include_str!("../../schema/portcullis.schema.json");
    serde_json::from_str(text).expect("the schema is JSON")
}

/// Follows a `$ref` within the schema, which is all that there is.
fn target<'s>(schema: &'s Value, node: &'s Value) -> &'s Value {
    match node.get("$ref") {
        Some(reference) => {
            let pointer = reference.as_str().unwrap().strip_prefix('#').unwrap();
            let target = schema.pointer(pointer);
            target.unwrap_or_else(|| panic!("{reference} is not there"))
        }
        None => node,
    }
}

/// Whether this module knows a key: the schema is for both, and says which keys need the other one.
fn is_known(child: &Value) -> bool {
    let needs = child.get("$comment").map(|comment| comment.as_str());
    assert!(matches!(needs, None | Some(Some("portcullis-ai.wasm"))));
    cfg!(feature = "ai") || needs.is_none()
}

/// The properties of an object that this module knows.
fn known_properties(node: &Value) -> impl Iterator<Item = (&String, &Value)> {
    let properties = node["properties"].as_object().into_iter().flatten();
    properties.filter(|(_, child)| is_known(child))
}

/// Every path at which the schema has an object or a leaf.
fn places<'s>(
    schema: &'s Value,
    node: &'s Value,
    path: &[Step],
    found: &mut Vec<(Vec<Step>, &'s Value)>,
) {
    let node = target(schema, node);
    found.push((path.to_vec(), node));
    for (key, child) in known_properties(node) {
        // A rule that only refines another one.
        if child != &Value::Bool(false) {
            places(
                schema,
                child,
                &[path, &[Step::Key(key.clone())]].concat(),
                found,
            );
        }
    }
    if node["additionalProperties"].is_object() {
        let child = &node["additionalProperties"];
        places(
            schema,
            child,
            &[path, &[Step::Key("x-any".into())]].concat(),
            found,
        );
    }
    if node["items"].is_object() {
        places(
            schema,
            &node["items"],
            &[path, &[Step::Element]].concat(),
            found,
        );
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Key(String),
    Element,
}

/// A configuration in which `value` stands at `path`.
fn holding(path: &[Step], value: Value) -> Value {
    path.iter().rev().fold(value, |value, step| match step {
        Step::Key(key) => Value::Object(Map::from_iter([(key.clone(), value)])),
        Step::Element => json!([value]),
    })
}

/// As the messages write it.
fn written(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Element => text += "[0]",
            Step::Key(key) => {
                let dot = if text.is_empty() { "" } else { "." };
                text += &format!("{dot}{key}");
            }
        }
    }
    text
}

/// Where the schema and the reader know different keys, and how many objects were compared.
///
/// An unknown key is answered with all that are known there: so the reader is walked through its
/// own messages, and nobody has to keep a list for the test.
fn differences(schema: &Value) -> (Vec<String>, usize) {
    let mut found = Vec::new();
    places(schema, schema, &[], &mut found);
    let mut differences = Vec::new();
    let mut objects = 0;
    for (path, node) in found {
        let probe = holding(&path, json!({"zzzzzzzzzzzz": 1}));
        let invalid = compile(probe.to_string().as_bytes(), &environment).unwrap_err();
        let at = written(&[&path[..], &[Step::Key("zzzzzzzzzzzz".into())]].concat());
        let known = invalid
            .faults()
            .iter()
            .find_map(|fault| match &fault.problem {
                Problem::UnknownKey { known, .. } if *fault.path == *at => {
                    Some(known.iter().copied().collect::<BTreeSet<_>>())
                }
                _ => None,
            });
        // An open object, where any key is legal, says so; a leaf has no keys.
        let closed = node["additionalProperties"] == json!(false);
        let is_object = closed && node["properties"].is_object();
        let keys = known_properties(node).map(|(key, _)| key.as_str());
        let expected = is_object.then(|| keys.collect::<BTreeSet<_>>());
        if known != expected {
            differences.push(format!("{}: {known:?}, {expected:?}", written(&path)));
        }
        objects += usize::from(closed);
    }
    (differences, objects)
}

#[test]
fn every_key_is_in_the_schema_and_in_the_reader() {
    let (differences, objects) = differences(&schema());
    assert_eq!(differences, [""; 0]);
    assert!(objects > 20, "only {objects} objects were walked");
}

/// The message names the other module, and no key is unknown.
#[cfg(not(feature = "ai"))]
#[test]
fn keys_of_the_other_module_are_refused_as_such() {
    let schema = schema();
    let mut found = Vec::new();
    places(&schema, &schema, &[], &mut found);
    let mut refused = 0;
    for (path, node) in found {
        let properties = node["properties"].as_object().into_iter().flatten();
        for (key, _) in properties.filter(|(_, child)| !is_known(child)) {
            let path = [&path[..], &[Step::Key(key.clone())]].concat();
            let probe = holding(&path, json!({}));
            let invalid = compile(probe.to_string().as_bytes(), &environment).unwrap_err();
            let at = written(&path);
            let faults = invalid.faults().iter().map(ToString::to_string);
            let faults: Vec<_> = faults.filter(|fault| fault.starts_with(&at)).collect();
            assert_eq!(faults, [format!("{at}: needs portcullis-ai.wasm")]);
            refused += 1;
        }
    }
    assert!(refused > 5, "only {refused} keys were tried");
}

/// The comparison itself can fail.
#[test]
fn a_key_that_one_of_them_lacks_is_found() {
    let mut less = schema();
    let limits = less.pointer_mut("/$defs/limits/properties").unwrap();
    limits.as_object_mut().unwrap().remove("token_bytes");
    let (found, _) = differences(&less);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("limits: "), "{found:?}");

    let mut more = schema();
    let rule = more.pointer_mut("/$defs/rule/properties").unwrap();
    rule["acess"] = json!({"type": "string"});
    let (found, _) = differences(&more);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("rules[0]: "), "{found:?}");
}

/// The places of `value` where the schema has a default, each as a JSON pointer, a key and the
/// default.
fn defaults<'s>(
    schema: &'s Value,
    node: &'s Value,
    value: &Value,
    pointer: &str,
    found: &mut Vec<(String, &'s str, &'s Value)>,
) {
    let node = target(schema, node);
    match value {
        Value::Object(members) => {
            for (key, child) in known_properties(node) {
                let default = child.get("default");
                if let Some(default) = default.or(target(schema, child).get("default")) {
                    found.push((pointer.to_owned(), key, default));
                }
            }
            for (key, value) in members {
                let child = match &node["properties"][key] {
                    Value::Null => &node["additionalProperties"],
                    child => child,
                };
                let pointer = format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
                defaults(schema, child, value, &pointer, found);
            }
        }
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                defaults(
                    schema,
                    &node["items"],
                    item,
                    &format!("{pointer}/{i}"),
                    found,
                );
            }
        }
        _ => {}
    }
}

/// What is not written means the same as the default of the schema.
#[test]
fn the_defaults_of_the_schema_are_those_of_the_reader() {
    let schema = schema();
    let said = |value: &Value| match compile(value.to_string().as_bytes(), &environment) {
        Ok(compiled) => meaning(&compiled.policy),
        Err(invalid) => invalid.to_string(),
    };
    let mut compared = BTreeSet::new();
    for path in good() {
        let value = to_json(&fs::read_to_string(&path).unwrap());
        let mut found = Vec::new();
        defaults(&schema, &schema, &value, "", &mut found);
        for (pointer, key, default) in found {
            let (mut without, mut with) = (value.clone(), value.clone());
            let object = without.pointer_mut(&pointer).unwrap();
            object.as_object_mut().unwrap().remove(key);
            with.pointer_mut(&pointer).unwrap()[key] = default.clone();
            let at = format!("{}: {pointer}/{key}", path.display());
            assert_eq!(said(&without), said(&with), "{at}");
            compared.insert(key);
        }
    }
    assert!(compared.len() > 20, "only {compared:?} were compared");
}

#[test]
fn every_key_says_what_it_means() {
    let schema = schema();
    let mut found = Vec::new();
    places(&schema, &schema, &[], &mut found);
    for (path, node) in found {
        for (key, child) in node["properties"].as_object().into_iter().flatten() {
            let described = child
                .get("description")
                .or(target(&schema, child).get("description"));
            assert!(
                described.is_some(),
                "{}.{key} has no description",
                written(&path)
            );
        }
    }
}

#[test]
fn every_key_is_in_the_reference() {
    let reference = include_str!("../../docs/configuration.md");
    let schema = schema();
    let mut found = Vec::new();
    places(&schema, &schema, &[], &mut found);
    for (path, node) in found {
        for key in node["properties"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, _)| key)
        {
            let word = Regex::new(&format!("\\b{key}\\b")).unwrap();
            assert!(word.is_match(reference), "{}.{key}", written(&path));
        }
    }
}

#[test]
fn good_ones_fit_the_schema() {
    let schema = schema();
    for path in good() {
        let value = to_json(&fs::read_to_string(&path).unwrap());
        if let Err(misfit) = fits(&schema, &schema, &value) {
            panic!("{}: {misfit}", path.display());
        }
    }
}

/// Whether an editor with the schema underlines something in every one that fails to load: but
/// for these, where several members are wrong together, or the environment is.
const ONLY_ON_LOAD: &[&str] = &[
    "api_key_rules",
    "default_location_taken",
    "forward_defaults_taken",
    "introspection_secret_unset",
    "pepper_absent",
    "pepper_empty",
    "pepper_no_name",
    "pepper_short",
    "pepper_short_inline",
    "pepper_unset",
    "provider_names",
    "resources_without_issuer",
    "two_introspectors",
    #[cfg(feature = "ai")]
    "many_budgets",
    #[cfg(feature = "ai")]
    "no_budgets",
];

#[test]
fn bad_ones_do_not_fit_the_schema() {
    let schema = schema();
    let mut fit = Vec::new();
    for path in files(BAD) {
        let value = to_json(&fs::read_to_string(&path).unwrap());
        if fits(&schema, &schema, &value).is_ok() {
            fit.push(path.file_stem().unwrap().to_string_lossy().into_owned());
        }
    }
    assert_eq!(fit, ONLY_ON_LOAD);
}

/// Whether a value fits a schema: as much of JSON Schema as ours uses, and any other keyword
/// fails. A crate for the whole of it would bring some fifty more.
fn fits(schema: &Value, node: &Value, value: &Value) -> Result<(), String> {
    let node = match node {
        Value::Bool(true) => return Ok(()),
        Value::Bool(false) => return Err(format!("{value} must not be there")),
        Value::Object(node) => node,
        _ => panic!("{node} is no schema"),
    };
    let misfit = |what: &str| Err(format!("{value} does not fit {what}"));
    let all = |nodes: &Value| -> Vec<Result<(), String>> {
        let nodes = nodes.as_array().unwrap().iter();
        nodes.map(|node| fits(schema, node, value)).collect()
    };
    for (keyword, rule) in node {
        let text = || rule.as_str().unwrap();
        let count = || rule.as_u64().unwrap() as usize;
        match (keyword.as_str(), value) {
            ("$comment" | "$defs" | "$id" | "$schema" | "default" | "description" | "title", _) => {
            }
            ("$ref", _) => fits(schema, target(schema, &Value::Object(node.clone())), value)?,
            ("type", _) => {
                let types: Vec<_> = match rule {
                    Value::Array(types) => types.iter().collect(),
                    rule => vec![rule],
                };
                let is = |name: &&Value| match name.as_str().unwrap() {
                    "array" => value.is_array(),
                    "boolean" => value.is_boolean(),
                    "integer" => value.as_f64().is_some_and(|n| n.fract() == 0.0),
                    "number" => value.is_number(),
                    "object" => value.is_object(),
                    "string" => value.is_string(),
                    name => panic!("the type {name} is not known here"),
                };
                if !types.iter().any(is) {
                    return misfit(&rule.to_string());
                }
            }
            ("const", _) if rule != value => return misfit(&rule.to_string()),
            ("const", _) => {}
            ("enum", _) if !rule.as_array().unwrap().contains(value) => {
                return misfit(&rule.to_string());
            }
            ("enum", _) => {}
            ("allOf", _) => all(rule).into_iter().collect::<Result<_, _>>()?,
            ("anyOf", _) if !all(rule).iter().any(Result::is_ok) => return misfit("anyOf"),
            ("anyOf", _) => {}
            ("oneOf", _) if all(rule).iter().filter(|r| r.is_ok()).count() != 1 => {
                return misfit("oneOf");
            }
            ("oneOf", _) => {}
            ("not", _) if fits(schema, rule, value).is_ok() => return misfit("not"),
            ("not", _) => {}
            ("if", _) => {
                if fits(schema, rule, value).is_ok() {
                    fits(schema, &node["then"], value)?;
                }
            }
            ("then", _) => assert!(node.contains_key("if")),
            ("properties", Value::Object(members)) => {
                for (key, child) in rule.as_object().unwrap() {
                    if let Some(value) = members.get(key) {
                        fits(schema, child, value)?;
                    }
                }
            }
            ("additionalProperties", Value::Object(members)) => {
                let known = node.get("properties").and_then(Value::as_object);
                for (key, value) in members {
                    if known.is_none_or(|known| !known.contains_key(key)) {
                        fits(schema, rule, value).map_err(|e| format!("{key}: {e}"))?;
                    }
                }
            }
            ("propertyNames", Value::Object(members)) => {
                for key in members.keys() {
                    fits(schema, rule, &json!(key))?;
                }
            }
            ("required", Value::Object(members)) => {
                let mut keys = rule
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|key| key.as_str().unwrap());
                if let Some(key) = keys.find(|key| !members.contains_key(*key)) {
                    return misfit(&format!("{key} is required"));
                }
            }
            ("minProperties", Value::Object(members)) if members.len() < count() => {
                return misfit(keyword);
            }
            ("maxProperties", Value::Object(members)) if members.len() > count() => {
                return misfit(keyword);
            }
            ("items", Value::Array(items)) => {
                items.iter().try_for_each(|item| fits(schema, rule, item))?;
            }
            ("minItems", Value::Array(items)) if items.len() < count() => return misfit(keyword),
            ("maxItems", Value::Array(items)) if items.len() > count() => return misfit(keyword),
            ("uniqueItems", Value::Array(items)) => {
                let is_again = |i: usize| items[..i].contains(&items[i]);
                if (0..items.len()).any(is_again) {
                    return misfit(keyword);
                }
            }
            ("minLength", Value::String(s)) if s.chars().count() < count() => {
                return misfit(keyword);
            }
            ("pattern", Value::String(s)) if !Regex::new(text()).unwrap().is_match(s) => {
                return misfit(text());
            }
            ("minimum", Value::Number(n)) if n.as_f64() < rule.as_f64() => return misfit(keyword),
            ("maximum", Value::Number(n)) if n.as_f64() > rule.as_f64() => return misfit(keyword),
            (
                "additionalProperties"
                | "items"
                | "maxItems"
                | "maxProperties"
                | "maximum"
                | "minItems"
                | "minLength"
                | "minProperties"
                | "minimum"
                | "pattern"
                | "properties"
                | "propertyNames"
                | "required"
                | "uniqueItems",
                _,
            ) => {}
            (keyword, _) => panic!("the keyword {keyword} is not known here"),
        }
    }
    Ok(())
}
