//! What the core asks of the shell, and what comes of it: plain data, both ways.

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use crate::limits;
use crate::policy::ProviderId;
use crate::policy::provider::Endpoint;
use crate::secret::Fingerprint;
use crate::verification::Refusal;
use crate::verification::introspection::Answer;
use crate::verification::source::SourceId;
use crate::verification::status_list::StatusList;

/// What the core cannot know by itself.
#[derive(Debug)]
pub enum Callout {
    /// The SHA-256 of the certificate that the connection's client showed; no service is asked.
    ClientCertificate,
    /// A document that all workers of the process share.
    Source(SourceId),
    /// A question that this worker asks once for all who wait for its answer.
    Ask(Question, Box<Call>),
}

/// What tells one question from another: those who ask the same one share its answer.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Question {
    /// Never the token itself: it outlives the request.
    Introspection {
        provider: ProviderId,
        token: Fingerprint,
    },
    /// A status list (draft-ietf-oauth-status-list).
    StatusList { provider: ProviderId, uri: Box<str> },
}

/// What a kind of question may cost.
#[derive(Clone, Copy, Debug)]
pub struct QuestionLimits {
    /// The most that is read of an answer.
    pub bytes: usize,
    /// How many of the kind one worker asks at a time.
    pub in_flight: usize,
    /// How many of these are kept from strangers.
    pub kept: usize,
}

/// A request to a service.
pub struct Call {
    pub endpoint: Endpoint,
    pub standing: Standing,
    pub method: &'static str,
    /// Behind those that every request has.
    pub headers: Vec<(&'static str, Box<[u8]>)>,
    pub body: Vec<u8>,
}

/// For whom a call is made. Random tokens cost an attacker nothing, so some slots for calls are
/// reserved for known tokens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// A token that verified here, or was active a short while ago; or nobody's call in particular.
    Known,
    Stranger,
}

/// The services that are called, as counters name them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Service {
    Jwks,
    Introspection,
    Revocation,
    StatusList,
    ApiKeys,
}

/// Why a call brought nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CallFault {
    /// No headers came, or not all of the body.
    BrokenOff,
    /// Envoy did not take the call: an unknown cluster, one without hosts, a full circuit
    /// breaker; or too many of its kind are under way.
    NotSent,
    Status(u32),
    Timeout,
    TooLarge,
}

/// What came of a callout.
#[derive(Clone, Debug)]
pub enum Reply {
    ClientCertificate(Option<[u8; 32]>),
    Introspection(Introspected),
    StatusList(Listed),
    /// The document is in the state.
    Source(SourceId, Fetch),
}

/// What an introspection endpoint had to say.
#[derive(Clone, Debug)]
pub enum Introspected {
    Active(Rc<Answer>),
    Refused(Refusal),
    /// Nothing that could be relied on, in either direction.
    Unavailable,
}

/// What came of the fetch of a status list.
#[derive(Clone, Debug)]
pub enum Listed {
    Held(Rc<StatusList>),
    Unavailable,
    /// The keys to verify it with have to be fetched first: its text.
    Unverified(Rc<[u8]>),
}

/// How a fetch ended for those who waited for it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fetch {
    Arrived,
    /// Refused, broken, too late, or not to be tried again before `retry_after`.
    Failed {
        retry_after: Duration,
    },
}

/// The replies that one request has had so far: with each it is judged anew from its start, and
/// asks for nothing twice. A request has one credential, so there is one of each kind at most.
#[derive(Clone, Debug, Default)]
pub struct Replies {
    pub client_certificate: Option<Option<[u8; 32]>>,
    pub introspection: Option<Introspected>,
    pub keys: Option<Fetch>,
    pub api_keys: Option<Fetch>,
    pub revocation: Option<Fetch>,
    pub status_list: Option<Listed>,
}

// === impl Fetch ===

impl Fetch {
    /// For those who wait for a document that does not come.
    pub const FAILED: Fetch = Fetch::Failed {
        retry_after: Duration::ZERO,
    };
}

// === impl Question ===

impl Question {
    pub fn service(&self) -> Service {
        match self {
            Question::Introspection { .. } => Service::Introspection,
            Question::StatusList { .. } => Service::StatusList,
        }
    }

    pub fn limits(&self) -> QuestionLimits {
        match self {
            Question::Introspection { .. } => QuestionLimits {
                bytes: limits::INTROSPECTION_BYTES,
                in_flight: limits::INTROSPECTIONS_IN_FLIGHT,
                kept: limits::INTROSPECTIONS_KEPT,
            },
            Question::StatusList { .. } => QuestionLimits {
                bytes: limits::STATUS_LIST_TOKEN_BYTES,
                in_flight: limits::STATUS_LISTS_IN_FLIGHT,
                kept: 0,
            },
        }
    }

    /// Whether one more may be asked while so many of its service are under way: of all, and of
    /// strangers.
    pub fn may_be_asked(&self, standing: Standing, under_way: usize, of_strangers: usize) -> bool {
        let limits = self.limits();
        let room_for_strangers = limits.in_flight.saturating_sub(limits.kept);
        under_way < limits.in_flight
            && (standing == Standing::Known || of_strangers < room_for_strangers)
    }

    /// What those get who wait for an answer that does not come.
    pub fn unanswered(&self) -> Reply {
        match self {
            Question::Introspection { .. } => Reply::Introspection(Introspected::Unavailable),
            Question::StatusList { .. } => Reply::StatusList(Listed::Unavailable),
        }
    }
}

// === impl Call ===

/// Without what it carries: a token, and our own secret.
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

// === impl Service ===

impl Service {
    pub const ALL: [Service; 5] = [
        Service::Jwks,
        Service::Introspection,
        Service::Revocation,
        Service::StatusList,
        Service::ApiKeys,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Service::Jwks => "jwks",
            Service::Introspection => "introspection",
            Service::Revocation => "revocation",
            Service::StatusList => "status_list",
            Service::ApiKeys => "api_keys",
        }
    }
}

// === impl Reply ===

impl Reply {
    /// Whether the service answered, whatever its answer says.
    pub fn is_answer(&self) -> bool {
        match self {
            Reply::ClientCertificate(_) => true,
            Reply::Introspection(introspected) => {
                !matches!(introspected, Introspected::Unavailable)
            }
            Reply::StatusList(listed) => !matches!(listed, Listed::Unavailable),
            Reply::Source(_, fetch) => *fetch == Fetch::Arrived,
        }
    }
}

// === impl Replies ===

impl Replies {
    pub fn record(&mut self, reply: Reply) {
        match reply {
            Reply::ClientCertificate(shown) => self.client_certificate = Some(shown),
            Reply::Introspection(introspected) => self.introspection = Some(introspected),
            Reply::StatusList(listed) => self.status_list = Some(listed),
            Reply::Source(SourceId::Keys(_), fetch) => self.keys = Some(fetch),
            Reply::Source(SourceId::ApiKeys, fetch) => self.api_keys = Some(fetch),
            Reply::Source(SourceId::Revocation(_), fetch) => self.revocation = Some(fetch),
        }
    }
}
