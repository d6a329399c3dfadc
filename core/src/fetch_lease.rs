//! One fetch per Envoy process and source.
//!
//! Every worker of an Envoy runs its own copy of the module. They share a map of bytes with
//! compare-and-swap, which holds one lease per source: the worker that writes its attempt into the
//! lease fetches, the others wait for the document. This file has the data and the rules, no host.

use std::time::Duration;

use crate::secret::Digest;
use crate::time::UnixTime;

/// When a source may and must be asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Schedule {
    /// Time from a good fetch to the next one.
    pub refresh_interval: Duration,
    /// No attempt that a request asks for follows another sooner; where the source fails, the
    /// first pause is this long.
    pub min_interval: Duration,
    /// How long one fetch may take.
    pub timeout: Duration,
}

/// What the process knows of a source's fetches.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FetchLease {
    /// When the last attempt began.
    attempted_at: UnixTime,
    /// End of the last attempt's lease; an attempt that has not ended by then counts as lost.
    leased_until: UnixTime,
    /// Random ID of the document that all share; zero while there is none. Not the time of its fetch:
    /// after the clock was set back, a newer one has an earlier time.
    document: u64,
    /// When the next attempt is due by the schedule.
    due_at: UnixTime,
    /// Attempts that failed since the last good one.
    failures: u32,
}

/// What to do about a source now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Plan {
    /// Write this lease; the worker whose write succeeds fetches.
    Fetch(FetchLease),
    /// Another worker fetches.
    InFlight,
    /// Not before then.
    NotBefore(UnixTime),
}

const VERSION: u8 = 2;
const FIELDS: usize = 5 * 8;
const CHECKSUM: usize = 8;

/// Longest pause between attempts while a source fails.
const MAX_BACKOFF: Duration = Duration::from_secs(60);

/// How far the clock may seem to go back, from one worker to another, without having been set back.
const CLOCK_SLACK: Duration = Duration::from_secs(1);

/// What a fetch may take beyond its timeout before its lease ends.
const LEASE_SLACK: Duration = Duration::from_secs(1);

// === impl FetchLease ===

impl FetchLease {
    /// The lease of a source that no worker has asked yet.
    pub const NEW: FetchLease = FetchLease {
        attempted_at: UnixTime::FAR_PAST,
        leased_until: UnixTime::FAR_PAST,
        document: 0,
        due_at: UnixTime::FAR_PAST,
        failures: 0,
    };

    /// `demand`: a request waits for what the source would bring.
    pub fn plan(&self, schedule: &Schedule, demand: bool, now: UnixTime) -> Plan {
        // A clock that was set back must not stop all fetches until it has caught up.
        let is_set_back = self.attempted_at > now.plus(CLOCK_SLACK);
        if now < self.leased_until && !is_set_back {
            return Plan::InFlight;
        }
        let due = if demand {
            self.attempted_at.plus(schedule.min_interval)
        } else {
            self.due_at
        };
        if now < due && !is_set_back {
            return Plan::NotBefore(due);
        }
        Plan::Fetch(FetchLease {
            attempted_at: now,
            leased_until: now.plus(schedule.timeout).plus(LEASE_SLACK),
            ..*self
        })
    }

    /// The attempt goes on: with the next page of a list, or with what it takes to publish one.
    #[must_use]
    pub fn extended(&self, schedule: &Schedule, now: UnixTime) -> FetchLease {
        FetchLease {
            leased_until: now.plus(schedule.timeout).plus(LEASE_SLACK),
            ..*self
        }
    }

    /// After a good answer, which brought `document`: a random number. So is `jitter`, which spreads
    /// what many Envoys would do at once over the last tenth of the interval.
    #[must_use]
    pub fn succeeded(
        &self,
        schedule: &Schedule,
        document: u64,
        now: UnixTime,
        jitter: u32,
    ) -> FetchLease {
        FetchLease {
            leased_until: UnixTime::FAR_PAST,
            document,
            due_at: now.plus(shortened(schedule.refresh_interval, jitter)),
            failures: 0,
            ..*self
        }
    }

    /// After a bad answer or none: pauses double, up to a minute and never beyond the refresh
    /// interval.
    #[must_use]
    pub fn failed(&self, schedule: &Schedule, now: UnixTime, jitter: u32) -> FetchLease {
        let doubled = schedule
            .min_interval
            .saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        let pause = doubled.min(MAX_BACKOFF).min(schedule.refresh_interval);
        FetchLease {
            leased_until: UnixTime::FAR_PAST,
            due_at: now.plus(shortened(pause, jitter)),
            failures: self.failures.saturating_add(1),
            ..*self
        }
    }

    /// Nothing was sent, so nothing counts as an attempt: at start-up clusters appear late.
    #[must_use]
    pub fn withdrawn(&self, before: &FetchLease) -> FetchLease {
        FetchLease {
            leased_until: UnixTime::FAR_PAST,
            attempted_at: before.attempted_at,
            ..*self
        }
    }

    /// Whether this is still the attempt that `own` began. Another one begins only when
    /// the lease has ended, and later.
    pub fn is_same_attempt(&self, own: &FetchLease) -> bool {
        self.attempted_at == own.attempted_at
    }

    /// Which document all share; `None` while there is none.
    pub fn document(&self) -> Option<u64> {
        (self.document != 0).then_some(self.document)
    }

    /// The lease as it is shared, with a version and a checksum.
    pub fn to_bytes(self) -> Vec<u8> {
        let fields = [
            self.attempted_at.as_micros(),
            self.leased_until.as_micros(),
            self.document.cast_signed(),
            self.due_at.as_micros(),
            i64::from(self.failures),
        ];
        let body: Vec<u8> = fields
            .iter()
            .flat_map(|field| field.to_le_bytes())
            .collect();
        seal(&body)
    }

    /// `None` where the bytes are not ours, of another format, or damaged: as if absent.
    pub fn from_bytes(bytes: &[u8]) -> Option<FetchLease> {
        let body: &[u8; FIELDS] = open(bytes)?.try_into().ok()?;
        let (fields, _) = body.as_chunks::<8>();
        let [attempted_at, leased_until, document, due_at, failures] = fields
            .try_into()
            .map(|f: [[u8; 8]; 5]| f.map(i64::from_le_bytes))
            .ok()?;
        Some(FetchLease {
            attempted_at: UnixTime::from_micros(attempted_at),
            leased_until: UnixTime::from_micros(leased_until),
            document: document.cast_unsigned(),
            due_at: UnixTime::from_micros(due_at),
            failures: u32::try_from(failures).ok()?,
        })
    }
}

/// Between nine tenths of a duration and the whole of it.
fn shortened(duration: Duration, jitter: u32) -> Duration {
    let tenth = duration.checked_div(10).unwrap_or_default();
    let part = tenth.mul_f64(f64::from(jitter) / f64::from(u32::MAX));
    duration.saturating_sub(part)
}

// === sealed bytes ===

/// Bytes for the shared map: with the version of the format and a checksum, for the map outlives
/// modules and configurations.
pub fn seal(body: &[u8]) -> Vec<u8> {
    let digest = Digest::sha256(body);
    let checksum = digest.as_bytes().iter().take(CHECKSUM);
    std::iter::once(&VERSION)
        .chain(checksum)
        .chain(body)
        .copied()
        .collect()
}

/// What was sealed; `None` where the check fails.
pub fn open(sealed: &[u8]) -> Option<&[u8]> {
    let (version, rest) = sealed.split_first()?;
    let (checksum, body) = rest.split_at_checked(CHECKSUM)?;
    let digest = Digest::sha256(body);
    let intact = *version == VERSION && digest.as_bytes().starts_with(checksum);
    intact.then_some(body)
}

#[cfg(test)]
mod tests;
