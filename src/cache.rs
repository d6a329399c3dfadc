//! A bounded map whose entries expire. Callers pass `now`.
//!
//! Which entry goes when it is full is decided by CLOCK: a hand passes over the entries, spares
//! those that were used since it last came by, and takes the first that was not. A hit costs a
//! look-up and one bit, so the common case pays nothing for the order.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::secret::Fingerprint;
use crate::time::UnixTime;

#[derive(Debug)]
pub struct Cache<V> {
    capacity: usize,
    slots: Vec<Slot<V>>,
    index: HashMap<Fingerprint, usize, BuildHasherDefault<AlreadyHashed>>,
    hand: usize,
    uses: Uses,
}

/// How often a cache was asked, since this was last read.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Uses {
    pub hits: u32,
    pub misses: u32,
}

#[derive(Debug)]
struct Slot<V> {
    key: Fingerprint,
    value: V,
    expires: UnixTime,
    used: bool,
}

// === impl Cache ===

impl<V> Cache<V> {
    /// Room for `capacity` entries; with none it never holds anything.
    pub fn new(capacity: usize) -> Self {
        Cache {
            capacity,
            slots: Vec::new(),
            index: HashMap::default(),
            hand: 0,
            uses: Uses::default(),
        }
    }

    pub fn get(&mut self, key: Fingerprint, now: UnixTime) -> Option<&V> {
        let at = self.index.get(&key).copied();
        let slot = at.and_then(|at| self.slots.get_mut(at));
        let Some(slot) = slot.filter(|slot| now < slot.expires) else {
            self.uses.misses = self.uses.misses.saturating_add(1);
            return None;
        };
        self.uses.hits = self.uses.hits.saturating_add(1);
        slot.used = true;
        Some(&slot.value)
    }

    pub fn take_uses(&mut self) -> Uses {
        std::mem::take(&mut self.uses)
    }

    pub fn insert(&mut self, key: Fingerprint, value: V, expires: UnixTime, now: UnixTime) {
        if self.capacity == 0 || now >= expires {
            return;
        }
        let slot = Slot {
            key,
            value,
            expires,
            used: false,
        };
        let at = match self.index.get(&key) {
            Some(&at) => at,
            None if self.slots.len() < self.capacity => {
                self.index.insert(key, self.slots.len());
                self.slots.push(slot);
                return;
            }
            None => self.victim(now),
        };
        if let Some(old) = self.slots.get_mut(at) {
            self.index.remove(&old.key);
            self.index.insert(key, at);
            *old = slot;
        }
    }

    pub fn len(&self) -> usize {
        self.slots.len()
    }

    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The slot to give up. After one round no entry is marked as used, so the second ends at
    /// its first step: with the turn at the end, `capacity + 2` steps at the most.
    fn victim(&mut self, now: UnixTime) -> usize {
        for _ in 0..self.slots.len().saturating_add(2) {
            let at = self.hand;
            self.hand = at.saturating_add(1);
            match self.slots.get_mut(at) {
                None => self.hand = 0,
                Some(slot) if slot.used && now < slot.expires => slot.used = false,
                Some(_) => return at,
            }
        }
        0
    }
}

/// Fingerprints are keyed digests: an attacker cannot aim at a bucket, so their own bits serve.
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
        cache.insert(key(1), "a", LATER, NOW);
        assert_eq!(cache.get(key(1), NOW), Some(&"a"));
        assert_eq!(cache.get(key(2), NOW), None);
        assert_eq!(cache.get(key(1), LATER), None);
        cache.insert(key(3), "expired", NOW, NOW);
        assert_eq!(cache.get(key(3), NOW), None);
    }

    #[test]
    fn without_room_nothing_is_held() {
        let mut cache = Cache::new(0);
        cache.insert(key(1), "a", LATER, NOW);
        assert!(cache.is_empty());
        assert_eq!(cache.get(key(1), NOW), None);
    }

    #[test]
    fn it_never_grows_beyond_its_capacity_and_spares_what_is_used() {
        let mut cache = Cache::new(8);
        cache.insert(key(0), 0, LATER, NOW);
        for n in 1..1000 {
            assert_eq!(cache.get(key(0), NOW), Some(&0), "round {n}");
            cache.insert(key(n), n, LATER, NOW);
            assert!(cache.len() <= 8);
        }
    }

    #[test]
    fn what_has_expired_goes_first() {
        let mut cache = Cache::new(2);
        cache.insert(key(1), 1, UnixTime::from_secs(1001), NOW);
        cache.insert(key(2), 2, LATER, NOW);
        let now = UnixTime::from_secs(1002);
        assert!(cache.get(key(2), now).is_some());
        cache.insert(key(3), 3, LATER, now);
        assert!(cache.get(key(2), now).is_some());
        assert!(cache.get(key(3), now).is_some());
    }

    #[test]
    fn a_key_written_again_keeps_one_slot() {
        let mut cache = Cache::new(2);
        for n in 0..10 {
            cache.insert(key(1), n, LATER, NOW);
        }
        assert_eq!(cache.len(), 1);
        assert_eq!(cache.get(key(1), NOW), Some(&9));
    }
}
