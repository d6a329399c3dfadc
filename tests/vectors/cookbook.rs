//! The JOSE cookbook (RFC 7520 and its successors), and the tokens in other libraries' tests.

use portcullis_core::keys::Algorithm;
use portcullis_testing::outside_data::corpus;
use serde_json::Value;

use super::vector::Vector;

pub fn jose_cookbook() -> Vec<Vector> {
    let Some(cookbook) = corpus("rfc7520.json") else {
        return Vec::new();
    };
    let mut vectors = Vec::new();
    for case in cookbook["jws"].as_array().unwrap() {
        let (Some(compact), Some(name)) = (case["compact"].as_str(), case["name"].as_str()) else {
            continue;
        };
        // The others are refused for their form, before anyone asks for the signature.
        if case["jws_layer_expected"] == "accept" {
            let jwk = case["keys"][0].to_string();
            let vector = Vector::from_compact(name, &jwk, compact, true);
            vectors.extend(vector.tampered());
            vectors.push(vector);
        }
    }
    vectors
}

pub fn tokens_of_other_libraries() -> Vec<Vector> {
    let Some(tokens) = corpus("library_tokens.json") else {
        return Vec::new();
    };
    let mut vectors = Vec::new();
    for case in tokens["cases"].as_array().unwrap() {
        let [keys, rest @ ..] = case["jwks"]["keys"].as_array().unwrap().as_slice() else {
            panic!("a case without a key");
        };
        assert!(rest.is_empty());
        let algorithm = case["alg"].as_str().unwrap();
        if Algorithm::parse(algorithm).is_none() {
            assert_eq!(algorithm, "ES256K");
            continue;
        }
        let refused_for_its_key = |reason: &Value| {
            let reason = reason.as_str().unwrap();
            reason.starts_with("hmac_key_too_short") || reason.starts_with("rsa_")
        };
        let weak = case["strict_reasons"]
            .as_array()
            .is_some_and(|reasons| reasons.iter().any(refused_for_its_key));
        vectors.push(Vector::from_compact(
            case["id"].as_str().unwrap(),
            &keys.to_string(),
            case["jwt"].as_str().unwrap(),
            case["expected_signature_layer"] == "accept" && !weak,
        ));
    }
    vectors
}
