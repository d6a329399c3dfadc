//! The entries of one list in a worker's memory.
//!
//! A lookup reads one place of one of `SHARDS` tables, for any number of entries: the digests are as good as
//! random, so they spread evenly, and without the key an attacker cannot choose colliding ones. Tables grow one by one and by a quarter, so that no single entry ever pays for
//! moving all, and little memory is idle: 20 to 25 bytes an entry.
//!
//! Why 63 bits of SipHash-2-4 do: a name that is not on a list of N meets one that is with
//! N / 2^63 by chance; at two million entries and eight look-ups a token, that refuses one good
//! token of 5 * 10^11. The key is random and never leaves the process, so neither who chooses a
//! `jti` nor who gets tokens revoked can aim. (Without a key it would take 128 bits: among a
//! million targets, one of 63 bits is hit in 2^43 attempts.)

use std::fmt;
use std::time::Duration;

use crate::revocation::subject::RevocationSubject;
use crate::secret::FingerprintKey;
use crate::time::UnixTime;

/// Tables, by the first bits of the digest; also the chunks of the shared form.
pub(super) const SHARDS: usize = 128;
const SHARD_SHIFT: u32 = 64 - SHARDS.trailing_zeros();

/// A name on the list, with the time until which it is revoked (`exp`) or the time of issue up to which
/// its tokens are revoked (`before`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Entry {
    /// Its lowest bit tells tokens (0) from what was issued `before` (1).
    digest: u64,
    time: UnixTime,
}

/// The key of a list's digests.
#[derive(Clone)]
pub struct DigestKey {
    bytes: [u8; 16],
    key: FingerprintKey,
}

/// When entries may be forgotten: when no token is left that they could match.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Retention {
    /// The provider's, for `exp`.
    pub clock_tolerance: Duration,
    /// The longest lifetime of a token; without one, entries with `before` stay.
    pub max_lifetime: Option<Duration>,
}

/// The entries of one list.
#[derive(Clone)]
pub struct Store {
    key: DigestKey,
    shards: Vec<Shard>,
    len: usize,
}

/// Open addressing with linear probing. Entries are removed only by building the table anew.
#[derive(Clone, Default)]
struct Shard {
    slots: Vec<Entry>,
    len: usize,
}

/// No digest is zero.
const EMPTY: Entry = Entry {
    digest: 0,
    time: UnixTime::FAR_PAST,
};

/// The smallest table.
const LEAST_SLOTS: usize = 8;

// === impl Entry ===

impl Entry {
    pub(super) const BYTES: usize = 16;

    pub(super) fn to_bytes(self) -> [u8; Entry::BYTES] {
        let both = (u128::from(self.digest) << 64) | u128::from(self.time.as_micros() as u64);
        both.to_le_bytes()
    }

    /// `None` if the bytes are not an entry.
    pub(super) fn from_bytes(bytes: &[u8; Entry::BYTES]) -> Option<Self> {
        let both = u128::from_le_bytes(*bytes);
        let digest = (both >> 64) as u64;
        let time = UnixTime::from_micros(both as u64 as i64);
        (digest != 0).then_some(Entry { digest, time })
    }

    pub(super) fn shard(&self) -> usize {
        shard_of(self.digest)
    }

    fn is_of_token(&self) -> bool {
        self.digest & 1 == 0
    }
}

fn shard_of(digest: u64) -> usize {
    (digest >> SHARD_SHIFT) as usize
}

// === impl DigestKey ===

/// What a digest is of: the same name as a `jti` and as a `sub` are two.
#[derive(Clone, Copy)]
enum Name<'a> {
    ApiKey(&'a str),
    Client(&'a str),
    Subject(&'a str),
    SubjectAtClient(&'a str, &'a str),
    Token(&'a str),
}

impl DigestKey {
    /// `random` comes from the system's random source.
    pub const fn new(random: [u8; 16]) -> Self {
        DigestKey {
            bytes: random,
            key: FingerprintKey::new(random),
        }
    }

    pub(super) fn as_bytes(&self) -> &[u8; 16] {
        &self.bytes
    }

    /// Revoked until it expires.
    pub(super) fn token(&self, jti: &str, exp: UnixTime) -> Entry {
        self.entry(Name::Token(jti), exp)
    }

    pub(super) fn subject(&self, sub: &str, before: UnixTime) -> Entry {
        self.entry(Name::Subject(sub), before)
    }

    pub(super) fn client(&self, client: &str, before: UnixTime) -> Entry {
        self.entry(Name::Client(client), before)
    }

    pub(super) fn subject_at_client(&self, sub: &str, client: &str, before: UnixTime) -> Entry {
        self.entry(Name::SubjectAtClient(sub, client), before)
    }

    /// Revoked for good.
    pub(super) fn api_key(&self, id: &str) -> Entry {
        self.entry(Name::ApiKey(id), UnixTime::FAR_FUTURE)
    }

    fn entry(&self, name: Name<'_>, time: UnixTime) -> Entry {
        let digest = self.digest(name);
        Entry { digest, time }
    }

    fn digest(&self, name: Name<'_>) -> u64 {
        let (domain, first, second) = match name {
            Name::ApiKey(id) => (0, id, ""),
            Name::Client(client) => (1, client, ""),
            Name::Subject(sub) => (2, sub, ""),
            Name::SubjectAtClient(sub, client) => (3, sub, client),
            Name::Token(jti) => (4, jti, ""),
        };
        // The length in front keeps ("ab", "c") and ("a", "bc") apart.
        let length = (first.len() as u64).to_le_bytes();
        let text = [&[domain], &length[..], first.as_bytes(), second.as_bytes()].concat();
        let digest = self.key.fingerprint(&text).half();
        match name {
            // Not zero, which marks a free slot.
            Name::ApiKey(_) | Name::Token(_) => (digest & !1).max(2),
            Name::Client(_) | Name::Subject(_) | Name::SubjectAtClient(..) => digest | 1,
        }
    }
}

impl PartialEq for DigestKey {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for DigestKey {}

impl fmt::Debug for DigestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DigestKey")
    }
}

// === impl Retention ===

impl Retention {
    /// Whether no token is left that it could match.
    pub(super) fn has_ended(&self, entry: &Entry, now: UnixTime) -> bool {
        let ends = match (entry.is_of_token(), self.max_lifetime) {
            (true, _) => entry.time,
            (false, Some(longest)) => entry.time.plus(longest),
            (false, None) => return false,
        };
        now >= ends.plus(self.clock_tolerance) && entry.time < UnixTime::FAR_FUTURE
    }

    /// Whether it forgets nothing that the other would keep.
    pub(super) fn covers(&self, other: &Retention) -> bool {
        let longest = |retention: &Retention| retention.max_lifetime.unwrap_or(Duration::MAX);
        self.clock_tolerance >= other.clock_tolerance && longest(self) >= longest(other)
    }

    /// The least that covers both.
    #[must_use]
    pub(super) fn union(&self, other: &Retention) -> Retention {
        Retention {
            clock_tolerance: self.clock_tolerance.max(other.clock_tolerance),
            max_lifetime: self
                .max_lifetime
                .zip(other.max_lifetime)
                .map(|(a, b)| a.max(b)),
        }
    }
}

// === impl Store ===

impl Store {
    /// An empty list.
    pub fn new(key: DigestKey) -> Self {
        Store {
            key,
            shards: vec![Shard::default(); SHARDS],
            len: 0,
        }
    }

    /// The key of its digests.
    pub fn key(&self) -> &DigestKey {
        &self.key
    }

    /// Whether the list revokes this token.
    pub fn revokes(&self, token: &RevocationSubject<'_>) -> bool {
        let RevocationSubject {
            token_id,
            subject,
            clients,
            issued_at,
        } = *token;
        // Without `iat` nothing shows that the token is newer than the entry.
        let issued_at = issued_at.unwrap_or(UnixTime::FAR_PAST);
        let is_before = |name| self.find(name).is_some_and(|before| issued_at <= before);
        token_id.is_some_and(|jti| self.find(Name::Token(jti)).is_some())
            || subject.is_some_and(|sub| is_before(Name::Subject(sub)))
            || clients.iter().any(|client| {
                is_before(Name::Client(client))
                    || subject.is_some_and(|sub| is_before(Name::SubjectAtClient(sub, client)))
            })
    }

    /// Whether the list revokes the API key with this id.
    pub fn revokes_api_key(&self, id: &str) -> bool {
        self.find(Name::ApiKey(id)).is_some()
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Memory that its tables take.
    pub fn bytes(&self) -> usize {
        let tables: usize = self.shards.iter().map(|shard| shard.slots.capacity()).sum();
        tables
            .saturating_mul(size_of::<Entry>())
            .saturating_add(SHARDS.saturating_mul(size_of::<Shard>()))
    }

    fn find(&self, name: Name<'_>) -> Option<UnixTime> {
        self.get(self.key.digest(name))
    }

    fn get(&self, digest: u64) -> Option<UnixTime> {
        self.shards.get(shard_of(digest))?.get(digest)
    }

    /// Whether it adds anything: a new name, or a later time for a known one.
    pub(super) fn would_change(&self, entry: &Entry) -> bool {
        self.get(entry.digest).is_none_or(|time| time < entry.time)
    }

    pub(super) fn holds_name_of(&self, entry: &Entry) -> bool {
        self.get(entry.digest).is_some()
    }

    /// Of two times for one name the later one counts. Says whether anything changed.
    pub(super) fn insert(&mut self, entry: Entry) -> bool {
        let Some(shard) = self.shards.get_mut(entry.shard()) else {
            return false;
        };
        let before = shard.len;
        let changed = shard.insert(entry);
        self.len = self.len.saturating_add(shard.len.saturating_sub(before));
        changed
    }

    /// Makes room in a table that is about to be filled.
    pub(super) fn reserve(&mut self, shard: usize, entries: usize) {
        if let Some(shard) = self.shards.get_mut(shard) {
            shard.reserve(entries);
        }
    }

    pub(super) fn shard(&self, shard: usize) -> impl Iterator<Item = Entry> {
        self.shards.get(shard).into_iter().flat_map(Shard::entries)
    }

    /// Removes the entries of one table that have ended.
    pub(super) fn sweep(&mut self, shard: usize, retention: &Retention, now: UnixTime) {
        let Some(shard) = self.shards.get_mut(shard) else {
            return;
        };
        let before = shard.len;
        shard.sweep(retention, now);
        self.len = self.len.saturating_sub(before.saturating_sub(shard.len));
    }

    pub(super) fn sweep_all(&mut self, retention: &Retention, now: UnixTime) {
        for shard in 0..SHARDS {
            self.sweep(shard, retention, now);
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

// === impl Shard ===

impl Shard {
    fn entries(&self) -> impl Iterator<Item = Entry> {
        self.slots.iter().copied().filter(|slot| slot.digest != 0)
    }

    fn get(&self, digest: u64) -> Option<UnixTime> {
        let at = self.place(digest)?;
        let slot = self.slots.get(at)?;
        (slot.digest == digest).then_some(slot.time)
    }

    fn insert(&mut self, entry: Entry) -> bool {
        if let Some(slot) = self
            .place(entry.digest)
            .and_then(|at| self.slots.get_mut(at))
            && slot.digest == entry.digest
        {
            let later = entry.time > slot.time;
            slot.time = slot.time.max(entry.time);
            return later;
        }
        self.reserve(1);
        if let Some(slot) = self
            .place(entry.digest)
            .and_then(|at| self.slots.get_mut(at))
        {
            *slot = entry;
            self.len = self.len.saturating_add(1);
        }
        true
    }

    /// The slot of a digest, or the free slot for it. A table always has free slots, so this ends.
    fn place(&self, digest: u64) -> Option<usize> {
        let size = self.slots.len();
        // The low half, scaled to the table: the high bits chose the table.
        let ideal = (u64::from(digest as u32).wrapping_mul(size as u64) >> u32::BITS) as usize;
        let from = self.slots.get(ideal..)?.iter().zip(ideal..);
        let wrapped = self.slots.get(..ideal)?.iter().zip(0..);
        from.chain(wrapped)
            .find(|(slot, _)| slot.digest == digest || slot.digest == 0)
            .map(|(_, at)| at)
    }

    /// Makes room for `more` entries. A table is at most four fifths full: a search for an absent digest then
    /// reads 13 slots on average.
    fn reserve(&mut self, more: usize) {
        let needed = self.len.saturating_add(more);
        if needed.saturating_mul(5) <= self.slots.len().saturating_mul(4) {
            return;
        }
        let quarter = self.slots.len().div_ceil(4);
        let least = needed.saturating_mul(5).div_ceil(4);
        let size = self
            .slots
            .len()
            .saturating_add(quarter)
            .max(least)
            .max(LEAST_SLOTS);
        self.rebuild(size, |_| true);
    }

    fn sweep(&mut self, retention: &Retention, now: UnixTime) {
        let ended = |entry: &Entry| retention.has_ended(entry, now);
        let left = self.entries().filter(|entry| !ended(entry)).count();
        if left < self.len {
            let size = left.saturating_mul(3).div_ceil(2).max(LEAST_SLOTS);
            self.rebuild(size, |entry| !ended(entry));
        }
    }

    fn rebuild(&mut self, size: usize, keep: impl Fn(&Entry) -> bool) {
        let old = std::mem::replace(
            self,
            Shard {
                slots: vec![EMPTY; size],
                len: 0,
            },
        );
        for entry in old.entries().filter(|entry| keep(entry)) {
            if let Some(slot) = self
                .place(entry.digest)
                .and_then(|at| self.slots.get_mut(at))
            {
                *slot = entry;
                self.len = self.len.saturating_add(1);
            }
        }
    }
}

#[cfg(test)]
mod tests;
