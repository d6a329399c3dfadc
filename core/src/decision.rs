//! The decision about a request, and the one place where the reasons of every stage turn into codes.

pub mod code;

use std::rc::Rc;
use std::time::Duration;

use crate::authorization::{Forbidden, Permit};
#[cfg(feature = "ai")]
use crate::budget::reserved::Reservation;
#[cfg(feature = "ai")]
use crate::charging::{Charge, Standing};
use crate::credential::{AmbiguousCredentials, CrossSiteRequest};
use crate::mcp::Unreadable;
#[cfg(feature = "ai")]
use crate::passage::Passage;
use crate::policy::demands::Demands;
use crate::policy::mcp::NotAllowed;
use crate::policy::requirement::Rule;
use crate::policy::route::Unroutable;
use crate::request::AmbiguousTarget;
use crate::verification::claims::InvalidClaims;
use crate::verification::proof::InvalidProof;
use crate::verification::refusal::InvalidApiKey;
use crate::verification::{Refusal, Verified};

pub use crate::decision::code::{Class, Code};

/// The decision about a request.
#[derive(Debug)]
pub struct Decision {
    /// Whether the request passes.
    pub verdict: Verdict,
    /// The rule that the request met; `None` where it matches none, or was refused before the rules.
    pub rule: Option<Rc<Rule>>,
    /// What becomes of its body and of its answer, where it passes and anybody asks for these.
    #[cfg(feature = "ai")]
    pub passage: Option<Box<Passage>>,
}

/// Whether a request passes.
#[derive(Debug)]
pub enum Verdict {
    /// It passes. The permit is the evidence, and only authorization makes one.
    Allow(Permit),
    /// It is answered here, before any rule: it asks about a protected resource, whose metadata this is.
    Metadata(Box<str>),
    /// It is refused.
    Deny(Denial),
}

/// A refusal.
#[derive(Debug)]
pub struct Denial {
    /// Why.
    pub code: Code,
    /// When it is worth trying again, where the fault may be gone then.
    pub retry_after: Option<Duration>,
    /// Who asked, where the credential held and the rule did not.
    pub caller: Option<Verified>,
    /// What this request asks of its caller, where that is more than its rule asks of every request.
    pub demands: Option<Rc<Demands>>,
    /// What is known from its body alone.
    #[cfg(feature = "ai")]
    pub content: Option<Box<RefusedContent>>,
}

/// What a refusal says that the body was read for, or what was held back for it.
#[cfg(feature = "ai")]
#[derive(Debug, Default)]
pub struct RefusedContent {
    /// An MCP message's own id, as JSON.
    pub message_id: Option<Box<str>>,
    /// What to ask an authorization server for, where only the body says which approvals are needed: objects of JSON.
    pub to_approve: Vec<String>,
    /// The tools that it calls, where only the body says it.
    pub tools: Option<Box<str>>,
    /// The model that it names.
    pub model: Option<Box<str>>,
    /// How the budgets of its rule stand, where they were asked.
    pub standings: Vec<Standing>,
    /// What was held back for it.
    pub reservations: Vec<(Charge, Reservation)>,
}

// === impl Verdict ===

impl From<Permit> for Verdict {
    fn from(permit: Permit) -> Self {
        Verdict::Allow(permit)
    }
}

// === impl Denial ===

impl Denial {
    /// A refusal of a caller whose credential held.
    pub fn about(reason: impl Into<Denial>, caller: &Verified) -> Self {
        Denial {
            caller: Some(caller.clone()),
            ..reason.into()
        }
    }

    /// The same of a request that asks this of its caller.
    #[must_use]
    pub fn demanding(self, demands: Option<&Rc<Demands>>) -> Self {
        Denial {
            demands: demands.cloned(),
            ..self
        }
    }
}

impl From<Code> for Denial {
    fn from(code: Code) -> Self {
        Denial {
            code,
            retry_after: None,
            caller: None,
            demands: None,
            #[cfg(feature = "ai")]
            content: None,
        }
    }
}

impl From<AmbiguousTarget> for Denial {
    fn from(ambiguous: AmbiguousTarget) -> Self {
        match ambiguous {
            AmbiguousTarget::Host => Code::AmbiguousHost,
            AmbiguousTarget::Path => Code::AmbiguousPath,
        }
        .into()
    }
}

impl From<Unroutable> for Denial {
    fn from(unroutable: Unroutable) -> Self {
        match unroutable {
            Unroutable::AmbiguousPath => Code::AmbiguousPath,
            Unroutable::PathTooLong => Code::RequestTooLarge,
        }
        .into()
    }
}

impl From<AmbiguousCredentials> for Denial {
    fn from(_: AmbiguousCredentials) -> Self {
        Code::AmbiguousCredentials.into()
    }
}

impl From<CrossSiteRequest> for Denial {
    fn from(_: CrossSiteRequest) -> Self {
        Code::CrossSiteRequest.into()
    }
}

impl From<Unreadable<'_>> for Denial {
    fn from(_: Unreadable<'_>) -> Self {
        Code::McpHeadersRequired.into()
    }
}

impl From<NotAllowed> for Denial {
    fn from(_: NotAllowed) -> Self {
        Code::ToolNotAllowed.into()
    }
}

impl From<Forbidden> for Denial {
    fn from(forbidden: Forbidden) -> Self {
        let code = match forbidden {
            Forbidden::Approval => Code::ApprovalRequired,
            Forbidden::Audience => Code::InvalidAudience,
            Forbidden::Authentication => Code::InsufficientAuthentication,
            Forbidden::Claim => Code::ClaimMismatch,
            Forbidden::NoCredential => Code::MissingToken,
            Forbidden::NoRule => Code::NoRule,
            Forbidden::RuleDenies => Code::RuleDenies,
            Forbidden::Scope => Code::InsufficientScope,
            Forbidden::Unrecorded => Code::ApprovalsUnavailable,
        };
        Denial {
            retry_after: (forbidden == Forbidden::Unrecorded).then_some(Duration::ZERO),
            ..code.into()
        }
    }
}

impl From<Refusal> for Denial {
    fn from(refusal: Refusal) -> Self {
        let code = match refusal {
            Refusal::ApiKey(invalid) => match invalid {
                InvalidApiKey::Expired => Code::ApiKeyExpired,
                InvalidApiKey::NotYetValid => Code::ApiKeyNotYetValid,
                InvalidApiKey::Revoked => Code::ApiKeyRevoked,
                InvalidApiKey::Unforwardable | InvalidApiKey::Unknown => Code::InvalidApiKey,
            },
            Refusal::BadSignature => Code::InvalidSignature,
            Refusal::Claims(invalid) => match invalid {
                InvalidClaims::Audience => Code::InvalidAudience,
                InvalidClaims::Expired => Code::TokenExpired,
                InvalidClaims::Malformed => Code::MalformedToken,
                InvalidClaims::NotYetValid => Code::TokenNotYetValid,
                InvalidClaims::Actors
                | InvalidClaims::Confirmation
                | InvalidClaims::Lifetime
                | InvalidClaims::NoExpiry
                | InvalidClaims::NoIssueTime
                | InvalidClaims::Status
                | InvalidClaims::Unforwardable => Code::InvalidToken,
            },
            Refusal::Contradiction | Refusal::Extension | Refusal::Type | Refusal::Untraceable => {
                Code::InvalidToken
            }
            Refusal::Proof(InvalidProof::TooLarge) => Code::RequestTooLarge,
            Refusal::Proof(_) => Code::InvalidDpopProof,
            Refusal::RevocationUnavailable { .. } => Code::RevocationUnavailable,
            Refusal::Revoked => Code::TokenRevoked,
            Refusal::Inactive => Code::TokenInactive,
            Refusal::IntrospectionUnavailable => Code::IntrospectionUnavailable,
            Refusal::Issuer => Code::InvalidIssuer,
            Refusal::KeysUnavailable { .. } => Code::KeysUnavailable,
            Refusal::MalformedToken => Code::MalformedToken,
            Refusal::TooLarge => Code::RequestTooLarge,
            Refusal::UnknownKey => Code::UnknownKey,
            Refusal::UnsupportedAlgorithm => Code::UnsupportedAlgorithm,
        };
        let retry_after = match refusal {
            Refusal::KeysUnavailable { retry_after }
            | Refusal::RevocationUnavailable { retry_after } => Some(retry_after),
            Refusal::IntrospectionUnavailable => Some(Duration::ZERO),
            _ => None,
        };
        Denial {
            retry_after,
            ..code.into()
        }
    }
}
