//! A revocation list between its service, the data that all workers share, and this worker's
//! copy of it.

use crate::shell::host;
use crate::shell::shared::Shared;
use crate::time::UnixTime;
use crate::verification::revocation::{Poll, Replica, Slot, Update};

/// Slots that are read or written at a time: some 2 MB of the largest list, a few milliseconds.
const SLOTS_AT_ONCE: usize = 16;

/// How publishing goes on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Publishing {
    Done,
    Lost,
    Underway,
}

/// Reads what others published: whether the copy is all there is.
pub fn follow(replica: &mut Replica, shared: &Shared, now: UnixTime) -> bool {
    replica.refresh();
    for _ in 0..SLOTS_AT_ONCE {
        let Some(slot) = replica.wants() else {
            return true;
        };
        replica.feed(shared.slot(slot).0.as_deref(), now);
    }
    replica.wants().is_none()
}

/// A poll for what is new, where there are random numbers to make a key of.
pub fn poll(replica: &Replica) -> Option<Poll> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).ok()?;
    Some(replica.poll(random))
}

/// Begins to publish; false where another worker was faster.
pub fn publish(
    replica: &mut Replica,
    shared: &Shared,
    update: Update,
    as_of: UnixTime,
    now: UnixTime,
) -> bool {
    let (head, cas) = shared.slot(Slot::Head);
    let Ok(writer) = getrandom::u64() else {
        return false;
    };
    let Ok(claim) = replica.publish(update, head.as_deref(), writer, as_of, now) else {
        return false;
    };
    // Without a number the host replaces whatever is there by now: the source made the key when
    // it was configured, so there is one.
    let claimed = cas.is_some() && shared.write(Slot::Head, &claim, cas).is_ok();
    if !claimed {
        replica.abandon();
    }
    claimed
}

/// Goes on with what was begun.
pub fn go_on(replica: &mut Replica, shared: &Shared, now: UnixTime) -> Publishing {
    for _ in 0..SLOTS_AT_ONCE {
        let Some(write) = replica.next_write(now) else {
            return Publishing::Done;
        };
        if shared.write(write.slot, &write.bytes, None).is_err() {
            replica.abandon();
            return Publishing::Lost;
        }
    }
    Publishing::Underway
}

/// Compare-and-swap on a key that is missing would let every worker succeed.
pub fn create(shared: &Shared) {
    if shared.slot(Slot::Head).1.is_none() {
        // Should the host refuse, nobody can publish, and the log says so at each poll.
        let _: Result<(), host::Failed> = shared.write(Slot::Head, b"", None);
    }
}
