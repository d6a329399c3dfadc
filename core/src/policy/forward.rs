//! What upstreams learn about the caller.

use crate::policy::claim::ClaimId;
use crate::request::header_name::{folded, same_name};

pub use crate::config::ForwardCredential;

/// What upstreams learn about the caller.
#[derive(Debug)]
pub struct Forward {
    /// Identity headers and what they hold. Names are in lower case, each once.
    pub headers: Vec<(Box<str>, Identity)>,
    /// The header that holds the claims, as base64url JSON.
    pub payload_header: Option<Box<str>>,
    /// Whether upstreams get the credential itself.
    pub credential: ForwardCredential,
    shapes: Shapes,
}

/// The lengths and the first characters of names, one bit each: for most headers of a request this is
/// enough to see that they are none of ours.
#[derive(Clone, Copy, Debug, Default)]
struct Shapes {
    lengths: u64,
    starts: u64,
}

/// What an identity header holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Identity {
    /// `sub`; of an API key, its client.
    Subject,
    /// The client.
    ClientId,
    /// The scopes, separated by spaces.
    Scopes,
    /// The tenant.
    Tenant,
    /// The provider's name, or `api_keys`.
    Provider,
    /// The API key's id.
    KeyId,
    /// A claim of the token.
    Claim(ClaimId),
}

// === impl Forward ===

impl Forward {
    /// Indexes the names.
    pub fn new(
        headers: Vec<(Box<str>, Identity)>,
        payload_header: Option<Box<str>>,
        credential: ForwardCredential,
    ) -> Self {
        let names = headers.iter().map(|(name, _)| name).chain(&payload_header);
        let shapes = names.fold(Shapes::default(), |all, name| all.with(name.as_bytes()));
        Forward {
            headers,
            payload_header,
            credential,
            shapes,
        }
    }

    /// Whether an upstream may take a header of this name for one that we set.
    pub fn is_identity(&self, name: &[u8]) -> bool {
        if !self.shapes.may_hold(name) {
            return false;
        }
        let ours = self.headers.iter().map(|(name, _)| name);
        ours.chain(&self.payload_header)
            .any(|ours| same_name(ours.as_bytes(), name))
    }
}

// === impl Shapes ===

impl Shapes {
    fn with(self, name: &[u8]) -> Self {
        let one = Shapes::of_name(name);
        Shapes {
            lengths: self.lengths | one.lengths,
            starts: self.starts | one.starts,
        }
    }

    fn may_hold(self, name: &[u8]) -> bool {
        let one = Shapes::of_name(name);
        self.lengths & one.lengths != 0 && self.starts & one.starts != 0
    }

    fn of_name(name: &[u8]) -> Self {
        const LAST: usize = 63;
        let start = name.first().copied().map_or(b'-', folded);
        Shapes {
            lengths: 1 << name.len().min(LAST),
            starts: 1 << (start & 63),
        }
    }
}
