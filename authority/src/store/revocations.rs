//! The revocation lists, of tokens and of API keys.

use rusqlite::{Row, Transaction, params};
use serde::Serialize;

use crate::clock::UnixTime;
use crate::revocation::{Holder, Revocation, Since};
use crate::store::database::{
    CLEANED_PER_WRITE, Database, Dataset, Error, RETENTION, execute, last_id,
};

/// Which list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RevocationList {
    /// Of API keys.
    ApiKeys,
    /// Of tokens.
    Tokens,
}

/// Consecutive entries of a list, from one snapshot.
pub struct RevocationSlice {
    /// The reader's cursor is not from this list, so the entries are those from its start.
    pub reset: bool,
    /// The position of the last entry of the list.
    pub end: u64,
    /// In the order of the list.
    pub entries: Vec<ListEntry>,
}

/// An entry of a list, and where it stands there.
#[derive(Serialize)]
#[serde(transparent)]
pub struct ListEntry {
    /// Its position: that of the cursor after it.
    #[serde(skip)]
    pub position: u64,
    revoked: Revoked,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Revoked {
    ApiKey { key_id: String },
    Tokens(Revocation),
}

/// Adds all entries or, if one fails, none.
pub fn add(database: &Database, revocations: &[Revocation], now: UnixTime) -> Result<(), Error> {
    let done = database.write(|tx| {
        execute(
            tx,
            "DELETE FROM revocations WHERE id IN
                 (SELECT id FROM revocations WHERE jti IS NOT NULL AND exp <= ?1 LIMIT ?2)",
            (now.saturating_sub(RETENTION), CLEANED_PER_WRITE),
        )?;
        revocations
            .iter()
            .try_for_each(|revocation| insert(tx, revocation))
    });
    database.note_change(Dataset::Revocations);
    database.note_change(Dataset::Statuses);
    done
}

/// Reads the first `limit` entries after `since`.
pub fn read(
    database: &Database,
    list: RevocationList,
    since: Since,
    limit: usize,
    now: UnixTime,
) -> Result<RevocationSlice, Error> {
    database.read(|tx| {
        let end = match list {
            RevocationList::ApiKeys => last_id(tx, "api_key_revocations")?,
            RevocationList::Tokens => last_id(tx, "revocations")?,
        };
        let (reset, after) = match since {
            Since::Start => (false, 0),
            Since::Position(position) if position <= end => (false, position),
            Since::Position(_) | Since::Elsewhere => (true, 0),
        };
        let entries = match list {
            RevocationList::ApiKeys => keys_after(tx, after, limit)?,
            RevocationList::Tokens => tokens_after(tx, after, limit, now)?,
        };
        Ok(RevocationSlice {
            reset,
            end,
            entries,
        })
    })
}

// === impl RevocationList ===

impl RevocationList {
    /// The dataset that changes with the list.
    pub fn dataset(self) -> Dataset {
        match self {
            Self::ApiKeys => Dataset::ApiKeys,
            Self::Tokens => Dataset::Revocations,
        }
    }
}

/// Adds an entry at the end of the list, where readers see it, and deletes the entry that it makes redundant.
fn insert(tx: &Transaction<'_>, revocation: &Revocation) -> Result<(), Error> {
    match revocation {
        Revocation::Token { jti, exp } => {
            execute(
                tx,
                "DELETE FROM revocations WHERE jti = ?1 AND exp < ?2",
                params![jti, exp],
            )?;
            execute(
                tx,
                "INSERT INTO revocations (jti, exp) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                params![jti, exp],
            )?;
            execute(tx, "UPDATE tokens SET revoked = 1 WHERE jti = ?1", [jti])?;
        }
        Revocation::Issued { to, before } => {
            let row = params![to.sub(), to.client_id(), before];
            execute(
                tx,
                "DELETE FROM revocations WHERE jti IS NULL AND ifnull(sub, '') = ifnull(?1, '')
                 AND ifnull(client_id, '') = ifnull(?2, '') AND before < ?3",
                row,
            )?;
            execute(
                tx,
                "INSERT INTO revocations (sub, client_id, before) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO NOTHING",
                row,
            )?;
            // Each of the three conditions can use an index.
            let tokens = match (to.sub(), to.client_id()) {
                (Some(_), Some(_)) => "sub = ?1 AND client_id = ?2",
                (Some(_), None) => "sub = ?1",
                (None, _) => "client_id = ?2",
            };
            let revoke = format!("UPDATE tokens SET revoked = 1 WHERE {tokens} AND iat <= ?3");
            execute(tx, &revoke, row)?;
        }
    }
    Ok(())
}

fn keys_after(tx: &Transaction<'_>, after: u64, limit: usize) -> Result<Vec<ListEntry>, Error> {
    let mut query = tx.prepare_cached(
        "SELECT id, key_id FROM api_key_revocations WHERE id > ?1 ORDER BY id LIMIT ?2",
    )?;
    let rows = query.query_map(params![after, limit], |row| {
        Ok(ListEntry {
            position: row.get(0)?,
            revoked: Revoked::ApiKey {
                key_id: row.get(1)?,
            },
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn tokens_after(
    tx: &Transaction<'_>,
    after: u64,
    limit: usize,
    now: UnixTime,
) -> Result<Vec<ListEntry>, Error> {
    let mut query = tx.prepare_cached(
        "SELECT id, jti, exp, sub, client_id, before FROM revocations
         WHERE id > ?1 AND (jti IS NULL OR exp > ?2) ORDER BY id LIMIT ?3",
    )?;
    let mut rows = query.query(params![after, now.saturating_sub(RETENTION), limit])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        // The CHECK of the table allows only rows that are revocations.
        let Some(revocation) = revocation(row)? else {
            continue;
        };
        entries.push(ListEntry {
            position: row.get(0)?,
            revoked: Revoked::Tokens(revocation),
        });
    }
    Ok(entries)
}

/// From the columns `jti, exp, sub, client_id, before`, which follow the first.
fn revocation(row: &Row<'_>) -> rusqlite::Result<Option<Revocation>> {
    if let (Some(jti), Some(exp)) = (row.get(1)?, row.get(2)?) {
        return Ok(Some(Revocation::Token { jti, exp }));
    }
    let (to, before) = (Holder::new(row.get(3)?, row.get(4)?), row.get(5)?);
    Ok(to
        .zip(before)
        .map(|(to, before)| Revocation::Issued { to, before }))
}
