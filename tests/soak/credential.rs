//! Credentials of every kind, each with all that is known of it: by whom it is good, until when, and for what.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::authority::{AUDIENCE, AUTHORITY, Authority, CLIENTS, Client};
use crate::harness::keys::{Key, amended, decode, encode, fresh_api_key, tampered};
use crate::harness::{self};
use crate::history::{Fact, Moment, Troubles, Truth, lock, now, turn, turn_at};
use crate::issuer::{Issuer, Published};
use crate::oracle::{Codes, Condition, Identity};
use crate::policy::{
    ALWAYS, API_KEY_AT_AUTHORITY, CORP, INACTIVE_AT_ISSUER, INSIDE, INTROSPECTION_OF_ALWAYS,
    INTROSPECTION_OF_AUTHORITY, INTROSPECTION_OF_DESK, INTROSPECTION_OF_STRANGERS,
    LIST_OF_AUTHORITY, LIST_OF_ISSUER, NEW_KEY_OF_AUTHORITY, OLD_KEY_OF_AUTHORITY, Policies,
    STATUS_OF_AUTHORITY, TOLERANCE, holds_inside_key, inside_key,
};
use crate::random::Random;

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
        const MOST: usize = 60;
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

// === of the authority ===

impl Pools {
    /// A token of the authority, which must be up.
    pub fn mint(&self, authority: &Authority, client: Client) -> Credential {
        // Its `iat` is known where the second did not change meanwhile.
        let (before, value) = loop {
            let before = now();
            let value = authority.token(client.id);
            if now().as_secs() == before.as_secs() {
                break (before, value);
            }
        };
        let revoked = Fact::new(false);
        let mut credential = Credential {
            kind: format!(
                "{} of {}",
                if client.is_opaque {
                    "opaque"
                } else {
                    client.algorithm
                },
                client.id
            ),
            value,
            place: Place::Bearer,
            conditions: Vec::new(),
            provider: "authority",
            subject: Some(format!("subject of {}", client.id)),
            client: Some(client.id.to_owned()),
            scopes: client.scopes.split(' ').collect(),
            tenant: client.tenant,
            key_id: None,
            revoked: Arc::clone(&revoked),
            jti: None,
            ended: Fact::new(false),
            iat: before.as_secs(),
        };
        let lifetime = Duration::from_secs(client.lifetime);
        if client.is_opaque {
            // The authority judges by `exp`, the gateway grants what it remembers a clock tolerance.
            let exp = Duration::from_secs(before.as_secs()) + lifetime;
            let (earliest, latest) = (exp.saturating_sub(READING), exp + TOLERANCE + READING);
            credential.conditions = vec![
                Condition::Until(earliest, latest, &["TOKEN_INACTIVE", "TOKEN_EXPIRED"]),
                Condition::Is(revoked, false, &["TOKEN_INACTIVE", "TOKEN_REVOKED"]),
                Condition::Served(INTROSPECTION_OF_AUTHORITY),
                Condition::Served(LIST_OF_AUTHORITY),
            ];
            return credential;
        }
        let part = |index: usize| -> Value {
            let part = credential.value.split('.').nth(index).expect("a JWT");
            serde_json::from_slice(&decode(part)).expect("JSON")
        };
        let (header, claims) = (part(0), part(1));
        let kid = header["kid"].as_str().expect("a kid");
        credential.jti = Some(claims["jti"].as_str().expect("a jti").to_owned());
        let exp = Duration::from_secs(claims["exp"].as_u64().expect("an exp"));
        credential.conditions = vec![
            Condition::Is(self.authority_key(kid), true, &["UNKNOWN_KEY"]),
            until(exp),
            Condition::Is(revoked, false, &["TOKEN_REVOKED"]),
            Condition::Served(LIST_OF_AUTHORITY),
            Condition::Served(STATUS_OF_AUTHORITY),
        ];
        if client.audience != AUDIENCE {
            credential
                .conditions
                .push(Condition::Fails(&["INVALID_AUDIENCE"]));
        }
        credential
    }

    fn authority_key(&self, kid: &str) -> Arc<Fact> {
        let keys = lock(&self.authority_keys);
        let found = keys.iter().find(|(other, _)| other == kid);
        Arc::clone(&found.expect("a kid that is published").1)
    }

    /// The kids that are there from the start.
    pub fn know_kids(&self, authority: &Authority) {
        let kids = authority.kids().into_iter();
        *lock(&self.authority_keys) = kids.map(|kid| (kid, Fact::new(true))).collect();
    }

    /// The kids of new keys are known only afterwards: the authority waits with its tokens for so long.
    pub fn rotate_authority(&self, authority: &Authority, drop_old: bool) {
        let old: Vec<Arc<Fact>> = match drop_old {
            true => lock(&self.authority_keys)
                .iter()
                .map(|(_, fact)| Arc::clone(fact))
                .filter(|fact| fact.latest())
                .collect(),
            false => Vec::new(),
        };
        let fresh = Fact::new(false);
        turn(&[Arc::clone(&fresh)], true, NEW_KEY_OF_AUTHORITY, || {
            turn(&old, false, OLD_KEY_OF_AUTHORITY, || {
                authority.rotate_keys(drop_old)
            });
        });
        let mut keys = lock(&self.authority_keys);
        for kid in authority.kids() {
            if keys.iter().all(|(known, _)| *known != kid) {
                keys.push((kid, Arc::clone(&fresh)));
            }
        }
    }

    /// An entry by subject, by client or by both for tokens of a client that are older than a second; the entry, and what it revokes.
    pub fn revocation(&self, random: &mut Random) -> (Value, Vec<Arc<Fact>>) {
        let client = *random.pick(&CLIENTS);
        // Whoever has been issued in this second is not judged by a clock that the test does not know.
        let before = harness::now() - 2;
        let entry = match random.below(3) {
            0 => json!({ "client_id": client.id, "before": before }),
            1 => json!({ "sub": format!("subject of {}", client.id), "before": before }),
            _ => {
                json!({ "client_id": client.id, "sub": format!("subject of {}", client.id), "before": before })
            }
        };
        let (mut facts, is_older) = (Vec::new(), |it: &Credential| {
            it.iat <= before.unsigned_abs()
        });
        for credential in self.authority.all().into_iter().chain(self.opaque.all()) {
            if credential.client.as_deref() == Some(client.id) && is_older(&credential) {
                facts.push(Arc::clone(&credential.revoked));
            }
        }
        (entry, facts)
    }

    // === API keys ===

    pub fn mint_api_key(&self, authority: &Authority, number: u64) -> Credential {
        let known = Fact::new(false);
        let client = format!("machine {number}");
        let (id, value) = turn(&[Arc::clone(&known)], true, API_KEY_AT_AUTHORITY, || {
            authority.mint(&client)
        });
        api_key("minted API key", value, &id, client, known)
    }

    /// A key in the place of another, which expires within two seconds.
    pub fn rotate_api_key(&self, authority: &Authority, old: &Credential) -> Credential {
        const GRACE: u64 = 2;
        let known = Fact::new(false);
        let begun = now();
        let (id, value) = turn(&[Arc::clone(&known)], true, API_KEY_AT_AUTHORITY, || {
            // The end has whole seconds; and the gateway learns of it as of all that changes on the list.
            let grace = Duration::from_secs(GRACE);
            let earliest = (begun + grace).saturating_sub(Duration::from_secs(1));
            turn_at(
                &old.ended,
                true,
                API_KEY_AT_AUTHORITY,
                (earliest, begun + grace + Duration::from_secs(1)),
            );
            authority.rotate_key(old.key_id.as_deref().expect("an id"), GRACE)
        });
        let client = old.client.clone().expect("a client");
        api_key("rotated API key", value, &id, client, known)
    }
}

fn api_key(kind: &str, value: String, id: &str, client: String, known: Arc<Fact>) -> Credential {
    let (revoked, ended) = (Fact::new(false), Fact::new(false));
    Credential {
        kind: kind.to_owned(),
        value,
        place: Place::ApiKey,
        conditions: vec![
            Condition::Is(known, true, &["INVALID_API_KEY"]),
            Condition::Is(Arc::clone(&revoked), false, &["API_KEY_REVOKED"]),
            Condition::Is(Arc::clone(&ended), false, &["API_KEY_EXPIRED"]),
            Condition::Served(LIST_OF_AUTHORITY),
        ],
        provider: "api_keys",
        subject: Some(client.clone()),
        client: Some(client),
        scopes: vec!["data:read"],
        tenant: Some("acme"),
        key_id: Some(id.to_owned()),
        revoked,
        ended,
        jti: None,
        iat: now().as_secs(),
    }
}

/// Any of the configuration's own keys.
pub fn inline_api_key(policies: &Policies, random: &mut Random) -> Credential {
    let inline = &policies.inline;
    let (id, value, codes): (&str, &str, Codes) = match random.below(6) {
        0 | 1 => ("plain", &inline.plain, &[]),
        2 => ("hmac", &inline.hmac, &[]),
        3 => ("expired", &inline.expired, &["API_KEY_EXPIRED"]),
        4 => ("early", &inline.early, &["API_KEY_NOT_YET_VALID"]),
        _ => ("revoked", &inline.revoked, &["API_KEY_REVOKED"]),
    };
    let known = Fact::new(true);
    let key = api_key(
        &format!("inline API key {id}"),
        value.to_owned(),
        id,
        format!("client of {id}"),
        known,
    );
    match codes {
        [] => key,
        codes => key.spoilt(&format!("inline API key {id}"), value.to_owned(), codes),
    }
}

pub fn unknown_api_key() -> Credential {
    let known = Fact::new(false);
    api_key(
        "unknown API key",
        fresh_api_key(),
        "none",
        "nobody".to_owned(),
        known,
    )
}

// === of the scripted issuer ===

fn until(exp: Duration) -> Condition {
    let moment = exp + TOLERANCE;
    Condition::Until(
        moment.saturating_sub(READING),
        moment + READING,
        &["TOKEN_EXPIRED"],
    )
}

/// Claims of a good token, but for these changes.
fn claims(issuer: &str, jti: &str, subject: &str, changes: Value) -> Value {
    let now = harness::now();
    let claims = json!({
        "iss": issuer, "aud": [AUDIENCE, "elsewhere"], "sub": subject, "client_id": "browser", "jti": jti,
        "scope": "data:read data:write", "tenant": "acme", "iat": now, "exp": now + 300,
    });
    amended(claims, changes)
}

fn signed(key: &Key, header: Value, claims: &Value) -> String {
    let header = amended(
        json!({ "alg": key.alg, "kid": key.kid, "typ": "at+jwt" }),
        header,
    );
    key.seal(header.to_string(), claims.to_string())
}

fn jwt(
    kind: String,
    value: String,
    provider: &'static str,
    subject: String,
    jti: String,
) -> Credential {
    Credential {
        kind,
        value,
        place: Place::Bearer,
        conditions: Vec::new(),
        provider,
        subject: Some(subject),
        client: Some("browser".to_owned()),
        scopes: vec!["data:read", "data:write"],
        tenant: Some("acme"),
        key_id: None,
        revoked: Fact::new(false),
        ended: Fact::new(false),
        jti: Some(jti),
        iat: now().as_secs(),
    }
}

/// A token of the issuer with these changes of header and claims.
fn corp_token(
    issuer: &Issuer,
    random: &mut Random,
    header: Value,
    changes: Value,
) -> (Credential, Arc<Published>) {
    let published = issuer.key(random);
    let subject = format!("person {}", random.below(20));
    let jti = random.hex();
    let claims = claims(CORP, &jti, &subject, changes);
    let value = signed(&published.key, header, &claims);
    let exp = claims["exp"].as_u64().unwrap_or_default();
    let mut token = jwt(
        format!("{} of corp", published.key.alg),
        value,
        "corp",
        subject,
        jti,
    );
    token.conditions = vec![
        Condition::Is(Arc::clone(&published.fact), true, published.codes),
        until(Duration::from_secs(exp)),
        Condition::Is(Arc::clone(&token.revoked), false, &["TOKEN_REVOKED"]),
        Condition::Served(LIST_OF_ISSUER),
    ];
    (token, published)
}

pub fn corp(issuer: &Issuer, random: &mut Random) -> Credential {
    let (header, changes) = match random.below(12) {
        // Gone in a moment.
        0 => (json!({}), json!({ "exp": harness::now() + 2 })),
        1 => (json!({ "typ": "application/at+JWT" }), json!({})),
        2 => (json!({ "typ": null }), json!({ "aud": AUDIENCE })),
        _ => (json!({}), json!({})),
    };
    corp_token(issuer, random, header, changes).0
}

/// Of the provider whose HS256 key every configuration replaces.
pub fn inside(number: u64, random: &mut Random) -> Credential {
    let (jti, subject) = (random.hex(), "insider".to_owned());
    let claims = claims(INSIDE, &jti, &subject, json!({}));
    let value = signed(&inside_key(number), json!({}), &claims);
    let mut token = jwt("HS256 of inside".to_owned(), value, "inside", subject, jti);
    token.conditions = vec![Condition::ConfiguredBy(
        holds_inside_key(number),
        &["UNKNOWN_KEY"],
    )];
    token
}

/// Verified here, and then asked about.
pub fn always(policies: &Policies, random: &mut Random) -> Credential {
    let is_narrowed = random.percent(30);
    let jti = format!(
        "{}{}",
        if is_narrowed { "narrow" } else { "wide" },
        random.hex()
    );
    let subject = "under watch".to_owned();
    let claims = claims(ALWAYS, &jti, &subject, json!({}));
    let value = signed(&policies.always_key, json!({}), &claims);
    let mut token = jwt("ES256 of always".to_owned(), value, "always", subject, jti);
    if is_narrowed {
        token.scopes = vec!["data:read"];
    }
    token.conditions = vec![
        Condition::Is(Arc::clone(&token.revoked), false, &["TOKEN_INACTIVE"]),
        Condition::Served(INTROSPECTION_OF_ALWAYS),
    ];
    token
}

pub fn deactivate(issuer: &Issuer, token: &Credential) {
    turn(
        &[Arc::clone(&token.revoked)],
        true,
        INACTIVE_AT_ISSUER,
        || {
            issuer.deactivate(token.jti.as_deref().expect("a jti"));
        },
    );
}

/// A token that the gateway asks about every time, and waits for so many milliseconds.
pub fn desk(delay: u64, random: &mut Random) -> Credential {
    let is_good = random.percent(70);
    let word = if is_good { "good" } else { "bad" };
    let value = format!("desk-{word}-{delay}-{}", random.hex());
    let mut token = jwt(
        format!("opaque of desk, {word}"),
        value,
        "desk",
        "holder of a desk token".to_owned(),
        String::new(),
    );
    token.client = Some("desk".to_owned());
    token.scopes = vec!["data:read"];
    token.tenant = None;
    token.conditions = vec![Condition::Served(INTROSPECTION_OF_DESK)];
    if !is_good {
        token.conditions.push(Condition::Fails(&["TOKEN_INACTIVE"]));
    }
    token
}

/// An opaque token that nobody issued.
pub fn random_opaque(random: &mut Random) -> Credential {
    let value = format!("{}{}", random.hex(), random.hex());
    let mut token = jwt(
        "random opaque token".to_owned(),
        value,
        "authority",
        "nobody".to_owned(),
        String::new(),
    );
    token.conditions = vec![
        Condition::Fails(&["TOKEN_INACTIVE"]),
        Condition::Served(INTROSPECTION_OF_STRANGERS),
    ];
    token
}

/// A token that is no good, whatever else happens.
pub fn garbage(issuer: &Issuer, pools: &Pools, random: &mut Random) -> Credential {
    if random.percent(40) {
        return malformed(issuer, pools, random);
    }
    let (kind, header, changes, codes) = unacceptable(random);
    let (token, _) = corp_token(issuer, random, header, changes);
    let value = token.value.clone();
    token.spoilt(kind, value, codes)
}

/// What is wrong with a token whose signature holds: header and claims that differ from a good one's.
fn unacceptable(random: &mut Random) -> (&'static str, Value, Value, Codes) {
    let now = harness::now();
    let header = |kind, header, codes: Codes| (kind, header, json!({}), codes);
    let claims = |kind, claims, codes: Codes| (kind, json!({}), claims, codes);
    match random.below(17) {
        0 | 1 => claims(
            "expired",
            json!({ "exp": now - 100, "iat": now - 200 }),
            &["TOKEN_EXPIRED"],
        ),
        2 => claims(
            "not yet valid",
            json!({ "nbf": now + 1000 }),
            &["TOKEN_NOT_YET_VALID"],
        ),
        3 | 4 => claims(
            "for another audience",
            json!({ "aud": "other-api" }),
            &["INVALID_AUDIENCE"],
        ),
        5 => claims(
            "of another issuer",
            json!({ "iss": "https://evil.example.com/" }),
            &["INVALID_ISSUER"],
        ),
        6 => claims("without iat", json!({ "iat": null }), &["INVALID_TOKEN"]),
        7 => claims(
            "lives too long",
            json!({ "exp": now + 9000 }),
            &["INVALID_TOKEN"],
        ),
        8 => claims("without exp", json!({ "exp": null }), &["INVALID_TOKEN"]),
        9 => claims(
            "untraceable",
            json!({ "jti": null, "sub": null, "client_id": null }),
            &["INVALID_TOKEN"],
        ),
        10 => claims(
            "bound to a certificate",
            json!({ "cnf": { "x5t#S256": encode([7; 32]) } }),
            &["INVALID_TOKEN"],
        ),
        11 => claims(
            "a subject in white space",
            json!({ "sub": "admin " }),
            &["INVALID_TOKEN"],
        ),
        12 => claims(
            "a subject that is a number",
            json!({ "sub": 7 }),
            &["MALFORMED_TOKEN"],
        ),
        13 => header(
            "a critical extension",
            json!({ "crit": ["exp"] }),
            &["INVALID_TOKEN"],
        ),
        14 => header(
            "of another type",
            json!({ "typ": "refresh+jwt" }),
            &["INVALID_TOKEN"],
        ),
        // A key that comes along is not followed.
        15 => header(
            "an embedded key",
            json!({ "kid": random.hex(), "jwk": Key::new("ES256", "x").jwk() }),
            &["UNKNOWN_KEY"],
        ),
        _ => header(
            "a random kid",
            json!({ "kid": random.hex() }),
            &["UNKNOWN_KEY"],
        ),
    }
}

/// A token whose form or signature is wrong.
fn malformed(issuer: &Issuer, pools: &Pools, random: &mut Random) -> Credential {
    let (good, published) = corp_token(issuer, random, json!({}), json!({}));
    let value = good.value.clone();
    let parts: Vec<&str> = value.split('.').collect();
    let text = String::from_utf8(decode(parts[1])).expect("claims are UTF-8");
    match random.below(12) {
        0..3 => good.spoilt(
            "a signature that does not hold",
            tampered(&value),
            &["INVALID_SIGNATURE"],
        ),
        3 => {
            let claims = encode(text.replace("\"scope\":\"", "\"scope\":\"data:admin "));
            let value = [parts[0], &claims, parts[2]].join(".");
            good.spoilt("claims that were not signed", value, &["INVALID_SIGNATURE"])
        }
        4 => {
            let header = encode(json!({ "alg": "none", "typ": "JWT" }).to_string());
            let value = format!("{header}.{}.", parts[1]);
            good.spoilt(
                "alg none",
                value,
                &["UNSUPPORTED_ALGORITHM", "MALFORMED_TOKEN"],
            )
        }
        5 => {
            // The public key as the secret of an HMAC.
            let public = published.key.jwk().to_string();
            let value = Key::hs256(&published.key.kid, public)
                .token_with(json!({}), json!({ "iss": CORP }));
            good.spoilt("a confused key", value, &["UNSUPPORTED_ALGORITHM"])
        }
        6 => good.spoilt(
            "five segments",
            format!("{value}.x.y"),
            &["MALFORMED_TOKEN"],
        ),
        7 => good.spoilt("padding", format!("{value}="), &["MALFORMED_TOKEN"]),
        8 => {
            let doubled = text.replacen('{', "{\"sub\":\"root\",", 1);
            let value = published
                .key
                .sign(&format!("{}.{}", parts[0], encode(doubled)));
            good.spoilt("a claim twice", value, &["MALFORMED_TOKEN"])
        }
        9 => good.spoilt("no token at all", String::new(), &["MALFORMED_TOKEN"]),
        10 => good.spoilt(
            "a token of 17 KB",
            format!("{value}{}", "A".repeat(17_000)),
            &["REQUEST_TOO_LARGE"],
        ),
        _ => impostor(pools, random),
    }
}

/// By a key of our own, under a kid of the authority.
fn impostor(pools: &Pools, random: &mut Random) -> Credential {
    let (kid, fact) = {
        let keys = lock(&pools.authority_keys);
        let (kid, fact) = random.pick(&keys);
        (kid.clone(), Arc::clone(fact))
    };
    let status = json!({ "status_list": { "idx": 0, "uri": format!("{AUTHORITY}/status/0") } });
    let claims = claims(
        AUTHORITY,
        &random.hex(),
        "subject of reader",
        json!({ "aud": AUDIENCE, "status": status }),
    );
    let alg = *random.pick(&["ES256", "EdDSA", "RS256"]);
    let value = signed(&Key::new(alg, &kid), json!({}), &claims);
    let mut token = jwt(
        "an impostor's".to_owned(),
        value,
        "authority",
        "nobody".to_owned(),
        String::new(),
    );
    token.conditions = vec![
        Condition::Is(fact, true, &["UNKNOWN_KEY"]),
        // The kid may be of a key for another algorithm.
        Condition::Fails(&["INVALID_SIGNATURE", "UNSUPPORTED_ALGORITHM"]),
    ];
    token
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
