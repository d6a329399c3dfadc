//! A cache of the documents that resource servers poll.
//!
//! Many readers ask for few documents, which seldom change. The first reader after a change builds the document on a
//! blocking thread, and the others wait for it. A document that is already there costs no thread and no database query.

use std::collections::HashMap;
use std::hash::Hash;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Mutex as AsyncMutex;

use crate::blocking;
use crate::clock::UnixTime;
use crate::refusal::Refusal;
use crate::response::Document;

/// Every document counts as at least this many bytes, so that the limit in bytes also bounds their number.
const MIN_CHARGE: usize = 16 * 1024;

/// The current documents by key, up to a limit in bytes. The least recently used go first.
pub struct DocumentCache<K> {
    limit: usize,
    entries: Mutex<Entries<K>>,
}

/// A document, and how long it may be served.
pub struct CachedDocument {
    /// The response.
    pub document: Document,
    /// The version of the data, read before the document was built from it.
    pub version: u64,
    /// When the document may be served.
    pub fresh: Range<UnixTime>,
}

struct Entries<K> {
    by_key: HashMap<K, Entry>,
    bytes: usize,
    /// Counts requests; orders the entries by their last use.
    clock: u64,
}

struct Entry {
    slot: Slot,
    /// 0 while the document is built for the first time.
    bytes: usize,
    last_used: u64,
}

/// Locked while its document is built.
type Slot = Arc<AsyncMutex<Option<CachedDocument>>>;

// === impl DocumentCache ===

impl<K: Copy + Eq + Hash + Send + 'static> DocumentCache<K> {
    /// An empty cache that holds up to `limit` bytes.
    pub fn new(limit: usize) -> Self {
        let entries = Entries {
            by_key: HashMap::new(),
            bytes: 0,
            clock: 0,
        };
        Self {
            limit,
            entries: Mutex::new(entries),
        }
    }

    /// The document of `key` with all changes up to `version`: from the cache, or else from `build`.
    pub async fn get(
        self: &Arc<Self>,
        key: K,
        version: u64,
        now: UnixTime,
        build: impl FnOnce() -> Result<CachedDocument, Refusal> + Send + 'static,
    ) -> Result<Document, Refusal> {
        let slot = self.entries().slot(key);
        let mut cached = Arc::clone(&slot).lock_owned().await;
        if let Some(cached) = cached.as_ref().filter(|it| it.is_current(version, now)) {
            return Ok(cached.document.clone());
        }
        // The job holds the lock and stores what it built, even if the client that started it has left by then.
        let cache = Arc::clone(self);
        blocking::run(move || {
            *cached = None;
            let built = build();
            let bytes = built.as_ref().map(|built| built.document.len()).ok();
            cache.entries().charge(key, &slot, bytes, cache.limit);
            let built = built?;
            let document = built.document.clone();
            *cached = Some(built);
            Ok(document)
        })
        .await
    }

    fn entries(&self) -> MutexGuard<'_, Entries<K>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl CachedDocument ===

impl CachedDocument {
    /// A newer version than the one asked for includes all of its changes.
    fn is_current(&self, version: u64, now: UnixTime) -> bool {
        self.version >= version && self.fresh.contains(&now)
    }
}

// === impl Entries ===

impl<K: Copy + Eq + Hash> Entries<K> {
    fn slot(&mut self, key: K) -> Slot {
        self.clock = self.clock.saturating_add(1);
        let entry = self.by_key.entry(key).or_insert_with(|| Entry {
            slot: Slot::default(),
            bytes: 0,
            last_used: 0,
        });
        entry.last_used = self.clock;
        Arc::clone(&entry.slot)
    }

    /// Records the size of what the slot now holds, and evicts down to `limit`. `None`: the build failed, so the entry goes.
    fn charge(&mut self, key: K, slot: &Slot, bytes: Option<usize>, limit: usize) {
        // The entry may have been evicted, and even replaced, while its document was built.
        let Some(entry) = self.by_key.get_mut(&key) else {
            return;
        };
        if !Arc::ptr_eq(&entry.slot, slot) {
            return;
        }
        self.bytes = self.bytes.saturating_sub(entry.bytes);
        entry.bytes = bytes.map_or(0, |bytes| bytes.max(MIN_CHARGE));
        self.bytes = self.bytes.saturating_add(entry.bytes);
        if bytes.is_none() {
            self.by_key.remove(&key);
        }
        while self.bytes > limit {
            let built = self.by_key.iter().filter(|(_, entry)| entry.bytes > 0);
            let oldest = built.min_by_key(|(_, entry)| entry.last_used);
            let Some(oldest) = oldest.map(|(key, _)| *key) else {
                break;
            };
            if let Some(entry) = self.by_key.remove(&oldest) {
                self.bytes = self.bytes.saturating_sub(entry.bytes);
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

    fn document(text: &str, version: u64) -> CachedDocument {
        CachedDocument {
            document: Document::new("text/plain", text.to_owned()),
            version,
            fresh: NOW..UnixTime::from_seconds(1010),
        }
    }

    fn cache() -> Arc<DocumentCache<u32>> {
        Arc::new(DocumentCache::new(4 * MIN_CHARGE))
    }

    /// Whether the request called `build`.
    async fn builds(
        cache: &Arc<DocumentCache<u32>>,
        key: u32,
        version: u64,
        now: UnixTime,
    ) -> bool {
        let built = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&built);
        let build = move || {
            count.fetch_add(1, Ordering::SeqCst);
            Ok(document("new", version))
        };
        assert!(cache.get(key, version, now, build).await.is_ok());
        built.load(Ordering::SeqCst) > 0
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn concurrent_readers_share_one_build() {
        let (cache, asked) = (cache(), Arc::new(AtomicUsize::new(0)));
        let built = Arc::new(AtomicUsize::new(0));
        let readers: Vec<_> = (0..200)
            .map(|_| {
                let (cache, asked) = (Arc::clone(&cache), Arc::clone(&asked));
                let (all, built) = (Arc::clone(&asked), Arc::clone(&built));
                tokio::spawn(async move {
                    asked.fetch_add(1, Ordering::SeqCst);
                    let build = move || {
                        while all.load(Ordering::SeqCst) < 200 {
                            std::thread::yield_now();
                        }
                        built.fetch_add(1, Ordering::SeqCst);
                        Ok(document("a", 1))
                    };
                    cache.get(7, 1, NOW, build).await.map(|got| got.len())
                })
            })
            .collect();
        for reader in readers {
            assert_eq!(reader.await.unwrap().unwrap(), 1);
        }
        assert_eq!(built.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_document_is_current_for_its_version_and_its_time() {
        let cache = cache();
        assert!(builds(&cache, 7, 5, NOW).await);
        for (version, seconds, expected) in [
            (5, 1000, false),
            (5, 1009, false),
            // A reader that began before the last change gets the newer document.
            (4, 1000, false),
            (6, 1000, true),
            (5, 1000, false),
            (6, 1010, true),
            // The clock was set back to before the document was built.
            (6, 999, true),
        ] {
            let now = UnixTime::from_seconds(seconds);
            assert_eq!(
                builds(&cache, 7, version, now).await,
                expected,
                "{version} at {seconds}"
            );
        }
        assert!(builds(&cache, 8, 5, NOW).await, "another key");
    }

    #[tokio::test]
    async fn the_least_recently_used_is_evicted() {
        let cache = cache();
        for key in 0..1000 {
            builds(&cache, key, 1, NOW).await;
            builds(&cache, 0, 1, NOW).await;
            assert!(cache.entries().by_key.len() <= 4 && cache.entries().bytes <= 4 * MIN_CHARGE);
        }
        assert!(!builds(&cache, 0, 1, NOW).await);
        assert!(!builds(&cache, 999, 1, NOW).await);
        assert!(builds(&cache, 1, 1, NOW).await);

        // A document over the limit is served but not kept.
        let long = "a".repeat(5 * MIN_CHARGE);
        let build = move || Ok(document(&long, 1));
        assert!(cache.get(2000, 1, NOW, build).await.is_ok());
        assert!(cache.entries().bytes <= 4 * MIN_CHARGE);
        assert!(builds(&cache, 2000, 1, NOW).await);
    }

    #[tokio::test]
    async fn a_failed_build_leaves_no_entry() {
        let cache = cache();
        for key in 0..10 {
            let answer = cache.get(key, 1, NOW, || Err(Refusal::NotFound)).await;
            assert!(matches!(answer, Err(Refusal::NotFound)));
        }
        assert!(cache.entries().by_key.is_empty());
        assert!(builds(&cache, 0, 1, NOW).await);
        assert!(!builds(&cache, 0, 1, NOW).await);
        // After a failed rebuild the old document is not served.
        let answer = cache.get(0, 2, NOW, || Err(Refusal::NotFound)).await;
        assert!(answer.is_err());
        assert!(cache.entries().by_key.is_empty() && cache.entries().bytes == 0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_build_finishes_when_its_client_leaves() {
        let cache = cache();
        let ((begun, has_begun), (go, may_go)) = (mpsc::channel(), mpsc::channel());
        let build = move || {
            begun.send(()).unwrap();
            may_go.recv().unwrap();
            Ok(document("a", 1))
        };
        let first = Arc::clone(&cache);
        let first = tokio::spawn(async move { first.get(7, 1, NOW, build).await });
        has_begun.recv().unwrap();
        // Other documents do not wait for this build.
        assert!(builds(&cache, 8, 1, NOW).await);
        first.abort();
        assert!(first.await.is_err());
        go.send(()).unwrap();
        assert!(!builds(&cache, 7, 1, NOW).await);
    }
}
