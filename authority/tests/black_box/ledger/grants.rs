//! What is granted of a budget.

use crate::ledger::{Account, Granted, Store, at_once, id};
use crate::server::now;

suite! {
    a_question_is_granted_what_is_left
    a_question_asked_again_gets_its_answer_again
    a_question_asked_many_times_at_once_is_granted_once
    many_questions_at_once_are_granted_no_more_than_the_limit
    the_limit_is_the_questions
    accounts_are_apart
    numbers_are_exact
}

fn a_question_is_granted_what_is_left(store: &mut Store) {
    let server = store.serve();
    let account = Account::new();
    for remaining in (0..50).rev().map(|left| left * 20_000) {
        let granted = account.ask(&server, 1_000_000, 20_000);
        assert_eq!(
            granted,
            Granted {
                granted: 20_000,
                remaining
            }
        );
    }
    let account = account.with_key("other");
    assert_eq!(
        account.ask(&server, 100, 70),
        Granted {
            granted: 70,
            remaining: 30
        }
    );
    assert_eq!(
        account.ask(&server, 100, 70),
        Granted {
            granted: 30,
            remaining: 0
        }
    );
    for want in [70, 1, 0] {
        assert_eq!(
            account.ask(&server, 100, want),
            Granted {
                granted: 0,
                remaining: 0
            }
        );
    }
}

fn a_question_asked_again_gets_its_answer_again(store: &mut Store) {
    let server = store.serve();
    let account = Account::new();
    let ids = [id(), id(), id()];
    let ask = |id: &str, want| account.ask_as(&server, id, 100, want);
    let answers =
        [(60, 40), (40, 0), (0, 0)].map(|(granted, remaining)| Granted { granted, remaining });
    let all = || ids.iter().map(|id| ask(id, 60)).collect::<Vec<_>>();
    assert_eq!(all(), answers);
    assert_eq!(all(), answers);
    // Whatever else it says, and although there is something left by now.
    assert_eq!(account.give_back(&server, &id(), 100), 100);
    assert_eq!(all(), answers);
    assert_eq!(ask(&ids[2], 5), answers[2]);
    assert_eq!(account.ask_as(&server, &ids[2], 10_000, 10_000), answers[2]);
    assert_eq!(
        ask(&id(), 100),
        Granted {
            granted: 100,
            remaining: 0
        }
    );
    // Another Envoy that has the same id has another question.
    assert_eq!(
        account.of(id()).ask_as(&server, &ids[0], 200, 60),
        Granted {
            granted: 60,
            remaining: 40
        }
    );
}

fn a_question_asked_many_times_at_once_is_granted_once(store: &mut Store) {
    let servers = store.serve_several();
    let account = Account::new();
    let id = id();
    let ask = |n: usize| account.ask_as(&servers[n % servers.len()], &id, 1000, 60);
    let answers = at_once(100, ask);
    assert_eq!(
        answers,
        [Granted {
            granted: 60,
            remaining: 940
        }; 100]
    );
    assert_eq!(
        account.ask(&servers[0], 1000, 0),
        Granted {
            granted: 0,
            remaining: 940
        }
    );
}

fn many_questions_at_once_are_granted_no_more_than_the_limit(store: &mut Store) {
    let servers = store.serve_several();
    let account = Account::new();
    let holders: Vec<Account> = (0..3).map(|_| account.of(id())).collect();
    // Each is wanted seven times over.
    let ask = |n: usize| {
        let want = 1 + (n as u64 * 7919) % 97;
        let granted = holders[n % holders.len()].ask(&servers[n % servers.len()], 2000, want);
        assert!(granted.granted <= want);
        granted
    };
    let answers = at_once(300, ask);
    let granted: u64 = answers.iter().map(|answer| answer.granted).sum();
    assert_eq!(granted, 2000);
    // The answers stand in one order: no two saw the same rest, but where nothing was left.
    let mut remaining: Vec<u64> = answers.iter().map(|answer| answer.remaining).collect();
    remaining.retain(|remaining| *remaining > 0);
    let count = remaining.len();
    remaining.sort();
    remaining.dedup();
    assert_eq!(remaining.len(), count);
}

fn the_limit_is_the_questions(store: &mut Store) {
    let server = store.serve();
    let account = Account::new();
    for (limit, want, granted, remaining) in [
        (100, 80, 80, 20),
        (50, 10, 0, 0),
        (80, 10, 0, 0),
        (90, 50, 10, 0),
        (200, 50, 50, 60),
        (0, 50, 0, 0),
        (100, 50, 0, 0),
        (200, 100, 60, 0),
    ] {
        assert_eq!(
            account.ask(&server, limit, want),
            Granted { granted, remaining },
            "{limit}"
        );
    }
}

fn accounts_are_apart(store: &mut Store) {
    let server = store.serve();
    let account = Account::new();
    let hour = now() - now() % 3600;
    let full = Granted {
        granted: 100,
        remaining: 0,
    };
    for account in [
        account.clone(),
        account.with_key("daily"),
        account.with_key("x:y"),
        Account {
            budget: "burst",
            ..account.clone()
        },
        Account {
            budget: "Daily",
            ..account.clone()
        },
        Account {
            window: hour,
            length: 3600,
            ..account.clone()
        },
        Account {
            window: now() - now() % 1800,
            length: 1800,
            ..account.clone()
        },
        Account {
            window: now() + 30,
            length: 1,
            ..account.clone()
        },
        Account {
            window: now() + 31,
            length: 1,
            ..account.clone()
        },
    ] {
        assert_eq!(account.ask(&server, 100, 100), full, "{}", account.budget);
        // All Envoys spend the same.
        assert_eq!(account.of(id()).ask(&server, 100, 100).granted, 0);
    }
}

fn numbers_are_exact(store: &mut Store) {
    const MOST: u64 = 1 << 53;
    let server = store.serve();
    let account = Account::new();
    assert_eq!(
        account.ask(&server, MOST, MOST - 1),
        Granted {
            granted: MOST - 1,
            remaining: 1
        }
    );
    assert_eq!(
        account.ask(&server, MOST, MOST),
        Granted {
            granted: 1,
            remaining: 0
        }
    );
    assert_eq!(account.give_back(&server, &id(), MOST - 3), MOST - 3);
    assert_eq!(
        account.ask(&server, MOST, 0),
        Granted {
            granted: 0,
            remaining: MOST - 3
        }
    );
    assert_eq!(
        account.ask(&server, 3, 1),
        Granted {
            granted: 0,
            remaining: 0
        }
    );
    assert_eq!(
        account.ask(&server, 4, 3),
        Granted {
            granted: 1,
            remaining: 0
        }
    );
}
