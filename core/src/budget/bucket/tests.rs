#![allow(clippy::arithmetic_side_effects)]

use std::time::Duration;

use super::*;
use crate::budget::map::tests::Random;

fn window(n: i64) -> Window {
    Window::of(UnixTime::from_secs(60 * n), Duration::from_secs(60)).unwrap()
}

fn id(n: u128) -> CallerId {
    CallerId::new(n)
}

fn leased(total: u64, question: Option<Question>) -> Account {
    let lease = Lease {
        ledger: 1,
        granted: 2,
        elsewhere: 3,
        used_at: UnixTime::from_micros(-4),
        refused_at: UnixTime::FAR_PAST,
        question,
    };
    Account::new(total, Some(lease))
}

/// One account of each kind.
fn accounts() -> [Account; 4] {
    let question = Question {
        id: u128::MAX - 1,
        want: 5,
        limit: 6,
    };
    [
        Account::new(7, None),
        leased(0, None),
        leased(u64::MAX, Some(question)),
        Account::new(0, None),
    ]
}

fn intact(held: Option<&[u8]>, caller: CallerId, now: Window) -> Bucket<'_> {
    match Bucket::open(held, caller, now) {
        Opened::Intact(bucket) => bucket,
        Opened::Lost { .. } => panic!("lost"),
    }
}

/// A bucket with one account of each kind, of callers 0, 1, 2, 3.
fn filled(of: Window) -> Vec<u8> {
    let mut held = None;
    for (n, account) in accounts().iter().enumerate() {
        let bucket = intact(held.as_deref(), id(n as u128), of);
        assert_eq!(bucket.account(), None);
        held = Some(bucket.with(id(n as u128), Some(account)));
    }
    held.unwrap()
}

fn is_lost(held: &[u8], now: Window) -> Option<Vec<u8>> {
    match Bucket::open(Some(held), id(0), now) {
        Opened::Lost { marker } => Some(marker.unwrap_or_default()),
        Opened::Intact(_) => None,
    }
}

#[test]
fn each_caller_finds_its_account() {
    let held = filled(window(5));
    for (n, account) in accounts().iter().enumerate() {
        let bucket = intact(Some(&held), id(n as u128), window(5));
        assert_eq!(bucket.account(), Some(account));
        assert_eq!(bucket.window(), window(5));
    }
    assert_eq!(intact(Some(&held), id(9), window(5)).account(), None);
}

#[test]
fn the_sizes_are_those_that_the_limits_state() {
    let sizes = accounts().map(|account| write(id(0), &account).len());
    assert_eq!(sizes, [25, 65, 97, 25]);
}

#[test]
fn a_change_leaves_the_others_as_they_are() {
    let held = filled(window(5));
    for changed in 0..4_u128 {
        for new in [None, Some(Account::new(99, None)), Some(leased(1, None))] {
            let bucket = intact(Some(&held), id(changed), window(5));
            let held = bucket.with(id(changed), new.as_ref());
            for (n, account) in accounts().iter().enumerate() {
                let expected = match n as u128 == changed {
                    true => new.as_ref(),
                    false => Some(account),
                };
                let bucket = intact(Some(&held), id(n as u128), window(5));
                assert_eq!(bucket.account(), expected, "{changed} {n}");
            }
        }
    }
}

#[test]
fn what_nobody_has_written_is_empty() {
    let bucket = intact(None, id(0), window(5));
    assert_eq!((bucket.account(), bucket.window()), (None, window(5)));
}

#[test]
fn a_new_window_forgets_all_accounts_and_an_old_one_never_comes_back() {
    let held = filled(window(5));
    let next = intact(Some(&held), id(0), window(6));
    assert_eq!((next.account(), next.window()), (None, window(6)));
    let held = next.with(id(0), Some(&Account::new(1, None)));
    assert_eq!(intact(Some(&held), id(1), window(6)).account(), None);
    // By the clock of a worker that is late.
    let late = intact(Some(&held), id(0), window(5));
    assert_eq!(late.account(), Some(&Account::new(1, None)));
    assert_eq!(late.window(), window(6));
    let held = late.with(id(1), Some(&Account::new(2, None)));
    assert_eq!(intact(Some(&held), id(1), window(6)).window(), window(6));
}

fn damaged() -> Vec<Vec<u8>> {
    let intact = filled(window(5));
    let mut damaged: Vec<Vec<u8>> = (0..intact.len())
        .map(|at| {
            let mut bytes = intact.clone();
            bytes[at] ^= 1;
            bytes
        })
        .collect();
    damaged.extend((0..intact.len()).map(|end| intact[..end].to_vec()));
    damaged.push([intact.as_slice(), &[0]].concat());
    let sealed = |body: &[u8]| [&[VERSION], &checksum(body)[..], body].concat();
    let body = &intact[9..];
    // What is sealed and makes no sense.
    damaged.push(sealed(&[]));
    damaged.push(sealed(&body[..1]));
    damaged.push(sealed(&body[..8]));
    damaged.push(sealed(&body[..body.len() - 1]));
    damaged.push(sealed(&[&[LOST], &body[1..]].concat()));
    damaged.push(sealed(&[&[2], &body[1..]].concat()));
    damaged.push(sealed(&[&[ACCOUNTS], &1_i64.to_le_bytes()[..]].concat()));
    damaged.push(sealed(
        &[&[ACCOUNTS], &(-60_i64).to_le_bytes()[..]].concat(),
    ));
    damaged.push(sealed(&[body, &[3; 25]].concat()));
    // The account of one caller twice.
    damaged.push(sealed(&[body, &body[9..34]].concat()));
    assert_eq!(sealed(body), intact);
    damaged
}

#[test]
fn a_damaged_bucket_refuses_until_the_window_ends_in_which_it_is_noticed() {
    for held in damaged() {
        let marker = is_lost(&held, window(5)).expect("damaged");
        assert!(!marker.is_empty(), "the others must know");
        for now in [window(4), window(5)] {
            assert_eq!(is_lost(&marker, now), Some(vec![]));
        }
        let next = intact(Some(&marker), id(0), window(6));
        assert_eq!((next.account(), next.window()), (None, window(6)));
    }
}

#[test]
fn no_bytes_panic_and_what_opens_is_written_back_as_it_was() {
    let mut random = Random(1);
    let mut opened = [0; 2];
    for _ in 0..20_000 {
        let length = random.below(200) as usize;
        let mut bytes: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
        // Kinds, and the callers 0 to 3, that are worth a look.
        bytes.iter_mut().filter(|b| **b > 60).for_each(|b| *b %= 4);
        for (at, held) in [bytes.clone(), seal(ACCOUNTS, window(5), &[&bytes])]
            .iter()
            .enumerate()
        {
            for caller in 0..3_u128 {
                let Opened::Intact(bucket) = Bucket::open(Some(held), id(caller), window(5)) else {
                    continue;
                };
                opened[at] += 1;
                let account = bucket.account().cloned();
                assert_eq!(bucket.with(id(caller), account.as_ref()), *held);
            }
        }
    }
    assert_eq!(opened[0], 0, "nothing opens without its checksum");
    assert!(opened[1] > 100, "{opened:?}");
}

#[test]
fn bytes_of_accounts_are_read_as_they_were_written() {
    let mut random = Random(2);
    for _ in 0..2_000 {
        let mut held = None;
        let mut written = Vec::new();
        for n in 0..random.below(5) {
            let caller = id(u128::from(random.next()) << 64 | u128::from(n));
            let question = random.one_in(2).then(|| Question {
                id: u128::from(random.next()),
                want: random.next(),
                limit: random.next(),
            });
            let account = match random.one_in(2) {
                true => leased(random.next(), question),
                false => Account::new(random.next(), None),
            };
            let bucket = intact(held.as_deref(), caller, window(5));
            held = Some(bucket.with(caller, Some(&account)));
            written.push((caller, account));
        }
        for (caller, account) in written {
            let bucket = intact(held.as_deref(), caller, window(5));
            assert_eq!(bucket.account(), Some(&account));
        }
    }
}
