//! Which key a token is held against.

use serde_json::{Value, json};

use super::{PASSES, Tables, get};
use crate::harness::keys::{Key, amended, decode};
use crate::harness::policy::{only, provider};

judged! {
    a_kid_names_a_key_or_none,
    a_key_without_a_name_is_named_by_none,
    two_keys_of_one_name_are_both_tried,
    without_a_name_a_few_keys_are_tried,
    a_key_says_what_it_is_for,
    keys_of_other_providers_are_no_keys_of_this_one,
    a_shared_secret_beside_public_keys_is_never_confused_with_them,
}

fn with_keys(keys: Vec<Value>) -> Value {
    let jwks = json!({ "jwks": { "inline": { "keys": keys } } });
    only(amended(provider([]), jwks))
}

fn without_kid(key: &Key) -> String {
    key.token_with(json!({ "kid": null }), json!({}))
}

fn a_kid_names_a_key_or_none(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
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
    tables.judge(with_keys(vec![key.jwk()]), &rows);
}

fn a_key_without_a_name_is_named_by_none(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    for nameless in [
        amended(key.jwk(), json!({ "kid": null })),
        amended(key.jwk(), json!({ "kid": "" })),
    ] {
        tables.judge(
            with_keys(vec![nameless]),
            &[
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
            ],
        );
    }
}

fn two_keys_of_one_name_are_both_tried(tables: &mut Tables) {
    let [first, second, third] = [
        Key::new("ES256", "k"),
        Key::new("ES256", "k"),
        Key::new("ES256", "k"),
    ];
    tables.judge(
        with_keys(vec![first.jwk(), second.jwk()]),
        &[
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
        ],
    );
}

fn without_a_name_a_few_keys_are_tried(tables: &mut Tables) {
    for (alg, tried) in [("ES256", 4), ("EdDSA", 4), ("ES384", 2), ("ES512", 2)] {
        let keys: Vec<Key> = (0..6).map(|_| Key::new(alg, "k")).collect();
        let set = keys
            .iter()
            .map(|key| amended(key.jwk(), json!({ "kid": null })));
        // Keys that do not fit cost no trial.
        let other = Key::new(if alg == "EdDSA" { "ES256" } else { "EdDSA" }, "other");
        let policy = with_keys(vec![other.jwk(); 6].into_iter().chain(set).collect());
        let mut rows = Vec::new();
        for (i, key) in keys.iter().enumerate() {
            let expected = if i < tried {
                PASSES
            } else {
                "INVALID_SIGNATURE"
            };
            rows.push((alg, get("/").bearer(without_kid(key)), expected));
        }
        tables.judge(policy, &rows);
    }
}

fn a_key_says_what_it_is_for(tables: &mut Tables) {
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
        let policy = with_keys(vec![amended(key.jwk(), members), spare.jwk()]);
        tables.judge(policy, &[(what, get("/").bearer(&token), expected)]);
    }
}

fn keys_of_other_providers_are_no_keys_of_this_one(tables: &mut Tables) {
    let [ours, theirs] = [Key::new("ES256", "ours"), Key::new("ES256", "theirs")];
    let other = amended(provider([&theirs]), json!({ "issuer": "https://other/" }));
    let policy = json!({
        "providers": { "corp": provider([&ours]), "other": other },
        "rules": [{ "match": { "path": { "prefix": "/corp" } }, "credentials": ["corp"] }, {}],
    });
    let from_other = json!({ "iss": "https://other/" });
    tables.judge(
        policy,
        &[
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
        ],
    );
}

fn a_shared_secret_beside_public_keys_is_never_confused_with_them(tables: &mut Tables) {
    let rsa = Key::new("RS256", "rsa");
    let shared = Key::new("HS256", "hs");
    let jwks = json!({ "algorithms": ["RS256", "HS256"], "jwks": { "inline": { "keys": [rsa.jwk(), shared.jwk()] } } });
    let n = rsa.jwk()["n"].as_str().unwrap().to_owned();
    let modulus = decode(&n);
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
    tables.judge(only(amended(provider([]), jwks)), &rows);
}
