//! Tokens that are bound to a key of their client.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::config::DpopConfig;
use crate::config::fault::At;
use crate::keys::{Algorithm, AlgorithmSet};
use crate::limits::SPENT_ENTRIES;
use crate::policy::compile::compiler::{Compiler, LocationId, insert_sorted};
use crate::policy::location::CredentialLocation;
use crate::policy::provider::{Dpop, DpopMode};

/// Within it nothing but the replay cache stops a proof that was seen by others.
const MAX_AGE: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(3600);
const DEFAULT_MAX_AGE: Duration = Duration::from_secs(60);

/// What verifies in about 100 µs: each request of a caller costs one signature.
const DEFAULT_ALGORITHMS: AlgorithmSet = AlgorithmSet::of(&[Algorithm::Es256, Algorithm::EdDsa]);

const ENTRIES: RangeInclusive<u64> = 1..=SPENT_ENTRIES as u64;
const DEFAULT_ENTRIES: u64 = 64 * 1024;

impl Compiler<'_> {
    pub(super) fn dpop(&mut self, dpop: DpopConfig<'_>) -> Option<Dpop> {
        let DpopConfig {
            mode,
            max_age,
            algorithms,
            replay_cache_entries,
        } = dpop;
        let mode = mode.or(DpopMode::Optional);
        let max_age = self.duration(max_age, DEFAULT_MAX_AGE, MAX_AGE);
        // With a shared secret, whoever verifies could sign (RFC 9449 §4.2).
        let algorithms = self.algorithms(algorithms, AlgorithmSet::DEFAULT, DEFAULT_ALGORITHMS);
        let entries = self.count(replay_cache_entries, DEFAULT_ENTRIES, ENTRIES);
        Some(Dpop {
            mode: mode?.value,
            max_age: max_age?,
            algorithms: algorithms?,
            replay_cache_entries: entries?,
        })
    }

    /// The locations of a provider whose tokens may be bound.
    pub(super) fn with_dpop(&mut self, mut locations: Vec<LocationId>, at: At) -> Vec<LocationId> {
        self.takes_proofs = true;
        let location = self.location(CredentialLocation::dpop(), at);
        insert_sorted(&mut locations, location);
        locations
    }

    /// One header cannot carry a credential and a proof.
    pub(super) fn refuse_credentials_beside_proofs(&mut self) {
        if !self.takes_proofs {
            return;
        }
        let locations = self.locations.values.iter().zip(&self.mentions);
        let taken = locations.filter_map(|(location, at)| match location.as_ref() {
            CredentialLocation::Header { name, .. } => (name.as_ref() == "dpop").then_some(*at),
            CredentialLocation::Query { .. } | CredentialLocation::Cookie { .. } => None,
        });
        for at in taken.collect::<Vec<_>>() {
            let found = "the header of proofs of possession";
            self.findings.unfit(at, found, "a header of its own");
        }
    }
}
