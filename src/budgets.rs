//! Budgets: what requests hold back and what they cost, for all workers of the process.

use portcullis_core::body::Budgeted;
use portcullis_core::budget::book::{BudgetBook, BudgetTable};
use portcullis_core::budget::caller::CallerKey;
use portcullis_core::budget::reserved::{Balance, Reservation, Reserved};
use portcullis_core::charging::{self, Charge, Standing};
use portcullis_core::config::FilterStateField;
use portcullis_core::decision::{Code, Decision, Denial, Verdict};
use portcullis_core::passage::Passage;
use portcullis_core::policy::budget::BudgetId;
use portcullis_core::policy::{Mode, Policy};
use portcullis_core::time::UnixTime;
use portcullis_core::usage::{self, Outcome};
use portcullis_core::verification::callout::{Call, CallFault, Question};
use proxy_wasm::hostcalls;
use proxy_wasm::types::MapType;

use crate::budget_share::{self, BudgetShare};
use crate::worker::Worker;

/// The budgets of a policy, in the order of their ids.
pub struct Budgets {
    /// `None` where the host has no random numbers, or does not give them back: then nothing is admitted.
    shared: Option<Vec<BudgetShare>>,
}

/// What came of the attempt to hold back what a request may use.
pub enum Reserving {
    /// The budgets have decided.
    Done(Budgeted),
    /// A ledger has to be asked first.
    Ask(Question, Box<Call>),
}

impl Budgets {
    /// The budgets that every configuration shares that has them too.
    pub fn open(policy: &Policy) -> Self {
        let books = policy.budgets.iter().map(|budget| BudgetBook {
            name: budget.name.clone(),
            per: budget.per.iter().map(|part| part.word().into()).collect(),
            window: budget.window,
            unit: budget.unit,
            table: BudgetTable::new(policy.limits.budget_callers),
        });
        Budgets {
            shared: books.map(budget_share::open).collect(),
        }
    }

    fn of(&self, id: BudgetId) -> Option<&BudgetShare> {
        self.shared.as_ref()?.get(id.0)
    }

    fn of_mut(&mut self, id: BudgetId) -> Option<&mut BudgetShare> {
        self.shared.as_mut()?.get_mut(id.0)
    }
}

/// Who shares a budget.
fn caller(shared: &BudgetShare, charge: &Charge) -> CallerKey {
    let parts: Vec<&str> = charge.parts.iter().map(|part| &**part).collect();
    let seed = &shared.process().seed;
    match charge.budget.ledger {
        Some(_) => CallerKey::named(seed, &charge.provider, &parts),
        None => CallerKey::new(seed, &charge.provider, &parts),
    }
}

fn standing(charge: &Charge, balance: Balance, now: UnixTime) -> Standing {
    Standing {
        name: charge.budget.name.clone(),
        limit: charge.limit,
        window: charge.budget.window,
        remaining: balance.remaining,
        ends_in: balance.window.end().since(now),
    }
}

// === reserving ===

impl Worker {
    /// Holds back what a request may use, of all of its budgets or of none.
    pub(crate) fn reserve(&self, charges: &[Charge], now: UnixTime) -> Reserving {
        let mut held = Vec::with_capacity(charges.len());
        for charge in charges {
            let reserved = match self.budgets.borrow().of(charge.budget.id) {
                None => Reserved::Unavailable,
                Some(shared) => {
                    let caller = caller(shared, charge);
                    shared.reserve(&caller, charge.limit, charge.amount(), now)
                }
            };
            self.telemetry.count_reserved(charge.budget.id, &reserved);
            match reserved {
                Reserved::Admitted(reservation, _) => held.push((charge.clone(), reservation)),
                Reserved::Refused(balance) => {
                    self.release(held, now);
                    return Reserving::Done(self.refuse(charges, charge, balance, now));
                }
                Reserved::Full | Reserved::Unavailable | Reserved::Waiting => {
                    self.release(held, now);
                    let standings = self.standings(charges, now);
                    return Reserving::Done(Budgeted::Unavailable { standings });
                }
            }
        }
        let held = held.into_iter().map(|(_, reservation)| reservation);
        Reserving::Done(Budgeted::Admitted(held.collect()))
    }

    /// The answer for a request that `refusing` has no room for.
    fn refuse(
        &self,
        charges: &[Charge],
        refusing: &Charge,
        balance: Balance,
        now: UnixTime,
    ) -> Budgeted {
        let standings = self.standings(charges, now);
        // Later budgets were not asked. It is no use to come back before they have room too.
        let lacks_room = standings.iter().zip(charges).filter(|(standing, charge)| {
            standing.name == refusing.budget.name || standing.remaining < charge.amount()
        });
        let ends = lacks_room.map(|(standing, _)| standing.ends_in);
        Budgeted::Refused {
            retry_after: ends.max().unwrap_or(balance.window.end().since(now)),
            standings,
        }
    }

    /// Gives back what was held back for requests that go nowhere.
    pub(crate) fn release(&self, held: Vec<(Charge, Reservation)>, now: UnixTime) {
        let mut budgets = self.budgets.borrow_mut();
        for (charge, reservation) in held {
            if let Some(shared) = budgets.of_mut(charge.budget.id) {
                shared.give_back(reservation, now);
            }
        }
    }

    /// Gives back what was held back for a request that is refused.
    pub(crate) fn give_back(&self, decision: Decision, now: UnixTime) {
        if let Verdict::Deny(denial) = decision.verdict
            && let Some(content) = denial.content
        {
            self.release(content.reservations, now);
        }
    }

    /// How budgets stand.
    fn standings(&self, charges: &[Charge], now: UnixTime) -> Vec<Standing> {
        let budgets = self.budgets.borrow();
        let standings = charges.iter().filter_map(|charge| {
            let shared = budgets.of(charge.budget.id)?;
            let balance = shared
                .peek(&caller(shared, charge), charge.limit, now)
                .ok()?;
            Some(standing(charge, balance, now))
        });
        standings.collect()
    }
}

impl Worker {
    /// What a request would have met in shadow mode, where nothing is held back.
    pub(crate) fn would_refuse(
        &self,
        passage: &Passage,
        decision: &Decision,
        now: UnixTime,
    ) -> Option<Denial> {
        let charges: Vec<Charge> = passage.charges.iter().map(|(c, _)| c.clone()).collect();
        let standings = self.standings(&charges, now);
        let mut both = standings.iter().zip(&charges);
        let is_over = both.any(|(standing, charge)| standing.remaining < charge.amount());
        let caller = match &decision.verdict {
            Verdict::Allow(permit) => permit.caller(),
            _ => None,
        };
        is_over.then(|| match caller {
            Some(caller) => Denial::about(Code::BudgetExceeded, caller),
            None => Code::BudgetExceeded.into(),
        })
    }
}

// === settling ===

impl Worker {
    /// Charges what an answer has used. To be called once.
    pub(crate) fn settle(&self, passage: &mut Passage, outcome: &Outcome, now: UnixTime) {
        let mut budgets = self.budgets.borrow_mut();
        for (charge, held) in &mut passage.charges {
            let used = usage::cost(outcome, charge.budget.unit, charge.estimate);
            let Some(shared) = budgets.of_mut(charge.budget.id) else {
                continue;
            };
            match held.take() {
                Some(reservation) => {
                    shared.settle(reservation, used, now);
                }
                // In shadow mode nothing is held back. Without room for another caller it is not counted.
                None => {
                    let caller = caller(shared, charge);
                    let _ = shared.charge(&caller, used, now);
                }
            }
        }
        let Outcome::Used(usage) = outcome else {
            return;
        };
        self.telemetry.count_tokens(usage.input, usage.output);
        for field in &self.policy.filter_state {
            let (name, tokens) = match field {
                FilterStateField::InputTokens => ("portcullis.input_tokens", usage.input),
                FilterStateField::OutputTokens => ("portcullis.output_tokens", usage.output),
                _ => continue,
            };
            // For logs and later filters only; nothing here depends on it.
            let _ = hostcalls::set_property(vec![name], Some(tokens.to_string().as_bytes()));
        }
    }

    /// Tells the client how its budgets stand. What an upstream says about its own stays with us.
    pub(crate) fn show_budgets(&self, passage: &Passage, now: UnixTime) {
        if self.policy.mode == Mode::Shadow {
            return;
        }
        let charges: Vec<Charge> = passage.charges.iter().map(|(c, _)| c.clone()).collect();
        let standings = self.standings(&charges, now);
        let Some((policy, state)) = charging::rate_limit_headers(&standings) else {
            return;
        };
        for (name, value) in [("ratelimit-policy", policy), ("ratelimit", state)] {
            let map = MapType::HttpResponseHeaders;
            // The answer goes on without them.
            let _ = hostcalls::set_map_value_bytes(map, name, Some(value.as_bytes()));
        }
    }

    /// Writes what could not be written before.
    pub(crate) fn tend_budgets(&self, now: UnixTime) {
        let mut budgets = self.budgets.borrow_mut();
        for shared in budgets.shared.iter_mut().flatten() {
            shared.tick(now);
        }
    }

    /// Takes the answer of a ledger. The core learns no more than whether there was one.
    pub(crate) fn leased(
        &self,
        _question: &Question,
        answer: Result<Vec<u8>, CallFault>,
        _now: UnixTime,
    ) -> Result<Vec<u8>, CallFault> {
        answer
    }
}
