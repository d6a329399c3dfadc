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

/// A configuration, and all of its messages.
const FAULTS: &[(&str, &[&str])] = &[
    // One of each kind.
    (
        r#"{"api_keys": {"keys": [{}]}}"#,
        &[
            "api_keys.keys[0].id: required",
            "api_keys.keys[0].hash: required",
        ],
    ),
    (
        r#"{"api_keys": {"remote": {"cluster": "a", "uri": "http://a"}}, "audit": 1}"#,
        &["audit: found a number, expected denied, all or none"],
    ),
    (
        r#"{"api_keys": {"remote": {"cluster": "a", "uri": "http://a"}}, "mode": "on"}"#,
        &[r#"mode: found "on", expected enforce or shadow"#],
    ),
    (
        r#"{"api_keys": {"remote": {"cluster": "a", "uri": "http://a"}},
            "rules": [{"match": {"methods": ["get"]}}]}"#,
        &[r#"rules[0].match.methods[0]: "get"; expected "GET": methods are compared with case"#],
    ),
    (
        r#"{"api_keys": {"remote": {"cluster": "a", "uri": "http://a"}}, "realms": "a"}"#,
        &["realms: unknown key, did you mean realm?"],
    ),
    (
        r#"{"api_keys": {"remote": {"cluster": "a", "uri": "http://a"}, "q": 1}}"#,
        &["api_keys.q: unknown key, expected from, pepper, keys, remote or revocation"],
    ),
    (
        r#"{"api_keys": {"remote": {"cluster": "a", "uri": "http://a"}}, "mode": "shadow", "mode": "shadow"}"#,
        &["mode: duplicate key"],
    ),
    // Neither of two hides the other: at different depths, in different lists, of type and of
    // meaning, unknown and of the wrong type.
    (
        r#"{"realm": 1, "api_keys": {"remote": {"cluster": "a", "uri": "http://a", "timeout": 2}}}"#,
        &[
            "realm: found a number, expected a string",
            "api_keys.remote.timeout: found a number, expected a duration such as 500ms, 30s or 1h",
        ],
    ),
    (
        r#"{"api_keys": {"remote": {"cluster": "", "uri": "a"}}, "audit": "some",
            "rules": [{"name": ""}, {"scopes": {"all": [1, "a b"]}}]}"#,
        &[
            "rules[1].scopes.all[0]: found a number, expected a string",
            r#"audit: found "some", expected denied, all or none"#,
            "api_keys.remote.uri: found a string that is no absolute URI, expected an http or \
             https URI with a host",
            "api_keys.remote.cluster: found \"\", expected a text without control characters and \
             outer white space",
            "rules[0].name: found \"\", expected a text without control characters and outer \
             white space",
            "rules[1].scopes.all[1]: found \"a b\", expected a scope: printable ASCII without \
             space, quote and backslash",
        ],
    ),
    (
        r#"{"api_keys": {"remote": {"cluster": 1, "uri": "http://a", "url": 1}}}"#,
        &[
            "api_keys.remote.cluster: found a number, expected a string",
            "api_keys.remote.url: unknown key, did you mean uri?",
        ],
    ),
    // Whatever the environment lacks is told with everything else.
    (
        r#"{"api_keys": {"pepper": {"env": "UNSET"}, "revocation": {"list": {"cluster": "a",
            "uri": "http://a", "authorization": {"env": "EMPTY"}}}}, "limits": 1}"#,
        &[
            "limits: found a number, expected an object",
            "api_keys.pepper.env: found UNSET, which is unset, expected a variable that is set in \
             the VM's environment",
            "api_keys.revocation.list.authorization.env: found EMPTY, which is empty, expected a \
             variable that is set in the VM's environment",
            "api_keys.keys: required",
        ],
    ),
];

#[test]
fn every_fault_is_told_with_its_path() {
    for (text, messages) in FAULTS {
        let invalid = compile(text.as_bytes(), &environment).unwrap_err();
        let told = invalid.to_string();
        assert_eq!(told.lines().collect::<Vec<_>>(), *messages, "{text}");
    }
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
            "mode: duplicate key",
            "realm: duplicate key",
            "rules[1].match.methods: duplicate key",
        ]
    );
}

/// A key set is read by another reader than the rest.
#[test]
fn duplicate_keys_in_a_key_set_are_told_too() {
    let text = br#"{"providers": {"corp": {"issuer": "i", "audiences": ["a"],
        "jwks": {"inline": {"keys": [{"kty": "EC", "kid": "a", "kid": "b"}]}}}}, "rules": [{}]}"#;
    let invalid = compile(text, &environment).unwrap_err().to_string();
    let told = "providers.corp.jwks.inline.keys[0].kid: duplicate key";
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
