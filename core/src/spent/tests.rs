#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use std::collections::HashMap;
use std::time::Duration;

use super::*;

const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

fn later(seconds: u64) -> UnixTime {
    NOW.plus(Duration::from_secs(seconds))
}

fn mark(n: u64) -> Mark {
    let key = FingerprintKey::new(*b"drawn at random.");
    Mark::new(&key, &Digest::sha256(&n.to_le_bytes()))
}

/// A table and what the map holds of it.
struct Shared {
    table: SpentTable,
    map: HashMap<usize, Vec<u8>>,
}

#[derive(Debug, Eq, PartialEq)]
enum Outcome {
    Again,
    First,
    Forgetting(usize),
    Full,
}

impl Shared {
    fn new(entries: usize, when_full: WhenFull) -> Self {
        Shared {
            table: SpentTable::new(entries, when_full),
            map: HashMap::new(),
        }
    }

    fn spend(&mut self, n: u64, until: UnixTime, now: UnixTime) -> Outcome {
        let bucket = self.table.bucket_of(mark(n));
        assert!(bucket < self.table.buckets());
        let held = self.map.get(&bucket).map(Vec::as_slice);
        match self.table.spend(held, mark(n), until, now) {
            Spending::Again => Outcome::Again,
            Spending::Full => Outcome::Full,
            Spending::First {
                bucket: bytes,
                forgotten,
            } => {
                self.map.insert(bucket, bytes);
                match forgotten {
                    0 => Outcome::First,
                    n => Outcome::Forgetting(n),
                }
            }
        }
    }

    fn bytes(&self) -> usize {
        self.map.values().map(Vec::len).sum()
    }
}

const BOTH: [WhenFull; 2] = [WhenFull::ForgetOldest, WhenFull::Refuse];

#[test]
fn each_thing_is_spent_once() {
    for when_full in BOTH {
        let mut shared = Shared::new(1000, when_full);
        for n in 0..100 {
            assert_eq!(shared.spend(n, later(60), NOW), Outcome::First);
        }
        for n in 0..100 {
            assert_eq!(shared.spend(n, later(90), NOW), Outcome::Again);
        }
    }
}

#[test]
fn what_is_spent_counts_up_to_its_end() {
    for when_full in BOTH {
        let mut shared = Shared::new(10, when_full);
        shared.spend(1, later(60), NOW);
        assert_eq!(shared.spend(1, later(60), later(60)), Outcome::Again);
        assert_eq!(shared.spend(1, later(90), later(61)), Outcome::First);
        assert_eq!(shared.spend(1, later(90), later(62)), Outcome::Again);
    }
}

#[test]
fn what_has_ended_makes_room_before_anything_is_forgotten() {
    for when_full in BOTH {
        let mut shared = Shared::new(3, when_full);
        for (n, seconds) in [(1, 90), (2, 10), (3, 90)] {
            assert_eq!(shared.spend(n, later(seconds), NOW), Outcome::First);
        }
        assert_eq!(shared.spend(4, later(90), later(11)), Outcome::First);
        for n in [1, 3, 4] {
            assert_eq!(shared.spend(n, later(90), later(11)), Outcome::Again);
        }
    }
}

#[test]
fn a_full_table_forgets_what_came_first_and_says_so() {
    let mut shared = Shared::new(3, WhenFull::ForgetOldest);
    // An end far ahead is no privilege.
    for (n, seconds) in [(1, 3600), (2, 60), (3, 60)] {
        assert_eq!(shared.spend(n, later(seconds), NOW), Outcome::First);
    }
    assert_eq!(shared.spend(4, later(60), NOW), Outcome::Forgetting(1));
    for n in [2, 3, 4] {
        assert_eq!(shared.spend(n, later(60), NOW), Outcome::Again, "{n}");
    }
    assert_eq!(shared.spend(1, later(60), NOW), Outcome::Forgetting(1));
}

#[test]
fn a_table_that_must_not_forget_refuses_what_it_has_no_room_for() {
    let mut shared = Shared::new(3, WhenFull::Refuse);
    for n in 1..=3 {
        assert_eq!(shared.spend(n, later(60), NOW), Outcome::First);
    }
    assert_eq!(shared.spend(4, later(60), NOW), Outcome::Full);
    for n in 1..=3 {
        assert_eq!(shared.spend(n, later(60), NOW), Outcome::Again, "{n}");
    }
    assert_eq!(shared.spend(4, later(90), later(61)), Outcome::First);
}

#[test]
fn a_smaller_table_keeps_what_came_last_of_a_larger_one() {
    let mut shared = Shared::new(10, WhenFull::ForgetOldest);
    for n in 0..10 {
        shared.spend(n, later(60), NOW);
    }
    shared.table = SpentTable::new(4, WhenFull::ForgetOldest);
    assert_eq!(shared.spend(10, later(60), NOW), Outcome::Forgetting(7));
    for n in 7..=10 {
        assert_eq!(shared.spend(n, later(60), NOW), Outcome::Again, "{n}");
    }
}

#[test]
fn a_table_holds_what_it_is_configured_to_hold_and_takes_bounded_memory() {
    for entries in [1_u64, 2, 100, 128, 129, 300, 2000] {
        for when_full in BOTH {
            let mut shared = Shared::new(usize::try_from(entries).unwrap(), when_full);
            for n in 0..entries {
                assert_eq!(shared.spend(n, later(60), NOW), Outcome::First, "{entries}");
            }
            for n in (0..entries).step_by(7) {
                assert_eq!(shared.spend(n, later(60), NOW), Outcome::Again, "{entries}");
            }
            // Three times as many leave no room anywhere.
            for n in entries..4 * entries {
                shared.spend(n, later(60), NOW);
            }
            let each = shared.bytes() / usize::try_from(entries).unwrap();
            assert!(each <= 60, "{entries}: {each} bytes for each");
            assert_eq!(shared.map.len(), shared.table.buckets());
        }
    }
}

#[test]
fn a_few_entries_take_one_bucket_and_many_a_power_of_two() {
    for (entries, buckets) in [
        (0, 1),
        (1, 1),
        (128, 1),
        (129, 2),
        (65_536, 512),
        (100_000, 1024),
        (usize::MAX, 8192),
    ] {
        let table = SpentTable::new(entries, WhenFull::Refuse);
        assert_eq!(table.buckets(), buckets, "{entries}");
    }
}

#[test]
fn the_key_decides_which_bucket_a_thing_is_in() {
    let table = SpentTable::new(65_536, WhenFull::ForgetOldest);
    let digest = Digest::sha256(b"a proof");
    let bucket = |n: u8| table.bucket_of(Mark::new(&FingerprintKey::new([n; 16]), &digest));
    assert!((1..10).any(|n| bucket(n) != bucket(0)));
}

#[test]
fn damaged_bytes_are_forgotten_or_refuse_everything() {
    let mut shared = Shared::new(10, WhenFull::ForgetOldest);
    for n in 0..3 {
        shared.spend(n, later(60), NOW);
    }
    let intact = shared.map[&0].clone();
    let mut damaged: Vec<Vec<u8>> = (0..intact.len())
        .map(|at| {
            let mut bytes = intact.clone();
            bytes[at] ^= 1;
            bytes
        })
        .collect();
    damaged.extend((1..intact.len()).map(|end| intact[..end].to_vec()));
    damaged.push([intact.as_slice(), &[0]].concat());
    for bytes in damaged {
        let refusing = SpentTable::new(10, WhenFull::Refuse);
        let spending = refusing.spend(Some(&bytes), mark(9), later(60), NOW);
        assert_eq!(spending, Spending::Full);
        match shared.table.spend(Some(&bytes), mark(0), later(60), NOW) {
            Spending::First { forgotten, bucket } => {
                assert!(forgotten >= 1);
                let again = shared.table.spend(Some(&bucket), mark(0), later(60), NOW);
                assert_eq!(again, Spending::Again);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_key_without_a_value_is_an_empty_bucket() {
    let table = SpentTable::new(10, WhenFull::Refuse);
    let absent = table.spend(None, mark(1), later(60), NOW);
    assert_eq!(table.spend(Some(b""), mark(1), later(60), NOW), absent);
    assert!(matches!(absent, Spending::First { forgotten: 0, .. }));
}
