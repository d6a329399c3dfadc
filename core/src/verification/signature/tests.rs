#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::*;
use crate::keys::{KeySet, Origin};

const TRUE: &[u8] = &[0x08, 0x01];
/// Of the known answers.
const MESSAGE_LENGTH: usize = 10;
const REFUSED: &[u8] = b"\x12\x02no";

/// RFC 7515 A.3.
const KEY: &str = r#"{"keys": [{"kty": "EC", "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;
const MESSAGE: &[u8] =
    b"eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0d\
                         HA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
const SIGNATURE: &[u8] = &[
    14, 209, 33, 83, 121, 99, 108, 72, 60, 47, 127, 21, 88, 7, 212, 2, 163, 178, 40, 3, 58, 249,
    124, 126, 23, 129, 154, 195, 22, 158, 166, 101, 197, 10, 7, 211, 140, 60, 112, 229, 216, 241,
    45, 175, 8, 74, 84, 128, 166, 101, 144, 197, 242, 147, 80, 154, 143, 63, 127, 138, 131, 163,
    84, 213,
];

#[test]
fn a_host_that_is_no_verifier_is_not_asked() {
    let hosts: Vec<(&str, HostFunction)> = vec![
        ("is absent", Box::new(|_| None)),
        ("says yes to all", Box::new(|_| Some(TRUE.to_vec()))),
        ("says no to all", Box::new(|_| Some(REFUSED.to_vec()))),
        ("says nothing", Box::new(|_| Some(vec![]))),
        ("says false", Box::new(|_| Some(vec![0x08, 0x00]))),
        (
            "says yes and something more",
            Box::new(|argument| {
                let answer = honest_about_text(argument);
                Some([answer.as_slice(), &[0x12, 0x00]].concat())
            }),
        ),
        (
            "does not look at the signature",
            Box::new(|argument| Some(honest_about_text(argument))),
        ),
        ("does not look at the text", Box::new(deaf_to_the_text())),
    ];
    let (keys, _) = KeySet::parse(KEY.as_bytes(), Origin::Inline).unwrap();
    let key = keys.iter().next().unwrap();
    for (which, host) in hosts {
        let verifier = Verifier::choose(host);
        assert_eq!(verifier.host_algorithms(), AlgorithmSet::EMPTY, "{which}");
        let verify = |message: &[u8], signature: &[u8]| {
            verifier.verify(Algorithm::Es256, key, message, signature)
        };
        assert_eq!(verify(MESSAGE, SIGNATURE), Ok(()), "{which}");
        assert_eq!(verify(b"", SIGNATURE), Err(BadSignature(())), "{which}");
    }
}

/// Yes exactly for the text of the known answers.
fn honest_about_text(argument: &[u8]) -> Vec<u8> {
    match argument.ends_with(b"portcullis") {
        true => TRUE.to_vec(),
        false => REFUSED.to_vec(),
    }
}

/// Yes for a signature that it has not seen nearly the same before, over whatever text.
fn deaf_to_the_text() -> impl Fn(&[u8]) -> Option<Vec<u8>> {
    let last = RefCell::new(Vec::new());
    move |argument| {
        let (asked, _) = argument.split_at(argument.len() - MESSAGE_LENGTH);
        let last = last.replace(asked.to_vec());
        let same = last.iter().zip(asked).take_while(|(a, b)| a == b).count();
        let is_tampered = last != asked && same + 4 > asked.len();
        Some(if is_tampered { REFUSED } else { TRUE }.to_vec())
    }
}

// === an honest host ===

/// The fields of an argument, in their order.
fn fields(mut argument: &[u8]) -> Vec<(u8, &[u8])> {
    let mut fields = Vec::new();
    while let [tag, rest @ ..] = argument {
        let varint = rest.iter().position(|byte| byte & 0x80 == 0).unwrap();
        let length = rest[..=varint]
            .iter()
            .rev()
            .fold(0, |sum, byte| (sum << 7) | usize::from(byte & 0x7f));
        let (field, after) = rest[varint + 1..].split_at(length);
        fields.push((*tag, field));
        argument = after;
    }
    fields
}

/// Verifies with `ring` what Envoy verifies with BoringSSL: a key as SubjectPublicKeyInfo, an ECDSA signature in DER. It
/// lacks P-521.
fn honest(argument: &[u8]) -> Vec<u8> {
    use ring::signature::{
        ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, RSA_PKCS1_2048_8192_SHA256,
        RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, UnparsedPublicKey,
        VerificationAlgorithm,
    };
    let fields = fields(argument);
    let [(0x0a, hash), (0x12, key), (0x1a, signature), (0x22, text)] = fields[..] else {
        panic!("{fields:?}");
    };
    // The header of an RSA-2048 key, and the points of the curves (RFC 5280 §4.1.2.7).
    let (algorithm, key): (&'static dyn VerificationAlgorithm, _) = match (hash, key.len()) {
        (b"sha256", 294) => (&RSA_PKCS1_2048_8192_SHA256, &key[24..]),
        (b"sha384", 294) => (&RSA_PKCS1_2048_8192_SHA384, &key[24..]),
        (b"sha512", 294) => (&RSA_PKCS1_2048_8192_SHA512, &key[24..]),
        (b"sha256", 91) => (&ECDSA_P256_SHA256_ASN1, &key[26..]),
        (b"sha384", 120) => (&ECDSA_P384_SHA384_ASN1, &key[23..]),
        _ => return REFUSED.to_vec(),
    };
    match UnparsedPublicKey::new(algorithm, key).verify(text, signature) {
        Ok(()) => TRUE.to_vec(),
        Err(_) => REFUSED.to_vec(),
    }
}

/// What a host gets to see is what a verifier can verify: or else it would be asked nothing, and nobody would notice.
#[test]
fn an_honest_host_is_asked() {
    let asked = Rc::new(Cell::new(0));
    let counter = Rc::clone(&asked);
    let verifier = Verifier::choose(Box::new(move |argument| {
        counter.set(counter.get() + 1);
        Some(honest(argument))
    }));
    let expected = [
        Algorithm::Rs256,
        Algorithm::Rs384,
        Algorithm::Rs512,
        Algorithm::Es256,
        Algorithm::Es384,
    ];
    assert_eq!(verifier.host_algorithms(), expected.into_iter().collect());
    let (keys, _) = KeySet::parse(KEY.as_bytes(), Origin::Inline).unwrap();
    let key = keys.iter().next().unwrap();
    let verify = |message: &[u8], signature: &[u8]| {
        asked.set(0);
        let verdict = verifier.verify(Algorithm::Es256, key, message, signature);
        (verdict.is_ok(), asked.get())
    };
    assert_eq!(verify(MESSAGE, SIGNATURE), (true, 1));
    assert_eq!(verify(&MESSAGE[1..], SIGNATURE), (false, 1));
    let long = [7; 40_000];
    assert_eq!(verify(&long, SIGNATURE), (false, 1));
    let mut tampered = SIGNATURE.to_vec();
    tampered[63] ^= 1;
    assert_eq!(verify(MESSAGE, &tampered), (false, 1));
    assert_eq!(verify(MESSAGE, &[0; 64]), (false, 0));
}

/// P-521 by a host that has it and looks at text, key and signature for their form alone.
#[test]
fn a_signature_of_p521_goes_to_the_host_in_der() {
    let seen = Rc::new(Cell::new(0));
    let counter = Rc::clone(&seen);
    let host = HostVerifier::untested(Box::new(move |argument| {
        let fields = fields(argument);
        let [
            (0x0a, b"sha512"),
            (0x12, key),
            (0x1a, [0x30, ..]),
            (0x22, _),
        ] = fields[..]
        else {
            panic!("{fields:?}");
        };
        assert_eq!(key.len(), 158);
        counter.set(counter.get() + 1);
        None
    }));
    let verifier = Verifier { host: Some(host) };
    let passed = known_answers::passed(|algorithm, key, message, signature| {
        let of_p521 = algorithm == Algorithm::Es512;
        of_p521.then(|| verifier.verify(algorithm, key, message, signature).is_ok())
    });
    assert_eq!(passed, [Algorithm::Es512].into_iter().collect());
    assert_eq!(seen.get(), 3);
}

#[test]
fn a_host_that_fails_later_is_no_verdict() {
    let keys = KeySet::parse(KEY.as_bytes(), Origin::Inline).unwrap().0;
    let key = keys.iter().next().unwrap();
    let verifier = Verifier {
        host: Some(HostVerifier::untested(Box::new(|_| None))),
    };
    let verify = |signature: &[u8]| verifier.verify(Algorithm::Es256, key, MESSAGE, signature);
    assert_eq!(verify(SIGNATURE), Ok(()));
    let mut tampered = SIGNATURE.to_vec();
    tampered.reverse();
    assert_eq!(verify(&tampered), Err(BadSignature(())));
}

#[test]
fn a_host_is_not_asked_about_what_cannot_be_a_signature() {
    let keys = KeySet::parse(KEY.as_bytes(), Origin::Inline).unwrap().0;
    let key = keys.iter().next().unwrap();
    let verifier = Verifier {
        host: Some(HostVerifier::untested(Box::new(|_| panic!("asked")))),
    };
    let n = b"\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\
              \xbc\xe6\xfa\xad\xa7\x17\x9e\x84\xf3\xb9\xca\xc2\xfc\x63\x25\x51";
    for signature in [
        vec![],
        vec![0; 64],
        vec![0xff; 64],
        vec![1; 63],
        vec![1; 65],
        [[0; 32], [1; 32]].concat(),
        [[1; 32], [0; 32]].concat(),
        [&[1; 32], n.as_slice()].concat(),
        [n.as_slice(), &[1; 32]].concat(),
    ] {
        let verdict = verifier.verify(Algorithm::Es256, key, MESSAGE, &signature);
        assert_eq!(verdict, Err(BadSignature(())), "{signature:?}");
    }
    // Nor about an algorithm that the key does not have.
    for algorithm in Algorithm::ALL {
        if algorithm != Algorithm::Es256 {
            let verdict = verifier.verify(algorithm, key, MESSAGE, SIGNATURE);
            assert_eq!(verdict, Err(BadSignature(())), "{algorithm:?}");
        }
    }
}

#[test]
fn what_the_known_answers_say_is_true() {
    let passed = known_answers::passed(|algorithm, key, message, signature| {
        let verdict = Verifier::software().verify(algorithm, key, message, signature);
        Some(verdict.is_ok())
    });
    let expected = [
        Algorithm::Rs256,
        Algorithm::Rs384,
        Algorithm::Rs512,
        Algorithm::Es256,
        Algorithm::Es384,
        Algorithm::Es512,
    ];
    assert_eq!(passed, expected.into_iter().collect());
}
