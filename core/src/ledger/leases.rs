//! What one worker knows about the leases of its callers: whom it asks for, and what it has to look after.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use crate::budget::account::Question;
use crate::budget::caller::{CallerId, CallerKey};
use crate::budget::window::Window;
use crate::ledger::leased::is_within;
use crate::limits::{LEASES_WATCHED, LEDGER_CALLS_IN_FLIGHT};
use crate::time::UnixTime;

/// A call to make to the ledger.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LedgerCall {
    /// Whose question it is. A worker has at most one for each caller.
    pub caller: CallerId,
    /// What to send.
    pub body: Vec<u8>,
}

/// The calls of one worker, and the callers whose leases it looks after.
#[derive(Debug)]
pub struct Leases {
    under_way: HashMap<CallerId, UnderWay>,
    /// Not sent yet.
    calls: Vec<LedgerCall>,
    watched: HashMap<CallerId, Watched>,
    /// When to look at whom.
    looks: BTreeSet<(UnixTime, CallerId)>,
    /// For whom something is asked that nobody waits for.
    wanted: VecDeque<CallerId>,
    /// The last call was not answered.
    is_down: bool,
    /// When the last call was made.
    called_at: UnixTime,
}

/// A call that is not answered yet.
#[derive(Clone, Debug)]
pub struct UnderWay {
    /// What the ledger calls the caller.
    pub name: Rc<str>,
    /// Its limit, as a request had it last.
    pub limit: u64,
    /// What was said.
    pub asked: Asked,
    /// In which window.
    pub window: Window,
    /// What those reserve who wait for it.
    pub need: u64,
}

/// What was said to the ledger.
#[derive(Clone, Copy, Debug)]
pub enum Asked {
    /// A question.
    Question(Question),
    /// Something goes back, once: where that is lost it is stranded until the window ends.
    Return {
        /// Drawn at random.
        id: u128,
        /// How much.
        amount: u64,
    },
}

/// A caller whose lease this worker looks after.
#[derive(Clone, Debug)]
pub struct Watched {
    /// What the ledger calls it.
    pub name: Rc<str>,
    /// Its limit, as a request had it last.
    pub limit: u64,
    /// In which window.
    pub window: Window,
    /// A question of this worker was not answered.
    pub was_lost: bool,
    is_wanted: bool,
    look_at: UnixTime,
}

/// Between two calls while the ledger does not answer.
const PROBE: Duration = Duration::from_secs(1);

impl Leases {
    /// Those of a worker that has asked nothing yet.
    pub fn new() -> Self {
        Leases {
            under_way: HashMap::new(),
            calls: Vec::new(),
            watched: HashMap::new(),
            looks: BTreeSet::new(),
            wanted: VecDeque::new(),
            is_down: false,
            called_at: UnixTime::FAR_PAST,
        }
    }

    // === calls ===

    /// Whether the last call was not answered.
    pub fn is_down(&self) -> bool {
        self.is_down
    }

    /// Whether one more call may be made: one in a second while the ledger does not answer.
    pub fn may_call(&self, now: UnixTime) -> bool {
        let is_due = !self.is_down || !is_within(self.called_at, PROBE, now);
        is_due && self.under_way.len() < LEDGER_CALLS_IN_FLIGHT
    }

    /// Whether a call for this caller is under way.
    pub fn is_under_way(&self, caller: CallerId) -> bool {
        self.under_way.contains_key(&caller)
    }

    /// Makes a call. There must be none for this caller.
    pub fn call(&mut self, call: LedgerCall, under_way: UnderWay, now: UnixTime) {
        self.called_at = now;
        self.under_way.insert(call.caller, under_way);
        self.calls.push(call);
    }

    /// Another request waits for the call that is under way.
    pub fn join(&mut self, caller: CallerId, limit: u64, need: u64) {
        if let Some(under_way) = self.under_way.get_mut(&caller) {
            under_way.limit = limit;
            under_way.need = under_way.need.saturating_add(need);
        }
    }

    /// A call has ended.
    pub fn end(&mut self, caller: CallerId) -> Option<UnderWay> {
        self.under_way.remove(&caller)
    }

    /// Whether the ledger answers.
    pub fn set_down(&mut self, is_down: bool) {
        self.is_down = is_down;
    }

    /// The calls to send.
    pub fn take_calls(&mut self) -> Vec<LedgerCall> {
        std::mem::take(&mut self.calls)
    }

    // === callers to look after ===

    /// Looks after a caller's lease until it is given back or its window ends. A worker that looks after too many
    /// leaves it: what is not given back is stranded until the window ends, no more.
    pub fn watch(&mut self, caller: &CallerKey, limit: u64, window: Window, look_at: UnixTime) {
        let (id, Some(name)) = (caller.id(), caller.name()) else {
            return;
        };
        if let Some(watched) = self.watched.get_mut(&id) {
            watched.limit = limit;
            watched.window = window;
        } else if self.watched.len() < LEASES_WATCHED {
            let watched = Watched {
                name: Rc::clone(name),
                limit,
                window,
                was_lost: false,
                is_wanted: false,
                look_at,
            };
            self.watched.insert(id, watched);
            self.looks.insert((look_at, id));
        }
    }

    /// A caller that is looked after.
    pub fn watched(&self, caller: CallerId) -> Option<&Watched> {
        self.watched.get(&caller)
    }

    /// Looks at a caller again at another time.
    pub fn look_again(&mut self, caller: CallerId, at: UnixTime) {
        if let Some(watched) = self.watched.get_mut(&caller) {
            self.looks.remove(&(watched.look_at, caller));
            watched.look_at = at;
            self.looks.insert((at, caller));
        }
    }

    /// Does not look after a caller any more.
    pub fn forget(&mut self, caller: CallerId) {
        if let Some(watched) = self.watched.remove(&caller) {
            self.looks.remove(&(watched.look_at, caller));
        }
    }

    /// The next caller that it is time to look at.
    pub fn due(&self, now: UnixTime) -> Option<CallerId> {
        let (at, caller) = self.looks.first()?;
        (*at <= now).then_some(*caller)
    }

    /// Something is asked for this caller as soon as that is possible, if it is looked after. Nobody waits for it.
    pub fn want(&mut self, caller: CallerId, was_lost: bool) {
        if let Some(watched) = self.watched.get_mut(&caller) {
            watched.was_lost |= was_lost;
            if !std::mem::replace(&mut watched.is_wanted, true) {
                self.wanted.push_back(caller);
            }
        }
    }

    /// The next one.
    pub fn take_wanted(&mut self) -> Option<(CallerId, Watched)> {
        loop {
            let caller = self.wanted.pop_front()?;
            // It may have been forgotten since.
            if let Some(watched) = self.watched.get_mut(&caller) {
                let taken = watched.clone();
                watched.is_wanted = false;
                watched.was_lost = false;
                return Some((caller, taken));
            }
        }
    }
}

impl Default for Leases {
    fn default() -> Self {
        Leases::new()
    }
}
