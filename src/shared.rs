//! A source's lease and document in the data that all workers of an Envoy share.
//!
//! The map has no deletion, so its keys must be few: two for each configured source, and for a list
//! its slots.

use crate::host::{self, Failed};
use portcullis_core::fetch_lease::{self, FetchLease, Plan, Schedule};
use portcullis_core::policy::provider::Endpoint;
use portcullis_core::revocation::SharedKey;
use portcullis_core::secret::Digest;
use portcullis_core::time::UnixTime;

/// A format that is not ours must not be read as ours: the version is in the key and in the
/// value.
const PREFIX: &str = "portcullis/2";

pub struct Shared {
    prefix: String,
    lease: Vec<u8>,
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
            lease: format!("{prefix}/lease").into(),
            document: format!("{prefix}/document").into(),
            prefix,
        }
    }

    /// Writes an empty lease where there is none: compare-and-swap on a key that is missing
    /// would let every worker succeed.
    pub fn create(&self) {
        if host::shared_data(&self.lease).is_err() {
            // Should the host refuse, it refuses every claim as well.
            let _ = host::set_shared_data(&self.lease, &FetchLease::NEW.to_bytes(), None);
        }
    }

    /// What stands in a slot of a list, and the number to replace it by. Empty is absent.
    pub fn slot(&self, slot: SharedKey) -> (Option<Vec<u8>>, Option<u32>) {
        match host::shared_data(self.key_of(slot).as_bytes()) {
            Ok((bytes, cas)) => (Some(bytes).filter(|b| !b.is_empty()), Some(cas)),
            Err(_) => (None, None),
        }
    }

    /// Replaces what stands in a slot, if its number is still `cas`; without one in any case.
    pub fn write(&self, slot: SharedKey, bytes: &[u8], cas: Option<u32>) -> Result<(), Failed> {
        host::set_shared_data(self.key_of(slot).as_bytes(), bytes, cas)
    }

    fn key_of(&self, slot: SharedKey) -> String {
        format!("{}/{slot}", self.prefix)
    }

    pub fn lease(&self) -> FetchLease {
        self.read().0
    }

    fn read(&self) -> (FetchLease, Option<u32>) {
        match host::shared_data(&self.lease) {
            Ok((bytes, cas)) => {
                let lease = FetchLease::from_bytes(&bytes).unwrap_or(FetchLease::NEW);
                (lease, Some(cas))
            }
            Err(_) => (FetchLease::NEW, None),
        }
    }

    /// What to do about the source; with `Fetch` the attempt is this worker's, and the lease
    /// that it replaced comes along.
    pub fn claim(&self, schedule: &Schedule, demand: bool, now: UnixTime) -> (Plan, FetchLease) {
        let (lease, cas) = self.read();
        match lease.plan(schedule, demand, now) {
            Plan::Fetch(claimed) => {
                match host::set_shared_data(&self.lease, &claimed.to_bytes(), cas) {
                    Ok(()) => (Plan::Fetch(claimed), lease),
                    // Another worker was faster.
                    Err(_) => (Plan::InFlight, lease),
                }
            }
            other => (other, lease),
        }
    }

    /// What became of this worker's attempt: it goes on, or ends. False where the attempt has
    /// outlived its lease and somebody else made another, which stands.
    pub fn settle(&self, own: &FetchLease, outcome: FetchLease) -> bool {
        let (current, cas) = self.read();
        // Should the host refuse, the lease ends by itself.
        current.is_same_attempt(own)
            && host::set_shared_data(&self.lease, &outcome.to_bytes(), cas).is_ok()
    }

    /// Writes the document that the lease names `id`.
    pub fn publish(&self, id: u64, document: &[u8], fetched_at: UnixTime) {
        let mut body = id.to_le_bytes().to_vec();
        body.extend(fetched_at.as_micros().to_le_bytes());
        body.extend_from_slice(document);
        // Should the host refuse, the other workers find no document and fetch their own.
        let _ = host::set_shared_data(&self.document, &fetch_lease::seal(&body), None);
    }

    /// The document with that ID, and when it was fetched. `None` while another one is stored.
    pub fn document(&self, id: u64) -> Option<(Vec<u8>, UnixTime)> {
        let (sealed, _) = host::shared_data(&self.document).ok()?;
        let (name, body) = fetch_lease::open(&sealed)?.split_first_chunk::<8>()?;
        let (fetched_at, document) = body.split_first_chunk::<8>()?;
        let fetched_at = UnixTime::from_micros(i64::from_le_bytes(*fetched_at));
        (u64::from_le_bytes(*name) == id).then(|| (document.to_vec(), fetched_at))
    }
}
