//! Whom the services of the side-by-side know by an API key. They are what an operator would write, so they look up a
//! key's SHA-256, as Portcullis does.

use std::collections::HashMap;
use std::sync::Arc;

use hyper::header::HeaderValue;
use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use serde::Deserialize;

use crate::Result;

/// As in a policy of Portcullis.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKey {
    /// The key's own name.
    pub id: String,
    /// Whose it is.
    pub client: String,
    /// `sha256:` and 64 hex digits.
    pub hash: String,
    /// What it may be used for.
    pub scopes: Vec<String>,
    /// Its client's tenant.
    pub tenant: String,
}

/// A caller that is known.
pub struct Caller {
    /// What the caller may do.
    pub scopes: Vec<String>,
    /// Names and values of the headers that tell the upstream who calls.
    pub identity: [(&'static str, HeaderValue); 6],
    /// The header with the credential, which the upstream does not get.
    pub credential: &'static str,
}

/// Fixed-length keys, so that a lookup compares digests and never secrets.
pub type Digest = [u8; SHA256_OUTPUT_LEN];

/// The digest that a secret is looked up by.
pub fn sha256(secret: &[u8]) -> Digest {
    let mut bytes = Digest::default();
    bytes.copy_from_slice(digest(&SHA256, secret).as_ref());
    bytes
}

/// The callers of these keys. An error, where a hash or a value is malformed.
pub fn known(keys: Vec<ApiKey>) -> Result<HashMap<Digest, Arc<Caller>>> {
    keys.into_iter().map(known_key).collect()
}

fn known_key(key: ApiKey) -> Result<(Digest, Arc<Caller>)> {
    let hash = key.hash.strip_prefix("sha256:").ok_or("no SHA-256")?;
    let mut digest = Digest::default();
    hex::decode_to_slice(hash, &mut digest)?;
    let caller = Caller {
        identity: [
            ("x-auth-subject", HeaderValue::from_str(&key.client)?),
            ("x-auth-client-id", HeaderValue::from_str(&key.client)?),
            (
                "x-auth-scopes",
                HeaderValue::from_str(&key.scopes.join(" "))?,
            ),
            ("x-auth-tenant", HeaderValue::from_str(&key.tenant)?),
            ("x-auth-provider", HeaderValue::from_static("api_keys")),
            ("x-auth-key-id", HeaderValue::from_str(&key.id)?),
        ],
        scopes: key.scopes,
        credential: "x-api-key",
    };
    Ok((digest, Arc::new(caller)))
}
