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
    /// A condition on a claim does not hold.
    ClaimMismatch,
    /// A scope is missing.
    InsufficientScope,
    /// The API key is not known.
    InvalidApiKey,
    /// The token is for another audience.
    InvalidAudience,
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
    /// A credential is needed and none came.
    MissingToken,
    /// No rule matches.
    NoRule,
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
    /// 403: a token with more scopes may do this.
    InsufficientScope,
    /// 400: the request itself is at fault.
    InvalidRequest,
    /// 401: the credential does not hold.
    InvalidToken,
    /// 503: our side or the provider is at fault.
    TemporarilyUnavailable,
    /// 401: there is no credential.
    Unauthorized,
}

// === impl Code ===

impl Code {
    /// Every code.
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
    /// The HTTP status.
    pub fn status(self) -> u16 {
        match self {
            Class::InvalidRequest => 400,
            Class::InvalidToken | Class::Unauthorized => 401,
            Class::AccessDenied | Class::InsufficientScope => 403,
            Class::TemporarilyUnavailable => 503,
        }
    }

    /// The `error` of the body and of the challenge.
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
