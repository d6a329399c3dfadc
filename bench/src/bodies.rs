//! What it costs to decide from bodies: Portcullis' second module beside the least that a module can cost which reads
//! them, and beside ext_proc with a service of one's own.

mod framing;
mod messages;
mod proof;
mod report;
mod setup;
mod variants;
mod wire;

use std::collections::BTreeMap;
use std::path::Path;
use std::thread;
use std::time::Duration;

use bench::envoy::Envoy;
use bench::load::cpu_of;
use bench::service::Service;
use bench::statistics::Median;
use bench::{Result, built, root};

use crate::Effort;
use crate::bodies::setup::Setup;
use crate::bodies::variants::{Kind, LONG, SHORT, Variant};
use crate::bodies::wire::{Client, Wire};

/// Microseconds of CPU per request, of each variant and kind of answer in every round.
pub struct Measured {
    rounds: BTreeMap<(Kind, Variant), Vec<f64>>,
    /// The size of the module.
    module_bytes: u64,
}

/// What a variant costs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cost {
    /// A whole request that is answered like this.
    Whole(Kind),
    /// A request, without the events of its answer.
    Request,
    /// An event of a stream.
    Event,
}

/// Workers settle some things on their tick.
const TICK: Duration = Duration::from_secs(1);

/// Measures all variants in an Envoy of their own, after they have proved that they do the same job.
pub fn measure(binary: &Path, effort: &Effort) -> Result<Measured> {
    let bodies = built("target/bodies/wasm32-wasip1/release/bodies.wasm", "bench")?;
    let portcullis_ai = built("target/wasm32-wasip1/release/portcullis-ai.wasm", "bench")?;
    let wire = Wire::start(effort.connections)?;
    let service = Service::start("ext-proc-service", &setup::service())?;
    let setup = Setup {
        bodies_module: bodies.display().to_string(),
        portcullis_ai_module: portcullis_ai.display().to_string(),
        upstream_port: wire.upstream_port,
        ext_proc_port: service.port,
    };
    eprintln!("    starting Envoy for bodies");
    let envoy = Envoy::start(binary, &root().join("target/bench/bodies"), &setup.envoy())?;
    proof::prove_all(&envoy, &wire)?;

    let mut clients = BTreeMap::new();
    for variant in Variant::ALL {
        clients.insert(variant, wire.connect(envoy.port(variant.listener())?)?);
    }
    let before = proof::left(&envoy, &wire)?;
    let mut measured = Measured {
        rounds: BTreeMap::new(),
        module_bytes: std::fs::metadata(&portcullis_ai)?.len(),
    };
    let spent = || Ok(envoy.cpu()? + service.cpu()?);
    for round in 0..effort.rounds {
        eprint!("\r    round {} of {} ", round + 1, effort.rounds);
        for kind in Kind::ALL {
            let count = kind.share(effort.requests);
            let mut once = |variant: Variant| -> Result<f64> {
                let clients: &mut Vec<Client> = clients.get_mut(&variant).ok_or("no clients")?;
                wire.run(clients, kind, warm_up(count))?;
                cpu_of(spent, count, || wire.run(clients, kind, count))
            };
            // As in the side-by-side of heads: the baseline before the others and after them, they in another order each time.
            let [baseline, others @ ..] = Variant::ALL;
            let turns = (0..others.len()).map(|i| (i + round) % others.len());
            let turns = turns.filter_map(|at| others.get(at).copied());
            let mut times = BTreeMap::from([(baseline, once(baseline)? / 2.0)]);
            for variant in turns {
                times.insert(variant, once(variant)?);
            }
            *times.entry(baseline).or_default() += once(baseline)? / 2.0;
            for (variant, time) in times {
                measured
                    .rounds
                    .entry((kind, variant))
                    .or_default()
                    .push(time);
            }
        }
    }
    eprintln!();
    thread::sleep(TICK);
    let sent = |kind: Kind| -> u64 {
        let count = kind.share(effort.requests);
        ((warm_up(count) + count) * effort.rounds) as u64
    };
    proof::prove_charged(&envoy, &wire, &before, sent)?;
    Ok(measured)
}

/// Requests before those that are measured in each turn.
fn warm_up(count: usize) -> usize {
    count.div_ceil(8)
}

// === impl Measured ===

impl Measured {
    /// All that a request takes.
    pub fn total(&self, kind: Kind, variant: Variant) -> Median {
        Median::of(self.times(kind, variant))
    }

    /// What a variant costs above an Envoy without filters in the same round.
    pub fn above(&self, cost: Cost, variant: Variant) -> Median {
        Median::of(&self.costs(cost, variant))
    }

    /// What Portcullis costs, divided by what its peer costs in the same round.
    pub fn ratio(&self, cost: Cost, peer: Variant) -> Median {
        let (ours, theirs) = (
            self.costs(cost, Variant::Portcullis),
            self.costs(cost, peer),
        );
        let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(a, b)| a / b).collect();
        Median::of(&ratios)
    }

    fn costs(&self, cost: Cost, variant: Variant) -> Vec<f64> {
        let whole = |kind: Kind| {
            let pairs = self.times(kind, variant).iter();
            let pairs = pairs.zip(self.times(kind, Variant::None));
            pairs.map(|(time, baseline)| time - baseline)
        };
        let events = || {
            let pairs = whole(Kind::Long).zip(whole(Kind::Short));
            pairs.map(|(long, short)| (long - short) / (LONG - SHORT) as f64)
        };
        match cost {
            Cost::Whole(kind) => whole(kind).collect(),
            Cost::Event => events().collect(),
            Cost::Request => {
                let pairs = whole(Kind::Short).zip(events());
                pairs
                    .map(|(short, event)| short - SHORT as f64 * event)
                    .collect()
            }
        }
    }

    fn times(&self, kind: Kind, variant: Variant) -> &[f64] {
        let times = self.rounds.get(&(kind, variant));
        times.map(Vec::as_slice).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_is_what_is_above_no_filter_and_events_are_the_difference_of_two_streams() {
        let mut rounds = BTreeMap::new();
        for kind in Kind::ALL {
            // 100 µs for a request and 2 µs for each event; the filter adds 30 µs and 0.5 µs.
            let events = kind.events() as f64;
            rounds.insert((kind, Variant::None), vec![100.0 + 2.0 * events]);
            rounds.insert((kind, Variant::Portcullis), vec![130.0 + 2.5 * events]);
            rounds.insert((kind, Variant::ExtProc), vec![220.0 + 12.0 * events]);
        }
        let measured = Measured {
            rounds,
            module_bytes: 0,
        };
        for (cost, ours, ratio) in [
            (Cost::Request, 30.0, 0.25),
            (Cost::Event, 0.5, 0.05),
            (Cost::Whole(Kind::Long), 230.0, 230.0 / 4120.0),
            (Cost::Whole(Kind::Json), 30.0, 0.25),
        ] {
            let above = measured.above(cost, Variant::Portcullis).value;
            assert!((above - ours).abs() < 1e-9, "{cost:?}: {above}");
            let found = measured.ratio(cost, Variant::ExtProc).value;
            assert!((found - ratio).abs() < 1e-9, "{cost:?}: {found}");
        }
    }
}
