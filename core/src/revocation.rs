//! Revocation lists: one worker of the process polls a list, and every worker has a copy of it.
//!
//! A [`ListReplica`] is a worker's copy of one list. The worker that polls runs a [`Poll`] and publishes
//! its [`Update`] in Envoy's shared data; the others follow. A request costs a few look-ups in the
//! worker's own memory, however long the list is. This module knows no host: the filter copies bytes
//! between a replica and the keys of shared data.
//!
//! An entry is kept as a keyed digest and a time, 16 bytes. Two that collide keep the later
//! time, so a collision can only refuse a good token, never pass a revoked one; and to aim at
//! one takes the key. See [`store`] for the odds.

pub mod page;
pub mod poll;
pub mod replica;
pub mod shared_layout;
pub mod store;
mod subject;

pub use crate::revocation::page::{InvalidPage, Kind};
pub use crate::revocation::poll::{Poll, Progress, Update};
pub use crate::revocation::replica::{ListReplica, Unpublished, Write};
pub use crate::revocation::shared_layout::SharedKey;
pub use crate::revocation::store::{Retention, Store};
pub use crate::revocation::subject::RevocationSubject;
