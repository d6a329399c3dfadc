//! The ledger of many machines: in Redis.

use std::sync::Arc;

use redis::Script;

use crate::cache::connection::{Cache, Error};
use crate::clock::UnixTime;
use crate::ledger::{Account, Answer, Change, Entry, Ledger, Outcome, Recording};
use crate::refusal::{Internal, Refusal};

/// The ledger in Redis.
pub struct CacheLedger {
    cache: Arc<Cache>,
    script: Script,
}

// === impl CacheLedger ===

impl CacheLedger {
    /// In this Redis.
    pub fn new(cache: Arc<Cache>) -> Self {
        Self {
            cache,
            script: Script::new(include_str!("ledger.lua")),
        }
    }

    async fn make(&self, entry: &Entry) -> Result<Outcome, Error> {
        let window = entry.account.window;
        let mut invocation = self.script.key(key(&entry.account));
        invocation
            .arg(entry.digest().as_slice())
            .arg(entry.holder_digest().as_slice())
            .arg(window.open_from().seconds())
            .arg(window.open_until().seconds())
            .arg(window.remembered_until().seconds());
        match entry.change {
            Change::Grant { limit, want } => invocation.arg("grant").arg(limit).arg(want),
            Change::Return(amount) => invocation.arg("return").arg(amount),
        };
        // Asked again, an entry is the same: it is safe to repeat what may have been done.
        let answer = self.cache.invoke_repeatable(&invocation).await?;
        outcome(&answer).ok_or(Error::Answer)
    }
}

impl Ledger for CacheLedger {
    fn record(&self, entry: Entry) -> Recording<'_> {
        Box::pin(async move {
            let made = self.make(&entry).await;
            made.map_err(|error| Refusal::StoreAway(Internal::Cache(error)))
        })
    }
}

/// A budget's name has no colon, so each account has a key of its own.
fn key(account: &Account) -> String {
    let Account {
        budget,
        key,
        window,
    } = account;
    let (begin, length) = (window.begin().seconds(), window.length().as_secs());
    format!("authority:ledger:{budget}:{begin}:{length}:{key}")
}

/// Reads what the script answered.
fn outcome(answer: &str) -> Option<Outcome> {
    let (word, numbers) = answer.split_once(' ')?;
    let whole = |text: &str| text.parse::<u64>().ok();
    Some(match word {
        "granted" => {
            let (granted, remaining) = numbers.split_once(' ')?;
            Outcome::Made(Answer::Granted {
                granted: whole(granted)?,
                remaining: whole(remaining)?,
            })
        }
        "returned" => Outcome::Made(Answer::Returned {
            returned: whole(numbers)?,
        }),
        "now" => Outcome::NotNow(UnixTime::from_seconds(numbers.parse().ok()?)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_answers_of_the_script_are_read() {
        let made = |answer| Some(Outcome::Made(answer));
        let (granted, remaining, returned) = (20_000, 1 << 53, 0);
        assert_eq!(
            outcome("granted 20000 9007199254740992"),
            made(Answer::Granted { granted, remaining })
        );
        assert_eq!(outcome("returned 0"), made(Answer::Returned { returned }));
        let now = UnixTime::from_seconds(1_767_225_600);
        assert_eq!(outcome("now 1767225600"), Some(Outcome::NotNow(now)));
        for other in [
            "",
            "granted",
            "granted 1",
            "granted 1 ",
            "granted 1 2 3",
            "granted -1 2",
            "granted 1 9e+15",
            "returned",
            "returned 1.5",
            "now",
            "now soon",
            "OK",
        ] {
            assert_eq!(outcome(other), None, "{other:?}");
        }
    }
}
