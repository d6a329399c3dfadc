//! A source's ledger and document in the data that all workers of an Envoy share.
//!
//! The map has no deletion, so its keys must be few: two for each configured source, and for a list
//! its slots.

use crate::ledger::{self, Ledger, Plan, Schedule};
use crate::policy::provider::Endpoint;
use crate::secret::Digest;
use crate::shell::host::{self, Failed};
use crate::time::UnixTime;
use crate::verification::revocation::Slot;

/// A format that is not ours must not be read as ours: the version is in the key and in the
/// value.
const PREFIX: &str = "portcullis/2";

pub struct Shared {
    prefix: String,
    ledger: Vec<u8>,
    document: Vec<u8>,
}

impl Shared {
    pub fn new(kind: &str, endpoint: &Endpoint) -> Self {
        let Endpoint {
            cluster,
            scheme,
            authority,
            path,
            timeout: _,
            authorization,
        } = endpoint;
        let source = format!("{cluster}\0{scheme}\0{authority}\0{path}");
        // A service may answer each credential with another document.
        let credential = authorization.as_ref().map(|a| Digest::sha256(a.expose()));
        let credential = credential.as_ref().map_or(&[][..], |d| d.as_bytes());
        let digest: String = Digest::sha256(&[source.as_bytes(), b"\0", credential].concat())
            .as_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let prefix = format!("{PREFIX}/{kind}/{digest}");
        Shared {
            ledger: format!("{prefix}/ledger").into(),
            document: format!("{prefix}/document").into(),
            prefix,
        }
    }

    /// Writes an empty ledger where there is none: compare-and-swap on a key that is missing
    /// would let every worker succeed.
    pub fn create(&self) {
        if host::shared_data(&self.ledger).is_err() {
            // Should the host refuse, it refuses every claim as well.
            let _ = host::set_shared_data(&self.ledger, &Ledger::NEW.to_bytes(), None);
        }
    }

    /// What stands in a slot of a list, and the number to replace it by. Empty is absent.
    pub fn slot(&self, slot: Slot) -> (Option<Vec<u8>>, Option<u32>) {
        match host::shared_data(self.key_of(slot).as_bytes()) {
            Ok((bytes, cas)) => (Some(bytes).filter(|b| !b.is_empty()), Some(cas)),
            Err(_) => (None, None),
        }
    }

    /// Replaces what stands in a slot, if its number is still `cas`; without one in any case.
    pub fn write(&self, slot: Slot, bytes: &[u8], cas: Option<u32>) -> Result<(), Failed> {
        host::set_shared_data(self.key_of(slot).as_bytes(), bytes, cas)
    }

    fn key_of(&self, slot: Slot) -> String {
        format!("{}/{slot}", self.prefix)
    }

    pub fn ledger(&self) -> Ledger {
        self.read().0
    }

    fn read(&self) -> (Ledger, Option<u32>) {
        match host::shared_data(&self.ledger) {
            Ok((bytes, cas)) => {
                let ledger = Ledger::from_bytes(&bytes).unwrap_or(Ledger::NEW);
                (ledger, Some(cas))
            }
            Err(_) => (Ledger::NEW, None),
        }
    }

    /// What to do about the source; with `Fetch` the attempt is this worker's, and the ledger
    /// that it replaced comes along.
    pub fn claim(&self, schedule: &Schedule, demand: bool, now: UnixTime) -> (Plan, Ledger) {
        let (ledger, cas) = self.read();
        match ledger.plan(schedule, demand, now) {
            Plan::Fetch(claimed) => {
                match host::set_shared_data(&self.ledger, &claimed.to_bytes(), cas) {
                    Ok(()) => (Plan::Fetch(claimed), ledger),
                    // Another worker was faster.
                    Err(_) => (Plan::InFlight, ledger),
                }
            }
            other => (other, ledger),
        }
    }

    /// What became of this worker's attempt: it goes on, or ends. False where the attempt has
    /// outlived its lease and somebody else made another, which stands.
    pub fn settle(&self, own: &Ledger, outcome: Ledger) -> bool {
        let (current, cas) = self.read();
        // Should the host refuse, the lease ends by itself.
        current.is_same_attempt(own)
            && host::set_shared_data(&self.ledger, &outcome.to_bytes(), cas).is_ok()
    }

    /// Writes the document that the ledger names `id`.
    pub fn publish(&self, id: u64, document: &[u8], fetched_at: UnixTime) {
        let mut body = id.to_le_bytes().to_vec();
        body.extend(fetched_at.as_micros().to_le_bytes());
        body.extend_from_slice(document);
        // Should the host refuse, the other workers find no document and fetch their own.
        let _ = host::set_shared_data(&self.document, &ledger::seal(&body), None);
    }

    /// The document with that ID, and when it was fetched. `None` while another one is stored.
    pub fn document(&self, id: u64) -> Option<(Vec<u8>, UnixTime)> {
        let (sealed, _) = host::shared_data(&self.document).ok()?;
        let (name, body) = ledger::open(&sealed)?.split_first_chunk::<8>()?;
        let (fetched_at, document) = body.split_first_chunk::<8>()?;
        let fetched_at = UnixTime::from_micros(i64::from_le_bytes(*fetched_at));
        (u64::from_le_bytes(*name) == id).then(|| (document.to_vec(), fetched_at))
    }
}
