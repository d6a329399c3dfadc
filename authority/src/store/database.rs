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
const MIGRATIONS: [&str; 5] = [
    include_str!("1.sql"),
    include_str!("2.sql"),
    include_str!("3.sql"),
    include_str!("4.sql"),
    include_str!("5.sql"),
];

/// How long expired tokens and their revocations are kept: longer than any verifier's clock tolerance (at most 10 min).
pub const RETENTION: Duration = Duration::from_secs(60 * 60);

/// How many expired rows one write deletes: more than it adds, so that all are deleted in time.
pub const CLEANED_PER_WRITE: u64 = 100;

/// An open database.
pub struct Database {
    writer: Mutex<Connection>,
    /// A second connection, so that no reader waits for a write to reach the disk. State in memory has only one.
    reader: Option<Mutex<Connection>>,
    /// A random name for this database. Cursors are valid only with their own epoch.
    epoch: String,
    changes: Changes,
    /// Locked as long as the database is open.
    _lock: Option<File>,
}

/// A part of the state that is published and cached by itself.
#[derive(Clone, Copy)]
pub enum Dataset {
    /// The API keys and their revocation list.
    ApiKeys,
    /// The revocation list of tokens.
    Revocations,
    /// The status lists.
    Statuses,
}

/// How often each dataset may have changed since the process started.
#[derive(Default)]
struct Changes {
    api_keys: AtomicU64,
    revocations: AtomicU64,
    statuses: AtomicU64,
}

/// Why the database cannot be opened or used.
#[derive(Debug)]
pub enum Error {
    /// Another process has the database. Each would rotate keys that the other does not know.
    InUse(PathBuf),
    /// A file cannot be opened.
    Io(PathBuf, io::Error),
    /// A column has no valid JSON.
    Json(serde_json::Error),
    /// The write-ahead log could not be emptied: another process reads the database.
    LogInUse,
    /// A later version of this program wrote the database.
    Newer(u32),
    /// This SQLite does not overwrite what it deletes.
    NoSecureDelete,
    /// Anything else.
    Sqlite(rusqlite::Error),
}

// === impl Database ===

impl Database {
    /// Opens or creates the database. Without a path the state lives in memory and ends with the process.
    pub fn open(path: Option<&Path>) -> Result<Self, Error> {
        let Some(path) = path else {
            return Self::new(Connection::open_in_memory()?, None, None);
        };
        let lock = lock(path)?;
        // The database has private keys in it. SQLite gives its other files the same mode.
        private_file(path)?;

        let writer = Connection::open(path)?;
        writer.pragma_update(None, "journal_mode", "WAL")?;
        // In WAL mode only FULL syncs on every commit.
        writer.pragma_update(None, "synchronous", "FULL")?;
        let reader = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        Self::new(writer, Some(reader), Some(lock))
    }

    fn new(
        mut writer: Connection,
        reader: Option<Connection>,
        lock: Option<File>,
    ) -> Result<Self, Error> {
        // A deleted private key must not remain in a free page of the file.
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

    /// The name of this database.
    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    /// The version of a dataset. Data read after this call include every change up to this version, and perhaps later ones.
    pub fn version(&self, dataset: Dataset) -> u64 {
        self.changes.counter(dataset).load(Ordering::Acquire)
    }

    /// Counts a change. To be called after the commit, and before anybody is told of the change.
    pub fn note_change(&self, dataset: Dataset) {
        self.changes
            .counter(dataset)
            .fetch_add(1, Ordering::Release);
    }

    /// Checks that the database answers.
    pub fn ping(&self) -> Result<(), Error> {
        self.read(|tx| Ok(tx.query_row("SELECT 1", [], |_| Ok(()))?))
    }

    /// Empties the write-ahead log, which keeps old contents of pages until it is overwritten.
    pub fn empty_log(&self) -> Result<(), Error> {
        let connection = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
        match connection.query_row(checkpoint, [], |row| row.get(0))? {
            true => Err(Error::LogInUse),
            false => Ok(()),
        }
    }

    /// Runs a job on one snapshot of the state.
    pub fn read<T>(
        &self,
        job: impl FnOnce(&Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let reader = self.reader.as_ref().unwrap_or(&self.writer);
        let mut connection = reader.lock().unwrap_or_else(PoisonError::into_inner);
        job(&connection.transaction()?)
    }

    /// Runs a job in a transaction: committed if the job succeeds, else rolled back.
    pub fn write<T, E: From<Error>>(
        &self,
        job: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        // The lock may be poisoned by a panic, but dropping the transaction rolled it back.
        let mut connection = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(Error::from)?;
        let answer = job(&transaction)?;
        transaction.commit().map_err(Error::from)?;
        Ok(answer)
    }
}

/// Runs a statement; returns the number of changed rows.
pub fn execute(tx: &Transaction<'_>, sql: &str, params: impl Params) -> Result<usize, Error> {
    Ok(tx.prepare_cached(sql)?.execute(params)?)
}

/// The highest id that the table ever used, even if its row is deleted: AUTOINCREMENT remembers it.
pub fn last_id(tx: &Transaction<'_>, table: &str) -> Result<u64, Error> {
    let mut query = tx.prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = ?1")?;
    let last = query.query_row([table], |row| row.get(0)).optional()?;
    Ok(last.unwrap_or(0))
}

/// An advisory lock beside the database. The kernel releases it when the process ends, in whatever way.
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
            Self::Json(error) => write!(f, "invalid JSON in a column: {error}"),
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
            assert_eq!(tables, 10, "from version {version}");
        }
        Ok(())
    }

    /// Runs a test on a database file of its own.
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

    /// No test can cut the power, but it can check the setting that protects against it.
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
    fn deleted_data_are_overwritten() -> Result<(), Error> {
        const ON: u8 = 1;
        on_disk("overwritten", |database| {
            assert_eq!(pragma::<u8>(database, "secure_delete")?, ON);
            Ok(())
        })?;
        assert_eq!(pragma::<u8>(&Database::open(None)?, "secure_delete")?, ON);
        Ok(())
    }

    #[test]
    fn a_reader_blocks_no_writer() -> Result<(), Error> {
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
