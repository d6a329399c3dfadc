//! What other tests need: a map that fails on demand, where others write between a worker's read and its write.

#![allow(clippy::arithmetic_side_effects)]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use super::*;

/// What another worker does in between.
type Meanwhile = Box<dyn Fn()>;

/// The host's map: its clones are the same one.
#[derive(Clone, Default)]
pub(crate) struct TestMap(Rc<Inner>);

#[derive(Default)]
struct Inner {
    values: RefCell<BTreeMap<String, (Vec<u8>, u32)>>,
    writes: Cell<u32>,
    is_broken: Cell<bool>,
    /// Before each write.
    meanwhile: RefCell<Option<Rc<Meanwhile>>>,
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers in each run.
pub(crate) struct Random(pub u64);

impl TestMap {
    pub(crate) fn set_broken(&self, is_broken: bool) {
        self.0.is_broken.set(is_broken);
    }

    pub(crate) fn set_meanwhile(&self, meanwhile: impl Fn() + 'static) {
        *self.0.meanwhile.borrow_mut() = Some(Rc::new(Box::new(meanwhile)));
    }

    /// As a writer that is none of ours.
    pub(crate) fn put(&self, key: &str, bytes: &[u8]) {
        let version = self.0.writes.get() + 1;
        self.0.writes.set(version);
        let value = (bytes.to_vec(), version);
        self.0.values.borrow_mut().insert(key.to_owned(), value);
    }

    pub(crate) fn values(&self) -> BTreeMap<String, Vec<u8>> {
        let values = self.0.values.borrow();
        let bytes = values.iter().map(|(key, (bytes, _))| (key, bytes));
        bytes.map(|(k, b)| (k.clone(), b.clone())).collect()
    }

    pub(crate) fn writes(&self) -> u32 {
        self.0.writes.get()
    }
}

impl SharedMap for TestMap {
    fn get(&self, key: &str) -> Result<Held, Broken> {
        if self.0.is_broken.get() {
            return Err(Broken);
        }
        let value = self.0.values.borrow().get(key).cloned();
        Ok(value.map_or_else(Held::default, |(bytes, version)| Held {
            bytes: Some(bytes),
            version: Some(version),
        }))
    }

    fn swap(&self, key: &str, read: &Held, bytes: &[u8]) -> Result<bool, Broken> {
        let meanwhile = self.0.meanwhile.borrow().clone();
        if let Some(meanwhile) = meanwhile {
            meanwhile();
        }
        let is_as_read = self.get(key)? == *read;
        if is_as_read {
            self.put(key, bytes);
        }
        Ok(is_as_read)
    }
}

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

#[test]
fn a_key_is_written_only_as_it_was_read() {
    let map = TestMap::default();
    let absent = map.get("k").unwrap();
    assert_eq!(map.swap("k", &absent, b"1"), Ok(true));
    assert_eq!(map.swap("k", &absent, b"2"), Ok(false));
    let held = map.get("k").unwrap();
    assert_eq!(held.bytes.as_deref(), Some(&b"1"[..]));
    // The same bytes, written anew, are another version.
    map.put("k", b"1");
    assert_eq!(map.swap("k", &held, b"3"), Ok(false));
}
