//! The attack catalogue, as far as signatures decide.

use portcullis_core::keys::Algorithm;
use portcullis_testing::outside_data::corpus;
use serde_json::Value;

use super::vector::{Vector, decode};

pub const GROUPS: [&str; 7] = [
    "alg",
    "alg-none",
    "control",
    "key-confusion",
    "key-injection",
    "kid",
    "signature",
];

/// The tokens whose header names a known algorithm and one key of the set.
pub fn tokens() -> Vec<Vector> {
    let Some(catalogue) = corpus("attacks.json") else {
        return Vec::new();
    };
    let of_case = |case: &Value| {
        let profile = &catalogue["profiles"][case["profile"].as_str().unwrap()];
        let set = key_set(case).or_else(|| key_set(profile)).unwrap();
        let token = case["jwt"].as_str()?;
        let header = serde_json::from_slice::<Value>(&decode(token.split('.').next()?)).ok()?;
        Algorithm::parse(header["alg"].as_str()?)?;
        let set: Value = serde_json::from_str(&set).unwrap();
        let keys = set["keys"].as_array().unwrap();
        let mut named = keys
            .iter()
            .filter(|key| key["kid"] == header["kid"] || keys.len() == 1);
        let (Some(key), None) = (named.next(), named.next()) else {
            return None;
        };
        let id = case["id"].as_str().unwrap();
        let good = case["expected"] == "accept";
        (token.split('.').count() == 3)
            .then(|| Vector::from_compact(id, &key.to_string(), token, good))
    };
    let cases = cases(&catalogue, &GROUPS);
    cases.into_iter().filter_map(of_case).collect()
}

pub fn cases<'a>(catalogue: &'a Value, groups: &[&str]) -> Vec<&'a Value> {
    let all = catalogue["cases"].as_array().unwrap();
    all.iter()
        .filter(|case| groups.contains(&case["category"].as_str().unwrap()))
        .collect()
}

pub fn key_set(case: &Value) -> Option<String> {
    if let Some(raw) = case["jwks_raw"].as_str() {
        return Some(raw.to_owned());
    }
    match &case["jwks"] {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        set => Some(set.to_string()),
    }
}
