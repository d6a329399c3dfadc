//! A filter without a host: its budgets are in a map of this process, its bodies are there at once.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use portcullis_core::body::Budgeted;
use portcullis_core::budget::SharedBudget;
use portcullis_core::budget::book::{BudgetBook, BudgetTable};
use portcullis_core::budget::caller::CallerKey;
use portcullis_core::budget::map::{Broken, Held, SharedMap};
use portcullis_core::budget::process::Process;
use portcullis_core::budget::reserved::Reserved;
use portcullis_core::charging::{Charge, Standing};
use portcullis_core::decision::Decision;
use portcullis_core::effects::{self, HeaderMutation, LocalReply, Outcome};
use portcullis_core::evaluation::{self, Step};
use portcullis_core::passage::Passage;
use portcullis_core::policy::{Policy, compile};
use portcullis_core::request::Request;
use portcullis_core::secret::FingerprintKey;
use portcullis_core::spent::Spent;
use portcullis_core::time::UnixTime;
use portcullis_core::verification::State;
use portcullis_core::verification::callout::{BodyArrival, Callout, Reply};
use portcullis_core::verification::signature::Verifier;
use serde_json::{Value, json};

pub const NOW: i64 = 1_700_000_000;

const FINGERPRINTS: FingerprintKey = FingerprintKey::new(*b"the same always.");

/// Bytes and the number of their version, by their keys.
type Versions = HashMap<String, (Vec<u8>, u32)>;

/// What workers of one process share.
#[derive(Clone, Debug, Default)]
pub struct Map(Rc<RefCell<Versions>>);

pub struct Filter {
    pub policy: Rc<Policy>,
    state: State,
    budgets: Vec<SharedBudget<Map>>,
    pub now: UnixTime,
    /// What a classifier answers.
    pub category: Option<&'static str>,
    /// What it was asked.
    pub asked: Vec<Value>,
}

/// A request.
#[derive(Clone)]
pub struct Ask {
    headers: Vec<(String, String)>,
    body: BodyArrival,
}

/// What became of it.
pub struct Answer {
    pub refused: Option<LocalReply>,
    pub passage: Passage,
    pub removed: Vec<String>,
    pub set: Vec<(String, String)>,
}

pub fn post(path: &str, key: &str) -> Ask {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Ask {
        headers: vec![
            header(":method", "POST"),
            header(":scheme", "https"),
            header(":authority", "api.example.com"),
            header(":path", path),
            header("content-type", "application/json"),
            header("x-api-key", key),
        ],
        body: BodyArrival::Whole(Vec::new()),
    }
}

/// API keys that are their own ids: `sha256` of the id is what the configuration holds.
pub fn keys(keys: &[(&str, Value)]) -> Value {
    let key = |(id, more): &(&str, Value)| {
        let digest = portcullis_core::secret::Digest::sha256(id.as_bytes());
        let hex = base16ct::lower::encode_string(digest.as_bytes());
        let mut key = json!({ "id": id, "hash": format!("sha256:{hex}") });
        for (name, value) in more.as_object().into_iter().flatten() {
            key[name] = value.clone();
        }
        key
    };
    json!({ "keys": keys.iter().map(key).collect::<Vec<_>>() })
}

impl Ask {
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(n, _)| n != name || n == "x-twice");
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn twice(mut self, name: &str, value: &str) -> Self {
        for _ in 0..2 {
            self.headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(n, _)| n != name);
        self
    }

    pub fn json(self, body: Value) -> Self {
        self.body(body.to_string().as_bytes())
    }

    pub fn body(mut self, body: &[u8]) -> Self {
        self.body = BodyArrival::Whole(body.to_vec());
        self
    }

    pub fn arrives(mut self, arrival: BodyArrival) -> Self {
        self.body = arrival;
        self
    }
}

impl Filter {
    pub fn new(config: Value) -> Self {
        let compiled = compile(config.to_string().as_bytes(), &|_| None);
        let compiled = compiled.unwrap_or_else(|faults| panic!("{faults}\n{config:#}"));
        let policy = compiled.policy;
        let map = Map::default();
        let process = Process::join(&map, "process", [7; 32]).expect("a process");
        let budgets = policy.budgets.iter().map(|budget| {
            let book = BudgetBook {
                name: budget.name.clone(),
                per: budget.per.iter().map(|part| part.word().into()).collect(),
                window: budget.window,
                unit: budget.unit,
                table: BudgetTable::new(policy.limits.budget_callers),
            };
            SharedBudget::new(map.clone(), "budget", book, process.clone())
        });
        Filter {
            budgets: budgets.collect(),
            state: State::new(&policy, Verifier::software(), FINGERPRINTS),
            policy: Rc::new(policy),
            now: UnixTime::from_secs(NOW),
            category: None,
            asked: Vec::new(),
        }
    }

    /// Follows a request to its end.
    pub fn send(&mut self, ask: &Ask) -> Answer {
        let headers: Vec<(&[u8], &[u8])> = ask
            .headers
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
            .collect();
        let request = Request::from_headers(&headers);
        let mut step = evaluation::begin(&self.policy, &mut self.state, &request, self.now);
        let mut body = Some(ask.body.clone());
        let decision = loop {
            let (waiting, callout) = match step {
                Step::Decided(decision) => break decision,
                Step::Observe(decision, content) => {
                    let arrival = body.take().expect("once");
                    let (denial, passage) = content.observe(&request, arrival, self.now);
                    let verdict = match denial {
                        Some(denial) => portcullis_core::decision::Verdict::Deny(denial),
                        None => decision.verdict,
                    };
                    break Decision {
                        verdict,
                        passage: Some(passage),
                        ..decision
                    };
                }
                Step::Await(waiting, callout) => (waiting, callout),
            };
            let reply = match callout {
                Callout::Body(_) => Reply::Body(body.take().expect("asked once")),
                Callout::Reserve => {
                    let budgeted = self.reserve(waiting.charges());
                    step = waiting.reserved(budgeted);
                    continue;
                }
                Callout::Ask(_, call) => {
                    self.asked
                        .push(serde_json::from_slice(&call.body).expect("JSON"));
                    Reply::Classified(self.category.map(Box::from))
                }
                Callout::Spend(expense) => Reply::Spent(expense.id, Spent::First),
                other => panic!("{other:?}"),
            };
            step = waiting.resume(&mut self.state, &request, reply, self.now);
        };
        self.answer(&request, decision)
    }

    fn answer(&self, request: &Request<'_>, mut decision: Decision) -> Answer {
        let effects = effects::of(&self.policy, request, &decision, self.now);
        let (mutations, refused) = match effects.outcome {
            Outcome::Continue(mutations) => (mutations, None),
            Outcome::Answer { mutations, reply } => (mutations, Some(reply)),
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (mut removed, mut set) = (Vec::new(), Vec::new());
        for mutation in &mutations {
            match mutation {
                HeaderMutation::Remove(name) => removed.push(text(name)),
                HeaderMutation::Set(name, value) | HeaderMutation::Add(name, value) => {
                    set.push((text(name), text(value)));
                }
            }
        }
        drop(mutations);
        Answer {
            refused,
            passage: decision.passage.take().map(|p| *p).unwrap_or_default(),
            removed,
            set,
        }
    }

    fn reserve(&self, charges: &[Charge]) -> Budgeted {
        let mut held = Vec::new();
        for charge in charges {
            let shared = &self.budgets[charge.budget.id.0];
            let parts: Vec<&str> = charge.parts.iter().map(|part| &**part).collect();
            let caller = CallerKey::new(&shared.process().seed, &charge.provider, &parts);
            match shared.reserve(&caller, charge.limit, charge.amount(), self.now) {
                Reserved::Admitted(reservation, _) => held.push(reservation),
                Reserved::Refused(balance) => {
                    return Budgeted::Refused {
                        retry_after: balance.window.end().since(self.now),
                        standings: vec![Standing {
                            name: charge.budget.name.clone(),
                            limit: charge.limit,
                            window: charge.budget.window,
                            remaining: balance.remaining,
                            ends_in: balance.window.end().since(self.now),
                        }],
                    };
                }
                other => panic!("{other:?}"),
            }
        }
        Budgeted::Admitted(held)
    }
}

impl Answer {
    /// The code of a refusal, or `passes`.
    pub fn verdict(&self) -> String {
        let Some(reply) = &self.refused else {
            return "passes".to_owned();
        };
        let body = self.body();
        let code = body["code"].as_str().unwrap_or_default();
        assert!(!code.is_empty(), "{reply:?}");
        code.to_owned()
    }

    /// The body of a refusal.
    pub fn body(&self) -> Value {
        let reply = self.refused.as_ref().expect("a refusal");
        serde_json::from_str(&reply.body).expect("JSON")
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.refused.iter().flat_map(|reply| &reply.headers);
        headers.find_map(|(n, value)| (*n == name).then_some(value.as_str()))
    }

    /// What goes on in place of the body.
    pub fn edited(&self) -> Option<String> {
        let body = self.passage.body.clone();
        body.map(|body| String::from_utf8(body).expect("text"))
    }

    /// What each budget is charged, by its estimate.
    pub fn amounts(&self) -> Vec<u64> {
        let charges = self.passage.charges.iter();
        charges.map(|(charge, _)| charge.amount()).collect()
    }
}

impl SharedMap for Map {
    fn get(&self, key: &str) -> Result<Held, Broken> {
        let map = self.0.borrow();
        let held = map.get(key);
        Ok(Held {
            bytes: held.map(|(bytes, _)| bytes.clone()),
            version: held.map(|(_, version)| *version),
        })
    }

    fn swap(&self, key: &str, read: &Held, bytes: &[u8]) -> Result<bool, Broken> {
        let mut map = self.0.borrow_mut();
        let version = map.get(key).map(|(_, version)| *version);
        if version != read.version {
            return Ok(false);
        }
        let next = version.unwrap_or_default() + 1;
        map.insert(key.to_owned(), (bytes.to_vec(), next));
        Ok(true)
    }
}
