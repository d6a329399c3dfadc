//! Lists of what is revoked: polled by one worker of the process, held by all.
//!
//! A [`ListReplica`] is a worker's copy of one list. Whoever gets to poll runs a [`Poll`] and
//! publishes its [`Update`] through slots of shared data; the others follow. A request costs a
//! few look-ups in the worker's own memory, however long the list is. No host here: the shell
//! copies bytes between a replica and its slots.
//!
//! An entry is kept as a keyed digest and a time, 16 bytes. Two that collide keep the later
//! time, so a collision can only refuse a good token, never pass a revoked one; and to aim at
//! one takes the key. See [`store`] for the odds.

pub mod page;
pub mod poll;
pub mod replica;
pub mod slot;
pub mod store;

pub use self::page::{InvalidPage, Kind};
pub use self::poll::{Poll, Progress, Update};
pub use self::replica::{ListReplica, Unpublished, Write};
pub use self::slot::SharedKey;
pub use self::store::{Retention, Store};

use std::rc::Rc;

use crate::time::UnixTime;

/// What the entries of a provider's list are held against.
#[derive(Clone, Copy, Debug)]
pub struct RevocationSubject<'a> {
    /// `jti`
    pub token_id: Option<&'a str>,
    pub subject: Option<&'a str>,
    /// Every client that the token names, not the first alone.
    pub clients: &'a [Rc<str>],
    pub issued_at: Option<UnixTime>,
}

// === impl RevocationSubject ===

impl RevocationSubject<'_> {
    /// Whether any entry could ever name this token. One that none could is not to be accepted
    /// where revocation is asked for.
    pub fn can_match(&self) -> bool {
        self.token_id.is_some() || self.subject.is_some() || !self.clients.is_empty()
    }
}
