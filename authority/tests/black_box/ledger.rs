//! The ledger of token budgets: one suite of tests, run on each of its stores.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::http::{NoAnswer, Request, Response};
use crate::server::{Folder, GATEWAY, READER, Server, TOUR, eventually, now};

/// Where the ledger is kept.
enum Store {
    Database(Folder),
    #[cfg(feature = "redis-tests")]
    Redis(crate::redis::Redis),
}

/// To a question.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Granted {
    granted: u64,
    remaining: u64,
}

/// What one Envoy asks about one budget of one caller in one window.
#[derive(Clone)]
struct Account {
    holder: String,
    budget: &'static str,
    key: &'static str,
    window: i64,
    length: i64,
}

const KEY: &str = r#"["corp","acme","ci-bot"]"#;

/// Each test, on each store.
macro_rules! suite {
    ($($test:ident)*) => {
        mod in_the_database {
            $(#[test] fn $test() { super::$test(&mut super::Store::database()); })*
        }
        #[cfg(feature = "redis-tests")]
        mod in_redis {
            $(#[test] fn $test() { super::$test(&mut super::Store::redis()); })*
        }
    };
}

suite! {
    a_question_is_granted_what_is_left
    a_question_asked_again_gets_its_answer_again
    a_question_asked_many_times_at_once_is_granted_once
    many_questions_at_once_are_granted_no_more_than_the_limit
    the_limit_is_the_questions
    accounts_are_apart
    what_comes_back_is_granted_again
    nobody_gives_back_more_than_they_hold
    an_id_is_for_one_kind_of_entry
    the_ledger_does_as_a_model_of_it
    nothing_that_was_granted_is_forgotten
    windows_are_of_now
    an_answer_outlives_its_window
    numbers_are_exact
    a_malformed_body_is_refused
    the_ledger_is_for_those_who_may_introspect
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

/// What the ledger should do, in a few lines.
#[derive(Default)]
struct Model {
    spent: u64,
    held: BTreeMap<usize, u64>,
    answers: BTreeMap<String, Value>,
}

impl Model {
    fn ask(&mut self, holder: usize, limit: u64, want: u64) -> Value {
        let granted = want.min(limit.saturating_sub(self.spent));
        self.spent += granted;
        *self.held.entry(holder).or_default() += granted;
        json!({"granted": granted, "remaining": limit.saturating_sub(self.spent)})
    }

    fn give_back(&mut self, holder: usize, amount: u64) -> Value {
        let held = self.held.entry(holder).or_default();
        let returned = amount.min(*held);
        *held -= returned;
        self.spent -= returned;
        json!({ "returned": returned })
    }
}

fn the_ledger_does_as_a_model_of_it(store: &mut Store) {
    let servers = store.serve_several();
    let account = Account::new();
    let holders: Vec<Account> = (0..4).map(|_| account.of(id())).collect();
    let (mut model, mut sent) = (Model::default(), Vec::new());
    let mut state = 42_u64;
    let mut random = |below: u64| {
        // Knuth's multiplier; the high bits are the good ones.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % below
    };
    for step in 0..400 {
        let server = &servers[step % servers.len()];
        if random(4) == 0 && !sent.is_empty() {
            let (id, body): &(String, Value) = &sent[random(sent.len() as u64) as usize];
            assert_eq!(
                send(server, body).expect(200).json(),
                model.answers[id],
                "{step}"
            );
            continue;
        }
        let (id, holder) = (id(), random(4) as usize);
        let (body, answer) = if random(3) == 0 {
            let amount = random(120);
            (
                holders[holder].giving_back(&id, amount),
                model.give_back(holder, amount),
            )
        } else {
            let (limit, want) = (800 + random(3) * 100, random(90));
            (
                holders[holder].asking(&id, limit, want),
                model.ask(holder, limit, want),
            )
        };
        assert_eq!(send(server, &body).expect(200).json(), answer, "{step}");
        model.answers.insert(id.clone(), answer);
        sent.push((id, body));
    }
}

/// `kill -9` under load, of the authority and of Redis.
fn nothing_that_was_granted_is_forgotten(store: &mut Store) {
    const LIMIT: u64 = 1_000_000;
    let account = Account::new();
    let mut promised: BTreeMap<String, Granted> = BTreeMap::new();
    let mut open: Vec<String> = Vec::new();
    for round in 0..6 {
        let server = store.serve();
        let count = AtomicUsize::new(0);
        let work = || {
            let mut answers = Vec::new();
            loop {
                let id = id();
                let answer = try_send(&server.public, &account.asking(&id, LIMIT, 7));
                let answer = answer.ok().filter(|answer| answer.status == 200);
                count.fetch_add(1, Ordering::Relaxed);
                answers.push((id, answer.map(|answer| answer.json_as::<Granted>())));
                if answers.last().unwrap().1.is_none() {
                    return answers;
                }
            }
        };
        let answers = thread::scope(|scope| {
            let workers: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
            eventually("some answers", || {
                count.load(Ordering::Relaxed) > 20 + 10 * round
            });
            store.kill(&server);
            let answers = workers.into_iter().map(|worker| worker.join().unwrap());
            answers.flatten().collect::<Vec<_>>()
        });
        drop(server);
        store.restart();
        for (id, answer) in answers {
            match answer {
                Some(answer) => drop(promised.insert(id, answer)),
                None => open.push(id),
            }
        }
    }
    let server = store.serve();
    for (id, answer) in &promised {
        assert_eq!(account.ask_as(&server, id, LIMIT, 7), *answer);
    }
    // What had no answer was granted or was not: asked again, it is.
    for id in &open {
        assert_eq!(account.ask_as(&server, id, LIMIT, 7).granted, 7);
    }
    let spent = 7 * (promised.len() + open.len()) as u64;
    assert!(promised.len() > 100 && !open.is_empty());
    let rest = account.ask(&server, LIMIT, LIMIT);
    assert_eq!(
        rest,
        Granted {
            granted: LIMIT - spent,
            remaining: 0
        }
    );
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

fn a_malformed_body_is_refused(store: &mut Store) {
    let server = store.serve();
    let account = Account::new();
    let (asking, giving_back) = (
        account.asking(&id(), 100, 10),
        account.giving_back(&id(), 10),
    );
    let with = |name: &str, value: Value| {
        let mut body = asking.clone();
        body[name] = value;
        body.to_string()
    };
    let without = |body: &Value, name: &str| {
        let mut body = body.clone();
        body.as_object_mut().unwrap().remove(name).unwrap();
        body.to_string()
    };
    let text = asking.to_string();
    let mut wrong = vec![
        String::new(),
        "x".to_owned(),
        "{}".to_owned(),
        "[]".to_owned(),
        "null".to_owned(),
        json!([
            "a",
            "b",
            "daily",
            KEY,
            account.window,
            account.length,
            100,
            10
        ])
        .to_string(),
        format!("[{text}]"),
        format!("{text}{text}"),
        text[1..].to_owned(),
        text[..text.len() - 1].to_owned(),
        text.replacen('{', r#"{"id":"a","#, 1),
        text.replacen('{', r#"{"want":10,"#, 1),
        text.replacen('{', r#"{"extra":10,"#, 1),
        text.replacen('{', r#"{"return":10,"#, 1),
        text.replacen('{', r#"{"return":null,"#, 1),
        with("id", json!("")),
        with("id", json!("a".repeat(129))),
        with("id", json!("a b")),
        with("id", json!("a\nb")),
        with("id", json!("é")),
        with("holder", json!("")),
        with("holder", json!("a".repeat(129))),
        with("holder", json!("a\0b")),
        with("budget", json!("")),
        with("budget", json!("a".repeat(65))),
        with("budget", json!("a:b")),
        with("budget", json!("a b")),
        with("key", json!("")),
        with("key", json!("a".repeat(1025))),
        with("key", json!("é".repeat(513))),
        with("key", json!(["corp", "acme"])),
        with("length", json!(0)),
        with("length", json!(2_678_401)),
        with("length", json!(7)),
        with("window", json!(account.window + 1)),
        with("window", json!(-account.length)),
        with("window", json!(u64::MAX)),
        with("limit", json!((1_u64 << 53) + 1)),
        with("want", json!((1_u64 << 53) + 1)),
        with("want", json!(u64::MAX)),
    ];
    for name in ["id", "holder", "budget", "key"] {
        wrong.extend([json!(7), Value::Null, json!({})].map(|value| with(name, value)));
        wrong.push(without(&asking, name));
        wrong.push(without(&giving_back, name));
    }
    for name in ["window", "length", "limit", "want"] {
        let values = [
            json!(-1),
            json!(1.5),
            json!("10"),
            json!(true),
            Value::Null,
            json!(1e300),
        ];
        wrong.extend(values.map(|value| with(name, value)));
        wrong.push(without(&asking, name));
    }
    wrong.push(without(&giving_back, "return"));
    for value in [
        json!(-1),
        json!(1.5),
        json!("10"),
        Value::Null,
        json!((1_u64 << 53) + 1),
    ] {
        let mut body = giving_back.clone();
        body["return"] = value;
        wrong.push(body.to_string());
    }
    for body in wrong {
        let answer = server.send(ledger().json(body.as_str()));
        assert_eq!(answer.status, 400, "{body}");
        assert_eq!(answer.json()["error"], "invalid_request", "{body}");
    }
    // JSON that does not say that it is, too much of it, and other methods.
    for request in [
        ledger().body(&text),
        ledger().form(&text),
        ledger().header("content-type", "text/plain").body(&text),
        ledger()
            .json(&text)
            .header("content-type", "application/json"),
    ] {
        server.send(request).expect(400);
    }
    let long = format!("{text}{}", " ".repeat(64 * 1024));
    server.send(ledger().json(long)).expect(413);
    server.poll("/ledger").expect(405);
    // None of it left a trace, and what is at its bounds is taken.
    let bounds = Account {
        budget: "b",
        holder: "~".repeat(128),
        ..account.clone()
    };
    assert_eq!(bounds.ask_as(&server, "!", 100, 0).remaining, 100);
    let key: &'static str = "é".repeat(512).leak();
    bounds
        .with_key(key)
        .ask_as(&server, &"a".repeat(128), 100, 0);
    let longest = Account {
        window: now() - now() % 2_678_400,
        length: 2_678_400,
        ..account.clone()
    };
    longest.ask(&server, 1 << 53, 0);
    assert_eq!(
        account.ask(&server, 100, 0),
        Granted {
            granted: 0,
            remaining: 100
        }
    );
}

fn the_ledger_is_for_those_who_may_introspect(store: &mut Store) {
    let server = store.serve();
    let account = Account::new();
    let (id, secret) = GATEWAY;
    let token = server.token(READER);
    let body = || account.asking(&self::id(), 100, 10).to_string();
    let request = || Request::new("POST", "/ledger").json(body());
    for (why, request, status, error) in [
        ("nobody", request(), 401, "invalid_client"),
        (
            "a wrong secret",
            request().basic(id, "wrong"),
            401,
            "invalid_client",
        ),
        ("no secret", request().basic(id, ""), 401, "invalid_client"),
        (
            "unknown",
            request().basic("nobody", secret),
            401,
            "invalid_client",
        ),
        (
            "a token",
            request().header("authorization", &format!("Bearer {token}")),
            401,
            "invalid_client",
        ),
        (
            "twice",
            request().basic(id, secret).basic(id, secret),
            400,
            "invalid_request",
        ),
        (
            "a client that may not",
            request().basic(READER.0, READER.1),
            403,
            "access_denied",
        ),
        // The credential is looked at first.
        (
            "nobody, with nothing",
            Request::new("POST", "/ledger"),
            401,
            "invalid_client",
        ),
    ] {
        let answer = server.send(request);
        assert_eq!(answer.status, status, "{why}");
        assert_eq!(answer.json()["error"], error, "{why}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{why}");
        let challenge = answer.header("www-authenticate");
        let expected = (status == 401).then_some("Basic realm=\"authority\"");
        assert_eq!(challenge, expected, "{why}");
    }
    assert_eq!(account.ask(&server, 100, 100).granted, 100);
    // It is no part of the admin port.
    let admin = Request::new("POST", "/ledger").json(body());
    server.send_admin(admin).expect(404);
}

#[test]
fn a_database_that_does_not_answer_is_a_503() {
    let store = Store::database();
    let server = store.serve();
    let account = Account::new();
    let (before, during) = (id(), id());
    account.ask_as(&server, &before, 100, 10);
    let Store::Database(folder) = &store else {
        unreachable!()
    };
    let other = rusqlite::Connection::open(folder.file("authority.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    away(&send(&server, &account.asking(&during, 100, 10)));
    other.execute_batch("ROLLBACK").unwrap();
    let granted = account.ask_as(&server, &during, 100, 10);
    assert_eq!(
        granted,
        Granted {
            granted: 10,
            remaining: 80
        }
    );
}

#[cfg(feature = "redis-tests")]
mod only_in_redis {
    use super::*;
    use crate::command_line::run;
    use crate::redis::{DURABLE, Redis};

    #[test]
    fn redis_away_is_a_503_until_it_is_back() {
        let mut redis = Redis::start();
        let server = serve(&redis);
        let account = Account::new();
        account.ask(&server, 100, 10);
        redis.kill();
        for _ in 0..3 {
            away(&send(&server, &account.asking(&id(), 100, 10)));
        }
        server.get("/ready").expect(503);
        let health = server.get("/health").expect(200);
        assert_eq!(health.json(), json!({"status": "ok", "cache": null}));
        // All else works.
        server.token(READER);
        redis.restart();
        eventually("the ledger is back", || server.get("/ready").status == 200);
        assert_eq!(
            account.ask(&server, 100, 10),
            Granted {
                granted: 10,
                remaining: 80
            }
        );
    }

    #[test]
    fn a_restart_of_redis_is_not_noticed() {
        let mut redis = Redis::start();
        let server = serve(&redis);
        let account = Account::new();
        let first = id();
        let answer = account.ask_as(&server, &first, 100, 10);
        for _ in 0..3 {
            redis.kill();
            redis.restart();
            assert_eq!(account.ask_as(&server, &first, 100, 10), answer);
        }
    }

    #[test]
    fn a_redis_that_hangs_is_a_503_soon() {
        let redis = Redis::start();
        let server = serve(&redis);
        let account = Account::new();
        account.ask(&server, 100, 10);
        redis.freeze();
        let (begin, id) = (Instant::now(), id());
        let answers = at_once(20, |_| send(&server, &account.asking(&id, 100, 10)));
        answers.iter().for_each(away);
        assert!(
            begin.elapsed() < Duration::from_secs(10),
            "{:?}",
            begin.elapsed()
        );
        redis.thaw();
        eventually("the ledger is back", || server.get("/ready").status == 200);
        // Whether it was granted while nobody knew does not matter.
        let granted = account.ask_as(&server, &id, 100, 10);
        assert_eq!(
            granted,
            Granted {
                granted: 10,
                remaining: 80
            }
        );
    }

    #[test]
    fn an_authority_starts_before_its_redis() {
        let mut redis = Redis::start();
        redis.kill();
        let server = serve(&redis);
        away(&send(&server, &Account::new().asking(&id(), 100, 10)));
        redis.restart();
        eventually("the ledger is there", || server.get("/ready").status == 200);
        Account::new().ask(&server, 100, 10);
        let (_, stderr) = server.terminate();
        assert!(stderr.contains("authority: cache: "), "{stderr}");
    }

    #[test]
    fn redis_forgets_an_account_an_hour_after_its_window() {
        let redis = Redis::start();
        let server = serve(&redis);
        let account = Account {
            window: now() - now() % 600,
            length: 600,
            ..Account::new()
        };
        let time = || -> i64 {
            let keys = redis.keys();
            assert_eq!(
                keys,
                [format!(
                    "authority:ledger:daily:{}:600:{KEY}",
                    account.window
                )]
            );
            let command = ::redis::cmd("EXPIRETIME")
                .arg(&keys[0])
                .query(&mut redis.connect());
            command.unwrap()
        };
        account.ask(&server, 100, 10);
        assert_eq!(time(), account.window + 600 + 3600);
        account.ask(&server, 100, 0);
        account.give_back(&server, &id(), 5);
        assert_eq!(time(), account.window + 600 + 3600);
        // A return of what nobody holds is remembered too, and as long.
        ::redis::cmd("FLUSHALL").exec(&mut redis.connect()).unwrap();
        account.give_back(&server, &id(), 5);
        assert_eq!(time(), account.window + 600 + 3600);
    }

    #[test]
    fn a_full_redis_grants_nothing() {
        let redis = Redis::start();
        let server = serve(&redis);
        let account = Account::new();
        let first = id();
        let answer = account.ask_as(&server, &first, 100, 10);
        let set = |name: &str, value: &str| {
            let mut command = ::redis::cmd("CONFIG");
            command.arg("SET").arg(name).arg(value);
            command.exec(&mut redis.connect()).unwrap();
        };
        set("maxmemory", "1");
        away(&send(&server, &account.asking(&id(), 100, 10)));
        set("maxmemory", "0");
        assert_eq!(account.ask_as(&server, &first, 100, 10), answer);
        assert_eq!(
            account.ask(&server, 100, 10),
            Granted {
                granted: 10,
                remaining: 80
            }
        );
    }

    #[test]
    fn settings_that_lose_grants_are_said() {
        const WARNINGS: [&str; 3] = [
            "appendonly yes: ",
            "appendfsync always: ",
            "maxmemory-policy noeviction: ",
        ];
        for (args, settings) in [
            (&DURABLE[..], [true, true, true]),
            (&["--appendonly", "yes"], [true, false, true]),
            (&["--appendfsync", "always"], [false, true, true]),
            (
                &["--maxmemory-policy", "allkeys-lru"],
                [false, false, false],
            ),
        ] {
            let redis = Redis::with(args);
            let server = serve(&redis);
            let health = server.get("/health").expect(200).json();
            let [appendonly, always, noeviction] = settings;
            let expected = json!({
                "appendonly": appendonly,
                "appendfsync_always": always,
                "noeviction": noeviction,
            });
            assert_eq!(health, json!({"status": "ok", "cache": expected}));
            server.get("/ready").expect(200);
            Account::new().ask(&server, 100, 10);
            let (_, stderr) = server.terminate();
            for (warning, is_so) in WARNINGS.iter().zip(settings) {
                let said = stderr
                    .matches(&format!("Redis is not set to {warning}"))
                    .count();
                assert_eq!(said, usize::from(!is_so), "{args:?}: {stderr}");
            }
        }
    }

    #[test]
    fn a_password_is_sent_and_never_told() {
        const PASSWORD: &str = "s3cret-of-redis";
        let redis = Redis::with(&[&DURABLE[..], &["--requirepass", PASSWORD]].concat());
        let with = |credentials: &str| {
            let url = redis
                .url()
                .replace("redis://", &format!("redis://{credentials}"));
            Server::with(TOUR, &["--cache", &url])
        };
        let server = with(&format!(":{PASSWORD}@"));
        Account::new().ask(&server, 100, 10);
        let (_, stderr) = server.terminate();
        assert!(!stderr.contains(PASSWORD), "{stderr}");
        for wrong in ["", ":wr0ng@", "nobody:s3cret-of-redis@"] {
            let server = with(wrong);
            let answer = send(&server, &Account::new().asking(&id(), 100, 10));
            away(&answer);
            server.get("/ready").expect(503);
            let (_, stderr) = server.terminate();
            assert!(stderr.contains("authority: cache: "), "{stderr}");
            for secret in [PASSWORD, "wr0ng"] {
                assert!(
                    !stderr.contains(secret) && !answer.body.contains(secret),
                    "{stderr}"
                );
            }
        }
    }

    /// Hosted ones often forbid `CONFIG`: then nobody knows, which is said, and all else works.
    #[test]
    fn a_redis_that_tells_no_settings_is_used() {
        let redis = Redis::start();
        let mut command = ::redis::cmd("ACL");
        let user = [
            "authority",
            "on",
            ">s3cret",
            "~authority:*",
            "+@all",
            "-config",
        ];
        command.arg("SETUSER").arg(&user);
        command.exec(&mut redis.connect()).unwrap();
        let url = redis.url().replace("redis://", "redis://authority:s3cret@");
        let folder = Folder::new();
        let tour = std::fs::read_to_string(TOUR).unwrap();
        let config = folder.write("authority.toml", &format!("cache = \"{url}\"\n{tour}"));
        let server = Server::with(config, &[]);
        Account::new().ask(&server, 100, 10);
        let health = server.get("/health").expect(200).json();
        let unknown = json!({"appendonly": null, "appendfsync_always": null, "noeviction": null});
        assert_eq!(health["cache"], unknown);
        let (_, stderr) = server.terminate();
        assert_eq!(
            stderr.matches("Redis does not say whether").count(),
            3,
            "{stderr}"
        );
    }

    #[test]
    fn the_url_of_the_cache_is_checked() {
        for wrong in [
            "",
            "redis",
            "redis://",
            "127.0.0.1:6379",
            "rediss://s3cret@127.0.0.1",
            "redis://:s3cret@127.0.0.1/x",
        ] {
            let args = [
                "serve",
                "--config",
                TOUR,
                "--cache",
                wrong,
                "--listen",
                "127.0.0.1:0",
                "--admin",
                "127.0.0.1:0",
            ];
            let output = run(&args, "");
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert!(!output.status.success(), "{wrong}");
            assert!(
                stderr.contains("  cache: expected redis://"),
                "{wrong}: {stderr}"
            );
            assert!(!stderr.contains("s3cret"), "{stderr}");
        }
    }

    fn serve(redis: &Redis) -> Server {
        Server::with(TOUR, &["--cache", &redis.url()])
    }
}

// === impl Store ===

impl Store {
    fn database() -> Self {
        Self::Database(Folder::new())
    }

    #[cfg(feature = "redis-tests")]
    fn redis() -> Self {
        Self::Redis(crate::redis::Redis::start())
    }

    fn serve(&self) -> Server {
        match self {
            Self::Database(folder) => Server::on_database(&folder.file("authority.db")),
            #[cfg(feature = "redis-tests")]
            Self::Redis(redis) => Server::with(TOUR, &["--cache", &redis.url()]),
        }
    }

    /// As many as may share it.
    fn serve_several(&self) -> Vec<Server> {
        let count = match self {
            Self::Database(_) => 1,
            #[cfg(feature = "redis-tests")]
            Self::Redis(_) => 2,
        };
        (0..count).map(|_| self.serve()).collect()
    }

    /// `kill -9` to all that runs.
    fn kill(&mut self, server: &Server) {
        #[cfg(feature = "redis-tests")]
        if let Self::Redis(redis) = self {
            redis.kill();
        }
        server.kill_now();
    }

    fn restart(&mut self) {
        #[cfg(feature = "redis-tests")]
        if let Self::Redis(redis) = self {
            redis.restart();
        }
    }
}

// === impl Account ===

impl Account {
    /// Of a new Envoy.
    fn new() -> Self {
        let length = 86_400;
        Self {
            holder: id(),
            budget: "daily",
            key: KEY,
            window: now() - now() % length,
            length,
        }
    }

    fn of(&self, holder: String) -> Self {
        Self {
            holder,
            ..self.clone()
        }
    }

    fn with_key(&self, key: &'static str) -> Self {
        Self {
            key,
            ..self.clone()
        }
    }

    fn entry(&self, id: &str) -> Value {
        json!({
            "id": id,
            "holder": self.holder,
            "budget": self.budget,
            "key": self.key,
            "window": self.window,
            "length": self.length,
        })
    }

    fn asking(&self, id: &str, limit: u64, want: u64) -> Value {
        let mut body = self.entry(id);
        body["limit"] = json!(limit);
        body["want"] = json!(want);
        body
    }

    fn giving_back(&self, id: &str, amount: u64) -> Value {
        let mut body = self.entry(id);
        body["return"] = json!(amount);
        body
    }

    #[track_caller]
    fn ask(&self, server: &Server, limit: u64, want: u64) -> Granted {
        self.ask_as(server, &id(), limit, want)
    }

    #[track_caller]
    fn ask_as(&self, server: &Server, id: &str, limit: u64, want: u64) -> Granted {
        let answer = send(server, &self.asking(id, limit, want)).expect(200);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("content-type"), Some("application/json"));
        answer.json_as()
    }

    /// What was taken.
    #[track_caller]
    fn give_back(&self, server: &Server, id: &str, amount: u64) -> u64 {
        let answer = send(server, &self.giving_back(id, amount))
            .expect(200)
            .json();
        assert_eq!(answer.as_object().unwrap().len(), 1);
        answer["returned"].as_u64().unwrap()
    }
}

/// 128 bits that no other call returns.
fn id() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{:016x}{count:016x}", std::process::id())
}

fn ledger() -> Request {
    Request::new("POST", "/ledger").basic(GATEWAY.0, GATEWAY.1)
}

fn send(server: &Server, body: &Value) -> Response {
    try_send(&server.public, body).unwrap()
}

fn try_send(address: &str, body: &Value) -> Result<Response, NoAnswer> {
    ledger().json(body.to_string()).try_send(address)
}

#[track_caller]
fn away(answer: &Response) {
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.json()["error"], "temporarily_unavailable");
}

/// What each of `count` calls returns that run at the same time.
fn at_once<T: Send>(count: usize, call: impl Fn(usize) -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let call = &call;
        let calls: Vec<_> = (0..count).map(|n| scope.spawn(move || call(n))).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    })
}
