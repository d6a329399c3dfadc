//! From shared data into a replica.

use std::mem;

use crate::limits::REVOCATION_ENTRIES;
use crate::revocation::replica::{FollowStep, Held, ListReplica, Task};
use crate::revocation::shared_layout::{
    Chunk, Head, JournalSegment, SEGMENT_ENTRIES, SharedKey, oldest, segment_of, shard_of_segment,
    start_of,
};
use crate::revocation::store::{SHARDS, Store};
use crate::time::UnixTime;

/// How often a worker starts again because a publisher writes while it reads.
const ATTEMPTS: u8 = 3;

/// Why following stops.
enum Lost {
    /// There is no list to follow.
    Absent,
    /// What was read is damaged, or its parts do not fit together.
    Torn,
}

impl ListReplica {
    /// Starts to read what others published, unless this replica already reads or publishes.
    pub fn refresh(&mut self) {
        if let Task::Idle = self.task {
            self.task = Task::Follow {
                step: FollowStep::Head,
                attempts: ATTEMPTS,
            };
        }
    }

    /// The key to read next; `None` when there is nothing left to read.
    pub fn wants(&self) -> Option<SharedKey> {
        let Task::Follow { step, .. } = &self.task else {
            return None;
        };
        Some(match step {
            FollowStep::Head | FollowStep::HeadAgain { .. } => SharedKey::Head,
            FollowStep::Chunks { new, shard, .. } => SharedKey::Chunk {
                buffer: new.head.buffer,
                shard: *shard,
            },
            FollowStep::Journal { target, new } => {
                let list = new.as_deref().or(self.held.as_ref());
                let at = list.map_or(0, |list| list.at);
                SharedKey::of_segment(target.buffer, segment_of(at))
            }
        })
    }

    /// Takes the value of the key that [`ListReplica::wants`] named. Bytes that fail their check count as absent.
    pub fn feed(&mut self, bytes: Option<&[u8]>, now: UnixTime) {
        let Task::Follow { step, attempts } = mem::replace(&mut self.task, Task::Idle) else {
            return;
        };
        let next = match step {
            FollowStep::Head => self.take_head(bytes),
            FollowStep::Chunks { new, shard, covers } => take_chunk(new, shard, covers, bytes, now),
            FollowStep::HeadAgain { new, covers } => self.take_head_again(new, covers, bytes),
            FollowStep::Journal { target, new } => self.take_segment(target, new, bytes, now),
        };
        self.task = match next {
            Ok(Some(step)) => Task::Follow { step, attempts },
            Ok(None) | Err(Lost::Absent) => Task::Idle,
            Err(Lost::Torn) => match attempts.checked_sub(1) {
                Some(attempts) => Task::Follow {
                    step: FollowStep::Head,
                    attempts,
                },
                None => Task::Idle,
            },
        };
        self.bound_age(now);
    }

    fn take_head(&mut self, bytes: Option<&[u8]>) -> Result<Option<FollowStep>, Lost> {
        let target = self.see(bytes)?;
        let goes_on = self.held.as_ref().is_some_and(|held| {
            let reach = oldest(target.end)..=target.end;
            held.head.is_of_one_run(&target) && reach.contains(&held.at)
        });
        if goes_on {
            Ok(self.go_on(target, None))
        } else {
            Ok(Some(load(target)))
        }
    }

    /// Reads the present head.
    fn see(&mut self, bytes: Option<&[u8]>) -> Result<Head, Lost> {
        self.seen = bytes.map(Box::from);
        let head = self.seen_head().ok_or(Lost::Absent)?;
        // A list that drops entries sooner than this provider allows is not used.
        let keeps_enough = head.retention.covers(&self.retention);
        keeps_enough.then_some(head).ok_or(Lost::Absent)
    }

    fn take_head_again(
        &mut self,
        mut new: Box<Held>,
        covers: u64,
        bytes: Option<&[u8]>,
    ) -> Result<Option<FollowStep>, Lost> {
        let target = self.see(bytes)?;
        // From the start of a segment: entries that the chunks already have are inserted twice without effect.
        new.at = start_of(segment_of(covers.min(target.end)));
        if !target.is_of_one_run(&new.head) || new.at < oldest(target.end) {
            return Err(Lost::Torn);
        }
        Ok(self.go_on(target, Some(new)))
    }

    /// To the next segment of the journal, or to the end.
    fn go_on(&mut self, target: Head, new: Option<Box<Held>>) -> Option<FollowStep> {
        let list = new.as_deref().or(self.held.as_ref())?;
        if list.at < target.end {
            return Some(FollowStep::Journal { target, new });
        }
        if let Some(new) = new {
            self.held = Some(*new);
        }
        if let Some(held) = &mut self.held {
            held.head = target;
        }
        None
    }

    fn take_segment(
        &mut self,
        target: Head,
        mut new: Option<Box<Held>>,
        bytes: Option<&[u8]>,
        now: UnixTime,
    ) -> Result<Option<FollowStep>, Lost> {
        let list = new.as_deref_mut().or(self.held.as_mut());
        match list.ok_or(Lost::Absent)?.read_segment(&target, bytes, now) {
            Ok(()) => Ok(self.go_on(target, new)),
            // The journal is lost, but the chunks may be there.
            Err(Lost::Torn) if new.is_none() => Ok(Some(load(target))),
            Err(lost) => Err(lost),
        }
    }
}

/// From the chunks of this head on.
fn load(head: Head) -> FollowStep {
    let new = Box::new(Held {
        store: Store::new(head.key.clone()),
        head,
        at: 0,
        tail: Vec::new(),
    });
    next_chunk(new, 0, u64::MAX)
}

/// The first chunk that was written, from this shard on.
fn next_chunk(new: Box<Held>, from: usize, mut covers: u64) -> FollowStep {
    for shard in from..SHARDS {
        if new.head.has_chunk(shard) {
            return FollowStep::Chunks { new, shard, covers };
        }
        covers = 0;
    }
    FollowStep::HeadAgain { new, covers }
}

fn take_chunk(
    mut new: Box<Held>,
    shard: usize,
    covers: u64,
    bytes: Option<&[u8]>,
    now: UnixTime,
) -> Result<Option<FollowStep>, Lost> {
    let chunk = bytes.and_then(Chunk::from_bytes).ok_or(Lost::Torn)?;
    if chunk.generation != new.head.generation || chunk.shard != shard {
        return Err(Lost::Torn);
    }
    new.store.reserve(shard, chunk.entries.len());
    for entry in chunk.entries {
        new.store.insert(entry);
    }
    new.keep_bounds(now)?;
    let next = shard.saturating_add(1);
    Ok(Some(next_chunk(new, next, covers.min(chunk.covers))))
}

// === impl Held ===

impl Held {
    /// Reads the rest of the present segment, at most up to the end that the head names: what follows is not
    /// published yet.
    fn read_segment(
        &mut self,
        target: &Head,
        bytes: Option<&[u8]>,
        now: UnixTime,
    ) -> Result<(), Lost> {
        let segment = bytes
            .and_then(JournalSegment::from_bytes)
            .ok_or(Lost::Torn)?;
        let number = segment_of(self.at);
        let start = start_of(number);
        let end = start.saturating_add(SEGMENT_ENTRIES).min(target.end);
        let index = |place: u64| usize::try_from(place.saturating_sub(start)).ok();
        let (from, to) = index(self.at).zip(index(end)).ok_or(Lost::Torn)?;
        if segment.generation != target.generation || segment.start != start {
            return Err(Lost::Torn);
        }
        let news = segment.entries.get(from..to).ok_or(Lost::Torn)?;
        if from == 0 && number > 0 {
            // In step with the publisher, which does it before it writes this chunk.
            self.store
                .sweep(shard_of_segment(number), &target.retention, now);
        }
        for entry in news {
            self.store.insert(*entry);
        }
        self.at = end;
        self.tail = segment.entries;
        self.tail.truncate(to);
        if segment_of(end) > number {
            self.tail.clear();
        }
        self.keep_bounds(now)
    }

    /// A publisher keeps to the limit, but entries that ended since then may have to be removed first.
    fn keep_bounds(&mut self, now: UnixTime) -> Result<(), Lost> {
        if self.store.len() > REVOCATION_ENTRIES {
            self.store.sweep_all(&self.head.retention, now);
        }
        if self.store.len() > REVOCATION_ENTRIES {
            return Err(Lost::Absent);
        }
        Ok(())
    }
}
