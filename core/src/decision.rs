//! What becomes of a request, and the one place where every stage's reasons turn into answers.

use std::time::Duration;

use crate::authorization::{Forbidden, Permit};
use crate::credential::AmbiguousCredentials;
use crate::policy::route::Unroutable;
use crate::request::AmbiguousTarget;
use crate::verification::api_key::InvalidApiKey;
use crate::verification::claims::InvalidClaims;
use crate::verification::{Refusal, Verified};

#[derive(Debug)]
pub struct Decision {
    pub verdict: Verdict,
    /// The index of the rule that the request met.
    pub rule: Option<usize>,
}

#[derive(Debug)]
pub enum Verdict {
    Allow(Permit),
    Deny(Denial),
}

#[derive(Debug)]
pub struct Denial {
    pub code: Code,
    /// For what heals by itself.
    pub retry_after: Option<Duration>,
    /// Known where the credential held and the rule did not.
    pub caller: Option<Verified>,
}

/// Why a request was refused, as clients, counters and logs learn it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Code {
    AmbiguousCredentials,
    AmbiguousHost,
    AmbiguousPath,
    ApiKeyExpired,
    ApiKeyNotYetValid,
    ApiKeyRevoked,
    ClaimMismatch,
    InsufficientScope,
    InvalidApiKey,
    InvalidAudience,
    InvalidIssuer,
    InvalidSignature,
    IntrospectionUnavailable,
    InvalidToken,
    KeysUnavailable,
    MalformedToken,
    MissingToken,
    NoRule,
    RequestTooLarge,
    RevocationUnavailable,
    RuleDenies,
    TokenExpired,
    TokenInactive,
    TokenNotYetValid,
    TokenRevoked,
    UnknownKey,
    UnsupportedAlgorithm,
}

/// The classes of refusals: one status and one `error` each (RFC 6750 §3.1, RFC 6749 §5.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Class {
    AccessDenied,
    InsufficientScope,
    InvalidRequest,
    InvalidToken,
    TemporarilyUnavailable,
    Unauthorized,
}

// === impl Denial ===

impl Denial {
    /// With what is known of the caller at this point.
    pub fn of(reason: impl Into<Denial>, caller: Option<&Verified>) -> Self {
        let mut denial = reason.into();
        denial.caller = caller.cloned();
        denial
    }
}

impl From<Code> for Denial {
    fn from(code: Code) -> Self {
        Denial {
            code,
            retry_after: None,
            caller: None,
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

impl From<Forbidden> for Denial {
    fn from(forbidden: Forbidden) -> Self {
        match forbidden {
            Forbidden::Audience => Code::InvalidAudience,
            Forbidden::Claim => Code::ClaimMismatch,
            Forbidden::NoCredential => Code::MissingToken,
            Forbidden::NoRule => Code::NoRule,
            Forbidden::RuleDenies => Code::RuleDenies,
            Forbidden::Scope => Code::InsufficientScope,
        }
        .into()
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
                InvalidClaims::Confirmation
                | InvalidClaims::Lifetime
                | InvalidClaims::NoExpiry
                | InvalidClaims::NoIssueTime
                | InvalidClaims::Status
                | InvalidClaims::Unforwardable => Code::InvalidToken,
            },
            Refusal::Contradiction | Refusal::Extension | Refusal::Type | Refusal::Untraceable => {
                Code::InvalidToken
            }
            Refusal::RevocationUnavailable { .. } => Code::RevocationUnavailable,
            Refusal::Revoked => Code::TokenRevoked,
            Refusal::Inactive => Code::TokenInactive,
            Refusal::IntrospectionUnavailable => Code::IntrospectionUnavailable,
            Refusal::CredentialSource => Code::InvalidIssuer,
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
            code,
            retry_after,
            caller: None,
        }
    }
}

// === impl Code ===

impl Code {
    pub const ALL: [Code; 27] = [
        Code::AmbiguousCredentials,
        Code::AmbiguousHost,
        Code::AmbiguousPath,
        Code::ApiKeyExpired,
        Code::ApiKeyNotYetValid,
        Code::ApiKeyRevoked,
        Code::ClaimMismatch,
        Code::InsufficientScope,
        Code::InvalidApiKey,
        Code::InvalidAudience,
        Code::InvalidIssuer,
        Code::InvalidSignature,
        Code::IntrospectionUnavailable,
        Code::InvalidToken,
        Code::KeysUnavailable,
        Code::MalformedToken,
        Code::MissingToken,
        Code::NoRule,
        Code::RequestTooLarge,
        Code::RevocationUnavailable,
        Code::RuleDenies,
        Code::TokenExpired,
        Code::TokenInactive,
        Code::TokenNotYetValid,
        Code::TokenRevoked,
        Code::UnknownKey,
        Code::UnsupportedAlgorithm,
    ];

    pub fn name(self) -> &'static str {
        self.describe().0
    }

    /// For people: it holds nothing of the request, and no character that a quoted-string
    /// would have to escape.
    pub fn description(self) -> &'static str {
        self.describe().2
    }

    pub fn class(self) -> Class {
        self.describe().1
    }

    fn describe(self) -> (&'static str, Class, &'static str) {
        use Class::{
            AccessDenied, InsufficientScope, InvalidRequest, InvalidToken, TemporarilyUnavailable,
            Unauthorized,
        };
        match self {
            Code::AmbiguousCredentials => (
                "AMBIGUOUS_CREDENTIALS",
                InvalidRequest,
                "the request carries more than one credential",
            ),
            Code::AmbiguousHost => (
                "AMBIGUOUS_HOST",
                InvalidRequest,
                "the host can be read in more than one way",
            ),
            Code::AmbiguousPath => (
                "AMBIGUOUS_PATH",
                InvalidRequest,
                "the path can be read in more than one way",
            ),
            Code::ApiKeyExpired => ("API_KEY_EXPIRED", InvalidToken, "the API key has expired"),
            Code::ApiKeyNotYetValid => (
                "API_KEY_NOT_YET_VALID",
                InvalidToken,
                "the API key is not valid yet",
            ),
            Code::ApiKeyRevoked => (
                "API_KEY_REVOKED",
                InvalidToken,
                "the API key has been revoked",
            ),
            Code::ClaimMismatch => (
                "CLAIM_MISMATCH",
                AccessDenied,
                "the caller lacks what this resource requires",
            ),
            Code::InsufficientScope => (
                "INSUFFICIENT_SCOPE",
                InsufficientScope,
                "a scope that this resource requires was not granted",
            ),
            Code::InvalidApiKey => ("INVALID_API_KEY", InvalidToken, "the API key is not known"),
            Code::InvalidAudience => (
                "INVALID_AUDIENCE",
                InvalidToken,
                "the token is not for this resource",
            ),
            Code::InvalidIssuer => (
                "INVALID_ISSUER",
                InvalidToken,
                "the issuer of the token is not accepted here",
            ),
            Code::InvalidSignature => (
                "INVALID_SIGNATURE",
                InvalidToken,
                "the signature of the token does not hold",
            ),
            Code::IntrospectionUnavailable => (
                "INTROSPECTION_UNAVAILABLE",
                TemporarilyUnavailable,
                "the issuer of the token cannot be asked about it",
            ),
            Code::InvalidToken => ("INVALID_TOKEN", InvalidToken, "the token is not acceptable"),
            Code::KeysUnavailable => (
                "KEYS_UNAVAILABLE",
                TemporarilyUnavailable,
                "the keys to verify the token with are not available",
            ),
            Code::MalformedToken => ("MALFORMED_TOKEN", InvalidToken, "the token is malformed"),
            Code::MissingToken => (
                "MISSING_TOKEN",
                Unauthorized,
                "this resource requires a credential",
            ),
            Code::NoRule => ("NO_RULE", AccessDenied, "no rule permits this request"),
            Code::RequestTooLarge => (
                "REQUEST_TOO_LARGE",
                InvalidRequest,
                "the credential or the path is larger than accepted",
            ),
            Code::RevocationUnavailable => (
                "REVOCATION_UNAVAILABLE",
                TemporarilyUnavailable,
                "whether the credential has been revoked cannot be told",
            ),
            Code::RuleDenies => ("RULE_DENIES", AccessDenied, "this resource is closed"),
            Code::TokenExpired => ("TOKEN_EXPIRED", InvalidToken, "the token has expired"),
            Code::TokenInactive => ("TOKEN_INACTIVE", InvalidToken, "the token is not active"),
            Code::TokenNotYetValid => (
                "TOKEN_NOT_YET_VALID",
                InvalidToken,
                "the token is not valid yet",
            ),
            Code::TokenRevoked => ("TOKEN_REVOKED", InvalidToken, "the token has been revoked"),
            Code::UnknownKey => (
                "UNKNOWN_KEY",
                InvalidToken,
                "the key that signed the token is not known",
            ),
            Code::UnsupportedAlgorithm => (
                "UNSUPPORTED_ALGORITHM",
                InvalidToken,
                "the algorithm of the token is not accepted",
            ),
        }
    }
}

// === impl Class ===

impl Class {
    pub fn status(self) -> u16 {
        match self {
            Class::InvalidRequest => 400,
            Class::InvalidToken | Class::Unauthorized => 401,
            Class::AccessDenied | Class::InsufficientScope => 403,
            Class::TemporarilyUnavailable => 503,
        }
    }

    pub fn error(self) -> &'static str {
        match self {
            Class::AccessDenied => "access_denied",
            Class::InsufficientScope => "insufficient_scope",
            Class::InvalidRequest => "invalid_request",
            Class::InvalidToken => "invalid_token",
            Class::TemporarilyUnavailable => "temporarily_unavailable",
            Class::Unauthorized => "unauthorized",
        }
    }

    /// The `grpc-status` that says the same (gRPC, "Status codes and their use").
    pub fn grpc_status(self) -> u32 {
        match self {
            Class::InvalidRequest => 3,
            Class::AccessDenied | Class::InsufficientScope => 7,
            Class::TemporarilyUnavailable => 14,
            Class::InvalidToken | Class::Unauthorized => 16,
        }
    }
}
