//! What clients ask for: a route, a credential that may do there or not, and the ways in which a client can be odd.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::client::{Message, Pieces};
use crate::credential::{self, Credential, Place, Pools};
use crate::harness::refusal::Challenge;
use crate::issuer::Issuer;
use crate::oracle::{Codes, Condition, Expectation, Identity};
use crate::policy::{DESK_TIMEOUT, LIMIT, Policies, flip};
use crate::random::Random;
use crate::upstream::{ID, SPOOFED};

/// A request and all that may become of it.
pub struct Plan {
    pub id: u64,
    pub kind: String,
    pub message: Message,
    pub expectation: Expectation,
    /// When the client leaves without an answer.
    pub leaves: Option<Duration>,
    /// What the request takes beyond the gateway's decision: the upstream's delay and the client's own pauses.
    pub own_time: Duration,
    pub over_http2: bool,
}

/// All that requests are made from.
pub struct Requests {
    pub issuer: Arc<Issuer>,
    pub policies: Arc<Policies>,
    pub pools: Arc<Pools>,
    /// The number of the newest configuration that Envoy was given to take.
    pub newest: Arc<AtomicU64>,
}

/// Rules by their paths, as in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    Public,
    Closed,
    Flip,
    Optional,
    Data,
    Read,
    Write,
    Acme,
    Keys,
    Desk,
    Always,
    Nowhere,
}

impl Route {
    fn path(self) -> &'static str {
        match self {
            Self::Public => "/public",
            Self::Closed => "/closed",
            Self::Flip => "/flip",
            Self::Optional => "/optional",
            Self::Data => "/data",
            Self::Read => "/read",
            Self::Write => "/write",
            Self::Acme => "/acme",
            Self::Keys => "/keys",
            Self::Desk => "/desk",
            Self::Always => "/always",
            Self::Nowhere => "/nowhere",
        }
    }

    /// What the rule asks of a caller whose credential holds.
    fn asks(self, caller: &Credential) -> Option<Codes> {
        let has = |scope| caller.scopes.contains(&scope);
        let is_satisfied = match self {
            Self::Read | Self::Keys | Self::Always => has("data:read"),
            Self::Write => has("data:write"),
            Self::Acme => {
                let is_acme = caller.tenant == Some("acme");
                return (!is_acme).then_some(&["CLAIM_MISMATCH"]);
            }
            _ => true,
        };
        (!is_satisfied).then_some(&["INSUFFICIENT_SCOPE"])
    }
}

impl Requests {
    pub fn draw(&self, random: &mut Random) -> Plan {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let mut plan = self.target(random);
        plan.id = COUNT.fetch_add(1, Ordering::Relaxed);
        plan.message
            .headers
            .push((ID.to_owned(), plan.id.to_string()));
        spoof(&mut plan, random);
        body(&mut plan, random);
        if random.percent(5) {
            let delay = random.between(20, 400);
            let header = ("x-soak-delay".to_owned(), delay.to_string());
            plan.message.headers.push(header);
            plan.own_time += Duration::from_millis(delay);
        }
        // Odd targets are refused by the client's own library.
        let is_plain = plan.message.host.is_empty() && !plan.kind.contains("odd path");
        if is_plain && plan.leaves.is_none() && random.percent(10) {
            plan.over_http2 = true;
        } else if random.percent(4) {
            plan.leaves = Some(random.millis(0, 400));
        }
        if plan.message.host.is_empty() {
            plan.message.host = "api.example.com".to_owned();
        }
        plan
    }

    fn target(&self, random: &mut Random) -> Plan {
        match random.below(100) {
            0..45 => self.with_good(random),
            45..65 => self.with_garbage(random),
            65..71 => self.desk(random),
            71..76 => self.without_credential(random),
            76..79 => without(
                Route::Flip,
                "no credential where the configuration decides",
                vec![Condition::Configured(flip)],
            ),
            79..84 => self.two_credentials(random),
            84..90 => self.odd_path(random),
            90..94 => self.odd_host(random),
            94..97 => self.anonymous(random),
            _ => self.closed(random),
        }
    }

    /// A credential that is good, or was.
    fn good(&self, random: &mut Random) -> Arc<Credential> {
        match random.below(20) {
            0..6 => self.pools.authority.pick(random),
            6..9 => self.pools.opaque.pick(random),
            9..12 => self.pools.corp.pick(random),
            12..14 => {
                let token = Arc::new(credential::corp(&self.issuer, random));
                self.pools.corp.share(&token, random);
                token
            }
            14 => {
                let newest = self.newest.load(Ordering::SeqCst);
                let number = newest.saturating_sub(random.between(0, 2));
                Arc::new(credential::inside(number, random))
            }
            15..18 => self.pools.api_keys.pick(random),
            _ => Arc::new(credential::inline_api_key(&self.policies, random)),
        }
    }

    fn with_good(&self, random: &mut Random) -> Plan {
        if random.percent(8) {
            return with(Route::Always, &self.pools.always.pick(random));
        }
        let credential = self.good(random);
        let mut routes = vec![
            Route::Optional,
            Route::Data,
            Route::Read,
            Route::Write,
            Route::Acme,
        ];
        if credential.place == Place::ApiKey {
            routes.push(Route::Keys);
        }
        with(*random.pick(&routes), &credential)
    }

    fn with_garbage(&self, random: &mut Random) -> Plan {
        let garbage = match random.below(10) {
            0 => credential::unknown_api_key(),
            1 | 2 => credential::random_opaque(random),
            _ => credential::garbage(&self.issuer, &self.pools, random),
        };
        let route = *random.pick(&[Route::Optional, Route::Data, Route::Data, Route::Read]);
        with(route, &garbage)
    }

    fn desk(&self, random: &mut Random) -> Plan {
        let delay = random.between(0, 900);
        let mut plan = with(Route::Desk, &credential::desk(delay, random));
        plan.expectation.limit = DESK_TIMEOUT;
        if random.percent(25) {
            // In the middle of the wait, most of the time.
            plan.leaves = Some(random.millis(0, delay + 50));
        }
        plan
    }

    fn without_credential(&self, random: &mut Random) -> Plan {
        match random.below(4) {
            0 => without(
                Route::Optional,
                "no credential where one is optional",
                Vec::new(),
            ),
            1 => {
                // A JWT is none of the credentials that this rule accepts.
                let mut plan = with(Route::Keys, &self.pools.corp.pick(random));
                plan.kind = "a JWT where keys are asked for".to_owned();
                plan.expectation.conditions = vec![Condition::Fails(&["MISSING_TOKEN"])];
                plan
            }
            _ => {
                let missing = vec![Condition::Fails(&["MISSING_TOKEN"])];
                without(
                    *random.pick(&[Route::Data, Route::Read, Route::Desk, Route::Always]),
                    "no credential",
                    missing,
                )
            }
        }
    }

    fn anonymous(&self, random: &mut Random) -> Plan {
        let mut plan = without(Route::Public, "anonymous", Vec::new());
        if random.percent(20) {
            plan.kind = "anonymous with two credentials".to_owned();
            present(&mut plan.message, &self.pools.corp.pick(random));
            present(&mut plan.message, &self.pools.api_keys.pick(random));
        } else if random.percent(50) {
            let garbage = credential::garbage(&self.issuer, &self.pools, random);
            plan.kind = "anonymous with garbage".to_owned();
            present(&mut plan.message, &garbage);
        }
        plan
    }

    fn closed(&self, random: &mut Random) -> Plan {
        let (route, codes): (_, Codes) = match random.percent(50) {
            true => (Route::Closed, &["RULE_DENIES"]),
            false => (Route::Nowhere, &["NO_RULE"]),
        };
        let mut plan = without(
            route,
            "a path that is closed",
            vec![Condition::Fails(codes)],
        );
        present(&mut plan.message, &self.good(random));
        plan
    }

    fn two_credentials(&self, random: &mut Random) -> Plan {
        let (one, other) = (
            self.pools.corp.pick(random),
            self.pools.authority.pick(random),
        );
        let ambiguous = vec![Condition::Fails(&["AMBIGUOUS_CREDENTIALS"])];
        let mut plan = without(Route::Data, "", ambiguous);
        present(&mut plan.message, &one);
        plan.kind = match random.below(4) {
            0 => {
                present(&mut plan.message, &other);
                "two Authorization headers"
            }
            1 => {
                present(&mut plan.message, &self.pools.api_keys.pick(random));
                "a token and an API key"
            }
            2 => {
                plan.message.headers.clear();
                let both = format!("Bearer {}, Bearer {}", one.value, other.value);
                plan.message
                    .headers
                    .push(("authorization".to_owned(), both));
                "two tokens in one header"
            }
            _ => {
                plan.message.headers.clear();
                let malformed = vec![Condition::Fails(&["MALFORMED_TOKEN"])];
                plan.expectation.conditions = malformed;
                let value = format!("Bearer\t{}", one.value);
                plan.message
                    .headers
                    .push(("authorization".to_owned(), value));
                "a tab behind the scheme"
            }
        }
        .to_owned();
        plan
    }

    fn odd_path(&self, random: &mut Random) -> Plan {
        let credential = self.pools.corp.pick(random);
        let (path, codes): (_, Codes) = *random.pick(&[
            ("/public//x", &["AMBIGUOUS_PATH"] as Codes),
            ("/public/..%2fdata", &["AMBIGUOUS_PATH"]),
            ("/public/x;y", &["AMBIGUOUS_PATH"]),
            ("/public/%252e%252e/data", &["AMBIGUOUS_PATH"]),
            ("/public/%5c", &["AMBIGUOUS_PATH"]),
            ("/public/%zz", &["AMBIGUOUS_PATH"]),
            // Envoy resolves these before anybody judges.
            ("/public/../closed", &["RULE_DENIES"]),
            ("/public/%2e%2e/closed", &["RULE_DENIES"]),
            ("/publicly", &["NO_RULE"]),
        ]);
        let mut plan = without(Route::Data, "an odd path", vec![Condition::Fails(codes)]);
        plan.message.path = path.to_owned();
        present(&mut plan.message, &credential);
        plan
    }

    fn odd_host(&self, random: &mut Random) -> Plan {
        let host = *random.pick(&[
            "api.example.com:",
            "api.example.com..",
            "api..example.com",
            "api.example.com:x",
            "api.example.com.",
            "api.example.com:8443",
            "API.example.com",
        ]);
        let is_clear = [
            "api.example.com.",
            "api.example.com:8443",
            "API.example.com",
        ]
        .contains(&host);
        let conditions = match is_clear {
            true => Vec::new(),
            false => vec![Condition::Fails(&["AMBIGUOUS_HOST"])],
        };
        let kind = if is_clear {
            "a host that is read in one way"
        } else {
            "a host that is read in two ways"
        };
        let mut plan = without(Route::Public, kind, conditions);
        plan.message.host = host.to_owned();
        plan
    }
}

fn without(route: Route, kind: &str, conditions: Vec<Condition>) -> Plan {
    Plan {
        id: 0,
        kind: kind.to_owned(),
        message: Message {
            method: "GET",
            path: format!("{}/x", route.path()),
            ..Message::default()
        },
        expectation: Expectation {
            conditions,
            identity: Identity::default(),
            challenge: if route == Route::Keys {
                Challenge::ApiKey
            } else {
                Challenge::Bearer
            },
            limit: LIMIT,
        },
        leaves: None,
        own_time: Duration::ZERO,
        over_http2: false,
    }
}

fn with(route: Route, credential: &Credential) -> Plan {
    let mut plan = without(route, &credential.kind, credential.conditions.clone());
    if let Some(codes) = route.asks(credential) {
        plan.expectation.conditions.push(Condition::Fails(codes));
    }
    plan.expectation.identity = credential.identity();
    present(&mut plan.message, credential);
    plan
}

fn present(message: &mut Message, credential: &Credential) {
    let header = match credential.place {
        Place::Bearer => (
            "authorization".to_owned(),
            format!("Bearer {}", credential.value),
        ),
        Place::ApiKey => ("x-api-key".to_owned(), credential.value.clone()),
    };
    message.headers.push(header);
}

/// Identities that the client claims for itself, in the spellings that some upstream takes for the header.
fn spoof(plan: &mut Plan, random: &mut Random) {
    if !random.percent(30) {
        return;
    }
    for _ in 0..random.between(1, 3) {
        let name = *random.pick(&[
            "x-auth-subject",
            "X-Auth-Subject",
            "x_auth_subject",
            "x.auth.subject",
            "x-auth_subject",
            "x-auth-scopes",
            "x-auth-tenant",
            "x-auth-client-id",
            "x_auth_key_id",
            "X-AUTH-PROVIDER",
        ]);
        let value = format!("{SPOOFED} {}", random.below(1000));
        plan.message.headers.push((name.to_owned(), value));
    }
}

fn body(plan: &mut Plan, random: &mut Random) {
    if random.percent(70) {
        return;
    }
    let size = match random.below(20) {
        0 => random.between(200_000, 2_000_000),
        1..6 => random.between(2_000, 60_000),
        _ => random.between(1, 2_000),
    };
    let size = usize::try_from(size).expect("small");
    let piece = size.div_ceil(usize::try_from(random.between(1, 8)).expect("small"));
    let pause = if random.percent(50) {
        random.millis(0, 40)
    } else {
        Duration::ZERO
    };
    let seed = random.next().to_le_bytes();
    plan.message.method = *random.pick(&["POST", "PUT"]);
    plan.message.body = seed.iter().copied().cycle().take(size).collect();
    plan.message.pieces = Pieces {
        bytes: piece,
        pause,
        chunked: random.percent(50),
    };
    plan.own_time += pause * 8;
    if random.percent(20) {
        let trailers = [
            ("x-checksum", "7"),
            ("x-auth-subject", SPOOFED),
            ("x_auth_tenant", SPOOFED),
        ];
        plan.message.trailers = trailers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec();
    }
}
