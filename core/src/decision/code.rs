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
    /// The body did not arrive in time.
    #[cfg(feature = "ai")]
    BodyTimeout,
    /// The body is larger than accepted.
    #[cfg(feature = "ai")]
    BodyTooLarge,
    /// A budget has no room for the request.
    #[cfg(feature = "ai")]
    BudgetExceeded,
    /// Whether a budget has room cannot be told.
    #[cfg(feature = "ai")]
    BudgetUnavailable,
    /// A condition on a claim does not hold.
    ClaimMismatch,
    /// What kind of prompt it is cannot be told.
    #[cfg(feature = "ai")]
    ClassifierUnavailable,
    /// The credential is in a cookie, and another site made the request.
    CrossSiteRequest,
    /// The caller did not authenticate as strongly, or as recently, as this resource requires.
    InsufficientAuthentication,
    /// A scope is missing.
    InsufficientScope,
    /// The provider could not be asked about the token.
    IntrospectionUnavailable,
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
    /// The token is not acceptable for another reason.
    InvalidToken,
    /// The keys to verify with are not available.
    KeysUnavailable,
    /// The server's list cannot be read.
    #[cfg(feature = "ai")]
    ListUnreadable,
    /// The body is not what this resource takes.
    #[cfg(feature = "ai")]
    MalformedBody,
    /// The token is malformed.
    MalformedToken,
    /// The request asks for more output than it may.
    #[cfg(feature = "ai")]
    MaxTokensExceeded,
    /// An MCP message's body does not say what its headers say.
    #[cfg(feature = "ai")]
    McpHeaderMismatch,
    /// The headers that describe an MCP message are missing or malformed.
    McpHeadersRequired,
    /// This resource does not take the request's method.
    MethodNotAllowed,
    /// A credential is needed and none came.
    MissingToken,
    /// The model is not allowed.
    #[cfg(feature = "ai")]
    ModelNotAllowed,
    /// No rule matches.
    NoRule,
    /// The origin may not use this resource.
    OriginNotAllowed,
    /// This kind of prompt is not allowed.
    #[cfg(feature = "ai")]
    PromptNotAllowed,
    /// The body refers to what the provider has stored.
    #[cfg(feature = "ai")]
    ReferenceNotAllowed,
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
    /// The body is compressed.
    #[cfg(feature = "ai")]
    UnsupportedEncoding,
}

/// The classes of refusals: one status and one `error` each (RFC 6750 §3.1, RFC 6749 §5.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Class {
    /// 403: the caller may not do this.
    AccessDenied,
    /// 502: the upstream's answer is at fault.
    #[cfg(feature = "ai")]
    BadGateway,
    /// 429: the caller has used up what it may.
    #[cfg(feature = "ai")]
    BudgetExceeded,
    /// 413: the body is too large.
    #[cfg(feature = "ai")]
    ContentTooLarge,
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
    /// 408: the body did not arrive in time.
    #[cfg(feature = "ai")]
    RequestTimeout,
    /// 503: our side or the provider is at fault.
    TemporarilyUnavailable,
    /// 401: there is no credential.
    Unauthorized,
    /// 415: the body is encoded.
    #[cfg(feature = "ai")]
    UnsupportedEncoding,
}

// === impl Code ===

impl Code {
    /// Every code.
    pub const ALL: &[Code] = &[
        Code::AmbiguousCredentials,
        Code::AmbiguousHost,
        Code::AmbiguousPath,
        Code::ApiKeyExpired,
        Code::ApiKeyNotYetValid,
        Code::ApiKeyRevoked,
        Code::ApprovalRequired,
        Code::ApprovalsUnavailable,
        #[cfg(feature = "ai")]
        Code::BodyTimeout,
        #[cfg(feature = "ai")]
        Code::BodyTooLarge,
        #[cfg(feature = "ai")]
        Code::BudgetExceeded,
        #[cfg(feature = "ai")]
        Code::BudgetUnavailable,
        Code::ClaimMismatch,
        #[cfg(feature = "ai")]
        Code::ClassifierUnavailable,
        Code::CrossSiteRequest,
        Code::InsufficientAuthentication,
        Code::InsufficientScope,
        Code::IntrospectionUnavailable,
        Code::InvalidApiKey,
        Code::InvalidAudience,
        Code::InvalidDpopProof,
        Code::InvalidIssuer,
        Code::InvalidSignature,
        Code::InvalidToken,
        Code::KeysUnavailable,
        #[cfg(feature = "ai")]
        Code::ListUnreadable,
        #[cfg(feature = "ai")]
        Code::MalformedBody,
        Code::MalformedToken,
        #[cfg(feature = "ai")]
        Code::MaxTokensExceeded,
        #[cfg(feature = "ai")]
        Code::McpHeaderMismatch,
        Code::McpHeadersRequired,
        Code::MethodNotAllowed,
        Code::MissingToken,
        #[cfg(feature = "ai")]
        Code::ModelNotAllowed,
        Code::NoRule,
        Code::OriginNotAllowed,
        #[cfg(feature = "ai")]
        Code::PromptNotAllowed,
        #[cfg(feature = "ai")]
        Code::ReferenceNotAllowed,
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
        #[cfg(feature = "ai")]
        Code::UnsupportedEncoding,
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
            #[cfg(feature = "ai")]
            Code::BodyTimeout => (
                "BODY_TIMEOUT",
                Class::RequestTimeout,
                "the body of the request did not arrive in time",
            ),
            #[cfg(feature = "ai")]
            Code::BodyTooLarge => (
                "BODY_TOO_LARGE",
                Class::ContentTooLarge,
                "the body of the request is larger than accepted",
            ),
            #[cfg(feature = "ai")]
            Code::BudgetExceeded => (
                "BUDGET_EXCEEDED",
                Class::BudgetExceeded,
                "the budget is used up",
            ),
            #[cfg(feature = "ai")]
            Code::BudgetUnavailable => (
                "BUDGET_UNAVAILABLE",
                Class::TemporarilyUnavailable,
                "whether the budget has room cannot be told",
            ),
            #[cfg(feature = "ai")]
            Code::ClassifierUnavailable => (
                "CLASSIFIER_UNAVAILABLE",
                Class::TemporarilyUnavailable,
                "what kind of prompt this is cannot be told",
            ),
            #[cfg(feature = "ai")]
            Code::ListUnreadable => (
                "LIST_UNREADABLE",
                Class::BadGateway,
                "the list that the server answered cannot be read",
            ),
            #[cfg(feature = "ai")]
            Code::MalformedBody => (
                "MALFORMED_BODY",
                Class::InvalidRequest,
                "the body is not what this resource takes",
            ),
            #[cfg(feature = "ai")]
            Code::MaxTokensExceeded => (
                "MAX_TOKENS_EXCEEDED",
                Class::InvalidRequest,
                "the request asks for more output tokens than the model may give here",
            ),
            #[cfg(feature = "ai")]
            Code::McpHeaderMismatch => (
                "MCP_HEADER_MISMATCH",
                Class::InvalidRequest,
                "the body does not say what the headers say",
            ),
            #[cfg(feature = "ai")]
            Code::ModelNotAllowed => (
                "MODEL_NOT_ALLOWED",
                Class::AccessDenied,
                "this model is not allowed here",
            ),
            #[cfg(feature = "ai")]
            Code::PromptNotAllowed => (
                "PROMPT_NOT_ALLOWED",
                Class::AccessDenied,
                "this kind of prompt is not allowed here",
            ),
            #[cfg(feature = "ai")]
            Code::ReferenceNotAllowed => (
                "REFERENCE_NOT_ALLOWED",
                Class::AccessDenied,
                "the body must not refer to what the provider has stored",
            ),
            #[cfg(feature = "ai")]
            Code::UnsupportedEncoding => (
                "UNSUPPORTED_ENCODING",
                Class::UnsupportedEncoding,
                "the body must not be compressed",
            ),
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
            #[cfg(feature = "ai")]
            Class::RequestTimeout => 408,
            #[cfg(feature = "ai")]
            Class::ContentTooLarge => 413,
            #[cfg(feature = "ai")]
            Class::UnsupportedEncoding => 415,
            #[cfg(feature = "ai")]
            Class::BudgetExceeded => 429,
            #[cfg(feature = "ai")]
            Class::BadGateway => 502,
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
            #[cfg(feature = "ai")]
            Class::ContentTooLarge | Class::RequestTimeout | Class::UnsupportedEncoding => {
                "invalid_request"
            }
            #[cfg(feature = "ai")]
            Class::BudgetExceeded => "budget_exceeded",
            #[cfg(feature = "ai")]
            Class::BadGateway => "bad_gateway",
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
            #[cfg(feature = "ai")]
            Class::UnsupportedEncoding => 3,
            #[cfg(feature = "ai")]
            Class::RequestTimeout => 4,
            #[cfg(feature = "ai")]
            Class::BudgetExceeded | Class::ContentTooLarge => 8,
            #[cfg(feature = "ai")]
            Class::BadGateway => 14,
            Class::InsufficientAuthentication
            | Class::InvalidDpopProof
            | Class::InvalidToken
            | Class::Unauthorized => 16,
        }
    }
}
