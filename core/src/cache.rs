//! A map whose entries expire, bounded by their number and by their memory. Callers pass `now`.
//!
//! A full cache evicts by CLOCK: a hand moves over the entries, skips those that were used since its last
//! round, and evicts the first that was not. A hit costs a lookup and one bit.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::limits::CACHED_BYTES_PER_ENTRY;
use crate::secret::Fingerprint;
use crate::time::UnixTime;

/// A bounded map from fingerprints to values that expire.
#[derive(Debug)]
pub struct Cache<V> {
    capacity: usize,
    /// The memory that all values together may take.
    max_bytes: usize,
    bytes: usize,
    entries: Vec<CacheEntry<V>>,
    index: HashMap<Fingerprint, usize, BuildHasherDefault<AlreadyHashed>>,
    hand: usize,
    uses: Uses,
}

/// How often a cache was asked, since this was last read.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Uses {
    /// Look-ups that found an entry.
    pub hits: u32,
    /// Look-ups that found none, or an expired one.
    pub misses: u32,
}

#[derive(Debug)]
struct CacheEntry<V> {
    key: Fingerprint,
    value: V,
    bytes: usize,
    expires: UnixTime,
    used: bool,
}

// === impl Cache ===

impl<V> Cache<V> {
    /// Room for `capacity` entries of [`CACHED_BYTES_PER_ENTRY`] on the average; with none it never
    /// holds anything.
    pub fn new(capacity: usize) -> Self {
        Cache::bounded(capacity, capacity.saturating_mul(CACHED_BYTES_PER_ENTRY))
    }

    /// The same with a memory of its own.
    pub fn bounded(capacity: usize, max_bytes: usize) -> Self {
        Cache {
            capacity,
            max_bytes,
            bytes: 0,
            entries: Vec::new(),
            index: HashMap::default(),
            hand: 0,
            uses: Uses::default(),
        }
    }

    /// The value of an entry that has not expired.
    pub fn get(&mut self, key: Fingerprint, now: UnixTime) -> Option<&V> {
        let at = self.index.get(&key).copied();
        let entry = at.and_then(|at| self.entries.get_mut(at));
        let Some(entry) = entry.filter(|entry| now < entry.expires) else {
            self.uses.misses = self.uses.misses.saturating_add(1);
            return None;
        };
        self.uses.hits = self.uses.hits.saturating_add(1);
        entry.used = true;
        Some(&entry.value)
    }

    /// Returns the counts and resets them.
    pub fn take_uses(&mut self) -> Uses {
        std::mem::take(&mut self.uses)
    }

    /// `bytes`: about how much memory the value takes. A value above the limit of the whole cache is not stored.
    pub fn insert(
        &mut self,
        key: Fingerprint,
        value: V,
        bytes: usize,
        expires: UnixTime,
        now: UnixTime,
    ) {
        self.forget(key);
        if self.capacity == 0 || bytes > self.max_bytes || now >= expires {
            return;
        }
        // Each round frees an entry, so the loop ends.
        while self.entries.len() >= self.capacity
            || self.bytes > self.max_bytes.saturating_sub(bytes)
        {
            let victim = self.victim(now);
            self.remove(victim);
        }
        self.bytes = self.bytes.saturating_add(bytes);
        self.index.insert(key, self.entries.len());
        self.entries.push(CacheEntry {
            key,
            value,
            bytes,
            expires,
            used: false,
        });
    }

    /// Removes an entry.
    pub fn forget(&mut self, key: Fingerprint) {
        if let Some(&at) = self.index.get(&key) {
            self.remove(at);
        }
    }

    /// Removes all entries.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.index.clear();
        self.bytes = 0;
    }

    /// Removes an entry and moves the last one to its index.
    fn remove(&mut self, at: usize) {
        if at >= self.entries.len() {
            return;
        }
        let gone = self.entries.swap_remove(at);
        self.index.remove(&gone.key);
        self.bytes = self.bytes.saturating_sub(gone.bytes);
        if let Some(moved) = self.entries.get(at) {
            self.index.insert(moved.key, at);
        }
    }

    /// The number of entries, expired ones included.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entry to evict. After one round no entry is marked as used, so this takes at most `capacity + 2` steps.
    fn victim(&mut self, now: UnixTime) -> usize {
        for _ in 0..self.entries.len().saturating_add(2) {
            let at = self.hand;
            self.hand = at.saturating_add(1);
            match self.entries.get_mut(at) {
                None => self.hand = 0,
                Some(entry) if entry.used && now < entry.expires => entry.used = false,
                Some(_) => return at,
            }
        }
        0
    }
}

/// Fingerprints are keyed digests, so an attacker cannot choose a bucket. Their own bits are the hash.
#[derive(Debug, Default)]
pub struct AlreadyHashed(u64);

impl Hasher for AlreadyHashed {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            self.0 ^= u64::from_le_bytes(word);
        }
    }

    fn write_u128(&mut self, i: u128) {
        self.0 = i as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u128) -> Fingerprint {
        Fingerprint::new(n)
    }

    const NOW: UnixTime = UnixTime::from_secs(1000);
    const LATER: UnixTime = UnixTime::from_secs(2000);

    #[test]
    fn an_entry_ends_when_it_expires() {
        let mut cache = Cache::new(4);
        cache.insert(key(1), "a", 0, LATER, NOW);
        assert_eq!(cache.get(key(1), NOW), Some(&"a"));
        assert_eq!(cache.get(key(2), NOW), None);
        assert_eq!(cache.get(key(1), LATER), None);
        cache.insert(key(3), "expired", 0, NOW, NOW);
        assert_eq!(cache.get(key(3), NOW), None);
    }

    #[test]
    fn without_room_nothing_is_held() {
        let mut cache = Cache::new(0);
        cache.insert(key(1), "a", 0, LATER, NOW);
        assert!(cache.is_empty());
        assert_eq!(cache.get(key(1), NOW), None);
    }

    #[test]
    fn it_never_grows_beyond_its_capacity_and_spares_what_is_used() {
        let mut cache = Cache::new(8);
        cache.insert(key(0), 0, 0, LATER, NOW);
        for n in 1..1000 {
            assert_eq!(cache.get(key(0), NOW), Some(&0), "round {n}");
            cache.insert(key(n), n, 0, LATER, NOW);
            assert!(cache.len() <= 8);
        }
    }

    #[test]
    fn what_has_expired_goes_first() {
        let mut cache = Cache::new(2);
        cache.insert(key(1), 1, 0, UnixTime::from_secs(1001), NOW);
        cache.insert(key(2), 2, 0, LATER, NOW);
        let now = UnixTime::from_secs(1002);
        assert!(cache.get(key(2), now).is_some());
        cache.insert(key(3), 3, 0, LATER, now);
        assert!(cache.get(key(2), now).is_some());
        assert!(cache.get(key(3), now).is_some());
    }

    #[test]
    fn a_key_written_again_keeps_one_slot() {
        let mut cache = Cache::new(2);
        for n in 0..10 {
            cache.insert(key(1), n, 0, LATER, NOW);
        }
        assert_eq!(cache.len(), 1);
        assert_eq!(cache.get(key(1), NOW), Some(&9));
    }

    #[test]
    fn what_takes_more_memory_makes_room_for_itself() {
        let mut cache = Cache::bounded(100, 1000);
        for n in 0..100 {
            cache.insert(key(n), n, 300, LATER, NOW);
            assert!(cache.len() <= 3 && cache.bytes <= 1000, "{n}");
            assert_eq!(cache.get(key(n), NOW), Some(&n));
        }
        cache.insert(key(200), 200, 1000, LATER, NOW);
        assert_eq!((cache.len(), cache.bytes), (1, 1000));
        assert_eq!(cache.get(key(200), NOW), Some(&200));
        // More than there is room for at all leaves the rest alone.
        cache.insert(key(201), 201, 1001, LATER, NOW);
        assert_eq!(cache.get(key(201), NOW), None);
        assert_eq!(cache.get(key(200), NOW), Some(&200));
        cache.insert(key(200), 200, 10, LATER, NOW);
        assert_eq!((cache.len(), cache.bytes), (1, 10));
    }

    #[test]
    fn the_index_follows_entries_that_move() {
        let mut cache = Cache::bounded(64, 640);
        let mut bytes = 0;
        for n in 0..5000_u128 {
            bytes = (bytes * 31 + 7) % 97;
            cache.insert(key(n % 200), n, bytes, LATER, NOW);
            assert_eq!(cache.get(key(n % 200), NOW), Some(&n), "{n}");
            assert_eq!(cache.index.len(), cache.entries.len());
            assert!(cache.bytes <= 640);
        }
        for entry in 0..cache.entries.len() {
            let key = cache.entries[entry].key;
            assert_eq!(cache.index.get(&key), Some(&entry));
        }
    }

    #[test]
    fn what_is_forgotten_is_gone() {
        let mut cache = Cache::new(4);
        cache.insert(key(1), 1, 10, LATER, NOW);
        cache.insert(key(2), 2, 10, LATER, NOW);
        cache.forget(key(1));
        assert_eq!(cache.get(key(1), NOW), None);
        assert_eq!(cache.get(key(2), NOW), Some(&2));
        cache.clear();
        assert!(cache.is_empty() && cache.bytes == 0);
    }
}
