//! What the filter asks: a key set, and an introspection endpoint that takes its time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bench::Result;
use bench::authority::{Reply, active_token, serve};
use bytes::Bytes;
use serde_json::{Value, json};

/// How long an introspection takes.
pub const INTROSPECTION: Duration = Duration::from_millis(200);

/// The issuer of the opaque tokens.
pub const OPAQUE_ISSUER: &str = "https://opaque.example.com/";

/// The running services, and how often they were asked.
pub struct Services {
    pub port: u16,
    asked: Arc<Asked>,
}

#[derive(Default)]
struct Asked {
    questions: AtomicUsize,
    fetches: AtomicUsize,
    polls: AtomicUsize,
    /// While it is set no key set comes.
    holds_keys: AtomicBool,
}

impl Services {
    /// Serves this key set until the process ends.
    pub fn start(jwks: Value) -> Result<Self> {
        let asked = Arc::new(Asked::default());
        let mut active = active_token();
        if let Some(issuer) = active.get_mut("iss") {
            *issuer = OPAQUE_ISSUER.into();
        }
        let list = json!({ "cursor": "1", "revoked": [] });
        let [jwks, list, active, inactive] = [jwks, list, active, json!({ "active": false })]
            .map(|body| Bytes::from(body.to_string()));
        let counted = Arc::clone(&asked);
        let port = serve(move |path, body| match path {
            "/jwks.json" => {
                counted.fetches.fetch_add(1, Ordering::Relaxed);
                match counted.holds_keys.load(Ordering::Relaxed) {
                    true => Reply::Never,
                    false => Reply::Now(jwks.clone()),
                }
            }
            "/revocations" => {
                counted.polls.fetch_add(1, Ordering::Relaxed);
                Reply::Now(list.clone())
            }
            _introspection => {
                counted.questions.fetch_add(1, Ordering::Relaxed);
                if body.starts_with(b"token=slow") {
                    return Reply::Never;
                }
                let answer = match body.starts_with(b"token=good") {
                    true => &active,
                    false => &inactive,
                };
                Reply::After(INTROSPECTION, answer.clone())
            }
        })?;
        Ok(Services { port, asked })
    }

    /// How many introspections there were.
    pub fn questions(&self) -> usize {
        self.asked.questions.load(Ordering::Relaxed)
    }

    /// How often the key set was fetched.
    pub fn fetches(&self) -> usize {
        self.asked.fetches.load(Ordering::Relaxed)
    }

    /// How often the revocation list was polled.
    pub fn polls(&self) -> usize {
        self.asked.polls.load(Ordering::Relaxed)
    }

    /// Whether requests for the key set stay unanswered.
    pub fn hold_keys(&self, holds: bool) {
        self.asked.holds_keys.store(holds, Ordering::Relaxed);
    }
}
