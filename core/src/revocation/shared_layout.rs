//! The layout of a list in Envoy's shared data: a fixed number of keys for each list, because keys are never
//! freed.
//!
//! A list is shared as a journal of its new entries, in a ring of segments, and as chunks, each with all
//! entries of one shard as of some place in the journal. Whenever the journal goes on to another segment,
//! which may overwrite the oldest one, one chunk is written anew. So a whole round rewrites every chunk,
//! no chunk is older than the ring, and chunks and ring are the whole list at any time. An update costs
//! its own entries, and for each of them at most
//! `REVOCATION_ENTRIES / (SHARDS * SEGMENT_ENTRIES)`, eight, of a chunk.
//!
//! The head says how far the journal goes. It is written last: what it does not mention yet does not
//! count. A list that starts anew goes into the other of two buffers, and the head points there when all
//! of it is written.

use std::fmt;
use std::time::Duration;

use crate::fetch_lease::{open, seal};
use crate::limits::REVOCATION_CURSOR_BYTES;
use crate::revocation::page::Kind;
use crate::revocation::store::{DigestKey, Entry, Retention, SHARDS};
use crate::time::UnixTime;

/// One of a list's keys in shared data.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum SharedKey {
    /// The head.
    Head,
    /// All entries of one shard.
    Chunk {
        /// Which buffer it is in.
        buffer: Buffer,
        /// Which shard.
        shard: usize,
    },
    /// One segment of the journal.
    Journal {
        /// Which buffer it is in.
        buffer: Buffer,
        /// Its place in the ring.
        index: usize,
    },
}

/// One of two sets of keys: a list that starts anew is written into the one that is not in use.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Buffer {
    /// The first.
    A,
    /// The second.
    B,
}

/// The state of the list.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub kind: Kind,
    /// Changes with each reset, which starts a new list.
    pub generation: u64,
    /// ID of the current writer, drawn at random: a head that another writer replaced never looks the same.
    pub writer: u64,
    pub buffer: Buffer,
    pub key: DigestKey,
    pub retention: Retention,
    /// Entries that the journal ever had.
    pub end: u64,
    /// The chunks that were written; the others are empty as of the journal's start.
    pub chunks: u128,
    /// When the poll of this list began.
    pub as_of: UnixTime,
    pub cursor: Box<str>,
}

/// All entries of one shard, as of a place in the journal at least.
pub(super) struct Chunk {
    pub generation: u64,
    pub shard: usize,
    pub covers: u64,
    pub entries: Vec<Entry>,
}

/// A segment of the journal.
pub(super) struct JournalSegment {
    pub generation: u64,
    /// The place of its first entry.
    pub start: u64,
    pub entries: Vec<Entry>,
}

/// Entries of one journal segment: 32 KiB.
pub(super) const SEGMENT_ENTRIES: u64 = 2048;

/// The ring has as many segments as there are chunks, which keeps both in step.
pub(super) const RING: u64 = SHARDS as u64;

// The first byte of each value: one kind must not be read as another.
const WRITER_MARK: u8 = 0;
const HEAD: u8 = 1;
const CHUNK: u8 = 2;
const SEGMENT: u8 = 3;

// === impl SharedKey ===

impl SharedKey {
    /// The key of the journal's segment with this number.
    pub(super) fn of_segment(buffer: Buffer, segment: u64) -> SharedKey {
        SharedKey::Journal {
            buffer,
            index: shard_of_segment(segment),
        }
    }
}

/// The key after the list's own prefix.
impl fmt::Display for SharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SharedKey::Head => f.write_str("head"),
            SharedKey::Chunk { buffer, shard } => write!(f, "chunk/{buffer:?}/{shard}"),
            SharedKey::Journal { buffer, index } => write!(f, "journal/{buffer:?}/{index}"),
        }
    }
}

// === impl Buffer ===

impl Buffer {
    pub(super) fn other(self) -> Buffer {
        match self {
            Buffer::A => Buffer::B,
            Buffer::B => Buffer::A,
        }
    }
}

// === places in the journal ===

/// The segment in which this place lies.
pub(super) fn segment_of(place: u64) -> u64 {
    place / SEGMENT_ENTRIES
}

pub(super) fn start_of(segment: u64) -> u64 {
    segment.saturating_mul(SEGMENT_ENTRIES)
}

/// The chunk that is written anew when this segment begins, and the index of the segment in the ring.
pub(super) fn shard_of_segment(segment: u64) -> usize {
    (segment % RING) as usize
}

/// The last segment of a journal that ends there; a segment begins with its first entry.
pub(super) fn last_segment(end: u64) -> u64 {
    segment_of(end.saturating_sub(1))
}

/// The first place that the ring still has.
pub(super) fn oldest(end: u64) -> u64 {
    start_of(last_segment(end).saturating_sub(RING - 1))
}

// === impl Head ===

impl Head {
    /// Whether both have the same journal. With another key, no digest of it would be found.
    pub fn is_of_one_run(&self, other: &Head) -> bool {
        self.generation == other.generation && self.key == other.key
    }

    pub fn has_chunk(&self, shard: usize) -> bool {
        let bit = u32::try_from(shard)
            .ok()
            .and_then(|n| self.chunks.checked_shr(n));
        bit.is_some_and(|bit| bit & 1 == 1)
    }

    pub fn add_chunk(&mut self, shard: usize) {
        let bit = u32::try_from(shard)
            .ok()
            .and_then(|n| 1_u128.checked_shl(n));
        self.chunks |= bit.unwrap_or(0);
    }

    /// The keys of all chunks and segments of the list, without the head.
    pub fn keys(&self) -> Vec<SharedKey> {
        let buffer = self.buffer;
        let chunks = (0..SHARDS).filter(|shard| self.has_chunk(*shard));
        let chunks = chunks.map(|shard| SharedKey::Chunk { buffer, shard });
        let segments = self.end.div_ceil(SEGMENT_ENTRIES).min(RING);
        let segments = (0..segments).map(|segment| SharedKey::of_segment(buffer, segment));
        chunks.chain(segments).collect()
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let Head {
            kind,
            generation,
            writer,
            buffer,
            key,
            retention,
            end,
            chunks,
            as_of,
            cursor,
        } = self;
        let micros = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let kind = match kind {
            Kind::ApiKeys => 0,
            Kind::Tokens => 1,
        };
        let buffer = match buffer {
            Buffer::A => 0,
            Buffer::B => 1,
        };
        let longest = retention.max_lifetime.map_or(u64::MAX, micros);
        let body = [
            &[HEAD, kind, buffer][..],
            &generation.to_le_bytes(),
            &writer.to_le_bytes(),
            key.as_bytes(),
            &micros(retention.clock_tolerance).to_le_bytes(),
            &longest.to_le_bytes(),
            &end.to_le_bytes(),
            &chunks.to_le_bytes(),
            &as_of.as_micros().to_le_bytes(),
            cursor.as_bytes(),
        ];
        seal(&body.concat())
    }

    /// `None` if it is damaged or of another list.
    pub fn from_bytes(bytes: &[u8], kind: Kind) -> Option<Head> {
        let mut fields = Fields(open(bytes)?);
        let expected = match kind {
            Kind::ApiKeys => 0,
            Kind::Tokens => 1,
        };
        let [HEAD, found, buffer] = fields.take()? else {
            return None;
        };
        if found != expected {
            return None;
        }
        let buffer = match buffer {
            0 => Buffer::A,
            1 => Buffer::B,
            _ => return None,
        };
        let generation = fields.number()?;
        let writer = fields.number()?;
        let key = DigestKey::new(fields.take()?);
        let clock_tolerance = Duration::from_micros(fields.number()?);
        let longest = fields.number()?;
        Some(Head {
            kind,
            generation,
            writer,
            buffer,
            key,
            retention: Retention {
                clock_tolerance,
                max_lifetime: (longest != u64::MAX).then(|| Duration::from_micros(longest)),
            },
            end: fields.number()?,
            chunks: u128::from_le_bytes(fields.take()?),
            as_of: UnixTime::from_micros(i64::from_le_bytes(fields.take()?)),
            cursor: std::str::from_utf8(fields.0)
                .ok()
                .filter(|cursor| cursor.len() <= REVOCATION_CURSOR_BYTES)?
                .into(),
        })
    }
}

/// The mark of a writer, in the place of the head while the first list is written.
pub(super) fn writer_mark(writer: u64) -> Vec<u8> {
    seal(&[&[WRITER_MARK][..], &writer.to_le_bytes()].concat())
}

// === impl Chunk ===

impl Chunk {
    pub fn to_bytes(
        generation: u64,
        shard: usize,
        covers: u64,
        entries: impl Iterator<Item = Entry>,
    ) -> Vec<u8> {
        let mut body = vec![CHUNK];
        body.extend(generation.to_le_bytes());
        body.extend((shard as u64).to_le_bytes());
        body.extend(covers.to_le_bytes());
        for entry in entries {
            body.extend(entry.to_bytes());
        }
        seal(&body)
    }

    pub fn from_bytes(bytes: &[u8]) -> Option<Chunk> {
        let mut fields = Fields(open(bytes)?);
        let [CHUNK] = fields.take()? else {
            return None;
        };
        let generation = fields.number()?;
        let shard = usize::try_from(fields.number()?).ok()?;
        let covers = fields.number()?;
        let entries = fields.entries()?;
        let fits = entries.iter().all(|entry| entry.shard() == shard);
        fits.then_some(Chunk {
            generation,
            shard,
            covers,
            entries,
        })
    }
}

// === impl JournalSegment ===

impl JournalSegment {
    pub fn to_bytes(generation: u64, start: u64, entries: &[Entry]) -> Vec<u8> {
        let mut body = vec![SEGMENT];
        body.extend(generation.to_le_bytes());
        body.extend(start.to_le_bytes());
        for entry in entries {
            body.extend(entry.to_bytes());
        }
        seal(&body)
    }

    pub fn from_bytes(bytes: &[u8]) -> Option<JournalSegment> {
        let mut fields = Fields(open(bytes)?);
        let [SEGMENT] = fields.take()? else {
            return None;
        };
        Some(JournalSegment {
            generation: fields.number()?,
            start: fields.number()?,
            entries: fields.entries()?,
        })
    }
}

// === impl Fields ===

/// The bytes that are left to read.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }

    fn number(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn entries(&self) -> Option<Vec<Entry>> {
        let (entries, rest) = self.0.as_chunks::<{ Entry::BYTES }>();
        let all: Option<Vec<Entry>> = entries.iter().map(Entry::from_bytes).collect();
        all.filter(|_| rest.is_empty())
    }
}
