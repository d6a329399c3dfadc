//! Which key a token is held against.

use serde_json::{Value, json};

use super::harness::keys::{Key, amended, decode, encode};
use super::harness::policy::{only, provider};
use super::harness::{Filter, PASSES, get};

fn with_keys(keys: Vec<Value>) -> Filter {
    let jwks = json!({ "jwks": { "inline": { "keys": keys } } });
    Filter::new(only(amended(provider([]), jwks)))
}

fn without_kid(key: &Key) -> String {
    key.token_with(json!({ "kid": null }), json!({}))
}

#[test]
fn a_kid_names_a_key_or_none() {
    let key = Key::new("ES256", "k");
    let mut filter = with_keys(vec![key.jwk()]);
    let named = |kid: &str| get("/").bearer(key.token_with(json!({ "kid": kid }), json!({})));
    let mut rows = vec![("its own", named("k"), PASSES)];
    for kid in [
        "",
        "K",
        "k ",
        " k",
        "k\0",
        "other",
        "../../../../dev/null",
        "key.pem|/usr/bin/id",
        "' OR 1=1 --",
        "k\r\nx-admin: true",
        "\u{1b}[2J",
        "https://attacker.example/jwks.json",
        "k,k",
    ] {
        rows.push(("another", named(kid), "UNKNOWN_KEY"));
    }
    rows.push(("a long one", named(&"k".repeat(8000)), "UNKNOWN_KEY"));
    rows.push(("none", get("/").bearer(without_kid(&key)), PASSES));
    filter.table(&rows);
}

#[test]
fn a_key_without_a_name_is_named_by_none() {
    let key = Key::new("ES256", "k");
    for nameless in [
        amended(key.jwk(), json!({ "kid": null })),
        amended(key.jwk(), json!({ "kid": "" })),
    ] {
        with_keys(vec![nameless]).table(&[
            (
                "a token that names none",
                get("/").bearer(without_kid(&key)),
                PASSES,
            ),
            (
                "a token that names one",
                get("/").bearer(key.token(json!({}))),
                "UNKNOWN_KEY",
            ),
            (
                "the empty name",
                get("/").bearer(key.token_with(json!({ "kid": "" }), json!({}))),
                "UNKNOWN_KEY",
            ),
        ]);
    }
}

#[test]
fn two_keys_of_one_name_are_both_tried() {
    let [first, second, third] = [
        Key::new("ES256", "k"),
        Key::new("ES256", "k"),
        Key::new("ES256", "k"),
    ];
    with_keys(vec![first.jwk(), second.jwk()]).table(&[
        ("the first", get("/").bearer(first.token(json!({}))), PASSES),
        (
            "the second",
            get("/").bearer(second.token(json!({}))),
            PASSES,
        ),
        (
            "a third",
            get("/").bearer(third.token(json!({}))),
            "INVALID_SIGNATURE",
        ),
    ]);
}

#[test]
fn without_a_name_a_few_keys_are_tried() {
    for (alg, tried) in [("ES256", 4), ("EdDSA", 4), ("ES384", 2), ("ES512", 2)] {
        let keys: Vec<Key> = (0..6).map(|_| Key::new(alg, "k")).collect();
        let set = keys
            .iter()
            .map(|key| amended(key.jwk(), json!({ "kid": null })));
        // Keys that do not fit cost no trial.
        let other = Key::new(if alg == "EdDSA" { "ES256" } else { "EdDSA" }, "other");
        let mut filter = with_keys(vec![other.jwk(); 6].into_iter().chain(set).collect());
        for (i, key) in keys.iter().enumerate() {
            let expected = if i < tried {
                PASSES
            } else {
                "INVALID_SIGNATURE"
            };
            assert_eq!(
                filter.ask(&get("/").bearer(without_kid(key))).code(),
                expected,
                "{alg} {i}"
            );
        }
    }
}

#[test]
fn a_key_says_what_it_is_for() {
    let key = Key::new("RS256", "k");
    let spare = Key::new("EdDSA", "spare");
    let token = key.token(json!({}));
    for (what, members, expected) in [
        ("nothing", json!({}), PASSES),
        ("signatures", json!({ "use": "sig" }), PASSES),
        ("its algorithm", json!({ "alg": "RS256" }), PASSES),
        ("to verify", json!({ "key_ops": ["verify"] }), PASSES),
        (
            "to verify, among others",
            json!({ "key_ops": ["sign", "verify"] }),
            PASSES,
        ),
        (
            "to verify, twice",
            json!({ "key_ops": ["verify", "verify"] }),
            "UNKNOWN_KEY",
        ),
        (
            "something else twice",
            json!({ "key_ops": ["verify", "sign", "sign"] }),
            "UNKNOWN_KEY",
        ),
        (
            "an operation that is no text",
            json!({ "key_ops": ["verify", 7] }),
            "UNKNOWN_KEY",
        ),
        (
            "unknown members",
            json!({ "x5c": ["MIIB"], "x5t": "AAAA", "foo": 1 }),
            PASSES,
        ),
        (
            "another algorithm",
            json!({ "alg": "RS384" }),
            "UNSUPPORTED_ALGORITHM",
        ),
        (
            "padding of another kind",
            json!({ "alg": "PS256" }),
            "UNSUPPORTED_ALGORITHM",
        ),
        ("encryption", json!({ "use": "enc" }), "UNKNOWN_KEY"),
        ("no operation", json!({ "key_ops": [] }), "UNKNOWN_KEY"),
        (
            "to encrypt",
            json!({ "key_ops": ["encrypt"] }),
            "UNKNOWN_KEY",
        ),
        (
            "an encryption algorithm",
            json!({ "alg": "RSA-OAEP" }),
            "UNKNOWN_KEY",
        ),
        (
            "an unknown algorithm",
            json!({ "alg": "RS1" }),
            "UNKNOWN_KEY",
        ),
    ] {
        let mut filter = with_keys(vec![amended(key.jwk(), members), spare.jwk()]);
        assert_eq!(
            filter.ask(&get("/").bearer(&token)).code(),
            expected,
            "{what}"
        );
    }
}

#[test]
fn keys_of_other_providers_are_no_keys_of_this_one() {
    let [ours, theirs] = [Key::new("ES256", "ours"), Key::new("ES256", "theirs")];
    let other = amended(provider([&theirs]), json!({ "issuer": "https://other/" }));
    let mut filter = Filter::new(json!({
        "providers": { "corp": provider([&ours]), "other": other },
        "rules": [{ "match": { "path": { "prefix": "/corp" } }, "credentials": ["corp"] }, {}],
    }));
    let from_other = json!({ "iss": "https://other/" });
    filter.table(&[
        ("ours", get("/").bearer(ours.token(json!({}))), PASSES),
        (
            "theirs",
            get("/").bearer(theirs.token(from_other.clone())),
            PASSES,
        ),
        (
            "their key, our issuer",
            get("/").bearer(theirs.token(json!({}))),
            "UNKNOWN_KEY",
        ),
        (
            "our key, their issuer",
            get("/").bearer(ours.token(from_other.clone())),
            "UNKNOWN_KEY",
        ),
        (
            "their key without a name, our issuer",
            get("/").bearer(without_kid(&theirs)),
            "INVALID_SIGNATURE",
        ),
        // It passed above, so it is remembered: the rule counts all the same.
        (
            "theirs where only ours is accepted",
            get("/corp").bearer(theirs.token(from_other)),
            "INVALID_ISSUER",
        ),
    ]);
}

#[test]
fn a_shared_secret_beside_public_keys_is_never_confused_with_them() {
    let rsa = Key::new("RS256", "rsa");
    let shared = Key::new("HS256", "hs");
    let jwks = json!({ "algorithms": ["RS256", "HS256"], "jwks": { "inline": { "keys": [rsa.jwk(), shared.jwk()] } } });
    let mut filter = Filter::new(only(amended(provider([]), jwks)));
    let n = rsa.jwk()["n"].as_str().unwrap().to_owned();
    let modulus = super::harness::keys::decode(&n);
    let mut rows = vec![
        (
            "the secret's own",
            get("/").bearer(shared.token(json!({}))),
            PASSES,
        ),
        (
            "the public key's own",
            get("/").bearer(rsa.token(json!({}))),
            PASSES,
        ),
        (
            "the secret under the public key's name",
            get("/").bearer(shared.token_with(json!({ "kid": "rsa" }), json!({}))),
            "UNSUPPORTED_ALGORITHM",
        ),
        (
            "the public key under the secret's name",
            get("/").bearer(rsa.token_with(json!({ "kid": "hs" }), json!({}))),
            "UNSUPPORTED_ALGORITHM",
        ),
    ];
    for guess in [
        modulus,
        n.into_bytes(),
        rsa.jwk().to_string().into_bytes(),
        b"rsa".to_vec(),
        Vec::new(),
        vec![0; 32],
    ] {
        let token = |kid: Value| {
            Key::hs256("rsa", guess.clone()).token_with(json!({ "kid": kid }), json!({}))
        };
        rows.push((
            "what is public is no secret",
            get("/").bearer(token(json!("rsa"))),
            "UNSUPPORTED_ALGORITHM",
        ));
        rows.push((
            "by the secret's name",
            get("/").bearer(token(json!("hs"))),
            "INVALID_SIGNATURE",
        ));
        rows.push((
            "by no name",
            get("/").bearer(token(Value::Null)),
            "INVALID_SIGNATURE",
        ));
    }
    filter.table(&rows);
}

/// RFC 7518 §6.2.1.2 wants every octet; half of the P-521 keys begin with one that is zero.
#[test]
fn coordinates_may_lack_their_leading_zeros() {
    let x_of = |key: &Key| decode(key.jwk()["x"].as_str().unwrap());
    let key = std::iter::repeat_with(|| Key::new("ES512", "k"))
        // One zero alone: without two of them it would be the same number still.
        .find(|key| x_of(key)[0] == 0 && x_of(key)[1] != 0)
        .unwrap();
    let token = key.token(json!({}));
    let with_x = |x: &[u8]| vec![amended(key.jwk(), json!({ "x": encode(x) }))];
    let x = x_of(&key);
    let mut short = with_keys(with_x(&x[1..]));
    assert_eq!(short.ask(&get("/").bearer(token)).code(), PASSES);
    for x in [&x[..65], &x[2..], &[&[0], &x[..]].concat(), &[]] {
        let jwks = json!({ "jwks": { "inline": { "keys": with_x(x) } } });
        let config = only(amended(provider([]), jwks));
        assert!(Filter::from_text(&config.to_string()).is_err());
    }
}
