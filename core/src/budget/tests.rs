#![allow(clippy::arithmetic_side_effects)]

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use super::*;
use crate::api::Unit;
use crate::budget::book::BudgetTable;
use crate::budget::map::Held;
use crate::budget::map::tests::{Random, TestMap};
use crate::limits::WHOLE_NUMBER;

const MINUTE: i64 = 60;
const BEGIN: i64 = 1_700_000_040;

fn at(second: i64) -> UnixTime {
    UnixTime::from_secs(BEGIN + second)
}

fn book(callers: usize) -> BudgetBook {
    BudgetBook {
        name: "daily".into(),
        per: vec!["tenant".into()],
        window: Duration::from_secs(60),
        unit: Unit::TotalTokens,
        table: BudgetTable::new(callers),
    }
}

fn worker<M: SharedMap>(map: M, callers: usize) -> SharedBudget<M> {
    let process = Process::join(&map, "p/process", [9; 32]).unwrap();
    SharedBudget::new(map, "p", book(callers), process)
}

fn caller<M: SharedMap>(budget: &SharedBudget<M>, n: u64) -> CallerKey {
    CallerKey::new(&budget.process().seed, "corp", &[&n.to_string()])
}

/// Two workers of one process, and their map.
struct Two {
    map: TestMap,
    a: SharedBudget<TestMap>,
    b: SharedBudget<TestMap>,
}

impl Two {
    fn new(callers: usize) -> Self {
        let map = TestMap::default();
        Two {
            a: worker(map.clone(), callers),
            b: worker(map.clone(), callers),
            map,
        }
    }
}

fn admitted(reserved: Reserved) -> Reservation {
    match reserved {
        Reserved::Admitted(reservation, _) => reservation,
        other => panic!("{other:?}"),
    }
}

/// `+` what is left after an admission, `-` what is left after a refusal.
fn shown(reserved: &Reserved) -> String {
    match reserved {
        Reserved::Admitted(_, balance) => format!("+{}", balance.remaining),
        Reserved::Refused(balance) => format!("-{}", balance.remaining),
        Reserved::Full => "full".into(),
        Reserved::Unavailable => "unavailable".into(),
        Reserved::Waiting => "waiting".into(),
    }
}

fn left<M: SharedMap>(budget: &SharedBudget<M>, n: u64, limit: u64, now: UnixTime) -> u64 {
    let balance = budget.peek(&caller(budget, n), limit, now).unwrap();
    balance.remaining
}

// === one budget ===

#[test]
fn workers_spend_from_one_budget() {
    let mut two = Two::new(10);
    let key = caller(&two.a, 1);
    let first = two.a.reserve(&key, 100, 60, at(0));
    assert_eq!(shown(&first), "+40");
    assert_eq!(shown(&two.b.reserve(&key, 100, 41, at(0))), "-40");
    let second = two.b.reserve(&key, 100, 40, at(0));
    assert_eq!(shown(&second), "+0");
    assert_eq!(shown(&two.a.reserve(&key, 100, 1, at(0))), "-0");
    two.a.settle(admitted(first), 10, at(1));
    assert_eq!(left(&two.b, 1, 100, at(1)), 50);
    two.b.settle(admitted(second), 45, at(2));
    assert_eq!(left(&two.a, 1, 100, at(2)), 45);
}

#[test]
fn a_request_may_use_more_than_it_reserved() {
    let mut two = Two::new(10);
    let key = caller(&two.a, 1);
    let reserved = admitted(two.a.reserve(&key, 100, 60, at(0)));
    two.a.settle(reserved, 250, at(1));
    assert_eq!(left(&two.b, 1, 100, at(1)), 0);
    assert_eq!(left(&two.b, 1, 1000, at(1)), 750);
    for limit in [100, 250] {
        assert_eq!(shown(&two.b.reserve(&key, limit, 1, at(1))), "-0");
    }
    assert_eq!(shown(&two.b.reserve(&key, 251, 1, at(1))), "+0");
}

#[test]
fn the_limit_belongs_to_the_request_and_what_is_spent_to_the_caller() {
    let two = Two::new(10);
    let key = caller(&two.a, 1);
    for (limit, estimate, expected) in [
        (100, 50, "+50"),
        (10, 1, "-0"),
        (200, 150, "+0"),
        (100, 0, "-0"),
        (200, 0, "+0"),
        (0, 0, "-0"),
        (300, 100, "+0"),
    ] {
        assert_eq!(
            shown(&two.b.reserve(&key, limit, estimate, at(0))),
            expected
        );
    }
}

#[test]
fn a_limit_of_zero_is_for_nobody() {
    let two = Two::new(10);
    let key = caller(&two.a, 1);
    for estimate in [0, 1] {
        assert_eq!(shown(&two.a.reserve(&key, 0, estimate, at(0))), "-0");
    }
    // A refusal leaves nothing behind.
    assert_eq!(two.map.values().len(), 1, "the process alone");
}

#[test]
fn what_is_given_back_was_never_spent() {
    let mut two = Two::new(10);
    let key = caller(&two.a, 1);
    let first = admitted(two.a.reserve(&key, 100, 60, at(0)));
    let second = admitted(two.a.reserve(&key, 100, 40, at(0)));
    two.a.give_back(first, at(0));
    assert_eq!(left(&two.b, 1, 100, at(0)), 60);
    two.a.give_back(second, at(0));
    assert_eq!(left(&two.b, 1, 100, at(0)), 100);
}

#[test]
fn callers_do_not_spend_from_each_others_budget() {
    let two = Two::new(10_000);
    for n in 0..5_000 {
        assert_eq!(
            shown(&two.a.reserve(&caller(&two.a, n), 100, n % 100, at(0))).get(..1),
            Some("+")
        );
    }
    for n in 0..5_000 {
        assert_eq!(left(&two.b, n, 100, at(0)), 100 - n % 100);
    }
}

#[test]
fn what_was_charged_without_a_reservation_is_spent() {
    let mut two = Two::new(10);
    let key = caller(&two.a, 1);
    two.a.charge(&key, 0, at(0)).unwrap();
    assert_eq!(two.map.values().len(), 1, "nothing is charged");
    two.a.charge(&key, 70, at(0)).unwrap();
    two.a.charge(&key, 70, at(0)).unwrap();
    assert_eq!(left(&two.b, 1, 100, at(0)), 0);
    assert_eq!(left(&two.b, 1, 200, at(0)), 60);
    assert_eq!(shown(&two.b.reserve(&key, 100, 0, at(0))), "-0");
}

#[test]
fn to_look_writes_nothing() {
    let two = Two::new(10);
    let key = caller(&two.a, 1);
    let _ = two.a.reserve(&key, 100, 60, at(0));
    let writes = two.map.writes();
    left(&two.b, 1, 100, at(0));
    left(&two.b, 2, 100, at(70));
    assert_eq!(shown(&two.b.reserve(&key, 100, 41, at(0))), "-40");
    assert_eq!(two.map.writes(), writes);
}

// === windows ===

#[test]
fn a_window_begins_at_zero_and_the_last_one_never_opens_again() {
    let two = Two::new(10);
    let key = caller(&two.a, 1);
    assert_eq!(shown(&two.a.reserve(&key, 100, 100, at(59))), "+0");
    assert_eq!(shown(&two.a.reserve(&key, 100, 1, at(59))), "-0");
    assert_eq!(shown(&two.a.reserve(&key, 100, 60, at(60))), "+40");
    // The clock of another worker is late, or was set back for hours.
    for second in [59, 0, -7200] {
        assert_eq!(shown(&two.b.reserve(&key, 100, 41, at(second))), "-40");
        let balance = two.b.peek(&key, 100, at(second)).unwrap();
        assert_eq!(balance.window.end(), at(120));
        let again = two.a.reserve(&key, 100, 0, at(second));
        assert_eq!(admitted(again).window().begin(), BEGIN + 60);
    }
}

#[test]
fn a_request_belongs_to_the_window_that_admitted_it() {
    let mut two = Two::new(10);
    let key = caller(&two.a, 1);
    for (settled_at, used, left_then) in [(61, 100, 100), (61, 0, 100), (3600, 100, 100)] {
        let reserved = admitted(two.a.reserve(&key, 100, 50, at(0)));
        assert_eq!(two.a.settle(reserved, used, at(settled_at)), None);
        assert_eq!(left(&two.b, 1, 100, at(settled_at)), left_then);
        two = Two::new(10);
    }
    // The next window has begun for another worker, and this one's clock is late.
    let reserved = admitted(two.a.reserve(&key, 100, 50, at(59)));
    let next = admitted(two.b.reserve(&key, 100, 30, at(60)));
    assert_eq!(two.a.settle(reserved, 100, at(59)), None);
    assert_eq!(left(&two.b, 1, 100, at(60)), 70);
    two.b.settle(next, 40, at(60));
    assert_eq!(left(&two.a, 1, 100, at(59)), 60);
}

#[test]
fn a_clock_that_shows_no_time_spends_nothing() {
    let mut two = Two::new(10);
    let key = caller(&two.a, 1);
    let reserved = admitted(two.a.reserve(&key, 100, 60, at(0)));
    for now in [
        UnixTime::FAR_FUTURE,
        UnixTime::FAR_PAST,
        UnixTime::from_secs(-1),
    ] {
        assert_eq!(shown(&two.a.reserve(&key, 100, 1, now)), "unavailable");
        assert_eq!(two.a.peek(&key, 100, now), Err(Trouble::Unavailable));
        assert_eq!(two.a.charge(&key, 1, now), Err(Trouble::Unavailable));
    }
    // And when it goes on, nothing was lost.
    assert_eq!(two.a.settle(reserved, 10, UnixTime::FAR_FUTURE), None);
    two.a.tick(UnixTime::FAR_FUTURE);
    assert_eq!(left(&two.b, 1, 100, at(0)), 40);
    two.a.tick(at(1));
    assert_eq!(left(&two.b, 1, 100, at(1)), 90);
}

// === memory ===

/// How many distinct callers can spend something.
fn callers_until_full(two: &Two, now: UnixTime) -> u64 {
    let admitted = (0..100_000).take_while(|n| {
        let reserved = two.a.reserve(&caller(&two.a, *n), 100, 1, now);
        !matches!(reserved, Reserved::Full)
    });
    admitted.count() as u64
}

#[test]
fn there_is_room_for_the_configured_callers_and_at_most_for_twice_as_many() {
    for configured in [1_u64, 2, 3, 16, 1000, 5000] {
        let two = Two::new(usize::try_from(configured).unwrap());
        let room = callers_until_full(&two, at(0));
        assert!(
            (configured..=2 * configured).contains(&room),
            "{configured}: {room}"
        );
        // Those who have an account still spend.
        for n in 0..room {
            assert_eq!(
                shown(&two.b.reserve(&caller(&two.b, n), 100, 1, at(0))),
                "+98"
            );
        }
        assert_eq!(
            shown(&two.b.reserve(&caller(&two.b, room), 100, 1, at(0))),
            "full"
        );
        // The next window has room again.
        assert_eq!(callers_until_full(&two, at(60)), room);
        let bytes: usize = two.map.values().values().map(Vec::len).sum();
        // A bucket, and the others of the last window that nobody has met since.
        let most = usize::try_from(room).unwrap() * 2 * (25 + 18) + 200;
        assert!(bytes <= most, "{configured}: {bytes} of {most}");
    }
}

#[test]
fn who_spends_nothing_makes_room_for_others() {
    let mut two = Two::new(10);
    let mut rounds = 0;
    for n in 0..1000 {
        let key = caller(&two.a, n);
        let reserved = admitted(two.a.reserve(&key, 100, 7 * (n % 2), at(0)));
        two.b.give_back(reserved, at(0));
        rounds += 1;
    }
    assert_eq!(rounds, 1000);
    assert_eq!(callers_until_full(&two, at(0)), 15);
}

#[test]
fn who_costs_nothing_takes_room_too() {
    let mut two = Two::new(10);
    let reserved: Vec<Reservation> = (0..15)
        .map(|n| admitted(two.a.reserve(&caller(&two.a, n), 100, 0, at(0))))
        .collect();
    let late = caller(&two.a, 99);
    assert_eq!(shown(&two.a.reserve(&late, 100, 0, at(0))), "full");
    assert_eq!(two.a.charge(&late, 5, at(0)), Err(Trouble::Full));
    for reserved in reserved {
        two.a.settle(reserved, 30, at(0));
    }
    for n in 0..15 {
        assert_eq!(left(&two.b, n, 100, at(0)), 70);
    }
}

#[test]
fn a_debt_is_recorded_also_where_there_is_no_room() {
    let mut two = Two::new(10);
    let key = caller(&two.a, 99);
    let [first, second] = [0, 0].map(|free| admitted(two.a.reserve(&key, 100, free, at(0))));
    // It has nothing reserved or spent, so its place is free.
    two.a.give_back(first, at(0));
    assert_eq!(callers_until_full(&two, at(0)), 15);
    two.a.settle(second, 40, at(0));
    assert_eq!(left(&two.b, 99, 100, at(0)), 60);
}

#[test]
fn one_budget_keeps_what_is_spent_when_its_size_changes() {
    let map = TestMap::default();
    let small = worker(map.clone(), 2);
    let large = worker(map, 10_000);
    for n in 0..1000 {
        let _ = admitted(large.reserve(&caller(&large, n), 100, 60, at(0)));
    }
    for n in 0..1000 {
        assert_eq!(left(&small, n, 100, at(0)), 40);
        assert_eq!(
            shown(&small.reserve(&caller(&small, n), 100, 40, at(0))),
            "+0"
        );
    }
    assert_eq!(
        shown(&small.reserve(&caller(&small, 1000), 100, 1, at(0))),
        "full"
    );
    assert_eq!(
        shown(&large.reserve(&caller(&large, 1000), 100, 1, at(0))),
        "+99"
    );
}

// === damage and failure ===

#[test]
fn a_damaged_bucket_refuses_its_callers_until_the_window_ends() {
    let mut two = Two::new(10);
    let [mine, other] = [1, 2].map(|n| caller(&two.a, n));
    let reserved = admitted(two.a.reserve(&mine, 100, 60, at(0)));
    let _ = two.a.reserve(&other, 100, 10, at(0));
    let bucket = book(10).table.bucket_of(mine.id().bits());
    two.map
        .put(&format!("p/{}/{bucket}", book(10).digest()), b"anything");
    for budget in [&two.a, &two.b] {
        assert_eq!(shown(&budget.reserve(&mine, 100, 1, at(30))), "unavailable");
        assert_eq!(budget.peek(&mine, 100, at(30)), Err(Trouble::Lost));
        assert_eq!(left(budget, 2, 100, at(30)), 90);
    }
    assert_eq!(two.b.charge(&mine, 1, at(30)), Err(Trouble::Lost));
    assert_eq!(two.a.settle(reserved, 10, at(59)), None);
    assert_eq!(two.a.peek(&mine, 100, at(59)), Err(Trouble::Lost));
    assert_eq!(left(&two.b, 1, 100, at(60)), 100);
    assert_eq!(shown(&two.b.reserve(&mine, 100, 1, at(60))), "+99");
}

#[test]
fn an_emptied_key_is_damaged() {
    let two = Two::new(10);
    let key = caller(&two.a, 1);
    let bucket = book(10).table.bucket_of(key.id().bits());
    two.map
        .put(&format!("p/{}/{bucket}", book(10).digest()), b"");
    assert_eq!(shown(&two.a.reserve(&key, 100, 1, at(0))), "unavailable");
}

#[test]
fn nothing_is_spent_while_the_host_fails_and_nothing_is_lost() {
    let mut two = Two::new(10);
    let key = caller(&two.a, 1);
    let reserved: Vec<Reservation> = (0..10)
        .map(|_| admitted(two.a.reserve(&key, 100, 10, at(0))))
        .collect();
    two.map.set_broken(true);
    assert_eq!(shown(&two.a.reserve(&key, 1000, 1, at(0))), "unavailable");
    for reserved in reserved {
        assert_eq!(two.a.settle(reserved, 3, at(1)), None);
    }
    assert_eq!(two.a.unwritten.len(), 1, "one entry for a caller");
    two.a.charge(&key, 5, at(1)).unwrap();
    two.a.tick(at(2));
    two.map.set_broken(false);
    assert_eq!(left(&two.b, 1, 100, at(2)), 0);
    two.a.tick(at(3));
    assert_eq!(left(&two.b, 1, 100, at(3)), 65);
    two.a.tick(at(4));
    assert_eq!(left(&two.b, 1, 100, at(4)), 65);
}

#[test]
fn what_could_not_be_written_before_its_window_ended_is_nobodys_any_more() {
    let mut two = Two::new(10);
    let key = caller(&two.a, 1);
    let reserved = admitted(two.a.reserve(&key, 100, 10, at(0)));
    two.map.set_broken(true);
    two.a.settle(reserved, 50, at(59));
    two.map.set_broken(false);
    let _ = admitted(two.b.reserve(&key, 100, 20, at(60)));
    two.a.tick(at(60));
    assert_eq!(left(&two.b, 1, 100, at(60)), 80);
    assert!(two.a.unwritten.is_empty());
}

#[test]
fn who_is_never_fast_enough_gives_up_and_settles_later() {
    let mut two = Two::new(10);
    let key = caller(&two.a, 1);
    let reserved = admitted(two.a.reserve(&key, 1_000_000, 10, at(0)));
    let busy = Rc::new(Cell::new(true));
    // It writes the same bucket before each of the others' writes.
    let [rival, is_busy] = [(); 2].map(|()| busy.clone());
    let map = two.map.clone();
    let name = format!(
        "p/{}/{}",
        book(10).digest(),
        book(10).table.bucket_of(key.id().bits())
    );
    two.map.set_meanwhile(move || {
        if rival.get() {
            let held = map.values()[&name].clone();
            map.put(&name, &held);
        }
    });
    let writes = two.map.writes();
    assert_eq!(
        shown(&two.b.reserve(&key, 1_000_000, 1, at(0))),
        "unavailable"
    );
    assert_eq!(two.map.writes() - writes, 64, "attempts");
    two.a.settle(reserved, 30, at(0));
    is_busy.set(false);
    assert_eq!(left(&two.b, 1, 100, at(0)), 90);
    two.a.tick(at(0));
    assert_eq!(left(&two.b, 1, 100, at(0)), 70);
}

#[test]
fn the_process_draws_once() {
    let map = TestMap::default();
    let first = Process::join(&map, "p/process", [1; 32]).unwrap();
    let second = Process::join(&map, "p/process", [2; 32]).unwrap();
    assert_eq!(first.holder, second.holder);
    let ids = [&first, &second].map(|p| CallerKey::new(&p.seed, "corp", &[]).id());
    assert_eq!(ids[0], ids[1]);
    for foreign in [&b""[..], b"short", &[0; 31], &[0; 33]] {
        map.put("p/process", foreign);
        assert!(Process::join(&map, "p/process", [3; 32]).is_none());
    }
    map.set_broken(true);
    assert!(Process::join(&map, "p/process", [3; 32]).is_none());
}

// === many workers at once ===

/// Everything that has happened, counted exactly: what one caller has in one window.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    settled: u128,
    open: u128,
    /// Of workers that are gone.
    lost: u128,
}

type Key = (u64, i64);

/// A worker, and what it has under way.
struct Member {
    budget: SharedBudget<Seat>,
    open: Vec<(u64, Reservation)>,
    /// Settled while the host failed: whose, and by how much that differs from what was reserved.
    waiting: Vec<(Key, u128, u128)>,
    /// Seconds by which its clock differs.
    skew: i64,
}

/// A worker's way to the map, on which others may be faster.
struct Seat {
    map: TestMap,
    world: Rc<World>,
    /// Whether its own operation is written, so that what others do now happens after it.
    is_written: Cell<bool>,
}

struct World {
    map: TestMap,
    random: RefCell<Random>,
    members: Vec<RefCell<Option<Member>>>,
    model: RefCell<BTreeMap<Key, Entry>>,
    second: Cell<i64>,
    depth: Cell<u32>,
    callers: u64,
    table: usize,
    seen: RefCell<BTreeSet<&'static str>>,
    mismatches: Cell<u32>,
}

impl SharedMap for Seat {
    fn get(&self, key: &str) -> Result<Held, Broken> {
        self.map.get(key)
    }

    fn swap(&self, key: &str, read: &Held, bytes: &[u8]) -> Result<bool, Broken> {
        if !self.is_written.get() {
            while self.world.depth.get() < 3 && self.world.random.borrow_mut().one_in(3) {
                self.world.step();
            }
        }
        let is_written = self.map.swap(key, read, bytes)?;
        let is_bucket = !key.ends_with("callers");
        self.is_written
            .set(self.is_written.get() || is_written && is_bucket);
        if !is_written {
            self.world.mismatches.set(self.world.mismatches.get() + 1);
        }
        Ok(is_written)
    }
}

impl World {
    fn new(seed: u64, workers: usize, callers: u64, table: usize) -> Rc<World> {
        let world = Rc::new(World {
            map: TestMap::default(),
            random: RefCell::new(Random(seed)),
            members: (0..workers).map(|_| RefCell::new(None)).collect(),
            model: RefCell::default(),
            second: Cell::new(BEGIN),
            depth: Cell::new(0),
            callers,
            table,
            seen: RefCell::default(),
            mismatches: Cell::new(0),
        });
        for member in &world.members {
            *member.borrow_mut() = Some(world.member());
        }
        world
    }

    fn member(self: &Rc<Self>) -> Member {
        let seat = Seat {
            map: self.map.clone(),
            world: self.clone(),
            is_written: Cell::new(true),
        };
        Member {
            budget: worker(seat, self.table),
            open: Vec::new(),
            waiting: Vec::new(),
            skew: match self.is_small() {
                true => 0,
                false => self.below(5).cast_signed() - 2,
            },
        }
    }

    /// With few places, in which the clocks agree and nothing is free: otherwise there may be a few more callers.
    fn is_small(&self) -> bool {
        self.table < 10
    }

    fn saw(&self, what: &'static str) {
        self.seen.borrow_mut().insert(what);
    }

    fn below(&self, end: u64) -> u64 {
        self.random.borrow_mut().below(end)
    }

    /// What one worker does, unless it is in the middle of something.
    fn step(&self) {
        let at = usize::try_from(self.below(self.members.len() as u64)).unwrap();
        let Ok(mut member) = self.members[at].try_borrow_mut() else {
            return;
        };
        self.depth.set(self.depth.get() + 1);
        self.act(member.as_mut().unwrap());
        self.depth.set(self.depth.get() - 1);
    }

    fn act(&self, member: &mut Member) {
        let now = UnixTime::from_secs(self.second.get() + member.skew);
        let by_clock = Window::of(now, Duration::from_secs(60)).unwrap().begin();
        let n = self.below(self.callers);
        let key = caller(&member.budget, n);
        member.budget.map.is_written.set(false);
        match self.below(10) {
            0..5 => {
                let limit = [0, 50, 500, 100_000][usize::try_from(self.below(4)).unwrap()];
                let estimate = self.below(60).max(u64::from(self.is_small()));
                self.reserve(member, n, &key, limit, estimate, now);
            }
            5..8 if !member.open.is_empty() => {
                let at = usize::try_from(self.below(member.open.len() as u64)).unwrap();
                let (n, reservation) = member.open.swap_remove(at);
                let used = match self.below(3) {
                    0 => 0,
                    1 => u128::from(self.below(60)),
                    _ => u128::from(self.below(300)),
                };
                self.settle(member, n, reservation, used, by_clock, now);
            }
            8 => {
                let used = self.below(3) * 11;
                match member.budget.charge(&key, used, now) {
                    Ok(()) => {
                        let begin = member.budget.peek(&key, 0, now).map(|b| b.window.begin());
                        // Unless the window ended meanwhile, which ends what was charged in it too.
                        let mut model = self.model.borrow_mut();
                        let entry = model.entry((n, begin.unwrap())).or_default();
                        entry.settled += u128::from(used);
                    }
                    Err(trouble) => {
                        assert_eq!(trouble, Trouble::Full);
                        self.saw("charged where there is no room");
                    }
                }
            }
            _ => {}
        }
        member.budget.map.is_written.set(true);
    }

    fn reserve(
        &self,
        member: &mut Member,
        n: u64,
        key: &CallerKey,
        limit: u64,
        estimate: u64,
        now: UnixTime,
    ) {
        let model = |begin: i64| *self.model.borrow_mut().entry((n, begin)).or_default();
        match member.budget.reserve(key, limit, estimate, now) {
            Reserved::Admitted(reservation, balance) => {
                let before = total(model(balance.window.begin()));
                assert!(
                    before + u128::from(estimate) <= u128::from(limit),
                    "{before}"
                );
                assert_eq!(
                    u128::from(balance.remaining),
                    u128::from(limit) - before - u128::from(estimate)
                );
                let mut model = self.model.borrow_mut();
                let entry = model.entry((n, balance.window.begin())).or_default();
                entry.open += u128::from(estimate);
                member.open.push((n, reservation));
                self.saw("admitted");
            }
            Reserved::Refused(balance) => {
                let before = total(model(balance.window.begin()));
                assert!(limit == 0 || before + u128::from(estimate) > u128::from(limit));
                assert_eq!(
                    u128::from(balance.remaining),
                    u128::from(limit).saturating_sub(before)
                );
                self.saw("refused");
            }
            Reserved::Full => {
                let callers = self.callers_with_something();
                assert!(callers >= self.table, "full with {callers}");
                self.saw("full");
            }
            other => panic!("{other:?}"),
        }
        assert!(self.callers_with_something() <= 2 * self.table);
    }

    fn settle(
        &self,
        member: &mut Member,
        n: u64,
        reservation: Reservation,
        used: u128,
        by_clock: i64,
        now: UnixTime,
    ) {
        let key = (n, reservation.window().begin());
        let estimate = u128::from(reservation.estimate());
        let used_then = u64::try_from(used).unwrap();
        let account = member.budget.settle(reservation, used_then, now);
        if by_clock > key.1 {
            assert_eq!(account, None);
            self.saw("settled too late");
            return;
        }
        let mut model = self.model.borrow_mut();
        let entry = model.entry(key).or_default();
        entry.open -= estimate;
        entry.settled += used;
        if let Some(account) = account {
            assert_eq!(u128::from(account.total()), total(*entry));
            self.saw("settled");
        }
    }

    /// In the window in which there are most.
    fn callers_with_something(&self) -> usize {
        let mut callers: BTreeMap<i64, usize> = BTreeMap::new();
        for ((_, begin), entry) in self.model.borrow().iter() {
            if total(*entry) > 0 || entry.open > 0 {
                *callers.entry(*begin).or_default() += 1;
            }
        }
        callers.into_values().max().unwrap_or(0)
    }

    /// Everybody sees what the model has.
    fn check(&self) {
        for member in &self.members {
            let member = member.borrow();
            let Some(member) = member.as_ref() else {
                continue;
            };
            let now = UnixTime::from_secs(self.second.get() + member.skew);
            for n in 0..self.callers {
                let key = caller(&member.budget, n);
                let balance = member.budget.peek(&key, WHOLE_NUMBER, now).unwrap();
                let model = self.model.borrow();
                let entry = model.get(&(n, balance.window.begin())).copied();
                let expected = u128::from(WHOLE_NUMBER) - total(entry.unwrap_or_default());
                assert_eq!(u128::from(balance.remaining), expected, "{n} {entry:?}");
            }
        }
    }

    /// The worker is gone, and another one in its place.
    fn lose(self: &Rc<Self>, at: usize) {
        let member = self.members[at].borrow_mut().take().unwrap();
        for (n, reservation) in member.open {
            let mut model = self.model.borrow_mut();
            let entry = model.entry((n, reservation.window().begin())).or_default();
            entry.open -= u128::from(reservation.estimate());
            entry.lost += u128::from(reservation.estimate());
        }
        *self.members[at].borrow_mut() = Some(self.member());
        self.saw("lost");
    }

    /// While the host fails requests end.
    fn fail(&self) {
        self.map.set_broken(true);
        let now = |member: &Member| UnixTime::from_secs(self.second.get() + member.skew);
        for member in &self.members {
            let mut member = member.borrow_mut();
            let member = member.as_mut().unwrap();
            for _ in 0..member.open.len() / 2 {
                let (n, reservation) = member.open.pop().unwrap();
                let key = (n, reservation.window().begin());
                let estimate = u128::from(reservation.estimate());
                let used = self.below(100);
                let account = member.budget.settle(reservation, used, now(member));
                assert_eq!(account, None);
                member.waiting.push((key, estimate, u128::from(used)));
            }
            assert_eq!(
                shown(
                    &member
                        .budget
                        .reserve(&caller(&member.budget, 0), 100, 1, now(member))
                ),
                "unavailable"
            );
        }
        self.map.set_broken(false);
        self.check();
        for member in &self.members {
            let mut member = member.borrow_mut();
            let member = member.as_mut().unwrap();
            let by_clock = now(member).as_secs().div_euclid(MINUTE) * MINUTE;
            for (key, estimate, used) in std::mem::take(&mut member.waiting) {
                if by_clock <= key.1 {
                    let mut model = self.model.borrow_mut();
                    let entry = model.entry(key).or_default();
                    entry.open -= estimate;
                    entry.settled += used;
                }
            }
            member.budget.tick(now(member));
        }
        self.saw("put off");
    }
}

fn total(entry: Entry) -> u128 {
    entry.settled + entry.open + entry.lost
}

/// Many workers at once, on few callers, with windows that end, workers that are lost and a host that fails:
/// what is spent is exactly what was settled, reserved or lost.
#[test]
fn whatever_happens_nothing_is_forgotten_or_forgiven() {
    let mut seen = BTreeSet::new();
    let mut mismatches = 0;
    for seed in 0..60 {
        let table = [3, 100][usize::try_from(seed % 2).unwrap()];
        let world = World::new(seed, 2 + usize::try_from(seed % 7).unwrap(), 8, table);
        for n in 0..400 {
            world.step();
            if world.below(40) == 0 {
                world
                    .second
                    .set(world.second.get() + world.below(50).cast_signed());
            }
            match world.below(100) {
                0 => world.lose(usize::try_from(world.below(2)).unwrap()),
                1 => world.fail(),
                _ => {}
            }
            if n % 8 == 0 {
                world.check();
            }
        }
        world.check();
        seen.extend(world.seen.borrow().iter().copied());
        mismatches += world.mismatches.get();
        world
            .members
            .iter()
            .for_each(|member| *member.borrow_mut() = None);
    }
    let expected = [
        "admitted",
        "charged where there is no room",
        "full",
        "lost",
        "put off",
        "refused",
        "settled",
        "settled too late",
    ];
    assert_eq!(seen, BTreeSet::from(expected));
    assert!(mismatches > 300, "workers must meet: {mismatches}");
}
