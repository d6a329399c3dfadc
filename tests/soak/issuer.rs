//! What the authority cannot do: an issuer that signs by more algorithms, swaps a key under its kid, starts its
//! revocation list anew, answers late, and fails in every way.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::authority::AUDIENCE;
use crate::harness::keys::{Key, jwks};
use crate::harness::service::{Call, Reply, Service};
use crate::history::{Fact, lock, turn};
use crate::oracle::Codes;
use crate::policy::{DESK, NEW_KEY_OF_ISSUER, OLD_KEY_OF_ISSUER, REVOKED_AT_ISSUER};
use crate::random::Random;

pub const ALGORITHMS: [&str; 6] = ["RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA"];

/// How it fails.
pub const FAULTS: [&str; 7] = [
    "500",
    "503",
    "html",
    "hangs up",
    "half of it",
    "slow",
    "trickles",
];

/// Entries of one page.
const PAGE: usize = 1000;

/// A key, whether it is published, and what its tokens get where it is not.
pub struct Published {
    pub key: Key,
    pub fact: Arc<Fact>,
    pub codes: Codes,
}

pub struct Issuer {
    state: Mutex<State>,
    service: Mutex<Option<Service>>,
}

struct State {
    /// The last is the one that signs.
    keys: Vec<Vec<Arc<Published>>>,
    /// One kid for all keys that it ever has.
    swapped: Arc<Published>,
    list: List,
    /// Of the provider `always`: tokens that are not active, by jti.
    inactive: Vec<String>,
    fault: Option<&'static str>,
    generation: u64,
}

#[derive(Default)]
struct List {
    /// Another list has another.
    epoch: u64,
    entries: Vec<Value>,
    /// What the entries make of tokens, where they make something of them.
    facts: Vec<Arc<Fact>>,
}

impl Issuer {
    pub fn start(random: &mut Random) -> Arc<Self> {
        let issuer = Arc::new(Self {
            state: Mutex::new(State {
                keys: vec![new_keys(0, true)],
                swapped: new_swapped(true),
                list: List::default(),
                inactive: Vec::new(),
                fault: None,
                generation: 0,
            }),
            service: Mutex::default(),
        });
        issuer.grow(100, random);
        let weak = Arc::downgrade(&issuer);
        let service = Service::start(move |call| match weak.upgrade() {
            Some(issuer) => issuer.answer(call),
            None => Reply::HangUp,
        });
        *lock(&issuer.service) = Some(service);
        issuer
    }

    pub fn port(&self) -> u16 {
        lock(&self.service).as_ref().expect("it listens").port()
    }

    /// What it was asked is of no use here, and would fill the memory.
    pub fn forget_calls(&self) {
        if let Some(service) = &*lock(&self.service) {
            service.forget_calls();
        }
    }

    fn answer(&self, call: &Call) -> Reply {
        let fault = lock(&self.state).fault;
        let reply = match call.route() {
            "/jwks" => Reply::json(&self.jwks()),
            "/revocations" => Reply::json(&self.page(&call.path)),
            "/introspect" => introspect(call),
            "/confirm" => self.confirm(call),
            _ => Reply::with(404, "text/plain", "nothing here"),
        };
        let Some(fault) = fault else { return reply };
        match fault {
            "500" => Reply::with(500, "application/json", "{\"error\":\"server_error\"}"),
            "503" => Reply::with(503, "text/plain", "busy"),
            "html" => Reply::with(200, "text/html", "<html>sign in</html>"),
            "hangs up" => Reply::HangUp,
            "half of it" => Reply::Truncated(b"{\"keys\":[],\"active\":tr".to_vec()),
            "slow" => reply.after(Duration::from_secs(4)),
            _ => Reply::Trickle,
        }
    }

    // === keys ===

    fn jwks(&self) -> Value {
        let state = lock(&self.state);
        let published = state.keys.iter().flatten().chain([&state.swapped]);
        jwks(published.map(|published| &published.key))
    }

    /// A key that it signs with.
    pub fn key(&self, random: &mut Random) -> Arc<Published> {
        let state = lock(&self.state);
        if random.percent(15) {
            return Arc::clone(&state.swapped);
        }
        let newest = state.keys.last().expect("it has keys");
        Arc::clone(random.pick(newest))
    }

    /// New keys sign from now on; the old ones stay published, or do not.
    pub fn rotate(&self, drop_old: bool) {
        let (generation, mut old): (u64, Vec<Arc<Published>>) = {
            let mut state = lock(&self.state);
            state.generation += 1;
            (
                state.generation,
                state.keys.iter().flatten().cloned().collect(),
            )
        };
        let fresh = new_keys(generation, false);
        let facts = |keys: &[Arc<Published>]| -> Vec<Arc<Fact>> {
            keys.iter().map(|it| Arc::clone(&it.fact)).collect()
        };
        // Grace ends for those before the last at the latest.
        if !drop_old {
            let kept = lock(&self.state).keys.last().map_or(0, Vec::len);
            old.truncate(old.len() - kept);
        }
        turn(&facts(&fresh), true, NEW_KEY_OF_ISSUER, || {
            turn(&facts(&old), false, OLD_KEY_OF_ISSUER, || {
                let mut state = lock(&self.state);
                let gone = state.keys.len() - usize::from(!drop_old);
                state.keys.drain(..gone);
                state.keys.push(fresh.clone());
            });
        });
    }

    /// Another key under the kid of an old one.
    pub fn swap(&self) {
        let fresh = new_swapped(false);
        let old = Arc::clone(&lock(&self.state).swapped);
        // Nobody asks for keys because of a kid that they know: only the next refresh tells.
        turn(&[Arc::clone(&fresh.fact)], true, OLD_KEY_OF_ISSUER, || {
            turn(&[Arc::clone(&old.fact)], false, OLD_KEY_OF_ISSUER, || {
                lock(&self.state).swapped = Arc::clone(&fresh);
            });
        });
    }

    // === revocation ===

    /// Tokens that nobody has.
    pub fn grow(&self, count: usize, random: &mut Random) {
        let exp = crate::harness::now() + 3600;
        let strangers = (0..count).map(|_| json!({ "jti": random.hex(), "exp": exp }));
        let strangers: Vec<Value> = strangers.collect();
        lock(&self.state).list.entries.extend(strangers);
    }

    /// Makes an entry by which these facts turn.
    pub fn revoke(&self, entry: Value, facts: &[Arc<Fact>]) {
        turn(facts, true, REVOKED_AT_ISSUER, || {
            let mut state = lock(&self.state);
            state.list.entries.push(entry);
            state.list.facts.extend(facts.iter().cloned());
        });
    }

    /// The list starts anew, and empty: what was revoked by it is so no more.
    pub fn reset(&self) -> usize {
        let facts = std::mem::take(&mut lock(&self.state).list.facts);
        turn(&facts, false, REVOKED_AT_ISSUER, || {
            let mut state = lock(&self.state);
            let epoch = state.list.epoch + 1;
            state.list = List {
                epoch,
                ..List::default()
            };
        });
        facts.len()
    }

    fn page(&self, path: &str) -> Value {
        let state = lock(&self.state);
        let List { epoch, entries, .. } = &state.list;
        let since = path.split_once("since=").map(|(_, cursor)| cursor);
        let start = match since {
            None => Some(0),
            Some(cursor) => cursor
                .split_once('-')
                .filter(|(of, _)| *of == epoch.to_string())
                .and_then(|(_, at)| at.parse::<usize>().ok()),
        };
        let from = start.unwrap_or(0);
        let to = entries.len().min(from + PAGE);
        let mut page = json!({ "cursor": format!("{epoch}-{to}"), "revoked": entries[from..to] });
        if start.is_none() {
            page["reset"] = json!(true);
        }
        if to < entries.len() {
            page["more"] = json!(true);
        }
        page
    }

    // === introspection ===

    /// Of the provider `always`.
    pub fn deactivate(&self, jti: &str) {
        lock(&self.state).inactive.push(jti.to_owned());
    }

    /// What it says of a JWT that the gateway has verified. A token whose `jti` begins with `narrow` lost a scope.
    fn confirm(&self, call: &Call) -> Reply {
        let Some(jti) = jti_of(&call.body) else {
            return Reply::with(400, "text/plain", "no token");
        };
        if lock(&self.state).inactive.contains(&jti) {
            return Reply::json(&json!({ "active": false }));
        }
        let scope = match jti.starts_with("narrow") {
            true => "data:read",
            false => "data:read data:write",
        };
        Reply::json(&json!({ "active": true, "aud": AUDIENCE, "scope": scope }))
    }

    // === faults ===

    pub fn fail(&self, fault: Option<&'static str>) {
        lock(&self.state).fault = fault;
    }
}

fn new_keys(generation: u64, is_published: bool) -> Vec<Arc<Published>> {
    let key = |alg: &'static str| {
        Arc::new(Published {
            key: Key::new(alg, &format!("{alg}-{generation}")),
            fact: Fact::new(is_published),
            codes: &["UNKNOWN_KEY"],
        })
    };
    ALGORITHMS.into_iter().map(key).collect()
}

fn new_swapped(is_published: bool) -> Arc<Published> {
    Arc::new(Published {
        key: Key::new("EdDSA", "swapped"),
        fact: Fact::new(is_published),
        codes: &["INVALID_SIGNATURE"],
    })
}

/// The form's `token`; its characters need no escapes.
fn token_of(body: &[u8]) -> Option<String> {
    let body = String::from_utf8_lossy(body).into_owned();
    let token = body
        .split('&')
        .find_map(|pair| pair.strip_prefix("token="))?;
    Some(token.to_owned())
}

fn jti_of(body: &[u8]) -> Option<String> {
    let token = token_of(body)?;
    let claims = crate::harness::keys::decode(token.split('.').nth(1)?);
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    Some(claims["jti"].as_str()?.to_owned())
}

/// Tokens of the desk say themselves what to answer, and after how long: `desk-good-250-…`.
fn introspect(call: &Call) -> Reply {
    let token = token_of(&call.body).unwrap_or_default();
    let mut words = token.split('-').skip(1);
    let is_good = words.next() == Some("good");
    let delay = words.next().and_then(|delay| delay.parse().ok());
    let answer = match is_good {
        true => json!({
            "active": true,
            "iss": DESK,
            "aud": AUDIENCE,
            "sub": "holder of a desk token",
            "client_id": "desk",
            "scope": "data:read",
            "exp": crate::harness::now() + 60,
        }),
        false => json!({ "active": false }),
    };
    Reply::json(&answer).after(Duration::from_millis(delay.unwrap_or_default()))
}
