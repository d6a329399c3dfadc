//! One flood, on an Envoy of its own.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use bench::envoy::Envoy;
use bench::issuer::Issuer;
use bench::load::Pace;
use bench::{Result, clock};

use crate::Effort;
use crate::attack::Flood;
use crate::good::{self, Served};
use crate::services::Services;
use crate::setup::Setup;

/// What became of a flood, and of the good requests under it.
pub struct Flooded {
    pub what: &'static str,
    pub attack: Option<Attacked>,
    pub good: Vec<Served>,
    pub strain: Strain,
    /// What the filter asked meanwhile.
    pub questions: usize,
    pub fetches: usize,
    pub polls: usize,
}

/// What was sent by the attackers, and what they were answered.
pub struct Attacked {
    /// Answered per second.
    pub rate: f64,
    pub verdicts: BTreeMap<String, usize>,
}

/// What the flood cost Envoy.
pub struct Strain {
    /// Of one CPU.
    pub cpu: f64,
    /// Bytes of resident memory: before, and the most there ever were.
    pub resident: [u64; 2],
    /// Bytes that were logged in a second.
    pub logged: f64,
    /// VMs that trapped and were made anew: there should be none.
    pub reloads: u64,
}

/// Runs one flood on a fresh Envoy, with the good clients beside it.
pub fn run(
    setup: &Setup,
    services: &Services,
    issuer: &Issuer,
    flood: &Flood,
    effort: &Effort,
) -> Result<Flooded> {
    let envoy = setup.envoy(&flood.options)?;
    let envoy = envoy.as_ref();
    let port = envoy.port(flood.listener)?;
    let clients = good::clients(issuer)?;
    good::introduce(&clients, port)?;
    thread::scope(|scope| {
        let attack = scope.spawn(|| flood.attack(port, effort));
        thread::sleep(effort.lead);
        let asked = || [services.questions(), services.fetches(), services.polls()];
        let before = asked();
        let (good, strain) = strain(envoy, || good::serve(&clients, port, effort.time))?;
        let mut meanwhile = asked();
        for (after, before) in meanwhile.iter_mut().zip(before) {
            *after -= before;
        }
        let [questions, fetches, polls] = meanwhile;
        let attack = attack.join().map_err(|_| "the flood died")??;
        Ok(Flooded {
            what: flood.what,
            attack,
            good,
            strain,
            questions,
            fetches,
            polls,
        })
    })
}

/// Does something, and returns what it cost Envoy.
pub fn strain<T>(envoy: &Envoy, work: impl FnOnce() -> Result<T>) -> Result<(T, Strain)> {
    let start = clock::now();
    let reloads = envoy.count("vm_reload_success")?;
    let (cpu, logged, resident) = (envoy.cpu()?, envoy.logged()?, envoy.resident()?);
    let done = work()?;
    let seconds = start.elapsed().as_secs_f64();
    let strain = Strain {
        cpu: (envoy.cpu()? - cpu) as f64 / 1e9 / seconds,
        resident: [resident, envoy.resident_at_most()?],
        logged: (envoy.logged()? - logged) as f64 / seconds,
        reloads: envoy.count("vm_reload_success")? - reloads,
    };
    Ok((done, strain))
}

impl Flood {
    fn attack(&self, port: u16, effort: &Effort) -> Result<Option<Attacked>> {
        let Some(supply) = &self.supply else {
            return Ok(None);
        };
        let pace = Pace {
            rate: self.rate * effort.strength,
            // It ends after what is measured under it.
            time: effort.lead + effort.time + effort.lead / 2,
            overtime: Duration::ZERO,
            connections: (self.connections as f64 * effort.strength).ceil() as usize,
        };
        let start = clock::now();
        let outcomes = pace.send(port, supply)?;
        let rate = outcomes.len() as f64 / start.elapsed().as_secs_f64();
        let mut verdicts = BTreeMap::new();
        for outcome in &outcomes {
            *verdicts.entry(outcome.to_string()).or_default() += 1;
        }
        match verdicts.contains_key("200") {
            true => Err(format!("{}: let in: {verdicts:?}", self.what).into()),
            false => Ok(Some(Attacked { rate, verdicts })),
        }
    }
}
