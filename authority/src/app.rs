//! What the endpoints share: settings, keys, the database, and documents cached from it.

use std::fmt;
use std::sync::Arc;

use crate::blocking;
use crate::cache::connection::{self, Cache};
use crate::cache::ledger::CacheLedger;
use crate::clock::UnixTime;
use crate::config::Settings;
use crate::document_cache::DocumentCache;
use crate::fault_injection::Faults;
use crate::keys::{self, KeyRing, Keys};
use crate::ledger::Ledger;
use crate::refusal::Refusal;
use crate::revocation::Since;
use crate::status_list::ListNumber;
use crate::store::database::{self, Database};
use crate::store::ledger::DatabaseLedger;
use crate::store::revocations::RevocationList;

/// Bytes of cached list pages: lists of the usual size fit entirely, of the largest some pages.
const MAX_LISTS: usize = 32 * 1024 * 1024;

/// Bytes of cached status lists: enough for about a hundred million tokens, or fewer if many are revoked.
const MAX_STATUSES: usize = 16 * 1024 * 1024;

/// The state of the server.
pub struct App {
    /// The compiled configuration.
    pub settings: Settings,
    /// The faults that are on.
    pub faults: Arc<Faults>,
    /// The signing keys.
    pub keys: KeyRing,
    /// The lists that need a credential.
    pub lists: Arc<DocumentCache<PolledList>>,
    /// The status lists.
    pub statuses: Arc<DocumentCache<ListNumber>>,
    /// The ledger of token budgets.
    pub ledger: Box<dyn Ledger>,
    /// State that other instances share. `None`: there are no other instances.
    pub cache: Option<Arc<Cache>>,
    /// All other durable state.
    pub database: Arc<Database>,
}

/// A list that resource servers poll.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum PolledList {
    /// All API keys.
    ApiKeys,
    /// A page of a revocation list.
    Revocations(RevocationList, Since),
}

/// Why the state cannot be opened.
#[derive(Debug)]
pub enum Error {
    /// The cache cannot be used.
    Cache(connection::Error),
    /// The database cannot be opened.
    Database(database::Error),
    /// Its signing keys cannot be loaded or made.
    Keys(keys::Error),
}

// === impl App ===

impl App {
    /// Opens the database. An empty one gets new signing keys.
    pub fn open(mut settings: Settings) -> Result<Self, Error> {
        if settings.database.is_none() {
            let ledger = settings.cache.as_ref().map_or(", the ledger", |_| "");
            eprintln!(
                "authority: no database: keys, tokens{ledger} and revocations end with this process"
            );
        }
        let database = Database::open(settings.database.as_deref()).map_err(Error::Database)?;
        let database = Arc::new(database);
        let cache = settings.cache.take().map(Cache::new).transpose();
        let cache = cache.map_err(Error::Cache)?.map(Arc::new);
        let ledger: Box<dyn Ledger> = match &cache {
            Some(cache) => Box::new(CacheLedger::new(Arc::clone(cache))),
            None => Box::new(DatabaseLedger::new(Arc::clone(&database))),
        };
        let keys = KeyRing::open(&database, UnixTime::now()).map_err(Error::Keys)?;
        Ok(Self {
            settings,
            faults: Arc::default(),
            keys,
            lists: Arc::new(DocumentCache::new(MAX_LISTS)),
            statuses: Arc::new(DocumentCache::new(MAX_STATUSES)),
            ledger,
            cache,
            database,
        })
    }

    /// The keys that sign: the published ones, unless a fault replaces them.
    pub fn signing_keys(&self) -> Arc<Keys> {
        self.faults.decoys().unwrap_or_else(|| self.keys.current())
    }

    /// Runs a job that may block, with this state.
    pub async fn blocking<T, F>(self: &Arc<Self>, job: F) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: FnOnce(&Self) -> Result<T, Refusal> + Send + 'static,
    {
        let app = Arc::clone(self);
        blocking::run(move || job(&app)).await
    }
}

// === impl Error ===

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cache(error) => write!(f, "cache: {error}"),
            Self::Database(error) => write!(f, "database: {error}"),
            Self::Keys(error) => write!(f, "signing keys: {error}"),
        }
    }
}
