//! One budget that several Envoys spend, by a ledger of several authorities on one Redis, while some of them die.

mod services;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use portcullis_model_upstream::ModelUpstream;
use serde_json::{Value, json};

use self::services::{Authority, Redis, authorization};
use crate::harness::client::{Answer, Request, request};
use crate::harness::gateway::{Gateway, Setup};
use crate::harness::keys::{Key, amended, fresh_api_key};
use crate::harness::policy::{only, provider};
use crate::harness::{PATIENCE, poll};

const LIMIT: u64 = 100_000;

const LEASE: u64 = LIMIT / 100;

/// The maximum that each request names. It never uses more, nor more input than is thought.
const MOST: u64 = 200;

const ENVOYS: usize = 3;

const CLIENTS: usize = 9;

/// The Envoy that is killed.
const DOOMED: usize = 2;

/// Refusals in a row after which a client believes that the budget is used up.
const ENOUGH: usize = 20;

/// How an answer is counted: by its status.
type Counts = BTreeMap<u16, u64>;

struct Fleet {
    gateways: Vec<Gateway>,
    ports: Vec<u16>,
    upstream: ModelUpstream,
    key: Key,
    /// Set before the Envoy is killed.
    has_lost_one: AtomicBool,
    /// What the clients of each Envoy got.
    counts: Vec<Mutex<Counts>>,
}

fn policy(key: &Key) -> Value {
    let ledger = json!({
        "cluster": "authority",
        "uri": "http://authority/ledger",
        "authorization": { "env": "LEDGER_AUTHORIZATION" },
        "timeout": "1s",
        "lease": "1%",
    });
    amended(
        only(provider([key])),
        json!({
            "rules": [{
                "match": { "path": { "template": "/**" } },
                "model": { "allow": [{ "name": "*" }] },
                "budgets": ["team"],
            }],
            // The window is long, so that none ends during the test.
            "budgets": { "team": {
                "per": ["subject"], "limit": LIMIT, "window": "744h", "charge": "total_tokens", "ledger": ledger,
            } },
        }),
    )
}

/// Nothing that is lost on the way overspends, and hardly anything is stranded.
#[test]
fn a_fleet_spends_one_budget_though_an_authority_and_an_envoy_die() {
    let redis = Redis::start();
    let secret = fresh_api_key();
    let mut authorities = [(); 2].map(|()| Authority::start(&redis, &secret));
    let mut fleet = Fleet::start(&authorities, &secret);

    let doomed = fleet.gateways.remove(DOOMED);
    let fleet = &fleet;
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            scope.spawn(move || fleet.spend(client));
        }
        fleet.await_spent(LIMIT / 4);
        authorities[1].kill();
        fleet.await_spent(LIMIT / 2);
        fleet.has_lost_one.store(true, Ordering::SeqCst);
        // With the Envoy's owner goes its process, by SIGKILL.
        drop(doomed);
    });

    for (envoy, counts) in fleet.counts.iter().enumerate() {
        let admitted = counts.lock().unwrap().get(&200).copied();
        assert!(
            admitted.is_some_and(|count| count > 20),
            "{envoy}: {admitted:?}"
        );
    }
    fleet.drain();
    let spent = fleet.upstream.claimed().total();
    assert!(spent <= LIMIT, "{spent} {:?}", fleet.counts);
    // The dead Envoy's lease and the next, and what was under way there; in each of the others, less than a request.
    let stranded = 2 * LEASE + 3 * 2 * MOST;
    assert!(
        spent >= LIMIT - stranded,
        "{spent} {:?}\n{}",
        fleet.counts,
        authorities[0].log()
    );
}

// === impl Fleet ===

impl Fleet {
    fn start(authorities: &[Authority], secret: &str) -> Self {
        let key = Key::new("ES256", "k");
        let upstream = ModelUpstream::start();
        let ports: Vec<u16> = authorities.iter().map(Authority::port).collect();
        let setup = Setup::of(policy(&key))
            .with_bodies()
            .workers(2)
            .upstream(upstream.port())
            .replicated_cluster("authority", &ports)
            .environment("LEDGER_AUTHORIZATION", &authorization(secret));
        let gateways: Vec<Gateway> = (0..ENVOYS).map(|_| setup.clone().start()).collect();
        Self {
            ports: gateways.iter().map(Gateway::port).collect(),
            gateways,
            upstream,
            key,
            has_lost_one: AtomicBool::new(false),
            counts: (0..ENVOYS).map(|_| Mutex::default()).collect(),
        }
    }

    /// One of all APIs, ways to answer and amounts, by its number.
    fn request(&self, number: usize) -> Request {
        let path = ["/v1/chat/completions", "/v1/messages"][number / 2 % 2];
        let body = json!({
            "model": "m",
            "max_tokens": MOST,
            "messages": [{ "role": "user", "content": "How are you?" }],
            "stream": number.is_multiple_of(2),
        });
        let output = (number as u64).wrapping_mul(37) % (MOST + 1);
        request("POST", path)
            .bearer(self.key.token(json!({})))
            .header("content-type", "application/json")
            .header("x-model-input-tokens", "20")
            .header("x-model-output-tokens", output.to_string())
            .body(body.to_string())
    }

    /// One client of one Envoy. It goes on until it is refused for good, or its Envoy is gone.
    fn spend(&self, client: usize) {
        let envoy = client % ENVOYS;
        let deadline = Instant::now() + PATIENCE;
        let mut refused = 0;
        for number in 0.. {
            let answer = self
                .request(client + CLIENTS * number)
                .send(self.ports[envoy]);
            if envoy == DOOMED && self.has_lost_one.load(Ordering::SeqCst) {
                return;
            }
            let answer = answer.unwrap_or_else(|error| panic!("{envoy}: {error}"));
            match self.judge(envoy, &answer) {
                200 => refused = 0,
                429 => refused += 1,
                _unavailable => {}
            }
            if refused == ENOUGH {
                return;
            }
            if answer.status != 200 {
                thread::sleep(Duration::from_millis(20));
            }
            let counts = &self.counts[envoy];
            assert!(
                Instant::now() < deadline,
                "{envoy}: not used up: {counts:?}"
            );
        }
    }

    /// The status, which is one of three.
    fn judge(&self, envoy: usize, answer: &Answer) -> u16 {
        let code = answer.json().map(|body| body["code"].clone());
        match answer.status {
            200 => {}
            429 => assert_eq!(code, Ok(json!("BUDGET_EXCEEDED")), "{envoy}: {answer:?}"),
            503 => assert_eq!(code, Ok(json!("BUDGET_UNAVAILABLE")), "{envoy}: {answer:?}"),
            _ => panic!("{envoy}: {answer:?}"),
        }
        let mut counts = self.counts[envoy].lock().unwrap();
        *counts.entry(answer.status).or_default() += 1;
        answer.status
    }

    fn await_spent(&self, least: u64) {
        let spent = || self.upstream.claimed().total();
        let found = poll(PATIENCE, || (spent() >= least).then_some(()));
        assert!(
            found.is_some(),
            "{} of {least} spent: {:?}",
            spent(),
            self.counts
        );
    }

    /// Where many at once have reserved what they did not use, some requests still fit, one by one. Then none does, at any living
    /// Envoy, and none reaches the upstream.
    fn drain(&self) {
        let ask = |envoy: usize| {
            let answer = self.gateways[envoy].send(&self.request(0));
            self.judge(envoy, &answer)
        };
        for envoy in 0..self.gateways.len() {
            let refused = poll(PATIENCE, || (ask(envoy) == 429).then_some(()));
            assert!(refused.is_some(), "{envoy}: {:?}", self.counts);
        }
        let received = self.upstream.received();
        for _ in 0..ENOUGH {
            for envoy in 0..self.gateways.len() {
                assert_ne!(ask(envoy), 200, "{envoy}: {:?}", self.counts);
            }
        }
        assert_eq!(self.upstream.received(), received);
    }
}
