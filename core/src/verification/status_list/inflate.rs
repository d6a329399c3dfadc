//! zlib (RFC 1950) into a bounded buffer.

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_PARSE_ZLIB_HEADER, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

use crate::limits::STATUS_LIST_BYTES;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Corrupt {
    /// Not one whole zlib stream with the right checksum and nothing behind it.
    Data,
    TooLarge,
}

/// The buffer grows as it fills, so that a short list costs little and a bomb no more than the
/// limit: it ends where the buffer does, whatever it would become.
pub(super) fn inflate(compressed: &[u8]) -> Result<Box<[u8]>, Corrupt> {
    const FLAGS: u32 = TINFL_FLAG_PARSE_ZLIB_HEADER | TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    const LEAST: usize = 4096;
    let mut decompressor = Box::<DecompressorOxide>::default();
    let mut rest = compressed;
    let mut out = vec![0; compressed.len().clamp(LEAST, STATUS_LIST_BYTES)];
    let mut filled = 0_usize;
    loop {
        let (status, read, written) = decompress(&mut decompressor, rest, &mut out, filled, FLAGS);
        rest = rest.get(read..).unwrap_or_default();
        filled = filled.saturating_add(written);
        match status {
            TINFLStatus::Done if rest.is_empty() => {
                out.truncate(filled);
                return Ok(out.into());
            }
            TINFLStatus::HasMoreOutput if out.len() < STATUS_LIST_BYTES => {
                out.resize(out.len().saturating_mul(2).min(STATUS_LIST_BYTES), 0);
            }
            TINFLStatus::HasMoreOutput => return Err(Corrupt::TooLarge),
            _ => return Err(Corrupt::Data),
        }
    }
}
