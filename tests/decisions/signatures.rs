//! Signatures that a careless verifier takes for good, and those that are good in more than one spelling.

use serde_json::{Value, json};

use super::harness::keys::{Key, amended, claims, decode, encode, hex};
use super::harness::policy::{only, provider};
use super::harness::{Filter, PASSES, get};

const BAD: &str = "INVALID_SIGNATURE";

/// An algorithm on a curve, the length of its scalars, and the order of the group in big-endian hexadecimal.
const CURVES: [(&str, usize, &str); 3] = [
    (
        "ES256",
        32,
        "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
    ),
    (
        "ES384",
        48,
        "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf\
         581a0db248b0a77aecec196accc52973",
    ),
    (
        "ES512",
        66,
        "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa\
         51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409",
    ),
];

/// RFC 8032 §5.1: L, in little-endian.
const ED25519_ORDER: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";

fn filter(key: &Key) -> Filter {
    Filter::new(only(provider([key])))
}

fn bytes(digits: &str) -> Vec<u8> {
    base16ct::lower::decode_vec(digits).unwrap()
}

/// `a - b`, both as long and in big-endian.
fn difference(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut borrow = 0;
    let mut difference: Vec<u8> = a
        .iter()
        .zip(b)
        .rev()
        .map(|(a, b)| {
            let digit = i32::from(*a) - i32::from(*b) - borrow;
            borrow = i32::from(digit < 0);
            u8::try_from(digit.rem_euclid(256)).unwrap()
        })
        .collect();
    difference.reverse();
    difference
}

/// What is signed of a good token, and the signature.
fn parts(key: &Key, changes: Value) -> (String, Vec<u8>) {
    let token = key.token(changes);
    let (signed, signature) = token.rsplit_once('.').unwrap();
    (signed.to_owned(), decode(signature))
}

fn code(filter: &mut Filter, signed: &str, signature: &[u8]) -> &'static str {
    let token = format!("{signed}.{}", encode(signature));
    filter.ask(&get("/").bearer(token)).code()
}

/// CVE-2022-21449: with r = 0 and s = 0 the equation of ECDSA holds for every key and every text, where nobody asks
/// whether they are between 1 and n - 1. n is 0 once more.
#[test]
fn a_signature_of_zeros_is_none() {
    for (alg, length, order) in CURVES {
        let key = Key::new(alg, "k");
        let mut filter = filter(&key);
        let (signed, good) = parts(&key, json!({}));
        let (r, s) = good.split_at(length);
        let (zero, n, ones) = (vec![0; length], bytes(order), vec![0xff; length]);
        let one = [&vec![0; length - 1][..], &[1]].concat();
        assert_eq!(n.len(), length);
        assert_eq!(code(&mut filter, &signed, &good), PASSES, "{alg}");
        for (what, first, second) in [
            ("r = 0, s = 0", &zero[..], &zero[..]),
            ("r = n, s = n", &n, &n),
            ("r = 0", &zero, s),
            ("s = 0", r, &zero),
            ("r = n", &n, s),
            ("s = n", r, &n),
            ("r = 0, s = n", &zero, &n),
            ("r = n, s = 0", &n, &zero),
            ("r = 0, s = 1", &zero, &one),
            ("r = 1, s = 0", &one, &zero),
            ("r = 1, s = 1", &one, &one),
            ("all ones", &ones, &ones),
        ] {
            let signature = [first, second].concat();
            assert_eq!(code(&mut filter, &signed, &signature), BAD, "{alg}: {what}");
        }
    }
    for alg in ["EdDSA", "RS256", "PS256"] {
        let key = Key::new(alg, "k");
        let (signed, good) = parts(&key, json!({}));
        for octet in [0, 1, 0xff] {
            let signature = vec![octet; good.len()];
            assert_eq!(code(&mut filter(&key), &signed, &signature), BAD, "{alg}");
        }
    }
}

/// RFC 7518 §3.4: r and s side by side, each at its full length. Other spellings of one signature, and longer or
/// shorter ones, are none.
#[test]
fn a_signature_has_one_form() {
    for (alg, length, _) in CURVES {
        let key = Key::new(alg, "k");
        let (signed, good) = parts(&key, json!({}));
        let (r, s) = good.split_at(length);
        let mut filter = filter(&key);
        for (what, signature) in [
            ("cut", good[..good.len() - 1].to_vec()),
            ("one octet more", [&good[..], &[0]].concat()),
            ("one octet before", [&[0][..], &good[..]].concat()),
            ("both longer", [&[0], r, &[0], s].concat()),
            ("r alone", r.to_vec()),
            ("twice", good.repeat(2)),
            ("s before r", [s, r].concat()),
        ] {
            assert_eq!(code(&mut filter, &signed, &signature), BAD, "{alg}: {what}");
        }
    }
    let key = Key::new("ES256", "k");
    let (signed, _) = parts(&key, json!({}));
    let der = key.der_signature(signed.as_bytes());
    assert_eq!(code(&mut filter(&key), &signed, &der), BAD);
}

/// RFC 8032 §5.1.7: S + L is the same number to whoever does not check its range, so that one token would have many
/// spellings. The same of an RSA signature and its modulus (RFC 8017 §5.2.2).
#[test]
fn a_number_beyond_its_range_is_no_signature() {
    let key = Key::new("EdDSA", "k");
    let (signed, good) = parts(&key, json!({}));
    let (r, s) = good.split_at(32);
    let mut carry = 0;
    let sum: Vec<u8> = s
        .iter()
        .zip(bytes(ED25519_ORDER))
        .map(|(a, b)| {
            let digit = u16::from(*a) + u16::from(b) + carry;
            carry = digit >> 8;
            u8::try_from(digit & 0xff).unwrap()
        })
        .collect();
    assert_eq!(carry, 0, "it fits");
    let mut edwards = filter(&key);
    assert_eq!(code(&mut edwards, &signed, &good), PASSES);
    assert_eq!(code(&mut edwards, &signed, &[r, &sum].concat()), BAD);

    let key = Key::new("RS256", "k");
    let modulus = decode(key.jwk()["n"].as_str().unwrap());
    let mut rsa = filter(&key);
    // One whose sum with the modulus is no longer than the modulus.
    let (signed, sum) = (0..1000)
        .find_map(|n| {
            let (signed, good) = parts(&key, json!({ "n": n }));
            assert_eq!(code(&mut rsa, &signed, &good), PASSES);
            let negated = difference(&vec![0; good.len()], &modulus);
            let sum = difference(&good, &negated);
            (sum > good).then_some((signed, sum))
        })
        .expect("one of a thousand");
    assert_eq!(code(&mut rsa, &signed, &sum), BAD);
}

/// Of an ECDSA signature everybody can make a second one: n - s is as good as s (RFC 7518 §3.4 asks for no low s). So
/// nothing may hang on the text of a token: a revoked one stays revoked.
#[test]
fn another_signature_is_no_other_token() {
    let list = json!({ "revocation": { "list": { "cluster": "a", "uri": "http://a/list" } } });
    for (alg, length, order) in CURVES {
        let key = Key::new(alg, "k");
        let mut filter = Filter::new(only(amended(provider([&key]), list.clone())));
        filter.revoke(r#"{"cursor": "1", "revoked": [{"jti": "lost"}]}"#);
        let mut both = |jti: &str| {
            let (signed, good) = parts(&key, json!({ "jti": jti }));
            let (r, s) = good.split_at(length);
            let other = [r, &difference(&bytes(order), s)].concat();
            assert_ne!(hex(&good), hex(&other));
            [good, other].map(|signature| code(&mut filter, &signed, &signature))
        };
        assert_eq!(both("kept"), [PASSES; 2], "{alg}");
        assert_eq!(both("lost"), ["TOKEN_REVOKED"; 2], "{alg}");
    }
    // Nor on how its header and claims are written.
    let key = Key::new("ES256", "k");
    let mut filter = Filter::new(only(amended(provider([&key]), list)));
    filter.revoke(r#"{"cursor": "1", "revoked": [{"jti": "lost"}]}"#);
    let lost = claims(json!({ "jti": "lost" })).to_string();
    for (header, claims) in [
        (r#"{"alg":"ES256"}"#, lost.clone()),
        (
            r#" { "kid" : "k", "alg" : "ES256" } "#,
            lost.replace("lost", r"\u006cost"),
        ),
        (r#"{"alg":"ES256","x":1}"#, format!("\n{lost}\t")),
    ] {
        let token = key.seal(header, claims);
        let answer = filter.ask(&get("/").bearer(token));
        assert_eq!(answer.code(), "TOKEN_REVOKED", "{header}");
    }
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
    let config = |x: &[u8]| {
        let jwks = json!({ "jwks": { "inline": { "keys": with_x(x) } } });
        only(amended(provider([]), jwks))
    };
    let mut short = Filter::new(config(&x[1..]));
    assert_eq!(short.ask(&get("/").bearer(token)).code(), PASSES);
    for x in [&x[..65], &x[2..], &[&[0], &x[..]].concat(), &[]] {
        assert!(Filter::from_text(&config(x).to_string()).is_err());
    }
}
