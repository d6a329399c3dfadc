//! The codes of refusals, and what each means in HTTP and gRPC.

/// Why a request was refused, as clients, counters and logs learn it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Code {
    /// More than one credential, or one that can be read in several ways.
    AmbiguousCredentials,
    /// A host that can be read in more than one way.
    AmbiguousHost,
    /// A path that can be read in more than one way.
    AmbiguousPath,
    /// The API key has expired.
    ApiKeyExpired,
    /// The API key is not valid yet.
    ApiKeyNotYetValid,
    /// The API key is revoked.
    ApiKeyRevoked,
    /// A person's approval is needed, and the token carries none.
    ApprovalRequired,
    /// Whether an approval was used before cannot be told.
    ApprovalsUnavailable,
    /// A condition on a claim does not hold.
    ClaimMismatch,
    /// The credential is in a cookie, and another site made the request.
    CrossSiteRequest,
    /// The caller did not authenticate as strongly, or as recently, as this resource requires.
    InsufficientAuthentication,
    /// A scope is missing.
    InsufficientScope,
    /// The API key is not known.
    InvalidApiKey,
    /// The token is for another audience.
    InvalidAudience,
    /// The proof of possession is missing or does not hold.
    InvalidDpopProof,
    /// The issuer is not accepted here.
    InvalidIssuer,
    /// The signature does not hold.
    InvalidSignature,
    /// The provider could not be asked about the token.
    IntrospectionUnavailable,
    /// The token is not acceptable for another reason.
    InvalidToken,
    /// The keys to verify with are not available.
    KeysUnavailable,
    /// The token is malformed.
    MalformedToken,
    /// The headers that describe an MCP message are missing or malformed.
    McpHeadersRequired,
    /// This resource does not take the request's method.
    MethodNotAllowed,
    /// A credential is needed and none came.
    MissingToken,
    /// No rule matches.
    NoRule,
    /// The origin may not use this resource.
    OriginNotAllowed,
    /// The credential or the path is longer than accepted.
    RequestTooLarge,
    /// Whether the credential is revoked cannot be told.
    RevocationUnavailable,
    /// The rule denies every request.
    RuleDenies,
    /// The token has expired.
    TokenExpired,
    /// The provider says that the token is not active.
    TokenInactive,
    /// The token is not valid yet.
    TokenNotYetValid,
    /// The token is revoked.
    TokenRevoked,
    /// No rule permits this tool, prompt, resource or method.
    ToolNotAllowed,
    /// The provider has no key of this name.
    UnknownKey,
    /// The algorithm is not accepted.
    UnsupportedAlgorithm,
}

/// The classes of refusals: one status and one `error` each (RFC 6750 §3.1, RFC 6749 §5.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Class {
    /// 403: the caller may not do this.
    AccessDenied,
    /// 401: a token from a stronger or more recent authentication may do this (RFC 9470 §3).
    InsufficientAuthentication,
    /// 403: a token with these authorization details may do this (RFC 9396).
    InsufficientAuthorizationDetails,
    /// 403: a token with more scopes may do this.
    InsufficientScope,
    /// 401: the proof of possession does not hold (RFC 9449 §7.1).
    InvalidDpopProof,
    /// 400: the request itself is at fault.
    InvalidRequest,
    /// 401: the credential does not hold.
    InvalidToken,
    /// 405: another method may be used here.
    MethodNotAllowed,
    /// 503: our side or the provider is at fault.
    TemporarilyUnavailable,
    /// 401: there is no credential.
    Unauthorized,
}

// === impl Code ===

impl Code {
    /// Every code.
    pub const ALL: [Code; 36] = [
        Code::AmbiguousCredentials,
        Code::AmbiguousHost,
        Code::AmbiguousPath,
        Code::ApiKeyExpired,
        Code::ApiKeyNotYetValid,
        Code::ApiKeyRevoked,
        Code::ApprovalRequired,
        Code::ApprovalsUnavailable,
        Code::ClaimMismatch,
        Code::CrossSiteRequest,
        Code::InsufficientAuthentication,
        Code::InsufficientScope,
        Code::InvalidApiKey,
        Code::InvalidAudience,
        Code::InvalidDpopProof,
        Code::InvalidIssuer,
        Code::InvalidSignature,
        Code::IntrospectionUnavailable,
        Code::InvalidToken,
        Code::KeysUnavailable,
        Code::MalformedToken,
        Code::McpHeadersRequired,
        Code::MethodNotAllowed,
        Code::MissingToken,
        Code::NoRule,
        Code::OriginNotAllowed,
        Code::RequestTooLarge,
        Code::RevocationUnavailable,
        Code::RuleDenies,
        Code::TokenExpired,
        Code::TokenInactive,
        Code::TokenNotYetValid,
        Code::TokenRevoked,
        Code::ToolNotAllowed,
        Code::UnknownKey,
        Code::UnsupportedAlgorithm,
    ];

    /// As clients, counters and logs see it.
    pub fn name(self) -> &'static str {
        self.describe().0
    }

    /// For people. It holds nothing of the request, and no character that has to be escaped in a
    /// quoted-string.
    pub fn description(self) -> &'static str {
        self.describe().2
    }

    /// Its class.
    pub fn class(self) -> Class {
        self.describe().1
    }

    fn describe(self) -> (&'static str, Class, &'static str) {
        use Class::{
            AccessDenied, InsufficientAuthentication, InsufficientAuthorizationDetails,
            InsufficientScope, InvalidDpopProof, InvalidRequest, InvalidToken, MethodNotAllowed,
            TemporarilyUnavailable, Unauthorized,
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
            Code::ApprovalRequired => (
                "APPROVAL_REQUIRED",
                InsufficientAuthorizationDetails,
                "this needs the approval of a person, which the token does not carry",
            ),
            Code::ApprovalsUnavailable => (
                "APPROVALS_UNAVAILABLE",
                TemporarilyUnavailable,
                "whether the approval has been used cannot be told",
            ),
            Code::ClaimMismatch => (
                "CLAIM_MISMATCH",
                AccessDenied,
                "the caller lacks what this resource requires",
            ),
            Code::CrossSiteRequest => (
                "CROSS_SITE_REQUEST",
                AccessDenied,
                "another site may not use the credential in a cookie",
            ),
            Code::InsufficientAuthentication => (
                "INSUFFICIENT_AUTHENTICATION",
                InsufficientAuthentication,
                "this resource requires a stronger or more recent authentication",
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
            Code::InvalidDpopProof => (
                "INVALID_DPOP_PROOF",
                InvalidDpopProof,
                "the DPoP proof is missing, does not hold or was used before",
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
            Code::McpHeadersRequired => (
                "MCP_HEADERS_REQUIRED",
                InvalidRequest,
                "the headers that describe a message in MCP 2026-07-28 are missing or malformed",
            ),
            Code::MethodNotAllowed => (
                "METHOD_NOT_ALLOWED",
                MethodNotAllowed,
                "this resource does not take this method",
            ),
            Code::MissingToken => (
                "MISSING_TOKEN",
                Unauthorized,
                "this resource requires a credential",
            ),
            Code::NoRule => ("NO_RULE", AccessDenied, "no rule permits this request"),
            Code::OriginNotAllowed => (
                "ORIGIN_NOT_ALLOWED",
                AccessDenied,
                "this origin may not use this resource",
            ),
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
            Code::ToolNotAllowed => (
                "TOOL_NOT_ALLOWED",
                AccessDenied,
                "no rule permits this tool, prompt, resource or method",
            ),
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
    /// The HTTP status.
    pub fn status(self) -> u16 {
        match self {
            Class::InvalidRequest => 400,
            Class::InsufficientAuthentication
            | Class::InvalidDpopProof
            | Class::InvalidToken
            | Class::Unauthorized => 401,
            Class::AccessDenied
            | Class::InsufficientAuthorizationDetails
            | Class::InsufficientScope => 403,
            Class::MethodNotAllowed => 405,
            Class::TemporarilyUnavailable => 503,
        }
    }

    /// The `error` of the body and of the challenge.
    pub fn error(self) -> &'static str {
        match self {
            Class::AccessDenied => "access_denied",
            Class::InsufficientAuthentication => "insufficient_user_authentication",
            Class::InsufficientAuthorizationDetails => "insufficient_authorization_details",
            Class::InsufficientScope => "insufficient_scope",
            Class::InvalidDpopProof => "invalid_dpop_proof",
            Class::InvalidRequest | Class::MethodNotAllowed => "invalid_request",
            Class::InvalidToken => "invalid_token",
            Class::TemporarilyUnavailable => "temporarily_unavailable",
            Class::Unauthorized => "unauthorized",
        }
    }

    /// Whether another credential would help, so that a challenge says which.
    pub fn is_challenged(self) -> bool {
        matches!(
            self,
            Class::InsufficientAuthentication
                | Class::InsufficientAuthorizationDetails
                | Class::InsufficientScope
                | Class::InvalidDpopProof
                | Class::InvalidToken
                | Class::Unauthorized
        )
    }

    /// The `grpc-status` that says the same (gRPC, "Status codes and their use").
    pub fn grpc_status(self) -> u32 {
        match self {
            Class::InvalidRequest => 3,
            Class::AccessDenied
            | Class::InsufficientAuthorizationDetails
            | Class::InsufficientScope => 7,
            Class::MethodNotAllowed => 12,
            Class::TemporarilyUnavailable => 14,
            Class::InsufficientAuthentication
            | Class::InvalidDpopProof
            | Class::InvalidToken
            | Class::Unauthorized => 16,
        }
    }
}
