//! What the endpoints share: settings, keys, the database and what is cached of it.

use std::fmt;
use std::sync::Arc;

use crate::blocking;
use crate::clock::UnixTime;
use crate::config::Settings;
use crate::document_cache::DocumentCache;
use crate::fault_injection::Faults;
use crate::keys::{self, KeyRing, Keys};
use crate::refusal::Refusal;
use crate::revocation::Since;
use crate::status_list::ListNumber;
use crate::store::database::{self, Database};
use crate::store::revocations::RevocationList;

/// What is kept of the lists that are polled: some pages of the largest, all of the usual ones.
const MAX_LISTS: usize = 32 * 1024 * 1024;

/// The status lists of some hundred million tokens, or of fewer where many are revoked.
const MAX_STATUSES: usize = 16 * 1024 * 1024;

pub struct App {
    pub settings: Settings,
    pub faults: Arc<Faults>,
    pub keys: KeyRing,
    pub lists: Arc<DocumentCache<PolledList>>,
    pub statuses: Arc<DocumentCache<ListNumber>>,
    pub database: Database,
}

/// What resource servers poll.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum PolledList {
    ApiKeys,
    Revocations(RevocationList, Since),
}

/// Why the state cannot be opened.
#[derive(Debug)]
pub enum Error {
    /// The database.
    Database(database::Error),
    /// The signing keys in it.
    Keys(keys::Error),
}

// === impl App ===

impl App {
    /// With the state of the database, or with new keys and no tokens where there is none yet.
    pub fn open(settings: Settings) -> Result<Self, Error> {
        if settings.database.is_none() {
            eprintln!("authority: no database: keys, tokens and revocations end with this process");
        }
        let database = Database::open(settings.database.as_deref()).map_err(Error::Database)?;
        let keys = KeyRing::open(&database, UnixTime::now()).map_err(Error::Keys)?;
        Ok(Self {
            settings,
            faults: Arc::default(),
            keys,
            lists: Arc::new(DocumentCache::new(MAX_LISTS)),
            statuses: Arc::new(DocumentCache::new(MAX_STATUSES)),
            database,
        })
    }

    /// Those of the ring, unless a fault says otherwise.
    pub fn signing_keys(&self) -> Arc<Keys> {
        self.faults.decoys().unwrap_or_else(|| self.keys.current())
    }

    /// With the state.
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
            Self::Database(error) => write!(f, "database: {error}"),
            Self::Keys(error) => write!(f, "signing keys: {error}"),
        }
    }
}
