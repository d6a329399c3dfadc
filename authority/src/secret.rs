//! Secrets are types: redacted in every `Debug`, stored only as digests, compared in constant time.

use std::fmt;

use aws_lc_rs::constant_time;
use aws_lc_rs::digest::{self, SHA256, SHA256_OUTPUT_LEN};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand;
use base16ct::HexDisplay;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A secret in plain text, on its way from or to a client.
pub struct Secret(String);

/// SHA-256 of a secret, written `sha256:<64 hex digits>`.
///
/// A slow, salted hash (Argon2, bcrypt) protects secrets that people choose. Ours are random with at
/// least 128 bits, where guessing is out of reach whatever one guess costs, so the hash may be fast.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretHash([u8; SHA256_OUTPUT_LEN]);

/// Not a `sha256:` and 64 hex digits.
#[derive(Debug)]
pub struct InvalidHash(());

/// `N` random bytes as base64url.
pub fn random<const N: usize>() -> Result<String, Unspecified> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

// === impl Secret ===

impl Secret {
    pub fn new(plain: String) -> Self {
        Self(plain)
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

// === impl SecretHash ===

impl SecretHash {
    /// Stands in for the hash of an unknown client, so that its refusal takes as long as any other:
    /// nothing is known that hashes to it.
    pub const UNMATCHABLE: Self = Self([0; SHA256_OUTPUT_LEN]);

    pub fn digest(plain: &[u8]) -> Self {
        let mut bytes = [0; SHA256_OUTPUT_LEN];
        bytes.copy_from_slice(digest::digest(&SHA256, plain).as_ref());
        Self(bytes)
    }

    pub fn parse(text: &str) -> Result<Self, InvalidHash> {
        let hex = text.strip_prefix("sha256:").ok_or(InvalidHash(()))?;
        let mut bytes = [0; SHA256_OUTPUT_LEN];
        match base16ct::mixed::decode(hex, &mut bytes) {
            Ok(decoded) if decoded.len() == SHA256_OUTPUT_LEN => Ok(Self(bytes)),
            _ => Err(InvalidHash(())),
        }
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whoever sent an empty secret would match it.
    pub fn is_of_empty_secret(&self) -> bool {
        *self == Self::digest(b"")
    }

    pub fn matches(&self, presented: &Secret) -> bool {
        let presented = Self::digest(presented.expose().as_bytes());
        constant_time::verify_slices_are_equal(&self.0, &presented.0).is_ok()
    }
}

impl fmt::Display for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{:x}", HexDisplay(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_matches_its_secret_and_no_other() {
        let hash = SecretHash::digest(b"s3cret");
        assert!(hash.matches(&Secret::new("s3cret".into())));
        for wrong in ["", "s3cre", "s3cret ", "S3cret", "s3cret\0"] {
            assert!(!hash.matches(&Secret::new(wrong.into())), "{wrong:?}");
            assert!(
                !SecretHash::UNMATCHABLE.matches(&Secret::new(wrong.into())),
                "{wrong:?}"
            );
        }
    }

    #[test]
    fn hashes_are_read_strictly() {
        let written = SecretHash::digest(b"s3cret").to_string();
        assert!(
            SecretHash::parse(&written).is_ok_and(|hash| hash == SecretHash::digest(b"s3cret"))
        );
        assert!(SecretHash::parse(&written.to_uppercase().replace("SHA", "sha")).is_ok());

        let signed = format!("sha256:+1{}", "0".repeat(62));
        let accented = format!("sha256:é{}", "0".repeat(62));
        let long = format!("{written}00");
        let short = &written[..written.len() - 1];
        for wrong in [
            "", "sha256:", "s3cret", "md5:00", &signed, &accented, &long, short,
        ] {
            assert!(SecretHash::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Secret::new("s3cret".into())), "Secret");
    }
}
