//! The DPoP proofs that were used. On disk, so that a restart makes none of them good again.

use rusqlite::{Transaction, params};

use crate::clock::UnixTime;
use crate::dpop::Proof;
use crate::store::database::{CLEANED_PER_WRITE, Error, execute};

/// Uses up a proof. Whether it was unused.
pub fn spend(tx: &Transaction<'_>, proof: &Proof, now: UnixTime) -> Result<bool, Error> {
    execute(
        tx,
        "DELETE FROM dpop_proofs WHERE id IN
             (SELECT id FROM dpop_proofs WHERE until < ?1 LIMIT ?2)",
        params![now, CLEANED_PER_WRITE],
    )?;
    // A `jti` may come again once every proof that had it is too old.
    let added = execute(
        tx,
        "INSERT INTO dpop_proofs (id, until) VALUES (?1, ?2)
         ON CONFLICT (id) DO UPDATE SET until = excluded.until WHERE until < ?3",
        params![proof.id, proof.until, now],
    )?;
    Ok(added > 0)
}
