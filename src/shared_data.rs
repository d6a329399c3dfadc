//! What the workers of an Envoy process share of a source: its lease and its document, or the parts
//! of its list.
//!
//! The host's map has no deletion, so its keys must be few: two for each configured source, and for
//! a list those of [`SharedKey`].

use portcullis_core::fetch_lease::{self, FetchLease, Plan, Schedule};
use portcullis_core::policy::endpoint::Endpoint;
use portcullis_core::revocation::SharedKey;
use portcullis_core::secret::Digest;
use portcullis_core::time::UnixTime;
use proxy_wasm::hostcalls;
use proxy_wasm::types::Status;

/// A format that is not ours must not be read as ours: the version is in the key and in the
/// value.
pub const PREFIX: &str = "portcullis/3";

/// A CAS number that the host never gives out: with it a value is written only where there is none.
pub const ONLY_IF_ABSENT: Option<u32> = Some(u32::MAX);

/// One source's keys in the shared map.
pub struct SharedDocument {
    prefix: String,
    lease: String,
    document: String,
}

impl SharedDocument {
    /// The keys of a source, which another configuration with the same source shares.
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
        let digest = Digest::sha256(&[source.as_bytes(), b"\0", credential].concat());
        let digest = base16ct::lower::encode_string(digest.as_bytes());
        let prefix = format!("{PREFIX}/{kind}/{digest}");
        SharedDocument {
            lease: format!("{prefix}/lease"),
            document: format!("{prefix}/document"),
            prefix,
        }
    }

    /// Writes an empty lease where there is none: compare-and-swap on a key that is missing lets
    /// every worker succeed.
    pub fn create(&self) {
        // A mismatch says that another worker has made it.
        let _ = self.write(&self.lease, &FetchLease::NEW.to_bytes(), ONLY_IF_ABSENT);
    }

    /// Makes the key of a list's head where there is none, for the same reason.
    pub fn create_head(&self) {
        let _ = self.write_part(SharedKey::Head, b"", ONLY_IF_ABSENT);
    }

    fn read(&self, key: &str) -> (Option<Vec<u8>>, Option<u32>) {
        hostcalls::get_shared_data(key).unwrap_or_default()
    }

    fn write(&self, key: &str, bytes: &[u8], cas: Option<u32>) -> Result<(), Status> {
        hostcalls::set_shared_data(key, Some(bytes), cas)
    }

    /// A part of a list, and the number to replace it by. Empty is absent.
    pub fn part(&self, key: SharedKey) -> (Option<Vec<u8>>, Option<u32>) {
        let (bytes, cas) = self.read(&self.key_of(key));
        (bytes.filter(|bytes| !bytes.is_empty()), cas)
    }

    /// Replaces a part of a list, if its number is still `cas`; without one in any case.
    pub fn write_part(&self, key: SharedKey, bytes: &[u8], cas: Option<u32>) -> Result<(), Status> {
        self.write(&self.key_of(key), bytes, cas)
    }

    fn key_of(&self, key: SharedKey) -> String {
        format!("{}/{key}", self.prefix)
    }

    /// Who fetches, or when it was fetched.
    pub fn lease(&self) -> FetchLease {
        self.lease_and_cas().0
    }

    fn lease_and_cas(&self) -> (FetchLease, Option<u32>) {
        let (bytes, cas) = self.read(&self.lease);
        let lease = bytes.and_then(|bytes| FetchLease::from_bytes(&bytes));
        (lease.unwrap_or(FetchLease::NEW), cas)
    }

    /// What to do about the source; with `Fetch` the attempt is this worker's, and the lease that
    /// it replaced comes along.
    pub fn acquire(&self, schedule: &Schedule, demand: bool, now: UnixTime) -> (Plan, FetchLease) {
        let (lease, cas) = self.lease_and_cas();
        match lease.plan(schedule, demand, now) {
            Plan::Fetch(acquired) => match self.write(&self.lease, &acquired.to_bytes(), cas) {
                Ok(()) => (Plan::Fetch(acquired), lease),
                // Another worker was faster.
                Err(_) => (Plan::InFlight, lease),
            },
            other => (other, lease),
        }
    }

    /// What became of this worker's attempt: it goes on, or ends. False where the attempt has
    /// outlived its lease and another worker has made the next one, which stands.
    pub fn settle(&self, own: &FetchLease, outcome: FetchLease) -> bool {
        let (current, cas) = self.lease_and_cas();
        // Should the host refuse, the lease ends by itself.
        current.is_same_attempt(own) && self.write(&self.lease, &outcome.to_bytes(), cas).is_ok()
    }

    /// Writes the document that the lease names `id`.
    pub fn publish(&self, id: u64, document: &[u8], fetched_at: UnixTime) {
        let mut body = id.to_le_bytes().to_vec();
        body.extend(fetched_at.as_micros().to_le_bytes());
        body.extend_from_slice(document);
        // Should the host refuse, the other workers find no document and fetch their own.
        let _ = self.write(&self.document, &fetch_lease::seal(&body), None);
    }

    /// The document with that ID, and when it was fetched. `None` while another one is stored.
    pub fn document(&self, id: u64) -> Option<(Vec<u8>, UnixTime)> {
        let sealed = self.read(&self.document).0?;
        let (name, body) = fetch_lease::open(&sealed)?.split_first_chunk::<8>()?;
        let (fetched_at, document) = body.split_first_chunk::<8>()?;
        let fetched_at = UnixTime::from_micros(i64::from_le_bytes(*fetched_at));
        (u64::from_le_bytes(*name) == id).then(|| (document.to_vec(), fetched_at))
    }
}
