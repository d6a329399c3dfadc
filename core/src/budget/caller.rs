//! Who has a budget.

use std::fmt::Write as _;
use std::rc::Rc;

use crate::json::Quoted;
use crate::limits::LEDGER_KEY_BYTES;
use crate::secret::{Digest, FingerprintKey};

/// What stands for a caller in the data that workers share.
///
/// Its key is drawn at random by the process. Otherwise a client that chooses its name could choose its bucket
/// too, and make one bucket as large as the whole table.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct CallerId(u128);

/// A caller: those who agree in their provider and in all parts that the budget is `per`.
#[derive(Clone, Debug)]
pub struct CallerKey {
    id: CallerId,
    /// What a ledger calls it.
    name: Option<Rc<str>>,
}

// === impl CallerId ===

impl CallerId {
    /// An id of known bits.
    pub const fn new(bits: u128) -> Self {
        CallerId(bits)
    }

    /// The bits, which are as good as random.
    pub const fn bits(self) -> u128 {
        self.0
    }
}

// === impl CallerKey ===

impl CallerKey {
    /// The caller of this provider with these values of the budget's parts, in their order. `seed` is the
    /// process's own.
    pub fn new(seed: &FingerprintKey, provider: &str, parts: &[&str]) -> Self {
        let mut bytes = Vec::new();
        for part in std::iter::once(&provider).chain(parts) {
            // With its length, lest what ends one part begins another.
            bytes.extend_from_slice(&part.len().to_le_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        CallerKey {
            id: CallerId(seed.fingerprint(&bytes).bits()),
            name: None,
        }
    }

    /// The same with the name that a ledger knows the caller by: the provider and the parts as a JSON array.
    /// Beyond [`LEDGER_KEY_BYTES`] it is that array's SHA-256, in hexadecimal digits.
    pub fn named(seed: &FingerprintKey, provider: &str, parts: &[&str]) -> Self {
        let mut name = String::from("[");
        for (at, part) in std::iter::once(&provider).chain(parts).enumerate() {
            let comma = if at == 0 { "" } else { "," };
            // Writing to a string cannot fail.
            let _ = write!(name, "{comma}{}", Quoted(part));
        }
        name.push(']');
        if name.len() > LEDGER_KEY_BYTES {
            name = base16ct::lower::encode_string(Digest::sha256(name.as_bytes()).as_bytes());
        }
        CallerKey {
            name: Some(name.into()),
            ..CallerKey::new(seed, provider, parts)
        }
    }

    /// What stands for it in shared data.
    pub fn id(&self) -> CallerId {
        self.id
    }

    /// What a ledger calls it.
    pub fn name(&self) -> Option<&Rc<str>> {
        self.name.as_ref()
    }
}

#[cfg(test)]
mod tests;
