//! Tokens that are bound to a key of the caller's.

use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::harness::keys::{Key, encode};
use super::harness::policy::{only, provider};
use super::harness::{Filter, PASSES, get};

#[test]
fn a_bound_token_is_good_on_its_own_connection_alone() {
    let key = Key::new("ES256", "k");
    let own: [u8; 32] = digest(&SHA256, b"a certificate")
        .as_ref()
        .try_into()
        .unwrap();
    let other: [u8; 32] = digest(&SHA256, b"another").as_ref().try_into().unwrap();
    let bound = encode(own);
    let refused = "INVALID_TOKEN";
    let mut filter = Filter::new(only(provider([&key])));
    for (what, cnf, shown, expected) in [
        ("its own", json!({ "x5t#S256": bound }), Some(own), PASSES),
        (
            "another",
            json!({ "x5t#S256": bound }),
            Some(other),
            refused,
        ),
        ("none", json!({ "x5t#S256": bound }), None, refused),
        (
            "its own again",
            json!({ "x5t#S256": bound }),
            Some(own),
            PASSES,
        ),
        (
            "padded",
            json!({ "x5t#S256": format!("{bound}=") }),
            Some(own),
            refused,
        ),
        (
            "hexadecimal",
            json!({ "x5t#S256": "0".repeat(64) }),
            Some([0; 32]),
            refused,
        ),
        ("empty", json!({ "x5t#S256": "" }), Some(own), refused),
        ("a number", json!({ "x5t#S256": 1 }), Some(own), refused),
        ("by SHA-1", json!({ "x5t": bound }), Some(own), refused),
        ("to a DPoP key", json!({ "jkt": bound }), Some(own), refused),
        (
            "to a DPoP key as well",
            json!({ "x5t#S256": bound, "jkt": bound }),
            Some(own),
            refused,
        ),
        (
            "to something unknown as well",
            json!({ "x5t#S256": bound, "kid": "x" }),
            Some(own),
            refused,
        ),
        (
            "to a key in the token",
            json!({ "jwk": key.jwk() }),
            Some(own),
            refused,
        ),
        ("to nothing", json!({}), Some(own), refused),
        ("to a string", json!("x5t#S256"), Some(own), refused),
        ("to a list", json!([bound]), Some(own), refused),
    ] {
        let ask = get("/").bearer(key.token(json!({ "cnf": cnf })));
        filter.certificate = shown;
        for _ in 0..2 {
            assert_eq!(filter.ask(&ask).code(), expected, "bound to {what}");
        }
    }
    let null = key.seal(
        json!({ "alg": "ES256" }).to_string(),
        format!(
            "{{\"cnf\":null,{}",
            &super::harness::keys::claims(json!({})).to_string()[1..]
        ),
    );
    assert_eq!(filter.ask(&get("/").bearer(null)).code(), refused);
    let unbound: Value = json!({});
    assert_eq!(
        filter.ask(&get("/").bearer(key.token(unbound))).code(),
        PASSES
    );
}
