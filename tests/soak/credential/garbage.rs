//! Tokens that are no good, whatever else happens.

use std::sync::Arc;

use serde_json::{Value, json};

use super::tokens::{claims, corp_token, jwt, signed};
use super::{Credential, Pools};
use crate::authority::{AUDIENCE, AUTHORITY};
use crate::harness;
use crate::harness::keys::{Key, decode, encode, tampered};
use crate::history::lock;
use crate::issuer::Issuer;
use crate::oracle::{Codes, Condition};
use crate::policy::CORP;
use crate::random::Random;

/// A token that is no good, whatever else happens.
pub fn garbage(issuer: &Issuer, pools: &Pools, random: &mut Random) -> Credential {
    if random.percent(40) {
        return malformed(issuer, pools, random);
    }
    let (kind, header, changes, codes) = unacceptable(random);
    let (token, _) = corp_token(issuer, random, header, changes);
    let value = token.value.clone();
    token.spoilt(kind, value, codes)
}

/// What is wrong with a token whose signature holds: header and claims that differ from a good one's.
fn unacceptable(random: &mut Random) -> (&'static str, Value, Value, Codes) {
    let now = harness::now();
    let header = |kind, header, codes: Codes| (kind, header, json!({}), codes);
    let claims = |kind, claims, codes: Codes| (kind, json!({}), claims, codes);
    match random.below(17) {
        0 | 1 => claims(
            "expired",
            json!({ "exp": now - 100, "iat": now - 200 }),
            &["TOKEN_EXPIRED"],
        ),
        2 => claims(
            "not yet valid",
            json!({ "nbf": now + 1000 }),
            &["TOKEN_NOT_YET_VALID"],
        ),
        3 | 4 => claims(
            "for another audience",
            json!({ "aud": "other-api" }),
            &["INVALID_AUDIENCE"],
        ),
        5 => claims(
            "of another issuer",
            json!({ "iss": "https://evil.example.com/" }),
            &["INVALID_ISSUER"],
        ),
        6 => claims("without iat", json!({ "iat": null }), &["INVALID_TOKEN"]),
        7 => claims(
            "lives too long",
            json!({ "exp": now + 9000 }),
            &["INVALID_TOKEN"],
        ),
        8 => claims("without exp", json!({ "exp": null }), &["INVALID_TOKEN"]),
        9 => claims(
            "untraceable",
            json!({ "jti": null, "sub": null, "client_id": null }),
            &["INVALID_TOKEN"],
        ),
        10 => claims(
            "bound to a certificate",
            json!({ "cnf": { "x5t#S256": encode([7; 32]) } }),
            &["INVALID_TOKEN"],
        ),
        11 => claims(
            "a subject in white space",
            json!({ "sub": "admin " }),
            &["INVALID_TOKEN"],
        ),
        12 => claims(
            "a subject that is a number",
            json!({ "sub": 7 }),
            &["MALFORMED_TOKEN"],
        ),
        13 => header(
            "a critical extension",
            json!({ "crit": ["exp"] }),
            &["INVALID_TOKEN"],
        ),
        14 => header(
            "of another type",
            json!({ "typ": "refresh+jwt" }),
            &["INVALID_TOKEN"],
        ),
        // A key that comes along is not followed.
        15 => header(
            "an embedded key",
            json!({ "kid": random.hex(), "jwk": Key::new("ES256", "x").jwk() }),
            &["UNKNOWN_KEY"],
        ),
        _ => header(
            "a random kid",
            json!({ "kid": random.hex() }),
            &["UNKNOWN_KEY"],
        ),
    }
}

/// A token whose form or signature is wrong.
fn malformed(issuer: &Issuer, pools: &Pools, random: &mut Random) -> Credential {
    let (good, published) = corp_token(issuer, random, json!({}), json!({}));
    let value = good.value.clone();
    let parts: Vec<&str> = value.split('.').collect();
    let text = String::from_utf8(decode(parts[1])).expect("claims are UTF-8");
    match random.below(12) {
        0..3 => good.spoilt(
            "a signature that does not hold",
            tampered(&value),
            &["INVALID_SIGNATURE"],
        ),
        3 => {
            let claims = encode(text.replace("\"scope\":\"", "\"scope\":\"data:admin "));
            let value = [parts[0], &claims, parts[2]].join(".");
            good.spoilt("claims that were not signed", value, &["INVALID_SIGNATURE"])
        }
        4 => {
            let header = encode(json!({ "alg": "none", "typ": "JWT" }).to_string());
            let value = format!("{header}.{}.", parts[1]);
            good.spoilt(
                "alg none",
                value,
                &["UNSUPPORTED_ALGORITHM", "MALFORMED_TOKEN"],
            )
        }
        5 => {
            // The public key as the secret of an HMAC.
            let public = published.key.jwk().to_string();
            let value = Key::hs256(&published.key.kid, public)
                .token_with(json!({}), json!({ "iss": CORP }));
            good.spoilt("a confused key", value, &["UNSUPPORTED_ALGORITHM"])
        }
        6 => good.spoilt(
            "five segments",
            format!("{value}.x.y"),
            &["MALFORMED_TOKEN"],
        ),
        7 => good.spoilt("padding", format!("{value}="), &["MALFORMED_TOKEN"]),
        8 => {
            let doubled = text.replacen('{', "{\"sub\":\"root\",", 1);
            let value = published
                .key
                .sign(&format!("{}.{}", parts[0], encode(doubled)));
            good.spoilt("a claim twice", value, &["MALFORMED_TOKEN"])
        }
        9 => good.spoilt("no token at all", String::new(), &["MALFORMED_TOKEN"]),
        10 => good.spoilt(
            "a token of 17 KB",
            format!("{value}{}", "A".repeat(17_000)),
            &["REQUEST_TOO_LARGE"],
        ),
        _ => impostor(pools, random),
    }
}

/// By a key of our own, under a kid of the authority.
fn impostor(pools: &Pools, random: &mut Random) -> Credential {
    let (kid, fact) = {
        let keys = lock(&pools.authority_keys);
        let (kid, fact) = random.pick(&keys);
        (kid.clone(), Arc::clone(fact))
    };
    let status = json!({ "status_list": { "idx": 0, "uri": format!("{AUTHORITY}/status/0") } });
    let claims = claims(
        AUTHORITY,
        &random.hex(),
        "subject of reader",
        json!({ "aud": AUDIENCE, "status": status }),
    );
    let alg = *random.pick(&["ES256", "EdDSA", "RS256"]);
    let value = signed(&Key::new(alg, &kid), json!({}), &claims);
    let mut token = jwt(
        "an impostor's".to_owned(),
        value,
        "authority",
        "nobody".to_owned(),
        String::new(),
    );
    token.conditions = vec![
        Condition::Is(fact, true, &["UNKNOWN_KEY"]),
        // The kid may be of a key for another algorithm.
        Condition::Fails(&["INVALID_SIGNATURE", "UNSUPPORTED_ALGORITHM"]),
    ];
    token
}
