//! Token Status Lists (IETF draft-ietf-oauth-status-list): one bit per token, 1 is revoked.

use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use miniz_oxide::deflate::compress_to_vec_zlib;
use serde::Serialize;

use crate::issuer::Issuer;

/// Tokens per list: 16 KiB of bits, which compress to some dozen bytes for each revoked token.
const SIZE: u64 = 1 << 17;
const BYTES: usize = 1 << 14;

/// zlib's own default.
const COMPRESSION_LEVEL: u8 = 6;

/// The number of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListNumber(u64);

/// The `status` claim of a token (§6.1): where its status is published.
#[derive(Serialize)]
pub struct Status {
    status_list: Reference,
}

#[derive(Serialize)]
struct Reference {
    uri: String,
    idx: u64,
}

/// The `status_list` claim of a list (§4.2).
#[derive(Serialize)]
pub struct StatusList {
    bits: u8,
    lst: String,
}

// === impl Status ===

impl Status {
    /// Of the token with this index, counted over all lists.
    pub fn of_token(index: u64, issuer: &Issuer) -> Self {
        Self {
            status_list: Reference {
                uri: ListNumber(index / SIZE).uri(issuer),
                idx: index % SIZE,
            },
        }
    }
}

// === impl ListNumber ===

impl ListNumber {
    /// Accepts only the spelling that [`Self::uri`] writes: the signed answer names its list by that URI.
    pub fn parse(text: &str) -> Option<Self> {
        let number: u64 = text.parse().ok()?;
        // The last index has to fit SQLite's integers.
        let in_range = number < i64::MAX as u64 / SIZE;
        (in_range && number.to_string() == text).then_some(Self(number))
    }

    /// Where the list is published.
    pub fn uri(self, issuer: &Issuer) -> String {
        issuer.url(&format!("/status/{}", self.0))
    }

    /// The indices of its tokens.
    pub fn indices(self) -> Range<u64> {
        let start = self.0.saturating_mul(SIZE);
        start..start.saturating_add(SIZE)
    }

    /// The list in which the tokens with these indices are revoked.
    pub fn claim(self, revoked: &[u64]) -> StatusList {
        StatusList {
            bits: 1,
            lst: compress(&self.bits(revoked)),
        }
    }

    /// §4.1: index 0 is the least significant bit of the first byte.
    fn bits(self, revoked: &[u64]) -> Vec<u8> {
        let mut bits = vec![0; BYTES];
        for index in revoked {
            let bit = index % SIZE;
            let byte = usize::try_from(bit / 8)
                .ok()
                .and_then(|byte| bits.get_mut(byte));
            if let Some(byte) = byte {
                *byte |= 1 << (bit % 8);
            }
        }
        bits
    }
}

/// zlib (RFC 1950), then base64url without padding.
fn compress(bits: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(compress_to_vec_zlib(bits, COMPRESSION_LEVEL))
}

#[cfg(test)]
mod tests {
    use miniz_oxide::inflate::decompress_to_vec_zlib;
    use portcullis_testing::outside_data::corpus;

    use super::*;

    fn decompress(lst: &str) -> Vec<u8> {
        decompress_to_vec_zlib(&URL_SAFE_NO_PAD.decode(lst).unwrap()).unwrap()
    }

    #[test]
    fn list_numbers_have_one_spelling() {
        for right in ["0", "1", "42"] {
            assert!(ListNumber::parse(right).is_some(), "{right:?}");
        }
        for wrong in [
            "",
            "-1",
            "+1",
            "01",
            "1.0",
            " 1",
            "x",
            "70368744177664",
            "18446744073709551615",
        ] {
            assert_eq!(ListNumber::parse(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_revoked_token_sets_its_bit_only() {
        let list = ListNumber(3);
        for index in [
            list.indices().start,
            list.indices().start + 9,
            list.indices().end - 1,
        ] {
            let bits = decompress(&list.claim(&[index]).lst);
            let place = (index - list.indices().start) as usize;
            assert_eq!(bits.len() as u64 * 8, SIZE);
            assert_eq!(bits[place / 8], 1 << (place % 8));
            assert_eq!(bits.iter().map(|byte| byte.count_ones()).sum::<u32>(), 1);
        }
    }

    /// The 1-bit vectors of the draft: our encoding decodes to the same bits.
    #[test]
    fn bits_are_ordered_as_in_the_draft() {
        let Some(vectors) = corpus("status_list.json") else {
            return;
        };
        let mut checked = 0;
        for vector in vectors["official"].as_array().unwrap() {
            if vector["status_list"]["bits"] != 1 {
                continue;
            }
            let theirs = decompress(vector["status_list"]["lst"].as_str().unwrap());
            let expected = vector["expected"].as_object().unwrap();
            let set = expected.iter().filter(|(_, status)| **status == 1);
            let indices = set.map(|(index, _)| index.parse().unwrap());
            // A list of the draft may be longer than ours.
            let revoked: Vec<u64> = indices.filter(|index| *index < SIZE).collect();
            let ours = decompress(&ListNumber(0).claim(&revoked).lst);
            for (index, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
                assert_eq!(ours, theirs, "{}: byte {index}", vector["name"]);
            }
            checked += 1;
        }
        assert!(checked > 0);
    }
}
