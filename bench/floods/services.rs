//! What the filter asks: a key set, and an introspection endpoint that takes its time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use bench::Result;
use bench::authority::{active_token, json_answer, serve};
use serde_json::{Value, json};

/// How long a question about a token takes.
pub const INTROSPECTION: Duration = Duration::from_millis(200);

pub const OPAQUE_ISSUER: &str = "https://opaque.example.com/";

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
    pub fn start(jwks: Value) -> Result<Self> {
        let asked = Arc::new(Asked::default());
        let mut active = active_token();
        if let Some(issuer) = active.get_mut("iss") {
            *issuer = OPAQUE_ISSUER.into();
        }
        let list = json!({ "cursor": "1", "revoked": [] });
        let [jwks, list, active, inactive] =
            [jwks, list, active, json!({ "active": false })].map(|body| json_answer(&body));
        let counted = Arc::clone(&asked);
        let port = serve(move |head, body| {
            if head.starts_with("get /jwks.json ") {
                counted.fetches.fetch_add(1, Ordering::Relaxed);
                let holds = counted.holds_keys.load(Ordering::Relaxed);
                return (!holds).then(|| jwks.clone());
            }
            if head.starts_with("get /revocations") {
                counted.polls.fetch_add(1, Ordering::Relaxed);
                return Some(list.clone());
            }
            counted.questions.fetch_add(1, Ordering::Relaxed);
            if body.starts_with(b"token=slow") {
                return None;
            }
            thread::sleep(INTROSPECTION);
            match body.starts_with(b"token=good") {
                true => Some(active.clone()),
                false => Some(inactive.clone()),
            }
        })?;
        Ok(Services { port, asked })
    }

    /// Tokens that it was asked about.
    pub fn questions(&self) -> usize {
        self.asked.questions.load(Ordering::Relaxed)
    }

    /// Fetches of the key set.
    pub fn fetches(&self) -> usize {
        self.asked.fetches.load(Ordering::Relaxed)
    }

    /// Polls of the revocation list.
    pub fn polls(&self) -> usize {
        self.asked.polls.load(Ordering::Relaxed)
    }

    pub fn hold_keys(&self, holds: bool) {
        self.asked.holds_keys.store(holds, Ordering::Relaxed);
    }
}
