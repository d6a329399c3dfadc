//! The private keys that tokens and status lists are signed with.

use rusqlite::params;

use crate::algorithm::Algorithm;
use crate::clock::UnixTime;
use crate::store::database::{Database, Error, execute};

/// A signing key. No `Debug`: it holds a private key.
pub struct SigningKeyRow {
    /// The key's identifier.
    pub kid: String,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// PKCS#1 for RSA, else PKCS#8.
    pub private: Vec<u8>,
    /// When a retired key is no longer published. `None`: the key is active.
    pub published_until: Option<UnixTime>,
}

/// The keys that are published at `now`, the oldest first.
pub fn published(database: &Database, now: UnixTime) -> Result<Vec<SigningKeyRow>, Error> {
    database.read(|tx| {
        let mut query = tx.prepare_cached(
            "SELECT algorithm, kid, private_key, published_until FROM signing_keys
             WHERE published_until IS NULL OR published_until > ?1 ORDER BY created_at, kid",
        )?;
        let mut rows = query.query([now])?;
        let mut keys = Vec::new();
        while let Some(row) = rows.next()? {
            // A later version of this program may know more algorithms; this one skips their keys.
            let Some(algorithm) = Algorithm::named(&row.get::<_, String>(0)?) else {
                continue;
            };
            keys.push(SigningKeyRow {
                kid: row.get(1)?,
                algorithm,
                private: row.get(2)?,
                published_until: row.get(3)?,
            });
        }
        Ok(keys)
    })
}

/// Makes `fresh` the active keys. The old ones stay published until `until`, or are deleted.
pub fn replace(
    database: &Database,
    fresh: &[SigningKeyRow],
    until: Option<UnixTime>,
    now: UnixTime,
) -> Result<(), Error> {
    database.write(|tx| {
        match until {
            Some(until) => execute(
                tx,
                "UPDATE signing_keys SET published_until = ?1 WHERE published_until IS NULL",
                [until],
            )?,
            None => execute(tx, "DELETE FROM signing_keys", [])?,
        };
        execute(
            tx,
            "DELETE FROM signing_keys WHERE published_until <= ?1",
            [now],
        )?;
        for key in fresh {
            execute(
                tx,
                "INSERT INTO signing_keys (kid, algorithm, private_key, created_at)
                 VALUES (?1, ?2, ?3, ?4)",
                params![key.kid, key.algorithm.name(), key.private, now],
            )?;
        }
        Ok(())
    })
}
