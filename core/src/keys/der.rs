//! The few DER forms that we write (X.690 §10): never read, so that there is no parser to fool.

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;

/// AlgorithmIdentifiers, each with its tag and length (RFC 3279 §2.3.1, RFC 5480 §2.1.1).
pub(crate) const RSA_ENCRYPTION: &[u8] =
    b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
pub(crate) const EC_P256: &[u8] =
    b"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
pub(crate) const EC_P384: &[u8] =
    b"\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22";
pub(crate) const EC_P521: &[u8] =
    b"\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x23";

/// SubjectPublicKeyInfo (RFC 5280 §4.1.2.7).
pub(crate) fn public_key(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    let key = element(BIT_STRING, &[&[0], key]);
    element(SEQUENCE, &[algorithm, &key])
}

/// RSAPublicKey (RFC 8017 §A.1.1), from big-endian bytes.
pub(crate) fn rsa_public_key(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    element(SEQUENCE, &[&integer(modulus), &integer(exponent)])
}

/// From big-endian bytes, in the fewest octets (X.690 §8.3.2).
fn integer(bytes: &[u8]) -> Vec<u8> {
    let bytes = without_leading_zeros(bytes);
    match bytes.first() {
        Some(0..=0x7f) => element(INTEGER, &[bytes]),
        _ => element(INTEGER, &[&[0], bytes]),
    }
}

pub(crate) fn without_leading_zeros(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}

fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length = parts
        .iter()
        .fold(0_usize, |sum, part| sum.saturating_add(part.len()));
    let mut out = Vec::with_capacity(length.saturating_add(4));
    out.push(tag);
    // Nothing that we write is longer than 64 KiB: the largest is an RSA-4096 key.
    match length.to_be_bytes() {
        [.., 0, low @ 0..=0x7f] => out.push(low),
        [.., 0, low] => out.extend_from_slice(&[0x81, low]),
        [.., high, low] => out.extend_from_slice(&[0x82, high, low]),
    }
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}
