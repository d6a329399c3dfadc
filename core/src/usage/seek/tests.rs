#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::*;

/// Every byte at every place among every other byte: the words must miss none and take none for another.
#[test]
fn a_byte_is_found_wherever_it_is() {
    type Seek = fn(&[u8]) -> Option<usize>;
    let seeks: [(Seek, &[u8]); 4] = [
        (line_end, b"\r\n"),
        (mention, b"\r\ng\\"),
        (string_end, b"\"\\"),
        (structure, b"\"[]{}"),
    ];
    let others = b"\x00\t\n\x0c\r\x0e !\"#Y[\\]^_fghyz{|}\x7f\x80\x8a\xa2\xdc\xff";
    for (seek, sought) in seeks {
        for other in others.iter().copied() {
            let plain = !sought.contains(&other);
            for byte in 0..=u8::MAX {
                for place in [0, 1, 6, 7, 8, 11, 15, 16, 18] {
                    let mut bytes = [other; 19];
                    bytes[place] = byte;
                    let expected = bytes.iter().position(|b| sought.contains(b));
                    assert_eq!(seek(&bytes), expected, "{byte:x} at {place} in {other:x}");
                    assert!(!plain || seek(&bytes[..place]).is_none());
                }
            }
        }
        assert_eq!(seek(b""), None);
    }
}
