//! Who calls, and whether they may.

use std::collections::HashMap;
use std::sync::Arc;

use bench::Result;
use bench::callers::{self, Caller, Digest, sha256};
use hyper::StatusCode;

use crate::introspection::Introspector;
use crate::settings::Settings;

/// What a request has to be judged by. Both are empty where the request has none.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    pub api_key: &'a [u8],
    pub authorization: &'a [u8],
}

/// Judges requests by the API keys and the introspection endpoint that it was given.
pub struct Authorizer {
    api_keys: HashMap<Digest, Arc<Caller>>,
    scopes_of_paths: HashMap<String, String>,
    introspector: Introspector,
}

impl Authorizer {
    /// An error, where a hash or a value in the settings is malformed.
    pub fn new(settings: Settings) -> Result<Self> {
        Ok(Authorizer {
            api_keys: callers::known(settings.api_keys)?,
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

/// RFC 6750 §2.1; the scheme is compared without case (RFC 9110 §11.1).
fn bearer_token(authorization: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(authorization).ok()?;
    let (scheme, token) = text.split_once(' ')?;
    let token = token.trim_start_matches(' ');
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
