//! The names of a token that a revocation list can have.

use std::rc::Rc;

use crate::time::UnixTime;

/// What the entries of a provider's list are compared with.
#[derive(Clone, Copy, Debug)]
pub struct RevocationSubject<'a> {
    /// `jti`
    pub token_id: Option<&'a str>,
    /// `sub`
    pub subject: Option<&'a str>,
    /// Every client that the token names, not only the first.
    pub clients: &'a [Rc<str>],
    /// `iat`
    pub issued_at: Option<UnixTime>,
}

// === impl RevocationSubject ===

impl RevocationSubject<'_> {
    /// Whether any entry could match this token. Where there is a revocation list, a token that no entry can
    /// match must not be accepted.
    pub fn can_match(&self) -> bool {
        self.token_id.is_some() || self.subject.is_some() || !self.clients.is_empty()
    }
}
