//! Large configurations load in time that grows with their size, not with its square.

use std::fmt::Write;
use std::time::{Duration, Instant};

use portcullis_core::policy::compile;

use crate::environment;

#[test]
fn ten_thousand_keys_and_a_thousand_rules_load_fast() {
    let mut text = String::from(r#"{"providers": {"#);
    for i in 0..1_000 {
        let comma = if i == 0 { "" } else { "," };
        write!(
            text,
            r#"{comma}"p{i}": {{"issuer": "https://{i}/", "audiences": ["a"],
            "from": {{"headers": [{{"name": "x-{i}"}}]}},
            "jwks": {{"remote": {{"cluster": "c", "uri": "https://{i}/"}}}}}}"#
        )
        .unwrap();
    }
    text += r#"}, "api_keys": {"keys": ["#;
    for i in 0..10_000 {
        let comma = if i == 0 { "" } else { "," };
        write!(
            text,
            r#"{comma}{{"id": "key-{i}", "hash": "sha256:{i:064x}", "scopes": ["a"]}}"#
        )
        .unwrap();
    }
    text += r#"]}, "rules": ["#;
    for i in 0..1_000 {
        let comma = if i == 0 { "" } else { "," };
        write!(
            text,
            r#"{comma}{{"match": {{"path": {{"prefix": "/p{i}"}}}},
            "credentials": ["p{i}", "api_keys"],
            "claims": [{{"claim": "c{i}", "present": true}}]}}"#
        )
        .unwrap();
    }
    text += "]}";
    #[expect(
        clippy::disallowed_methods,
        reason = "the test has a clock, the core has none"
    )]
    let start = Instant::now();
    let compiled = compile(text.as_bytes(), &environment).expect("it is legal");
    assert_eq!(compiled.policy.rules.len(), 1_000);
    assert_eq!(compiled.policy.claims.len(), 1_000);
    // Unoptimized and on a busy machine; the square of it would take minutes.
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn a_configuration_has_a_ceiling() {
    let mut text = vec![b' '; 16 * 1024 * 1024];
    text.extend_from_slice(b"{}");
    let invalid = compile(&text, &environment).unwrap_err();
    let message = "configuration: found 16777218 bytes, expected at most 16777216";
    assert_eq!(invalid.to_string(), message);
}
