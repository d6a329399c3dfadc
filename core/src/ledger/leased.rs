//! The account of a caller whose budget a ledger keeps.
//!
//! What the ledger grants counts as spent there, so whatever happens to a grant, nobody spends it twice. Here at
//! most as much is spent as was granted.

use std::time::Duration;

use crate::budget::account::{Account, Lease, Question};
use crate::ledger::message::Grant;
use crate::ledger::terms::LedgerTerms;
use crate::limits::WHOLE_NUMBER;
use crate::time::UnixTime;

/// How long a caller asks for nothing after it was granted nothing.
pub const PAUSE: Duration = Duration::from_secs(1);

/// What is not used for so long goes back.
pub const IDLE: Duration = Duration::from_secs(30);

/// An account as it is seen by one who spends from a ledger.
#[derive(Debug)]
pub struct Leased<'a> {
    account: &'a mut Account,
    terms: LedgerTerms,
    now: UnixTime,
}

/// What an account says to a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Attempt {
    /// Its estimate is reserved.
    Admitted {
        /// It is time to ask for more.
        is_low: bool,
    },
    /// It does not fit into the limit, or the ledger has said that there is nothing left.
    Refused,
    /// It needs a grant.
    Short,
}

/// What to do about a lease that may be idle.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Idle {
    /// Look again then.
    Until(UnixTime),
    /// There is something to ask: what has not been answered, or for what was spent without a grant.
    Ask,
    /// This much goes back.
    Return(u64),
    /// There is nothing to give back.
    Nothing,
}

impl<'a> Leased<'a> {
    /// The account of one who spends by these terms. What another ledger granted is no use here, and what was
    /// spent of it has to be asked for.
    pub fn new(account: &'a mut Account, terms: LedgerTerms, now: UnixTime) -> Self {
        let ledger = terms.ledger.number();
        account.lease.take_if(|lease| lease.ledger != ledger);
        Leased {
            account,
            terms,
            now,
        }
    }

    /// The same for one who does not spend: `None` where others spend from another ledger now.
    pub fn of(account: &'a mut Account, terms: LedgerTerms, now: UnixTime) -> Option<Self> {
        let lease = account.lease.as_ref();
        let is_same = lease.is_none_or(|lease| lease.ledger == terms.ledger.number());
        is_same.then(|| Leased::new(account, terms, now))
    }

    /// Reserves an estimate where it fits into what was granted; with `is_local`, where it fits into the limit.
    pub fn reserve(&mut self, limit: u64, estimate: u64, is_local: bool) -> Attempt {
        if !self.account.admits(limit, estimate) {
            return Attempt::Refused;
        }
        let is_granted = self.covers(estimate);
        if !is_granted && self.is_paused() {
            return Attempt::Refused;
        }
        if !is_granted && !is_local {
            return Attempt::Short;
        }
        self.account.change(i128::from(estimate));
        self.lease().used_at = self.now;
        Attempt::Admitted {
            is_low: self.is_low(limit),
        }
    }

    /// What to ask the ledger for, so that `need` fits as well: what it has not answered yet, before anything else.
    /// `None` where nothing is needed, where nothing may be asked yet, or without an id.
    pub fn ask(
        &mut self,
        limit: u64,
        need: u64,
        id: &mut dyn FnMut() -> Option<u128>,
    ) -> Option<Question> {
        if let Some(question) = self.question() {
            return Some(question);
        }
        if self.is_paused() {
            return None;
        }
        let limit = limit.min(WHOLE_NUMBER);
        let short = self.account.total().saturating_add(need);
        let short = short.saturating_sub(self.granted());
        let size = self.terms.lease.of(limit);
        // It has never more than the limit to grant.
        let want = size.max(short).min(limit.saturating_sub(self.granted()));
        let is_needed = short > 0 || self.is_low(limit);
        if want == 0 || !is_needed {
            return None;
        }
        let id = id()?;
        let question = Question { id, want, limit };
        self.lease().question = Some(question);
        Some(question)
    }

    /// What the ledger has not answered yet.
    pub fn question(&self) -> Option<Question> {
        self.account.lease.as_ref().and_then(|lease| lease.question)
    }

    /// Takes the answer to a question. Whoever asked it, it counts once.
    pub fn answered(&mut self, question: &Question, grant: Grant) {
        let now = self.now;
        let Some(lease) = &mut self.account.lease else {
            return;
        };
        if lease.question != Some(*question) {
            return;
        }
        lease.question = None;
        lease.granted = lease.granted.saturating_add(grant.granted);
        if let Some(remaining) = grant.remaining {
            let granted = question.limit.saturating_sub(remaining);
            lease.elsewhere = granted.saturating_sub(lease.granted);
        }
        if grant.granted == 0 {
            lease.refused_at = now;
        }
    }

    /// Takes what is idle out of the lease, in order to give it back.
    pub fn idle(&mut self) -> Idle {
        let (total, owes) = (self.account.total(), self.owes());
        let Some(lease) = &mut self.account.lease else {
            return if owes { Idle::Ask } else { Idle::Nothing };
        };
        let busy = [(lease.used_at, IDLE), (lease.refused_at, PAUSE)];
        let busy = busy
            .into_iter()
            .filter(|(then, span)| is_within(*then, *span, self.now));
        if let Some(until) = busy.map(|(then, span)| then.plus(span)).max() {
            return Idle::Until(until);
        }
        if lease.question.is_some() || owes {
            return Idle::Ask;
        }
        let idle = lease.granted.saturating_sub(total);
        lease.granted = lease.granted.saturating_sub(idle);
        if lease.granted == 0 {
            self.account.lease = None;
        }
        match idle {
            0 => Idle::Nothing,
            idle => Idle::Return(idle),
        }
    }

    /// Whether less than half a lease is left.
    fn is_low(&self, limit: u64) -> bool {
        let left = self.granted().saturating_sub(self.account.total());
        left.saturating_mul(2) < self.terms.lease.of(limit.min(WHOLE_NUMBER))
    }

    /// Whether what was granted suffices for this much more.
    pub fn covers(&self, need: u64) -> bool {
        self.account.total().saturating_add(need) <= self.granted()
    }

    /// Whether more is spent than was granted.
    pub fn owes(&self) -> bool {
        !self.covers(0)
    }

    fn granted(&self) -> u64 {
        self.account.lease.as_ref().map_or(0, |lease| lease.granted)
    }

    fn is_paused(&self) -> bool {
        let lease = self.account.lease.as_ref();
        lease.is_some_and(|lease| is_within(lease.refused_at, PAUSE, self.now))
    }

    fn lease(&mut self) -> &mut Lease {
        let (ledger, now) = (self.terms.ledger.number(), self.now);
        self.account.lease.get_or_insert(Lease {
            ledger,
            granted: 0,
            elsewhere: 0,
            used_at: now,
            refused_at: UnixTime::FAR_PAST,
            question: None,
        })
    }

    /// What is left of a limit, as far as it is known here.
    pub fn remaining(&self, limit: u64) -> u64 {
        let elsewhere = self.account.lease.as_ref().map_or(0, |l| l.elsewhere);
        self.account.remaining(limit).saturating_sub(elsewhere)
    }
}

/// Whether less than `span` has passed since then. After the clock was set back, nothing is within anything: it must
/// not stop for as long.
pub fn is_within(then: UnixTime, span: Duration, now: UnixTime) -> bool {
    (then..then.plus(span)).contains(&now)
}

#[cfg(test)]
mod tests;
