//! The ledger of one machine: in the database.

use std::sync::Arc;

use rusqlite::{OptionalExtension, Transaction, params};

use crate::blocking;
use crate::clock::UnixTime;
use crate::ledger::{Account, Answer, Digest, Entry, Ledger, Outcome, Recording, Window};
use crate::refusal::{Internal, Refusal};
use crate::store::database::{CLEANED_PER_WRITE, Database, Error, execute};

/// The ledger in the database.
pub struct DatabaseLedger(Arc<Database>);

// === impl DatabaseLedger ===

impl DatabaseLedger {
    /// In this database.
    pub fn new(database: Arc<Database>) -> Self {
        Self(database)
    }
}

impl Ledger for DatabaseLedger {
    fn record(&self, entry: Entry) -> Recording<'_> {
        let database = Arc::clone(&self.0);
        let job = move || {
            record(&database, &entry, UnixTime::now())
                .map_err(|error| Refusal::StoreAway(Internal::Database(error)))
        };
        Box::pin(blocking::run(job))
    }
}

fn record(database: &Database, entry: &Entry, now: UnixTime) -> Result<Outcome, Error> {
    database.write(|tx| {
        forget(tx, now)?;
        let Entry {
            account, change, ..
        } = entry;
        let window = account.window;
        let (ends, digest) = (window.end(), entry.digest());
        if now < window.remembered_until()
            && let Some(answer) = find(tx, ends, &digest)?
        {
            return Ok(Outcome::Made(answer));
        }
        if !(window.open_from()..=window.open_until()).contains(&now) {
            return Ok(Outcome::NotNow(now));
        }
        let holder = entry.holder_digest();
        let (spent, held) = (spent(tx, account)?, held(tx, ends, &holder)?);
        let (answer, spent, held) = change.apply(spent, held);
        execute(
            tx,
            "INSERT INTO ledger_accounts (ends, length, budget, key, spent) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO UPDATE SET spent = excluded.spent",
            params![ends, window.length().as_secs(), account.budget, account.key, spent],
        )?;
        execute(
            tx,
            "INSERT INTO ledger_holders (ends, holder, held) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET held = excluded.held",
            params![ends, holder, held],
        )?;
        insert(tx, ends, &digest, answer)?;
        Ok(Outcome::Made(answer))
    })
}

/// Deletes rows of long past windows: more than a write adds.
fn forget(tx: &Transaction<'_>, now: UnixTime) -> Result<(), Error> {
    let last = Window::forgotten(now);
    for sql in [
        "DELETE FROM ledger_answers WHERE (ends, entry) IN
             (SELECT ends, entry FROM ledger_answers WHERE ends <= ?1 ORDER BY ends LIMIT ?2)",
        "DELETE FROM ledger_holders WHERE (ends, holder) IN
             (SELECT ends, holder FROM ledger_holders WHERE ends <= ?1 ORDER BY ends LIMIT ?2)",
        "DELETE FROM ledger_accounts WHERE (ends, length, budget, key) IN
             (SELECT ends, length, budget, key FROM ledger_accounts WHERE ends <= ?1 ORDER BY ends LIMIT ?2)",
    ] {
        execute(tx, sql, params![last, CLEANED_PER_WRITE])?;
    }
    Ok(())
}

fn find(tx: &Transaction<'_>, ends: UnixTime, entry: &Digest) -> Result<Option<Answer>, Error> {
    let mut query = tx.prepare_cached(
        "SELECT granted, remaining, returned FROM ledger_answers WHERE ends = ?1 AND entry = ?2",
    )?;
    let answer = query.query_row(params![ends, entry], |row| {
        Ok(match row.get("granted")? {
            Some(granted) => Answer::Granted {
                granted,
                remaining: row.get("remaining")?,
            },
            None => Answer::Returned {
                returned: row.get("returned")?,
            },
        })
    });
    Ok(answer.optional()?)
}

fn insert(
    tx: &Transaction<'_>,
    ends: UnixTime,
    entry: &Digest,
    answer: Answer,
) -> Result<(), Error> {
    let (granted, remaining, returned) = match answer {
        Answer::Granted { granted, remaining } => (Some(granted), Some(remaining), None),
        Answer::Returned { returned } => (None, None, Some(returned)),
    };
    execute(
        tx,
        "INSERT INTO ledger_answers (ends, entry, granted, remaining, returned)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        params![ends, entry, granted, remaining, returned],
    )?;
    Ok(())
}

fn spent(tx: &Transaction<'_>, account: &Account) -> Result<u64, Error> {
    let Account {
        budget,
        key,
        window,
    } = account;
    let mut query = tx.prepare_cached(
        "SELECT spent FROM ledger_accounts
         WHERE ends = ?1 AND length = ?2 AND budget = ?3 AND key = ?4",
    )?;
    let parameters = params![window.end(), window.length().as_secs(), budget, key];
    let spent = query.query_row(parameters, |row| row.get(0)).optional()?;
    Ok(spent.unwrap_or(0))
}

fn held(tx: &Transaction<'_>, ends: UnixTime, holder: &Digest) -> Result<u64, Error> {
    let mut query =
        tx.prepare_cached("SELECT held FROM ledger_holders WHERE ends = ?1 AND holder = ?2")?;
    let held = query.query_row(params![ends, holder], |row| row.get(0));
    Ok(held.optional()?.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Change;

    const LENGTH: i64 = 600;
    const END: i64 = 1200;

    /// In the window from 600 to 1200.
    fn entry(id: &str, change: Change) -> Entry {
        Entry {
            id: id.to_owned(),
            holder: "h".to_owned(),
            account: Account {
                budget: "daily".to_owned(),
                key: "k".to_owned(),
                window: Window::new((END - LENGTH) as u64, LENGTH as u64).unwrap(),
            },
            change,
        }
    }

    fn ask(database: &Database, id: &str, want: u64, now: i64) -> Outcome {
        let change = Change::Grant { limit: 100, want };
        record(database, &entry(id, change), UnixTime::from_seconds(now)).unwrap()
    }

    fn granted(granted: u64, remaining: u64) -> Outcome {
        Outcome::Made(Answer::Granted { granted, remaining })
    }

    fn rows(database: &Database, table: &str) -> u64 {
        let count = format!("SELECT count(*) FROM {table}");
        let count = database.read(|tx| Ok(tx.query_row(&count, [], |row| row.get(0))?));
        count.unwrap()
    }

    #[test]
    fn questions_are_asked_within_a_minute_of_their_window() {
        let database = Database::open(None).unwrap();
        for now in [0, 539, 1261, 4000, i64::MAX] {
            let now_is = Outcome::NotNow(UnixTime::from_seconds(now));
            assert_eq!(ask(&database, "a", 10, now), now_is);
        }
        assert_eq!(rows(&database, "ledger_answers"), 0);
        for (id, now) in [("a", 540), ("b", 600), ("c", 1199), ("d", 1260)] {
            let outcome = ask(&database, id, 10, now);
            assert!(matches!(outcome, Outcome::Made(_)), "{id}: {outcome:?}");
        }
    }

    #[test]
    fn an_answer_is_remembered_for_an_hour_after_its_window() {
        let database = Database::open(None).unwrap();
        assert_eq!(ask(&database, "a", 60, 1000), granted(60, 40));
        assert_eq!(ask(&database, "b", 60, 1000), granted(40, 0));
        for now in [0, 1000, 1260, 1261, END + 3599] {
            assert_eq!(ask(&database, "a", 60, now), granted(60, 40), "{now}");
            assert_eq!(ask(&database, "b", 7, now), granted(40, 0), "{now}");
        }
        let now = END + 3600;
        let now_is = Outcome::NotNow(UnixTime::from_seconds(now));
        assert_eq!(ask(&database, "a", 60, now), now_is);
    }

    #[test]
    fn rows_of_past_windows_are_deleted_in_batches() {
        let database = Database::open(None).unwrap();
        for id in 0..250 {
            ask(&database, &id.to_string(), 1, 1000);
        }
        assert_eq!(rows(&database, "ledger_answers"), 250);
        ask(&database, "a", 1, END + 3599);
        assert_eq!(rows(&database, "ledger_answers"), 250);
        for left in [150, 50, 0] {
            ask(&database, "a", 1, END + 3600);
            assert_eq!(rows(&database, "ledger_answers"), left);
        }
        assert_eq!(rows(&database, "ledger_accounts"), 0);
        assert_eq!(rows(&database, "ledger_holders"), 0);
    }
}
