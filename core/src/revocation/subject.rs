//! Whom a revocation list is asked about.

use std::rc::Rc;

use crate::time::UnixTime;

/// What the entries of a provider's list are compared with.
#[derive(Clone, Copy, Debug)]
pub struct RevocationSubject<'a> {
    /// `jti`
    pub token_id: Option<&'a str>,
    /// `sub`
    pub subject: Option<&'a str>,
    /// Every client that the token names, not the first alone.
    pub clients: &'a [Rc<str>],
    /// `iat`
    pub issued_at: Option<UnixTime>,
}

// === impl RevocationSubject ===

impl RevocationSubject<'_> {
    /// Whether an entry could ever name this token. A token that no entry could name must not be accepted
    /// where there is a revocation list.
    pub fn can_match(&self) -> bool {
        self.token_id.is_some() || self.subject.is_some() || !self.clients.is_empty()
    }
}
