//! Long histories: at random, and with interruptions.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::ledger::{Account, Granted, Store, id, send, try_send};
use crate::server::eventually;

suite! {
    the_ledger_does_as_a_model_of_it
    nothing_that_was_granted_is_forgotten
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
