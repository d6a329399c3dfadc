//! Reads what we send to a host with other people's parsers, and answers in the host's form.
//!
//! It proves what we write: protobuf, SubjectPublicKeyInfo, a signature in strict DER. What a
//! host makes of it is for the tests on a real Envoy.

use p256::ecdsa::signature::Verifier as _;
use p256::pkcs8::DecodePublicKey as _;
use portcullis_core::keys::Algorithm;
use portcullis_core::verification::signature::Verifier;
use rsa::pkcs1v15;
use rsa::sha2::{Sha256, Sha384, Sha512};

/// A verifier that asks its host for all that a host can do.
pub fn verifier() -> Verifier {
    let verifier = Verifier::choose(Box::new(|argument| Some(answer(argument))));
    for algorithm in [
        Algorithm::Rs256,
        Algorithm::Rs384,
        Algorithm::Rs512,
        Algorithm::Es256,
        Algorithm::Es384,
        Algorithm::Es512,
    ] {
        assert!(
            verifier.host_algorithms().contains(algorithm),
            "{algorithm:?}"
        );
    }
    verifier
}

fn answer(argument: &[u8]) -> Vec<u8> {
    match is_good(argument) {
        Some(true) => vec![0x08, 0x01],
        _ => b"\x12\x02no".to_vec(),
    }
}

fn is_good(argument: &[u8]) -> Option<bool> {
    let mut fields: [Option<&[u8]>; 5] = [None; 5];
    let mut rest = argument;
    while let Some((tag, tail)) = rest.split_first() {
        assert_eq!(tag & 7, 2, "bytes are all that the argument holds");
        let (length, tail) = varint(tail);
        let (value, tail) = tail.split_at(length);
        let field = &mut fields[usize::from(tag >> 3)];
        assert!(field.is_none(), "no field twice");
        *field = Some(value);
        rest = tail;
    }
    let [_, Some(hash), Some(key), Some(signature), Some(text)] = fields else {
        panic!("a field is missing");
    };
    match hash {
        b"sha256" => {
            if let Ok(key) = p256::ecdsa::VerifyingKey::from_public_key_der(key) {
                let signature = p256::ecdsa::DerSignature::from_bytes(signature).expect("DER");
                return Some(key.verify(text, &signature).is_ok());
            }
            let key = pkcs1v15::VerifyingKey::<Sha256>::from_public_key_der(key).expect("SPKI");
            Some(key.verify(text, &signature.try_into().ok()?).is_ok())
        }
        b"sha384" => {
            if let Ok(key) = p384::ecdsa::VerifyingKey::from_public_key_der(key) {
                let signature = p384::ecdsa::DerSignature::from_bytes(signature).expect("DER");
                return Some(key.verify(text, &signature).is_ok());
            }
            let key = pkcs1v15::VerifyingKey::<Sha384>::from_public_key_der(key).expect("SPKI");
            Some(key.verify(text, &signature.try_into().ok()?).is_ok())
        }
        b"sha512" => {
            if let Ok(key) = p521::ecdsa::VerifyingKey::from_public_key_der(key) {
                let signature = p521::ecdsa::DerSignature::from_bytes(signature).expect("DER");
                return Some(key.verify(text, &signature).is_ok());
            }
            let key = pkcs1v15::VerifyingKey::<Sha512>::from_public_key_der(key).expect("SPKI");
            Some(key.verify(text, &signature.try_into().ok()?).is_ok())
        }
        _ => panic!("a hash function that no host knows"),
    }
}

fn varint(bytes: &[u8]) -> (usize, &[u8]) {
    let mut value = 0;
    for (i, byte) in bytes.iter().enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return (value, &bytes[i + 1..]);
        }
    }
    panic!("a varint without an end");
}
