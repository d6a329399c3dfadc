//! Key sets: which of them load, and which key a token picks from one.

use portcullis_core::keys::{Algorithm, Candidates, InvalidKeySet, KeySet, Origin};
use portcullis_core::verification::signature::Verifier;
use portcullis_testing::outside_data::corpus;
use serde_json::{Value, json};

use super::decoder;
use crate::lists::attacks::{GROUPS, cases, key_set};
use crate::lists::vector::decode;

#[test]
fn key_sets_of_the_catalogue() {
    let Some(catalogue) = corpus("attacks.json") else {
        return;
    };
    let mut judged = 0;
    for case in cases(&catalogue, &["jwks"]) {
        let id = case["id"].as_str().unwrap();
        let Some(text) = key_set(case) else {
            assert_eq!(id, "jwks-10k-keys");
            continue;
        };
        let set = KeySet::parse(text.as_bytes(), Origin::Inline);
        match case["expected"].as_str().unwrap() {
            "config-error" => assert!(set.is_err(), "{id}"),
            // A key without `kid` is named by none.
            _ if id == "jwks-no-kid-any" => assert!(!passes(set, &case["jwt"]), "{id}"),
            "accept" => assert!(passes(set, &case["jwt"]), "{id}"),
            "reject" => assert!(!passes(set, &case["jwt"]), "{id}"),
            other => panic!("{id}: {other}"),
        }
        judged += 1;
    }
    assert!(judged > 10);
}

#[test]
fn a_private_key_of_the_cookbook_is_no_key_for_us() {
    let Some(cookbook) = corpus("rfc7520.json") else {
        return;
    };
    for case in cookbook["jwk"].as_array().unwrap() {
        let set = format!(r#"{{"keys": [{}]}}"#, case["jwk"]);
        let is_private = case["source_file"].as_str().unwrap().contains("private");
        let is_for_encryption = case["jwk"]["use"] == "enc";
        assert_eq!(
            KeySet::parse(set.as_bytes(), Origin::Inline).is_err(),
            is_private || is_for_encryption,
            "{}",
            case["source_file"]
        );
    }
}

#[test]
fn ten_thousand_keys_are_none() {
    let key = json!({"kty": "EC", "crv": "P-256"});
    let many = json!({"keys": vec![&key; 10_000]}).to_string();
    for origin in [Origin::Inline, Origin::Remote] {
        let refused = KeySet::parse(many.as_bytes(), origin).unwrap_err();
        assert!(matches!(
            refused,
            InvalidKeySet::TooLarge { .. } | InvalidKeySet::TooManyKeys { .. }
        ));
    }
}

#[test]
fn a_published_secret_is_never_a_key() {
    let Some(catalogue) = corpus("attacks.json") else {
        return;
    };
    let case = case(&catalogue, "conf-oct-in-remote");
    let set = KeySet::parse(key_set(case).unwrap().as_bytes(), Origin::Remote);
    assert_eq!(set.as_ref().unwrap().1.len(), 1);
    assert!(!passes(set, &case["jwt"]));
}

#[test]
fn tokens_of_the_catalogue() {
    let Some(catalogue) = corpus("attacks.json") else {
        return;
    };
    let (mut accepted, mut refused) = (0, 0);
    for case in cases(&catalogue, &GROUPS) {
        let id = case["id"].as_str().unwrap();
        let profile = &catalogue["profiles"][case["profile"].as_str().unwrap()];
        let text = key_set(case).or_else(|| key_set(profile)).unwrap();
        let set = KeySet::parse(text.as_bytes(), Origin::Inline);
        let passes = passes(set, &case["jwt"]);
        assert_eq!(passes, case["expected"] == "accept", "{id}");
        match passes {
            true => accepted += 1,
            false => refused += 1,
        }
    }
    assert!(accepted > 10 && refused > 60, "{accepted} {refused}");
}

/// What the token layer will do, in short: the header names algorithm and key.
fn passes(set: Result<(KeySet, Vec<impl Sized>), InvalidKeySet>, token: &Value) -> bool {
    let (Ok((set, _)), Some(token)) = (set, token.as_str()) else {
        return false;
    };
    let segments: Vec<_> = token.split('.').collect();
    let [header, _, signature] = segments[..] else {
        return false;
    };
    let header: Value = serde_json::from_slice(&decode(header)).unwrap();
    let Some(algorithm) = header["alg"].as_str().and_then(Algorithm::parse) else {
        return false;
    };
    let kid = match &header["kid"] {
        Value::Null => None,
        Value::String(kid) => Some(kid.as_str()),
        _ => return false,
    };
    let Candidates::Keys(trials) = set.candidates(algorithm, kid) else {
        return false;
    };
    let (message, _) = token.rsplit_once('.').unwrap();
    let verdicts = [Verifier::software(), decoder::verifier()].map(|verifier| {
        trials.clone().any(|key| {
            verifier
                .verify(algorithm, key, message.as_bytes(), &decode(signature))
                .is_ok()
        })
    });
    assert_eq!(verdicts[0], verdicts[1], "both ways agree");
    verdicts[0]
}

fn case<'a>(catalogue: &'a Value, id: &str) -> &'a Value {
    let all = catalogue["cases"].as_array().unwrap();
    all.iter().find(|case| case["id"] == id).unwrap()
}
