//! One configuration at work in one VM: requests, the callouts they wait for, and the clock.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use portcullis_core::deadline::Deadline;
use portcullis_core::decision::Decision;
use portcullis_core::effects::{self, Effects, HeaderMutation, Outcome};
use portcullis_core::evaluation::{self, Step, Waiting};
use portcullis_core::in_flight::{Admission, InFlight};
use portcullis_core::policy::Policy;
use portcullis_core::request::Request;
use portcullis_core::spent::Spent;
use portcullis_core::time::UnixTime;
use portcullis_core::verification::State;
use portcullis_core::verification::callout::{Call, CallFault, Callout, Fetch, Question, Reply};
use portcullis_core::verification::source::{self, SourceId};
use portcullis_core::verification::spending::{self, Expense};
use portcullis_core::waiting::{Awaited, WaitingRequests};
use proxy_wasm::hostcalls;
use proxy_wasm::types::{Action, MapType, Status};

#[cfg(feature = "ai")]
use crate::bodies::Bodies;
#[cfg(feature = "ai")]
use crate::budgets::{Budgets, Reserving};
use crate::fetcher::{Availability, FetchFault, Fetcher};
use crate::reply::{answer, fail_closed};
use crate::spent_share::SpentShare;
use crate::telemetry::{CalloutOutcome, Telemetry};
use crate::{call, clock, host_abi, log};

/// How often a worker looks after its documents while nobody waits.
const IDLE_TICK: Duration = Duration::from_millis(250);

/// And while a request waits for what another worker fetches.
const BUSY_TICK: Duration = Duration::from_millis(20);

/// The tick period while requests are ready to go on.
const WAKING_TICK: Duration = Duration::from_millis(1);

/// Requests that go on in one callback. The host carries out what they do when the callback ends;
/// each stream that ends enters the VM again, and the next action runs inside of that. About 310
/// refusals in one callback overflow the VM's stack of 1 MiB (measured on Envoy 1.40).
const WOKEN_AT_ONCE: usize = 32;

/// How long a request waits beyond the timeout of its call, so that the call's own error comes first.
const PATIENCE: Duration = Duration::from_millis(100);

/// A loaded configuration and all that a worker knows by it.
pub struct Worker {
    root: u32,
    pub(crate) policy: Rc<Policy>,
    pub(crate) state: RefCell<State>,
    fetchers: RefCell<Vec<Fetcher>>,
    spent: Vec<SpentShare>,
    in_flight: RefCell<InFlight>,
    pub(crate) requests: RefCell<WaitingRequests>,
    tick_period: Cell<Duration>,
    pub(crate) telemetry: Telemetry,
    #[cfg(feature = "ai")]
    pub(crate) bodies: RefCell<Bodies>,
    #[cfg(feature = "ai")]
    pub(crate) budgets: RefCell<Budgets>,
}

/// Why a request whose headers the host does not give is refused.
pub const UNREADABLE: &str = "its headers cannot be read";

/// Why a request that cannot be changed as decided is refused.
pub(crate) const UNCHANGEABLE: &str = "its headers cannot be changed";

impl Worker {
    /// A worker that has seen nothing yet.
    pub fn new(root: u32, policy: Policy, state: State) -> Self {
        let fetchers = source::sources(&policy)
            .into_iter()
            .map(Fetcher::new)
            .collect();
        let spent = spending::books(&policy).into_iter().map(SpentShare::open);
        Worker {
            root,
            spent: spent.collect(),
            #[cfg(feature = "ai")]
            bodies: RefCell::default(),
            #[cfg(feature = "ai")]
            budgets: RefCell::new(Budgets::open(&policy)),
            telemetry: Telemetry::new(&policy),
            policy: Rc::new(policy),
            state: RefCell::new(state),
            fetchers: RefCell::new(fetchers),
            in_flight: RefCell::default(),
            requests: RefCell::default(),
            tick_period: Cell::new(Duration::ZERO),
        }
    }

    /// The context that calls belong to.
    pub fn root(&self) -> u32 {
        self.root
    }

    /// Asks for the first tick soon: calls are not possible while Envoy still reads its
    /// configuration.
    pub fn start(&self) {
        self.set_tick_period(BUSY_TICK);
    }

    // === requests ===

    /// Evaluates a request as far as this worker's knowledge goes.
    pub fn begin(&self, request: &Request<'_>, now: UnixTime) -> Step {
        evaluation::begin(&self.policy, &mut self.state.borrow_mut(), request, now)
    }

    /// Follows a request's steps until it is decided or has to wait. Each kind of reply is asked for
    /// once at most, so this ends. The root must be active: calls are made in its name.
    pub fn advance(
        &self,
        stream: u32,
        mut step: Step,
        request: &Request<'_>,
        now: UnixTime,
    ) -> Action {
        loop {
            #[cfg_attr(not(feature = "ai"), expect(unused_mut))]
            let (mut waiting, callout) = match step {
                Step::Decided(decision) => return self.apply(stream, request, decision, now),
                #[cfg(feature = "ai")]
                Step::Observe(decision, content) => {
                    let has_ended = self.has_body_ended(stream);
                    return self.observe(stream, request, decision, content, has_ended, now);
                }
                Step::Await(waiting, callout) => (waiting, callout),
            };
            let reply = match callout {
                Callout::ClientCertificate => Reply::ClientCertificate(client_certificate()),
                Callout::Spend(expense) => Reply::Spent(expense.id, self.spend(&expense, now)),
                Callout::Source(id) => match self.fetch(id, now) {
                    Ok(fetch) => Reply::Source(id, fetch),
                    Err(deadline) if waiting.may_wait() => {
                        return self.pause(
                            stream,
                            waiting,
                            request,
                            Awaited::Document(id),
                            deadline,
                        );
                    }
                    Err(_) => Reply::Source(id, Fetch::FAILED),
                },
                Callout::Ask(question, call) => match self.ask(&question, &call) {
                    Some(deadline) if waiting.may_wait() => {
                        let awaited = Awaited::Answer(question);
                        return self.pause(stream, waiting, request, awaited, deadline);
                    }
                    // The answer is for those who come later.
                    _ => question.unanswered(),
                },
                #[cfg(feature = "ai")]
                Callout::Body(limits) => match self.body(stream, &limits) {
                    Some(arrival) => Reply::Body(arrival),
                    None => {
                        let deadline = Deadline::after(clock::instant(), limits.timeout);
                        return self.pause(stream, waiting, request, Awaited::Body, deadline);
                    }
                },
                #[cfg(feature = "ai")]
                Callout::Reserve => match self.reserve(waiting.charges(), now) {
                    Reserving::Done(budgeted) => {
                        step = waiting.reserved(budgeted);
                        continue;
                    }
                    Reserving::Wait(budget, caller, timeout) => {
                        let awaited = Awaited::Lease(budget, caller);
                        let deadline = Deadline::after(clock::instant(), timeout);
                        let deadline = waiting.lease_deadline(deadline);
                        return self.pause(stream, waiting, request, awaited, deadline);
                    }
                },
            };
            step = waiting.resume(&mut self.state.borrow_mut(), request, reply, now);
        }
    }

    fn pause(
        &self,
        stream: u32,
        waiting: Waiting,
        request: &Request<'_>,
        awaited: Awaited,
        deadline: Deadline,
    ) -> Action {
        // Should the client go away meanwhile, no access log shows what it claimed to be.
        let spoofed = effects::remove_identity(waiting.policy(), request);
        if spoofed.iter().try_for_each(mutate).is_err() {
            return fail_closed(UNCHANGEABLE);
        }
        #[cfg(feature = "ai")]
        if waiting.reads_body() {
            host_abi::let_body_come();
        }
        let mut requests = self.requests.borrow_mut();
        requests.pause(stream, waiting, awaited, deadline.later(PATIENCE));
        // Setting the period restarts the timer; new requests must not delay ready ones.
        if requests.is_anybody_paused() && !requests.is_anybody_ready() {
            self.set_tick_period(BUSY_TICK);
        }
        Action::Pause
    }

    /// Does what a decision says.
    #[cfg_attr(not(feature = "ai"), expect(unused_variables))]
    pub fn apply(
        &self,
        stream: u32,
        request: &Request<'_>,
        decision: Decision,
        now: UnixTime,
    ) -> Action {
        let effects = effects::of(&self.policy, request, &decision, now);
        self.report(&effects, now);
        let changed = match &effects.outcome {
            Outcome::Continue(mutations) => mutations.iter().try_for_each(mutate),
            Outcome::Answer { mutations, reply } => {
                // For the access log alone: the request goes nowhere.
                let _ = mutations.iter().try_for_each(mutate);
                let action = answer(reply);
                #[cfg(feature = "ai")]
                self.give_back(decision, now);
                return action;
            }
        };
        #[cfg(feature = "ai")]
        let changed = self.pass(stream, decision.passage, changed, now);
        // A request that could not be changed in all must not go on with the rest.
        match changed {
            Ok(()) => Action::Continue,
            Err(_) => fail_closed(UNCHANGEABLE),
        }
    }

    /// Counts and logs a decision.
    pub(crate) fn report(&self, effects: &Effects<'_>, now: UnixTime) {
        self.telemetry.count(effects.counter);
        for (name, value) in &effects.filter_state {
            // For logs and later filters only; nothing here depends on it.
            let _ = hostcalls::set_property(vec![name], Some(value.as_bytes()));
        }
        if let Some(record) = &effects.audit {
            self.telemetry.audit(record, now);
        }
    }

    /// Trailers are taken for headers by some upstreams, so nothing passes there that would not
    /// pass in a header.
    pub fn trailers(&self, stream: u32) -> Action {
        let map = MapType::HttpRequestTrailers;
        let Ok(trailers) = host_abi::header_map(map) else {
            return fail_closed(UNREADABLE);
        };
        let trailers = trailers.pairs();
        let mut removed = effects::removed_trailers(&self.policy, &trailers);
        let removed = removed.try_for_each(|name| hostcalls::remove_map_value(map, text(name)?));
        if removed.is_err() {
            return fail_closed(UNCHANGEABLE);
        }
        #[cfg(feature = "ai")]
        if let Some(action) = self.body_ended_by_trailers(stream) {
            return action;
        }
        // Trailers must not release a waiting request.
        match self.requests.borrow().holds(stream) {
            true => Action::Pause,
            false => Action::Continue,
        }
    }

    /// The stream is gone, and with it whatever it waited for.
    pub fn forget(&self, stream: u32) {
        let waited = self.requests.borrow_mut().forget(stream);
        #[cfg(feature = "ai")]
        self.forget_bodies(stream, waited);
        #[cfg(not(feature = "ai"))]
        drop(waited);
    }

    // === callouts ===

    /// Spends something for all workers of the process.
    fn spend(&self, expense: &Expense, now: UnixTime) -> Spent {
        let Some(share) = self.spent.iter().find(|share| share.id() == expense.id) else {
            return Spent::Unrecorded;
        };
        let (spent, forgotten) = share.spend(expense, now);
        self.telemetry.count_forgotten(expense.id, forgotten);
        spent
    }

    /// Asks for a document: what came of it, or until when to wait.
    fn fetch(&self, id: SourceId, now: UnixTime) -> Result<Fetch, Deadline> {
        let mut fetchers = self.fetchers.borrow_mut();
        let Some(fetcher) = fetchers.iter_mut().find(|fetcher| fetcher.id() == id) else {
            return Ok(Fetch::FAILED);
        };
        match fetcher.tend(&self.policy, &mut self.state.borrow_mut(), true, now) {
            Availability::Fresh => Ok(Fetch::Arrived),
            Availability::InFlight => {
                if self.requests.borrow().is_awaited(id) {
                    self.telemetry
                        .count_callout(id.service(), CalloutOutcome::Joined);
                }
                Err(Deadline::after(clock::instant(), fetcher.timeout()))
            }
            Availability::NotBefore(time) => Ok(Fetch::Failed {
                retry_after: time.since(now),
            }),
        }
    }

    /// Asks a question: until when to wait for its answer, or that it cannot be asked.
    fn ask(&self, question: &Question, call: &Call) -> Option<Deadline> {
        let mut in_flight = self.in_flight.borrow_mut();
        let outcome = match in_flight.admit(question, call.standing) {
            Admission::Joined(deadline) => Err((CalloutOutcome::Joined, Some(deadline))),
            Admission::NoRoom => Err((CalloutOutcome::Failed, None)),
            Admission::Ask => call::send(call).map_err(|_| (CalloutOutcome::Failed, None)),
        };
        match outcome {
            Ok(token) => {
                let deadline = Deadline::after(clock::instant(), call.endpoint.timeout);
                in_flight.started(question, call.standing, token, deadline);
                Some(deadline)
            }
            Err((outcome, deadline)) => {
                self.telemetry.count_callout(question.service(), outcome);
                deadline
            }
        }
    }

    /// A call of this worker was answered.
    pub fn call_answered(&self, token: u32, has_headers: bool) {
        let now = clock::now();
        self.state.borrow_mut().see(now);
        let asked = self.in_flight.borrow().question(token).cloned();
        match asked {
            #[cfg(feature = "ai")]
            None if self.ledger_answered(token, has_headers, now) => {}
            Some(question) => {
                let answer = call::receive(has_headers, question.limits().bytes);
                let ended = self
                    .in_flight
                    .borrow_mut()
                    .answered(token, answer, clock::instant());
                if let Some((question, answer)) = ended {
                    self.learn(&question, answer, now);
                }
            }
            None => self.fetched(token, has_headers, now),
        }
        self.go_on(now);
    }

    /// Takes the answer to a question, for all who asked it.
    fn learn(&self, question: &Question, answer: Result<Vec<u8>, CallFault>, now: UnixTime) {
        let fault = answer.as_ref().err().copied();
        let reply = self.state.borrow_mut().learn(
            &self.policy,
            question,
            answer.as_deref().map_err(|fault| *fault),
            now,
        );
        let outcome = match fault {
            Some(fault) => CalloutOutcome::of(fault),
            None if reply.is_answer() => CalloutOutcome::Ok,
            None => CalloutOutcome::Failed,
        };
        self.telemetry.count_callout(question.service(), outcome);
        self.requests.borrow_mut().answer(question, &reply);
    }

    /// Takes the answer to the fetch of a document.
    fn fetched(&self, token: u32, has_headers: bool, now: UnixTime) {
        let (id, result, is_busy) = {
            let mut fetchers = self.fetchers.borrow_mut();
            let Some(fetcher) = fetchers.iter_mut().find(|fetcher| fetcher.awaits(token)) else {
                return;
            };
            let state = &mut self.state.borrow_mut();
            let result = fetcher.call_answered(&self.policy, state, has_headers, now);
            (fetcher.id(), result, fetcher.is_busy())
        };
        if is_busy {
            self.set_tick_period(BUSY_TICK);
        }
        let (outcome, fetch) = match result {
            Ok(Availability::Fresh) => (CalloutOutcome::Ok, Some(Fetch::Arrived)),
            // The first pages of a list.
            Ok(_) => (CalloutOutcome::Ok, None),
            Err(FetchFault::Call(fault)) => (CalloutOutcome::of(fault), Some(Fetch::FAILED)),
            Err(FetchFault::Unusable) => (CalloutOutcome::Failed, Some(Fetch::FAILED)),
        };
        self.telemetry.count_callout(id.service(), outcome);
        if let Some(fetch) = fetch {
            self.requests.borrow_mut().fetched(id, fetch);
        }
    }

    // === time ===

    /// Looks after the documents, after those who wait, and hands over the counters.
    pub fn tick(&self) {
        let now = clock::now();
        self.state.borrow_mut().see(now);
        self.telemetry.report_suppressed(now);
        let mut outcomes: HashMap<SourceId, Fetch> = HashMap::new();
        for fetcher in self.fetchers.borrow_mut().iter_mut() {
            let id = fetcher.id();
            let demand = self.requests.borrow().is_awaited(id);
            match fetcher.tend(&self.policy, &mut self.state.borrow_mut(), demand, now) {
                Availability::Fresh => {
                    outcomes.insert(id, Fetch::Arrived);
                }
                Availability::InFlight => {}
                Availability::NotBefore(time) => {
                    let retry_after = time.since(now);
                    outcomes.insert(id, Fetch::Failed { retry_after });
                }
            }
        }
        for (id, fetch) in outcomes {
            self.requests.borrow_mut().fetched(id, fetch);
        }
        let instant = clock::instant();
        let lost = self.in_flight.borrow_mut().take_lost(instant);
        for question in lost {
            self.learn(&question, Err(CallFault::Timeout), now);
        }
        self.requests.borrow_mut().expire(instant);
        self.go_on(now);
        #[cfg(feature = "ai")]
        self.tend_budgets(now);
        self.telemetry.count_uses(&mut self.state.borrow_mut());
        self.telemetry.hand_over();
        let is_busy = self.fetchers.borrow().iter().any(Fetcher::is_busy);
        let requests = self.requests.borrow();
        self.set_tick_period(match is_busy || requests.is_anybody_paused() {
            _ if requests.is_anybody_ready() => WAKING_TICK,
            true => BUSY_TICK,
            false => IDLE_TICK,
        });
    }

    /// Resumes some of the requests that are ready. To be called once, at the end of a callback.
    fn go_on(&self, now: UnixTime) {
        for _ in 0..WOKEN_AT_ONCE {
            let Some((stream, waiting, reply)) = self.requests.borrow_mut().take_ready() else {
                break;
            };
            // A stream that is gone needs no answer.
            if hostcalls::set_effective_context(stream).is_ok() {
                self.resume(stream, waiting, reply, now);
            }
        }
        // The root exists as long as this worker does.
        let _ = hostcalls::set_effective_context(self.root);
        if self.requests.borrow().is_anybody_ready() {
            self.set_tick_period(WAKING_TICK);
        }
    }

    fn resume(&self, stream: u32, waiting: Waiting, reply: Reply, now: UnixTime) {
        let Ok(headers) = host_abi::header_map(MapType::HttpRequestHeaders) else {
            fail_closed(UNREADABLE);
            return;
        };
        let headers = headers.pairs();
        let request = Request::from_headers(&headers);
        #[cfg(feature = "ai")]
        if let Reply::Body(_) = &reply {
            self.complain_of_late_body(stream, &request, now);
        }
        let step = waiting.resume(&mut self.state.borrow_mut(), &request, reply, now);
        if self.advance(stream, step, &request, now) == Action::Continue
            && let Err(status) = hostcalls::resume_http_request()
        {
            log::error(&format!("a request could not go on: {status:?}"));
        }
    }

    fn set_tick_period(&self, period: Duration) {
        if self.tick_period.replace(period) != period
            && let Err(status) = hostcalls::set_tick_period(period)
        {
            log::error(&format!("no timer: {status:?}"));
        }
    }
}

impl Drop for Worker {
    /// What was counted since the last tick.
    fn drop(&mut self) {
        self.telemetry.count_uses(self.state.get_mut());
        self.telemetry.hand_over();
    }
}

/// Fails for a name that is no text. The SDK panics if the host refuses a change, which it does only after
/// the request has gone on.
pub(crate) fn mutate(mutation: &HeaderMutation<'_>) -> Result<(), Status> {
    let map = MapType::HttpRequestHeaders;
    match mutation {
        HeaderMutation::Add(name, value) => hostcalls::add_map_value_bytes(map, text(name)?, value),
        HeaderMutation::Remove(name) => hostcalls::remove_map_value(map, text(name)?),
        HeaderMutation::Set(name, value) => {
            hostcalls::set_map_value_bytes(map, text(name)?, Some(value))
        }
    }
}

/// A header's name, which the SDK takes as text.
fn text(name: &[u8]) -> Result<&str, Status> {
    std::str::from_utf8(name).map_err(|_| Status::BadArgument)
}

/// SHA-256 of the certificate that the client of this connection showed.
fn client_certificate() -> Option<[u8; 32]> {
    let path = vec!["connection", "sha256_peer_certificate_digest"];
    let hex = hostcalls::get_property(path).ok()??;
    let mut digest = [0; 32];
    let decoded = base16ct::mixed::decode(hex, &mut digest).ok()?;
    (decoded.len() == digest.len()).then_some(digest)
}
