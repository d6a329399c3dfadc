//! The tokens that were issued, by their digests.

use std::ops::Range;

use rusqlite::{Row, Transaction, named_params};

use crate::access_token::AccessToken;
use crate::clock::UnixTime;
use crate::secret::{Secret, SecretHash};
use crate::store::database::{
    CLEANED_PER_WRITE, Database, Dataset, Error, RETENTION, execute, last_id,
};

/// What was granted, and whether it was taken back.
pub struct StoredToken {
    pub grant: AccessToken,
    pub revoked: bool,
}

/// Records the token that `mint` makes for its place in the status lists. It is given out only
/// once it is on disk: a token that is not in here could not be revoked.
pub fn issue<E: From<Error>>(
    database: &Database,
    grant: &AccessToken,
    mint: impl FnOnce(u64) -> Result<Secret, E>,
) -> Result<Secret, E> {
    let (token, is_revoked) = database.write(|tx| {
        clean(tx, grant.iat)?;
        let index = next_index(tx)?;
        let token = mint(index)?;
        let is_revoked = record(tx, index, grant, &token)?;
        Ok::<_, E>((token, is_revoked))
    })?;
    if is_revoked {
        database.note_change(Dataset::Statuses);
    }
    Ok(token)
}

/// By the digest of its bytes: a token that is not byte for byte as we issued it is none of ours.
pub fn find(database: &Database, presented: &Secret) -> Result<Option<StoredToken>, Error> {
    let digest = SecretHash::digest(presented.expose().as_bytes());
    database.read(|tx| {
        let mut query = tx.prepare_cached("SELECT * FROM tokens WHERE digest = ?1")?;
        let mut rows = query.query([digest.as_bytes()])?;
        rows.next()?.map(issued).transpose()
    })
}

/// The revoked ones among the places of `range`; `None` where none of them was ever taken.
pub fn revoked_indices(database: &Database, range: Range<u64>) -> Result<Option<Vec<u64>>, Error> {
    database.read(|tx| {
        if range.start > 0 && range.start >= next_index(tx)? {
            return Ok(None);
        }
        let mut query = tx.prepare_cached(
            "SELECT id FROM tokens WHERE revoked = 1 AND id >= ?1 AND id < ?2 ORDER BY id",
        )?;
        let rows = query.query_map([range.start, range.end], |row| row.get(0))?;
        Ok(Some(rows.collect::<Result<_, _>>()?))
    })
}

fn issued(row: &Row<'_>) -> Result<StoredToken, Error> {
    let audiences: String = row.get("aud")?;
    Ok(StoredToken {
        grant: AccessToken {
            jti: row.get("jti")?,
            client_id: row.get("client_id")?,
            sub: row.get("sub")?,
            scope: row.get("scope")?,
            audiences: serde_json::from_str(&audiences).map_err(Error::Json)?,
            tenant: row.get("tenant")?,
            iat: row.get("iat")?,
            exp: row.get("exp")?,
        },
        revoked: row.get("revoked")?,
    })
}

fn clean(tx: &Transaction<'_>, now: UnixTime) -> Result<(), Error> {
    execute(
        tx,
        "DELETE FROM tokens WHERE id IN (SELECT id FROM tokens WHERE exp <= ?1 LIMIT ?2)",
        (now.saturating_sub(RETENTION), CLEANED_PER_WRITE),
    )?;
    Ok(())
}

fn next_index(tx: &Transaction<'_>) -> Result<u64, Error> {
    Ok(last_id(tx, "tokens")?.saturating_add(1))
}

/// Whether it is revoked already.
fn record(
    tx: &Transaction<'_>,
    index: u64,
    grant: &AccessToken,
    token: &Secret,
) -> Result<bool, Error> {
    let AccessToken {
        jti,
        client_id,
        sub,
        scope,
        audiences,
        tenant,
        iat,
        exp,
    } = grant;
    // Whoever was cut off up to this second is born revoked: the filter reads `before` the same way.
    let mut insert = tx.prepare_cached(
        "INSERT INTO tokens
             (id, digest, jti, client_id, sub, scope, aud, tenant, iat, exp, revoked)
         VALUES (:id, :digest, :jti, :client_id, :sub, :scope, :aud, :tenant, :iat, :exp, EXISTS (
             SELECT 1 FROM revocations WHERE jti IS NULL AND before >= :iat
             AND (sub IS NULL OR sub = :sub) AND (client_id IS NULL OR client_id = :client_id)
         )) RETURNING revoked",
    )?;
    let is_revoked = insert.query_row(
        named_params! {
            ":id": index,
            ":digest": SecretHash::digest(token.expose().as_bytes()).as_bytes(),
            ":jti": jti,
            ":client_id": client_id,
            ":sub": sub,
            ":scope": scope,
            ":aud": serde_json::to_string(audiences).map_err(Error::Json)?,
            ":tenant": tenant,
            ":iat": iat,
            ":exp": exp,
        },
        |row| row.get(0),
    )?;
    Ok(is_revoked)
}
