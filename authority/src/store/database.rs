//! The database: its files, its schema, its transactions, and what has changed in it.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{
    Connection, OpenFlags, OptionalExtension, Params, Transaction, TransactionBehavior,
};

/// Step N brings a database from `user_version` N to N + 1. Released steps never change.
const MIGRATIONS: [&str; 3] = [
    include_str!("1.sql"),
    include_str!("2.sql"),
    include_str!("3.sql"),
];

/// How long what has expired is kept: longer than any verifier's clock tolerance (at most 10 min).
pub const RETENTION: Duration = Duration::from_secs(60 * 60);

/// How much of what has expired one write removes: more than it adds, so that it all goes in time.
pub const CLEANED_PER_WRITE: u64 = 100;

pub struct Database {
    writer: Mutex<Connection>,
    /// So that no reader waits for a write to reach the disk. State in memory has one connection.
    reader: Option<Mutex<Connection>>,
    /// The name of this database.
    epoch: String,
    changes: Changes,
    /// Held as long as the database is open.
    _lock: Option<File>,
}

/// What is published of the state, each part for itself.
#[derive(Clone, Copy)]
pub enum Dataset {
    ApiKeys,
    Revocations,
    Statuses,
}

/// How often each part may have changed since the process began.
#[derive(Default)]
struct Changes {
    api_keys: AtomicU64,
    revocations: AtomicU64,
    statuses: AtomicU64,
}

#[derive(Debug)]
pub enum Error {
    /// Another process has the database. Both would rotate keys that the other does not know of.
    InUse(PathBuf),
    Io(PathBuf, io::Error),
    Json(serde_json::Error),
    /// The write-ahead log could not be emptied: another process reads the database.
    LogInUse,
    /// Written by a later version of this program.
    Newer(u32),
    /// This SQLite does not overwrite what it deletes.
    NoSecureDelete,
    Sqlite(rusqlite::Error),
}

// === impl Database ===

impl Database {
    /// Without a path the state lives in memory and ends with the process.
    pub fn open(path: Option<&Path>) -> Result<Self, Error> {
        let Some(path) = path else {
            return Self::new(Connection::open_in_memory()?, None, None);
        };
        let lock = lock(path)?;
        // SQLite gives its other files the mode of the database, which holds private keys.
        private_file(path)?;

        let writer = Connection::open(path)?;
        writer.pragma_update(None, "journal_mode", "WAL")?;
        // In WAL mode only FULL syncs on every commit: what is answered is on the disk.
        writer.pragma_update(None, "synchronous", "FULL")?;
        let reader = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        Self::new(writer, Some(reader), Some(lock))
    }

    fn new(
        mut writer: Connection,
        reader: Option<Connection>,
        lock: Option<File>,
    ) -> Result<Self, Error> {
        // A private key that was dropped is to be gone, not a free page of the file.
        let secure: bool =
            writer.pragma_update_and_check(None, "secure_delete", true, |row| row.get(0))?;
        if !secure {
            return Err(Error::NoSecureDelete);
        }
        migrate(&mut writer)?;
        let epoch = writer.query_row("SELECT name FROM epoch", [], |row| row.get(0))?;
        Ok(Self {
            writer: Mutex::new(writer),
            reader: reader.map(Mutex::new),
            epoch,
            changes: Changes::default(),
            _lock: lock,
        })
    }

    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    /// What is read of the part after this call holds every change that this number counts, and perhaps more.
    pub fn version(&self, dataset: Dataset) -> u64 {
        self.changes.counter(dataset).load(Ordering::Acquire)
    }

    /// To be called once a change can be read and before anybody is told that it was made.
    pub fn note_change(&self, dataset: Dataset) {
        self.changes
            .counter(dataset)
            .fetch_add(1, Ordering::Release);
    }

    /// Whether the database answers at all.
    pub fn ping(&self) -> Result<(), Error> {
        self.read(|tx| Ok(tx.query_row("SELECT 1", [], |_| Ok(()))?))
    }

    /// The write-ahead log holds pages as they once were until it is written over. This empties its file.
    pub fn empty_log(&self) -> Result<(), Error> {
        let connection = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
        match connection.query_row(checkpoint, [], |row| row.get(0))? {
            true => Err(Error::LogInUse),
            false => Ok(()),
        }
    }

    pub fn read<T>(
        &self,
        job: impl FnOnce(&Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let reader = self.reader.as_ref().unwrap_or(&self.writer);
        let mut connection = reader.lock().unwrap_or_else(PoisonError::into_inner);
        job(&connection.transaction()?)
    }

    pub fn write<T, E: From<Error>>(
        &self,
        job: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        // A job that panicked has left no half transaction behind: dropping it rolled it back.
        let mut connection = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(Error::from)?;
        let answer = job(&transaction)?;
        transaction.commit().map_err(Error::from)?;
        Ok(answer)
    }
}

pub fn execute(tx: &Transaction<'_>, sql: &str, params: impl Params) -> Result<usize, Error> {
    Ok(tx.prepare_cached(sql)?.execute(params)?)
}

/// The highest id that the table ever gave out: AUTOINCREMENT remembers it beyond the row's own life.
pub fn last_id(tx: &Transaction<'_>, table: &str) -> Result<u64, Error> {
    let mut query = tx.prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = ?1")?;
    let last = query.query_row([table], |row| row.get(0)).optional()?;
    Ok(last.unwrap_or(0))
}

/// An advisory lock beside the database: the kernel drops it with the process, however that ends.
fn lock(database: &Path) -> Result<File, Error> {
    let mut path = database.as_os_str().to_owned();
    path.push(".lock");
    let path = PathBuf::from(path);
    let file = private_file(&path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::InUse(database.to_owned())),
        Err(TryLockError::Error(error)) => Err(Error::Io(path, error)),
    }
}

fn private_file(path: &Path) -> Result<File, Error> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path);
    file.map_err(|error| Error::Io(path.to_owned(), error))
}

fn migrate(connection: &mut Connection) -> Result<(), Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: u32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let applied = usize::try_from(version).unwrap_or(usize::MAX);
    let pending = MIGRATIONS.get(applied..).ok_or(Error::Newer(version))?;
    for (version, step) in (version.saturating_add(1)..).zip(pending) {
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", version)?;
    }
    transaction.commit()?;
    Ok(())
}

// === impl Changes ===

impl Changes {
    fn counter(&self, dataset: Dataset) -> &AtomicU64 {
        match dataset {
            Dataset::ApiKeys => &self.api_keys,
            Dataset::Revocations => &self.revocations,
            Dataset::Statuses => &self.statuses,
        }
    }
}

// === impl Error ===

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse(path) => write!(f, "{}: in use by another process", path.display()),
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Json(error) => write!(f, "a column holds no JSON: {error}"),
            Self::LogInUse => f.write_str("the write-ahead log is in use by another process"),
            Self::NoSecureDelete => f.write_str("this SQLite does not overwrite what it deletes"),
            Self::Newer(version) => write!(f, "written by a later version (schema {version})"),
            Self::Sqlite(error) => write!(f, "{error}"),
        }
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixTime;
    use crate::revocation::Revocation;
    use crate::store::revocations;

    #[test]
    fn every_earlier_schema_is_brought_up_to_date() -> Result<(), Error> {
        for version in 0..=MIGRATIONS.len() {
            let mut connection = Connection::open_in_memory()?;
            for step in &MIGRATIONS[..version] {
                connection.execute_batch(step)?;
            }
            connection.pragma_update(None, "user_version", version)?;
            migrate(&mut connection)?;
            migrate(&mut connection)?;
            let tables: u32 = connection.query_row(
                "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
                [],
                |row| row.get(0),
            )?;
            assert_eq!(tables, 6, "from version {version}");
        }
        Ok(())
    }

    /// On a database of the test's own.
    fn on_disk(name: &str, test: impl FnOnce(&Database) -> Result<(), Error>) -> Result<(), Error> {
        let name = format!("authority-{}-{name}.db", std::process::id());
        let path = std::env::temp_dir().join(name);
        let database = Database::open(Some(&path))?;
        let result = test(&database);
        drop(database);
        for suffix in ["", ".lock"] {
            let file =
                path.with_file_name(format!("{}{suffix}", path.file_name().unwrap().display()));
            std::fs::remove_file(file).unwrap();
        }
        result
    }

    fn pragma<T: rusqlite::types::FromSql>(database: &Database, name: &str) -> Result<T, Error> {
        database.write(|tx| Ok(tx.pragma_query_value(None, name, |row| row.get(0))?))
    }

    /// No test can cut the power, but what keeps the state then can be asked for.
    #[test]
    fn every_commit_is_synced() -> Result<(), Error> {
        const FULL: u8 = 2;
        on_disk("synced", |database| {
            assert_eq!(pragma::<String>(database, "journal_mode")?, "wal");
            assert_eq!(pragma::<u8>(database, "synchronous")?, FULL);
            Ok(())
        })
    }

    #[test]
    fn what_is_deleted_is_overwritten() -> Result<(), Error> {
        const ON: u8 = 1;
        on_disk("overwritten", |database| {
            assert_eq!(pragma::<u8>(database, "secure_delete")?, ON);
            Ok(())
        })?;
        assert_eq!(pragma::<u8>(&Database::open(None)?, "secure_delete")?, ON);
        Ok(())
    }

    #[test]
    fn whoever_reads_keeps_nobody_from_writing() -> Result<(), Error> {
        on_disk("reading", |database| {
            let now = UnixTime::from_seconds(1000);
            let (jti, exp) = ("a".to_owned(), now);
            let revocation = Revocation::Token { jti, exp };
            let count = |tx: &Transaction<'_>| -> Result<u64, Error> {
                Ok(tx.query_row("SELECT count(*) FROM epoch", [], |row| row.get(0))?)
            };
            let before = database.version(Dataset::Revocations);
            database.read(|tx| {
                count(tx)?;
                revocations::add(database, std::slice::from_ref(&revocation), now)?;
                count(tx)
            })?;
            assert!(database.version(Dataset::Revocations) > before);
            Ok(())
        })
    }

    #[test]
    fn a_later_schema_is_left_alone() -> Result<(), Error> {
        let mut connection = Connection::open_in_memory()?;
        connection.pragma_update(None, "user_version", MIGRATIONS.len() + 1)?;
        assert!(matches!(migrate(&mut connection), Err(Error::Newer(_))));
        Ok(())
    }
}
