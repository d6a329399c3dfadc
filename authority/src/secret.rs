//! Secrets as types: redacted in `Debug`, stored only as digests, compared in constant time.

use std::fmt;

use aws_lc_rs::constant_time;
use aws_lc_rs::digest::{self, SHA256, SHA256_OUTPUT_LEN};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand;
use base16ct::HexDisplay;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A secret in plain text, as a client sends or receives it.
pub struct Secret(String);

/// SHA-256 of a secret, written `sha256:<64 hex digits>`.
///
/// Secrets that people choose need a slow, salted hash (Argon2, bcrypt). These are random, with at least 128 bits, so they
/// cannot be guessed however cheap a guess is, and the hash may be fast.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretHash([u8; SHA256_OUTPUT_LEN]);

/// The text is not `sha256:` and 64 hex digits.
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
    /// Wraps a secret.
    pub fn new(plain: String) -> Self {
        Self(plain)
    }

    /// The secret in plain text.
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
    /// Compared with where the client is unknown, so that the refusal takes as long as any other. No input is known to have
    /// this hash.
    pub const UNMATCHABLE: Self = Self([0; SHA256_OUTPUT_LEN]);

    /// The hash of a secret.
    pub fn digest(plain: &[u8]) -> Self {
        let mut bytes = [0; SHA256_OUTPUT_LEN];
        bytes.copy_from_slice(digest::digest(&SHA256, plain).as_ref());
        Self(bytes)
    }

    /// Parses `sha256:<hex>`.
    pub fn parse(text: &str) -> Result<Self, InvalidHash> {
        let hex = text.strip_prefix("sha256:").ok_or(InvalidHash(()))?;
        let mut bytes = [0; SHA256_OUTPUT_LEN];
        match base16ct::mixed::decode(hex, &mut bytes) {
            Ok(decoded) if decoded.len() == SHA256_OUTPUT_LEN => Ok(Self(bytes)),
            _ => Err(InvalidHash(())),
        }
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether the empty secret matches. Then a client without a secret would be authenticated.
    pub fn is_of_empty_secret(&self) -> bool {
        *self == Self::digest(b"")
    }

    /// Whether this is the hash of `presented`, compared in constant time.
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
    fn a_hash_matches_its_secret_only() {
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
