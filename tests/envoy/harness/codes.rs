//! The codes of the contract.

/// Status and `error` as the contract lists them, written down apart from the filter's own.
pub fn class(code: &str) -> (u16, &'static str) {
    match code {
        "MISSING_TOKEN" => (401, "unauthorized"),
        "TOKEN_EXPIRED"
        | "TOKEN_NOT_YET_VALID"
        | "INVALID_SIGNATURE"
        | "INVALID_ISSUER"
        | "INVALID_AUDIENCE"
        | "UNKNOWN_KEY"
        | "UNSUPPORTED_ALGORITHM"
        | "MALFORMED_TOKEN"
        | "TOKEN_REVOKED"
        | "TOKEN_INACTIVE"
        | "INVALID_TOKEN"
        | "INVALID_API_KEY"
        | "API_KEY_EXPIRED"
        | "API_KEY_REVOKED"
        | "API_KEY_NOT_YET_VALID" => (401, "invalid_token"),
        "INSUFFICIENT_AUTHENTICATION" => (401, "insufficient_user_authentication"),
        "INVALID_DPOP_PROOF" => (401, "invalid_dpop_proof"),
        "AMBIGUOUS_CREDENTIALS"
        | "AMBIGUOUS_PATH"
        | "AMBIGUOUS_HOST"
        | "REQUEST_TOO_LARGE"
        | "MCP_HEADERS_REQUIRED"
        | "MCP_HEADER_MISMATCH"
        | "MALFORMED_BODY"
        | "MAX_TOKENS_EXCEEDED" => (400, "invalid_request"),
        "BODY_TIMEOUT" => (408, "invalid_request"),
        "BODY_TOO_LARGE" => (413, "invalid_request"),
        "UNSUPPORTED_ENCODING" => (415, "invalid_request"),
        "BUDGET_EXCEEDED" => (429, "budget_exceeded"),
        "LIST_UNREADABLE" => (502, "bad_gateway"),
        "METHOD_NOT_ALLOWED" => (405, "invalid_request"),
        "INSUFFICIENT_SCOPE" => (403, "insufficient_scope"),
        "APPROVAL_REQUIRED" => (403, "insufficient_authorization_details"),
        "CLAIM_MISMATCH"
        | "NO_RULE"
        | "RULE_DENIES"
        | "CROSS_SITE_REQUEST"
        | "ORIGIN_NOT_ALLOWED"
        | "TOOL_NOT_ALLOWED"
        | "MODEL_NOT_ALLOWED"
        | "PROMPT_NOT_ALLOWED"
        | "REFERENCE_NOT_ALLOWED" => (403, "access_denied"),
        "KEYS_UNAVAILABLE"
        | "INTROSPECTION_UNAVAILABLE"
        | "REVOCATION_UNAVAILABLE"
        | "APPROVALS_UNAVAILABLE"
        | "BUDGET_UNAVAILABLE"
        | "CLASSIFIER_UNAVAILABLE" => (503, "temporarily_unavailable"),
        other => panic!("{other} is no code of the contract"),
    }
}
