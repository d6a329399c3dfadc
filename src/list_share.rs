//! A revocation list between its service, the data that all workers share, and this worker's
//! copy of it.

use crate::shared_data::SharedDocument;
use portcullis_core::revocation::{ListReplica, Poll, SharedKey, Unpublished, Update};
use portcullis_core::time::UnixTime;

/// About how many bytes one callback reads or writes: some ten milliseconds of a worker's time. A shorter
/// list takes one callback.
const BYTES_AT_ONCE: usize = 2 * 1024 * 1024;

/// How publishing goes on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Publishing {
    /// The list is there for all workers.
    Done,
    /// Another worker took over, or the host refused.
    Lost,
    /// There is more to write.
    Underway,
}

/// Reads what others published: whether the copy is all there is.
pub fn follow(replica: &mut ListReplica, shared: &SharedDocument, now: UnixTime) -> bool {
    replica.refresh();
    let mut bytes = 0_usize;
    while bytes < BYTES_AT_ONCE {
        let Some(key) = replica.wants() else {
            return true;
        };
        let (found, _) = shared.part(key);
        bytes = bytes.saturating_add(found.as_ref().map_or(0, Vec::len));
        replica.feed(found.as_deref(), now);
    }
    replica.wants().is_none()
}

/// A poll for what is new, where there are random numbers to make a key of.
pub fn poll(replica: &ListReplica) -> Option<Poll> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).ok()?;
    Some(replica.poll(random))
}

/// Begins to publish.
pub fn publish(
    replica: &mut ListReplica,
    shared: &SharedDocument,
    update: Update,
    as_of: UnixTime,
    now: UnixTime,
) -> Result<(), Unpublished> {
    let (head, cas) = shared.part(SharedKey::Head);
    let writer = getrandom::u64().map_err(|_| Unpublished::Superseded)?;
    let claim = replica.publish(update, head.as_deref(), writer, as_of, now)?;
    // Without a CAS number the host would replace whatever is there. The key was made when the source was
    // configured, so there is one.
    if cas.is_some() && shared.write_part(SharedKey::Head, &claim, cas).is_ok() {
        return Ok(());
    }
    replica.abandon();
    Err(Unpublished::Superseded)
}

/// Goes on with what was begun.
pub fn go_on(replica: &mut ListReplica, shared: &SharedDocument, now: UnixTime) -> Publishing {
    // A worker that took longer than its lease may have been replaced, and two must never write at once.
    let (head, _) = shared.part(SharedKey::Head);
    if !replica.is_writer(head.as_deref()) {
        replica.abandon();
        return Publishing::Lost;
    }
    let mut bytes = 0_usize;
    while bytes < BYTES_AT_ONCE {
        let Some(write) = replica.next_write(now) else {
            return Publishing::Done;
        };
        bytes = bytes.saturating_add(write.bytes.len());
        if shared.write_part(write.key, &write.bytes, None).is_err() {
            replica.abandon();
            return Publishing::Lost;
        }
    }
    Publishing::Underway
}
