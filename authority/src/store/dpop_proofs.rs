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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::database::Database;

    fn spend_at(database: &Database, id: u8, iat: i64, now: i64) -> bool {
        let proof = Proof {
            jkt: String::new(),
            id: [id; 32],
            until: UnixTime::from_seconds(iat + 60),
        };
        let now = UnixTime::from_seconds(now);
        database.write(|tx| spend(tx, &proof, now)).unwrap()
    }

    #[test]
    fn a_proof_is_spent_while_it_is_sound() {
        let database = Database::open(None).unwrap();
        assert!(spend_at(&database, 1, 1000, 1000));
        assert!(spend_at(&database, 2, 1000, 1000));
        for (iat, now) in [(1000, 1000), (1060, 1060), (1000, 940), (1060, 1000)] {
            assert!(!spend_at(&database, 1, iat, now), "{now}");
        }
        assert!(spend_at(&database, 1, 1061, 1061));
        assert!(!spend_at(&database, 1, 1061, 1061));
    }

    #[test]
    fn proofs_that_are_too_old_are_forgotten() {
        let database = Database::open(None).unwrap();
        for id in 0..=u8::MAX {
            assert!(spend_at(&database, id, 1000, 1000));
        }
        let kept = || -> u64 {
            let count = "SELECT count(*) FROM dpop_proofs";
            let count = database.read(|tx| Ok(tx.query_row(count, [], |row| row.get(0))?));
            count.unwrap()
        };
        assert_eq!(kept(), 256);
        for id in 0..4 {
            assert!(spend_at(&database, id, 2000, 2000));
        }
        assert_eq!(kept(), 4);
    }
}
