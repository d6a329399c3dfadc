//! Finds the next byte that matters, eight bytes at a time: most of an answer is text that nobody reads here.

/// Where the line ends: at the first CR or LF.
pub fn line_end(bytes: &[u8]) -> Option<usize> {
    let suspects = |word| below(word, 0x0e);
    find(bytes, suspects, |byte| matches!(byte, b'\n' | b'\r'))
}

/// The first quote or backslash: the end of a JSON string, or an escape in it.
pub fn string_end(bytes: &[u8]) -> Option<usize> {
    let suspects = |word| equal(word, b'"') | equal(word, b'\\');
    find(bytes, suspects, |byte| matches!(byte, b'"' | b'\\'))
}

/// The end of a line, or what may begin something that matters in it: a backslash, or the `g` of `usage` and of
/// `message_stop`.
pub fn mention(bytes: &[u8]) -> Option<usize> {
    let suspects = |word| below(word, 0x0e) | equal(word, b'g') | equal(word, b'\\');
    find(bytes, suspects, |byte| {
        matches!(byte, b'\n' | b'\r' | b'g' | b'\\')
    })
}

/// The first quote, bracket or brace.
pub fn structure(bytes: &[u8]) -> Option<usize> {
    // These bits are all that `[`, `]`, `{` and `}` differ in.
    const BRACKETS: u8 = b'[' ^ b'}' | b']' ^ b'}';
    let brackets = |word: u64| equal(word | each(BRACKETS), b'}' | BRACKETS);
    let suspects = |word| equal(word, b'"') | brackets(word);
    find(bytes, suspects, |byte| {
        matches!(byte, b'"' | b'[' | b']' | b'{' | b'}')
    })
}

/// The first byte that is sought. `suspects` has the highest bit of its place set for each, and may have others.
fn find(bytes: &[u8], suspects: impl Fn(u64) -> u64, is_it: impl Fn(u8) -> bool) -> Option<usize> {
    const WORD: usize = size_of::<u64>();
    let (words, tail) = bytes.as_chunks::<WORD>();
    let mut at = 0_usize;
    for word in words {
        let mut places = suspects(u64::from_le_bytes(*word));
        while places != 0 {
            let place = (places.trailing_zeros() >> 3) as usize;
            if word.get(place).is_some_and(|byte| is_it(*byte)) {
                return Some(at.saturating_add(place));
            }
            places &= places.wrapping_sub(1);
        }
        at = at.saturating_add(WORD);
    }
    let place = tail.iter().position(|byte| is_it(*byte))?;
    Some(at.saturating_add(place))
}

/// This byte in every place of a word.
const fn each(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// The places of this byte, and maybe of others above the first.
fn equal(word: u64, byte: u8) -> u64 {
    below(word ^ each(byte), 1)
}

/// The places of bytes below this one, which is at most 128, and maybe of others above the first ("Determine if a
/// word has a byte less than n", Bit Twiddling Hacks).
fn below(word: u64, byte: u8) -> u64 {
    word.wrapping_sub(each(byte)) & !word & each(0x80)
}

#[cfg(test)]
mod tests;
