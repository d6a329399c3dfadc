//! Budgets: what requests hold back and what they cost, for all workers of the process.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use portcullis_core::body::Budgeted;
use portcullis_core::budget::book::{BudgetBook, BudgetTable};
use portcullis_core::budget::caller::{CallerId, CallerKey};
use portcullis_core::budget::reserved::{Balance, Reservation, Reserved};
use portcullis_core::charging::{self, Charge, Standing};
use portcullis_core::config::FilterStateField;
use portcullis_core::deadline::Deadline;
use portcullis_core::decision::{Code, Decision, Denial, Verdict};
use portcullis_core::ledger::leases::LedgerCall;
use portcullis_core::limits::LEDGER_BYTES;
use portcullis_core::passage::Passage;
use portcullis_core::policy::budget::{Budget, BudgetId, Ledger};
use portcullis_core::policy::{Mode, Policy};
use portcullis_core::time::UnixTime;
use portcullis_core::usage::{self, Outcome};
use portcullis_core::verification::call::{Call, CallFault, Service, Standing as CallStanding};
use proxy_wasm::hostcalls;
use proxy_wasm::types::MapType;

use crate::budget_share::BudgetShare;
use crate::telemetry::CalloutOutcome;
use crate::worker::Worker;
use crate::{call, clock};

/// The budgets of a policy.
pub struct Budgets {
    /// In the order of their ids. `None` where the host has no random numbers, or does not give them back: then nothing
    /// is admitted.
    own: Option<Vec<BudgetShare>>,
    /// The calls to ledgers that are under way, by the host's numbers for them.
    calls: HashMap<u32, LedgerCallUnderWay>,
}

/// A call to a ledger that is not answered yet.
struct LedgerCallUnderWay {
    budget: BudgetId,
    caller: CallerId,
    deadline: Deadline,
}

/// Envoy ends a call at its timeout. One that it did not end a little later counts as lost.
const GRACE: Duration = Duration::from_millis(250);

/// What came of the attempt to hold back what a request may use.
pub enum Reserving {
    /// The budgets have decided.
    Done(Budgeted),
    /// A ledger is asked for this caller. It is worth another attempt when it has answered, or after this time.
    Wait(BudgetId, CallerId, Duration),
}

impl Budgets {
    /// The budgets that every configuration shares that has them too.
    pub fn open(policy: &Policy) -> Self {
        let open = |budget: &Rc<Budget>| {
            let book = BudgetBook {
                name: budget.name.clone(),
                per: budget.per.iter().map(|part| part.word().into()).collect(),
                window: budget.window,
                unit: budget.unit,
                table: BudgetTable::new(policy.limits.budget_callers),
            };
            BudgetShare::open(book, budget.ledger.as_ref().map(Ledger::terms))
        };
        Budgets {
            own: policy.budgets.iter().map(open).collect(),
            calls: HashMap::new(),
        }
    }

    fn of(&self, id: BudgetId) -> Option<&BudgetShare> {
        self.own.as_ref()?.get(id.0)
    }

    fn of_mut(&mut self, id: BudgetId) -> Option<&mut BudgetShare> {
        self.own.as_mut()?.get_mut(id.0)
    }
}

/// Who shares a budget.
fn caller(budget: &BudgetShare, charge: &Charge) -> CallerKey {
    let parts: Vec<&str> = charge.parts.iter().map(|part| &**part).collect();
    budget.caller(&charge.provider, &parts)
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
            let mut waits_for = None;
            let reserved = match self.budgets.borrow_mut().of_mut(charge.budget.id) {
                None => Reserved::Unavailable,
                Some(budget) => {
                    let caller = caller(budget, charge);
                    waits_for = Some(caller.id());
                    let (limit, amount) = (charge.limit, charge.amount());
                    budget.reserve(&caller, limit, amount, now)
                }
            };
            self.call_ledger(&charge.budget, now);
            self.telemetry.count_reserved(charge.budget.id, &reserved);
            match reserved {
                Reserved::Admitted(reservation, _) => held.push((charge.clone(), reservation)),
                Reserved::Refused(balance) => {
                    self.release(held, now);
                    return Reserving::Done(self.refuse(charges, charge, balance, now));
                }
                Reserved::Waiting => {
                    self.release(held, now);
                    let (id, ledger) = (charge.budget.id, charge.budget.ledger.as_ref());
                    // A call that the host did not take has ended already.
                    if let (Some(caller), Some(ledger)) = (waits_for, ledger)
                        && self.is_ledger_called_for(id, caller)
                    {
                        return Reserving::Wait(id, caller, ledger.endpoint.timeout);
                    }
                    let standings = self.standings(charges, now);
                    return Reserving::Done(Budgeted::Unavailable { standings });
                }
                Reserved::Full | Reserved::Unavailable => {
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
    fn standings<'c>(
        &self,
        charges: impl IntoIterator<Item = &'c Charge>,
        now: UnixTime,
    ) -> Vec<Standing> {
        let budgets = self.budgets.borrow();
        let standings = charges.into_iter().filter_map(|charge| {
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
        let charges = passage.charges.iter().map(|(charge, _)| charge);
        let standings = self.standings(charges.clone(), now);
        let mut is_over = false;
        for (standing, charge) in standings.iter().zip(charges) {
            let has_room = standing.remaining >= charge.amount();
            self.telemetry.count_in_shadow(charge.budget.id, has_room);
            is_over |= !has_room;
        }
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
                Some(reservation) => shared.settle(reservation, used, now),
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
        let standings = self.standings(passage.charges.iter().map(|(charge, _)| charge), now);
        let Some((policy, state)) = charging::rate_limit_headers(&standings) else {
            return;
        };
        for (name, value) in [("ratelimit-policy", policy), ("ratelimit", state)] {
            let map = MapType::HttpResponseHeaders;
            // The answer goes on without them.
            let _ = hostcalls::set_map_value_bytes(map, name, Some(value.as_bytes()));
        }
    }
}

// === ledgers ===

impl Worker {
    /// Writes what could not be written before, gives back what is idle, and asks for what is needed soon.
    pub(crate) fn tend_budgets(&self, now: UnixTime) {
        let instant = clock::instant();
        let is_lost = |_: &u32, call: &mut LedgerCallUnderWay| call.deadline.has_passed(instant);
        let lost: Vec<_> = {
            let mut budgets = self.budgets.borrow_mut();
            let lost = budgets.calls.extract_if(is_lost);
            lost.map(|(_, call)| (call.budget, call.caller)).collect()
        };
        for (id, caller) in lost {
            self.ledger_said(id, caller, Err(CallFault::Timeout), now);
        }
        for budget in &self.policy.budgets {
            if let Some(own) = self.budgets.borrow_mut().of_mut(budget.id) {
                own.tick(now);
            }
            self.call_ledger(budget, now);
        }
    }

    /// Makes the calls that a budget wants to make. The root must be active: calls are made in its name.
    fn call_ledger(&self, budget: &Budget, now: UnixTime) {
        let Some(ledger) = &budget.ledger else {
            return;
        };
        let calls = match self.budgets.borrow_mut().of_mut(budget.id) {
            Some(own) => own.calls(now),
            None => return,
        };
        for LedgerCall { caller, body } in calls {
            let sent = call::send(&Call {
                endpoint: ledger.endpoint.clone(),
                standing: CallStanding::Known,
                method: "POST",
                headers: vec![("content-type", (*b"application/json").into())],
                body,
            });
            match sent {
                Ok(token) => {
                    let timeout = ledger.endpoint.timeout.saturating_add(GRACE);
                    let under_way = LedgerCallUnderWay {
                        budget: budget.id,
                        caller,
                        deadline: Deadline::after(clock::instant(), timeout),
                    };
                    self.budgets.borrow_mut().calls.insert(token, under_way);
                }
                Err(_) => self.ledger_said(budget.id, caller, Err(CallFault::NotSent), now),
            }
        }
    }

    fn is_ledger_called_for(&self, id: BudgetId, caller: CallerId) -> bool {
        let budgets = self.budgets.borrow();
        let mut calls = budgets.calls.values();
        calls.any(|call| call.budget == id && call.caller == caller)
    }

    /// Takes the answer to a call, if a ledger was called by it.
    pub(crate) fn ledger_answered(&self, token: u32, has_headers: bool, now: UnixTime) -> bool {
        let called = self.budgets.borrow_mut().calls.remove(&token);
        let Some(called) = called else {
            return false;
        };
        let answer = call::receive(has_headers, LEDGER_BYTES);
        self.ledger_said(called.budget, called.caller, answer, now);
        if let Some(budget) = self.policy.budgets.get(called.budget.0) {
            self.call_ledger(budget, now);
        }
        true
    }

    /// What came of a call for this caller, for all who wait for it.
    fn ledger_said(
        &self,
        id: BudgetId,
        caller: CallerId,
        answer: Result<Vec<u8>, CallFault>,
        now: UnixTime,
    ) {
        let body = answer.as_deref().ok();
        let is_answered = match self.budgets.borrow_mut().of_mut(id) {
            Some(own) => own.answered(caller, body, now),
            None => false,
        };
        let outcome = match answer {
            Err(fault) => CalloutOutcome::of(fault),
            Ok(_) if is_answered => CalloutOutcome::Ok,
            Ok(_) => CalloutOutcome::Failed,
        };
        self.telemetry.count_callout(Service::Ledger, outcome);
        self.requests.borrow_mut().leased(id, caller, is_answered);
    }
}
