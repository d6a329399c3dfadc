//! What the workers of one process share.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use portcullis_core::budget::map::{Broken, Held, SharedMap};

/// Bytes and the number of their version, by their keys.
type Versions = HashMap<String, (Vec<u8>, u32)>;

/// The map of one process: its clones are the same one.
#[derive(Clone, Default)]
pub struct ProcessMap(Rc<RefCell<Versions>>);

impl SharedMap for ProcessMap {
    fn get(&self, key: &str) -> Result<Held, Broken> {
        let map = self.0.borrow();
        Ok(map
            .get(key)
            .map_or_else(Held::default, |(bytes, version)| Held {
                bytes: Some(bytes.clone()),
                version: Some(*version),
            }))
    }

    fn swap(&self, key: &str, read: &Held, bytes: &[u8]) -> Result<bool, Broken> {
        let mut map = self.0.borrow_mut();
        let version = map.get(key).map(|(_, version)| *version);
        if version != read.version {
            return Ok(false);
        }
        let next = version.map_or(1, |version| version + 1);
        map.insert(key.to_owned(), (bytes.to_vec(), next));
        Ok(true)
    }
}
