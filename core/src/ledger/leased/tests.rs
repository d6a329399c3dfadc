#![allow(clippy::arithmetic_side_effects)]

use super::*;
use crate::ledger::terms::{LeaseSize, LedgerId};

const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);
const LONG_AGO: UnixTime = UnixTime::from_secs(1_699_999_000);

fn terms(size: u64) -> LedgerTerms {
    LedgerTerms {
        ledger: LedgerId::of(b"here"),
        lease: LeaseSize::Fixed(size),
        allow_local: false,
    }
}

fn account(total: u64, granted: u64) -> Account {
    let lease = Lease {
        ledger: LedgerId::of(b"here").number(),
        granted,
        elsewhere: 0,
        used_at: LONG_AGO,
        refused_at: LONG_AGO,
        question: None,
    };
    Account::new(total, Some(lease))
}

fn with(mut account: Account, change: impl Fn(&mut Lease)) -> Account {
    change(account.lease.as_mut().unwrap());
    account
}

const QUESTION: Question = Question {
    id: 7,
    want: 20,
    limit: 1000,
};

fn grant(granted: u64, remaining: u64) -> Grant {
    Grant {
        granted,
        remaining: Some(remaining),
    }
}

#[test]
fn a_request_spends_only_what_was_granted() {
    use Attempt::{Refused, Short};
    const LOW: Attempt = Attempt::Admitted { is_low: true };
    const ENOUGH: Attempt = Attempt::Admitted { is_low: false };
    // (spent, granted, limit, estimate, local, attempt); a lease is 20.
    let table = [
        (0, 0, 1000, 0, false, LOW),
        (0, 0, 1000, 1, false, Short),
        (0, 20, 1000, 10, false, ENOUGH),
        (0, 20, 1000, 11, false, LOW),
        (0, 20, 1000, 20, false, LOW),
        (0, 20, 1000, 21, false, Short),
        (15, 20, 1000, 5, false, LOW),
        (15, 20, 1000, 6, false, Short),
        // Whoever has a smaller limit.
        (15, 200, 15, 1, false, Refused),
        (15, 200, 16, 1, false, ENOUGH),
        (0, 0, 0, 0, false, Refused),
        (0, 100, 0, 0, false, Refused),
        (0, 2000, 1000, 1001, false, Refused),
        // More was spent than was granted.
        (30, 20, 1000, 0, false, Short),
        // The ledger is away, and that is allowed.
        (0, 0, 1000, 1000, true, LOW),
        (0, 0, 1000, 1001, true, Refused),
        (30, 20, 1000, 970, true, LOW),
        (30, 20, 1000, 971, true, Refused),
        (0, 100, 1000, 10, true, ENOUGH),
    ];
    for (total, granted, limit, estimate, is_local, expected) in table {
        for mut account in [account(total, granted), Account::new(total, None)] {
            if account.lease.is_none() && granted > 0 {
                continue;
            }
            let before = account.clone();
            let mut leased = Leased::new(&mut account, terms(20), NOW);
            let attempt = leased.reserve(limit, estimate, is_local);
            assert_eq!(attempt, expected, "{total} {granted} {limit} {estimate}");
            match attempt {
                Attempt::Admitted { .. } => {
                    assert_eq!(account.total(), total + estimate);
                    assert_eq!(account.lease.unwrap().used_at, NOW);
                }
                Refused | Short => assert_eq!(account, before),
            }
        }
    }
}

#[test]
fn a_grant_of_nothing_pauses_for_a_second() {
    let since = |millis: u64| NOW.minus(Duration::from_millis(millis));
    for (refused_at, is_paused) in [
        (NOW, true),
        (since(999), true),
        (since(1000), false),
        // The clock was set back.
        (NOW.plus(Duration::from_millis(1)), false),
        (UnixTime::FAR_PAST, false),
        (UnixTime::FAR_FUTURE, false),
    ] {
        let mut account = with(account(0, 5), |lease| lease.refused_at = refused_at);
        let mut leased = Leased::new(&mut account, terms(20), NOW);
        let expected = [Attempt::Short, Attempt::Refused][usize::from(is_paused)];
        assert_eq!(leased.reserve(1000, 6, false), expected);
        let asked = leased.ask(1000, 6, &mut || Some(1));
        assert_eq!(asked.is_none(), is_paused);
        // What is granted can be spent.
        assert_eq!(
            leased.reserve(1000, 5, false),
            Attempt::Admitted { is_low: true }
        );
    }
}

#[test]
fn a_question_asks_for_a_lease_and_at_least_for_what_is_short() {
    // (spent, granted, limit, need, want); a lease is 20.
    let table = [
        (0, 0, 1000, 0, 20),
        (0, 0, 1000, 1, 20),
        (0, 0, 1000, 20, 20),
        (0, 0, 1000, 21, 21),
        (15, 20, 1000, 6, 20),
        (15, 20, 1000, 500, 495),
        // Less than half a lease is left.
        (11, 20, 1000, 0, 20),
        (10, 20, 1000, 0, 0),
        (0, 20, 1000, 0, 0),
        (0, 20, 1000, 20, 0),
        // What was spent without a grant.
        (50, 20, 1000, 0, 30),
        (50, 20, 1000, 10, 40),
        (30, 20, 1000, 0, 20),
        // The ledger has no more than the limit.
        (985, 985, 1000, 0, 15),
        (985, 985, 1000, 5, 15),
        (985, 1000, 1000, 0, 0),
        (5000, 1000, 1000, 0, 0),
        (5000, 990, 1000, 0, 10),
        (5000, 0, u64::MAX, 0, 5000),
        (0, 0, 0, 0, 0),
        (0, 0, 5, 0, 5),
        (u64::MAX, 0, 1000, 5, 1000),
        (0, 0, 1000, u64::MAX, 1000),
    ];
    for (total, granted, limit, need, want) in table {
        let mut account = account(total, granted);
        let mut leased = Leased::new(&mut account, terms(20), NOW);
        let asked = leased.ask(limit, need, &mut || Some(9));
        let expected = (want > 0).then(|| Question {
            id: 9,
            want,
            limit: limit.min(BUDGET_AMOUNT),
        });
        assert_eq!(asked, expected, "{total} {granted} {limit} {need}");
        assert_eq!(leased.question(), expected);
        // Whoever asks next asks the same, whatever it needs.
        if asked.is_some() {
            assert_eq!(leased.ask(5, 999, &mut || panic!("drawn again")), expected);
        }
    }
}

#[test]
fn without_random_numbers_nothing_is_asked() {
    let mut account = account(0, 0);
    let before = account.clone();
    let mut leased = Leased::new(&mut account, terms(20), NOW);
    assert_eq!(leased.ask(1000, 1, &mut || None), None);
    assert_eq!(account, before);
}

#[test]
fn an_answer_counts_once_and_only_for_its_question() {
    let asking = || with(account(5, 10), |lease| lease.question = Some(QUESTION));
    let granted = |account: &Account| account.lease.as_ref().unwrap().granted;
    let mut once = asking();
    let mut leased = Leased::new(&mut once, terms(20), NOW);
    leased.answered(&QUESTION, grant(20, 500));
    assert_eq!(leased.question(), None);
    // From another worker, which asked the same.
    leased.answered(&QUESTION, grant(20, 500));
    assert_eq!(granted(&once), 30);
    let others = [
        Question { id: 8, ..QUESTION },
        Question {
            want: 19,
            ..QUESTION
        },
        Question {
            limit: 1,
            ..QUESTION
        },
    ];
    for other in others {
        let mut account = asking();
        Leased::new(&mut account, terms(20), NOW).answered(&other, grant(20, 500));
        assert_eq!(account, asking());
    }
    let mut none = Account::new(5, None);
    Leased::new(&mut none, terms(20), NOW).answered(&QUESTION, grant(20, 500));
    assert_eq!(none, Account::new(5, None));
}

#[test]
fn what_is_left_counts_what_was_granted_to_others() {
    // (granted before, granted, remaining, left of 1000 with 5 spent)
    let table = [
        // Nobody else has any.
        (0, 20, Some(980), 995),
        (10, 20, Some(970), 995),
        // Others have 400.
        (0, 20, Some(580), 595),
        (10, 0, Some(0), 5),
        // It says nothing about it.
        (10, 20, None, 995),
        // It says more than can be.
        (10, 20, Some(5000), 995),
    ];
    for (before, granted, remaining, left) in table {
        let mut account = with(account(5, before), |lease| lease.question = Some(QUESTION));
        let mut leased = Leased::new(&mut account, terms(20), NOW);
        leased.answered(&QUESTION, Grant { granted, remaining });
        assert_eq!(
            leased.remaining(1000),
            left,
            "{before} {granted} {remaining:?}"
        );
    }
    let mut account = with(account(0, 0), |lease| lease.elsewhere = 900);
    let leased = Leased::new(&mut account, terms(20), NOW);
    assert_eq!([leased.remaining(1000), leased.remaining(800)], [100, 0]);
}

#[test]
fn what_was_not_used_for_half_a_minute_goes_back() {
    let since = |seconds: u64| NOW.minus(Duration::from_secs(seconds));
    // (spent, granted, used, idle, granted afterwards)
    let table = [
        (0, 20, since(30), Idle::Return(20), None),
        (5, 20, since(30), Idle::Return(15), Some(5)),
        (5, 20, since(3000), Idle::Return(15), Some(5)),
        (20, 20, since(30), Idle::Nothing, Some(20)),
        (0, 0, since(30), Idle::Nothing, None),
        (
            0,
            20,
            since(29),
            Idle::Until(NOW.plus(Duration::from_secs(1))),
            Some(20),
        ),
        (
            0,
            20,
            NOW,
            Idle::Until(NOW.plus(Duration::from_secs(30))),
            Some(20),
        ),
        // The clock was set back: it counts anew.
        (0, 20, UnixTime::FAR_FUTURE, Idle::Return(20), None),
        (21, 20, since(30), Idle::Ask, Some(20)),
    ];
    for (total, granted, used_at, expected, then) in table {
        let mut account = with(account(total, granted), |lease| lease.used_at = used_at);
        let idle = Leased::new(&mut account, terms(20), NOW).idle();
        assert_eq!(idle, expected, "{total} {granted}");
        assert_eq!(account.lease.as_ref().map(|lease| lease.granted), then);
        assert_eq!(account.total(), total);
        // It goes back once.
        if matches!(idle, Idle::Return(_)) {
            assert_eq!(
                Leased::new(&mut account, terms(20), NOW).idle(),
                Idle::Nothing
            );
        }
    }
}

#[test]
fn nothing_goes_back_while_a_question_is_open() {
    let mut account = with(account(0, 20), |lease| lease.question = Some(QUESTION));
    let before = account.clone();
    assert_eq!(Leased::new(&mut account, terms(20), NOW).idle(), Idle::Ask);
    assert_eq!(account, before);
}

#[test]
fn a_pause_is_remembered_until_it_is_over() {
    let mut account = with(account(0, 0), |lease| lease.refused_at = NOW);
    let later = NOW.plus(PAUSE);
    assert_eq!(
        Leased::new(&mut account, terms(20), NOW).idle(),
        Idle::Until(later)
    );
    assert_eq!(
        Leased::new(&mut account, terms(20), later).idle(),
        Idle::Nothing
    );
    assert!(account.is_empty());
}

#[test]
fn what_one_ledger_granted_is_not_spent_from_another() {
    let other = LedgerTerms {
        ledger: LedgerId::of(b"there"),
        ..terms(20)
    };
    let mut moved = account(30, 100);
    let mut leased = Leased::new(&mut moved, other, NOW);
    assert_eq!(leased.reserve(1000, 10, false), Attempt::Short);
    // It must know of what was spent already.
    assert_eq!(leased.ask(1000, 10, &mut || Some(1)).unwrap().want, 40);
    // Whoever does not spend leaves it alone.
    let mut stays = account(30, 100);
    assert!(Leased::of(&mut stays, other, NOW).is_none());
    assert_eq!(stays, account(30, 100));
    assert!(Leased::of(&mut stays, terms(20), NOW).is_some());
    assert!(Leased::of(&mut Account::new(1, None), other, NOW).is_some());
}

#[test]
fn a_lease_is_a_share_of_the_limit_or_a_number() {
    let share = LeaseSize::Share;
    for (size, limit, expected) in [
        (share(20_000), 1_000_000, 20_000),
        (share(20_000), 49, 1),
        (share(20_000), 100, 2),
        (share(20_000), 149, 2),
        (share(20_000), 0, 1),
        (share(1_000_000), BUDGET_AMOUNT, BUDGET_AMOUNT),
        (share(u64::MAX), u64::MAX, u64::MAX),
        (share(0), 1000, 1),
        (LeaseSize::Fixed(500), 100, 500),
        (LeaseSize::Fixed(0), 100, 1),
    ] {
        assert_eq!(size.of(limit), expected, "{size:?} of {limit}");
    }
}
