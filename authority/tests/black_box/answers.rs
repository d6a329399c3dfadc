//! What the server answers, typed. An unknown member fails the test.

use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

/// RFC 6749 §5.1
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenResponse {
    pub access_token: String,
    /// RFC 8693 §2.2.1
    pub issued_token_type: Option<String>,
    pub token_type: String,
    pub expires_in: i64,
    pub scope: String,
}

/// A page of a revocation list.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Page {
    pub cursor: String,
    #[serde(default, deserialize_with = "only_true")]
    pub reset: bool,
    #[serde(default, deserialize_with = "only_true")]
    pub more: bool,
    /// Untyped: their exact form is what the tests check.
    pub revoked: Vec<Value>,
}

/// The member is `true` or absent.
fn only_true<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    match bool::deserialize(deserializer)? {
        true => Ok(true),
        false => Err(de::Error::custom("expected true or no such member")),
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKeys {
    pub keys: Vec<ApiKey>,
}

/// An API key in a list.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct ApiKey {
    pub id: String,
    pub client: String,
    pub hash: String,
    pub scopes: Vec<String>,
    pub tenant: Option<String>,
    pub not_before: Option<String>,
    pub expires_at: Option<String>,
    pub revoked: bool,
}

/// An API key when it is made.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreatedKey {
    pub id: String,
    pub key: String,
    pub client: String,
    pub scopes: Vec<String>,
    pub expires_at: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusListClaims {
    pub sub: String,
    pub iat: i64,
    pub exp: i64,
    pub ttl: i64,
    pub status_list: StatusList,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusList {
    pub bits: u8,
    pub lst: String,
}
