//! Budgets that many Envoy processes spend from: a ledger grants each of them a part of the limit, a lease.
//!
//! A grant counts as spent in the ledger, so nothing that is lost, delayed or said twice makes the processes spend
//! more than the limit. The price is what a lost process strands until the window ends.
//!
//! A worker tries to reserve. Where that needs a grant, the question is written beside the account first, so that
//! any worker asks the same one again if the answer is lost, and then sent. Whoever waits tries again when it is
//! answered. Nothing here sends anything: [`WorkerBudget::take_calls`] says what to send.

use std::rc::Rc;

use crate::budget::caller::{CallerId, CallerKey};
use crate::budget::map::SharedMap;
use crate::budget::reserved::{Balance, Reservation, Reserved};
use crate::budget::{Room, SharedBudget, Trouble};
use crate::ledger::leased::{Attempt, IDLE, Idle, Leased, PAUSE};
use crate::ledger::leases::{Asked, Leases, LedgerCall, UnderWay, Watched};
use crate::ledger::message::{Grant, Subject};
use crate::ledger::terms::LedgerTerms;
use crate::time::UnixTime;

pub mod leased;
pub mod leases;
pub mod message;
pub mod terms;

/// One worker's way to a budget: one that the process keeps for itself, or one that a ledger keeps.
#[derive(Debug)]
pub struct WorkerBudget<M> {
    budget: SharedBudget<M>,
    ledger: Option<(LedgerTerms, Leases)>,
}

/// Draws an id of 128 random bits, where the host has random numbers.
pub type DrawId<'d> = &'d mut dyn FnMut() -> Option<u128>;

/// Leases that one tick looks at: some milliseconds of a worker's time.
const LOOKS: usize = 1000;

impl<M: SharedMap> WorkerBudget<M> {
    /// The budget, which the process keeps for itself without `terms`.
    pub fn new(budget: SharedBudget<M>, terms: Option<LedgerTerms>) -> Self {
        WorkerBudget {
            budget,
            ledger: terms.map(|terms| (terms, Leases::new())),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.budget.book().name
    }

    /// The caller of this provider with these values of the budget's parts, in their order.
    pub fn caller(&self, provider: &str, parts: &[&str]) -> CallerKey {
        let seed = &self.budget.process().seed;
        match self.ledger {
            Some(_) => CallerKey::named(seed, provider, parts),
            None => CallerKey::new(seed, provider, parts),
        }
    }

    // === requests ===

    /// Reserves an estimate, if it fits into the caller's limit and, with a ledger, into what was granted.
    pub fn reserve(
        &mut self,
        caller: &CallerKey,
        limit: u64,
        estimate: u64,
        now: UnixTime,
        id: DrawId<'_>,
    ) -> Reserved {
        let Some((terms, leases)) = &mut self.ledger else {
            return self.budget.reserve(caller, limit, estimate, now);
        };
        let is_under_way = leases.is_under_way(caller.id());
        let is_local = leases.is_down() && terms.allow_local;
        let may_ask = !is_under_way && !is_local && leases.may_call(now);
        // Of all attempts to write it.
        let mut drawn = None;
        let mut id = || {
            drawn = drawn.or_else(&mut *id);
            drawn
        };
        let attempted =
            self.budget
                .update(caller.id(), now, Room::Configured, |account, window| {
                    let mut changed = account.clone().unwrap_or_default();
                    let mut leased = Leased::new(&mut changed, *terms, now);
                    let attempt = leased.reserve(limit, estimate, is_local);
                    let question = match attempt {
                        Attempt::Short if may_ask => leased.ask(limit, estimate, &mut id),
                        _ => None,
                    };
                    let remaining = leased.remaining(limit);
                    if question.is_some() || matches!(attempt, Attempt::Admitted { .. }) {
                        *account = Some(changed);
                    }
                    (attempt, question, Balance { remaining, window })
                });
        let (attempt, question, balance) = match attempted {
            Ok(attempted) => attempted,
            Err(trouble) => return trouble.into(),
        };
        match (attempt, question) {
            (Attempt::Admitted { is_low }, _) => {
                if is_low {
                    leases.watch(caller, limit, balance.window, now.plus(IDLE));
                    leases.want(caller.id(), false);
                }
                let reservation = Reservation::new(caller, balance.window, limit, estimate);
                Reserved::Admitted(reservation, balance)
            }
            (Attempt::Refused, _) => Reserved::Refused(balance),
            (Attempt::Short, Some(question)) => {
                let Some(name) = caller.name() else {
                    return Reserved::Unavailable;
                };
                leases.watch(caller, limit, balance.window, now.plus(IDLE));
                let asked = UnderWay {
                    name: Rc::clone(name),
                    limit,
                    window: balance.window,
                    asked: Asked::Question(question),
                    need: estimate,
                };
                call(&self.budget, leases, caller.id(), asked, now);
                Reserved::Waiting
            }
            (Attempt::Short, None) if is_under_way && !leases.is_down() => {
                leases.join(caller.id(), limit, estimate);
                Reserved::Waiting
            }
            (Attempt::Short, None) => Reserved::Unavailable,
        }
    }

    /// A request has ended and used this much. Nothing is done for a window that is past.
    pub fn settle(&mut self, reservation: Reservation, used: u64, now: UnixTime) {
        let (caller, limit) = (reservation.caller().clone(), reservation.limit());
        let window = reservation.window();
        let account = self.budget.settle(reservation, used, now);
        let (Some((terms, leases)), Some(mut account)) = (&mut self.ledger, account) else {
            return;
        };
        // The ledger has to know of what was spent without a grant, whether or not more requests follow.
        if Leased::of(&mut account, *terms, now).is_some_and(|leased| leased.owes()) {
            leases.watch(&caller, limit, window, now.plus(IDLE));
            leases.want(caller.id(), false);
        }
    }

    /// A request does not go on, so it uses nothing.
    pub fn give_back(&mut self, reservation: Reservation, now: UnixTime) {
        self.budget.give_back(reservation, now);
    }

    /// Something was used that nobody had reserved. No ledger is asked for it.
    pub fn charge(&mut self, caller: &CallerKey, used: u64, now: UnixTime) -> Result<(), Trouble> {
        self.budget.charge(caller, used, now)
    }

    /// What is left of a limit.
    pub fn peek(&self, caller: &CallerKey, limit: u64, now: UnixTime) -> Result<Balance, Trouble> {
        let Some((terms, _)) = &self.ledger else {
            return self.budget.peek(caller, limit, now);
        };
        self.budget
            .update(caller.id(), now, Room::Configured, |account, window| {
                let mut account = account.clone().unwrap_or_default();
                let remaining = Leased::new(&mut account, *terms, now).remaining(limit);
                Balance { remaining, window }
            })
    }

    /// Writes what could not be written before. [`WorkerBudget::tick`] does so, too.
    pub fn flush(&mut self, now: UnixTime) {
        self.budget.tick(now);
    }

    // === the ledger ===

    /// The calls to make now. To be asked for whenever anything was reserved, settled or answered, and with each
    /// tick. Each must be answered some day: see [`WorkerBudget::answered`].
    pub fn take_calls(&mut self, now: UnixTime, id: DrawId<'_>) -> Vec<LedgerCall> {
        let Some((terms, leases)) = &mut self.ledger else {
            return Vec::new();
        };
        while leases.may_call(now) {
            let Some((caller, watched)) = leases.take_wanted() else {
                break;
            };
            if !leases.is_under_way(caller) {
                ask_ahead(&self.budget, *terms, leases, caller, &watched, now, id);
            }
        }
        leases.take_calls()
    }

    /// What came of a call for this caller: the body of an answer with status 200, or nothing. Then it is worth
    /// another attempt for those who wait. False where that was no answer.
    pub fn answered(
        &mut self,
        caller: CallerId,
        answer: Option<&[u8]>,
        now: UnixTime,
        id: DrawId<'_>,
    ) -> bool {
        let Some((terms, leases)) = &mut self.ledger else {
            return false;
        };
        let Some(asked) = leases.end(caller) else {
            return false;
        };
        let question = match asked.asked {
            Asked::Question(question) => question,
            Asked::Return { .. } => {
                // What is refused came too late perhaps: questions find out whether the ledger is down.
                if answer.is_some() {
                    leases.set_down(false);
                }
                return answer.is_some();
            }
        };
        let Some(grant) = answer.and_then(|answer| Grant::read(answer, question.want)) else {
            leases.set_down(true);
            leases.want(caller, true);
            return false;
        };
        leases.set_down(false);
        let may_ask = asked.need > 0 && leases.may_call(now);
        let mut drawn = None;
        let mut id = || {
            drawn = drawn.or_else(&mut *id);
            drawn
        };
        let next = self
            .budget
            .update(caller, now, Room::Configured, |account, window| {
                let account = account.as_mut().filter(|_| window == asked.window)?;
                let mut leased = Leased::of(account, *terms, now)?;
                leased.answered(&question, grant);
                // For all who wait at once: each on its own would wait for an answer of its own.
                let is_short = may_ask && !leased.covers(asked.need);
                is_short.then(|| leased.ask(asked.limit, asked.need, &mut id))?
            });
        match next {
            Ok(Some(question)) => {
                let asked = UnderWay {
                    asked: Asked::Question(question),
                    need: 0,
                    ..asked
                };
                call(&self.budget, leases, caller, asked, now);
            }
            Ok(None) => {}
            // It is asked again: the answer will be the same.
            Err(_) => leases.want(caller, true),
        }
        true
    }

    /// Writes what could not be written before, and gives back what is idle. To be called with each tick.
    pub fn tick(&mut self, now: UnixTime, id: DrawId<'_>) {
        self.budget.tick(now);
        let Some((terms, leases)) = &mut self.ledger else {
            return;
        };
        for _ in 0..LOOKS {
            let Some(caller) = leases.due(now) else {
                break;
            };
            let again = look(&self.budget, *terms, leases, caller, now, id);
            match again {
                Some(at) => leases.look_again(caller, at),
                None => leases.forget(caller),
            }
        }
    }
}

/// Asks for what nobody waits for.
fn ask_ahead<M: SharedMap>(
    budget: &SharedBudget<M>,
    terms: LedgerTerms,
    leases: &mut Leases,
    caller: CallerId,
    watched: &Watched,
    now: UnixTime,
    id: DrawId<'_>,
) {
    let may_repeat = watched.was_lost || leases.is_down();
    let asked = budget.update(caller, now, Room::Configured, |account, window| {
        let account = account.as_mut().filter(|_| window == watched.window)?;
        let mut leased = Leased::of(account, terms, now)?;
        // Another worker waits for the answer. Should that be lost, those who need a grant ask again.
        if leased.question().is_some() && !may_repeat {
            return None;
        }
        leased.ask(watched.limit, 0, id)
    });
    if let Ok(Some(question)) = asked {
        let asked = UnderWay {
            name: Rc::clone(&watched.name),
            limit: watched.limit,
            window: watched.window,
            asked: Asked::Question(question),
            need: 0,
        };
        call(budget, leases, caller, asked, now);
    }
}

/// Looks whether a lease is idle: when to look again.
fn look<M: SharedMap>(
    budget: &SharedBudget<M>,
    terms: LedgerTerms,
    leases: &mut Leases,
    caller: CallerId,
    now: UnixTime,
    id: DrawId<'_>,
) -> Option<UnixTime> {
    let watched = leases.watched(caller)?.clone();
    if leases.is_under_way(caller) || leases.is_down() || !leases.may_call(now) {
        return Some(now.plus(PAUSE));
    }
    // Without one nothing could be said about what was taken out.
    let id = id()?;
    let idle = budget.update(caller, now, Room::Configured, |account, window| {
        let watched = account.as_mut().filter(|_| window == watched.window);
        let leased = watched.and_then(|account| Leased::of(account, terms, now));
        let idle = leased.map_or(Idle::Nothing, |mut leased| leased.idle());
        account.take_if(|account| account.is_empty());
        idle
    });
    match idle.ok()? {
        Idle::Until(at) => Some(at),
        Idle::Ask => {
            leases.want(caller, true);
            Some(now.plus(IDLE))
        }
        Idle::Return(amount) => {
            let under_way = UnderWay {
                name: watched.name,
                limit: watched.limit,
                window: watched.window,
                asked: Asked::Return { id, amount },
                need: 0,
            };
            call(budget, leases, caller, under_way, now);
            None
        }
        Idle::Nothing => None,
    }
}

/// Makes the call.
fn call<M: SharedMap>(
    budget: &SharedBudget<M>,
    leases: &mut Leases,
    caller: CallerId,
    under_way: UnderWay,
    now: UnixTime,
) {
    let subject = Subject {
        holder: budget.process().holder,
        budget: &budget.book().name,
        key: &under_way.name,
        window: under_way.window,
    };
    let body = match &under_way.asked {
        Asked::Question(question) => subject.ask(question),
        Asked::Return { id, amount } => subject.give_back(*id, *amount),
    };
    leases.call(LedgerCall { caller, body }, under_way, now);
}

#[cfg(test)]
mod tests;
