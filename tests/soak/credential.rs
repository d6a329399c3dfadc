//! Credentials of every kind, each with all that is known of it: by whom it is good, until when, and for what.

mod garbage;
mod issued;
mod tokens;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::history::{Fact, Moment, Troubles, Truth, lock, now};
use crate::oracle::{Codes, Condition, Identity};
use crate::policy::TOLERANCE;
use crate::random::Random;

pub use garbage::garbage;
pub use issued::{inline_api_key, unknown_api_key};
pub use tokens::{always, corp, deactivate, desk, inside, random_opaque};

/// Two clocks are read, one by the gateway and one here.
const READING: Duration = Duration::from_millis(100);

/// How it is presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Bearer,
    ApiKey,
}

#[derive(Clone)]
pub struct Credential {
    /// For the report.
    pub kind: String,
    pub value: String,
    pub place: Place,
    pub conditions: Vec<Condition>,
    pub provider: &'static str,
    pub subject: Option<String>,
    pub client: Option<String>,
    pub scopes: Vec<&'static str>,
    pub tenant: Option<&'static str>,
    pub key_id: Option<String>,
    /// Turns when it is revoked.
    pub revoked: Arc<Fact>,
    /// Turns when it gets an end that it did not have.
    pub ended: Arc<Fact>,
    pub jti: Option<String>,
    /// In whole seconds, as it says or would say.
    pub iat: u64,
}

/// Credentials that live for a while, so that requests meet them again.
#[derive(Default)]
pub struct Pool(Mutex<Pooled>);

#[derive(Default)]
struct Pooled {
    live: Vec<Arc<Credential>>,
    /// Requests may still be under way with them.
    retired: Vec<(Moment, Arc<Credential>)>,
}

#[derive(Default)]
pub struct Pools {
    pub authority: Pool,
    pub opaque: Pool,
    pub corp: Pool,
    pub always: Pool,
    pub api_keys: Pool,
    /// The authority's signing keys by kid.
    pub authority_keys: Mutex<Vec<(String, Arc<Fact>)>>,
}

impl Credential {
    pub fn identity(&self) -> Identity {
        let scopes = Some(self.scopes.join(" ")).filter(|scopes| !scopes.is_empty());
        let values = [
            ("x-auth-subject", self.subject.clone()),
            ("x-auth-client-id", self.client.clone()),
            ("x-auth-scopes", scopes),
            ("x-auth-tenant", self.tenant.map(str::to_owned)),
            ("x-auth-provider", Some(self.provider.to_owned())),
            ("x-auth-key-id", self.key_id.clone()),
        ];
        let there = values.into_iter();
        there
            .filter_map(|(name, value)| Some((name, value?)))
            .collect()
    }

    /// The same with another text that must not do.
    fn spoilt(&self, kind: &str, value: String, codes: Codes) -> Self {
        let mut spoilt = self.clone();
        spoilt.kind = kind.to_owned();
        spoilt.value = value;
        spoilt.conditions.push(Condition::Fails(codes));
        spoilt
    }
}

impl Pool {
    /// Takes one in, in the place of any that is there already where it is full.
    pub fn add(&self, credential: Credential, random: &mut Random) {
        self.share(&Arc::new(credential), random);
    }

    pub fn share(&self, credential: &Arc<Credential>, random: &mut Random) {
        const MOST: usize = 100;
        let credential = Arc::clone(credential);
        let mut pool = lock(&self.0);
        if pool.live.len() < MOST {
            pool.live.push(credential);
        } else {
            let place = random.below(MOST);
            let retired = std::mem::replace(&mut pool.live[place], credential);
            pool.retired.push((now(), retired));
        }
    }

    pub fn pick(&self, random: &mut Random) -> Arc<Credential> {
        Arc::clone(random.pick(&lock(&self.0).live))
    }

    /// With those that requests may still be under way with.
    pub fn all(&self) -> Vec<Arc<Credential>> {
        let pool = lock(&self.0);
        let retired = pool.retired.iter().map(|(_, it)| it);
        pool.live.iter().chain(retired).cloned().collect()
    }

    /// Drops what has been of no use for a while, but for the last.
    pub fn clear_spent(&self, troubles: &Troubles) {
        const UNDER_WAY: Duration = Duration::from_secs(60);
        let now = now();
        let mut pool = lock(&self.0);
        pool.retired.retain(|(at, _)| *at + UNDER_WAY > now);
        let last = pool.live.pop();
        let (spent, live) = pool.live.drain(..).partition(|it| is_spent(it, troubles));
        pool.live = live;
        pool.live.extend(last);
        let spent: Vec<_> = spent;
        pool.retired.extend(spent.into_iter().map(|it| (now, it)));
    }
}
/// Whether it has been refused for so long that there is nothing more to learn from it.
fn is_spent(credential: &Credential, troubles: &Troubles) -> bool {
    let now = now();
    credential
        .conditions
        .iter()
        .any(|condition| match condition {
            Condition::Until(_, latest, _) => *latest + Duration::from_secs(5) < now,
            Condition::Is(fact, wanted, _) => {
                let of = if *wanted { Truth::No } else { Truth::Yes };
                let is_old = fact.age().is_some_and(|age| age > Duration::from_secs(20));
                is_old && fact.truth(troubles, now, now) == of
            }
            _ => false,
        })
}

/// With the clock tolerance that every provider here has.
fn until(exp: Duration) -> Condition {
    let moment = exp + TOLERANCE;
    Condition::Until(
        moment.saturating_sub(READING),
        moment + READING,
        &["TOKEN_EXPIRED"],
    )
}
