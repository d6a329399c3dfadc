//! Plugin configurations as the cases start from.

use serde_json::{Value, json};

use super::keys::{Key, jwks};

pub const ISSUER: &str = "https://idp.example.com/";
pub const AUDIENCE: &str = "api-gateway";

/// A provider with these keys inline.
pub fn provider<'k>(keys: impl IntoIterator<Item = &'k Key>) -> Value {
    json!({ "issuer": ISSUER, "audiences": [AUDIENCE], "jwks": { "inline": jwks(keys) } })
}

/// A provider whose keys come from `http://idp/…` of the cluster `idp`.
pub fn remote_provider(issuer: &str, path: &str) -> Value {
    let remote = json!({ "cluster": "idp", "uri": format!("http://idp.example.com{path}"), "timeout": "2s" });
    json!({ "issuer": issuer, "audiences": [AUDIENCE], "jwks": { "remote": remote } })
}

/// One provider, `corp`, and one rule that lets its tokens in.
pub fn only(provider: Value) -> Value {
    json!({ "providers": { "corp": provider }, "rules": [{ "name": "all" }] })
}

/// An API key entry without restrictions.
pub fn api_key(id: &str, hash: &str) -> Value {
    json!({ "id": id, "hash": hash })
}
