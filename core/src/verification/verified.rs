//! A caller whose credential is verified.

use std::rc::Rc;
use std::time::Duration;

use crate::verification::principal::Principal;

/// A caller whose credential was valid at the time of this request. Only the verification makes one, so this
/// value is the proof.
#[derive(Clone, Debug)]
pub struct Verified {
    principal: Rc<Principal>,
    provenance: Provenance,
    payload: Option<Rc<str>>,
}

/// Where the facts about a caller come from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Provenance {
    /// The credential was verified for this request.
    Local,
    /// The facts were remembered.
    Cache {
        /// How old they are.
        age: Duration,
    },
    /// A service was asked, for this request or for one that it joined.
    Callout {
        /// How old its answer is.
        age: Duration,
    },
}

// === impl Verified ===

impl Verified {
    /// `payload`: the claims as base64url JSON, where the policy forwards them.
    pub(super) fn new(
        principal: Rc<Principal>,
        provenance: Provenance,
        payload: Option<Rc<str>>,
    ) -> Self {
        Verified {
            principal,
            provenance,
            payload,
        }
    }

    /// The same caller, once the provider has confirmed its token.
    pub(super) fn confirmed(self, principal: Rc<Principal>, provenance: Provenance) -> Self {
        Verified {
            principal,
            provenance,
            payload: self.payload,
        }
    }

    /// Who it is.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The same, to be shared.
    pub(super) fn shared_principal(&self) -> &Rc<Principal> {
        &self.principal
    }

    /// Where the facts come from.
    pub fn provenance(&self) -> Provenance {
        self.provenance
    }

    /// The claims as base64url JSON, where the policy forwards them.
    pub fn payload(&self) -> Option<&str> {
        self.payload.as_deref()
    }
}
