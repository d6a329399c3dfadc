//! What a vector is, and what comes from outside the repository.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_core::keys::Algorithm;

/// One question with its answer.
#[derive(Clone)]
pub struct Vector {
    /// Where it comes from, for the message when it fails.
    pub name: String,
    /// One JSON Web Key, as text.
    pub jwk: String,
    pub algorithm: Algorithm,
    pub message: Vec<u8>,
    pub signature: Vec<u8>,
    /// A key that we refuse to load verifies nothing: then this is false.
    pub valid: bool,
}

impl Vector {
    /// From a compact JWS, whose signing input is the text before the second dot.
    pub fn from_compact(name: &str, jwk: &str, compact: &str, valid: bool) -> Self {
        let (message, signature) = compact.rsplit_once('.').expect("a compact JWS");
        let (header, _) = message.split_once('.').expect("a compact JWS");
        let header: serde_json::Value = serde_json::from_slice(&decode(header)).unwrap();
        Vector {
            name: name.to_owned(),
            jwk: jwk.to_owned(),
            algorithm: Algorithm::parse(header["alg"].as_str().unwrap()).unwrap(),
            message: message.as_bytes().to_vec(),
            signature: decode(signature),
            valid,
        }
    }

    /// The key as a set.
    pub fn jwks(&self) -> String {
        format!(r#"{{"keys":[{}]}}"#, self.jwk)
    }

    /// The same with every possible single fault: none of these may pass.
    pub fn tampered(&self) -> Vec<Vector> {
        let with = |what: &str, message: Vec<u8>, signature: Vec<u8>| Vector {
            name: format!("{}, {what}", self.name),
            jwk: self.jwk.clone(),
            algorithm: self.algorithm,
            message,
            signature,
            valid: false,
        };
        let (message, signature) = (&self.message, &self.signature);
        let flipped = |bytes: &[u8], at: usize| {
            let mut bytes = bytes.to_vec();
            bytes[at] ^= 0x10;
            bytes
        };
        let last = signature.len() - 1;
        let mut all = vec![
            with("no signature", message.clone(), vec![]),
            with("zeros", message.clone(), vec![0; signature.len()]),
            with("ones", message.clone(), vec![0xff; signature.len()]),
            with("truncated", message.clone(), signature[..last].to_vec()),
            with("half", message.clone(), signature[..=last / 2].to_vec()),
            with("longer", message.clone(), [signature, &[0][..]].concat()),
            with("shifted", message.clone(), [&[0], &signature[..]].concat()),
            with("twice", message.clone(), signature.repeat(2)),
            with("first byte", message.clone(), flipped(signature, 0)),
            with("middle", message.clone(), flipped(signature, last / 2)),
            with("last byte", message.clone(), flipped(signature, last)),
            with("other message", flipped(message, 0), signature.clone()),
            with(
                "longer message",
                [message, &[0][..]].concat(),
                signature.clone(),
            ),
        ];
        let other = Algorithm::ALL
            .into_iter()
            .filter(|algorithm| *algorithm != self.algorithm);
        all.extend(other.map(|algorithm| Vector {
            algorithm,
            ..with(algorithm.name(), message.clone(), signature.clone())
        }));
        all
    }
}

pub fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).expect("base64url")
}

pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
