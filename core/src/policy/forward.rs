//! What upstreams learn about the caller.

use crate::policy::ClaimId;

pub use crate::config::ForwardCredential;

#[derive(Debug)]
pub struct Forward {
    /// Names in lower case, each once.
    pub headers: Vec<(Box<str>, Identity)>,
    pub payload_header: Option<Box<str>>,
    pub credential: ForwardCredential,
    lengths: Lengths,
}

/// The lengths that names have, a bit each: most headers of a request need no closer look.
#[derive(Clone, Copy, Debug)]
struct Lengths(u64);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Identity {
    Subject,
    ClientId,
    Scopes,
    Tenant,
    Provider,
    KeyId,
    Claim(ClaimId),
}

// === impl Forward ===

impl Forward {
    pub fn new(
        headers: Vec<(Box<str>, Identity)>,
        payload_header: Option<Box<str>>,
        credential: ForwardCredential,
    ) -> Self {
        let names = headers.iter().map(|(name, _)| name).chain(&payload_header);
        let bits = names.fold(0, |bits, name| bits | Lengths::bit(name.as_bytes()));
        Forward {
            headers,
            payload_header,
            credential,
            lengths: Lengths(bits),
        }
    }

    /// Whether an upstream may take a header of this name for one that we set.
    pub fn is_identity(&self, name: &[u8]) -> bool {
        if Lengths::bit(name) & self.lengths.0 == 0 {
            return false;
        }
        let ours = self.headers.iter().map(|(name, _)| name);
        ours.chain(&self.payload_header)
            .any(|ours| same_name(ours.as_bytes(), name))
    }
}

// === impl Lengths ===

impl Lengths {
    fn bit(name: &[u8]) -> u64 {
        const LAST: usize = 63;
        1 << name.len().min(LAST)
    }
}

/// A character of a header's name as a careless upstream sees it: CGI and its heirs write `_` for
/// `-`, and PHP for `.` too.
pub(super) fn folded(b: u8) -> u8 {
    if b.is_ascii_alphanumeric() {
        b.to_ascii_lowercase()
    } else {
        b'-'
    }
}

fn same_name(ours: &[u8], theirs: &[u8]) -> bool {
    ours.len() == theirs.len()
        && ours
            .iter()
            .zip(theirs)
            .all(|(a, b)| folded(*a) == folded(*b))
}
