//! Opaque tokens: the introspection endpoint is asked once about each, and its answer is remembered.

use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bench::callers::{Caller, Digest, sha256};
use bench::{Result, clock};
use bytes::Bytes;
use hashlink::LruCache;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Request, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;

use crate::settings::Introspection;

/// The most that is read of an introspection answer.
const ANSWER_BYTES: usize = 64 * 1024;

/// How many seconds a token that is not good is remembered: it may become good.
const REFUSAL_TTL: u64 = 5;

/// Tells whose an opaque token is.
pub struct Introspector {
    client: Client<HttpConnector, Full<Bytes>>,
    uri: Uri,
    /// HTTP Basic (RFC 7662 §2.1).
    authorization: HeaderValue,
    settings: Introspection,
    /// By the token's digest, so that no token stays in memory. `None` is a token that is not active.
    answers: Mutex<LruCache<Digest, Remembered>>,
}

#[derive(Clone)]
struct Remembered {
    caller: Option<Arc<Caller>>,
    /// Seconds since the epoch.
    until: u64,
}

/// What an introspection endpoint says (RFC 7662 §2.2). A member that is missing refuses the token.
#[derive(Deserialize)]
struct Answer {
    active: bool,
    iss: Option<String>,
    aud: Option<String>,
    exp: Option<u64>,
    sub: Option<String>,
    client_id: Option<String>,
    scope: Option<String>,
    tenant: Option<String>,
    jti: Option<String>,
}

// === impl Introspector ===

impl Introspector {
    /// An error, where the URI or the credentials are malformed.
    pub fn new(settings: Introspection) -> Result<Self> {
        let basic = format!("{}:{}", settings.client_id, settings.client_secret);
        let authorization = format!("Basic {}", BASE64_STANDARD.encode(basic));
        Ok(Introspector {
            client: Client::builder(TokioExecutor::new()).build_http(),
            uri: settings.uri.parse()?,
            authorization: HeaderValue::from_str(&authorization)?,
            answers: Mutex::new(LruCache::new(settings.cache_entries)),
            settings,
        })
    }

    /// The scope that each request with a token asks for.
    pub fn scope(&self) -> &str {
        &self.settings.scope
    }

    /// Whose token this is, or the status of the refusal.
    pub async fn caller(&self, token: &str) -> std::result::Result<Arc<Caller>, StatusCode> {
        let digest = sha256(token.as_bytes());
        let now = clock::unix_seconds();
        let remembered = match self.remembered(&digest, now) {
            Some(remembered) => remembered,
            None => {
                let asked = self.ask(token, now).await;
                let answer = asked.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
                self.remember(digest, answer.clone());
                answer
            }
        };
        remembered.caller.ok_or(StatusCode::UNAUTHORIZED)
    }

    fn remembered(&self, digest: &Digest, now: u64) -> Option<Remembered> {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.get(digest).filter(|it| now < it.until).cloned()
    }

    fn remember(&self, digest: Digest, answer: Remembered) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.insert(digest, answer);
    }

    async fn ask(&self, token: &str, now: u64) -> Result<Remembered> {
        let form: String = form_urlencoded::Serializer::new(String::new())
            .append_pair("token", token)
            .finish();
        let request = Request::post(self.uri.clone())
            .header(AUTHORIZATION, self.authorization.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::from(form))?;
        let response = self.client.request(request).await?;
        if response.status() != StatusCode::OK {
            return Err(format!("the endpoint answered {}", response.status()).into());
        }
        let body = Limited::new(response.into_body(), ANSWER_BYTES)
            .collect()
            .await?;
        let answer: Answer = serde_json::from_slice(&body.to_bytes())?;
        let exp = answer.exp;
        let caller = self.known(answer, now).map(Arc::new);
        let until = match caller {
            Some(_) => now + self.settings.cache_ttl,
            None => now + REFUSAL_TTL,
        };
        Ok(Remembered {
            caller,
            until: exp.map_or(until, |exp| exp.min(until)),
        })
    }

    /// None, where the token is not good here.
    fn known(&self, answer: Answer, now: u64) -> Option<Caller> {
        let is_ours = answer.iss? == self.settings.issuer && answer.aud? == self.settings.audience;
        if !(answer.active && is_ours && now < answer.exp?) {
            return None;
        }
        let scope = answer.scope?;
        let value = |text: Option<String>| HeaderValue::from_str(&text?).ok();
        Some(Caller {
            scopes: scope.split(' ').map(str::to_owned).collect(),
            identity: [
                ("x-auth-subject", value(answer.sub)?),
                ("x-auth-client-id", value(answer.client_id)?),
                ("x-auth-scopes", value(Some(scope))?),
                ("x-auth-tenant", value(answer.tenant)?),
                ("x-auth-provider", HeaderValue::from_static("idp")),
                ("x-auth-token-id", value(answer.jti)?),
            ],
            credential: "authorization",
        })
    }
}
