//! One configuration at work in one VM: requests, the callouts they wait for, and the clock.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::time::Duration;

use crate::deadline::Deadline;
use crate::flights::{Asked, Flights};
use crate::host::{self, Failed, LogLevel};
use crate::root::Action;
use crate::source::{Availability, FetchFault, Source};
use crate::telemetry::{CalloutOutcome, Telemetry};
use portcullis_core::decision::Decision;
use portcullis_core::effects::{self, HeaderMutation, LocalReply, Outcome};
use portcullis_core::evaluation::{self, Step, Waiting};
use portcullis_core::policy::{Mode, Policy};
use portcullis_core::request::Request;
use portcullis_core::time::UnixTime;
use portcullis_core::verification::State;
use portcullis_core::verification::callout::{Call, CallFault, Callout, Fetch, Question, Reply};
use portcullis_core::verification::source::{self, SourceId};

/// How often a worker looks after its sources while nobody waits.
const IDLE_TICK: Duration = Duration::from_millis(250);

/// And while a request waits for what another worker fetches.
const BUSY_TICK: Duration = Duration::from_millis(20);

/// The tick period while requests are ready to go on.
const WAKING_TICK: Duration = Duration::from_millis(1);

/// Requests that go on in one callback. The host carries out what they do when the callback ends;
/// each stream that ends enters the VM again, and the next action runs inside of that. About 310
/// refusals in one callback overflow the VM's stack of 1 MiB (measured on Envoy 1.40).
const WOKEN_AT_ONCE: usize = 32;

/// For those who wait for a document that does not come.
const FAILED: Fetch = Fetch::Failed {
    retry_after: Duration::ZERO,
};

pub struct Worker {
    root: u32,
    policy: Rc<Policy>,
    state: RefCell<State>,
    sources: RefCell<Vec<Source>>,
    flights: RefCell<Flights>,
    /// Paused requests by their streams.
    waiters: RefCell<BTreeMap<u32, Waiter>>,
    /// Those of them whose reply is there.
    ready: RefCell<BTreeMap<u32, (Waiting, Reply)>>,
    tick_period: Cell<Duration>,
    telemetry: Telemetry,
}

struct Waiter {
    waiting: Waiting,
    awaited: Awaited,
    /// Beyond it nobody waits, whatever became of the call.
    deadline: Deadline,
}

#[derive(Debug, Eq, PartialEq)]
enum Awaited {
    Answer(Question),
    Document(SourceId),
}

/// A call's own timeout comes first: what it ends in is the better reply.
const PATIENCE: Duration = Duration::from_millis(100);

impl Worker {
    pub fn new(root: u32, policy: Policy, state: State) -> Self {
        let sources = source::sources(&policy)
            .into_iter()
            .map(Source::new)
            .collect();
        Worker {
            root,
            policy: Rc::new(policy),
            state: RefCell::new(state),
            sources: RefCell::new(sources),
            flights: RefCell::default(),
            waiters: RefCell::default(),
            ready: RefCell::default(),
            tick_period: Cell::new(Duration::ZERO),
            telemetry: Telemetry::new(),
        }
    }

    /// Asks for the first tick soon: calls are not possible while Envoy still reads its
    /// configuration.
    pub fn start(&self) {
        self.set_tick_period(BUSY_TICK);
    }

    /// Answers what cannot be judged at all.
    pub fn fail_closed() -> Action {
        let details = "portcullis_cannot_be_judged";
        let status = if host::send_local_response(503, details, &[], &[], None).is_err() {
            "could not be answered"
        } else {
            "was answered 503"
        };
        let text = format!("portcullis: a request that cannot be judged {status}");
        host::log(LogLevel::Error, &text);
        Action::Pause
    }

    pub fn request(&self, stream: u32) -> Action {
        let Ok(headers) = host::request_headers() else {
            return Worker::fail_closed();
        };
        let pairs = headers.pairs();
        let request = Request::from_headers(&pairs);
        #[cfg(feature = "test-hooks")]
        if let Some(action) = crate::test_hooks::intercept(&request) {
            return action;
        }
        let now = host::now();
        let step = evaluation::begin(&self.policy, &mut self.state.borrow_mut(), &request, now);
        self.advance(stream, step, &request, now)
    }

    /// Follows a request's steps until it is decided or has to wait. Each kind of reply is
    /// asked for once at most, so this ends.
    fn advance(&self, stream: u32, mut step: Step, request: &Request<'_>, now: UnixTime) -> Action {
        loop {
            let (waiting, reply) = match step {
                Step::Decided(decision) => return self.apply(request, &decision, now),
                Step::Await(waiting, Callout::ClientCertificate) => {
                    (waiting, Reply::ClientCertificate(client_certificate()))
                }
                Step::Await(waiting, Callout::Source(source)) => match self.fetch(source, now) {
                    Ok(fetch) => (waiting, Reply::Source(source, fetch)),
                    Err(deadline) if self.policy.mode == Mode::Enforce => {
                        let awaited = Awaited::Document(source);
                        return self.pause(stream, waiting, request, awaited, deadline);
                    }
                    // In shadow mode nobody waits.
                    Err(_) => (waiting, Reply::Source(source, FAILED)),
                },
                Step::Await(waiting, Callout::Ask(question, call)) => {
                    match self.ask(&question, &call) {
                        Some(deadline) if self.policy.mode == Mode::Enforce => {
                            let awaited = Awaited::Answer(question);
                            return self.pause(stream, waiting, request, awaited, deadline);
                        }
                        // In shadow mode the answer is for those who come later.
                        _ => (waiting, question.unanswered()),
                    }
                }
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
        if spoofed.iter().try_for_each(edit).is_err() {
            return Worker::fail_closed();
        }
        let waiter = Waiter {
            waiting,
            awaited,
            deadline: deadline.later(PATIENCE),
        };
        self.waiters.borrow_mut().insert(stream, waiter);
        // A new period starts the timer anew: who is ready must not wait for those who come.
        if self.ready.borrow().is_empty() {
            self.set_tick_period(BUSY_TICK);
        }
        Action::Pause
    }

    fn is_awaited(&self, source: SourceId) -> bool {
        let awaited = Awaited::Document(source);
        self.waiters.borrow().values().any(|w| w.awaited == awaited)
    }

    /// Asks for a document: what came of it, or until when to wait.
    fn fetch(&self, id: SourceId, now: UnixTime) -> Result<Fetch, Deadline> {
        let mut sources = self.sources.borrow_mut();
        let Some(source) = sources.iter_mut().find(|s| s.id() == id) else {
            return Ok(FAILED);
        };
        match source.tend(&self.policy, &mut self.state.borrow_mut(), true, now) {
            Availability::Fresh => Ok(Fetch::Arrived),
            Availability::InFlight => {
                if self.is_awaited(id) {
                    self.telemetry
                        .count_callout(id.service(), CalloutOutcome::Joined);
                }
                Err(Deadline::after(source.timeout()))
            }
            Availability::NotBefore(time) => Ok(Fetch::Failed {
                retry_after: time.since(now),
            }),
        }
    }

    /// Asks a question: until when to wait for its answer, or that it cannot be asked.
    fn ask(&self, question: &Question, call: &Call) -> Option<Deadline> {
        match self.flights.borrow_mut().ask(question, call) {
            Asked::Started(deadline) => Some(deadline),
            Asked::Joined(deadline) => {
                self.telemetry
                    .count_callout(question.service(), CalloutOutcome::Joined);
                Some(deadline)
            }
            Asked::NotSent => {
                self.telemetry
                    .count_callout(question.service(), CalloutOutcome::Failed);
                None
            }
        }
    }

    /// The answer to a call of this worker.
    pub fn answer(&self, token: u32, has_headers: bool) {
        let now = host::now();
        self.state.borrow_mut().see(now);
        let received = self.flights.borrow_mut().receive(token, has_headers);
        match received {
            Some((question, answer)) => self.learn(&question, answer, now),
            None => self.receive(token, has_headers, now),
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
        let asked =
            |waiter: &Waiter| matches!(&waiter.awaited, Awaited::Answer(q) if q == question);
        self.wake(|waiter| asked(waiter).then(|| reply.clone()));
    }

    /// Takes the answer to the fetch of a document.
    fn receive(&self, token: u32, has_headers: bool, now: UnixTime) {
        let (id, result, is_busy) = {
            let mut sources = self.sources.borrow_mut();
            let Some(source) = sources.iter_mut().find(|s| s.awaits(token)) else {
                return;
            };
            let state = &mut self.state.borrow_mut();
            let result = source.receive(&self.policy, state, has_headers, now);
            (source.id(), result, source.is_busy())
        };
        if is_busy {
            self.set_tick_period(BUSY_TICK);
        }
        let (outcome, fetch) = match result {
            Ok(Availability::Fresh) => (CalloutOutcome::Ok, Some(Fetch::Arrived)),
            // The first pages of a list.
            Ok(_) => (CalloutOutcome::Ok, None),
            Err(FetchFault::Call(fault)) => (CalloutOutcome::of(fault), Some(FAILED)),
            Err(FetchFault::Unusable) => (CalloutOutcome::Failed, Some(FAILED)),
        };
        self.telemetry.count_callout(id.service(), outcome);
        let awaited = Awaited::Document(id);
        self.wake(|waiter| {
            let fetch = fetch.filter(|_| waiter.awaited == awaited)?;
            Some(Reply::Source(id, fetch))
        });
    }

    /// Looks after the sources, and after those who wait.
    pub fn tick(&self) {
        let now = host::now();
        self.state.borrow_mut().see(now);
        self.telemetry.report_suppressed(now);
        let mut outcomes: HashMap<SourceId, Fetch> = HashMap::new();
        for source in self.sources.borrow_mut().iter_mut() {
            let id = source.id();
            let demand = self.is_awaited(id);
            match source.tend(&self.policy, &mut self.state.borrow_mut(), demand, now) {
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
        let instant = host::instant();
        let lost = self.flights.borrow_mut().take_lost();
        for question in lost {
            self.learn(&question, Err(CallFault::Timeout), now);
        }
        self.wake(|waiter| {
            let is_late = waiter.deadline.has_passed(instant);
            match &waiter.awaited {
                Awaited::Answer(question) => is_late.then(|| question.unanswered()),
                Awaited::Document(id) => {
                    let outcome = outcomes.get(id).copied();
                    let outcome = outcome.or_else(|| is_late.then_some(FAILED));
                    outcome.map(|fetch| Reply::Source(*id, fetch))
                }
            }
        });
        self.go_on(now);
        let is_busy = |source: &Source| source.is_busy();
        let nobody_waits =
            self.waiters.borrow().is_empty() && !self.sources.borrow().iter().any(is_busy);
        self.set_tick_period(match nobody_waits {
            _ if !self.ready.borrow().is_empty() => WAKING_TICK,
            true => IDLE_TICK,
            false => BUSY_TICK,
        });
    }

    /// Lets the waiting requests go on for which there is a reply.
    fn wake(&self, reply: impl Fn(&Waiter) -> Option<Reply>) {
        let mut waiters = self.waiters.borrow_mut();
        let woken: Vec<(u32, Reply)> = waiters
            .iter()
            .filter_map(|(&stream, waiter)| Some((stream, reply(waiter)?)))
            .collect();
        for (stream, reply) in woken {
            if let Some(waiter) = waiters.remove(&stream) {
                let ready = (waiter.waiting, reply);
                self.ready.borrow_mut().insert(stream, ready);
            }
        }
    }

    /// Resumes some of the requests that are ready. To be called once, at the end of a callback.
    fn go_on(&self, now: UnixTime) {
        for _ in 0..WOKEN_AT_ONCE {
            let Some((stream, (waiting, reply))) = self.ready.borrow_mut().pop_first() else {
                break;
            };
            // A stream that is gone needs no answer.
            if host::set_effective_context(stream).is_ok() {
                self.resume(stream, waiting, reply, now);
            }
        }
        // The root exists as long as this worker does.
        let _ = host::set_effective_context(self.root);
        if !self.ready.borrow().is_empty() {
            self.set_tick_period(WAKING_TICK);
        }
    }

    fn resume(&self, stream: u32, waiting: Waiting, reply: Reply, now: UnixTime) {
        let Ok(headers) = host::request_headers() else {
            Worker::fail_closed();
            return;
        };
        let pairs = headers.pairs();
        let request = Request::from_headers(&pairs);
        let step = waiting.resume(&mut self.state.borrow_mut(), &request, reply, now);
        if self.advance(stream, step, &request, now) == Action::Continue
            && let Err(Failed(status)) = host::continue_request()
        {
            let text = format!("portcullis: a request could not go on: status {status}");
            host::log(LogLevel::Error, &text);
        }
    }

    /// Trailers are taken for headers by some upstreams, so nothing passes there that would not
    /// pass in a header.
    pub fn trailers(&self, stream: u32) -> Action {
        // Whatever the host makes of a pause, trailers let nobody in who waits.
        let waits = self.waiters.borrow().contains_key(&stream);
        if waits || self.ready.borrow().contains_key(&stream) {
            return Action::Pause;
        }
        let Ok(trailers) = host::request_trailers() else {
            return Worker::fail_closed();
        };
        let pairs = trailers.pairs();
        let mut removed = effects::removed_trailers(&self.policy, &pairs);
        match removed.try_for_each(host::remove_request_trailer) {
            Ok(()) => Action::Continue,
            Err(Failed(_)) => Worker::fail_closed(),
        }
    }

    /// The stream is gone, and with it whatever it waited for.
    pub fn forget(&self, stream: u32) {
        self.waiters.borrow_mut().remove(&stream);
        self.ready.borrow_mut().remove(&stream);
    }

    fn apply(&self, request: &Request<'_>, decision: &Decision, now: UnixTime) -> Action {
        let effects = effects::of(&self.policy, request, decision, now);
        self.telemetry.count(effects.counter);
        self.telemetry
            .count_tokens(self.state.borrow_mut().take_token_uses());
        self.telemetry
            .count_answers(self.state.borrow_mut().take_answer_uses());
        for (name, value) in &effects.filter_state {
            // For logs and later filters only; nothing here depends on it.
            let _ = host::set_property(name, value.as_bytes());
        }
        if let Some(record) = &effects.audit {
            self.telemetry.audit(record, now);
        }
        match &effects.outcome {
            // A request whose headers could not all be changed must not go on with the rest.
            Outcome::Continue(edits) => match edits.iter().try_for_each(edit) {
                Ok(()) => Action::Continue,
                Err(Failed(_)) => Worker::fail_closed(),
            },
            Outcome::Refuse { edits, reply } => {
                // For the access log alone: the request goes nowhere.
                let _ = edits.iter().try_for_each(edit);
                answer(reply)
            }
        }
    }

    fn set_tick_period(&self, period: Duration) {
        if self.tick_period.replace(period) != period
            && let Err(Failed(status)) = host::set_tick_period(period)
        {
            let text = format!("portcullis: no timer: status {status}");
            host::log(LogLevel::Error, &text);
        }
    }
}

fn edit(edit: &HeaderMutation<'_>) -> Result<(), Failed> {
    match edit {
        HeaderMutation::Add(name, value) => host::add_request_header(name, value),
        HeaderMutation::Remove(name) => host::remove_request_header(name),
        HeaderMutation::Set(name, value) => host::set_request_header(name, value),
    }
}

fn answer(reply: &LocalReply) -> Action {
    let headers: Vec<(&[u8], &[u8])> = reply
        .headers
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
        .collect();
    let body = reply.body.as_bytes();
    let details = &reply.details;
    match host::send_local_response(reply.status, details, &headers, body, reply.grpc_status) {
        Ok(()) => Action::Pause,
        Err(Failed(_)) => Worker::fail_closed(),
    }
}

/// SHA-256 of the certificate that the client of this connection showed.
fn client_certificate() -> Option<[u8; 32]> {
    let hex = host::property(b"connection\0sha256_peer_certificate_digest").ok()?;
    let (pairs, rest) = hex.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let digit = |b: u8| char::from(b).to_digit(16);
    let bytes: Option<Vec<u8>> = pairs
        .iter()
        .map(|[high, low]| u8::try_from((digit(*high)? << 4) | digit(*low)?).ok())
        .collect();
    bytes?.try_into().ok()
}
