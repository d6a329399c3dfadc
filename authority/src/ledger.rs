//! The ledger of token budgets: how much of a budget each Envoy was granted, so that many of them spend one.
//!
//! What is granted counts as spent. So nothing that is lost, delayed or sent twice can overspend a budget; at worst a part of
//! it stays unspent until its window ends.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use serde::Serialize;

use crate::clock::UnixTime;
use crate::refusal::Refusal;

/// A window is at most this long: 31 days.
const MAX_LENGTH: Duration = Duration::from_secs(744 * 60 * 60);

/// How far the clocks of an Envoy and of the ledger may be apart.
const MAX_SKEW: Duration = Duration::from_secs(60);

/// How long an answer is remembered after its window.
const REMEMBERED: Duration = Duration::from_secs(60 * 60);

/// Keeps what was granted, durably: an answer is on disk before it is given.
pub trait Ledger: Send + Sync {
    /// Makes the entry, unless its id was used already: then the answer is that of the first time.
    fn record(&self, entry: Entry) -> Recording<'_>;
}

/// The outcome of an entry, later.
pub type Recording<'a> = Pin<Box<dyn Future<Output = Result<Outcome, Refusal>> + Send + 'a>>;

/// A question of an Envoy, or what it gives back.
pub struct Entry {
    /// Of this question: asked again, it gets the same answer.
    pub id: String,
    /// Of the Envoy.
    pub holder: String,
    /// What it wants a part of.
    pub account: Account,
    /// What is to be done.
    pub change: Change,
}

/// A budget of one caller in one window.
pub struct Account {
    /// The name of the budget.
    pub budget: String,
    /// Who spends it.
    pub key: String,
    /// When.
    pub window: Window,
}

/// A stretch of time, from a multiple of its length since 1970.
#[derive(Clone, Copy)]
pub struct Window {
    begin: UnixTime,
    length: Duration,
}

/// What is to be done.
#[derive(Clone, Copy)]
pub enum Change {
    /// To grant what is wanted, as far as all grants stay within the limit. The limit is the question's: others of the same
    /// account may have another.
    Grant {
        /// The whole budget.
        limit: u64,
        /// The part that is asked for.
        want: u64,
    },
    /// To take back so much, as far as it was granted to this holder.
    Return(u64),
}

/// What becomes of an entry.
#[derive(Debug, PartialEq)]
pub enum Outcome {
    /// It is made.
    Made(Answer),
    /// Its window is not now. Holds the ledger's time.
    NotNow(UnixTime),
}

/// What the Envoy is told.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// To a question.
    Granted {
        /// What it may spend.
        granted: u64,
        /// What is left of the limit for other questions.
        remaining: u64,
    },
    /// To what was given back.
    Returned {
        /// What was taken of it.
        returned: u64,
    },
}

/// Names an entry in a store: 128 bits, as its id has.
pub type Digest = [u8; 16];

// === impl Entry ===

impl Entry {
    /// Names the entry. Only the same holder's same id in the same account is the same question.
    pub fn digest(&self) -> Digest {
        self.account.digest(&[&self.holder, &self.id])
    }

    /// Names the holder in this account.
    pub fn holder_digest(&self) -> Digest {
        self.account.digest(&[&self.holder])
    }
}

// === impl Account ===

impl Account {
    fn digest(&self, parts: &[&str]) -> Digest {
        let Self {
            budget,
            key,
            window,
        } = self;
        let begin = window.begin.seconds().to_string();
        let length = window.length.as_secs().to_string();
        let mut context = Context::new(&SHA256);
        for part in [budget, key, &begin, &length]
            .into_iter()
            .map(String::as_str)
            .chain(parts.iter().copied())
        {
            // The length keeps the parts apart.
            context.update(&part.len().to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut digest = Digest::default();
        for (to, from) in digest.iter_mut().zip(context.finish().as_ref()) {
            *to = *from;
        }
        digest
    }
}

// === impl Window ===

impl Window {
    /// From seconds. `None`: there is no such window.
    pub fn new(begin: u64, length: u64) -> Option<Self> {
        let is_window = begin.checked_rem(length)? == 0 && length <= MAX_LENGTH.as_secs();
        is_window.then_some(Self {
            begin: UnixTime::from_seconds(i64::try_from(begin).ok()?),
            length: Duration::from_secs(length),
        })
    }

    /// When it begins.
    pub fn begin(self) -> UnixTime {
        self.begin
    }

    /// How long it is.
    pub fn length(self) -> Duration {
        self.length
    }

    /// When the next begins.
    pub fn end(self) -> UnixTime {
        self.begin.saturating_add(self.length)
    }

    /// From when on entries are made: an Envoy's clock may be ahead.
    pub fn open_from(self) -> UnixTime {
        self.begin.saturating_sub(MAX_SKEW)
    }

    /// Until when entries are made: an Envoy's clock may be behind.
    pub fn open_until(self) -> UnixTime {
        self.end().saturating_add(MAX_SKEW)
    }

    /// Until when answers are remembered.
    pub fn remembered_until(self) -> UnixTime {
        self.end().saturating_add(REMEMBERED)
    }

    /// The end of the latest window that is forgotten.
    pub fn forgotten(now: UnixTime) -> UnixTime {
        now.saturating_sub(REMEMBERED)
    }
}

// === impl Change ===

impl Change {
    /// The answer, and what all and the holder have been granted after it.
    pub fn apply(self, spent: u64, held: u64) -> (Answer, u64, u64) {
        match self {
            Self::Grant { limit, want } => {
                let granted = limit.saturating_sub(spent).min(want);
                let spent = spent.saturating_add(granted);
                let remaining = limit.saturating_sub(spent);
                let answer = Answer::Granted { granted, remaining };
                (answer, spent, held.saturating_add(granted))
            }
            Self::Return(amount) => {
                let returned = amount.min(held).min(spent);
                let answer = Answer::Returned { returned };
                let (spent, held) = (
                    spent.saturating_sub(returned),
                    held.saturating_sub(returned),
                );
                (answer, spent, held)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str, holder: &str, budget: &str, key: &str, begin: u64, length: u64) -> Entry {
        Entry {
            id: id.to_owned(),
            holder: holder.to_owned(),
            account: Account {
                budget: budget.to_owned(),
                key: key.to_owned(),
                window: Window::new(begin, length).unwrap(),
            },
            change: Change::Return(0),
        }
    }

    #[test]
    fn windows_begin_at_multiples_of_their_length() {
        for (begin, length) in [(0, 1), (7, 1), (1_767_225_600, 86_400), (0, 2_678_400)] {
            let window = Window::new(begin, length).unwrap();
            assert_eq!(window.end().seconds(), (begin + length) as i64);
        }
        for (begin, length) in [
            (0, 0),
            (1, 2),
            (86_399, 86_400),
            (1_767_225_601, 86_400),
            (0, 2_678_401),
            (0, u64::MAX),
            (u64::MAX, 1),
        ] {
            assert!(Window::new(begin, length).is_none(), "{begin} {length}");
        }
    }

    #[test]
    fn every_part_of_an_entry_names_it() {
        let entries = [
            entry("a", "b", "c", "d", 0, 60),
            entry("x", "b", "c", "d", 0, 60),
            entry("a", "x", "c", "d", 0, 60),
            entry("a", "b", "x", "d", 0, 60),
            entry("a", "b", "c", "x", 0, 60),
            entry("a", "b", "c", "d", 60, 60),
            entry("a", "b", "c", "d", 0, 30),
            entry("a", "b", "cd", "", 0, 60),
            entry("", "ba", "c", "d", 0, 60),
        ];
        let mut digests: Vec<Digest> = entries.iter().map(Entry::digest).collect();
        digests.extend(entries.iter().map(Entry::holder_digest));
        digests.sort();
        digests.dedup();
        // The holder and its account are the same with another id.
        assert_eq!(digests.len(), 2 * entries.len() - 1);
    }

    #[test]
    fn no_change_grants_beyond_the_limit() {
        for (change, spent, held, expected) in [
            (
                Change::Grant {
                    limit: 100,
                    want: 30,
                },
                0,
                0,
                (30, 70),
            ),
            (
                Change::Grant {
                    limit: 100,
                    want: 30,
                },
                70,
                0,
                (30, 0),
            ),
            (
                Change::Grant {
                    limit: 100,
                    want: 30,
                },
                71,
                0,
                (29, 0),
            ),
            (
                Change::Grant {
                    limit: 100,
                    want: 30,
                },
                100,
                0,
                (0, 0),
            ),
            // A smaller limit than that of earlier questions.
            (
                Change::Grant {
                    limit: 50,
                    want: 30,
                },
                100,
                0,
                (0, 0),
            ),
            (
                Change::Grant {
                    limit: 100,
                    want: 0,
                },
                0,
                0,
                (0, 100),
            ),
            (Change::Grant { limit: 0, want: 30 }, 0, 0, (0, 0)),
            (
                Change::Grant {
                    limit: u64::MAX,
                    want: u64::MAX,
                },
                1,
                1,
                (u64::MAX - 1, 0),
            ),
        ] {
            let (answer, after, after_held) = change.apply(spent, held);
            let (granted, remaining) = expected;
            assert_eq!(answer, Answer::Granted { granted, remaining });
            assert_eq!((after, after_held), (spent + granted, held + granted));
        }
    }

    #[test]
    fn nobody_gives_back_what_others_hold() {
        for (amount, spent, held, expected) in [
            (5, 100, 30, 5),
            (30, 100, 30, 30),
            (31, 100, 30, 30),
            (5, 100, 0, 0),
            (0, 100, 30, 0),
        ] {
            let (answer, after, after_held) = Change::Return(amount).apply(spent, held);
            assert_eq!(answer, Answer::Returned { returned: expected });
            assert_eq!((after, after_held), (spent - expected, held - expected));
        }
    }
}
