use portcullis_core::policy::compile;

use crate::{compile_yaml, environment};

/// The text as the host hands it over, and the one fault.
const NO_CONFIGURATION: &[(&str, &str)] = &[
    ("", "configuration: found nothing, expected a JSON object"),
    (
        " \n",
        "configuration: found nothing, expected a JSON object",
    ),
    (
        "[]",
        "configuration: found an array, expected a JSON object",
    ),
    ("null", "configuration: found null, expected a JSON object"),
    (
        "\"realm: a\"",
        "configuration: found a string, expected a JSON object",
    ),
    (
        "realm: a",
        "configuration: found invalid JSON: expected value at line 1 column 1, expected a JSON object",
    ),
    (
        r#"{"realm": "a"} {}"#,
        "configuration: found invalid JSON: trailing characters at line 1 column 16, expected a JSON object",
    ),
];

#[test]
fn what_is_no_object_is_one_clear_fault() {
    for (text, message) in NO_CONFIGURATION {
        let invalid = compile(text.as_bytes(), &environment).unwrap_err();
        assert_eq!(invalid.to_string(), *message);
    }
    let invalid = compile(b"\xff", &environment).unwrap_err();
    let message =
        "configuration: found invalid JSON: not UTF-8 at line 1 column 1, expected a JSON object";
    assert_eq!(invalid.to_string(), message);
}

/// All of them, and with the other faults.
#[test]
fn duplicate_keys_are_told_by_their_paths() {
    let text = br#"{
        "realm": "a", "r\u0065alm": "b", "mode": "shadow", "mode": "shadow", "mode": 1,
        "rules": [{}, {"name": "a", "match": {"methods": ["GET"], "methods": ["POST"]}}],
        "audit": "some"
    }"#;
    let invalid = compile(text, &environment).unwrap_err();
    let mut told: Vec<String> = invalid.to_string().lines().map(str::to_owned).collect();
    told.sort();
    assert_eq!(
        told,
        [
            r#"audit: found "some", expected denied, all or none"#,
            "configuration: found none, expected at least one provider or one API key",
            "mode: found a duplicate key, expected one",
            "realm: found a duplicate key, expected one",
            "rules[1].match.methods: found a duplicate key, expected one",
        ]
    );
}

/// A key set is read by another reader than the rest.
#[test]
fn duplicate_keys_in_key_sets_are_told_too() {
    let text = br#"{"providers": {"corp": {"issuer": "i", "audiences": ["a"],
        "jwks": {"inline": {"keys": [{"kty": "EC", "kid": "a", "kid": "b"}]}}}}, "rules": [{}]}"#;
    let invalid = compile(text, &environment).unwrap_err().to_string();
    let told = "providers.corp.jwks.inline.keys[0].kid: found a duplicate key";
    assert!(invalid.contains(told), "{invalid}");
}

/// Where a secret stands in the wrong place, no message repeats it.
const MISPLACED_SECRETS: &[&str] = &[
    "api_keys: {pepper: SECRET}",
    "api_keys: {pepper: {env: SECRET}}",
    "api_keys: {pepper: {danger_inline: [SECRET]}}",
    "api_keys: {pepper: {danger_inline: SECRET}}",
    "api_keys: {keys: SECRET}",
    "api_keys: {keys: [SECRET]}",
    "api_keys: {keys: {key: SECRET}}",
    "api_keys: {keys: [{id: a, key: SECRET}]}",
    "api_keys: {keys: [{id: a, hash: SECRET}]}",
    "api_keys: {keys: [{id: a, hash: 'sha256:SECRET'}]}",
    "api_keys: {keys: [{id: a, hash: 'SECRET:'}]}",
    "providers: {a: {jwks: {inline: {keys: [{kty: oct, k: SECRET}]}}}}",
    "providers: {a: {jwks: {inline: SECRET}}}",
    "providers: {a: {jwks: {remote: {uri: 'https://gate:SECRET@idp/'}}}}",
    "providers: {a: {jwks: {remote: {uri: 'https://idp/ ?token=SECRET'}}}}",
    "providers: {a: {jwks: {remote: {uri: 'SECRET'}}}}",
];

#[test]
fn no_message_repeats_a_secret() {
    for yaml in MISPLACED_SECRETS {
        let yaml = yaml.replace("SECRET", "s3cr-et");
        let message = compile_yaml(&yaml).unwrap_err().to_string();
        assert!(!message.contains("s3cr-et"), "{yaml}:\n{message}");
    }
}
