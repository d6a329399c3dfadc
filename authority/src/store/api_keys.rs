//! API keys, by their hashes.

use rusqlite::{Row, Transaction, params};
use serde::Serialize;

use crate::clock::{Rfc3339, UnixTime};
use crate::store::database::{Database, Dataset, Error, execute};

/// The list of API keys, in the format that the filter reads.
#[derive(Serialize)]
pub struct ApiKeys {
    keys: Vec<ApiKey>,
}

/// An API key. The key itself is known to its owner alone.
#[derive(Serialize)]
pub struct ApiKey {
    /// Names the key to operators and in the revocation list.
    pub id: String,
    /// The client that the key identifies.
    pub client: String,
    /// `sha256:<hex>` of the key.
    pub hash: String,
    /// What the client may do with it.
    pub scopes: Vec<String>,
    /// The client's tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// When it becomes valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Rfc3339>,
    /// When it expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Rfc3339>,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// All keys, the oldest first.
pub fn all(database: &Database) -> Result<ApiKeys, Error> {
    database.read(|tx| {
        let mut query = tx.prepare_cached("SELECT * FROM api_keys ORDER BY created_at, id")?;
        let mut rows = query.query([])?;
        let mut keys = Vec::new();
        while let Some(row) = rows.next()? {
            keys.push(api_key(row)?);
        }
        Ok(ApiKeys { keys })
    })
}

/// Adds a key.
pub fn add(database: &Database, key: &ApiKey, now: UnixTime) -> Result<(), Error> {
    let done = database.write(|tx| insert(tx, key, now));
    database.note_change(Dataset::ApiKeys);
    done
}

/// Adds the key that `successor` makes of the old one, and lets the old one expire at `until` if not earlier.
///
/// Both happen in one transaction, so there is no moment without a valid key. `None`: no such key.
pub fn replace<E: From<Error>>(
    database: &Database,
    id: &str,
    until: UnixTime,
    now: UnixTime,
    successor: impl FnOnce(ApiKey) -> Result<ApiKey, E>,
) -> Result<Option<ApiKey>, E> {
    let done = database.write(|tx| {
        let Some(old) = find(tx, id)? else {
            return Ok(None);
        };
        let new = successor(old)?;
        execute(
            tx,
            "UPDATE api_keys SET expires_at = min(ifnull(expires_at, ?2), ?2) WHERE id = ?1",
            params![id, until],
        )?;
        insert(tx, &new, now)?;
        Ok(Some(new))
    });
    database.note_change(Dataset::ApiKeys);
    done
}

/// Revokes a key, on both lists. `false`: no such key.
pub fn revoke(database: &Database, id: &str) -> Result<bool, Error> {
    let done = database.write(|tx| {
        if execute(tx, "UPDATE api_keys SET revoked = 1 WHERE id = ?1", [id])? == 0 {
            return Ok(false);
        }
        execute(
            tx,
            "INSERT INTO api_key_revocations (key_id) VALUES (?1) ON CONFLICT DO NOTHING",
            [id],
        )?;
        Ok(true)
    });
    database.note_change(Dataset::ApiKeys);
    done
}

fn find(tx: &Transaction<'_>, id: &str) -> Result<Option<ApiKey>, Error> {
    let mut query = tx.prepare_cached("SELECT * FROM api_keys WHERE id = ?1")?;
    let mut rows = query.query([id])?;
    rows.next()?.map(api_key).transpose()
}

fn insert(tx: &Transaction<'_>, key: &ApiKey, now: UnixTime) -> Result<(), Error> {
    let ApiKey {
        id,
        client,
        hash,
        scopes,
        tenant,
        not_before,
        expires_at,
        revoked,
    } = key;
    let seconds = |time: &Option<Rfc3339>| time.map(|Rfc3339(time)| time);
    execute(
        tx,
        "INSERT INTO api_keys
             (id, client, hash, scopes, tenant, created_at, not_before, expires_at, revoked)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            id,
            client,
            hash,
            serde_json::to_string(scopes).map_err(Error::Json)?,
            tenant,
            now,
            seconds(not_before),
            seconds(expires_at),
            revoked,
        ],
    )?;
    Ok(())
}

fn api_key(row: &Row<'_>) -> Result<ApiKey, Error> {
    let scopes: String = row.get("scopes")?;
    Ok(ApiKey {
        id: row.get("id")?,
        client: row.get("client")?,
        hash: row.get("hash")?,
        scopes: serde_json::from_str(&scopes).map_err(Error::Json)?,
        tenant: row.get("tenant")?,
        not_before: row.get::<_, Option<_>>("not_before")?.map(Rfc3339),
        expires_at: row.get::<_, Option<_>>("expires_at")?.map(Rfc3339),
        revoked: row.get("revoked")?,
    })
}
