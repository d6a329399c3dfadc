//! Many Envoys spend from one ledger: whatever is lost, doubled or delayed, whichever clock is wrong and whichever
//! process is lost, together they spend no more than the limit.

#[path = "../examples/ledger/ledger.rs"]
mod ledger;
#[path = "../examples/ledger/map.rs"]
mod map;
#[path = "../examples/ledger/random.rs"]
mod random;
#[path = "../examples/ledger/world.rs"]
mod world;

use portcullis_core::ledger::terms::LeaseSize;

use crate::random::Random;
use crate::world::{Outcome, Setup, World};

const SETUP: Setup = Setup {
    seed: 1,
    envoys: 20,
    workers: 3,
    callers: 10,
    envoys_per_caller: 20,
    requests_per_second: 50,
    demand: 100,
    window: 60,
    windows: 3,
    lease: LeaseSize::Share(20_000),
    allow_local: false,
    lost: 0,
    doubled: 0,
    late: 0,
    skew: 0,
    wrong_clocks: 0,
    deaths: 0,
    beyond: 0,
    outages: false,
};

/// Any setup, gentle or not.
fn any(seed: u64) -> Setup {
    let mut random = Random(seed);
    let mut one_of = |values: &[u64]| values[random.below(values.len() as u64) as usize];
    Setup {
        seed,
        envoys: one_of(&[1, 2, 10, 30]) as usize,
        workers: one_of(&[1, 2, 5]) as usize,
        callers: one_of(&[1, 5, 20]) as usize,
        envoys_per_caller: one_of(&[1, 5, 30]) as usize,
        demand: one_of(&[20, 80, 120, 500]),
        lease: match one_of(&[0, 1]) {
            0 => LeaseSize::Share(one_of(&[1, 1_000, 20_000, 200_000, 1_000_000])),
            _ => LeaseSize::Fixed(one_of(&[1, 500, 100_000])),
        },
        lost: one_of(&[0, 10, 200, 500]),
        doubled: one_of(&[0, 100, 1000]),
        late: one_of(&[0, 10, 200, 500]),
        skew: one_of(&[0, 100, 5000]),
        wrong_clocks: one_of(&[0, 200]),
        deaths: one_of(&[0, 20_000]),
        outages: one_of(&[0, 1]) == 1,
        ..SETUP
    }
}

fn per_mille(n: u64, outcome: &Outcome) -> u64 {
    1000 * n / outcome.requests
}

#[test]
fn nobody_overspends_whatever_happens() {
    let mut seen = Outcome::default();
    for seed in 0..20 {
        let setup = any(seed);
        let outcome = World::run(setup);
        assert_eq!(outcome.overspent, 0, "{setup:?}");
        seen.admitted += outcome.admitted;
        seen.refused += outcome.refused;
        seen.unavailable += outcome.unavailable;
        seen.deaths += outcome.deaths;
        seen.calls += outcome.calls;
    }
    let counts = [seen.admitted, seen.refused, seen.unavailable, seen.calls];
    assert!(counts.iter().all(|n| *n > 1_000), "{seen:?}");
    assert!(seen.deaths > 10, "{seen:?}");
}

/// Few Envoys with many workers, which meet one caller all the time and ask for the same lease at once.
#[test]
fn nobody_overspends_where_workers_ask_at_once() {
    for (seed, lost) in [(1, 0), (2, 50), (3, 300)] {
        let outcome = World::run(Setup {
            seed,
            envoys: 4,
            workers: 5,
            callers: 1,
            envoys_per_caller: 4,
            requests_per_second: 200,
            demand: 300,
            lost,
            late: lost,
            doubled: lost,
            windows: 1,
            ..SETUP
        });
        assert_eq!(outcome.overspent, 0, "{outcome:?}");
        assert!(outcome.unspent < 100, "{outcome:?}");
    }
}

#[test]
fn nobody_overspends_by_more_than_requests_use_beyond_their_estimates() {
    let mut over = 0;
    for seed in 0..16 {
        let setup = Setup {
            beyond: 200,
            ..any(seed)
        };
        let outcome = World::run(setup);
        assert!(outcome.overspent <= outcome.beyond, "{outcome:?} {setup:?}");
        over += u64::from(outcome.overspent > 0);
    }
    assert!(over > 0, "some must");
}

#[test]
fn on_a_good_network_nobody_is_refused_who_has_budget_left() {
    for (demand, envoys_per_caller) in [(50, 1), (80, 1), (60, 5), (50, 20)] {
        let outcome = World::run(Setup {
            demand,
            envoys_per_caller,
            lease: LeaseSize::Share(5_000),
            ..SETUP
        });
        assert_eq!(outcome.refused_with_budget_left, 0, "{outcome:?}");
        assert_eq!(outcome.unavailable, 0, "{outcome:?}");
        assert!(outcome.admitted > 8000, "{outcome:?}");
    }
}

#[test]
fn what_is_left_is_spent_to_the_end() {
    let [few, many] = [1, 20].map(|envoys_per_caller| {
        let outcome = World::run(Setup {
            demand: 150,
            envoys_per_caller,
            lease: LeaseSize::Share(5_000),
            ..SETUP
        });
        assert!(per_mille(outcome.refused, &outcome) > 250, "{outcome:?}");
        outcome
    });
    // Of the limit, in a thousand: what is too little for any request, on each Envoy.
    assert!(few.unspent < 10, "{few:?}");
    assert!((10..150).contains(&many.unspent), "{many:?}");
}

#[test]
fn a_larger_lease_asks_less() {
    let calls = [1_000, 5_000, 20_000, 100_000].map(|share| {
        let outcome = World::run(Setup {
            envoys_per_caller: 1,
            demand: 80,
            lease: LeaseSize::Share(share),
            ..SETUP
        });
        per_mille(outcome.calls, &outcome)
    });
    assert!(calls.is_sorted_by(|a, b| a > b), "{calls:?}");
    assert!(calls[3] < 100, "{calls:?}");
}

#[test]
fn while_the_ledger_is_out_requests_are_unavailable_unless_they_may_spend_here() {
    let [deny, allow] = [false, true].map(|allow_local| {
        World::run(Setup {
            allow_local,
            outages: true,
            demand: 50,
            lease: LeaseSize::Share(5_000),
            ..SETUP
        })
    });
    assert!(per_mille(deny.unavailable, &deny) > 100, "{deny:?}");
    assert!(per_mille(allow.unavailable, &allow) < 10, "{allow:?}");
}
