//! Many Envoy processes, their clients, a ledger and the network between them, event by event.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::Duration;

use portcullis_core::api::Unit;
use portcullis_core::budget::SharedBudget;
use portcullis_core::budget::book::{BudgetBook, BudgetTable};
use portcullis_core::budget::caller::{CallerId, CallerKey};
use portcullis_core::budget::process::Process;
use portcullis_core::budget::reserved::{Reservation, Reserved};
use portcullis_core::ledger::WorkerBudget;
use portcullis_core::ledger::terms::{LeaseSize, LedgerId, LedgerTerms};
use portcullis_core::time::UnixTime;

use crate::ledger::Ledger;
use crate::map::ProcessMap;
use crate::random::Random;

/// What is simulated. Times are in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// Where the random numbers begin.
    pub seed: u64,
    /// Envoy processes.
    pub envoys: usize,
    /// Workers of each.
    pub workers: usize,
    /// Callers with a budget each.
    pub callers: usize,
    /// Envoys that meet requests of one caller.
    pub envoys_per_caller: usize,
    /// Requests in a second, of all callers.
    pub requests_per_second: u64,
    /// What they use, in percent of all limits.
    pub demand: u64,
    /// Seconds of a window.
    pub window: u64,
    /// How many windows are simulated.
    pub windows: u64,
    /// How much is asked for at a time.
    pub lease: LeaseSize,
    /// Whether the whole limit may be spent in a process while the ledger does not answer.
    pub allow_local: bool,
    /// Messages that are lost, in a thousand, each way.
    pub lost: u64,
    /// Questions that arrive twice, in a thousand.
    pub doubled: u64,
    /// Messages that take far longer than a request waits, in a thousand.
    pub late: u64,
    /// By how much clocks differ from the ledger's, either way.
    pub skew: u64,
    /// Envoys whose clock is a minute and a half off, in a thousand.
    pub wrong_clocks: u64,
    /// Processes that are lost in an hour, in a thousand.
    pub deaths: u64,
    /// Requests that use more than their estimate, in a thousand.
    pub beyond: u64,
    /// The ledger answers nothing in the middle third of each window.
    pub outages: bool,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    /// Requests that came.
    pub requests: u64,
    /// 200
    pub admitted: u64,
    /// 429
    pub refused: u64,
    /// Of these, those for whom there was enough left of the limit.
    pub refused_with_budget_left: u64,
    /// 503
    pub unavailable: u64,
    /// Calls to the ledger.
    pub calls: u64,
    /// By how much the worst budget was overspent.
    pub overspent: u64,
    /// The most that requests of one budget and window have used beyond their estimates.
    pub beyond: u64,
    /// The limit of each caller.
    pub limit: u64,
    /// What was not spent of all limits, in a thousand.
    pub unspent: u64,
    /// Envoys that were lost.
    pub deaths: u64,
    /// How long requests waited for grants, all together.
    pub waited: u64,
    /// How many waited.
    pub waits: u64,
}

/// How long a request waits for a grant, and a call for its answer.
const TIMEOUT: u64 = 300;
const TICK: u64 = 250;
/// The begin of a window of any length that is used here.
const EPOCH: u64 = 1_699_920_000;

/// What one caller has used in one window, wherever.
#[derive(Clone, Copy, Default)]
struct Truth {
    used: u64,
    reserved: u64,
    beyond: u64,
}

struct Envoy {
    workers: Vec<Worker>,
    /// How often the process was replaced.
    life: u32,
    /// Milliseconds by which its clock is ahead.
    skew: i64,
}

struct Worker {
    budget: WorkerBudget<ProcessMap>,
    waiting: Vec<(CallerId, Request)>,
    in_flight: HashMap<CallerId, u64>,
    keys: HashMap<usize, CallerKey>,
}

#[derive(Clone, Copy, Debug)]
struct Request {
    caller: usize,
    estimate: u64,
    used: u64,
    came_at: u64,
}

/// A worker in one life of its process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Place {
    envoy: usize,
    worker: usize,
    life: u32,
}

enum Event {
    Request,
    Ends(Place, Request, Box<Reservation>),
    AtLedger(Place, CallerId, u64, Vec<u8>),
    Answer(Place, CallerId, u64, Option<String>),
    Tick(usize),
    Death,
}

struct Scheduled {
    at: u64,
    order: u64,
    event: Event,
}

/// All of it.
pub struct World {
    setup: Setup,
    limit: u64,
    random: Random,
    now: u64,
    end: u64,
    order: u64,
    events: BinaryHeap<Reverse<Scheduled>>,
    envoys: Vec<Envoy>,
    ledger: Ledger,
    truth: HashMap<(usize, i64), Truth>,
    outcome: Outcome,
}

/// The tokens that a request reserves, and the part of them that it uses, in percent.
const ESTIMATE: (u64, u64) = (200, 2000);
const USED: (u64, u64) = (20, 100);

impl World {
    /// Runs it to its end.
    pub fn run(setup: Setup) -> Outcome {
        let mut world = World::new(setup);
        while let Some(Reverse(scheduled)) = world.events.pop() {
            world.now = scheduled.at;
            world.happens(scheduled.event);
        }
        world.outcome.calls = world.ledger.calls;
        world.outcome.limit = world.limit;
        let truth = world.truth.values();
        let over = truth.clone().map(|t| t.used.saturating_sub(world.limit));
        world.outcome.overspent = world.outcome.overspent.max(over.max().unwrap_or(0));
        world.outcome.beyond = truth.map(|t| t.beyond).max().unwrap_or(0);
        // A clock that is ahead or behind has its own first and last windows.
        let whole = EPOCH.cast_signed()..(EPOCH + world.end / 1000).cast_signed();
        let whole = world
            .truth
            .iter()
            .filter(|((_, begin), _)| whole.contains(begin));
        let (mut windows, mut left) = (0, 0);
        for (_, truth) in whole {
            windows += 1;
            left += world.limit.saturating_sub(truth.used);
        }
        world.outcome.unspent = 1000 * left / (world.limit * windows);
        world.outcome
    }

    fn new(setup: Setup) -> World {
        let mean = (ESTIMATE.0 + ESTIMATE.1) * (USED.0 + USED.1) / 400;
        let per_caller = setup.requests_per_second * setup.window / setup.callers as u64;
        let end = 1000 * setup.window * setup.windows;
        let mut world = World {
            limit: per_caller * mean * 100 / setup.demand,
            random: Random(setup.seed),
            now: 0,
            end,
            order: 0,
            events: BinaryHeap::new(),
            envoys: Vec::new(),
            ledger: Ledger::default(),
            truth: HashMap::new(),
            outcome: Outcome::default(),
            setup,
        };
        for at in 0..setup.envoys {
            let skew = world.random.between(0, 2 * setup.skew).cast_signed();
            let wrong = match world.random.per_mille(setup.wrong_clocks) {
                true => 90_000,
                false => 0,
            };
            let envoy = Envoy {
                workers: world.process(),
                life: 0,
                skew: skew - setup.skew.cast_signed() + wrong,
            };
            world.envoys.push(envoy);
            let first = world.random.below(TICK);
            world.after(first, Event::Tick(at));
        }
        world.after(0, Event::Request);
        if setup.deaths > 0 {
            world.after(0, Event::Death);
        }
        world
    }

    /// The workers of a new process.
    fn process(&mut self) -> Vec<Worker> {
        let map = ProcessMap::default();
        let mut random = [0; 32];
        random.chunks_mut(8).for_each(|chunk| {
            chunk.copy_from_slice(&self.random.next().to_le_bytes());
        });
        let process = Process::join(&map, "process", random).expect("a map");
        let workers = 0..self.setup.workers;
        let worker = |_| {
            let book = BudgetBook {
                name: "daily".into(),
                per: vec!["tenant".into()],
                window: Duration::from_secs(self.setup.window),
                unit: Unit::TotalTokens,
                table: BudgetTable::new(10_000),
            };
            let terms = LedgerTerms {
                ledger: LedgerId::of(b"ledger"),
                lease: self.setup.lease,
                allow_local: self.setup.allow_local,
            };
            let budget = SharedBudget::new(map.clone(), "budget", book, process.clone());
            Worker {
                budget: WorkerBudget::new(budget, Some(terms)),
                waiting: Vec::new(),
                in_flight: HashMap::new(),
                keys: HashMap::new(),
            }
        };
        workers.map(worker).collect()
    }

    // === events ===

    fn after(&mut self, millis: u64, event: Event) {
        self.order += 1;
        self.events.push(Reverse(Scheduled {
            at: self.now + millis,
            order: self.order,
            event,
        }));
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Request => self.request(),
            Event::Ends(place, request, reservation) => self.ends(place, request, *reservation),
            Event::AtLedger(place, caller, call, body) => {
                if self.is_out() {
                    return;
                }
                let now = (EPOCH * 1000 + self.now) / 1000;
                let (status, answer) = self.ledger.receive(&body, now.cast_signed());
                if !self.random.per_mille(self.setup.lost) {
                    let answer = (status == 200).then_some(answer);
                    let delay = self.delay();
                    self.after(delay, Event::Answer(place, caller, call, answer));
                }
            }
            Event::Answer(place, caller, call, answer) => self.answer(place, caller, call, answer),
            Event::Tick(envoy) => {
                for worker in 0..self.setup.workers {
                    let life = self.envoys[envoy].life;
                    let place = Place {
                        envoy,
                        worker,
                        life,
                    };
                    let now = self.clock(envoy);
                    self.envoys[envoy].workers[worker]
                        .budget
                        .tick(now, &mut || self.random.id());
                    self.send(place);
                }
                if self.now < self.end {
                    self.after(TICK, Event::Tick(envoy));
                }
            }
            Event::Death => {
                let each = 3_600_000_000 / (self.setup.deaths * self.setup.envoys as u64);
                if self.now > 0 {
                    self.death();
                }
                if self.now < self.end {
                    let pause = self.random.between(1, 2 * each);
                    self.after(pause, Event::Death);
                }
            }
        }
    }

    /// Whether the ledger says nothing.
    fn is_out(&self) -> bool {
        let length = 1000 * self.setup.window;
        let into = self.now % length;
        self.setup.outages && (length / 3..2 * length / 3).contains(&into)
    }

    fn delay(&mut self) -> u64 {
        match self.random.per_mille(self.setup.late) {
            true => self.random.between(TIMEOUT, 20_000),
            false => self.random.between(1, 20),
        }
    }

    fn clock(&self, envoy: usize) -> UnixTime {
        let millis = (EPOCH * 1000 + self.now).cast_signed() + self.envoys[envoy].skew;
        UnixTime::from_micros(1000 * millis)
    }

    // === requests ===

    fn request(&mut self) {
        let setup = self.setup;
        if self.now < self.end {
            let pause = self.random.between(0, 2000 / setup.requests_per_second);
            self.after(pause, Event::Request);
        } else {
            return;
        }
        let caller = self.random.below(setup.callers as u64) as usize;
        // Each caller's requests come to its own Envoys.
        let nth = self.random.below(setup.envoys_per_caller as u64) as usize;
        let envoy = (caller * 7919 + nth) % setup.envoys;
        let worker = self.random.below(setup.workers as u64) as usize;
        let estimate = self.random.between(ESTIMATE.0, ESTIMATE.1);
        let used = match self.random.per_mille(setup.beyond) {
            true => estimate * 3,
            false => estimate * self.random.between(USED.0, USED.1) / 100,
        };
        self.outcome.requests += 1;
        let life = self.envoys[envoy].life;
        let request = Request {
            caller,
            estimate,
            used,
            came_at: self.now,
        };
        self.attempt(
            Place {
                envoy,
                worker,
                life,
            },
            request,
        );
        self.send(Place {
            envoy,
            worker,
            life,
        });
    }

    fn attempt(&mut self, place: Place, request: Request) {
        let now = self.clock(place.envoy);
        let (limit, at) = (self.limit, self.now);
        let worker = &mut self.envoys[place.envoy].workers[place.worker];
        let budget = &mut worker.budget;
        let key = worker.keys.entry(request.caller);
        let key = key.or_insert_with(|| budget.caller("corp", &[&request.caller.to_string()]));
        let reserved = budget.reserve(key, limit, request.estimate, now, &mut || self.random.id());
        match reserved {
            Reserved::Admitted(reservation, balance) => {
                let window = (request.caller, balance.window.begin());
                let truth = self.truth.entry(window).or_default();
                truth.reserved += request.estimate;
                let all = truth.reserved + truth.used;
                let over = all.saturating_sub(limit).saturating_sub(truth.beyond);
                self.outcome.overspent = self.outcome.overspent.max(over);
                self.outcome.admitted += 1;
                self.waited(request);
                let duration = self.random.between(100, 5000);
                let ends = Event::Ends(place, request, Box::new(reservation));
                self.after(duration, ends);
            }
            Reserved::Refused(balance) => {
                let window = (request.caller, balance.window.begin());
                let truth = self.truth.get(&window).copied().unwrap_or_default();
                let left = limit.saturating_sub(truth.used + truth.reserved);
                self.outcome.refused += 1;
                self.outcome.refused_with_budget_left += u64::from(left >= request.estimate);
                self.waited(request);
            }
            Reserved::Waiting if at < request.came_at + TIMEOUT => {
                worker.waiting.push((key.id(), request));
            }
            Reserved::Waiting | Reserved::Unavailable => {
                self.outcome.unavailable += 1;
                self.waited(request);
            }
            Reserved::Full => panic!("there is room for all callers"),
        }
    }

    fn waited(&mut self, request: Request) {
        let waited = self.now - request.came_at;
        self.outcome.waited += waited;
        self.outcome.waits += u64::from(waited > 0);
    }

    fn ends(&mut self, place: Place, request: Request, reservation: Reservation) {
        let window = (request.caller, reservation.window().begin());
        let truth = self.truth.entry(window).or_default();
        truth.reserved -= request.estimate;
        truth.used += request.used;
        truth.beyond += request.used.saturating_sub(request.estimate);
        let now = self.clock(place.envoy);
        let envoy = &mut self.envoys[place.envoy];
        if envoy.life == place.life {
            let worker = &mut envoy.workers[place.worker];
            worker.budget.settle(reservation, request.used, now);
            self.send(place);
        }
    }

    // === calls ===

    /// Sends what a worker has to say.
    fn send(&mut self, place: Place) {
        let now = self.clock(place.envoy);
        let worker = &mut self.envoys[place.envoy].workers[place.worker];
        for call in worker.budget.take_calls(now, &mut || self.random.id()) {
            self.order += 1;
            let number = self.order;
            let worker = &mut self.envoys[place.envoy].workers[place.worker];
            let before = worker.in_flight.insert(call.caller, number);
            assert_eq!(before, None, "one call for a caller and worker at a time");
            self.after(TIMEOUT, Event::Answer(place, call.caller, number, None));
            let arrivals = match self.random.per_mille(self.setup.doubled) {
                true => 2,
                false => 1,
            };
            for _ in 0..arrivals {
                if !self.random.per_mille(self.setup.lost) {
                    let delay = self.delay();
                    let body = call.body.clone();
                    self.after(delay, Event::AtLedger(place, call.caller, number, body));
                }
            }
        }
    }

    /// An answer, or the end of the wait for one, whichever is first.
    fn answer(&mut self, place: Place, caller: CallerId, call: u64, answer: Option<String>) {
        let now = self.clock(place.envoy);
        let envoy = &mut self.envoys[place.envoy];
        if envoy.life != place.life {
            return;
        }
        let worker = &mut envoy.workers[place.worker];
        if worker.in_flight.get(&caller) != Some(&call) {
            return;
        }
        worker.in_flight.remove(&caller);
        let answer = answer.as_deref().map(str::as_bytes);
        worker
            .budget
            .answered(caller, answer, now, &mut || self.random.id());
        let waiting = std::mem::take(&mut worker.waiting);
        let waiting = waiting.into_iter().partition(|(of, _)| *of == caller);
        let woken: Vec<(CallerId, Request)>;
        (woken, worker.waiting) = waiting;
        for (_, request) in woken {
            self.attempt(place, request);
        }
        self.send(place);
    }

    /// A process is lost, with all that it knew.
    fn death(&mut self) {
        let at = self.random.below(self.setup.envoys as u64) as usize;
        let workers = self.process();
        let envoy = &mut self.envoys[at];
        envoy.life += 1;
        let lost = std::mem::replace(&mut envoy.workers, workers);
        let waiting = lost.iter().map(|worker| worker.waiting.len() as u64);
        self.outcome.unavailable += waiting.sum::<u64>();
        self.outcome.deaths += 1;
    }
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}

impl Eq for Scheduled {}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}
