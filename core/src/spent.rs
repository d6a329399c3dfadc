//! What counts once in an Envoy process: a table of marks, each with the time until which it counts.
//!
//! Every worker runs its own copy of the module. They share a map of bytes with compare-and-swap, whose keys
//! are never freed. So a table is a fixed number of buckets, one key each: whoever spends something reads its
//! bucket, and writes the bytes that this file makes of it back if nobody has written in between. This file
//! has the data and the rules, no host.

use crate::limits::SPENT_ENTRIES;
use crate::secret::{Digest, FingerprintKey};
use crate::time::UnixTime;

/// The size of a table, and what it does when it is full.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SpentTable {
    buckets: usize,
    /// Marks in one bucket.
    capacity: usize,
    when_full: WhenFull,
}

/// What happens to a new mark where there is no room for it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WhenFull {
    /// The mark that was made first makes room for it.
    ForgetOldest,
    /// It is not made.
    Refuse,
}

/// What stands for one thing in a table.
///
/// Its key is drawn at random by the process. Otherwise a client that chooses what is spent could choose its
/// bucket too, and push everything out of it at a small part of the cost of filling the table.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Mark(u128);

/// What came of the attempt to spend something.
#[derive(Debug, Eq, PartialEq)]
pub enum Spending {
    /// It was spent before.
    Again,
    /// It was not, and counts once these bytes are the bucket's.
    First {
        /// The bucket with the new mark.
        bucket: Vec<u8>,
        /// How many marks that still counted were forgotten.
        forgotten: usize,
    },
    /// There is no room for it.
    Full,
}

/// What became of something that counts once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Spent {
    /// It was spent before.
    Again,
    /// It is spent now, for all workers of the process.
    First,
    /// It cannot be recorded, so it does not count.
    Unrecorded,
}

/// The average number of marks in a bucket of a full table. Every attempt copies and checks a bucket, which
/// takes some microseconds at this size.
const MARKS: usize = 128;

/// Marks spread by chance: of a table that holds as many as it should, a bucket holds more than the average
/// plus eight standard deviations once in a billion times.
const DEVIATIONS: usize = 8;

const VERSION: u8 = 1;
const ENTRY: usize = size_of::<u128>() + size_of::<i64>();

/// Against damage, not against attackers: whoever can write to the map is trusted. So the key is no secret.
/// A tenth of SHA-256's time, for kilobytes with each request.
const CHECKSUM: FingerprintKey = FingerprintKey::new(*b"portcullis/spent");

// === impl SpentTable ===

impl SpentTable {
    /// A table that holds at least `entries` marks, up to [`SPENT_ENTRIES`].
    pub fn new(entries: usize, when_full: WhenFull) -> Self {
        let entries = entries.clamp(1, SPENT_ENTRIES);
        let buckets = entries.div_ceil(MARKS).next_power_of_two();
        let average = entries.div_ceil(buckets);
        let headroom = match buckets {
            1 => 0,
            _ => average.isqrt().saturating_add(1).saturating_mul(DEVIATIONS),
        };
        SpentTable {
            buckets,
            capacity: average.saturating_add(headroom),
            when_full,
        }
    }

    /// How many buckets there are: a power of two, so that a process that sees many configurations makes few
    /// tables of different shapes.
    pub fn buckets(&self) -> usize {
        self.buckets
    }

    /// Which bucket has this mark.
    pub fn bucket_of(&self, mark: Mark) -> usize {
        // The bits of a mark are as good as random, and this divides without a remainder.
        let high = (mark.0 >> 64) as usize;
        high.checked_rem(self.buckets).unwrap_or_default()
    }

    /// Spends what `mark` stands for, which counts up to and including `until`. `bucket` is what the map has
    /// for the mark's bucket.
    ///
    /// Bytes that fail their check may have held anything. A table that may forget counts all of it as
    /// forgotten; one that may not has no room ever after.
    pub fn spend(
        &self,
        bucket: Option<&[u8]>,
        mark: Mark,
        until: UnixTime,
        now: UnixTime,
    ) -> Spending {
        let sealed = bucket.unwrap_or_default();
        let (entries, lost) = match (open(sealed), self.when_full) {
            (Some(entries), _) => (entries, 0),
            (None, WhenFull::ForgetOldest) => (&[][..], sealed.len().div_ceil(ENTRY)),
            (None, WhenFull::Refuse) => return Spending::Full,
        };
        let counting = || entries.iter().filter(|entry| until_of(entry) >= now);
        if counting().any(|entry| mark_of(entry) == mark) {
            return Spending::Again;
        }
        let room = self.capacity.saturating_sub(1);
        let excess = counting().count().saturating_sub(room);
        if excess > 0 && self.when_full == WhenFull::Refuse {
            return Spending::Full;
        }
        Spending::First {
            // In the order in which they were made: an `until` far ahead must not make a mark stay.
            bucket: seal(counting().skip(excess), mark, until),
            forgotten: excess.saturating_add(lost),
        }
    }
}

fn mark_of(entry: &[u8; ENTRY]) -> Mark {
    let (mark, _) = entry.split_first_chunk().unwrap_or((&[0; 16], &[]));
    Mark(u128::from_le_bytes(*mark))
}

fn until_of(entry: &[u8; ENTRY]) -> UnixTime {
    let (_, until) = entry.split_last_chunk().unwrap_or((&[], &[0; 8]));
    UnixTime::from_micros(i64::from_le_bytes(*until))
}

fn seal<'e>(kept: impl Iterator<Item = &'e [u8; ENTRY]>, mark: Mark, until: UnixTime) -> Vec<u8> {
    let mut body = Vec::new();
    kept.for_each(|entry| body.extend_from_slice(entry));
    body.extend_from_slice(&mark.0.to_le_bytes());
    body.extend_from_slice(&until.as_micros().to_le_bytes());
    [&[VERSION], checksum(&body).as_slice(), &body].concat()
}

/// The entries; `None` where the check fails. A key that nobody has written is an empty bucket.
fn open(sealed: &[u8]) -> Option<&[[u8; ENTRY]]> {
    let Some((version, rest)) = sealed.split_first() else {
        return Some(&[]);
    };
    let (sum, body) = rest.split_first_chunk()?;
    let (entries, rest) = body.as_chunks();
    let is_intact = *version == VERSION && rest.is_empty() && *sum == checksum(body);
    is_intact.then_some(entries)
}

fn checksum(body: &[u8]) -> [u8; 8] {
    CHECKSUM.fingerprint(body).half().to_le_bytes()
}

// === impl Mark ===

impl Mark {
    /// What stands for the thing that `digest` identifies. `key` is the process's own.
    pub fn new(key: &FingerprintKey, digest: &Digest) -> Self {
        Mark(key.fingerprint(digest.as_bytes()).bits())
    }
}

#[cfg(test)]
mod tests;
