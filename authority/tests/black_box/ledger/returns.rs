//! What comes back.

use crate::ledger::{Account, Granted, Store, at_once, id, send};

suite! {
    what_comes_back_is_granted_again
    nobody_gives_back_more_than_they_hold
    an_id_is_for_one_kind_of_entry
}

fn what_comes_back_is_granted_again(store: &mut Store) {
    let server = store.serve();
    let account = Account::new();
    let (first, second) = (id(), id());
    account.ask(&server, 100, 100);
    assert_eq!(account.give_back(&server, &first, 30), 30);
    // Sent again, it is taken once.
    assert_eq!(account.give_back(&server, &first, 30), 30);
    assert_eq!(account.give_back(&server, &first, 70), 30);
    assert_eq!(
        account.ask(&server, 100, 100),
        Granted {
            granted: 30,
            remaining: 0
        }
    );
    assert_eq!(account.give_back(&server, &first, 30), 30);
    assert_eq!(
        account.ask(&server, 100, 100),
        Granted {
            granted: 0,
            remaining: 0
        }
    );
    assert_eq!(account.give_back(&server, &second, 20), 20);
    assert_eq!(
        account.ask(&server, 100, 15),
        Granted {
            granted: 15,
            remaining: 5
        }
    );

    let servers = [&server];
    let id = id();
    let returned = at_once(50, |n| {
        account.give_back(servers[n % servers.len()], &id, 10)
    });
    assert_eq!(returned, [10; 50]);
    assert_eq!(account.ask(&server, 100, 0).remaining, 15);
}

fn nobody_gives_back_more_than_they_hold(store: &mut Store) {
    let server = store.serve();
    let (one, other) = (Account::new(), Account::new());
    one.ask(&server, 100, 60);
    other.ask(&server, 100, 10);
    let nobody = Account::new();
    assert_eq!(nobody.give_back(&server, &id(), 60), 0);
    assert_eq!(other.give_back(&server, &id(), 60), 10);
    assert_eq!(other.give_back(&server, &id(), 60), 0);
    assert_eq!(one.give_back(&server, &id(), 1 << 53), 60);
    assert_eq!(one.give_back(&server, &id(), 1), 0);
    assert_eq!(
        one.ask(&server, 100, 100),
        Granted {
            granted: 100,
            remaining: 0
        }
    );
    // What came too early stays without effect.
    let early = id();
    let new = Account {
        budget: "new",
        ..Account::new()
    };
    assert_eq!(new.give_back(&server, &early, 50), 0);
    new.ask(&server, 100, 100);
    assert_eq!(new.give_back(&server, &early, 50), 0);
    // Another window, another key: nothing is held there.
    assert_eq!(one.with_key("other").give_back(&server, &id(), 1), 0);
}

fn an_id_is_for_one_kind_of_entry(store: &mut Store) {
    let server = store.serve();
    let account = Account::new();
    let (asked, returned) = (id(), id());
    account.ask_as(&server, &asked, 100, 60);
    account.give_back(&server, &returned, 10);
    let refused = send(&server, &account.giving_back(&asked, 10)).expect(400);
    assert_eq!(refused.json()["error"], "invalid_request");
    send(&server, &account.asking(&returned, 100, 10)).expect(400);
    assert_eq!(
        account.ask(&server, 100, 100),
        Granted {
            granted: 50,
            remaining: 0
        }
    );
}
