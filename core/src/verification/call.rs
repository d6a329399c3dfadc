//! A request to a service, and how it can fail.

use std::fmt;

use crate::policy::endpoint::Endpoint;

/// A request to a service.
pub struct Call {
    /// Where it goes.
    pub endpoint: Endpoint,
    /// For whom it is made.
    pub standing: Standing,
    /// `GET` or `POST`.
    pub method: &'static str,
    /// In addition to the headers that every request has.
    pub headers: Vec<(&'static str, Box<[u8]>)>,
    /// The body; empty where there is none.
    pub body: Vec<u8>,
}

/// For whom a call is made. Random tokens cost an attacker nothing, so some slots for calls are
/// reserved for known tokens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// A token that verified here or was active a short while ago, or no single request.
    Known,
    /// Any other token.
    Stranger,
}

/// The services that are called, as counters name them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Service {
    /// A provider's keys.
    Jwks,
    /// A provider's introspection endpoint.
    Introspection,
    /// A revocation list.
    Revocation,
    /// A status list.
    StatusList,
    /// A list of API keys.
    ApiKeys,
    /// A service that says what kind of prompt a body has.
    #[cfg(feature = "ai")]
    Classifier,
    /// A ledger of budgets.
    #[cfg(feature = "ai")]
    Ledger,
}

/// Why a call failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CallFault {
    /// No headers came, or not all of the body.
    BrokenOff,
    /// Envoy did not take the call: an unknown cluster, one without hosts, an open circuit breaker; or
    /// too many calls of its kind are in flight.
    NotSent,
    /// Another status than 200.
    Status(u32),
    /// The answer did not come in time.
    Timeout,
    /// The answer is larger than the limit.
    TooLarge,
}

// === impl Call ===

/// Without headers and body, which have a token and our own secret.
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

// === impl Service ===

impl Service {
    /// Every service.
    pub const ALL: &[Service] = &[
        Service::Jwks,
        Service::Introspection,
        Service::Revocation,
        Service::StatusList,
        Service::ApiKeys,
        #[cfg(feature = "ai")]
        Service::Classifier,
        #[cfg(feature = "ai")]
        Service::Ledger,
    ];

    /// As counters name it.
    pub fn name(self) -> &'static str {
        match self {
            Service::Jwks => "jwks",
            Service::Introspection => "introspection",
            Service::Revocation => "revocation",
            Service::StatusList => "status_list",
            Service::ApiKeys => "api_keys",
            #[cfg(feature = "ai")]
            Service::Classifier => "classifier",
            #[cfg(feature = "ai")]
            Service::Ledger => "ledger",
        }
    }
}
