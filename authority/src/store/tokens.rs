//! The tokens that were issued, by their digests.

use std::ops::Range;

use rusqlite::{Row, Transaction, named_params};
use serde_json::Value;

use crate::access_token::AccessToken;
use crate::clock::UnixTime;
use crate::dpop::Proof;
use crate::secret::{Secret, SecretHash};
use crate::store::database::{
    CLEANED_PER_WRITE, Database, Dataset, Error, RETENTION, execute, last_id,
};
use crate::store::dpop_proofs;

/// A token that was issued.
pub struct StoredToken {
    /// What it stands for.
    pub token: AccessToken,
    /// Whether it was revoked.
    pub revoked: bool,
}

// === impl StoredToken ===

impl StoredToken {
    /// Whether it is good for anything.
    pub fn is_active(&self, now: UnixTime) -> bool {
        !self.revoked && now < self.token.exp
    }
}

/// Records a token in the form that `encode` gives it for its index in the status lists. `None`: the proof was used before.
///
/// The token may be handed out only after that: a token that is not on disk could not be revoked.
pub fn issue<E: From<Error>>(
    database: &Database,
    token: &AccessToken,
    proof: Option<&Proof>,
    encode: impl FnOnce(u64) -> Result<Secret, E>,
) -> Result<Option<Secret>, E> {
    let issued = database.write(|tx| {
        if let Some(proof) = proof
            && !dpop_proofs::spend(tx, proof, token.iat)?
        {
            return Ok::<_, E>(None);
        }
        delete_expired(tx, token.iat)?;
        let index = next_index(tx)?;
        let encoded = encode(index)?;
        let is_revoked = insert(tx, index, token, &encoded)?;
        Ok(Some((encoded, is_revoked)))
    })?;
    if let Some((_, true)) = issued {
        database.note_change(Dataset::Statuses);
    }
    Ok(issued.map(|(encoded, _)| encoded))
}

/// Finds a token by the digest of its bytes, so only a token exactly as it was issued is found.
pub fn find(database: &Database, presented: &Secret) -> Result<Option<StoredToken>, Error> {
    let digest = SecretHash::digest(presented.expose().as_bytes());
    database.read(|tx| {
        let mut query = tx.prepare_cached("SELECT * FROM tokens WHERE digest = ?1")?;
        let mut rows = query.query([digest.as_bytes()])?;
        rows.next()?.map(stored_token).transpose()
    })
}

/// The indices in `range` whose tokens are revoked. `None`: no index in `range` was ever used.
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

fn stored_token(row: &Row<'_>) -> Result<StoredToken, Error> {
    let audiences: String = row.get("aud")?;
    let actors: String = row.get("actors")?;
    let details: Option<String> = row.get("authorization_details")?;
    let details = details.map(|details| serde_json::from_str(&details));
    Ok(StoredToken {
        token: AccessToken {
            jti: row.get("jti")?,
            client_id: row.get("client_id")?,
            sub: row.get("sub")?,
            scope: row.get("scope")?,
            audiences: serde_json::from_str(&audiences).map_err(Error::Json)?,
            tenant: row.get("tenant")?,
            iat: row.get("iat")?,
            exp: row.get("exp")?,
            actors: serde_json::from_str(&actors).map_err(Error::Json)?,
            acr: row.get("acr")?,
            auth_time: row.get("auth_time")?,
            authorization_details: details.transpose().map_err(Error::Json)?,
            jkt: row.get("jkt")?,
        },
        revoked: row.get("revoked")?,
    })
}

fn delete_expired(tx: &Transaction<'_>, now: UnixTime) -> Result<(), Error> {
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

/// Whether the token is revoked from the start.
fn insert(
    tx: &Transaction<'_>,
    index: u64,
    token: &AccessToken,
    encoded: &Secret,
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
        actors,
        acr,
        auth_time,
        authorization_details,
        jkt,
    } = token;
    // A revocation with `before` covers all of that second, so a token of the same second is revoked from the start. The
    // filter reads `before` in the same way.
    let mut insert = tx.prepare_cached(
        "INSERT INTO tokens
             (id, digest, jti, client_id, sub, scope, aud, tenant, iat, exp,
              actors, acr, auth_time, authorization_details, jkt, revoked)
         VALUES (:id, :digest, :jti, :client_id, :sub, :scope, :aud, :tenant, :iat, :exp,
              :actors, :acr, :auth_time, :authorization_details, :jkt, EXISTS (
             SELECT 1 FROM revocations WHERE jti IS NULL AND before >= :iat
             AND (sub IS NULL OR sub = :sub) AND (client_id IS NULL OR client_id = :client_id)
         )) RETURNING revoked",
    )?;
    let is_revoked = insert.query_row(
        named_params! {
            ":id": index,
            ":digest": SecretHash::digest(encoded.expose().as_bytes()).as_bytes(),
            ":jti": jti,
            ":client_id": client_id,
            ":sub": sub,
            ":scope": scope,
            ":aud": serde_json::to_string(audiences).map_err(Error::Json)?,
            ":tenant": tenant,
            ":iat": iat,
            ":exp": exp,
            ":actors": serde_json::to_string(actors).map_err(Error::Json)?,
            ":acr": acr,
            ":auth_time": auth_time,
            ":authorization_details": authorization_details.as_ref().map(Value::to_string),
            ":jkt": jkt,
        },
        |row| row.get(0),
    )?;
    Ok(is_revoked)
}
