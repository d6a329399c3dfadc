//! The ledger of token budgets: one suite of tests, run on each of its stores.

/// Each test, on each store.
macro_rules! suite {
    ($($test:ident)*) => {
        mod in_the_database {
            $(#[test] fn $test() { super::$test(&mut crate::ledger::Store::database()); })*
        }
        #[cfg(feature = "redis-tests")]
        mod in_redis {
            $(#[test] fn $test() { super::$test(&mut crate::ledger::Store::redis()); })*
        }
    };
}

mod grants;
mod history;
#[cfg(feature = "redis-tests")]
mod only_in_redis;
mod refusals;
mod returns;
mod windows;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::http::{NoAnswer, Request, Response};
use crate::server::{Folder, GATEWAY, Server, TOUR, now};

const KEY: &str = r#"["corp","acme","ci-bot"]"#;

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
