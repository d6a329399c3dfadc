//! Connections whose requests all wait at once.

use std::collections::BTreeMap;
use std::fs;
use std::thread;
use std::time::Duration;

use bench::envoy::Envoy;
use bench::http::Connection;
use bench::issuer::Issuer;
use bench::load::Outcome;
use bench::traffic::{Supply, bearer};
use bench::{Result, clock};

use crate::Effort;
use crate::attack::random_kids;
use crate::flood::{Strain, strain};
use crate::good::{self, Served};
use crate::services::Services;
use crate::setup::{GATE, Options, Setup};

/// A kind of requests that wait for a callout.
pub struct Wait {
    pub what: &'static str,
    wants: Wanted,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Wanted {
    Answer,
    Keys,
}

/// For introspection, and for keys.
pub const WAITS: [Wait; 2] = [
    Wait {
        what: "an introspection endpoint that does not answer",
        wants: Wanted::Answer,
    },
    Wait {
        what: "a key set that does not come, for unknown `kid`s",
        wants: Wanted::Keys,
    },
];

/// Far fewer than the calls that a worker has under way, so that each request joins one and waits.
const TOKENS: usize = 10;

/// File descriptors for everything except the connections that wait.
const OTHER_FILES: usize = 1000;

/// How long after the timeout an answer is awaited.
const OVERTIME: Duration = Duration::from_secs(10);

const REFETCH: Duration = Duration::from_secs(1);

/// What became of the requests that waited.
pub struct Waited {
    pub what: &'static str,
    pub connections: usize,
    /// Of the callout, in seconds.
    pub timeout: u64,
    /// Requests under way at the most, good ones among them.
    pub under_way: u64,
    pub ends: BTreeMap<String, usize>,
    /// Seconds from the first request to the last answer.
    pub last: f64,
    /// Bytes that Envoy's memory grew by: for the connections, and for the requests that wait on them.
    pub idle: u64,
    pub waiting: u64,
    pub good: Vec<Served>,
    pub strain: Strain,
    /// Under the same load when all of that is over.
    pub good_after: Vec<Served>,
}

/// Lets all connections wait at once, on a fresh Envoy.
pub fn run(
    setup: &Setup,
    services: &Services,
    issuer: &Issuer,
    wait: &Wait,
    effort: &Effort,
) -> Result<Waited> {
    let timeout = effort.patience;
    let envoy = setup.envoy(&Options {
        introspection_timeout: format!("{timeout}s"),
        keys_timeout: format!("{timeout}s"),
        keys_refetch: format!("{}s", REFETCH.as_secs()),
        ..Options::default()
    })?;
    let envoy = envoy.as_ref();
    let port = envoy.port(GATE)?;
    let clients = good::clients(issuer)?;
    good::introduce(&clients, port)?;
    let introduced = clock::now();
    let supply = match wait.wants {
        Wanted::Answer => Supply::made(|i| bearer(&format!("slow-{:03}", i % TOKENS))),
        Wanted::Keys => random_kids(issuer)?,
    };

    let before = envoy.resident()?;
    let count = effort.waiting.min(files()?.saturating_sub(OTHER_FILES));
    let mut connections = Vec::with_capacity(count);
    for _ in 0..count {
        connections.push(Connection::open(port)?);
    }
    let idle = envoy.resident()?;
    services.hold_keys(wait.wants == Wanted::Keys);
    // Before, an unknown `kid` fetches nothing and is refused at once.
    let allowed = REFETCH + Duration::from_millis(250);
    thread::sleep(allowed.saturating_sub(introduced.elapsed()));

    let time = Duration::from_secs(timeout + 1);
    let limit = time + OVERTIME;
    let waited = thread::scope(|scope| -> Result<Waited> {
        let good = scope.spawn(|| strain(envoy, || good::serve(&clients, port, time)));
        let start = clock::now();
        for connection in &mut connections {
            connection.send(&supply.next())?;
        }
        let (under_way, resident) = watch(envoy, count, time / 2)?;
        let mut ends = BTreeMap::new();
        for connection in &mut connections {
            connection.set_patience(limit.saturating_sub(start.elapsed()))?;
            let verdict = connection.receive_verdict().ok();
            let outcome = Outcome {
                verdict,
                micros: 0.0,
            };
            *ends.entry(outcome.to_string()).or_default() += 1;
        }
        let last = start.elapsed().as_secs_f64();
        let (good, strain) = good.join().map_err(|_| "the good clients died")??;
        services.hold_keys(false);
        Ok(Waited {
            what: wait.what,
            connections: count,
            timeout,
            under_way,
            ends,
            last,
            idle: idle.saturating_sub(before),
            waiting: resident.saturating_sub(idle),
            good,
            strain,
            good_after: good::serve(&clients, port, effort.time)?,
        })
    })?;
    match waited.ends.contains_key("200") {
        true => Err(format!("{}: let in: {:?}", wait.what, waited.ends).into()),
        false => Ok(waited),
    }
}

/// How many requests are under way at the most until all of them are, and Envoy's memory then.
fn watch(envoy: &Envoy, count: usize, limit: Duration) -> Result<(u64, u64)> {
    let mut most = 0;
    clock::poll(limit, || {
        let active = envoy.count(&format!("http.{GATE}.downstream_rq_active"));
        most = most.max(active.ok()?);
        (most >= count as u64).then_some(())
    });
    Ok((most, envoy.resident()?))
}

/// How many files this process may open, and Envoy, which inherits it.
fn files() -> Result<usize> {
    let limits = fs::read_to_string("/proc/self/limits")?;
    let line = limits
        .lines()
        .find_map(|l| l.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next());
    match soft.ok_or("no limit of open files")? {
        "unlimited" => Ok(usize::MAX),
        number => Ok(number.parse()?),
    }
}
