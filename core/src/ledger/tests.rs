#![allow(clippy::arithmetic_side_effects)]

use std::time::Duration;

use super::*;
use crate::api::Unit;
use crate::budget::book::{BudgetBook, BudgetTable};
use crate::budget::map::tests::TestMap;
use crate::budget::process::Process;
use crate::json::{self, Value};
use crate::ledger::terms::{LeaseSize, LedgerId};
use crate::limits::{LEASES_WATCHED, LEDGER_CALLS_IN_FLIGHT};

const BEGIN: i64 = 1_700_000_400;
const LIMIT: u64 = 1000;

/// Milliseconds after the begin of a window of ten minutes.
fn at(millis: i64) -> UnixTime {
    UnixTime::from_micros(1_000_000 * BEGIN + 1000 * millis)
}

fn terms(allow_local: bool) -> LedgerTerms {
    LedgerTerms {
        ledger: LedgerId::of(b"here"),
        lease: LeaseSize::Share(20_000),
        allow_local,
    }
}

/// A worker, and the ids that it draws.
struct Worker {
    budget: WorkerBudget<TestMap>,
    ids: u128,
}

impl Worker {
    fn new(map: &TestMap, terms: Option<LedgerTerms>) -> Self {
        Worker::with_room(map, terms, 100_000)
    }

    fn with_room(map: &TestMap, terms: Option<LedgerTerms>, callers: usize) -> Self {
        let book = BudgetBook {
            name: "daily".into(),
            per: vec!["tenant".into()],
            window: Duration::from_secs(600),
            unit: Unit::TotalTokens,
            table: BudgetTable::new(callers),
        };
        let process = Process::join(map, "p/process", [9; 32]).unwrap();
        let budget = SharedBudget::new(map.clone(), "p", book, process);
        Worker {
            budget: WorkerBudget::new(budget, terms),
            ids: 0,
        }
    }

    fn caller(&self, n: u64) -> CallerKey {
        self.budget.caller("corp", &[&n.to_string()])
    }

    fn reserve(&mut self, n: u64, estimate: u64, now: UnixTime) -> Reserved {
        let (caller, ids) = (self.caller(n), &mut self.ids);
        let mut draw = || {
            *ids += 1;
            Some(*ids)
        };
        self.budget
            .reserve(&caller, LIMIT, estimate, now, &mut draw)
    }

    fn shown(&mut self, n: u64, estimate: u64, now: UnixTime) -> String {
        shown(&self.reserve(n, estimate, now))
    }

    fn admitted(&mut self, n: u64, estimate: u64, now: UnixTime) -> Reservation {
        match self.reserve(n, estimate, now) {
            Reserved::Admitted(reservation, _) => reservation,
            other => panic!("{other:?}"),
        }
    }

    /// With a tick.
    fn calls(&mut self, now: UnixTime) -> Vec<Said> {
        let ids = &mut self.ids;
        let mut draw = || {
            *ids += 1;
            Some(*ids)
        };
        self.budget.tick(now, &mut draw);
        let calls = self.budget.take_calls(now, &mut draw);
        calls.iter().map(Said::read).collect()
    }

    /// What it asks, if it asks one thing.
    fn asks(&mut self, now: UnixTime) -> Said {
        let mut calls = self.calls(now);
        assert_eq!(calls.len(), 1, "{calls:?}");
        calls.remove(0)
    }

    fn says_nothing(&mut self, now: UnixTime) {
        assert_eq!(self.calls(now), []);
    }

    fn answer(&mut self, said: &Said, answer: Option<&str>, now: UnixTime) -> bool {
        let ids = &mut self.ids;
        let mut draw = || {
            *ids += 1;
            Some(*ids)
        };
        let answer = answer.map(str::as_bytes);
        self.budget.answered(said.caller, answer, now, &mut draw)
    }

    fn grant(&mut self, said: &Said, granted: u64, remaining: u64, now: UnixTime) {
        let answer = format!(r#"{{"granted":{granted},"remaining":{remaining}}}"#);
        assert!(self.answer(said, Some(&answer), now));
    }

    fn left(&self, n: u64, now: UnixTime) -> u64 {
        let balance = self.budget.peek(&self.caller(n), LIMIT, now);
        balance.unwrap().remaining
    }
}

/// What was said to the ledger.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Said {
    caller: CallerId,
    id: String,
    /// `want` or `return`, and how much.
    what: (&'static str, u64),
    window: i64,
}

impl Said {
    fn read(call: &LedgerCall) -> Said {
        let object = json::parse_object(&call.body).unwrap();
        let number = |name| object.get(name).and_then(Value::as_number)?.as_u64();
        let mut what = ["want", "return"].into_iter();
        let what = what.find_map(|name| Some((name, number(name)?)));
        assert_eq!(object.get("budget").unwrap().as_str(), Some("daily"));
        assert!(
            object
                .get("key")
                .unwrap()
                .as_str()
                .unwrap()
                .starts_with("[\"corp\",\"")
        );
        assert_eq!(number("length"), Some(600));
        Said {
            caller: call.caller,
            id: object.get("id").unwrap().as_str().unwrap().to_owned(),
            what: what.unwrap(),
            window: number("window").unwrap().cast_signed(),
        }
    }
}

fn shown(reserved: &Reserved) -> String {
    match reserved {
        Reserved::Admitted(_, balance) => format!("+{}", balance.remaining),
        Reserved::Refused(balance) => format!("-{}", balance.remaining),
        Reserved::Full => "full".into(),
        Reserved::Unavailable => "unavailable".into(),
        Reserved::Waiting => "waiting".into(),
    }
}

fn one() -> Worker {
    Worker::new(&TestMap::default(), Some(terms(false)))
}

fn two() -> (TestMap, [Worker; 2]) {
    let map = TestMap::default();
    let mut workers = [(); 2].map(|()| Worker::new(&map, Some(terms(false))));
    // They draw other ids.
    workers[1].ids = 1000;
    (map, workers)
}

// === one worker ===

#[test]
fn a_request_waits_for_a_grant_and_the_next_ones_spend_it() {
    let mut worker = one();
    assert_eq!(worker.shown(1, 5, at(0)), "waiting");
    let question = worker.asks(at(0));
    assert_eq!(question.what, ("want", 20));
    assert_eq!(question.window, BEGIN);
    worker.says_nothing(at(0));
    worker.grant(&question, 20, 980, at(10));
    assert_eq!(worker.shown(1, 5, at(10)), "+995");
    assert_eq!(worker.shown(1, 5, at(20)), "+990");
    worker.says_nothing(at(20));
    // Less than half a lease is left: it asks without waiting.
    assert_eq!(worker.shown(1, 1, at(30)), "+989");
    assert_eq!(worker.asks(at(30)).what, ("want", 20));
    assert_eq!(worker.shown(1, 9, at(40)), "+980");
    assert_eq!(worker.shown(1, 1, at(50)), "waiting");
    worker.says_nothing(at(50));
}

#[test]
fn callers_do_not_share_a_lease() {
    let mut worker = one();
    assert_eq!(worker.shown(1, 5, at(0)), "waiting");
    assert_eq!(worker.shown(2, 5, at(0)), "waiting");
    let calls = worker.calls(at(0));
    assert_eq!(calls.len(), 2);
    worker.grant(&calls[0], 20, 980, at(10));
    assert_eq!(worker.shown(1, 20, at(10)), "+980");
    assert_eq!(worker.shown(2, 1, at(10)), "waiting");
}

#[test]
fn a_request_asks_for_what_it_is_short_of() {
    let mut worker = one();
    worker.shown(1, 300, at(0));
    let question = worker.asks(at(0));
    assert_eq!(question.what, ("want", 300));
    worker.grant(&question, 300, 700, at(1));
    let _ = worker.admitted(1, 300, at(1));
    let question = worker.asks(at(1));
    worker.grant(&question, 20, 680, at(2));
    worker.shown(1, 120, at(2));
    assert_eq!(worker.asks(at(2)).what, ("want", 100));
}

#[test]
fn all_who_wait_are_asked_for_at_once() {
    let mut worker = one();
    for _ in 0..10 {
        assert_eq!(worker.shown(1, 50, at(0)), "waiting");
    }
    let first = worker.asks(at(0));
    assert_eq!(first.what, ("want", 50));
    worker.grant(&first, 50, 950, at(10));
    let second = worker.asks(at(10));
    assert_eq!(second.what, ("want", 450));
    assert_eq!(worker.shown(1, 50, at(10)), "+950");
    for _ in 0..9 {
        assert_eq!(worker.shown(1, 50, at(10)), "waiting");
    }
    worker.grant(&second, 450, 500, at(20));
    for n in 1..10 {
        let expected = format!("+{}", 950 - 50 * n);
        assert_eq!(worker.shown(1, 50, at(20)), expected);
    }
    // All that waited is there, and none of it is left.
    assert_eq!(worker.asks(at(20)).what, ("want", 20));
}

#[test]
fn what_does_not_fit_into_the_limit_is_not_asked_for() {
    let mut worker = one();
    assert_eq!(worker.shown(1, LIMIT + 1, at(0)), "-1000");
    worker.says_nothing(at(0));
    worker.shown(1, 995, at(0));
    let question = worker.asks(at(0));
    worker.grant(&question, 995, 5, at(0));
    let _ = worker.admitted(1, 995, at(0));
    assert_eq!(worker.shown(1, 6, at(0)), "-5");
    // And ahead it asks for no more than there can be.
    assert_eq!(worker.asks(at(0)).what, ("want", 5));
}

#[test]
fn nothing_granted_refuses_and_pauses() {
    let mut worker = one();
    worker.shown(1, 5, at(0));
    let question = worker.asks(at(0));
    worker.grant(&question, 0, 0, at(100));
    for millis in [100, 500, 1099] {
        assert_eq!(worker.shown(1, 5, at(millis)), "-0");
        worker.says_nothing(at(millis));
    }
    // Another caller has its own pause.
    assert_eq!(worker.shown(2, 5, at(1099)), "waiting");
    assert_eq!(worker.asks(at(1099)).caller, worker.caller(2).id());
    assert_eq!(worker.shown(1, 5, at(1100)), "waiting");
    let again = worker.asks(at(1100));
    assert_ne!(again.id, question.id);
    worker.grant(&again, 5, 0, at(1110));
    assert_eq!(worker.shown(1, 5, at(1110)), "+0");
}

#[test]
fn a_smaller_grant_is_spent_and_the_rest_asked_for_again() {
    let mut worker = one();
    worker.shown(1, 10, at(0));
    let question = worker.asks(at(0));
    worker.grant(&question, 7, 0, at(1));
    // It asks for who waits without being told.
    let question = worker.asks(at(1));
    assert_eq!(question.what, ("want", 20));
    assert_eq!(worker.shown(1, 10, at(1)), "waiting");
    worker.grant(&question, 0, 0, at(2));
    assert_eq!(worker.shown(1, 10, at(2)), "-7");
    assert_eq!(worker.shown(1, 7, at(2)), "+0");
}

// === no answer ===

#[test]
fn without_an_answer_one_probe_a_second_is_made() {
    let mut worker = one();
    worker.shown(1, 5, at(0));
    let question = worker.asks(at(0));
    assert!(!worker.answer(&question, None, at(300)));
    for millis in [300, 600, 999] {
        assert_eq!(worker.shown(1, 5, at(millis)), "unavailable");
        assert_eq!(worker.shown(2, 5, at(millis)), "unavailable");
        worker.says_nothing(at(millis));
    }
    // A tick asks the same again.
    assert_eq!(worker.asks(at(1000)), question);
    assert_eq!(worker.shown(1, 5, at(1001)), "unavailable");
    assert!(!worker.answer(&question, None, at(1300)));
    // A request may be faster than the tick, and waits for it.
    assert_eq!(worker.shown(2, 5, at(2000)), "waiting");
    let other = worker.asks(at(2000));
    assert_ne!(other.id, question.id);
    assert_eq!(worker.shown(2, 5, at(2001)), "unavailable");
    assert_eq!(worker.shown(1, 5, at(2001)), "unavailable");
    worker.grant(&other, 20, 900, at(2010));
    // What was lost is asked again at once.
    assert_eq!(worker.asks(at(2010)), question);
    assert_eq!(worker.shown(1, 5, at(2010)), "waiting");
    worker.grant(&question, 20, 900, at(2020));
    assert_eq!(worker.shown(1, 5, at(2020)), "+915");
    worker.says_nothing(at(2020));
}

#[test]
fn what_is_no_answer_counts_as_none() {
    for answer in ["", "{}", r#"{"granted":21}"#, r#"{"now":1700000000}"#] {
        let mut worker = one();
        worker.shown(1, 5, at(0));
        let question = worker.asks(at(0));
        assert!(!worker.answer(&question, Some(answer), at(10)));
        assert_eq!(worker.shown(1, 5, at(10)), "unavailable", "{answer}");
        assert_eq!(worker.asks(at(1000)), question);
    }
}

#[test]
fn what_is_granted_can_be_spent_while_the_ledger_is_away() {
    let mut worker = one();
    worker.shown(1, 5, at(0));
    let question = worker.asks(at(0));
    worker.grant(&question, 20, 980, at(0));
    let _ = worker.admitted(1, 15, at(0));
    let ahead = worker.asks(at(0));
    assert!(!worker.answer(&ahead, None, at(300)));
    assert_eq!(worker.shown(1, 5, at(300)), "+980");
    assert_eq!(worker.shown(1, 1, at(300)), "unavailable");
}

#[test]
fn an_answer_that_nobody_asked_for_changes_nothing() {
    let mut worker = one();
    worker.shown(1, 5, at(0));
    let question = worker.asks(at(0));
    let stranger = Said {
        caller: worker.caller(9).id(),
        ..question.clone()
    };
    let grant = r#"{"granted":20}"#;
    assert!(!worker.answer(&stranger, Some(grant), at(1)));
    assert!(worker.answer(&question, Some(grant), at(1)));
    assert!(!worker.answer(&question, Some(grant), at(2)));
    let _ = worker.admitted(1, 20, at(2));
    assert_eq!(worker.shown(1, 1, at(2)), "waiting");
}

#[test]
fn a_host_without_random_numbers_asks_nothing() {
    let mut worker = one();
    let caller = worker.caller(1);
    let reserved = worker
        .budget
        .reserve(&caller, LIMIT, 5, at(0), &mut || None);
    assert_eq!(shown(&reserved), "unavailable");
    worker.says_nothing(at(0));
}

// === allowed to spend here ===

#[test]
fn what_may_be_spent_here_is_asked_for_first() {
    let map = TestMap::default();
    let mut worker = Worker::new(&map, Some(terms(true)));
    // Until it is known that the ledger is away, a request waits for it.
    assert_eq!(worker.shown(1, 400, at(0)), "waiting");
    let question = worker.asks(at(0));
    assert!(!worker.answer(&question, None, at(300)));
    assert_eq!(worker.shown(1, 400, at(300)), "+600");
    assert_eq!(worker.shown(1, 500, at(310)), "+100");
    assert_eq!(worker.shown(1, 101, at(320)), "-100");
    worker.says_nothing(at(320));
    // Nobody waits for a probe.
    assert_eq!(worker.shown(2, 10, at(1000)), "+990");
    assert_eq!(worker.asks(at(1000)), question);
    worker.grant(&question, 400, 600, at(1010));
    assert_eq!(worker.shown(1, 10, at(1010)), "waiting");
    let calls = worker.calls(at(1010));
    let wants: Vec<_> = calls.iter().map(|call| call.what).collect();
    assert_eq!(wants, [("want", 510), ("want", 20)]);
    worker.grant(&calls[0], 500, 100, at(1020));
    // All is granted that was spent here, and others have spent the rest.
    let more = worker_asks(&mut worker, 1, at(1020));
    worker.grant(&more, 0, 0, at(1030));
    assert_eq!(worker.shown(1, 10, at(1030)), "-0");
}

/// The one call for this caller.
fn worker_asks(worker: &mut Worker, n: u64, now: UnixTime) -> Said {
    let caller = worker.caller(n).id();
    let mut calls = worker.calls(now).into_iter();
    calls.find(|call| call.caller == caller).expect("a call")
}

#[test]
fn what_was_used_beyond_the_grant_is_asked_for_without_another_request() {
    let mut worker = one();
    worker.shown(1, 5, at(0));
    let question = worker.asks(at(0));
    worker.grant(&question, 20, 980, at(0));
    let reservation = worker.admitted(1, 5, at(0));
    worker.budget.settle(reservation, 20, at(1));
    worker.says_nothing(at(1));
    let reservation = {
        let key = worker.caller(1);
        worker.budget.charge(&key, 0, at(1)).unwrap();
        worker.reserve(1, 0, at(1))
    };
    let Reserved::Admitted(reservation, _) = reservation else {
        panic!("nothing is needed");
    };
    let ahead = worker.asks(at(1));
    worker.grant(&ahead, 20, 960, at(2));
    worker.budget.settle(reservation, 70, at(3));
    assert_eq!(worker.left(1, at(3)), 910);
    assert_eq!(worker.asks(at(3)).what, ("want", 50));
}

#[test]
fn shadow_charges_ask_nothing() {
    let mut worker = one();
    let key = worker.caller(1);
    worker.budget.charge(&key, 500, at(0)).unwrap();
    worker.says_nothing(at(0));
    assert_eq!(worker.left(1, at(0)), 500);
    // Whoever spends then asks for it.
    worker.shown(1, 5, at(10));
    assert_eq!(worker.asks(at(10)).what, ("want", 505));
}

// === several workers ===

#[test]
fn workers_spend_one_lease() {
    let (_, [mut a, mut b]) = two();
    a.shown(1, 5, at(0));
    let question = a.asks(at(0));
    a.grant(&question, 20, 980, at(1));
    assert_eq!(b.shown(1, 15, at(1)), "+985");
    assert_eq!(a.shown(1, 5, at(1)), "+980");
    assert_eq!(b.shown(1, 1, at(1)), "waiting");
}

#[test]
fn a_question_that_is_open_is_asked_again_before_any_other() {
    let (_, [mut a, mut b]) = two();
    a.shown(1, 5, at(0));
    let question = a.asks(at(0));
    // Whatever this one needs.
    assert_eq!(b.shown(1, 300, at(1)), "waiting");
    assert_eq!(b.asks(at(1)), question);
    // The same answer twice is one grant; and then it asks for the rest.
    b.grant(&question, 20, 980, at(2));
    let rest = b.asks(at(2));
    assert_eq!(rest.what, ("want", 280));
    a.grant(&question, 20, 980, at(3));
    assert_eq!(a.shown(1, 20, at(3)), "+980");
    assert_eq!(a.shown(1, 1, at(3)), "waiting");
    assert_eq!(a.asks(at(3)), rest);
}

#[test]
fn another_worker_asks_what_a_lost_one_has_asked() {
    let (map, [mut a, _]) = two();
    a.shown(1, 5, at(0));
    let question = a.asks(at(0));
    drop(a);
    let mut c = Worker::new(&map, Some(terms(false)));
    c.ids = 2000;
    // Nobody waits there, so it leaves the question alone.
    assert_eq!(c.shown(1, 5, at(5)), "waiting");
    assert_eq!(c.asks(at(5)), question);
    c.grant(&question, 20, 980, at(6));
    assert_eq!(c.shown(1, 5, at(6)), "+995");
}

#[test]
fn ahead_one_worker_asks() {
    let (_, [mut a, mut b]) = two();
    a.shown(1, 5, at(0));
    let question = a.asks(at(0));
    a.grant(&question, 20, 980, at(1));
    let _ = a.admitted(1, 12, at(1));
    let ahead = a.asks(at(1));
    let _ = b.admitted(1, 2, at(1));
    b.says_nothing(at(1));
    a.grant(&ahead, 20, 960, at(2));
    let _ = b.admitted(1, 2, at(2));
    b.says_nothing(at(2));
}

#[test]
fn a_grant_of_nothing_pauses_all_workers() {
    let (_, [mut a, mut b]) = two();
    a.shown(1, 5, at(0));
    let question = a.asks(at(0));
    a.grant(&question, 0, 0, at(1));
    assert_eq!(b.shown(1, 5, at(2)), "-0");
    b.says_nothing(at(2));
}

// === idle ===

#[test]
fn what_is_idle_goes_back_once() {
    let (_, [mut a, mut b]) = two();
    for (n, used) in [(1, 5), (2, 0)] {
        a.shown(n, 5, at(0));
        let question = a.asks(at(0));
        a.grant(&question, 20, 980, at(0));
        let reservation = a.admitted(n, 5, at(0));
        a.budget.settle(reservation, used, at(1000));
    }
    a.says_nothing(at(30_900));
    let mut calls = a.calls(at(31_000));
    calls.sort_by_key(|call| call.what);
    let returned: Vec<_> = calls.iter().map(|call| call.what).collect();
    assert_eq!(returned, [("return", 15), ("return", 20)]);
    assert_ne!(calls[0].id, calls[1].id);
    // It can be granted to others, and what is left is the same.
    assert_eq!([a.left(1, at(31_000)), a.left(2, at(31_000))], [995, 1000]);
    // Whatever comes of it.
    assert!(a.answer(&calls[0], Some(r#"{"granted":0}"#), at(31_001)));
    assert!(!a.answer(&calls[1], None, at(31_300)));
    for millis in [32_000, 62_000, 120_000] {
        a.says_nothing(at(millis));
        b.says_nothing(at(millis));
    }
    assert_eq!(b.shown(1, 1, at(120_000)), "waiting");
}

#[test]
fn what_is_used_by_another_worker_is_not_idle() {
    let (_, [mut a, mut b]) = two();
    a.shown(1, 5, at(0));
    let question = a.asks(at(0));
    a.grant(&question, 20, 980, at(0));
    for second in 1..5 {
        let reservation = b.admitted(1, 1, at(20_000 * second));
        a.says_nothing(at(20_000 * second + 9000));
        b.budget.give_back(reservation, at(20_000 * second));
    }
    a.says_nothing(at(109_900));
    assert_eq!(a.asks(at(110_000)).what, ("return", 20));
}

#[test]
fn a_request_that_comes_back_waits_for_what_goes_back() {
    let mut worker = one();
    worker.shown(1, 5, at(0));
    let question = worker.asks(at(0));
    worker.grant(&question, 20, 980, at(0));
    let back = worker.asks(at(30_000));
    assert_eq!(back.what, ("return", 20));
    assert_eq!(worker.shown(1, 5, at(30_001)), "waiting");
    worker.says_nothing(at(30_001));
    assert!(worker.answer(&back, Some("{}"), at(30_010)));
    assert_eq!(worker.shown(1, 5, at(30_010)), "waiting");
    assert_eq!(worker.asks(at(30_010)).what, ("want", 20));
}

#[test]
fn nothing_goes_back_while_the_ledger_is_away() {
    let mut worker = one();
    worker.shown(1, 5, at(0));
    let question = worker.asks(at(0));
    worker.grant(&question, 20, 980, at(0));
    worker.shown(2, 5, at(29_000));
    let other = worker.asks(at(29_000));
    assert!(!worker.answer(&other, None, at(29_300)));
    // The probe is the open question.
    assert_eq!(worker.asks(at(30_000)), other);
    assert_eq!(worker.left(1, at(30_000)), 1000);
    worker.grant(&other, 20, 980, at(30_100));
    worker.says_nothing(at(30_500));
    assert_eq!(worker.asks(at(31_000)).what, ("return", 20));
}

#[test]
fn a_caller_that_got_nothing_is_forgotten() {
    let map = TestMap::default();
    let mut worker = Worker::with_room(&map, Some(terms(false)), 10);
    for n in 0..200_u32 {
        let now = at(i64::from(n) * 2500);
        let n = u64::from(n);
        assert_eq!(worker.shown(n, 5, now), "waiting", "{n}");
        let question = worker_asks(&mut worker, n, now);
        worker.grant(&question, 0, 0, now);
        assert_eq!(worker.shown(n, 5, now), "-0");
    }
    assert!(
        worker
            .budget
            .ledger
            .as_ref()
            .unwrap()
            .1
            .watched(worker.caller(0).id())
            .is_none()
    );
}

// === windows ===

const NEXT: i64 = 600_000;

#[test]
fn a_lease_ends_with_its_window() {
    let mut worker = one();
    worker.shown(1, 5, at(NEXT - 10));
    let question = worker.asks(at(NEXT - 10));
    worker.grant(&question, 20, 980, at(NEXT - 5));
    assert_eq!(worker.shown(1, 5, at(NEXT)), "waiting");
    let next = worker.asks(at(NEXT));
    assert_eq!(next.window, BEGIN + 600);
    assert_ne!(next.id, question.id);
    worker.grant(&next, 20, 980, at(NEXT + 1));
    assert_eq!(worker.shown(1, 5, at(NEXT + 1)), "+995");
}

#[test]
fn a_grant_for_a_window_that_is_past_is_lost() {
    let mut worker = one();
    worker.shown(1, 5, at(NEXT - 10));
    let question = worker.asks(at(NEXT - 10));
    // Its window ends while it is under way.
    assert_eq!(worker.shown(1, 5, at(NEXT)), "waiting");
    worker.says_nothing(at(NEXT));
    worker.grant(&question, 20, 980, at(NEXT + 1));
    assert_eq!(worker.shown(1, 5, at(NEXT + 1)), "waiting");
    let next = worker.asks(at(NEXT + 1));
    worker.grant(&next, 20, 980, at(NEXT + 2));
    assert_eq!(worker.shown(1, 20, at(NEXT + 2)), "+980");
    assert_eq!(worker.shown(1, 1, at(NEXT + 2)), "waiting");
}

#[test]
fn neither_questions_nor_leases_of_a_past_window_are_minded() {
    let mut worker = one();
    worker.shown(1, 5, at(NEXT - 20_000));
    let kept = worker.asks(at(NEXT - 20_000));
    worker.grant(&kept, 20, 980, at(NEXT - 20_000));
    worker.shown(2, 5, at(NEXT - 800));
    let lost = worker.asks(at(NEXT - 800));
    assert!(!worker.answer(&lost, None, at(NEXT - 500)));
    for millis in [NEXT + 500, NEXT + 40_000] {
        worker.says_nothing(at(millis));
    }
    // A request finds out whether the ledger is back.
    assert_eq!(worker.shown(2, 5, at(NEXT + 40_000)), "waiting");
    assert_ne!(worker.asks(at(NEXT + 40_000)).id, lost.id);
}

// === bounds ===

#[test]
fn calls_and_watched_callers_are_bounded() {
    let mut worker = one();
    let calls = LEDGER_CALLS_IN_FLIGHT as u64;
    for n in 0..calls {
        assert_eq!(worker.shown(n, 5, at(0)), "waiting");
    }
    assert_eq!(worker.shown(calls, 5, at(0)), "unavailable");
    // Who joins needs no call.
    assert_eq!(worker.shown(3, 5, at(0)), "waiting");
    let asked = worker.calls(at(0));
    assert_eq!(asked.len(), LEDGER_CALLS_IN_FLIGHT);
    worker.grant(&asked[0], 20, 980, at(1));
    assert_eq!(worker.shown(calls, 5, at(1)), "waiting");
    let mut worker = one();
    for n in 0..LEASES_WATCHED as u64 + 100 {
        worker.shown(n, 5, at(0));
        let question = worker.asks(at(0));
        worker.grant(&question, 20, 980, at(0));
    }
    let mut returned = 0;
    for tick in 0..200 {
        let calls = worker.calls(at(30_000 + 250 * tick));
        assert!(calls.len() <= LEDGER_CALLS_IN_FLIGHT);
        for call in &calls {
            assert_eq!(call.what, ("return", 20));
            assert!(worker.answer(call, Some("{}"), at(30_000 + 250 * tick)));
        }
        returned += calls.len();
    }
    assert_eq!(returned, LEASES_WATCHED);
}

// === without a ledger ===

#[test]
fn a_budget_without_a_ledger_asks_nothing() {
    let map = TestMap::default();
    let mut worker = Worker::new(&map, None);
    let reservation = worker.admitted(1, 300, at(0));
    assert_eq!(worker.shown(1, 701, at(0)), "-700");
    worker.budget.settle(reservation, 100, at(0));
    assert_eq!(worker.left(1, at(0)), 900);
    worker.says_nothing(at(0));
    assert_eq!(worker.caller(1).name(), None);
    let stranger = worker.caller(1).id();
    assert!(
        !worker
            .budget
            .answered(stranger, Some(b"{}"), at(0), &mut || None)
    );
}

#[test]
fn a_budget_that_moves_to_a_ledger_keeps_what_is_spent() {
    let map = TestMap::default();
    let mut local = Worker::new(&map, None);
    let _ = local.admitted(1, 300, at(0));
    let mut moved = Worker::new(&map, Some(terms(false)));
    assert_eq!(moved.left(1, at(0)), 700);
    moved.shown(1, 5, at(0));
    let question = moved.asks(at(0));
    assert_eq!(question.what, ("want", 305));
    moved.grant(&question, 305, 695, at(0));
    let _ = moved.admitted(1, 5, at(0));
    // And back again.
    assert_eq!(local.left(1, at(0)), 695);
    assert_eq!(local.shown(1, 695, at(0)), "+0");
}
