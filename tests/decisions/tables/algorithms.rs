//! Which signatures count.

use serde_json::{Value, json};

use super::{Tables, get};
use crate::harness::keys::{Key, amended, claims, decode, encode, jwks, tampered};
use crate::harness::policy::{AUDIENCE, ISSUER, only, provider};

judged! {
    every_asymmetric_algorithm_counts_by_default_and_no_hmac,
    alg_and_kid_must_fit_a_key,
    an_allow_list_is_all_that_counts,
}

const ASYMMETRIC: [&str; 10] = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
];

fn every_asymmetric_algorithm_counts_by_default_and_no_hmac(tables: &mut Tables) {
    let keys = ASYMMETRIC.map(|alg| Key::new(alg, &format!("key-{alg}")));
    tables.table(only(provider(&keys)), |rows| {
        rows.refuses("no credential", get("/"), "MISSING_TOKEN");
        for key in &keys {
            let (alg, token) = (key.alg, key.token(json!({})));
            rows.passes(alg, get("/").bearer(&token));
            rows.passes(&format!("{alg}, again"), get("/").bearer(&token));
            rows.refuses(
                &format!("{alg}, tampered signature"),
                get("/").bearer(tampered(&token)),
                "INVALID_SIGNATURE",
            );
            let [header, _, signature] = segments(&token);
            let forged = format!(
                "{header}.{}.{signature}",
                encode(claims(json!({ "sub": "root" })).to_string())
            );
            rows.refuses(
                &format!("{alg}, another's claims"),
                get("/").bearer(forged),
                "INVALID_SIGNATURE",
            );
            let cut = format!(
                "{}.{}",
                token.rsplit_once('.').expect("dots").0,
                encode(&decode(&signature)[1..])
            );
            rows.refuses(
                &format!("{alg}, cut signature"),
                get("/").bearer(cut),
                "INVALID_SIGNATURE",
            );
            let empty = format!("{}.", token.rsplit_once('.').expect("dots").0);
            rows.refuses(
                &format!("{alg}, no signature"),
                get("/").bearer(empty),
                "INVALID_SIGNATURE",
            );
            let stranger = if key.jwk()["kty"] == "RSA" {
                Key::new("RS256", &key.kid)
            } else {
                Key::new(alg, &key.kid)
            };
            if stranger.jwk() != key.jwk() {
                rows.refuses(
                    &format!("{alg}, a stranger's key"),
                    get("/").bearer(stranger.token(json!({}))),
                    "INVALID_SIGNATURE",
                );
            }
        }
        let ed25519 = Key::token_with;
        rows.passes(
            "Ed25519 means EdDSA",
            get("/").bearer(ed25519(&keys[9], json!({ "alg": "Ed25519" }), json!({}))),
        );

        let es256 = &keys[6];
        let signed = es256.token(json!({}));
        let signed = signed.rsplit_once('.').expect("dots").0;
        let der = format!(
            "{signed}.{}",
            encode(es256.der_signature(signed.as_bytes()))
        );
        rows.refuses("ES256 in DER", get("/").bearer(der), "INVALID_SIGNATURE");
        rows.refuses(
            "ES256 of zeros",
            get("/").bearer(format!("{signed}.{}", encode([0; 64]))),
            "INVALID_SIGNATURE",
        );

        for alg in ["HS256", "HS384", "HS512"] {
            let key = Key::new(alg, "key-RS256");
            rows.refuses(
                &format!("{alg} is not listed"),
                get("/").bearer(key.token(json!({}))),
                "UNSUPPORTED_ALGORITHM",
            );
        }
        let modulus = decode(keys[0].jwk()["n"].as_str().expect("an RSA key"));
        let confused = Key::hs256("key-RS256", modulus).token(json!({}));
        rows.refuses(
            "HS256 with the public key as its secret",
            get("/").bearer(confused),
            "UNSUPPORTED_ALGORITHM",
        );
    });
}

fn alg_and_kid_must_fit_a_key(tables: &mut Tables) {
    let rsa = Key::new("RS256", "rsa");
    let ec = Key::new("ES256", "ec");
    let nameless = Key::new("ES384", "nameless");
    let twins = [Key::new("ES256", "twin"), Key::new("ES256", "twin")];
    let key = |key: &Key, changes: Value| amended(key.jwk(), changes);
    let set = json!({ "keys": [
        key(&rsa, json!({})),
        key(&ec, json!({})),
        key(&nameless, json!({ "kid": null })),
        key(&twins[0], json!({})),
        key(&twins[1], json!({})),
        key(&rsa, json!({ "kid": "rs512-only", "alg": "RS512" })),
        key(&rsa, json!({ "kid": "for-encryption", "use": "enc" })),
        key(&rsa, json!({ "kid": "for-signing-only", "use": "sig", "key_ops": ["verify"] })),
        key(&rsa, json!({ "kid": "operations", "key_ops": ["encrypt"] })),
        { "kty": "RSA", "kid": "weak", "n": encode([0xc1; 128]), "e": "AQAB" },
        { "kty": "unheard-of", "kid": "odd" },
    ] });
    let provider = json!({ "issuer": ISSUER, "audiences": [AUDIENCE], "jwks": { "inline": set } });
    let with = |key: &Key, header: Value| get("/").bearer(key.token_with(header, json!({})));
    tables.table(only(provider), |rows| {
        rows.passes("the named key", with(&rsa, json!({})));
        rows.passes("no kid: every key that fits the alg is tried", with(&ec, json!({ "kid": null })));
        rows.passes("no kid, a key without one", with(&nameless, json!({ "kid": null })));
        rows.passes("two keys of one kid, the first", with(&twins[0], json!({})));
        rows.passes("two keys of one kid, the second", with(&twins[1], json!({})));
        rows.passes("a key for signing", with(&rsa, json!({ "kid": "for-signing-only" })));
        rows.passes("the alg that the key names", get("/").bearer(Key::new("RS512", "rs512-only").token(json!({}))));

        rows.refuses("a kid that no key has", with(&rsa, json!({ "kid": "unknown" })), "UNKNOWN_KEY");
        rows.refuses("the kid of another case", with(&rsa, json!({ "kid": "RSA" })), "UNKNOWN_KEY");
        rows.refuses("an empty kid", with(&rsa, json!({ "kid": "" })), "UNKNOWN_KEY");
        rows.refuses("an empty kid and a key without one", with(&nameless, json!({ "kid": "" })), "UNKNOWN_KEY");
        rows.refuses("a kid and a key without one", with(&nameless, json!({})), "UNKNOWN_KEY");
        for (name, kid) in [("a number", json!(7)), ("a list", json!(["rsa"])), ("an object", json!({}))] {
            rows.refuses(&format!("a kid that is {name}"), with(&rsa, json!({ "kid": kid })), "MALFORMED_TOKEN");
        }
        rows.refuses("a weak key", with(&rsa, json!({ "kid": "weak" })), "UNKNOWN_KEY");
        rows.refuses("a key for encryption", with(&rsa, json!({ "kid": "for-encryption" })), "UNKNOWN_KEY");
        rows.refuses("a key without the operation", with(&rsa, json!({ "kid": "operations" })), "UNKNOWN_KEY");

        let misfit = "UNSUPPORTED_ALGORITHM";
        rows.refuses("an alg that the key does not name", with(&rsa, json!({ "kid": "rs512-only" })), misfit);
        rows.refuses("an RSA key for ES256", with(&ec, json!({ "kid": "rsa" })), misfit);
        rows.refuses("an EC key for RS256", with(&rsa, json!({ "kid": "ec" })), misfit);
        rows.refuses("a P-256 key for ES384", with(&nameless, json!({ "kid": "ec" })), misfit);
        rows.refuses("ES384 that is ES256", with(&ec, json!({ "alg": "ES384" })), misfit);
        rows.refuses("RS512 that is RS256", with(&rsa, json!({ "alg": "RS512" })), "INVALID_SIGNATURE");
        rows.refuses("PS256 that is RS256", with(&rsa, json!({ "alg": "PS256" })), "INVALID_SIGNATURE");

        for alg in ["none", "None", "NONE", "rs256", "RS1", "ES256K", "RS256 ", "dir", ""] {
            rows.refuses(&format!("alg {alg:?}"), with(&rsa, json!({ "alg": alg })), "UNSUPPORTED_ALGORITHM");
        }
        let unsigned = format!("{}.{}.", encode(r#"{"alg":"none"}"#), encode(claims(json!({})).to_string()));
        rows.refuses("alg none without a signature", get("/").bearer(unsigned), "UNSUPPORTED_ALGORITHM");
        let malformed = "MALFORMED_TOKEN";
        rows.refuses("no alg", with(&rsa, json!({ "alg": null })), malformed);
        rows.refuses("alg is a list", with(&rsa, json!({ "alg": ["RS256"] })), malformed);

        let header = |changes: Value| with(&rsa, changes);
        let extension = "INVALID_TOKEN";
        rows.refuses("crit", header(json!({ "crit": ["exp"], "exp": 1 })), extension);
        rows.refuses("an empty crit", header(json!({ "crit": [] })), extension);
        rows.refuses("b64", header(json!({ "b64": true })), extension);
        let own = Key::new("ES256", "own");
        rows.refuses("the token brings its key", with(&own, json!({ "kid": "ec", "jwk": own.jwk() })), "INVALID_SIGNATURE");
        rows.refuses("the token brings its key, unknown", with(&own, json!({ "jwk": own.jwk() })), "UNKNOWN_KEY");
        rows.passes("jku, x5u and x5c are ignored", header(json!({
            "jku": "https://evil.example/keys", "x5u": "https://evil.example/c", "x5c": ["AA"], "jwk": own.jwk(),
        })));
    });
}

fn an_allow_list_is_all_that_counts(tables: &mut Tables) {
    let secrets = ["HS256", "HS384", "HS512"].map(|alg| Key::new(alg, &format!("key-{alg}")));
    let (rsa, ec) = (Key::new("RS256", "rsa"), Key::new("ES256", "ec"));
    let hmac = json!({
        "issuer": "https://hmac.example/",
        "audiences": [AUDIENCE],
        "algorithms": ["HS256", "HS384", "HS512"],
        "jwks": { "inline": jwks(&secrets) },
    });
    let rs256 = amended(provider([&rsa, &ec]), json!({ "algorithms": ["RS256"] }));
    let policy = json!({ "providers": { "hmac": hmac, "corp": rs256 }, "rules": [{}] });
    tables.table(policy, |rows| {
        for key in &secrets {
            let token = key.token(json!({ "iss": "https://hmac.example/" }));
            rows.passes(key.alg, get("/").bearer(&token));
            rows.refuses(
                &format!("{}, tampered", key.alg),
                get("/").bearer(tampered(&token)),
                "INVALID_SIGNATURE",
            );
        }
        rows.passes("RS256 is listed", get("/").bearer(rsa.token(json!({}))));
        rows.refuses(
            "ES256 is not",
            get("/").bearer(ec.token(json!({}))),
            "UNSUPPORTED_ALGORITHM",
        );
        let ps256 = Key::new("PS256", "rsa");
        rows.refuses(
            "PS256 is not",
            get("/").bearer(ps256.token(json!({}))),
            "UNSUPPORTED_ALGORITHM",
        );
        let other = secrets[0].token(json!({}));
        rows.refuses(
            "another provider's secret",
            get("/").bearer(other),
            "UNSUPPORTED_ALGORITHM",
        );
    });
}

fn segments(token: &str) -> [String; 3] {
    let segments: Vec<String> = token.split('.').map(str::to_owned).collect();
    segments
        .try_into()
        .expect("a signed token has three segments")
}
