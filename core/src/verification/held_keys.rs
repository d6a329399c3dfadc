//! The verification keys that this worker holds of each provider.

use std::rc::Rc;
use std::time::Duration;

use crate::keys::KeySet;
use crate::policy::provider::{Keys, Provider, ProviderId};
use crate::time::UnixTime;
use crate::verification::freshness::is_fresh;

/// Fetched sets, indexed by `ProviderId`; inline sets live in the policy.
#[derive(Debug)]
pub struct HeldKeys(Vec<Option<Fetched>>);

#[derive(Debug)]
struct Fetched {
    set: Rc<KeySet>,
    at: UnixTime,
}

// === impl HeldKeys ===

impl HeldKeys {
    /// No set yet, with room for `providers` sets.
    pub fn none(providers: usize) -> Self {
        HeldKeys(std::iter::repeat_with(|| None).take(providers).collect())
    }

    /// The keys that `provider`'s tokens are verified with at `now`: the last good set serves
    /// for `max_staleness` while its source is down.
    pub fn of<'a>(&'a self, provider: &'a Provider, now: UnixTime) -> Option<&'a Rc<KeySet>> {
        match &provider.keys {
            Keys::Inline(set) => Some(set),
            Keys::Remote(remote) => self
                .0
                .get(provider.id.0)?
                .as_ref()
                .filter(|fetched| is_fresh(fetched.at, remote.max_staleness, now))
                .map(|fetched| &fetched.set),
            Keys::None => None,
        }
    }

    /// Replaces the set of a provider.
    pub fn adopt(&mut self, id: ProviderId, set: KeySet, at: UnixTime) {
        if let Some(slot) = self.0.get_mut(id.0) {
            *slot = Some(Fetched {
                set: Rc::new(set),
                at,
            });
        }
    }

    /// The clock was set back by `step`: every set keeps its age.
    pub fn set_back(&mut self, step: Duration) {
        for fetched in self.0.iter_mut().flatten() {
            fetched.at = fetched.at.minus(step);
        }
    }
}
