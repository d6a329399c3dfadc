//! What is measured against what: CPU per request of each variant, in turns.

use std::collections::BTreeMap;

use bench::Result;
use bench::envoy::{Envoy, TokenUses};
use bench::load::{ClosedLoop, cpu_per_request};
use bench::statistics::Median;
use bench::traffic::{Supply, Traffic};

/// A variant under one kind of request.
pub struct Case {
    pub id: &'static str,
    /// What all variants of a group have to do.
    pub group: &'static str,
    pub what: &'static str,
    listener: &'static str,
    supply: fn(&Traffic) -> &Supply,
    /// The case without filters and with the like of these requests.
    baseline: &'static str,
    memory: Memory,
}

/// Whether the filter has to remember the tokens: a case that does not do what its name says is an error.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Memory {
    OfEach,
    OfNone,
    NotAsked,
}

pub const TOKEN_BASELINE: &str = "none, token";
const KEY_BASELINE: &str = "none, key";

const BASELINE: &str = "nothing asked";
const KNOWN: &str = "known token, RS256: scope checked, six identity headers";
const NEW_RS256: &str = "tokens never seen, RS256";
const NEW_ES256: &str = "tokens never seen, ES256";
const API_KEY: &str = "API key: scope checked, six identity headers";

/// Baselines first: each round measures them before the others and again after them.
pub const CASES: [Case; 14] = [
    case(
        TOKEN_BASELINE,
        BASELINE,
        "no filter, a token in the request",
        "none",
        |t| &t.one_token,
        TOKEN_BASELINE,
        Memory::NotAsked,
    ),
    case(
        KEY_BASELINE,
        BASELINE,
        "no filter, an API key in the request",
        "none",
        |t| &t.few_keys,
        KEY_BASELINE,
        Memory::NotAsked,
    ),
    case(
        "noop, token",
        KNOWN,
        "no-op module",
        "noop",
        |t| &t.one_token,
        TOKEN_BASELINE,
        Memory::NotAsked,
    ),
    case(
        "native, known",
        KNOWN,
        "native, default settings",
        "native",
        |t| &t.one_token,
        TOKEN_BASELINE,
        Memory::NotAsked,
    ),
    case(
        "native cached",
        KNOWN,
        "native, its cache on",
        "native-cached",
        |t| &t.one_token,
        TOKEN_BASELINE,
        Memory::NotAsked,
    ),
    case(
        "known",
        KNOWN,
        "Portcullis",
        "portcullis",
        |t| &t.one_token,
        TOKEN_BASELINE,
        Memory::OfEach,
    ),
    case(
        "in turn",
        KNOWN,
        "Portcullis, 3,000 tokens in turn",
        "portcullis",
        |t| &t.tokens_in_turn,
        TOKEN_BASELINE,
        Memory::OfEach,
    ),
    case(
        "native, RS256",
        NEW_RS256,
        "native, default settings",
        "native",
        |t| &t.native_rs256,
        TOKEN_BASELINE,
        Memory::NotAsked,
    ),
    case(
        "RS256",
        NEW_RS256,
        "Portcullis",
        "portcullis-new",
        |t| &t.new_rs256,
        TOKEN_BASELINE,
        Memory::OfNone,
    ),
    case(
        "native, ES256",
        NEW_ES256,
        "native, default settings",
        "native",
        |t| &t.native_es256,
        TOKEN_BASELINE,
        Memory::NotAsked,
    ),
    case(
        "ES256",
        NEW_ES256,
        "Portcullis",
        "portcullis-new",
        |t| &t.new_es256,
        TOKEN_BASELINE,
        Memory::OfNone,
    ),
    case(
        "noop, key",
        API_KEY,
        "no-op module",
        "noop",
        |t| &t.few_keys,
        KEY_BASELINE,
        Memory::NotAsked,
    ),
    case(
        "key",
        API_KEY,
        "Portcullis, 10 keys and 1 rule",
        "portcullis-few-keys",
        |t| &t.few_keys,
        KEY_BASELINE,
        Memory::NotAsked,
    ),
    case(
        "many keys",
        API_KEY,
        "Portcullis, 10,000 keys and 1,000 rules in turn",
        "portcullis-many-keys",
        |t| &t.many_keys,
        KEY_BASELINE,
        Memory::NotAsked,
    ),
];

const BASELINES: usize = 2;

pub struct Goal {
    pub what: &'static str,
    pub against: &'static str,
    case: &'static str,
    peer: &'static str,
    pub at_most: f64,
}

pub const GOALS: [Goal; 8] = [
    Goal {
        what: "known token (RS256), scope checked, six identity headers",
        against: "native, default settings",
        case: "known",
        peer: "native, known",
        at_most: 0.20,
    },
    Goal {
        what: "the same",
        against: "native with its cache on",
        case: "known",
        peer: "native cached",
        at_most: 1.0,
    },
    Goal {
        what: "the same",
        against: "a no-op module",
        case: "known",
        peer: "noop, token",
        at_most: 1.5,
    },
    Goal {
        what: "token never seen, RS256",
        against: "native, default settings",
        case: "RS256",
        peer: "native, RS256",
        at_most: 0.75,
    },
    Goal {
        what: "token never seen, ES256",
        against: "native, default settings",
        case: "ES256",
        peer: "native, ES256",
        at_most: 0.80,
    },
    Goal {
        what: "API key",
        against: "a no-op module",
        case: "key",
        peer: "noop, key",
        at_most: 1.4,
    },
    Goal {
        what: "10,000 API keys and 1,000 rules",
        against: "10 keys and 1 rule",
        case: "many keys",
        peer: "key",
        at_most: 1.1,
    },
    Goal {
        what: "3,000 distinct tokens in turn",
        against: "one token",
        case: "in turn",
        peer: "known",
        at_most: 1.2,
    },
];

/// Microseconds of CPU per request, of every case in every round.
pub struct Measured(BTreeMap<&'static str, Vec<f64>>);

const fn case(
    id: &'static str,
    group: &'static str,
    what: &'static str,
    listener: &'static str,
    supply: fn(&Traffic) -> &Supply,
    baseline: &'static str,
    memory: Memory,
) -> Case {
    Case {
        id,
        group,
        what,
        listener,
        supply,
        baseline,
        memory,
    }
}

pub fn measure(
    envoy: &Envoy,
    traffic: &Traffic,
    rounds: usize,
    requests: usize,
    connections: usize,
) -> Result<Measured> {
    let open = |case: &Case| ClosedLoop::open(envoy.port(case.listener)?, connections);
    let mut loops: Vec<ClosedLoop> = CASES.iter().map(open).collect::<Result<_>>()?;
    for (case, load) in CASES.iter().zip(&mut loops) {
        let supply = (case.supply)(traffic);
        load.run(supply, supply.distinct())?;
    }
    let mut measured = BTreeMap::new();
    for round in 0..rounds {
        eprint!("\r    round {} of {rounds} ", round + 1);
        let mut once = |at: usize| -> Result<f64> {
            let case = CASES.get(at).ok_or("no such case")?;
            let load = loops.get_mut(at).ok_or("no such case")?;
            case.measure(envoy, traffic, load, requests)
        };
        // Baselines count in every difference: twice, so that they are in the round's middle on the average.
        let mut times = vec![0.0; CASES.len()];
        let others = CASES.len() - BASELINES;
        let turns = (0..others).map(|i| BASELINES + (i + round) % others);
        let order = (0..BASELINES).chain(turns).chain(0..BASELINES);
        for at in order {
            let time = once(at)?;
            if let Some(sum) = times.get_mut(at) {
                *sum += if at < BASELINES { time / 2.0 } else { time };
            }
        }
        for (case, time) in CASES.iter().zip(times) {
            measured.entry(case.id).or_insert_with(Vec::new).push(time);
        }
    }
    eprintln!();
    Ok(Measured(measured))
}

// === impl Case ===

impl Case {
    pub fn is_baseline(&self) -> bool {
        self.id == self.baseline
    }

    pub fn is_ours(&self) -> bool {
        self.listener.starts_with("portcullis")
    }

    /// Microseconds of Envoy's CPU per request.
    fn measure(
        &self,
        envoy: &Envoy,
        traffic: &Traffic,
        load: &mut ClosedLoop,
        requests: usize,
    ) -> Result<f64> {
        let supply = (self.supply)(traffic);
        // The others have had the CPU's caches to themselves.
        load.run(supply, requests / 8)?;
        let uses = envoy.token_uses()?;
        let spent = cpu_per_request(envoy, load, supply, requests)?;
        self.check_memory(uses, envoy.token_uses()?, requests)?;
        Ok(spent)
    }

    fn check_memory(&self, before: TokenUses, after: TokenUses, requests: usize) -> Result<()> {
        let count = |before: u64, after: u64| usize::try_from(after - before);
        let hits = count(before.hits, after.hits)?;
        let misses = count(before.misses, after.misses)?;
        let expected = match self.memory {
            Memory::OfEach => (requests, 0),
            Memory::OfNone => (0, requests),
            Memory::NotAsked => (0, 0),
        };
        if (hits, misses) == expected {
            return Ok(());
        }
        Err(format!("{}: {hits} tokens remembered, {misses} not", self.id).into())
    }
}

// === impl Measured ===

impl Measured {
    /// All that Envoy spends on a request.
    pub fn total(&self, id: &str) -> Median {
        Median::of(self.rounds(id))
    }

    /// What a case costs above an Envoy without filters in the same round.
    pub fn above(&self, id: &str) -> Median {
        Median::of(&self.differences(id))
    }

    pub fn ratio(&self, goal: &Goal) -> Median {
        let (ours, theirs) = (self.differences(goal.case), self.differences(goal.peer));
        let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(a, b)| a / b).collect();
        Median::of(&ratios)
    }

    fn differences(&self, id: &str) -> Vec<f64> {
        let baseline = CASES.iter().find(|case| case.id == id);
        let baseline = self.rounds(baseline.map_or(id, |case| case.baseline));
        let pairs = self.rounds(id).iter().zip(baseline);
        pairs.map(|(case, baseline)| case - baseline).collect()
    }

    fn rounds(&self, id: &str) -> &[f64] {
        self.0.get(id).map(Vec::as_slice).unwrap_or_default()
    }
}
