//! What happened, in one table, and what of it must not have happened.

use std::collections::{BTreeMap, HashSet};
use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::sync::Mutex;
use std::time::Duration;

use crate::client::Message;
use crate::gateway::Gateway;
use crate::history::{Trouble, lock};
use crate::oracle::{Oracle, Right, Wrong};
use crate::upstream::sum;

const MIB: f64 = 1024.0 * 1024.0;

/// What Envoy may grow by once it is warm.
const GROWTH: f64 = 32.0;

#[derive(Default)]
pub struct Tally {
    counts: Mutex<Counts>,
    /// Sums of what nobody may repeat: a run's credentials would not fit.
    secrets: Mutex<HashSet<u64>>,
}

#[derive(Default)]
struct Counts {
    by_kind: BTreeMap<String, BTreeMap<String, u64>>,
    events: BTreeMap<&'static str, u64>,
    /// Answers of 500 and above, by how they are told and what caused them.
    failures: BTreeMap<(String, &'static str), u64>,
    requests: u64,
    /// Requests for which one answer alone was right.
    only: u64,
    /// Requests that had to pass, or must not.
    clear: u64,
    slowest: (Duration, String),
    /// In a VM that was lost.
    slowest_lost: (Duration, String),
}

pub struct Report {
    seed: u64,
    length: Duration,
    counts: Counts,
    troubles: Vec<(&'static str, usize, Duration)>,
    wrongs: Vec<Wrong>,
    log: Log,
    /// MiB.
    memory: Memory,
    /// Requests that Envoy still holds when all clients are gone.
    left_hanging: u64,
    traps: u64,
}

#[derive(Default)]
struct Memory {
    at_start: f64,
    warm: f64,
    at_end: f64,
    peak: f64,
}

/// What Envoy's log says that it must not.
#[derive(Default)]
struct Log {
    lines: u64,
    crashes: u64,
    suspicious: Vec<String>,
}

impl Tally {
    pub fn right(&self, kind: &str, right: &Right, took: Duration) {
        self.count(kind, &right.outcome);
        let mut counts = lock(&self.counts);
        counts.only += u64::from(right.is_only);
        counts.clear += u64::from(right.is_clear);
        let slowest = match right.outcome.starts_with("bare") {
            true => &mut counts.slowest_lost,
            false => &mut counts.slowest,
        };
        if took > slowest.0 {
            *slowest = (took, format!("{kind}: {}", right.outcome));
        }
    }

    pub fn count(&self, kind: &str, outcome: &str) {
        let mut counts = lock(&self.counts);
        counts.requests += 1;
        let of_kind = counts.by_kind.entry(kind.to_owned()).or_default();
        *of_kind.entry(outcome.to_owned()).or_default() += 1;
    }

    /// Remembers the credentials that a message carries.
    pub fn secrets(&self, message: &Message) {
        let values = message.headers.iter().map(|(_, value)| value.as_bytes());
        let secrets = values.flat_map(long_runs).map(sum);
        lock(&self.secrets).extend(secrets);
    }

    pub fn failure(&self, outcome: &str, cause: &'static str) {
        let mut counts = lock(&self.counts);
        let of = counts.failures.entry((outcome.to_owned(), cause));
        *of.or_default() += 1;
    }

    pub fn event(&self, event: &'static str) {
        *lock(&self.counts).events.entry(event).or_default() += 1;
    }
}

impl Report {
    #[allow(clippy::too_many_arguments)]
    pub fn new(
        seed: &u64,
        length: Duration,
        tally: Tally,
        oracle: &Oracle,
        gateway: &Gateway,
        at_start: u64,
        samples: Vec<(Duration, u64)>,
        left_hanging: u64,
    ) -> Self {
        let named = [
            ("authority down", Trouble::AuthorityDown),
            ("issuer failing", Trouble::IssuerFails),
            ("machine stalled", Trouble::Stall),
        ];
        let troubles =
            named.map(|(name, of)| (name, oracle.troubles.count(of), oracle.troubles.total(of)));
        Self {
            seed: *seed,
            length,
            log: Log::read(gateway, &lock(&tally.secrets)),
            counts: tally.counts.into_inner().expect("nobody panicked"),
            troubles: troubles.to_vec(),
            wrongs: oracle.wrongs(),
            memory: Memory::of(&samples, length, at_start, gateway.memory()[1]),
            left_hanging,
            traps: u64::try_from(oracle.troubles.count(Trouble::Trap)).expect("few"),
        }
    }

    pub fn assert_good(&self) {
        let mut faults = Vec::new();
        if let Some(first) = self.wrongs.first() {
            faults.push(format!("{} wrong, the first: {first}", self.wrongs.len()));
        }
        if self.left_hanging > 0 {
            faults.push(format!("{} requests hang in Envoy", self.left_hanging));
        }
        if self.log.crashes > self.traps {
            faults.push(format!(
                "{} VMs crashed, {} were made to trap",
                self.log.crashes, self.traps
            ));
        }
        if let Some(first) = self.log.suspicious.first() {
            faults.push(format!(
                "{} lines in Envoy's log, the first: {first}",
                self.log.suspicious.len()
            ));
        }
        let growth = self.memory.at_end - self.memory.warm;
        if growth > GROWTH {
            faults.push(format!("Envoy grew by {growth:.0} MiB after it was warm"));
        }
        // Else the oracle would have judged nothing.
        let clear = share(self.counts.clear, self.counts.requests);
        if clear < 50.0 {
            faults.push(format!("whether to pass was clear of {clear:.0} % alone"));
        }
        assert!(
            faults.is_empty(),
            "SOAK_SEED={}: {}",
            self.seed,
            faults.join("\n")
        );
    }
}

/// Every run of token characters as long as a signature or a key.
fn long_runs(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let is_outside = |byte: &u8| !byte.is_ascii_alphanumeric() && !b"-_".contains(byte);
    text.split(is_outside).filter(|run| run.len() >= 40)
}

fn share(part: u64, whole: u64) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

impl Memory {
    fn of(samples: &[(Duration, u64)], length: Duration, at_start: u64, peak: u64) -> Self {
        let mib = |bytes: u64| bytes as f64 / MIB;
        let median = |from: f64, to: f64| {
            let within =
                |at: &Duration| (from..to).contains(&(at.as_secs_f64() / length.as_secs_f64()));
            let mut of: Vec<u64> = samples
                .iter()
                .filter(|(at, _)| within(at))
                .map(|it| it.1)
                .collect();
            of.sort_unstable();
            of.get(of.len() / 2).copied().unwrap_or_default()
        };
        Self {
            at_start: mib(at_start),
            warm: mib(median(0.3, 0.4)),
            at_end: mib(median(0.9, 1.1)),
            peak: mib(peak),
        }
    }
}

impl Log {
    fn read(gateway: &Gateway, secrets: &HashSet<u64>) -> Self {
        let mut log = Self::default();
        let file = File::open(gateway.log()).expect("Envoy has a log");
        for line in BufReader::new(file).split(b'\n').map_while(Result::ok) {
            log.lines += 1;
            if long_runs(&line).any(|run| secrets.contains(&sum(run))) {
                log.suspicious.push("it repeats a credential".to_owned());
            }
            let line = String::from_utf8_lossy(&line);
            if line.contains("Uncaught RuntimeError") {
                log.crashes += 1;
            }
            let is_suspicious = [
                "panicked",
                "cannot be judged",
                "could not go on",
                "assert failure",
            ];
            if is_suspicious.iter().any(|it| line.contains(it)) {
                log.suspicious.push(line.into_owned());
            }
        }
        log
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = &self.counts;
        writeln!(out, "\nrequests by kind and outcome")?;
        for (kind, outcomes) in &counts.by_kind {
            let total: u64 = outcomes.values().sum();
            let mut line = String::new();
            for (outcome, count) in outcomes {
                write!(line, "  {outcome} {count}")?;
            }
            writeln!(out, "  {kind:<44}{total:>8} {line}")?;
        }
        writeln!(out, "\nevents")?;
        for (event, count) in &counts.events {
            writeln!(out, "  {event:<44}{count:>8}")?;
        }
        for (trouble, count, total) in &self.troubles {
            writeln!(
                out,
                "  {trouble:<44}{count:>8}   for {:.1} s",
                total.as_secs_f64()
            )?;
        }
        writeln!(out, "\nanswers of 500 and above, and why they were due")?;
        for ((outcome, cause), count) in &counts.failures {
            writeln!(out, "  {outcome:<44}{count:>8}   {cause}")?;
        }
        let rate = counts.requests as f64 / self.length.as_secs_f64();
        writeln!(out, "\n{} requests, {rate:.0} a second", counts.requests)?;
        let of = |part| share(part, counts.requests);
        writeln!(out, "  had to pass or not   {:.2} %", of(counts.clear))?;
        writeln!(out, "  one answer was right {:.2} %", of(counts.only))?;
        writeln!(out, "  wrong                {}", self.wrongs.len())?;
        writeln!(out, "  hanging in Envoy     {}", self.left_hanging)?;
        writeln!(
            out,
            "  slowest              {:.2?} ({})",
            counts.slowest.0, counts.slowest.1
        )?;
        writeln!(
            out,
            "  slowest without a VM {:.2?} ({})",
            counts.slowest_lost.0, counts.slowest_lost.1
        )?;
        writeln!(
            out,
            "  crashes of a VM      {}, of {} that were asked for",
            self.log.crashes, self.traps
        )?;
        writeln!(out, "  lines in the log     {}", self.log.lines)?;
        let Memory {
            at_start,
            warm,
            at_end,
            peak,
        } = self.memory;
        writeln!(
            out,
            "Envoy's memory: {at_start:.0} MiB at the start, {warm:.0} warm, {at_end:.0} at the end, {peak:.0} at the most"
        )
    }
}
