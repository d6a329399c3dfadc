#![allow(clippy::arithmetic_side_effects, clippy::panic, clippy::unwrap_used)]

use std::cell::RefCell;

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
    let hosts: Vec<(&str, Foreign)> = vec![
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

#[test]
fn a_host_that_fails_later_is_no_verdict() {
    let keys = KeySet::parse(KEY.as_bytes(), Origin::Inline).unwrap().0;
    let key = keys.iter().next().unwrap();
    let verifier = Verifier {
        host: Some(Host::untested(Box::new(|_| None))),
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
        host: Some(Host::untested(Box::new(|_| panic!("asked")))),
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
        let verdict = Verifier::pure().verify(algorithm, key, message, signature);
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
