//! Tokens out of the tests of other libraries, through the whole core.

use portcullis_core::keys::{KeySet, Origin};
use portcullis_testing::outside_data::corpus;
use serde_json::{Value, json};

use super::harness::keys::{Key, amended, decode, encode, jwks};
use super::harness::policy::{ISSUER, only, provider};
use super::harness::{Filter, PASSES, get};

/// A provider that asks for as little as a provider may, of tokens like this one.
fn lenient(token: &str, set: &Value, algorithms: &[&str]) -> Value {
    let part = |i: usize| -> Value {
        token
            .split('.')
            .nth(i)
            .and_then(|segment| {
                use base64::Engine as _;
                base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(segment).ok()
            })
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default()
    };
    let mut provider = json!({
        "issuer": part(1)["iss"].as_str().filter(|iss| !iss.is_empty()).unwrap_or(ISSUER),
        "danger_any_audience": true,
        "algorithms": algorithms,
        "require_exp": false,
        "jwks": { "inline": set },
    });
    if let Some(typ) = part(0)["typ"].as_str() {
        provider["types"] = json!([typ]);
    }
    only(provider)
}

fn has_issuer(claims: &Value) -> bool {
    claims["iss"].as_str().is_some_and(|iss| !iss.is_empty())
}

#[test]
fn tokens_whose_keys_are_known() {
    let Some(tokens) = corpus("library_tokens.json") else {
        return;
    };
    let mut wrong = String::new();
    let (mut passed, mut without_issuer, mut refused) = (0, 0, 0);
    for case in tokens["cases"].as_array().unwrap() {
        let id = case["id"].as_str().unwrap();
        let token = case["jwt"].as_str().unwrap();
        let mut set = case["jwks"].clone();
        if let Some(kid) = case["header"]["kid"].as_str() {
            assert!(set["keys"][0]["kid"].is_null());
            // A key without a name is named by none (contract), so it gets the one that is meant.
            set["keys"][0]["kid"] = json!(kid);
        }
        let config = lenient(token, &set, &[case["alg"].as_str().unwrap()]);
        let found = match Filter::from_text(&config.to_string()) {
            Ok(mut filter) => {
                let time = case["suggested_time"].as_i64().unwrap();
                filter.at(time).ask(&get("/").bearer(token)).code()
            }
            Err(_) => "config-error",
        };
        // A provider's issuer is always asked for, so a token of nobody's passes nowhere. A key
        // that is a public key's text is long enough, and nothing tells it from a secret.
        let agrees = match case["expected_filter"].as_str().unwrap() {
            // secp256k1 is not offered.
            "accept" if case["alg"] == "ES256K" => found == "config-error",
            "accept" | "policy" if has_issuer(&case["claims"]) => {
                passed += 1;
                found == PASSES
            }
            "accept" | "policy" => {
                without_issuer += 1;
                found == "INVALID_ISSUER"
            }
            "reject" => {
                refused += 1;
                found != PASSES
            }
            other => panic!("{id}: {other}"),
        };
        if !agrees {
            wrong += &format!(
                "{id}: {found}, not {}: {}\n",
                case["expected_filter"], case["header"]
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    println!("{passed} pass, {without_issuer} lack an issuer, {refused} refused");
    assert!(passed > 30 && refused > 100);
}

#[test]
fn tokens_whose_keys_nobody_has() {
    let Some(tokens) = corpus("library_tokens_unverifiable.json") else {
        return;
    };
    let mut judged = 0;
    for case in tokens["cases"].as_array().unwrap() {
        let token = case["jwt"].as_str().unwrap();
        // Keys that fit each algorithm, by the name that the token gives and by none.
        let header = token.split('.').next().and_then(|segment| {
            use base64::Engine as _;
            let text = base64::prelude::BASE64_URL_SAFE_NO_PAD
                .decode(segment)
                .ok()?;
            serde_json::from_slice::<Value>(&text).ok()
        });
        let kid = header
            .as_ref()
            .and_then(|h| h["kid"].as_str())
            .unwrap_or("k");
        let algorithms = ["RS256", "ES256", "ES384", "ES512", "EdDSA", "HS256"];
        let keys: Vec<Key> = algorithms.iter().map(|alg| Key::new(alg, kid)).collect();
        let all = [
            &algorithms[..],
            &[
                "RS384", "RS512", "PS256", "PS384", "PS512", "HS384", "HS512",
            ],
        ]
        .concat();
        let mut filter = Filter::new(lenient(token, &jwks(&keys), &all));
        let code = filter.ask(&get("/").bearer(token)).code();
        assert_ne!(code, PASSES, "{}", case["id"]);
        judged += 1;
    }
    assert!(judged > 100, "{judged}");
}

/// What Envoy's former JWT library says, and where a strict filter says otherwise.
#[test]
fn the_library_that_envoy_had() {
    let Some(library) = corpus("jwt_verify_lib.json") else {
        return;
    };
    let mut wrong = String::new();
    let mut judged = [0; 4];
    for case in library["cases"].as_array().unwrap() {
        let (found, expected) = match case["kind"].as_str().unwrap() {
            "parse" => {
                judged[0] += 1;
                let key = Key::new("RS256", "k");
                let token = case["jwt"].as_str().unwrap();
                let config = lenient(token, &jwks([&key]), &["RS256", "ES256"]);
                let code = Filter::new(config).ask(&get("/").bearer(token)).code();
                (code == PASSES, case["strict_accept"].as_bool().unwrap())
            }
            "time" => {
                judged[1] += 1;
                (in_time(case), case["accept"].as_bool().unwrap())
            }
            "audience" => {
                judged[2] += 1;
                // An empty audience is refused at load: no token could be meant for it.
                let expected = case["strict_accept"].as_bool().unwrap();
                let names_nobody = case["audiences"].as_array().unwrap().contains(&json!(""));
                (audience_fits(case), expected && !names_nobody)
            }
            "verify" => match set(case) {
                None => continue,
                Some(set) => {
                    judged[3] += 1;
                    let expected = case["strict_accept"].as_bool().unwrap();
                    // A key without a name is named by none.
                    let by_no_name = case["name"].as_str().unwrap().contains("NotKid")
                        || case["name"].as_str().unwrap().contains("PubkeyNoKid");
                    (
                        verifies(case, &set),
                        expected && !(by_no_name && names_a_key(case)),
                    )
                }
            },
            _ => continue,
        };
        if found != expected {
            wrong += &format!("{}: passes: {found}\n", case["name"]);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    println!("{judged:?} of parse, time, audience, verify");
    assert!(judged.iter().all(|count| *count > 8), "{judged:?}");
}

/// A JWK Set as JSON; `None` for PEM and X.509, which are no JWK Sets. Trailing commas, which
/// that library forgives, make it no JSON for us; without them it is judged all the same.
fn set(case: &Value) -> Option<Value> {
    let text = case["jwks"].as_str()?;
    if case["jwks_format"] != "jwks" {
        return None;
    }
    let read = |text: &str| serde_json::from_str(text).ok();
    let strict = KeySet::parse(text.as_bytes(), Origin::Inline);
    if case["jwks_strict_json"] == false {
        assert!(strict.is_err(), "{}", case["name"]);
        let dense: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        return read(&dense.replace(",}", "}").replace(",]", "]"));
    }
    read(text)
}

fn names_a_key(case: &Value) -> bool {
    let header = case["jwt"].as_str().unwrap().split('.').next().unwrap();
    let header: Value = serde_json::from_slice(&decode(header)).unwrap();
    header["kid"].is_string()
}

fn verifies(case: &Value, set: &Value) -> bool {
    let token = case["jwt"].as_str().unwrap();
    let claims: Value = serde_json::from_slice(&decode(token.split('.').nth(1).unwrap())).unwrap();
    let header: Value = serde_json::from_slice(&decode(token.split('.').next().unwrap())).unwrap();
    let config = lenient(token, set, &[header["alg"].as_str().unwrap()]);
    let Ok(mut filter) = Filter::from_text(&config.to_string()) else {
        return false;
    };
    let time = case["time"].as_i64().unwrap();
    filter.at(time);
    let passes = filter.ask(&get("/").bearer(token)).passes();
    assert!(has_issuer(&claims), "{}", case["name"]);
    if passes {
        // No neighbour of it passes: a bit of each octet flipped, and every shorter signature.
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let signature = decode(signature);
        for i in 0..signature.len() {
            let mut flipped = signature.clone();
            flipped[i] ^= 1 << (i % 8);
            for other in [&flipped[..], &signature[..i]] {
                let forged = format!("{signed}.{}", encode(other));
                assert!(
                    !filter.ask(&get("/").bearer(forged)).passes(),
                    "{} {i}",
                    case["name"]
                );
            }
        }
    }
    passes
}

/// The token's own claims, signed anew: its signature is not valid.
fn in_time(case: &Value) -> bool {
    let key = Key::new("ES256", "k");
    let token = case["jwt"].as_str().unwrap();
    let mut claims: Value =
        serde_json::from_slice(&decode(token.split('.').nth(1).unwrap())).unwrap();
    for name in case["removed_claims"].as_array().into_iter().flatten() {
        claims
            .as_object_mut()
            .unwrap()
            .remove(name.as_str().unwrap());
    }
    claims["iss"] = json!(ISSUER);
    let token = key.seal(r#"{"alg":"ES256"}"#, claims.to_string());
    let mut config = lenient(&token, &jwks([&key]), &["ES256"]);
    config["providers"]["corp"]["clock_tolerance"] = json!(format!("{}s", case["clock_skew"]));
    // Beyond the largest i64 in one case: time saturates.
    let time = case["time"].as_i64().unwrap_or(i64::MAX);
    Filter::new(config)
        .at(time)
        .ask(&get("/").bearer(token))
        .passes()
}

fn audience_fits(case: &Value) -> bool {
    let key = Key::new("ES256", "k");
    let audiences = match case["audiences"].as_array().unwrap().as_slice() {
        [] => json!({ "audiences": null, "danger_any_audience": true }),
        some => json!({ "audiences": some }),
    };
    let config = only(amended(provider([&key]), audiences));
    let token = key.token(json!({ "aud": case["jwt_aud"] }));
    Filter::from_text(&config.to_string())
        .is_ok_and(|mut f| f.ask(&get("/").bearer(token)).passes())
}

/// Key sets that it reads and we do not, and the other way round, each with its reason.
#[test]
fn its_key_sets() {
    const OTHERWISE: [(&str, bool, &str); 3] = [
        (
            "JwksParseTest.JwkECMissingCrv",
            false,
            "crv is required (RFC 7518 §6.2.1.1)",
        ),
        (
            "JwksParseTest.GoodOKP",
            false,
            "its x is no point of the curve",
        ),
        (
            "JwksParseTest.JwksIgnoreUnsupportedKey",
            false,
            "the x of its Ed25519 key is no point of the curve",
        ),
    ];
    let Some(library) = corpus("jwt_verify_lib.json") else {
        return;
    };
    let mut wrong = String::new();
    let mut judged = 0;
    for case in library["cases"].as_array().unwrap() {
        let (Some(name), Some(text)) = (case["name"].as_str(), case["jwks"].as_str()) else {
            continue;
        };
        if case["kind"] != "jwks" || case["jwks_format"] != "jwks" {
            continue;
        }
        judged += 1;
        let found = KeySet::parse(text.as_bytes(), Origin::Inline).is_ok();
        let expected = match OTHERWISE.iter().find(|(n, ..)| *n == name) {
            Some((_, expected, _)) => *expected,
            None => case["accept"].as_bool().unwrap(),
        };
        if found != expected {
            wrong += &format!("{name}: {found}\n");
        }
        assert!(
            KeySet::parse(text.as_bytes(), Origin::Remote).is_ok() || !found,
            "{name}"
        );
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(judged > 15, "{judged}");
}
