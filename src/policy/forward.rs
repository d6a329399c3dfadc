//! What upstreams learn about the caller.

use crate::policy::ClaimId;

#[derive(Debug)]
pub struct Forward {
    /// Names in lower case, each once.
    pub headers: Vec<(Box<str>, Identity)>,
    pub payload_header: Option<Box<str>>,
    pub credential: ForwardCredential,
}

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

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ForwardCredential {
    Strip,
    Keep,
}

// === impl Forward ===

impl Forward {
    /// Whether an upstream may take a header of this name for one that we set.
    pub fn is_identity(&self, name: &[u8]) -> bool {
        let ours = self.headers.iter().map(|(name, _)| name);
        ours.chain(&self.payload_header)
            .any(|ours| same_name(ours.as_bytes(), name))
    }
}

fn same_name(ours: &[u8], theirs: &[u8]) -> bool {
    let fold = |b: u8| match b {
        b'_' => b'-',
        b => b.to_ascii_lowercase(),
    };
    ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| fold(*a) == fold(*b))
}
