//! What was true when, as far as a request could notice. A change counts somewhere between the moment it is
//! made and the moment by which the contract wants it to count; in between both answers are right.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Since 1970: comparable with `exp`.
pub type Moment = Duration;

pub fn now() -> Moment {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("the clock is past 1970")
}

pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

// === troubles ===

/// What keeps the gateway from what it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The authority is killed, or not yet back.
    AuthorityDown,
    /// The authority has new keys, and signs its status lists with one of them at once.
    AuthorityRotates,
    /// The scripted issuer answers badly, late or not at all.
    IssuerFails,
    /// The whole machine stood still, or this process did.
    Stall,
    /// A VM was made to trap.
    Trap,
}

impl Trouble {
    pub fn name(self) -> &'static str {
        match self {
            Self::AuthorityDown => "the authority is down",
            Self::AuthorityRotates => "the authority has new keys",
            Self::IssuerFails => "the issuer fails",
            Self::Stall => "the machine stalled",
            Self::Trap => "a VM was lost",
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Interval {
    of: Trouble,
    from: Moment,
    /// From then on it may be over.
    repair: Option<Moment>,
    /// Then it is over.
    to: Option<Moment>,
}

/// All troubles so far. One is written down before it is made, and its end after it has ended.
#[derive(Default)]
pub struct Troubles(Mutex<BTreeMap<u64, Interval>>);

static COUNT: AtomicU64 = AtomicU64::new(0);

impl Troubles {
    pub fn begin(&self, of: Trouble) -> u64 {
        let id = COUNT.fetch_add(1, Ordering::Relaxed);
        let interval = Interval {
            of,
            from: now(),
            repair: None,
            to: None,
        };
        lock(&self.0).insert(id, interval);
        id
    }

    pub fn repair(&self, id: u64) {
        if let Some(interval) = lock(&self.0).get_mut(&id) {
            interval.repair = Some(now());
        }
    }

    pub fn end(&self, id: u64) {
        if let Some(interval) = lock(&self.0).get_mut(&id) {
            interval.to = Some(now());
        }
    }

    /// One that is already over.
    pub fn add(&self, of: Trouble, from: Moment, to: Moment) {
        let id = COUNT.fetch_add(1, Ordering::Relaxed);
        let interval = Interval {
            of,
            from,
            repair: Some(from),
            to: Some(to),
        };
        lock(&self.0).insert(id, interval);
    }

    /// Whether one of these was at work between two moments, or `grace` before.
    pub fn touch(&self, of: &[Trouble], from: Moment, to: Moment, grace: Duration) -> bool {
        lock(&self.0).values().any(|it| {
            of.contains(&it.of) && it.from <= to && it.to.is_none_or(|end| end + grace >= from)
        })
    }

    /// Whether this one lasted from `since` before the first moment to the second.
    pub fn lasts(&self, of: Trouble, from: Moment, to: Moment, since: Duration) -> bool {
        lock(&self.0).values().any(|it| {
            it.of == of && it.from + since <= from && it.repair.is_none_or(|repair| repair > to)
        })
    }

    /// When a change that was made by `made` counts for certain, which takes `lag` without trouble.
    fn settled(&self, made: Moment, lag: Duration, of: &[(Trouble, Duration)]) -> Option<Moment> {
        let mut settled = made + lag;
        let mut intervals: Vec<Interval> = lock(&self.0).values().copied().collect();
        intervals.sort_by_key(|it| it.from);
        for it in intervals {
            let Some((_, after)) = of.iter().find(|(trouble, _)| *trouble == it.of) else {
                continue;
            };
            if it.from > settled {
                continue;
            }
            settled = settled.max(it.to? + *after + lag);
        }
        Some(settled)
    }

    /// For a report: what was wrong about that time, in seconds from its start.
    pub fn about(&self, from: Moment, to: Moment) -> String {
        const NEAR: Duration = Duration::from_secs(15);
        let since = |at: Moment| at.as_secs_f64() - from.as_secs_f64();
        let mut text = format!("under way for {:.3} s", since(to));
        for it in lock(&self.0).values() {
            if it.to.is_none_or(|end| end + NEAR > from) && it.from < to + NEAR {
                let end = it
                    .to
                    .map_or("now".to_owned(), |end| format!("{:.3}", since(end)));
                text += &format!(", {:?} from {:.3} to {end}", it.of, since(it.from));
            }
        }
        text
    }

    /// How much longer anything may have taken because nothing at all ran.
    pub fn stalled(&self, from: Moment, to: Moment) -> Duration {
        let overlap = |it: &Interval| {
            it.to
                .unwrap_or(to)
                .min(to)
                .saturating_sub(it.from.max(from))
        };
        let intervals = lock(&self.0);
        let stalls = intervals.values().filter(|it| it.of == Trouble::Stall);
        stalls.map(overlap).sum()
    }

    pub fn count(&self, of: Trouble) -> usize {
        lock(&self.0).values().filter(|it| it.of == of).count()
    }

    /// How long all of one kind lasted.
    pub fn total(&self, of: Trouble) -> Duration {
        let intervals = lock(&self.0);
        let ended = intervals.values().filter(|it| it.of == of);
        ended
            .filter_map(|it| Some(it.to?.saturating_sub(it.from)))
            .sum()
    }
}

// === facts ===

/// Of a fact while one request was judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    No,
    Perhaps,
    Yes,
}

/// How a change reaches the gateway.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// By when it counts, where nothing is wrong.
    pub lag: Duration,
    /// What stops it, and what a recovery takes beyond the lag.
    pub stopped_by: &'static [(Trouble, Duration)],
}

#[derive(Clone, Copy)]
struct Turn {
    value: bool,
    begun: Moment,
    made: Option<Moment>,
    way: Way,
}

/// Something that is so or is not, and turns.
pub struct Fact {
    first: bool,
    turns: Mutex<Vec<Turn>>,
}

impl Fact {
    pub fn new(first: bool) -> Arc<Self> {
        Arc::new(Self {
            first,
            turns: Mutex::default(),
        })
    }

    /// The latest value, whether it counts yet or not.
    pub fn latest(&self) -> bool {
        lock(&self.turns)
            .last()
            .map_or(self.first, |turn| turn.value)
    }

    /// How long ago it turned last.
    pub fn age(&self) -> Option<Duration> {
        Some(now().saturating_sub(lock(&self.turns).last()?.begun))
    }

    pub fn truth(&self, troubles: &Troubles, from: Moment, to: Moment) -> Truth {
        let turns = lock(&self.turns).clone();
        let mut values = Vec::new();
        let mut current = (self.first, Moment::ZERO);
        for turn in turns {
            // The value before holds until this one must.
            let settled = turn
                .made
                .and_then(|made| troubles.settled(made, turn.way.lag, turn.way.stopped_by));
            if settled.is_none_or(|settled| settled > from) && current.1 <= to {
                values.push(current.0);
            }
            current = (turn.value, turn.begun);
        }
        if current.1 <= to {
            values.push(current.0);
        }
        match (values.contains(&true), values.contains(&false)) {
            (true, false) => Truth::Yes,
            (false, _) => Truth::No,
            (true, true) => Truth::Perhaps,
        }
    }
}

/// Makes a change by which all these facts turn.
pub fn turn<R>(facts: &[Arc<Fact>], value: bool, way: Way, make: impl FnOnce() -> R) -> R {
    let begun = now();
    let mut facts: Vec<&Arc<Fact>> = facts.iter().collect();
    facts.sort_by_key(|fact| Arc::as_ptr(fact));
    facts.dedup_by_key(|fact| Arc::as_ptr(fact));
    for fact in &facts {
        lock(&fact.turns).push(Turn {
            value,
            begun,
            made: None,
            way,
        });
    }
    let result = make();
    let made = now();
    for fact in &facts {
        if let Some(turn) = lock(&fact.turns)
            .iter_mut()
            .rev()
            .find(|it| it.begun == begun)
        {
            turn.made = Some(made);
        }
    }
    result
}

/// The same for what is known to happen between two moments.
pub fn turn_at(fact: &Fact, value: bool, way: Way, (begun, made): (Moment, Moment)) {
    lock(&fact.turns).push(Turn {
        value,
        begun,
        made: Some(made),
        way,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const WAY: Way = Way {
        lag: Duration::from_secs(3),
        stopped_by: &[(Trouble::AuthorityDown, Duration::from_secs(2))],
    };

    fn at(seconds: u32) -> Moment {
        SECOND * seconds
    }

    /// Turns true at 10, made by 11.
    fn fact() -> Arc<Fact> {
        let fact = Fact::new(false);
        let (begun, made) = (at(10), Some(at(11)));
        let turn = |value, begun, made| Turn {
            value,
            begun,
            made,
            way: WAY,
        };
        lock(&fact.turns).push(turn(true, begun, made));
        fact
    }

    #[test]
    fn a_change_is_open_between_its_making_and_its_deadline() {
        let (fact, troubles) = (fact(), Troubles::default());
        let truth = |from, to| fact.truth(&troubles, at(from), at(to));
        assert_eq!(truth(8, 9), Truth::No);
        assert_eq!(truth(8, 10), Truth::Perhaps);
        assert_eq!(truth(13, 13), Truth::Perhaps);
        assert_eq!(truth(14, 20), Truth::Yes);
    }

    #[test]
    fn a_change_that_is_still_being_made_is_open() {
        let fact = fact();
        lock(&fact.turns)[0].made = None;
        let truth = fact.truth(&Troubles::default(), at(100), at(101));
        assert_eq!(truth, Truth::Perhaps);
    }

    #[test]
    fn trouble_on_its_way_postpones_a_change_and_no_other_trouble_does() {
        let (fact, troubles) = (fact(), Troubles::default());
        troubles.add(Trouble::Trap, at(12), at(19));
        assert_eq!(fact.truth(&troubles, at(14), at(14)), Truth::Yes);
        troubles.add(Trouble::AuthorityDown, at(13), at(20));
        assert_eq!(fact.truth(&troubles, at(24), at(24)), Truth::Perhaps);
        assert_eq!(fact.truth(&troubles, at(25), at(25)), Truth::Yes);
        // What comes later comes too late.
        troubles.add(Trouble::AuthorityDown, at(26), at(30));
        assert_eq!(fact.truth(&troubles, at(27), at(27)), Truth::Yes);
    }

    #[test]
    fn what_turns_back_is_open_twice() {
        let (fact, troubles) = (fact(), Troubles::default());
        let turn = Turn {
            value: false,
            begun: at(30),
            made: Some(at(30)),
            way: WAY,
        };
        lock(&fact.turns).push(turn);
        let truth = |from, to| fact.truth(&troubles, at(from), at(to));
        assert_eq!(truth(14, 29), Truth::Yes);
        assert_eq!(truth(29, 30), Truth::Perhaps);
        assert_eq!(truth(33, 99), Truth::No);
    }

    #[test]
    fn a_trouble_is_certain_only_until_its_repair_begins() {
        let troubles = Troubles::default();
        let id = troubles.begin(Trouble::AuthorityDown);
        let start = now();
        assert!(troubles.lasts(
            Trouble::AuthorityDown,
            start + SECOND,
            start + SECOND,
            SECOND / 2
        ));
        assert!(!troubles.lasts(Trouble::AuthorityDown, start, start, SECOND));
        troubles.repair(id);
        let later = now() + SECOND;
        assert!(!troubles.lasts(Trouble::AuthorityDown, later, later, Duration::ZERO));
        assert!(troubles.touch(&[Trouble::AuthorityDown], later, later, Duration::ZERO));
        troubles.end(id);
        assert!(!troubles.touch(&[Trouble::AuthorityDown], later, later, Duration::ZERO));
        assert!(troubles.touch(&[Trouble::AuthorityDown], later, later, SECOND * 2));
    }
}
