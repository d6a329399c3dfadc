//! Which windows are now.

use crate::ledger::{Account, Store, id, send};
use crate::server::{eventually, now};

suite! {
    windows_are_of_now
    an_answer_outlives_its_window
}

fn windows_are_of_now(store: &mut Store) {
    let server = store.serve();
    let account = Account::new();
    // Seconds are left out where the clock may move on during the test.
    for (from_now, length, is_open) in [
        (0, 1, true),
        (-50, 1, true),
        (55, 1, true),
        (-70, 1, false),
        (-64, 1, false),
        (70, 1, false),
        (1000, 1, false),
        (-1000, 1, false),
        (-5000, 1, false),
    ] {
        let account = Account {
            window: now() + from_now,
            length,
            ..account.clone()
        };
        for body in [
            account.asking(&id(), 100, 10),
            account.giving_back(&id(), 10),
        ] {
            let before = now();
            let answer = send(&server, &body);
            assert_eq!(answer.status, if is_open { 200 } else { 409 }, "{from_now}");
            if !is_open {
                assert_eq!(answer.header("content-type"), Some("application/json"));
                assert_eq!(answer.header("cache-control"), Some("no-store"));
                let answer = answer.json();
                assert_eq!(answer.as_object().unwrap().len(), 1);
                let time = answer["now"].as_i64().unwrap();
                assert!((before..=now()).contains(&time), "{time}");
            }
        }
    }
    // Windows of a day: that of yesterday and that of tomorrow, but around midnight.
    let (day, second) = (now() - now() % 86_400, now() % 86_400);
    if (120..86_280).contains(&second) {
        for window in [day - 86_400, day + 86_400, 0] {
            let account = Account {
                window,
                ..account.clone()
            };
            send(&server, &account.asking(&id(), 100, 10)).expect(409);
        }
    }
}

fn an_answer_outlives_its_window(store: &mut Store) {
    let server = store.serve();
    // It closes in a moment: its end is a minute ago then.
    let account = Account {
        window: now() - 58,
        length: 1,
        ..Account::new()
    };
    let (first, second) = (id(), id());
    let answer = account.ask_as(&server, &first, 100, 60);
    account.give_back(&server, &second, 10);
    eventually("the window closes", || {
        send(&server, &account.asking(&id(), 100, 0)).status == 409
    });
    assert_eq!(account.ask_as(&server, &first, 100, 60), answer);
    assert_eq!(account.give_back(&server, &second, 10), 10);
    send(&server, &account.giving_back(&id(), 10)).expect(409);
}
