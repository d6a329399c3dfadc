#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;

// RFC 7515 A.3 and RFC 8037 A.2; a P-384 and a P-521 key; the secret of RFC 7515 A.1.
const P256: &str = r#""kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0""#;
const P384: &str = r#""kty":"EC","crv":"P-384","x":"aqnJ6PuVhyyPar3VlY1sQsR749Df0ucdBILwA3aUncLY0_f3vS6lQf8J7goqWDDt","y":"ufu4_ZxWYeKm9kP6ECovZbulkqm2DNmuLD96uDq7rGFXEYhmJym9jH4nI_wY5KXT""#;
const ED25519: &str =
    r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;
const OCT: &str = r#""kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow""#;

/// A modulus of so many bits, made of ones: nobody can sign with it, but it has the form.
fn rsa(bits: usize) -> String {
    let mut n = vec![0xff; bits.div_ceil(8)];
    n[0] = 0xff >> (n.len() * 8 - bits);
    rsa_key(&n, &[1, 0, 1])
}

fn rsa_key(n: &[u8], e: &[u8]) -> String {
    let (n, e) = (URL_SAFE_NO_PAD.encode(n), URL_SAFE_NO_PAD.encode(e));
    format!(r#""kty":"RSA","n":"{n}","e":"{e}""#)
}

fn oct(bytes: usize) -> String {
    let secret = URL_SAFE_NO_PAD.encode(vec![7; bytes]);
    format!(r#""kty":"oct","k":"{secret}""#)
}

/// A set of keys, each given as its members.
fn set(keys: &[&str]) -> String {
    let keys: Vec<_> = keys
        .iter()
        .map(|members| format!("{{{members}}}"))
        .collect();
    format!(r#"{{"keys":[{}]}}"#, keys.join(","))
}

fn parse(text: &str, origin: Origin) -> Result<(KeySet, Vec<SkippedKey>), InvalidKeySet> {
    KeySet::parse(text.as_bytes(), origin)
}

fn keys_of(keys: &[&str]) -> KeySet {
    let (set, skipped) = parse(&set(keys), Origin::Inline).unwrap();
    assert_eq!(skipped, []);
    set
}

/// How many keys would be tried.
fn trials(set: &KeySet, algorithm: Algorithm, kid: Option<&str>) -> usize {
    match set.candidates(algorithm, kid) {
        Candidates::Keys(trials) => trials.count(),
        Candidates::Mismatch | Candidates::Unknown => 0,
    }
}

#[test]
fn names_of_algorithms() {
    for algorithm in Algorithm::ALL {
        assert_eq!(Algorithm::parse(algorithm.name()), Some(algorithm));
        assert_eq!(Algorithm::parse(&algorithm.name().to_lowercase()), None);
    }
    assert_eq!(Algorithm::parse("Ed25519"), Some(Algorithm::EdDsa));
    for name in [
        "", "none", "None", "ES256 ", " ES256", "ES256K", "ES521", "Ed448", "ed25519", "HS1",
        "RSA-OAEP",
    ] {
        assert_eq!(Algorithm::parse(name), None, "{name}");
    }
}

#[test]
fn the_default_is_asymmetric() {
    for algorithm in Algorithm::ALL {
        let is_symmetric = algorithm.name().starts_with("HS");
        assert_eq!(AlgorithmSet::DEFAULT.contains(algorithm), !is_symmetric);
    }
    assert!(AlgorithmSet::EMPTY.is_empty());
    let all: AlgorithmSet = Algorithm::ALL.into_iter().collect();
    assert_eq!(all.iter().count(), Algorithm::ALL.len());
}

#[test]
fn keys_that_verify_nothing() {
    let modulus = [0xff; 256];
    let even = [&[0xff; 255][..], &[0xfe]].concat();
    // y = 1, 0, p - 1, and p + 1, which is 1 again but longer.
    let low_order = |first: u8, middle: u8, last: u8| {
        let x = URL_SAFE_NO_PAD.encode([&[first][..], &[middle; 30], &[last]].concat());
        format!(r#""kty":"OKP","crv":"Ed25519","x":"{x}""#)
    };
    let table: Vec<(String, KeyFault)> = vec![
        (String::new(), KeyFault::KeyType),
        (r#""kty":"XYZ""#.into(), KeyFault::KeyType),
        (r#""kty":"rsa""#.into(), KeyFault::KeyType),
        (r#""kty":1"#.into(), KeyFault::KeyType),
        (format!(r#"{P256},"kid":1"#), KeyFault::Kid),
        (format!(r#"{P256},"kid":null"#), KeyFault::Kid),
        (format!(r#"{P256},"use":"enc""#), KeyFault::OtherUse),
        (format!(r#"{P256},"use":"""#), KeyFault::OtherUse),
        (format!(r#"{P256},"use":["sig"]"#), KeyFault::OtherUse),
        (format!(r#"{P256},"key_ops":[]"#), KeyFault::OtherUse),
        (format!(r#"{P256},"key_ops":["sign"]"#), KeyFault::OtherUse),
        (format!(r#"{P256},"key_ops":"verify""#), KeyFault::OtherUse),
        (format!(r#"{OCT},"key_ops":["sign"]"#), KeyFault::OtherUse),
        (
            format!(r#"{P256},"use":"sig","key_ops":["deriveKey"]"#),
            KeyFault::OtherUse,
        ),
        (format!(r#"{P256},"alg":"ES384""#), KeyFault::Algorithm),
        (format!(r#"{P256},"alg":"ES521""#), KeyFault::Algorithm),
        (format!(r#"{P256},"alg":"es256""#), KeyFault::Algorithm),
        (format!(r#"{P256},"alg":"HS256""#), KeyFault::Algorithm),
        (format!(r#"{P256},"alg":"none""#), KeyFault::Algorithm),
        (format!(r#"{P256},"alg":"""#), KeyFault::Algorithm),
        (format!(r#"{P256},"alg":null"#), KeyFault::Algorithm),
        (format!(r#"{P256},"alg":["ES256"]"#), KeyFault::Algorithm),
        (format!(r#"{ED25519},"alg":"ES256""#), KeyFault::Algorithm),
        (format!(r#"{OCT},"alg":"RS256""#), KeyFault::Algorithm),
        (
            format!(r#"{},"alg":"RSA-OAEP""#, rsa(2048)),
            KeyFault::Algorithm,
        ),
        (format!(r#"{},"alg":"HS384""#, oct(47)), KeyFault::Algorithm),
        (rsa(1024), KeyFault::ModulusLength { bits: 1024 }),
        (rsa(2047), KeyFault::ModulusLength { bits: 2047 }),
        (rsa(4097), KeyFault::ModulusLength { bits: 4097 }),
        (rsa(16384), KeyFault::ModulusLength { bits: 16384 }),
        (
            rsa_key(&[&[0; 200][..], &[0xff; 100]].concat(), &[1, 0, 1]),
            KeyFault::ModulusLength { bits: 800 },
        ),
        (
            rsa_key(&[], &[1, 0, 1]),
            KeyFault::ModulusLength { bits: 0 },
        ),
        (rsa_key(&even, &[1, 0, 1]), KeyFault::EvenModulus),
        (rsa_key(&modulus, &[]), KeyFault::Exponent),
        (rsa_key(&modulus, &[0]), KeyFault::Exponent),
        (rsa_key(&modulus, &[1]), KeyFault::Exponent),
        (rsa_key(&modulus, &[2]), KeyFault::Exponent),
        (rsa_key(&modulus, &[1, 0, 0]), KeyFault::Exponent),
        (rsa_key(&modulus, &[2, 0, 0, 0, 1]), KeyFault::Exponent),
        (rsa_key(&modulus, &[0xff; 256]), KeyFault::Exponent),
        (r#""kty":"RSA","e":"AQAB""#.into(), KeyFault::Encoding("n")),
        (
            r#""kty":"RSA","n":1234,"e":"AQAB""#.into(),
            KeyFault::Encoding("n"),
        ),
        (
            rsa(2048).replace("AQAB", "AQAB===="),
            KeyFault::Encoding("e"),
        ),
        (P256.replace("P-256", "P-384"), KeyFault::Point),
        (P256.replace("P-256", "P-1024"), KeyFault::Curve),
        (P256.replace("P-256", "secp256k1"), KeyFault::Curve),
        (P256.replace("\"crv\"", "\"curve\""), KeyFault::Curve),
        (P256.replace("5a0", "5a1"), KeyFault::Encoding("y")),
        (P256.replace("5a0", "5a4"), KeyFault::Point),
        (P256.replace("5a0", "5a0="), KeyFault::Encoding("y")),
        (P256.replace("f83O", "f83O "), KeyFault::Encoding("x")),
        (P256.replace("x_FE", "x/FE"), KeyFault::Encoding("y")),
        (
            format!(
                r#""kty":"EC","crv":"P-256","x":"{0}","y":"{0}""#,
                "A".repeat(43)
            ),
            KeyFault::Point,
        ),
        (ED25519.replace("Ed25519", "X25519"), KeyFault::Curve),
        (ED25519.replace("Ed25519", "Ed448"), KeyFault::Curve),
        (ED25519.replace("11qY", ""), KeyFault::Point),
        (low_order(1, 0, 0), KeyFault::Point),
        (low_order(1, 0, 0x80), KeyFault::Point),
        (low_order(0, 0, 0), KeyFault::Point),
        (low_order(0, 0, 0x80), KeyFault::Point),
        (low_order(0xec, 0xff, 0x7f), KeyFault::Point),
        (low_order(0xed, 0xff, 0x7f), KeyFault::Point),
        (low_order(0xee, 0xff, 0x7f), KeyFault::Point),
        (low_order(0xf0, 0xff, 0xff), KeyFault::Point),
        (oct(0), KeyFault::ShortSecret),
        (oct(31), KeyFault::ShortSecret),
        (r#""kty":"oct""#.into(), KeyFault::Encoding("k")),
    ];
    for (members, reason) in table {
        // Beside a good key it is skipped, alone it leaves nothing.
        let beside = set(&[P384, &members]);
        let (good, skipped) = parse(&beside, Origin::Inline).expect(&members);
        assert_eq!(good.len(), 1, "{members}");
        assert_eq!(skipped.len(), 1, "{members}");
        assert_eq!(
            (skipped[0].index, skipped[0].reason),
            (1, reason),
            "{members}"
        );
        let alone = parse(&set(&[&members]), Origin::Inline);
        assert!(
            matches!(&alone, Err(InvalidKeySet::NoUsableKey(why)) if why[0].reason == reason),
            "{members}: {alone:?}"
        );
        // A published set without a usable key is one by which no token passes.
        let (published, skipped) = parse(&set(&[&members]), Origin::Remote).expect(&members);
        assert!(published.is_empty() && skipped.len() == 1, "{members}");
    }
}

#[test]
fn keys_at_their_limits() {
    for members in [
        rsa(2048),
        rsa(2049),
        rsa(4096),
        rsa_key(&[0xff; 256], &[3]),
        rsa_key(&[0xff; 256], &[1, 0xff, 0xff, 0xff, 0xff]),
        rsa_key(&[0xff; 256], &[0, 1, 0, 1]),
        rsa_key(&[&[0], &[0xff; 256][..]].concat(), &[1, 0, 1]),
        oct(32),
        format!(r#"{P256},"use":"sig","key_ops":["sign","verify"],"alg":"ES256""#),
        format!(r#"{ED25519},"alg":"Ed25519""#),
        format!(r#"{P256},"x5c":["nonsense"],"jku":7,"whatever":{{}}"#),
    ] {
        assert_eq!(keys_of(&[&members]).len(), 1, "{members}");
    }
}

#[test]
fn what_a_key_may_verify() {
    let rs_and_ps = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];
    let table: Vec<(String, Vec<&str>)> = vec![
        (rsa(2048), rs_and_ps.to_vec()),
        (format!(r#"{},"alg":"PS384""#, rsa(2048)), vec!["PS384"]),
        (P256.into(), vec!["ES256"]),
        (P384.into(), vec!["ES384"]),
        (ED25519.into(), vec!["EdDSA"]),
        (oct(32), vec!["HS256"]),
        (oct(48), vec!["HS256", "HS384"]),
        (oct(64), vec!["HS256", "HS384", "HS512"]),
        (format!(r#"{OCT},"alg":"HS384""#), vec!["HS384"]),
    ];
    for (members, expected) in table {
        let set = keys_of(&[&members]);
        let key = set.iter().next().unwrap();
        let names: Vec<_> = key.algorithms().iter().map(Algorithm::name).collect();
        assert_eq!(names, expected, "{members}");
        for algorithm in Algorithm::ALL {
            let fits = expected.contains(&algorithm.name());
            assert_eq!(trials(&set, algorithm, None), usize::from(fits));
        }
    }
}

#[test]
fn private_keys() {
    for members in [
        format!(r#"{P256},"d":"AA""#),
        format!(r#"{P256},"d":null"#),
        format!(r#"{P256},"use":"enc","d":"AA""#),
        format!(r#"{P256},"kid":1,"d":"AA""#),
        format!(r#"{ED25519},"d":"AA""#),
        format!(r#"{},"d":"AA""#, ED25519.replace("Ed25519", "X25519")),
        format!(r#"{},"d":"AA""#, rsa(2048)),
        format!(r#"{},"p":"AA""#, rsa(2048)),
        format!(r#"{},"oth":[]"#, rsa(1024)),
    ] {
        let beside = set(&[P384, &members]);
        assert_eq!(
            parse(&beside, Origin::Inline).unwrap_err(),
            InvalidKeySet::PrivateKey { index: 1 },
            "{members}"
        );
        let (published, skipped) = parse(&beside, Origin::Remote).unwrap();
        assert_eq!(published.len(), 1);
        assert_eq!(skipped[0].reason, KeyFault::PrivateKey, "{members}");
    }
}

#[test]
fn a_secret_counts_only_where_the_operator_wrote_it() {
    let text = set(&[P256, OCT]);
    assert_eq!(parse(&text, Origin::Inline).unwrap().0.len(), 2);
    let (published, skipped) = parse(&text, Origin::Remote).unwrap();
    assert_eq!(published.len(), 1);
    assert_eq!(skipped[0].reason, KeyFault::PublishedSecret);
}

#[test]
fn sets_that_are_none() {
    let too_many = set(&vec![P256; 101]);
    let too_large = format!("{}{}", set(&[P256]), " ".repeat(JWKS_BYTES));
    let member_twice = r#"{"keys":[{"kty":"EC","kty":"EC"}]}"#;
    for (text, part) in [
        ("", "EOF while parsing a value"),
        ("{", "EOF while parsing an object"),
        ("[]", "expected an object"),
        (r#"{"keys":[],}"#, "trailing comma"),
        (r#"{"keys":[],"keys":[]}"#, "duplicate key"),
        (member_twice, "duplicate key"),
        ("{}", "keys: expected an array"),
        (r#"{"keys":null}"#, "keys: expected an array"),
        (r#"{"keys":{}}"#, "keys: expected an array"),
        (r#"{"Keys":[]}"#, "keys: expected an array"),
        (&too_many, "101 keys, at most 100"),
        (&too_large, "at most 262144"),
    ] {
        for origin in [Origin::Inline, Origin::Remote] {
            let refused = parse(text, origin).unwrap_err().to_string();
            assert!(refused.contains(part), "{refused}");
        }
    }
    let full = set(&vec![P256; 100]);
    assert_eq!(parse(&full, Origin::Remote).unwrap().0.len(), 100);
    let largest = format!("{full}{}", " ".repeat(JWKS_BYTES - full.len()));
    assert_eq!(parse(&largest, Origin::Remote).unwrap().0.len(), 100);
    assert!(!parse(&full, Origin::Remote).unwrap().0.is_empty());
}

#[test]
fn messages_name_the_key_and_never_its_material() {
    let text = set(&[
        &format!(r#"{},"kid":"short""#, rsa(1024)),
        &format!(r#"{},"kid":"a\"\n""#, oct(3)),
    ]);
    assert_eq!(
        parse(&text, Origin::Inline).unwrap_err().to_string(),
        "no usable key: keys[0] (kid \"short\"): n: 1024 bits, expected 2048 to 4096; \
         keys[1] (kid \"a\\\"\\u000a\"): k: shorter than the hash of its algorithm"
    );
    assert_eq!(
        parse(r#"{"keys":[]}"#, Origin::Inline)
            .unwrap_err()
            .to_string(),
        "no usable key"
    );
    let printed = format!("{:?}", keys_of(&[OCT, P256, ED25519]));
    for material in ["AyM1", "f83O", "11qY"] {
        assert!(!printed.contains(material), "{printed}");
    }
    assert!(printed.len() < 400, "{printed}");
}

#[test]
fn a_kid_names_its_keys_and_no_others() {
    let named = |members: &str, kid: &str| format!(r#"{members},"kid":"{kid}""#);
    let set = keys_of(&[
        &named(P256, "a"),
        &named(P256, "a"),
        &named(P384, "a"),
        &named(ED25519, "b"),
        &named(ED25519, ""),
        ED25519,
    ]);
    assert_eq!(trials(&set, Algorithm::Es256, Some("a")), 2);
    assert_eq!(trials(&set, Algorithm::Es384, Some("a")), 1);
    assert_eq!(trials(&set, Algorithm::EdDsa, Some("b")), 1);
    assert_eq!(trials(&set, Algorithm::EdDsa, None), 3);
    for (algorithm, kid, is_mismatch) in [
        (Algorithm::EdDsa, Some("a"), true),
        (Algorithm::Es256, Some("b"), true),
        (Algorithm::Hs256, Some("a"), true),
        (Algorithm::Es256, Some("A"), false),
        (Algorithm::Es256, Some("a "), false),
        (Algorithm::EdDsa, Some(""), false),
        (Algorithm::Es512, None, false),
    ] {
        let is_expected = match set.candidates(algorithm, kid) {
            Candidates::Keys(_) => false,
            Candidates::Mismatch => is_mismatch,
            Candidates::Unknown => !is_mismatch,
        };
        assert!(is_expected, "{algorithm:?} {kid:?}");
    }
}

#[test]
fn only_so_many_keys_are_tried() {
    let short = rsa(2048);
    let long = rsa(3072);
    let many = |members: &str, n: usize| keys_of(&vec![members; n]);
    for (set, algorithm, expected) in [
        (many(P256, 100), Algorithm::Es256, 4),
        (many(ED25519, 5), Algorithm::EdDsa, 4),
        (many(OCT, 5), Algorithm::Hs512, 4),
        (many(&short, 5), Algorithm::Rs256, 4),
        (many(&short, 5), Algorithm::Ps256, 2),
        (many(&long, 5), Algorithm::Rs256, 2),
        (many(P384, 5), Algorithm::Es384, 2),
        // Of the long ones two; the short ones behind them still have their turn.
        (
            keys_of(&[&long, &long, &long, &short, &short, &short]),
            Algorithm::Rs256,
            4,
        ),
        (keys_of(&[&short, &long, &long, &long]), Algorithm::Rs256, 3),
    ] {
        assert_eq!(trials(&set, algorithm, None), expected, "{set:?}");
    }
    let same_name = keys_of(&[&*format!(r#"{P256},"kid":"a""#); 9]);
    assert_eq!(trials(&same_name, Algorithm::Es256, Some("a")), 4);
}

#[test]
fn a_set_knows_its_very_keys() {
    let named = |members: &str| format!(r#"{members},"kid":"a""#);
    let first = keys_of(&[&named(P256), &named(OCT)]);
    let ids: Vec<_> = first.iter().map(Key::id).collect();
    assert_ne!(ids[0], ids[1]);
    // Read again, in another order and with leading zeros: the same keys.
    let again = keys_of(&[ED25519, &named(OCT), &named(P256)]);
    assert!(ids.iter().all(|id| again.holds(*id)));
    let padded = rsa_key(&[&[0], &[0xff; 256][..]].concat(), &[0, 1, 0, 1]);
    let id = keys_of(&[&rsa(2048)]).iter().next().unwrap().id();
    assert!(keys_of(&[&padded]).holds(id));
    // Another name, another algorithm, other material: other keys.
    for other in [
        P256.to_owned(),
        format!(r#"{P256},"kid":"b""#),
        named(P384),
        format!(r#"{},"alg":"HS256""#, named(OCT)),
        named(&oct(64)),
    ] {
        let other = keys_of(&[&other]);
        assert!(ids.iter().all(|id| !other.holds(*id)), "{other:?}");
    }
}
