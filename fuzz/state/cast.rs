//! The keys, tokens, API keys, lists and answers that programs choose by index. They are signed by other code
//! than the filter verifies with, once per process.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};

use portcullis_core::secret::{Digest, Pepper, Secret};

use crate::targets::NOW;

/// Seconds after the start of a program.
pub type Seconds = i64;

// === providers and rules, as `policies/state.json` has them ===

#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Issuer {
    /// Remote keys, a revocation list, status lists, and `introspection: always`.
    Corp,
    /// Only remote keys.
    Plain,
    /// A shared secret, `max_lifetime: 1h`, and a list that is `danger_allow`ed to be stale.
    Short,
    /// A shared secret, and `introspection: always` that may be unavailable.
    Trusting,
    /// Introspection alone, and a revocation list.
    Opaque,
    /// An issuer that is not configured.
    Stranger,
}

impl Issuer {
    pub const CONFIGURED: [Issuer; 5] = [
        Issuer::Corp,
        Issuer::Plain,
        Issuer::Short,
        Issuer::Trusting,
        Issuer::Opaque,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Issuer::Corp => "corp",
            Issuer::Plain => "plain",
            Issuer::Short => "short",
            Issuer::Trusting => "trusting",
            Issuer::Opaque => "opaque",
            Issuer::Stranger => "stranger",
        }
    }

    pub fn url(self) -> String {
        format!("https://{}.example.com/", self.name())
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Access {
    Required,
    Optional,
    Anonymous,
}

/// A path, whose rule for POST asks for the scope `write`.
#[derive(Debug)]
pub struct Rule {
    pub path: &'static str,
    pub access: Access,
    pub issuers: &'static [Issuer],
    pub api_keys: bool,
}

const fn rule(
    path: &'static str,
    access: Access,
    issuers: &'static [Issuer],
    api_keys: bool,
) -> Rule {
    Rule {
        path,
        access,
        issuers,
        api_keys,
    }
}

pub const RULES: [Rule; 9] = [
    rule("/corp", Access::Required, &[Issuer::Corp], false),
    rule("/plain", Access::Required, &[Issuer::Plain], false),
    rule("/short", Access::Required, &[Issuer::Short], false),
    rule("/trusting", Access::Required, &[Issuer::Trusting], false),
    rule("/opaque", Access::Required, &[Issuer::Opaque], false),
    rule("/keys", Access::Required, &[], true),
    rule("/mixed", Access::Required, MIXED, true),
    rule("/optional", Access::Optional, &[Issuer::Plain], true),
    rule("/open", Access::Anonymous, &[], false),
];

const MIXED: &[Issuer] = &[Issuer::Plain, Issuer::Short, Issuer::Opaque];

// === facts about a caller ===

/// The claims of a token or an answer.
#[derive(Clone, Copy, Debug)]
pub struct TokenFacts {
    pub sub: Option<&'static str>,
    pub jti: Option<&'static str>,
    pub client_id: Option<&'static str>,
    pub azp: Option<&'static str>,
    pub tenant: Option<&'static str>,
    pub scope: Option<&'static str>,
    pub scp: Option<&'static [&'static str]>,
    pub iat: Option<Seconds>,
    pub nbf: Option<Seconds>,
    pub exp: Option<Seconds>,
    /// Which certificate it is bound to.
    pub cnf: Option<usize>,
}

const NOBODY: TokenFacts = TokenFacts {
    sub: None,
    jti: None,
    client_id: None,
    azp: None,
    tenant: None,
    scope: None,
    scp: None,
    iat: Some(-60),
    nbf: None,
    exp: Some(600),
    cnf: None,
};

const ALICE: TokenFacts = TokenFacts {
    sub: Some("alice"),
    jti: Some("j0"),
    client_id: Some("web"),
    tenant: Some("acme"),
    scope: Some("read write"),
    ..NOBODY
};

const BOB: TokenFacts = TokenFacts {
    sub: Some("bob"),
    jti: Some("j1"),
    client_id: Some("batch"),
    scp: Some(&["read"]),
    ..NOBODY
};

impl TokenFacts {
    const fn sub(mut self, sub: &'static str) -> Self {
        self.sub = Some(sub);
        self
    }

    const fn jti(mut self, jti: &'static str) -> Self {
        self.jti = Some(jti);
        self
    }

    const fn azp(mut self, azp: &'static str) -> Self {
        self.azp = Some(azp);
        self
    }

    const fn iat(mut self, iat: Option<Seconds>) -> Self {
        self.iat = iat;
        self
    }

    const fn nbf(mut self, nbf: Seconds) -> Self {
        self.nbf = Some(nbf);
        self
    }

    const fn exp(mut self, exp: Seconds) -> Self {
        self.exp = Some(exp);
        self
    }

    const fn cnf(mut self, certificate: usize) -> Self {
        self.cnf = Some(certificate);
        self
    }

    /// In the order of `client_id_claims`.
    pub fn clients(&self) -> impl Iterator<Item = &'static str> {
        self.client_id.into_iter().chain(self.azp)
    }

    pub fn has_scopes(&self) -> bool {
        self.scope.is_some() || self.scp.is_some()
    }

    /// Each once, in any order.
    pub fn scopes(&self) -> Vec<&'static str> {
        let words = self.scope.into_iter().flat_map(|scope| scope.split(' '));
        let elements = self.scp.into_iter().flatten().copied();
        let mut scopes: Vec<_> = words.chain(elements).filter(|s| !s.is_empty()).collect();
        scopes.sort_unstable();
        scopes.dedup();
        scopes
    }

    /// Members of a JSON object, each followed by a comma.
    fn members(&self) -> String {
        let mut json = String::new();
        let mut put = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                json += &format!("\"{name}\":{value},");
            }
        };
        let text = |text: &str| format!("\"{text}\"");
        let date = |date: Seconds| (NOW.as_secs() + date).to_string();
        let list = |list: &[&str]| {
            let items: Vec<String> = list.iter().map(|item| text(item)).collect();
            format!("[{}]", items.join(","))
        };
        put("sub", self.sub.map(text));
        put("jti", self.jti.map(text));
        put("client_id", self.client_id.map(text));
        put("azp", self.azp.map(text));
        put("tenant", self.tenant.map(text));
        put("scope", self.scope.map(text));
        put("scp", self.scp.map(list));
        put("iat", self.iat.map(date));
        put("nbf", self.nbf.map(date));
        put("exp", self.exp.map(date));
        put("cnf", self.cnf.map(confirmation));
        json
    }
}

fn confirmation(certificate: usize) -> String {
    let digest = URL_SAFE_NO_PAD.encode(CERTIFICATES[certificate]);
    format!("{{\"x5t#S256\":\"{digest}\"}}")
}

/// Digests of certificates that clients may show.
pub const CERTIFICATES: [[u8; 32]; 2] = [[0xa1; 32], [0xb2; 32]];

// === signers ===

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Key {
    /// Of RFC 8037 §A.1.
    One,
    Two,
    /// Never published.
    Forger,
    /// HMAC-SHA-256 with the secret that the configuration shares with this issuer.
    Shared(Issuer),
    /// HMAC-SHA-256 with a public value: the public half of the first key.
    Confused,
}

impl Key {
    fn algorithm(self) -> &'static str {
        match self {
            Key::One | Key::Two | Key::Forger => "EdDSA",
            Key::Shared(_) | Key::Confused => "HS256",
        }
    }

    fn private(self) -> SigningKey {
        let one = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
        SigningKey::from_bytes(&match self {
            Key::One => {
                let bytes = URL_SAFE_NO_PAD.decode(one).expect("base64url");
                bytes.try_into().expect("32 bytes")
            }
            Key::Two => [2; 32],
            _ => [3; 32],
        })
    }

    fn public(self) -> [u8; 32] {
        self.private().verifying_key().to_bytes()
    }

    fn sign(self, message: &str) -> Vec<u8> {
        let mac = |secret: &[u8]| {
            let pepper = Pepper::new(&Secret::new(secret));
            pepper.digest(message.as_bytes()).as_bytes().to_vec()
        };
        match self {
            Key::One | Key::Two | Key::Forger => {
                self.private().sign(message.as_bytes()).to_bytes().to_vec()
            }
            Key::Shared(issuer) => {
                mac(format!("the shared secret of {}, in 32+ bytes", issuer.name()).as_bytes())
            }
            Key::Confused => mac(&Key::One.public()),
        }
    }

    fn jws(self, kid: Option<&str>, typ: &str, claims: &str) -> String {
        let kid = kid.map_or_else(String::new, |kid| format!(",\"kid\":\"{kid}\""));
        let header = format!(
            "{{\"alg\":\"{}\",\"typ\":\"{typ}\"{kid}}}",
            self.algorithm()
        );
        let [header, claims] = [&header, claims].map(|part| URL_SAFE_NO_PAD.encode(part));
        let message = format!("{header}.{claims}");
        let signature = URL_SAFE_NO_PAD.encode(self.sign(&message));
        format!("{message}.{signature}")
    }
}

// === tokens ===

#[derive(Clone, Copy, Debug)]
pub struct Token {
    pub issuer: Issuer,
    pub key: Key,
    pub kid: Option<&'static str>,
    pub audience: &'static str,
    pub facts: TokenFacts,
    /// The status list and the index on it.
    pub status: Option<(usize, u64)>,
}

const CORP: Token = Token {
    issuer: Issuer::Corp,
    key: Key::One,
    kid: Some("1"),
    audience: "api",
    facts: ALICE,
    status: None,
};

const PLAIN: Token = CORP.of(Issuer::Plain);
const SHORT: Token = CORP.of(Issuer::Short).by(Key::Shared(Issuer::Short), None);
const TRUSTING: Token = CORP
    .of(Issuer::Trusting)
    .by(Key::Shared(Issuer::Trusting), None);

pub const TOKENS: [Token; 36] = [
    CORP,
    CORP.by(Key::Two, Some("2")).says(BOB),
    CORP.by(Key::One, None).says(NOBODY.sub("alice").jti("j0")),
    CORP.by(Key::Forger, Some("1")),
    CORP.says(ALICE.nbf(20).exp(40)),
    CORP.listed(0, 0),
    CORP.by(Key::Two, Some("2")).listed(0, 1),
    CORP.says(ALICE.cnf(0)),
    CORP.says(ALICE.iat(None)),
    CORP.by(Key::Two, Some("1")),
    CORP.by(Key::One, Some("9")),
    CORP.to("other"),
    CORP.says(NOBODY.jti("j2")),
    CORP.says(NOBODY),
    CORP.says(ALICE.azp("batch")).listed(1, 9),
    CORP.by(Key::Confused, Some("1")),
    PLAIN,
    PLAIN.by(Key::Two, Some("2")).says(BOB),
    PLAIN.by(Key::Two, None),
    PLAIN.by(Key::Forger, None),
    SHORT,
    SHORT.says(ALICE.exp(3600)),
    SHORT.says(ALICE.iat(None)),
    SHORT.says(ALICE.iat(Some(1800)).exp(3500)),
    SHORT.says(BOB.nbf(40)),
    SHORT.says(ALICE.exp(-10)),
    SHORT.by(Key::Shared(Issuer::Trusting), None),
    SHORT.says(NOBODY.jti("j3")),
    SHORT.says(ALICE.sub("dave")),
    SHORT.says(ALICE.sub("eve")),
    SHORT.says(ALICE.sub("frank")),
    TRUSTING,
    TRUSTING.says(ALICE.cnf(0)),
    TRUSTING.says(BOB),
    CORP.of(Issuer::Opaque),
    CORP.of(Issuer::Stranger),
];

impl Token {
    const fn of(mut self, issuer: Issuer) -> Self {
        self.issuer = issuer;
        self
    }

    const fn by(mut self, key: Key, kid: Option<&'static str>) -> Self {
        self.key = key;
        self.kid = kid;
        self
    }

    const fn to(mut self, audience: &'static str) -> Self {
        self.audience = audience;
        self
    }

    const fn says(mut self, facts: TokenFacts) -> Self {
        self.facts = facts;
        self
    }

    const fn listed(mut self, list: usize, index: u64) -> Self {
        self.status = Some((list, index));
        self
    }

    fn encode(&self) -> String {
        let status = self.status.map_or_else(String::new, |(list, index)| {
            let uri = status_list_uri(list);
            format!("\"status\":{{\"status_list\":{{\"uri\":\"{uri}\",\"idx\":{index}}}}},")
        });
        let claims = format!(
            "{{{}{status}\"iss\":\"{}\",\"aud\":\"{}\"}}",
            self.facts.members(),
            self.issuer.url(),
            self.audience
        );
        self.key.jws(self.kid, "JWT", &claims)
    }
}

// === credentials ===

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Credential {
    Token(usize),
    Opaque(usize),
    ApiKey(usize),
    Nothing,
    /// A token of [`Issuer::Plain`] and the first API key.
    Both,
}

const OPAQUE: usize = 6;
const BOTH: usize = 16;

/// API keys as clients send them, on a list or not.
const API_KEYS: usize = 7;

impl Credential {
    /// Any of them: tokens first, then the rest in the order of the variants.
    pub fn nth(n: usize) -> Self {
        let rest = n % (TOKENS.len() + OPAQUE + API_KEYS + 2);
        let Some(rest) = rest.checked_sub(TOKENS.len()) else {
            return Credential::Token(rest);
        };
        let Some(rest) = rest.checked_sub(OPAQUE) else {
            return Credential::Opaque(rest);
        };
        match rest.checked_sub(API_KEYS) {
            None => Credential::ApiKey(rest),
            Some(0) => Credential::Nothing,
            Some(_) => Credential::Both,
        }
    }

    /// The token of a `Bearer` credential.
    pub fn bearer(self) -> Option<&'static str> {
        static TEXTS: OnceLock<Vec<String>> = OnceLock::new();
        let texts = TEXTS.get_or_init(|| {
            let opaque = (0..OPAQUE).map(|n| format!("2YotnFZFEjr1zCsicMWpA{n}"));
            TOKENS.iter().map(Token::encode).chain(opaque).collect()
        });
        match self {
            Credential::Token(n) => Some(&texts[n]),
            Credential::Opaque(n) => Some(&texts[TOKENS.len() + n]),
            Credential::Both => Some(&texts[BOTH]),
            Credential::ApiKey(_) | Credential::Nothing => None,
        }
    }

    /// The JWT among them.
    pub fn token(self) -> Option<&'static Token> {
        match self {
            Credential::Token(n) => Some(&TOKENS[n]),
            Credential::Both => Some(&TOKENS[BOTH]),
            Credential::Opaque(_) | Credential::ApiKey(_) | Credential::Nothing => None,
        }
    }

    pub fn api_key(self) -> Option<usize> {
        match self {
            Credential::ApiKey(n) => Some(n),
            Credential::Both => Some(0),
            Credential::Token(_) | Credential::Opaque(_) | Credential::Nothing => None,
        }
    }
}

pub fn api_key_secret(n: usize) -> String {
    format!("secret-of-key-{n}")
}

// === key sets ===

/// Keys by their names.
pub type KeySet = &'static [(Option<&'static str>, Key)];

/// The sets that an issuer may publish; `None` is not a JWK Set.
pub const KEY_SETS: [Option<KeySet>; 9] = [
    Some(&[]),
    Some(&[(Some("1"), Key::One)]),
    Some(&[(Some("2"), Key::Two)]),
    Some(&[(Some("1"), Key::One), (Some("2"), Key::Two)]),
    Some(&[(Some("2"), Key::One)]),
    Some(&[(Some("1"), Key::Two)]),
    Some(&[(None, Key::One)]),
    Some(&[(Some("1"), Key::Two), (Some("1"), Key::One)]),
    None,
];

pub fn key_set_text(set: usize) -> &'static str {
    static TEXTS: OnceLock<Vec<String>> = OnceLock::new();
    let text = |set: &Option<KeySet>| match set {
        None => "<html>".to_owned(),
        Some(keys) => {
            let keys = keys.iter().map(|(kid, key)| {
                let kid = kid.map_or_else(String::new, |kid| format!(",\"kid\":\"{kid}\""));
                let x = URL_SAFE_NO_PAD.encode(key.public());
                format!("{{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"{x}\"{kid}}}")
            });
            format!("{{\"keys\":[{}]}}", keys.collect::<Vec<_>>().join(","))
        }
    };
    let texts = TEXTS.get_or_init(|| KEY_SETS.iter().map(text).collect());
    &texts[set]
}

// === lists of API keys ===

#[derive(Clone, Copy, Debug)]
pub struct ApiKey {
    pub id: &'static str,
    pub client: &'static str,
    /// The number of its plaintext.
    pub secret: usize,
    pub scopes: &'static [&'static str],
    pub tenant: Option<&'static str>,
    pub not_before: Option<Seconds>,
    pub expires_at: Option<Seconds>,
    pub revoked: bool,
}

const ROBOT: ApiKey = ApiKey {
    id: "remote-4",
    client: "robot",
    secret: 4,
    scopes: &["read", "write"],
    tenant: None,
    not_before: None,
    expires_at: None,
    revoked: false,
};

const CART: ApiKey = ROBOT.named("remote-5", "cart").of(5).may(&["read"]);

impl ApiKey {
    const fn named(mut self, id: &'static str, client: &'static str) -> Self {
        self.id = id;
        self.client = client;
        self
    }

    const fn of(mut self, secret: usize) -> Self {
        self.secret = secret;
        self
    }

    const fn may(mut self, scopes: &'static [&'static str]) -> Self {
        self.scopes = scopes;
        self
    }

    const fn inline(mut self, id: &'static str, client: &'static str, secret: usize) -> Self {
        self.tenant = Some("acme");
        self.named(id, client).of(secret)
    }

    const fn from(mut self, not_before: Seconds) -> Self {
        self.not_before = Some(not_before);
        self
    }

    const fn until(mut self, expires_at: Seconds) -> Self {
        self.expires_at = Some(expires_at);
        self
    }

    const fn revoked(mut self) -> Self {
        self.revoked = true;
        self
    }
}

/// The keys in the configuration.
pub const INLINE_API_KEYS: [ApiKey; 4] = [
    ROBOT.inline("inline-0", "client-0", 0),
    ROBOT.inline("inline-1", "client-1", 1).until(60),
    ROBOT.inline("inline-2", "client-2", 2).revoked(),
    CART.inline("inline-3", "client-3", 3).from(60),
];

/// The lists that the source may answer with; `None` is not a list of keys.
pub const API_KEY_LISTS: [Option<&[ApiKey]>; 8] = [
    Some(&[]),
    Some(&[ROBOT]),
    Some(&[ROBOT.revoked()]),
    Some(&[CART, ROBOT.named("remote-4", "thief").may(&["read"])]),
    Some(&[CART.until(60), ROBOT.from(60)]),
    // The same names for other keys.
    Some(&[ROBOT.of(5), CART.of(4)]),
    // The configuration comes first.
    Some(&[ROBOT.of(0)]),
    None,
];

pub fn api_key_list_text(list: usize) -> &'static str {
    static TEXTS: OnceLock<Vec<String>> = OnceLock::new();
    let texts = TEXTS.get_or_init(|| API_KEY_LISTS.iter().map(|l| api_key_list(*l)).collect());
    &texts[list]
}

fn api_key_list(list: Option<&[ApiKey]>) -> String {
    let Some(list) = list else {
        return "{\"keys\":[{\"id\":\"remote-4\"}]}".to_owned();
    };
    let keys = list.iter().map(|key| {
        let digest = Digest::sha256(api_key_secret(key.secret).as_bytes());
        let hex = base16ct::lower::encode_string(digest.as_bytes());
        let scopes: Vec<String> = key.scopes.iter().map(|s| format!("\"{s}\"")).collect();
        let mut json = format!(
            "{{\"id\":\"{}\",\"client\":\"{}\",\"hash\":\"sha256:{hex}\",\"scopes\":[{}],\"revoked\":{}",
            key.id,
            key.client,
            scopes.join(","),
            key.revoked
        );
        for (name, time) in [("not_before", key.not_before), ("expires_at", key.expires_at)] {
            if let Some(time) = time {
                let time = NOW.plus(std::time::Duration::from_secs(time.unsigned_abs()));
                json += &format!(",\"{name}\":\"{time}\"");
            }
        }
        json + "}"
    });
    format!("{{\"keys\":[{}]}}", keys.collect::<Vec<_>>().join(","))
}

// === revocation lists ===

#[derive(Clone, Copy, Debug)]
pub struct Entry {
    pub jti: Option<&'static str>,
    pub sub: Option<&'static str>,
    pub client_id: Option<&'static str>,
    pub key_id: Option<&'static str>,
    pub exp: Option<Seconds>,
    pub before: Option<Seconds>,
}

pub const TOKEN_ENTRIES: [Entry; 14] = [
    jti("j0", None),
    jti("j0", Some(600)),
    jti("j0", Some(-100)),
    jti("j1", None),
    jti("j2", Some(700)),
    // The same text as another kind of name.
    jti("alice", None),
    before(Some("alice"), None, -60),
    before(Some("alice"), None, -61),
    before(Some("bob"), None, 5000),
    before(None, Some("web"), 0),
    before(None, Some("batch"), 0),
    before(Some("alice"), Some("web"), 0),
    before(Some("alice"), Some("batch"), 0),
    before(Some("web"), Some("alice"), 0),
];

pub const API_KEY_ENTRIES: [Entry; 4] = [
    key_id("inline-0"),
    key_id("remote-4"),
    key_id("remote-5"),
    key_id("client-0"),
];

const NAMELESS: Entry = Entry {
    jti: None,
    sub: None,
    client_id: None,
    key_id: None,
    exp: None,
    before: None,
};

const fn jti(jti: &'static str, exp: Option<Seconds>) -> Entry {
    Entry {
        jti: Some(jti),
        exp,
        ..NAMELESS
    }
}

const fn before(sub: Option<&'static str>, client_id: Option<&'static str>, t: Seconds) -> Entry {
    Entry {
        sub,
        client_id,
        before: Some(t),
        ..NAMELESS
    }
}

const fn key_id(id: &'static str) -> Entry {
    Entry {
        key_id: Some(id),
        ..NAMELESS
    }
}

impl Entry {
    pub fn to_json(self) -> String {
        let mut members = Vec::new();
        let names = [
            ("jti", self.jti),
            ("sub", self.sub),
            ("client_id", self.client_id),
            ("key_id", self.key_id),
        ];
        for (name, value) in names {
            members.extend(value.map(|value| format!("\"{name}\":\"{value}\"")));
        }
        for (name, time) in [("exp", self.exp), ("before", self.before)] {
            members.extend(time.map(|t| format!("\"{name}\":{}", NOW.as_secs() + t)));
        }
        format!("{{{}}}", members.join(","))
    }
}

// === status lists ===

pub fn status_list_uri(list: usize) -> String {
    format!("http://authority/status/{list}")
}

/// A possible answer from the address of a list.
#[derive(Clone, Copy, Debug)]
pub struct StatusList {
    pub key: Key,
    pub kid: &'static str,
    /// The list that its `sub` names, which must be the requested one.
    pub list: usize,
    /// One bit for each token; a 1 makes it invalid.
    pub statuses: u8,
    pub exp: Option<Seconds>,
    pub ttl: Seconds,
}

const fn status_list(
    key: Key,
    kid: &'static str,
    list: usize,
    statuses: u8,
    (exp, ttl): (Option<Seconds>, Seconds),
) -> StatusList {
    StatusList {
        key,
        kid,
        list,
        statuses,
        exp,
        ttl,
    }
}

pub const STATUS_LISTS: [StatusList; 8] = [
    status_list(Key::One, "1", 0, 0b00, (None, 60)),
    status_list(Key::One, "1", 0, 0b10, (None, 60)),
    status_list(Key::One, "1", 0, 0b11, (None, 60)),
    status_list(Key::Two, "2", 0, 0b00, (None, 600)),
    status_list(Key::Forger, "1", 0, 0b00, (None, 60)),
    status_list(Key::One, "1", 1, 0b00, (None, 60)),
    status_list(Key::One, "1", 0, 0b00, (Some(50), 60)),
    status_list(Key::One, "1", 0, 0b00, (Some(-40), 60)),
];

pub fn status_list_text(n: usize) -> &'static str {
    static TEXTS: OnceLock<Vec<String>> = OnceLock::new();
    let texts = TEXTS.get_or_init(|| STATUS_LISTS.iter().map(StatusList::encode).collect());
    &texts[n]
}

impl StatusList {
    fn encode(&self) -> String {
        let exp = self.exp.map_or_else(String::new, |exp| {
            format!("\"exp\":{},", NOW.as_secs() + exp)
        });
        let claims = format!(
            "{{\"sub\":\"{}\",\"iat\":{},{exp}\"ttl\":{},\"status_list\":{{\"bits\":1,\"lst\":\"{}\"}}}}",
            status_list_uri(self.list),
            NOW.as_secs(),
            self.ttl,
            URL_SAFE_NO_PAD.encode(self.packed())
        );
        self.key.jws(Some(self.kid), "statuslist+jwt", &claims)
    }

    /// RFC 1950 around one stored block (RFC 1951 §3.2.4) of one byte.
    fn packed(&self) -> Vec<u8> {
        let mut packed = vec![0x78, 0x01, 0x01, 0x01, 0x00, 0xfe, 0xff, self.statuses];
        let a = 1 + u32::from(self.statuses);
        packed.extend((a << 16 | a).to_be_bytes());
        packed
    }
}

// === answers of an introspection endpoint ===

#[derive(Clone, Debug)]
pub struct Answer {
    pub says: Says,
    pub facts: TokenFacts,
    pub text: String,
}

/// The meaning of an answer, without its times.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Says {
    Active,
    /// The code of the refusal.
    Refused(&'static str),
    /// The answer is not usable.
    Unavailable,
    /// There is no answer.
    Nothing,
}

impl Answer {
    /// Made from four choices: form, person, scopes and times. `token` has the claims of the token in question,
    /// if it has any.
    pub fn new(
        issuer: Issuer,
        choice: [usize; 4],
        token: Option<&TokenFacts>,
        now: Seconds,
    ) -> Self {
        let [how, who, scopes, times] = choice;
        let mut facts = whom(who % 9, token.unwrap_or(&ALICE));
        facts.scope = match scopes % 7 {
            0 | 4 => None,
            1 | 6 => Some("read write"),
            2 => Some("read"),
            3 => Some(""),
            _ => Some("admin read write"),
        };
        facts.scp = match scopes % 7 {
            4 => Some(&["read"]),
            6 => Some(&["admin"]),
            _ => None,
        };
        (facts.iat, facts.nbf, facts.exp) = match times % 10 {
            0 => (Some(-60), None, None),
            1 => (Some(-60), None, Some(600)),
            2 => (Some(-60), None, Some(40)),
            3 => (Some(-60), None, Some(now + 10)),
            4 => (Some(-60), None, Some(now - 31)),
            5 => (Some(-60), Some(now + 40), None),
            6 => (Some(-60), Some(now + 20), None),
            7 => (Some(-60), None, Some(now - 10)),
            8 => (None, None, Some(600)),
            _ => (Some(2000), None, Some(5000)),
        };
        let (says, text) = say(how % 15, issuer, &facts.members());
        Answer { says, facts, text }
    }
}

fn whom(who: usize, token: &TokenFacts) -> TokenFacts {
    match who {
        0 => *token,
        1 => NOBODY,
        2 => token.sub("mallory"),
        3 => token.jti("j9"),
        4 => token.azp("batch"),
        5 => BOB,
        6 => token.cnf(0),
        7 => token.cnf(1),
        _ => NOBODY.sub("alice"),
    }
}

fn say(how: usize, issuer: Issuer, facts: &str) -> (Says, String) {
    let iss = format!("\"iss\":\"{}\",", issuer.url());
    let active = |says, rest: &str| (says, format!("{{{facts}{rest}\"active\":true}}"));
    let api = "\"aud\":\"api\",";
    match how {
        0 => active(Says::Active, &format!("{iss}{api}")),
        1 => active(Says::Active, api),
        2 => (
            Says::Refused("TOKEN_INACTIVE"),
            "{\"active\":false}".to_owned(),
        ),
        3 => (
            Says::Refused("TOKEN_INACTIVE"),
            format!("{{{facts}{iss}{api}\"active\":false}}"),
        ),
        4 => active(
            Says::Refused("INVALID_ISSUER"),
            &format!("\"iss\":\"https://evil.example.com/\",{api}"),
        ),
        5 => active(
            Says::Refused("INVALID_AUDIENCE"),
            &format!("{iss}\"aud\":\"other\","),
        ),
        6 => active(Says::Refused("INVALID_AUDIENCE"), &iss),
        7 => (Says::Unavailable, "<html>".to_owned()),
        8 => (
            Says::Unavailable,
            format!("{{{facts}{iss}\"aud\":\"api\"}}"),
        ),
        9 => (
            Says::Unavailable,
            format!("{{{facts}{iss}{api}\"active\":\"true\"}}"),
        ),
        10 => active(
            Says::Refused("INVALID_TOKEN"),
            &format!("{iss}{api}\"token_type\":\"refresh_token\","),
        ),
        11 => active(
            Says::Active,
            &format!("{iss}{api}\"token_type\":\"Bearer\","),
        ),
        12 => active(Says::Active, &format!("{iss}\"aud\":[\"other\",\"api\"],")),
        _ => (Says::Nothing, String::new()),
    }
}
