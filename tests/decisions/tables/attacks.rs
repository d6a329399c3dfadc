//! The attacks of `tests/attacks/tokens.yaml`, which says what a recipe means.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::{Tables, get};
use crate::harness::keys::{Key, amended, claims, decode, encode};
use crate::harness::now;
use crate::harness::policy::{only, provider};

judged! {
    each_attack_on_a_token,
}

const MEMBERS: [&str; 16] = [
    "attack",
    "what",
    "by",
    "header",
    "header_text",
    "header_more",
    "claims",
    "claims_text",
    "claims_more",
    "times",
    "nest",
    "signature",
    "token",
    "policy",
    "native",
    "expect",
];

const CODES: [&str; 10] = [
    "passes",
    "INVALID_AUDIENCE",
    "INVALID_ISSUER",
    "INVALID_SIGNATURE",
    "INVALID_TOKEN",
    "MALFORMED_TOKEN",
    "TOKEN_EXPIRED",
    "TOKEN_NOT_YET_VALID",
    "UNKNOWN_KEY",
    "UNSUPPORTED_ALGORITHM",
];

fn each_attack_on_a_token(tables: &mut Tables) {
    let yaml = include_str!("../../attacks/tokens.yaml");
    let cases: Vec<Value> = serde_saphyr::from_str(yaml).expect("the attacks are YAML");
    let keys = Keys::new();
    for policy in ["asymmetric", "hmac"] {
        for is_native in [false, true] {
            let of = |case: &&Value| {
                case["policy"].as_str().unwrap_or("asymmetric") == policy
                    && case["native"].as_bool().unwrap_or_default() == is_native
            };
            let rows: Vec<_> = cases
                .iter()
                .filter(of)
                .map(|case| {
                    let what = format!("{}: {}", text(case, "attack"), text(case, "what"));
                    let ask = get("/").bearer(keys.token(case));
                    (what, ask, code(case))
                })
                .collect();
            let rows: Vec<_> = rows
                .iter()
                .map(|(what, ask, code)| (what.as_str(), ask.clone(), *code))
                .collect();
            let policy = keys.policy(policy);
            if is_native {
                tables.judge_natively(policy, &rows);
            } else {
                tables.judge(policy, &rows);
            }
        }
    }
}

fn text<'c>(case: &'c Value, member: &str) -> &'c str {
    let text = case[member].as_str();
    text.unwrap_or_else(|| panic!("no {member}: {case}"))
}

fn code(case: &Value) -> &'static str {
    for member in case.as_object().expect("a case is a mapping").keys() {
        assert!(MEMBERS.contains(&member.as_str()), "{member}: {case}");
    }
    let expected = text(case, "expect");
    let code = CODES.iter().find(|code| **code == expected);
    code.unwrap_or_else(|| panic!("{expected} is no code: {case}"))
}

struct Keys {
    ec: Key,
    rsa: Key,
    ed: Key,
    hs: Key,
    attacker: Key,
}

impl Keys {
    fn new() -> Self {
        Keys {
            ec: Key::new("ES256", "ec"),
            rsa: Key::new("RS256", "rsa"),
            ed: Key::new("EdDSA", "ed"),
            hs: Key::new("HS256", "hs"),
            attacker: Key::new("ES256", "ec"),
        }
    }

    fn policy(&self, name: &str) -> Value {
        match name {
            "asymmetric" => only(provider([&self.ec, &self.rsa, &self.ed])),
            "hmac" => {
                let listed = json!({ "algorithms": ["RS256", "HS256"] });
                only(amended(provider([&self.rsa, &self.hs]), listed))
            }
            other => panic!("no policy {other}"),
        }
    }

    fn token(&self, case: &Value) -> String {
        let key = match case["by"].as_str().unwrap_or("ec") {
            "ec" => &self.ec,
            "rsa" => &self.rsa,
            "ed" => &self.ed,
            "hs" => &self.hs,
            "attacker" => &self.attacker,
            other => panic!("no key {other}"),
        };
        let hmac = case["signature"]["hmac"].as_str();
        let hmac = hmac.map(|form| Key::hs256(&key.kid, self.public_key(form)));
        let key = hmac.as_ref().unwrap_or(key);
        let head = encode(header_of(case, key));
        let body = encode(claims_of(case));
        let signed = format!("{head}.{body}");
        let signature = match case["signature"].as_str() {
            None => key.signature(signed.as_bytes()),
            Some("empty") => Vec::new(),
            Some("zeros") => vec![0; key.signature(b"").len()],
            Some("der") => key.der_signature(signed.as_bytes()),
            Some("stale") => key.signature(b"another token"),
            Some(other) => panic!("no signature {other}"),
        };
        let signature = encode(signature);
        let mut token = String::new();
        for character in case["token"].as_str().unwrap_or("H.P.S").chars() {
            match character {
                'H' => token += &head,
                'P' => token += &body,
                'S' => token += &signature,
                '~' => set_a_trailing_bit(&mut token),
                other => token.push(other),
            }
        }
        token
    }

    /// The RSA key in the forms in which libraries have taken it for a shared secret.
    fn public_key(&self, form: &str) -> Vec<u8> {
        let jwk = self.rsa.jwk();
        let n = jwk["n"].as_str().expect("an RSA key");
        // Fixed headers: 2048 bits and the exponent 65537 (RFC 8017 §A.1.1, RFC 5280 §4.1).
        let pkcs1 = [&decode("MIIBCgKCAQEA")[..], &decode(n), &[2, 3, 1, 0, 1]].concat();
        let algorithm = b"\x30\x82\x01\x22\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x03\x82\x01\x0f\x00";
        let spki = [&algorithm[..], &pkcs1].concat();
        match form {
            "jwk" => jwk.to_string().into(),
            "modulus" => decode(n),
            "modulus-text" => n.into(),
            "nothing" => Vec::new(),
            "pkcs1-der" => pkcs1,
            "pkcs1-pem" => pem("RSA PUBLIC KEY", &pkcs1).into(),
            "spki-der" => spki,
            "spki-pem" => pem("PUBLIC KEY", &spki).into(),
            "spki-pem-trimmed" => pem("PUBLIC KEY", &spki).trim_end().into(),
            other => panic!("no form {other}"),
        }
    }
}

fn header_of(case: &Value, key: &Key) -> String {
    if let Some(header) = case["header_text"].as_str() {
        return header.to_owned();
    }
    let good = json!({ "alg": key.alg, "kid": key.kid, "typ": "at+jwt" });
    let mut header = changed(good, &case["header"]);
    if header["jwk"] == "own" {
        header["jwk"] = key.jwk();
    }
    with_more(&header, &case["header_more"])
}

fn claims_of(case: &Value) -> String {
    if let Some(claims) = case["claims_text"].as_str() {
        return claims.to_owned();
    }
    let mut good = claims(json!({}));
    for (claim, seconds) in case["times"].as_object().into_iter().flatten() {
        good[claim] = json!(now() + seconds.as_i64().expect("seconds"));
    }
    let claims = with_more(&changed(good, &case["claims"]), &case["claims_more"]);
    match case["nest"].as_u64() {
        None => claims,
        Some(levels) => {
            let levels = usize::try_from(levels).expect("a small number");
            let nested = format!("\"x\":{}{}", "[".repeat(levels), "]".repeat(levels));
            format!("{{{nested},{}", &claims[1..])
        }
    }
}

fn changed(base: Value, changes: &Value) -> Value {
    match changes {
        Value::Null => base,
        changes => amended(base, changes.clone()),
    }
}

fn with_more(object: &Value, more: &Value) -> String {
    let object = object.to_string();
    match more.as_str() {
        None => object,
        Some(more) => format!("{{{more},{}", &object[1..]),
    }
}

/// Sets the last of the four bits that the final character of 64 octets leaves unused.
fn set_a_trailing_bit(token: &mut String) {
    let last = token.pop().expect("a signature");
    // An encoder leaves them zero, so the character is A, Q, g or w.
    token.push(char::from(u8::try_from(last).expect("base64url") + 1));
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let lines: Vec<&str> = (0..text.len())
        .step_by(64)
        .map(|at| &text[at..text.len().min(at + 64)])
        .collect();
    let body = lines.join("\n");
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
}
