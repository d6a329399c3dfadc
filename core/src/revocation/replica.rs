//! A worker's copy of a list, and how it is kept equal to every other worker's.
//!
//! Following: after [`ListReplica::refresh`], as long as [`ListReplica::wants`] names a key, the filter
//! reads it and [`ListReplica::feed`]s what it found. A worker that is in step reads the head, and after
//! an update the journal's last segments; one that is new or too far behind reads the chunks. The old copy
//! serves until the new one is complete.
//!
//! Publishing: [`ListReplica::publish`] gives the bytes that must replace exactly the head that was read
//! (compare-and-swap): a writer mark. If that succeeds, each [`ListReplica::next_write`] is written to its key.
//! Either may be spread over several ticks.

mod follow;
mod publish;

use std::collections::VecDeque;
use std::time::Duration;

use crate::revocation::page::Kind;
use crate::revocation::poll::Poll;
use crate::revocation::shared_layout::{Head, SharedKey};
use crate::revocation::store::{DigestKey, Entry, Retention, Store};
use crate::time::UnixTime;

/// A worker's copy of one list.
#[derive(Debug)]
pub struct ListReplica {
    kind: Kind,
    retention: Retention,
    held: Option<Held>,
    /// The value of the head's key when it was last read or written.
    seen: Option<Box<[u8]>>,
    /// If the clock was set back: the date of the list held, and the date that counts instead.
    set_back: Option<(UnixTime, UnixTime)>,
    /// The run of the list that was held then.
    outdated: Option<u64>,
    task: Task,
}

/// A value for a key of shared data. An empty one only frees the old value.
#[derive(Debug)]
pub struct Write {
    /// The key.
    pub key: SharedKey,
    /// The value.
    pub bytes: Vec<u8>,
}

/// Why an update is not published.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unpublished {
    /// The shared list is not the one that was polled for any more: follow, and poll again.
    Superseded,
    /// More entries than one list may have.
    TooLong,
}

/// A list as of a place in its journal.
#[derive(Debug)]
struct Held {
    head: Head,
    store: Store,
    /// The place in the journal up to which the store has everything.
    at: u64,
    /// The entries of the segment in which that place lies.
    tail: Vec<Entry>,
}

#[derive(Debug)]
enum Task {
    Idle,
    Follow {
        step: FollowStep,
        /// How often it may still start again from the head.
        attempts: u8,
    },
    /// Waits until its writer mark is in the head.
    Acquire {
        publication: Publication,
        mark: Box<[u8]>,
    },
    Write(Publication),
}

#[derive(Debug)]
enum FollowStep {
    Head,
    /// Reads chunk after chunk into a list that is not used yet.
    Chunks {
        new: Box<Held>,
        shard: usize,
        /// The least place that all chunks so far cover.
        covers: u64,
    },
    /// The journal may have gone on while the chunks were read.
    HeadAgain {
        new: Box<Held>,
        covers: u64,
    },
    /// Reads the journal up to the end that this head knows, into a new list or the one held.
    Journal {
        target: Head,
        new: Option<Box<Held>>,
    },
}

#[derive(Debug)]
struct Publication {
    head: Head,
    /// A new list; `None` if entries are added to the one held.
    store: Option<Store>,
    new: Vec<Entry>,
    /// Where the journal continues.
    from: u64,
    keys: VecDeque<SharedKey>,
    /// Keys of the old list, which are emptied after a reset.
    garbage: Vec<SharedKey>,
}

// === impl ListReplica ===

impl ListReplica {
    /// A copy that has nothing yet.
    pub fn new(kind: Kind, retention: Retention) -> Self {
        ListReplica {
            kind,
            retention,
            held: None,
            seen: None,
            set_back: None,
            outdated: None,
            task: Task::Idle,
        }
    }

    /// The list, if this worker has one.
    pub fn store(&self) -> Option<&Store> {
        self.held.as_ref().map(|held| &held.store)
    }

    /// The date of the list that this worker has.
    pub fn as_of(&self) -> Option<UnixTime> {
        let as_of = self.held.as_ref()?.head.as_of;
        match self.set_back {
            Some((of, to)) if of == as_of => Some(as_of.min(to)),
            _ => Some(as_of),
        }
    }

    /// The clock was set back by `step`: the list held keeps its age. Entries that it has dropped may not have
    /// ended yet, so the next poll asks for the whole list.
    pub fn set_back(&mut self, step: Duration) {
        let as_of = self.as_of();
        let Some((held, as_of)) = self.held.as_ref().zip(as_of) else {
            return;
        };
        self.set_back = Some((held.head.as_of, as_of.minus(step)));
        self.outdated = Some(held.head.generation);
    }

    /// A list that is dated in the future was polled before the clock was set back. Its age is not
    /// known, so it counts from now.
    fn bound_age(&mut self, now: UnixTime) {
        if let (Some(held), Some(as_of)) = (&self.held, self.as_of())
            && as_of > now
        {
            self.set_back = Some((held.head.as_of, now));
        }
    }

    /// Identifies the version of the list that this worker has.
    pub fn version(&self) -> Option<u64> {
        self.held.as_ref().map(|held| held.head.writer)
    }

    /// A poll for what is new, or for the whole list where this worker is not in step with the
    /// others. `random` comes from the system's random source.
    pub fn poll(&self, random: [u8; 16]) -> Poll {
        let retention = self.shared_retention();
        let goes_on = |held: &&Held| self.outdated != Some(held.head.generation);
        match self.in_step().filter(goes_on) {
            Some(held) => Poll::new(
                self.kind,
                held.head.key.clone(),
                retention,
                Some(held.head.cursor.clone()),
            ),
            None => Poll::new(self.kind, DigestKey::new(random), retention, None),
        }
    }

    /// The list held, if it has everything that the shared data has.
    fn in_step(&self) -> Option<&Held> {
        let head = self.seen_head()?;
        self.held
            .as_ref()
            .filter(|held| held.head.is_of_one_run(&head) && held.at == head.end)
    }

    fn seen_head(&self) -> Option<Head> {
        Head::from_bytes(self.seen.as_deref()?, self.kind)
    }

    /// Providers that share a list may forget at different times: the longest counts for all.
    fn shared_retention(&self) -> Retention {
        match self.seen_head() {
            Some(head) => self.retention.union(&head.retention),
            None => self.retention,
        }
    }
}

#[cfg(test)]
mod tests;
