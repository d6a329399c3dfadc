//! The values of `grant_type` that the token endpoint knows.

/// RFC 6749 §4.4.2
pub const CLIENT_CREDENTIALS: &str = "client_credentials";

/// RFC 8693 §2.1
pub const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
