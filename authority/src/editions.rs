//! What many ask for and few things change: built once per change, by the first who asks, while the others wait for it.
//! What is there already is given out without the database or a thread of its own.

use std::collections::HashMap;
use std::hash::Hash;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Mutex as AsyncMutex;

use crate::clock::UnixTime;
use crate::refusal::Refusal;
use crate::reply::Document;
use crate::server;

/// What a document takes at the least, so that the limit in bytes bounds their number too.
const LEAST: usize = 16 * 1024;

/// The current editions, within a limit in bytes. Beyond it those go that nobody asked for the longest.
pub struct Editions<K> {
    limit: usize,
    shelf: Mutex<Shelf<K>>,
}

pub struct Edition {
    pub document: Document,
    /// Of the part that it was built of, read before that.
    pub version: u64,
    /// When it may be given out.
    pub fresh: Range<UnixTime>,
}

struct Shelf<K> {
    places: HashMap<K, Place>,
    bytes: usize,
    /// Counts what was asked for.
    clock: u64,
}

struct Place {
    slot: Slot,
    /// None as long as it is built for the first time.
    bytes: usize,
    asked: u64,
}

/// Locked by whoever builds.
type Slot = Arc<AsyncMutex<Option<Edition>>>;

// === impl Editions ===

impl<K: Copy + Eq + Hash + Send + 'static> Editions<K> {
    pub fn new(limit: usize) -> Self {
        let shelf = Shelf {
            places: HashMap::new(),
            bytes: 0,
            clock: 0,
        };
        Self {
            limit,
            shelf: Mutex::new(shelf),
        }
    }

    /// The edition of `key` with all changes up to `version`: the one that is there, else the one that `build` makes.
    pub async fn get(
        self: &Arc<Self>,
        key: K,
        version: u64,
        now: UnixTime,
        build: impl FnOnce() -> Result<Edition, Refusal> + Send + 'static,
    ) -> Result<Document, Refusal> {
        let slot = self.shelf().slot(key);
        let mut place = Arc::clone(&slot).lock_owned().await;
        let known = place.as_ref();
        if let Some(edition) = known.filter(|edition| edition.is_good(version, now)) {
            return Ok(edition.document.clone());
        }
        // The job holds the lock and keeps what it built, also where the client that it began for is gone by then.
        let editions = Arc::clone(self);
        server::blocking(move || {
            *place = None;
            let built = build();
            let bytes = built.as_ref().map(|edition| edition.document.len()).ok();
            editions.shelf().put(key, &slot, bytes, editions.limit);
            let edition = built?;
            let document = edition.document.clone();
            *place = Some(edition);
            Ok(document)
        })
        .await
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf<K>> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Edition ===

impl Edition {
    /// A version that is newer than the one asked for has all of its changes.
    fn is_good(&self, version: u64, now: UnixTime) -> bool {
        self.version >= version && self.fresh.contains(&now)
    }
}

// === impl Shelf ===

impl<K: Copy + Eq + Hash> Shelf<K> {
    fn slot(&mut self, key: K) -> Slot {
        self.clock = self.clock.saturating_add(1);
        let place = self.places.entry(key).or_insert_with(|| Place {
            slot: Slot::default(),
            bytes: 0,
            asked: 0,
        });
        place.asked = self.clock;
        Arc::clone(&place.slot)
    }

    /// Takes down what the slot now weighs; without `bytes` nothing could be built, and its place goes.
    fn put(&mut self, key: K, slot: &Slot, bytes: Option<usize>, limit: usize) {
        // Pushed out while it was built: then nobody will look for it here.
        let Some(place) = self.places.get_mut(&key) else {
            return;
        };
        if !Arc::ptr_eq(&place.slot, slot) {
            return;
        }
        self.bytes = self.bytes.saturating_sub(place.bytes);
        place.bytes = bytes.map_or(0, |bytes| bytes.max(LEAST));
        self.bytes = self.bytes.saturating_add(place.bytes);
        if bytes.is_none() {
            self.places.remove(&key);
        }
        while self.bytes > limit {
            let built = self.places.iter().filter(|(_, place)| place.bytes > 0);
            let oldest = built.min_by_key(|(_, place)| place.asked);
            let Some(oldest) = oldest.map(|(key, _)| *key) else {
                break;
            };
            if let Some(place) = self.places.remove(&oldest) {
                self.bytes = self.bytes.saturating_sub(place.bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    const NOW: UnixTime = UnixTime::from_seconds(1000);

    fn edition(text: &str, version: u64) -> Edition {
        Edition {
            document: Document::json(text.to_owned()),
            version,
            fresh: NOW..UnixTime::from_seconds(1010),
        }
    }

    fn editions() -> Arc<Editions<u32>> {
        Arc::new(Editions::new(4 * LEAST))
    }

    /// Whether something was built for that.
    async fn builds(editions: &Arc<Editions<u32>>, key: u32, version: u64, now: UnixTime) -> bool {
        let built = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&built);
        let build = move || {
            count.fetch_add(1, Ordering::SeqCst);
            Ok(edition("new", version))
        };
        assert!(editions.get(key, version, now, build).await.is_ok());
        built.load(Ordering::SeqCst) > 0
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn many_ask_and_one_builds() {
        let (editions, asked) = (editions(), Arc::new(AtomicUsize::new(0)));
        let built = Arc::new(AtomicUsize::new(0));
        let readers: Vec<_> = (0..200)
            .map(|_| {
                let (editions, asked) = (Arc::clone(&editions), Arc::clone(&asked));
                let (all, built) = (Arc::clone(&asked), Arc::clone(&built));
                tokio::spawn(async move {
                    asked.fetch_add(1, Ordering::SeqCst);
                    let build = move || {
                        while all.load(Ordering::SeqCst) < 200 {
                            std::thread::yield_now();
                        }
                        built.fetch_add(1, Ordering::SeqCst);
                        Ok(edition("a", 1))
                    };
                    editions.get(7, 1, NOW, build).await.map(|got| got.len())
                })
            })
            .collect();
        for reader in readers {
            assert_eq!(reader.await.unwrap().unwrap(), 1);
        }
        assert_eq!(built.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn an_edition_is_good_for_its_changes_and_its_time() {
        let editions = editions();
        assert!(builds(&editions, 7, 5, NOW).await);
        for (version, seconds, expected) in [
            (5, 1000, false),
            (5, 1009, false),
            // Who began to ask before the last change is served what is newer.
            (4, 1000, false),
            (6, 1000, true),
            (5, 1000, false),
            (6, 1010, true),
            // The clock was set back: it is not yet so.
            (6, 999, true),
        ] {
            let now = UnixTime::from_seconds(seconds);
            assert_eq!(
                builds(&editions, 7, version, now).await,
                expected,
                "{version} at {seconds}"
            );
        }
        assert!(builds(&editions, 8, 5, NOW).await, "another key");
    }

    #[tokio::test]
    async fn what_nobody_asks_for_makes_room() {
        let editions = editions();
        for key in 0..1000 {
            builds(&editions, key, 1, NOW).await;
            builds(&editions, 0, 1, NOW).await;
            assert!(editions.shelf().places.len() <= 4 && editions.shelf().bytes <= 4 * LEAST);
        }
        assert!(!builds(&editions, 0, 1, NOW).await);
        assert!(!builds(&editions, 999, 1, NOW).await);
        assert!(builds(&editions, 1, 1, NOW).await);

        // More than all the room there is: it is answered, and not kept.
        let long = "a".repeat(5 * LEAST);
        let build = move || Ok(edition(&long, 1));
        assert!(editions.get(2000, 1, NOW, build).await.is_ok());
        assert!(editions.shelf().bytes <= 4 * LEAST);
        assert!(builds(&editions, 2000, 1, NOW).await);
    }

    #[tokio::test]
    async fn what_cannot_be_built_leaves_nothing() {
        let editions = editions();
        for key in 0..10 {
            let answer = editions.get(key, 1, NOW, || Err(Refusal::NotFound)).await;
            assert!(matches!(answer, Err(Refusal::NotFound)));
        }
        assert!(editions.shelf().places.is_empty());
        assert!(builds(&editions, 0, 1, NOW).await);
        assert!(!builds(&editions, 0, 1, NOW).await);
        // What was good once is not given out where the next cannot be had.
        let answer = editions.get(0, 2, NOW, || Err(Refusal::NotFound)).await;
        assert!(answer.is_err());
        assert!(editions.shelf().places.is_empty() && editions.shelf().bytes == 0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_client_that_leaves_has_begun_the_work_for_the_others() {
        let editions = editions();
        let ((begun, has_begun), (go, may_go)) = (mpsc::channel(), mpsc::channel());
        let build = move || {
            begun.send(()).unwrap();
            may_go.recv().unwrap();
            Ok(edition("a", 1))
        };
        let first = Arc::clone(&editions);
        let first = tokio::spawn(async move { first.get(7, 1, NOW, build).await });
        has_begun.recv().unwrap();
        // Other documents do not wait for this one.
        assert!(builds(&editions, 8, 1, NOW).await);
        first.abort();
        assert!(first.await.is_err());
        go.send(()).unwrap();
        assert!(!builds(&editions, 7, 1, NOW).await);
    }
}
