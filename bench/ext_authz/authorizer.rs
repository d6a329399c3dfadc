//! Who calls, and whether they may.

use std::collections::HashMap;
use std::sync::Arc;

use bench::Result;
use hyper::StatusCode;
use hyper::header::HeaderValue;
use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};

use crate::introspection::Introspector;
use crate::settings::{ApiKey, Settings};

/// What a request has to be judged by. Both are empty where the request has none.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    pub api_key: &'a [u8],
    pub authorization: &'a [u8],
}

/// A caller that is known.
pub struct Caller {
    pub scopes: Vec<String>,
    /// Names and values of the headers that tell the upstream who calls.
    pub identity: [(&'static str, HeaderValue); 6],
    /// The header with the credential, which the upstream does not get.
    pub credential: &'static str,
}

/// Fixed-length keys, so that a lookup compares digests and never secrets.
pub type Digest = [u8; SHA256_OUTPUT_LEN];

/// Judges requests by the API keys and the introspection endpoint that it was given.
pub struct Authorizer {
    api_keys: HashMap<Digest, Arc<Caller>>,
    scopes_of_paths: HashMap<String, String>,
    introspector: Introspector,
}

impl Authorizer {
    /// An error, where a hash or a value in the settings is malformed.
    pub fn new(settings: Settings) -> Result<Self> {
        let api_keys = settings.api_keys.into_iter().map(known_key);
        Ok(Authorizer {
            api_keys: api_keys.collect::<Result<_>>()?,
            scopes_of_paths: settings.scopes_of_paths,
            introspector: Introspector::new(settings.introspection)?,
        })
    }

    /// The caller who may, or the status of the refusal.
    pub async fn authorize(
        &self,
        credentials: Credentials<'_>,
        path: &str,
    ) -> std::result::Result<Arc<Caller>, StatusCode> {
        if !credentials.api_key.is_empty() {
            return self.authorize_key(credentials.api_key, path);
        }
        let token = bearer_token(credentials.authorization).ok_or(StatusCode::UNAUTHORIZED)?;
        let caller = self.introspector.caller(token).await?;
        permitted(caller, self.introspector.scope())
    }

    fn authorize_key(
        &self,
        key: &[u8],
        path: &str,
    ) -> std::result::Result<Arc<Caller>, StatusCode> {
        let caller = self.api_keys.get(&sha256(key));
        let caller = caller.ok_or(StatusCode::UNAUTHORIZED)?;
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        let scope = self.scopes_of_paths.get(path);
        permitted(Arc::clone(caller), scope.ok_or(StatusCode::FORBIDDEN)?)
    }
}

fn permitted(caller: Arc<Caller>, scope: &str) -> std::result::Result<Arc<Caller>, StatusCode> {
    match caller.scopes.iter().any(|has| has == scope) {
        true => Ok(caller),
        false => Err(StatusCode::FORBIDDEN),
    }
}

/// The digest that a secret is looked up by.
pub fn sha256(secret: &[u8]) -> Digest {
    let mut bytes = Digest::default();
    bytes.copy_from_slice(digest(&SHA256, secret).as_ref());
    bytes
}

/// RFC 6750 §2.1; the scheme is compared without case (RFC 9110 §11.1).
fn bearer_token(authorization: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(authorization).ok()?;
    let (scheme, token) = text.split_once(' ')?;
    let token = token.trim_start_matches(' ');
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
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
