//! What the core asks the shell for, and what the shell replies, as plain data.

use std::rc::Rc;
use std::time::Duration;

use crate::limits;
#[cfg(feature = "ai")]
use crate::policy::endpoint::Endpoint;
#[cfg(feature = "ai")]
use crate::policy::model::BodyLimits;
use crate::policy::provider::ProviderId;
#[cfg(feature = "ai")]
use crate::secret::Digest;
use crate::secret::Fingerprint;
use crate::spent::Spent;
use crate::verification::introspection::Introspected;
use crate::verification::source::SourceId;
use crate::verification::spending::{Expense, SpentId};
use crate::verification::status_list::StatusList;
use crate::verification::unspent::Unspent;

pub use crate::verification::call::{Call, CallFault, Service, Standing};

/// What the shell has to find out before a request can be decided.
#[derive(Debug)]
pub enum Callout {
    /// The SHA-256 of the certificate that the connection's client showed; no service is asked.
    ClientCertificate,
    /// A document that all workers of the process share.
    Source(SourceId),
    /// Something counts once for all workers of the process; no service is asked.
    Spend(Expense),
    /// A question that this worker asks once, for all requests that wait for its answer.
    Ask(Question, Box<Call>),
    /// The request's body.
    #[cfg(feature = "ai")]
    Body(BodyLimits),
    /// The budgets of [`Content::charges`](crate::body::Content::charges), for all workers of the process.
    #[cfg(feature = "ai")]
    Reserve,
}

/// What became of a body that was awaited.
#[cfg(feature = "ai")]
#[derive(Clone, Debug)]
pub enum BodyArrival {
    /// It did not arrive in time.
    Late,
    /// It is larger than accepted.
    TooLarge,
    /// This is all of it.
    Whole(Vec<u8>),
}

/// What tells one question from another: requests that ask the same one share its answer.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Question {
    /// Never the token itself: it outlives the request.
    Introspection {
        /// Who is asked.
        provider: ProviderId,
        /// The token that is asked about.
        token: Fingerprint,
    },
    /// A status list (draft-ietf-oauth-status-list).
    StatusList {
        /// Whose list it is.
        provider: ProviderId,
        /// Where it is.
        uri: Box<str>,
    },
    /// What kind of prompt a body has: the SHA-256 of who is asked, and what.
    #[cfg(feature = "ai")]
    Classifier([u8; 32]),
}

/// What a kind of question may cost.
#[derive(Clone, Copy, Debug)]
pub struct QuestionLimits {
    /// The largest answer that is read.
    pub bytes: usize,
    /// How many of the kind are in flight at a time, per worker.
    pub in_flight: usize,
    /// How many of these are reserved for [`Standing::Known`].
    pub kept: usize,
}

/// What came of a callout.
#[derive(Clone, Debug)]
pub enum Reply {
    /// The SHA-256 of the client's certificate; `None` where it showed none.
    ClientCertificate(Option<[u8; 32]>),
    /// What the provider said about the token.
    Introspection(Introspected),
    /// What came of the fetch of a status list.
    StatusList(Listed),
    /// The document is in the state.
    Source(SourceId, Fetch),
    /// What became of something that counts once.
    Spent(SpentId, Spent),
    /// The request's body.
    #[cfg(feature = "ai")]
    Body(BodyArrival),
    /// The kind of a prompt; `None` where the service did not say it.
    #[cfg(feature = "ai")]
    Classified(Option<Box<str>>),
    /// Whether the ledger answered.
    #[cfg(feature = "ai")]
    Leased(bool),
}

/// What came of the fetch of a status list.
#[derive(Clone, Debug)]
pub enum Listed {
    /// It is verified and remembered.
    Held(Rc<StatusList>),
    /// It is not available.
    Unavailable,
    /// The keys to verify it with have to be fetched first. This is its text.
    Unverified(Rc<[u8]>),
}

/// How a fetch ended for the requests that waited for it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fetch {
    /// The document is in the state.
    Arrived,
    /// It was refused or broke off, came too late, or may not be tried yet.
    Failed {
        /// When it is worth trying again.
        retry_after: Duration,
    },
}

/// The replies that one request has had so far. With each reply the request is evaluated from its start
/// again, and it asks for nothing twice. A request has one credential, so there is at most one of each
/// kind, and one for each approval that its rule asks for.
#[derive(Clone, Debug, Default)]
pub struct Replies {
    /// What became of each approval that counts once, in their order.
    pub approvals: Vec<Spent>,
    /// What the client showed, once it is known.
    pub client_certificate: Option<Option<[u8; 32]>>,
    /// What the provider said about the token.
    pub introspection: Option<Introspected>,
    /// The caller, and the proof that has to be spent for it.
    pub unspent: Option<Box<Unspent>>,
    /// Whether the proof of possession, which held, was used before.
    pub proof: Option<Spent>,
    /// How the fetch of keys ended.
    pub keys: Option<Fetch>,
    /// How the fetch of the list of API keys ended.
    pub api_keys: Option<Fetch>,
    /// How the poll of the revocation list ended.
    pub revocation: Option<Fetch>,
    /// What came of the fetch of the status list.
    pub status_list: Option<Listed>,
}

// === impl Fetch ===

impl Fetch {
    /// For requests that wait for a document that does not come.
    pub const FAILED: Fetch = Fetch::Failed {
        retry_after: Duration::ZERO,
    };
}

// === impl Question ===

impl Question {
    /// What kind of prompt the body of a classifier's request has.
    #[cfg(feature = "ai")]
    pub fn classifier(endpoint: &Endpoint, body: &str) -> Self {
        let Endpoint {
            cluster,
            scheme,
            authority,
            path,
            ..
        } = endpoint;
        let service = format!("{cluster}\0{scheme}\0{authority}\0{path}\0{body}");
        Question::Classifier(*Digest::sha256(service.as_bytes()).as_bytes())
    }

    /// The service that is asked.
    pub fn service(&self) -> Service {
        match self {
            Question::Introspection { .. } => Service::Introspection,
            Question::StatusList { .. } => Service::StatusList,
            #[cfg(feature = "ai")]
            Question::Classifier(_) => Service::Classifier,
        }
    }

    /// What it may cost.
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
            #[cfg(feature = "ai")]
            Question::Classifier(_) => QuestionLimits {
                bytes: limits::CLASSIFIER_BYTES,
                in_flight: limits::CLASSIFIERS_IN_FLIGHT,
                kept: 0,
            },
        }
    }

    /// Whether one more may be asked. `in_flight` counts all calls to its service, `of_strangers` those for
    /// unknown tokens.
    pub fn may_be_asked(&self, standing: Standing, in_flight: usize, of_strangers: usize) -> bool {
        let limits = self.limits();
        let room_for_strangers = limits.in_flight.saturating_sub(limits.kept);
        in_flight < limits.in_flight
            && (standing == Standing::Known || of_strangers < room_for_strangers)
    }

    /// The reply to waiting requests if no answer comes.
    pub fn unanswered(&self) -> Reply {
        match self {
            Question::Introspection { .. } => Reply::Introspection(Introspected::Unavailable),
            Question::StatusList { .. } => Reply::StatusList(Listed::Unavailable),
            #[cfg(feature = "ai")]
            Question::Classifier(_) => Reply::Classified(None),
        }
    }
}

// === impl Reply ===

impl Reply {
    /// Whether the service answered, with any answer.
    pub fn is_answer(&self) -> bool {
        match self {
            Reply::ClientCertificate(_) | Reply::Spent(..) => true,
            Reply::Introspection(introspected) => {
                !matches!(introspected, Introspected::Unavailable)
            }
            Reply::StatusList(listed) => !matches!(listed, Listed::Unavailable),
            Reply::Source(_, fetch) => *fetch == Fetch::Arrived,
            #[cfg(feature = "ai")]
            Reply::Body(arrival) => matches!(arrival, BodyArrival::Whole(_)),
            #[cfg(feature = "ai")]
            Reply::Classified(category) => category.is_some(),
            #[cfg(feature = "ai")]
            Reply::Leased(granted) => *granted,
        }
    }
}

// === impl Replies ===

impl Replies {
    /// Keeps a reply.
    pub fn record(&mut self, reply: Reply) {
        match reply {
            Reply::ClientCertificate(shown) => self.client_certificate = Some(shown),
            Reply::Introspection(introspected) => self.introspection = Some(introspected),
            Reply::StatusList(listed) => self.status_list = Some(listed),
            Reply::Spent(SpentId::Approval, spent) => self.approvals.push(spent),
            Reply::Spent(SpentId::Proof(_), spent) => self.proof = Some(spent),
            Reply::Source(SourceId::Keys(_), fetch) => self.keys = Some(fetch),
            Reply::Source(SourceId::ApiKeys, fetch) => self.api_keys = Some(fetch),
            Reply::Source(SourceId::Revocation(_), fetch) => self.revocation = Some(fetch),
            // Asked for by bodies alone, which keep what they hear themselves.
            #[cfg(feature = "ai")]
            Reply::Body(_) | Reply::Classified(_) | Reply::Leased(_) => {}
        }
    }
}
