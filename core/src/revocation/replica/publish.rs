//! From a replica into shared data.

use std::collections::VecDeque;
use std::mem;

use crate::limits::REVOCATION_ENTRIES;
use crate::revocation::poll::{Change, Update};
use crate::revocation::replica::{Held, ListReplica, Publication, Task, Unpublished, Write};
use crate::revocation::shared_layout::{
    self, Buffer, Chunk, Head, JournalSegment, RING, SEGMENT_ENTRIES, SharedKey, last_segment,
    segment_of, shard_of_segment, start_of,
};
use crate::revocation::store::{Entry, SHARDS, Store};
use crate::time::UnixTime;

impl ListReplica {
    /// Begins to publish what a poll brought; it counts for this worker too when all is written.
    ///
    /// The result is a writer mark that must replace `head`, the value of the head's key now, by
    /// compare-and-swap. If that fails, another worker is publishing: call [`ListReplica::abandon`] and poll
    /// again. So no two workers write at the same time, even if one outlived its lease. `writer` is random;
    /// `as_of` is when the poll's first request was sent.
    pub fn publish(
        &mut self,
        update: Update,
        head: Option<&[u8]>,
        writer: u64,
        as_of: UnixTime,
        now: UnixTime,
    ) -> Result<Vec<u8>, Unpublished> {
        let seen = self.seen_head();
        let shared = self.shared_retention();
        let is_idle = matches!(self.task, Task::Idle);
        if !is_idle || head != self.seen.as_deref() || !update.retention.covers(&shared) {
            return Err(Unpublished::Superseded);
        }
        let publication = match update.change {
            Change::More(new) => {
                let in_step = self.in_step().is_some();
                let held = self.held.as_mut().filter(|held| {
                    let cursor = update.since.as_ref();
                    in_step && cursor == Some(&held.head.cursor) && held.head.key == update.key
                });
                let held = held.ok_or(Unpublished::Superseded)?;
                let new = held.news(new, now)?;
                let head = Head {
                    writer,
                    as_of,
                    cursor: update.cursor,
                    ..held.head.clone()
                };
                held.continuation(head, new)
            }
            Change::Reset(store) => {
                let old = seen
                    .clone()
                    .or_else(|| self.held.as_ref().map(|held| held.head.clone()));
                let head = Head {
                    kind: self.kind,
                    generation: writer,
                    writer,
                    buffer: old.as_ref().map_or(Buffer::A, |old| old.buffer.other()),
                    key: update.key,
                    retention: update.retention,
                    end: 0,
                    chunks: 0,
                    as_of,
                    cursor: update.cursor,
                };
                beginning(head, store, old.as_ref())
            }
        };
        let mark = match seen {
            Some(seen) => Head { writer, ..seen }.to_bytes(),
            None => shared_layout::writer_mark(writer),
        };
        self.task = Task::Acquire {
            publication,
            mark: mark.clone().into(),
        };
        Ok(mark)
    }

    /// Whether `head`, the value of the head's key now, is what this replica wrote. Check this before each
    /// batch of writes. If it is not, another worker has taken over: call [`ListReplica::abandon`].
    pub fn is_writer(&self, head: Option<&[u8]>) -> bool {
        let own = match &self.task {
            Task::Acquire { mark, .. } => Some(mark),
            Task::Write(_) => self.seen.as_ref(),
            Task::Idle | Task::Follow { .. } => None,
        };
        own.is_some() && own.map(AsRef::as_ref) == head
    }

    /// The next value to write. Call it only after the mark was written; `None` when all is written.
    pub fn next_write(&mut self, now: UnixTime) -> Option<Write> {
        let mut publication = match mem::replace(&mut self.task, Task::Idle) {
            Task::Acquire { publication, mark } => {
                self.seen = Some(mark);
                self.apply(&publication, now);
                publication
            }
            Task::Write(publication) => publication,
            other => {
                self.task = other;
                return None;
            }
        };
        let write = match publication.keys.pop_front() {
            Some(key) => {
                let bytes = self.bytes_of(key, &publication);
                if key == SharedKey::Head {
                    self.complete(&mut publication, &bytes);
                    self.bound_age(now);
                }
                Write { key, bytes }
            }
            // No worker reads the old list any more.
            None => Write {
                key: publication.garbage.pop()?,
                bytes: Vec::new(),
            },
        };
        self.task = Task::Write(publication);
        Some(write)
    }

    /// The mark or a later write failed: another worker is publishing, or the host refused.
    pub fn abandon(&mut self) {
        let task = mem::replace(&mut self.task, Task::Idle);
        // The list may have entries that the others will never see, so it has to be read again; it is used until
        // then. Once the head is written, the others see everything.
        if let Task::Write(publication) = task
            && !publication.keys.is_empty()
            && let Some(held) = &mut self.held
        {
            held.at = u64::MAX;
        }
        self.seen = None;
    }

    fn apply(&mut self, publication: &Publication, now: UnixTime) {
        let Some(held) = self.held.as_mut().filter(|_| publication.store.is_none()) else {
            return;
        };
        for key in &publication.keys {
            if let SharedKey::Chunk { shard, .. } = key {
                held.store.sweep(*shard, &publication.head.retention, now);
            }
        }
        for entry in &publication.new {
            held.store.insert(*entry);
        }
    }

    fn bytes_of(&self, key: SharedKey, publication: &Publication) -> Vec<u8> {
        let head = &publication.head;
        match key {
            SharedKey::Head => head.to_bytes(),
            SharedKey::Chunk { shard, .. } => {
                let entries = publication.store.as_ref().or(self.store());
                let entries = entries.into_iter().flat_map(|store| store.shard(shard));
                Chunk::to_bytes(head.generation, shard, head.end, entries)
            }
            SharedKey::Journal { index, .. } => {
                let (start, entries) = self.segment(index, publication);
                JournalSegment::to_bytes(head.generation, start, &entries)
            }
        }
    }

    /// The segment for this index of the ring.
    fn segment(&self, index: usize, publication: &Publication) -> (u64, Vec<Entry>) {
        let tail = self.held.as_ref().map_or(&[][..], |held| &held.tail);
        let base = start_of(segment_of(publication.from));
        let last = last_segment(publication.head.end);
        // Of the segments that have this index, the last one.
        let segment = (0..RING)
            .filter_map(|back| last.checked_sub(back))
            .find(|segment| shard_of_segment(*segment) == index)
            .unwrap_or(last);
        let start = start_of(segment);
        let skip = usize::try_from(start.saturating_sub(base)).unwrap_or(usize::MAX);
        let entries = tail.iter().chain(&publication.new).skip(skip);
        let entries = entries.take(SEGMENT_ENTRIES as usize).copied().collect();
        (start, entries)
    }

    /// The head is written: from now on this is the list.
    fn complete(&mut self, publication: &mut Publication, head: &[u8]) {
        let at = publication.head.end;
        let tail = match segment_of(at) {
            segment if start_of(segment) == at => Vec::new(),
            segment => self.segment(shard_of_segment(segment), publication).1,
        };
        let store = match publication.store.take() {
            Some(store) => Some(store),
            None => self.held.take().map(|held| held.store),
        };
        self.held = store.map(|store| Held {
            head: publication.head.clone(),
            store,
            at,
            tail,
        });
        self.seen = Some(head.into());
    }
}

// === impl Held ===

impl Held {
    /// The entries that change anything, if the list has room for them.
    fn news(&mut self, entries: Vec<Entry>, now: UnixTime) -> Result<Vec<Entry>, Unpublished> {
        let mut news = entries;
        news.retain(|entry| self.store.would_change(entry));
        let names = news
            .iter()
            .filter(|entry| !self.store.holds_name_of(entry))
            .count();
        let fits = |store: &Store| store.len().saturating_add(names) <= REVOCATION_ENTRIES;
        if !fits(&self.store) {
            self.store.sweep_all(&self.head.retention, now);
        }
        if !fits(&self.store) {
            return Err(Unpublished::TooLong);
        }
        Ok(news)
    }

    /// Continues the journal.
    fn continuation(&self, mut head: Head, new: Vec<Entry>) -> Publication {
        let buffer = head.buffer;
        head.end = self.at.saturating_add(new.len() as u64);
        let last = last_segment(head.end);
        let mut keys = VecDeque::new();
        // If there are more segments than the ring holds, only the last ones count. Their chunks are all chunks.
        let ring = last.saturating_sub(RING - 1);
        for segment in last_segment(self.at).saturating_add(1).max(ring)..=last {
            let shard = shard_of_segment(segment);
            head.add_chunk(shard);
            keys.push_back(SharedKey::Chunk { buffer, shard });
        }
        if !new.is_empty() {
            let segments = segment_of(self.at).max(ring)..=last;
            keys.extend(segments.map(|segment| SharedKey::of_segment(buffer, segment)));
        }
        keys.push_back(SharedKey::Head);
        Publication {
            head,
            store: None,
            new,
            from: self.at,
            keys,
            garbage: Vec::new(),
        }
    }
}

/// Starts a new list beside the old one.
fn beginning(mut head: Head, store: Store, old: Option<&Head>) -> Publication {
    let buffer = head.buffer;
    let mut keys = VecDeque::new();
    for shard in 0..SHARDS {
        if store.shard(shard).next().is_some() {
            head.add_chunk(shard);
            keys.push_back(SharedKey::Chunk { buffer, shard });
        }
    }
    keys.push_back(SharedKey::Head);
    Publication {
        head,
        store: Some(store),
        new: Vec::new(),
        from: 0,
        keys,
        garbage: old.map(Head::keys).unwrap_or_default(),
    }
}
