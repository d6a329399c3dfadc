//! The map of bytes that the workers of a process share.

/// The host's map. All workers see one order of all writes.
pub trait SharedMap {
    /// What a key has.
    fn get(&self, key: &str) -> Result<Held, Broken>;

    /// Writes bytes where the key is still as it was read. False where another worker has written it meanwhile.
    fn swap(&self, key: &str, read: &Held, bytes: &[u8]) -> Result<bool, Broken>;
}

/// What a key of the map has.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Held {
    /// The bytes; `None` where there is no such key.
    pub bytes: Option<Vec<u8>>,
    /// Names this version of them; `None` where there is no such key.
    pub version: Option<u32>,
}

/// The host has failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Broken;

#[cfg(test)]
pub(crate) mod tests;
