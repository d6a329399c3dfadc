//! CPU per request of each case, in turns.

use std::collections::BTreeMap;
use std::ops::Add;
use std::thread;
use std::time::Duration;

use bench::Result;
use bench::clock::poll;
use bench::envoy::Envoy;
use bench::load::{ClosedLoop, cpu_per_request};
use bench::service::Service;
use bench::statistics::Median;
use bench::traffic::Traffic;

use crate::Effort;
use crate::cases::{BASELINES, CASES, Cache, Case};
use crate::comparisons::Comparison;

/// Microseconds of CPU per request, of every case in every round.
pub struct Measured(BTreeMap<&'static str, Vec<f64>>);

/// How often Portcullis' caches knew what they were asked for, since Envoy started.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct CacheUses {
    token_hits: u64,
    token_misses: u64,
    answer_hits: u64,
    answer_misses: u64,
}

/// Workers add counters up, and hand them to Envoy several times a second.
const COUNTERS_LATE: Duration = Duration::from_secs(2);

/// Measures every case in every round, and that each does what its name says.
pub fn measure(
    envoy: &Envoy,
    ext_authz: &Service,
    traffic: &Traffic,
    effort: &Effort,
) -> Result<Measured> {
    let open = |case: &Case| ClosedLoop::open(envoy.port(case.listener)?, effort.connections);
    let mut loops: Vec<ClosedLoop> = CASES.iter().map(open).collect::<Result<_>>()?;
    for (case, load) in CASES.iter().zip(&mut loops) {
        let supply = (case.supply)(traffic);
        // Where each request is made, all of them have the same token.
        load.run(supply, supply.distinct().max(1))?;
    }
    thread::sleep(COUNTERS_LATE);
    // For all cases alike: where the service is not asked, it takes no CPU.
    let spent = || Ok(envoy.cpu()? + ext_authz.cpu()?);
    let mut uses = CacheUses::read(envoy)?;
    let mut measured = BTreeMap::new();
    for round in 0..effort.rounds {
        eprint!("\r    round {} of {} ", round + 1, effort.rounds);
        let mut once = |at: usize| -> Result<f64> {
            let case = CASES.get(at).ok_or("no such case")?;
            let load = loops.get_mut(at).ok_or("no such case")?;
            let supply = (case.supply)(traffic);
            // The others have had the CPU's caches to themselves.
            load.run(supply, effort.warm_up())?;
            cpu_per_request(spent, load, supply, effort.requests)
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
        let requests = (effort.warm_up() + effort.requests).try_into()?;
        uses = CASES
            .iter()
            .fold(uses, |uses, case| uses + case.uses(requests));
        check_uses(envoy, uses)?;
    }
    eprintln!();
    Ok(Measured(measured))
}

/// An error, unless the caches were used as the cases of the round say.
fn check_uses(envoy: &Envoy, expected: CacheUses) -> Result<()> {
    let reached = poll(COUNTERS_LATE, || match CacheUses::read(envoy) {
        Ok(found) if found == expected => Some(Ok(())),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    });
    match reached {
        Some(read) => read,
        None => {
            let found = CacheUses::read(envoy)?;
            Err(format!("the caches were used otherwise: {found:?}, not {expected:?}").into())
        }
    }
}

// === impl Case ===

impl Case {
    fn uses(&self, requests: u64) -> CacheUses {
        let mut uses = CacheUses::default();
        match self.cache {
            Cache::AnswerHit => uses.answer_hits = requests,
            Cache::TokenHit => uses.token_hits = requests,
            Cache::TokenMiss => uses.token_misses = requests,
            Cache::Unused => {}
        }
        uses
    }
}

// === impl CacheUses ===

impl CacheUses {
    fn read(envoy: &Envoy) -> Result<Self> {
        Ok(CacheUses {
            token_hits: envoy.count("portcullis.cache.token.hit")?,
            token_misses: envoy.count("portcullis.cache.token.miss")?,
            answer_hits: envoy.count("portcullis.cache.introspection.hit")?,
            answer_misses: envoy.count("portcullis.cache.introspection.miss")?,
        })
    }
}

impl Add for CacheUses {
    type Output = CacheUses;

    fn add(self, more: CacheUses) -> CacheUses {
        CacheUses {
            token_hits: self.token_hits + more.token_hits,
            token_misses: self.token_misses + more.token_misses,
            answer_hits: self.answer_hits + more.answer_hits,
            answer_misses: self.answer_misses + more.answer_misses,
        }
    }
}

// === impl Measured ===

impl Measured {
    /// All that a request takes.
    pub fn total(&self, id: &str) -> Median {
        Median::of(self.rounds(id))
    }

    /// What a case costs above an Envoy without filters in the same round.
    pub fn above(&self, id: &str) -> Median {
        Median::of(&self.differences(id))
    }

    /// What the case costs, divided by what its peer costs in the same round.
    pub fn ratio(&self, comparison: &Comparison) -> Median {
        let (ours, theirs) = (
            self.differences(comparison.case),
            self.differences(comparison.peer),
        );
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
