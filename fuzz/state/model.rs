//! The expected result of a request, written from the contract: who signed what, which keys an issuer has
//! now, what is revoked, what an endpoint said last and how long that is valid. The model has no caches and does
//! not know the order of the filter's checks.
//!
//! Where the contract leaves a choice, the model accepts either verdict.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::targets::NOW;

use super::cast::{
    API_KEY_LISTS, Access, Answer, ApiKey, Credential, Entry, INLINE_API_KEYS, Issuer, KEY_SETS,
    Key, KeySet, RULES, STATUS_LISTS, Says, Seconds, StatusList, Token, TokenFacts,
};

/// Microseconds since the start of a program.
pub type Micros = i64;

pub const SECOND: Micros = 1_000_000;

// What `policies/state.json` says or leaves at its default.
const CLOCK_TOLERANCE: Micros = 30 * SECOND;
const MAX_LIFETIME: Micros = 3600 * SECOND;
const CORP_STALENESS: Micros = 600 * SECOND;
const PLAIN_STALENESS: Micros = 60 * SECOND;
const API_KEYS_STALENESS: Micros = 600 * SECOND;
const LIST_STALENESS: Micros = 60 * SECOND;
const CACHE_TTL: Micros = 30 * SECOND;
const NEGATIVE_CACHE_TTL: Micros = 5 * SECOND;

/// A smaller step back is not a clock that was set back: the clocks of workers differ.
const CLOCK_SLACK: Micros = SECOND;

/// What a revocation list is for: the tokens of an issuer, or API keys.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Owner {
    Issuer(Issuer),
    ApiKeys,
}

pub const OWNERS: [Owner; 4] = [
    Owner::Issuer(Issuer::Corp),
    Owner::Issuer(Issuer::Short),
    Owner::Issuer(Issuer::Opaque),
    Owner::ApiKeys,
];

/// The parts of a request that matter.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    pub rule: usize,
    pub write: bool,
    pub credential: Credential,
    /// Which certificate its connection's client showed.
    pub certificate: Option<usize>,
}

/// What a request was told while it waited.
#[derive(Clone, Debug, Default)]
pub struct Told {
    pub answer: Option<Rc<Said>>,
    pub statuses: Option<Statuses>,
}

/// An answer, evaluated when it came.
#[derive(Debug)]
pub struct Said {
    answer: Answer,
    /// Each of these is a reason to refuse.
    codes: Vec<Code>,
    at: Moment,
}

/// The status list that came, if one did.
#[derive(Clone, Copy, Debug)]
pub struct Statuses {
    list: Option<usize>,
    at: Moment,
    /// Whether its key was published when it came.
    is_verified: bool,
}

pub type Code = &'static str;

#[derive(Debug, Default)]
pub struct Judgment {
    /// Every reason to refuse; where there is none, the request must pass.
    pub refusals: BTreeSet<Code>,
    /// Possible reasons to refuse.
    pub doubts: BTreeSet<Code>,
    /// Who is calling, if anybody.
    pub identity: Option<Identity>,
    /// Whether somebody may be asked for the token's status list: the token verified, and no
    /// entry of a revocation list names it.
    pub may_ask_status: bool,
    /// Whether an endpoint may be asked about it: that list lets it pass too.
    pub may_ask_issuer: bool,
}

#[derive(Clone, Debug)]
pub struct Identity {
    issuer: Option<Issuer>,
    subject: Option<&'static str>,
    client: Option<&'static str>,
    tenant: Option<&'static str>,
    scopes: Vec<&'static str>,
    key_id: Option<&'static str>,
    payload: Option<String>,
}

/// When something happened, by a clock that may have been set back since.
#[derive(Clone, Copy, Debug)]
struct Moment {
    clock: Micros,
    /// How often the clock had been set back before.
    set_back: usize,
}

/// A document by its index, and when it was fetched.
#[derive(Clone, Copy, Debug)]
pub struct Fetched {
    pub document: usize,
    /// By the clock.
    pub at: Micros,
    /// By what has passed since.
    since: Micros,
}

/// A revocation list as of a time.
#[derive(Clone, Debug)]
pub struct List {
    pub entries: Vec<Entry>,
    /// By the clock.
    pub as_of: Micros,
    /// By what has passed since.
    since: Micros,
    /// The latest time at which some entry may have been forgotten.
    swept: Micros,
}

#[derive(Debug, Default)]
pub struct Model {
    pub now: Micros,
    /// The latest that the clock has shown since it was set back.
    latest: Micros,
    /// How much time had passed then, as far as a clock can tell.
    passed: Micros,
    set_back: usize,
    pub keys: BTreeMap<Issuer, Fetched>,
    pub api_keys: Option<Fetched>,
    pub lists: BTreeMap<Owner, List>,
    /// What may count already, since the filter is at reading it.
    pub arriving: BTreeMap<Owner, Vec<Entry>>,
    answers: HashMap<(Issuer, Credential), Rc<Said>>,
    statuses: HashMap<usize, Statuses>,
}

// === what happens ===

impl Model {
    pub fn move_clock(&mut self, by: Micros) {
        self.now += by;
        if self.now + CLOCK_SLACK < self.latest {
            self.set_back += 1;
            self.latest = self.now;
        }
        self.passed += (self.now - self.latest).max(0);
        self.latest = self.latest.max(self.now);
    }

    /// What has passed, as a clock would show it that is never set back.
    fn steady(&self) -> Micros {
        self.passed - (self.latest - self.now)
    }

    fn moment(&self) -> Moment {
        Moment {
            clock: self.now,
            set_back: self.set_back,
        }
    }

    /// Whether no more than `ttl` has passed since: across a clock that was set back, nobody knows.
    fn is_within(&self, ttl: Micros, since: Moment) -> bool {
        since.set_back == self.set_back && self.now < since.clock + ttl
    }

    pub fn seconds(&self) -> Seconds {
        self.now.div_euclid(SECOND)
    }

    /// A new worker, which knows nothing.
    pub fn forget(&mut self) {
        *self = Model {
            now: self.now,
            latest: self.now,
            passed: self.steady(),
            set_back: self.set_back,
            ..Model::default()
        };
    }

    /// A document is fetched now.
    pub fn fetched(&self, document: usize) -> Fetched {
        Fetched {
            document,
            at: self.now,
            since: self.steady(),
        }
    }

    /// This worker takes a document that was fetched before, perhaps by a clock that was set back
    /// since: then nobody knows how old it is, but that it was there by now.
    pub fn taken(&self, fetched: Fetched) -> Fetched {
        Fetched {
            since: self.steady() - (self.now - fetched.at).max(0),
            ..fetched
        }
    }

    /// A poll begins, with what this worker holds.
    pub fn polled(&self, held: Option<&List>) -> List {
        List {
            entries: held.map(|list| list.entries.clone()).unwrap_or_default(),
            as_of: self.now,
            since: self.steady(),
            swept: held.map_or(self.now, |list| list.swept.max(self.now)),
        }
    }

    /// This worker has read a list that was polled before.
    pub fn followed(&self, list: &List) -> List {
        List {
            entries: list.entries.clone(),
            as_of: list.as_of,
            since: self.steady() - (self.now - list.as_of).max(0),
            swept: list.swept.max(self.now),
        }
    }

    /// An endpoint answers. What is nothing to rely on is not remembered.
    pub fn hear(&mut self, issuer: Issuer, credential: Credential, answer: Answer) -> Rc<Said> {
        let mut codes = Vec::new();
        match answer.says {
            Says::Active => self.check_times(&answer.facts, &mut codes),
            Says::Refused(code) => {
                codes.push(code);
                self.check_times(&answer.facts, &mut codes);
            }
            Says::Unavailable | Says::Nothing => {}
        }
        let is_answer = matches!(answer.says, Says::Active | Says::Refused(_));
        let said = Rc::new(Said {
            answer,
            codes,
            at: self.moment(),
        });
        if is_answer {
            self.answers.insert((issuer, credential), Rc::clone(&said));
        }
        said
    }

    /// Whether an endpoint called a token active, and has not taken that back.
    pub fn was_active(&self, issuer: Issuer, credential: Credential) -> bool {
        let said = self.answers.get(&(issuer, credential));
        said.is_some_and(|said| said.codes.is_empty())
    }

    /// A status list comes from the address of that list, or does not.
    pub fn receive_statuses(&mut self, at: usize, list: Option<usize>) -> Statuses {
        let list = list.filter(|list| {
            let list = &STATUS_LISTS[*list];
            let ended = |exp| self.now >= exp * SECOND + CLOCK_TOLERANCE;
            list.list == at && !list.exp.is_some_and(ended)
        });
        let statuses = Statuses {
            list,
            at: self.moment(),
            is_verified: list.is_some_and(|list| self.is_published(&STATUS_LISTS[list])),
        };
        if statuses.is_verified {
            self.statuses.insert(at, statuses);
        }
        statuses
    }

    /// A request that has a list which could not be verified when it came makes use of it now.
    pub fn use_statuses(&mut self, asked: &Asked, told: &Told) {
        let Some((at, _)) = asked.credential.token().and_then(|token| token.status) else {
            return;
        };
        if let Some(statuses) = told.statuses
            && let Some(list) = statuses.list
            && !statuses.is_verified
            && !self.holds_statuses(at)
            && self.is_published(&STATUS_LISTS[list])
        {
            let statuses = Statuses {
                at: self.moment(),
                ..statuses
            };
            self.statuses.insert(at, statuses);
        }
    }
}

// === the verdict ===

impl Model {
    pub fn judge(&self, asked: &Asked, told: &Told) -> Judgment {
        let rule = &RULES[asked.rule];
        let mut judgment = Judgment::default();
        if rule.access == Access::Anonymous {
            return judgment;
        }
        let takes_tokens = !rule.issuers.is_empty() && asked.credential.bearer().is_some();
        let api_key = asked.credential.api_key().filter(|_| rule.api_keys);
        match (takes_tokens, api_key) {
            (true, Some(_)) => judgment.refuse("AMBIGUOUS_CREDENTIALS"),
            (true, None) => self.judge_bearer(rule.issuers, asked, told, &mut judgment),
            (false, Some(key)) => self.judge_api_key(key, &mut judgment),
            (false, None) if rule.access == Access::Optional => return judgment,
            (false, None) => judgment.refuse("MISSING_TOKEN"),
        }
        let identity = judgment.identity.as_ref();
        if asked.write && identity.is_some_and(|i| !i.scopes.contains(&"write")) {
            judgment.refuse("INSUFFICIENT_SCOPE");
        }
        judgment
    }

    fn judge_bearer(&self, issuers: &[Issuer], asked: &Asked, told: &Told, to: &mut Judgment) {
        let introspects =
            |i: &&Issuer| matches!(i, Issuer::Corp | Issuer::Trusting | Issuer::Opaque);
        let asked_issuer = issuers.iter().find(introspects).copied();
        match (asked.credential.token(), asked_issuer) {
            (Some(token), _) if !issuers.contains(&token.issuer) => to.refuse("INVALID_ISSUER"),
            (Some(token), _) if token.issuer != Issuer::Opaque => {
                self.judge_token(token, asked, told, to);
            }
            (_, Some(issuer)) => self.judge_by_answer(issuer, asked, told, to),
            (_, None) => to.refuse("MALFORMED_TOKEN"),
        }
    }

    fn judge_token(&self, token: &Token, asked: &Asked, told: &Told, to: &mut Judgment) {
        self.check_signature(token, to);
        let facts = &token.facts;
        if token.audience != "api" {
            to.refuse("INVALID_AUDIENCE");
        }
        let mut codes = Vec::new();
        self.check_times(facts, &mut codes);
        if token.issuer == Issuer::Short {
            self.check_lifetime(facts, &mut codes);
        }
        to.refusals.extend(codes);
        to.bind(facts.cnf, asked);
        self.check_list(Owner::Issuer(token.issuer), facts, None, to);
        to.may_ask_status = to.refusals.is_empty();
        if token.issuer == Issuer::Corp {
            self.check_status(token, told, to);
        }
        to.may_ask_issuer = to.refusals.is_empty();
        let text = asked.credential.bearer().unwrap_or_default();
        let payload = text.split('.').nth(1).unwrap_or_default();
        to.identity = Some(Identity::of(token.issuer, facts, payload.to_owned()));
        if let Issuer::Corp | Issuer::Trusting = token.issuer {
            self.confirm(token, asked, told, to);
        }
    }

    fn check_signature(&self, token: &Token, to: &mut Judgment) {
        let staleness = match token.issuer {
            Issuer::Corp => CORP_STALENESS,
            Issuer::Plain => PLAIN_STALENESS,
            issuer => {
                if token.key != Key::Shared(issuer) {
                    to.refuse("INVALID_SIGNATURE");
                }
                return;
            }
        };
        if token.key == Key::Confused {
            to.refuse("UNSUPPORTED_ALGORITHM");
        }
        let held = self.keys.get(&token.issuer);
        let Some(held) = held.filter(|held| self.is_fresh(held.since, staleness)) else {
            return to.refuse("KEYS_UNAVAILABLE");
        };
        let named = |(kid, _): &&(Option<&str>, Key)| token.kid.is_none() || *kid == token.kid;
        let mut named = published(held).iter().filter(named).peekable();
        if named.peek().is_none() {
            return to.refuse("UNKNOWN_KEY");
        }
        if !named.any(|(_, key)| *key == token.key) {
            to.refuse("INVALID_SIGNATURE");
        }
    }

    fn is_fresh(&self, since: Micros, staleness: Micros) -> bool {
        self.steady() - since <= staleness
    }

    /// Whether the key that signed a list stands for its issuer now, under that name.
    fn is_published(&self, list: &StatusList) -> bool {
        let held = self.keys.get(&Issuer::Corp);
        let held = held.filter(|held| self.is_fresh(held.since, CORP_STALENESS));
        held.is_some_and(|held| published(held).contains(&(Some(list.kid), list.key)))
    }

    fn check_times(&self, facts: &TokenFacts, codes: &mut Vec<Code>) {
        let is_over = |exp: Seconds| self.now >= exp * SECOND + CLOCK_TOLERANCE;
        if facts.exp.is_some_and(is_over) {
            codes.push("TOKEN_EXPIRED");
        }
        let is_early = |nbf: Seconds| self.now < nbf * SECOND - CLOCK_TOLERANCE;
        if facts.nbf.is_some_and(is_early) {
            codes.push("TOKEN_NOT_YET_VALID");
        }
    }

    fn check_lifetime(&self, facts: &TokenFacts, codes: &mut Vec<Code>) {
        let is_short = facts.exp.zip(facts.iat).is_some_and(|(exp, iat)| {
            (exp - iat) * SECOND <= MAX_LIFETIME && exp * SECOND - self.now <= MAX_LIFETIME
        });
        // Without `iat` an entry by `before` could be forgotten before the token expires.
        if !is_short {
            codes.push("INVALID_TOKEN");
        }
    }

    /// `others` are who an answer names beside the token.
    fn check_list(
        &self,
        owner: Owner,
        facts: &TokenFacts,
        others: Option<&TokenFacts>,
        to: &mut Judgment,
    ) {
        let (stale, revoked) = match owner {
            Owner::Issuer(Issuer::Corp | Issuer::Opaque) => {
                (Some("REVOCATION_UNAVAILABLE"), "TOKEN_REVOKED")
            }
            Owner::Issuer(Issuer::Short) => (None, "TOKEN_REVOKED"),
            Owner::Issuer(_) => return,
            Owner::ApiKeys => (Some("REVOCATION_UNAVAILABLE"), "API_KEY_REVOKED"),
        };
        let is_named = facts.sub.or(facts.jti).or(facts.clients().next()).is_some();
        if !is_named {
            to.refuse("INVALID_TOKEN");
        }
        let held = self.lists.get(&owner);
        if let Some(code) = stale {
            self.check_age(held, code, to);
        }
        let entries = held
            .into_iter()
            .flat_map(|list| list.entries.iter().map(move |e| (list, e)));
        for (list, entry) in entries {
            let is_meant = entry.revokes(facts, facts.iat)
                || others.is_some_and(|others| entry.revokes(others, facts.iat));
            // Which `iat` counts for a name that only the answer has is not said.
            let is_perhaps = others.is_some_and(|others| entry.revokes(others, others.iat));
            if is_meant && !entry.may_be_forgotten(owner, list.swept) {
                to.refuse(revoked);
            }
            to.doubt_if(is_meant || is_perhaps, revoked);
        }
        for entry in self.arriving.get(&owner).into_iter().flatten() {
            let is_meant = entry.revokes(facts, facts.iat)
                || others.is_some_and(|others| entry.revokes(others, None));
            to.doubt_if(is_meant, revoked);
        }
    }

    fn check_age(&self, held: Option<&List>, code: Code, to: &mut Judgment) {
        let is_fresh = held.is_some_and(|list| self.is_fresh(list.since, LIST_STALENESS));
        to.refuse_if(!is_fresh, code);
        // What seems to come from the future may be of any age.
        to.doubt_if(held.is_some_and(|list| self.now < list.as_of), code);
    }

    fn check_status(&self, token: &Token, told: &Told, to: &mut Judgment) {
        let Some((at, index)) = token.status else {
            return;
        };
        let is_signed = |statuses: &Statuses| {
            let list = &STATUS_LISTS[statuses.list?];
            self.is_published(list).then_some(list)
        };
        let told = told.statuses.as_ref().and_then(is_signed);
        let remembered = self.remembered_statuses(at);
        // Whether somebody made use of it in between depends on what else became of their request.
        let is_perhaps = remembered.is_some_and(|statuses| !statuses.is_verified);
        to.doubt_if(is_perhaps, "REVOCATION_UNAVAILABLE");
        let remembered = remembered.and_then(is_signed);
        let codes: BTreeSet<Option<Code>> = told
            .into_iter()
            .chain(remembered)
            .map(|list| match 1_u8.checked_shl(index as u32) {
                None => Some("INVALID_TOKEN"),
                Some(bit) if list.statuses & bit != 0 => Some("TOKEN_REVOKED"),
                Some(_) => None,
            })
            .collect();
        match codes.len() {
            0 => to.refuse("REVOCATION_UNAVAILABLE"),
            1 => to.refusals.extend(codes.into_iter().flatten()),
            _ => to.doubts.extend(codes.into_iter().flatten()),
        }
    }

    /// Whether a list is remembered whose key is still published.
    fn holds_statuses(&self, at: usize) -> bool {
        let list = self
            .remembered_statuses(at)
            .and_then(|statuses| statuses.list);
        list.is_some_and(|list| self.is_published(&STATUS_LISTS[list]))
    }

    fn remembered_statuses(&self, at: usize) -> Option<&Statuses> {
        let statuses = self.statuses.get(&at)?;
        let list = &STATUS_LISTS[statuses.list?];
        let ends = list.exp.map(|exp| exp * SECOND + CLOCK_TOLERANCE);
        let is_over = ends.is_some_and(|ends| self.now >= ends);
        (self.is_within(list.ttl * SECOND, statuses.at) && !is_over).then_some(statuses)
    }

    /// What the endpoint said to this request, or not long ago to another.
    fn said<'s>(
        &'s self,
        issuer: Issuer,
        asked: &Asked,
        told: &'s Told,
        to: &mut Judgment,
    ) -> Option<&'s Said> {
        let remembered = || {
            let said = self.answers.get(&(issuer, asked.credential))?;
            let ttl = match said.codes.is_empty() {
                true => CACHE_TTL,
                false => NEGATIVE_CACHE_TTL,
            };
            let ends = said.answer.facts.exp.filter(|_| said.codes.is_empty());
            let is_over = ends.is_some_and(|exp| self.now >= exp * SECOND);
            (self.is_within(ttl, said.at) && !is_over).then_some(said)
        };
        let said = told.answer.as_ref().or_else(remembered);
        // No refusal has this code: without an answer there is no verdict.
        to.refuse_if(said.is_none(), "NOBODY WAS ASKED");
        let said = said?;
        to.refusals.extend(&said.codes);
        if said.codes.is_empty() && said.answer.says == Says::Active {
            let mut codes = Vec::new();
            self.check_times(&said.answer.facts, &mut codes);
            to.refusals.extend(codes);
        }
        Some(said)
    }

    /// A token that only its issuer can verify.
    fn judge_by_answer(&self, issuer: Issuer, asked: &Asked, told: &Told, to: &mut Judgment) {
        to.may_ask_issuer = true;
        let Some(said) = self.said(issuer, asked, told, to) else {
            return;
        };
        match said.answer.says {
            Says::Active if said.codes.is_empty() => {}
            Says::Active | Says::Refused(_) => return,
            Says::Unavailable | Says::Nothing => return to.refuse("INTROSPECTION_UNAVAILABLE"),
        }
        let facts = &said.answer.facts;
        to.bind(facts.cnf, asked);
        self.check_list(Owner::Issuer(issuer), facts, None, to);
        let payload = URL_SAFE_NO_PAD.encode(&said.answer.text);
        to.identity = Some(Identity::of(issuer, facts, payload));
    }

    /// A token that verified is asked about too: an answer takes away, and adds nothing.
    fn confirm(&self, token: &Token, asked: &Asked, told: &Told, to: &mut Judgment) {
        let Some(said) = self.said(token.issuer, asked, told, to) else {
            return;
        };
        match said.answer.says {
            Says::Active if said.codes.is_empty() => {}
            Says::Active | Says::Refused(_) => return,
            Says::Unavailable | Says::Nothing => {
                return to.refuse_if(
                    token.issuer != Issuer::Trusting,
                    "INTROSPECTION_UNAVAILABLE",
                );
            }
        }
        let (facts, answered) = (&token.facts, &said.answer.facts);
        let differ = |a: Option<&str>, b: Option<&str>| a.is_some() && b.is_some() && a != b;
        let is_another = differ(facts.sub, answered.sub) || differ(facts.jti, answered.jti);
        let is_elsewhere =
            facts.cnf.is_some() && answered.cnf.is_some_and(|c| facts.cnf != Some(c));
        to.refuse_if(is_another || is_elsewhere, "INVALID_TOKEN");
        to.bind(answered.cnf, asked);
        self.check_list(Owner::Issuer(token.issuer), facts, Some(answered), to);
        if answered.has_scopes()
            && let Some(identity) = &mut to.identity
        {
            let left = answered.scopes();
            identity.scopes.retain(|scope| left.contains(scope));
        }
    }

    fn judge_api_key(&self, secret: usize, to: &mut Judgment) {
        let has = |keys: &'static [ApiKey]| keys.iter().find(|key| key.secret == secret);
        let key = match has(&INLINE_API_KEYS) {
            Some(key) => key,
            None => {
                let held = self.api_keys.as_ref();
                let Some(held) = held.filter(|held| self.is_fresh(held.since, API_KEYS_STALENESS))
                else {
                    return to.refuse("KEYS_UNAVAILABLE");
                };
                match has(API_KEY_LISTS[held.document].expect("what was read")) {
                    Some(key) => key,
                    None => return to.refuse("INVALID_API_KEY"),
                }
            }
        };
        to.refuse_if(key.revoked, "API_KEY_REVOKED");
        let is_over = |end: Seconds| self.now >= end * SECOND;
        to.refuse_if(key.expires_at.is_some_and(is_over), "API_KEY_EXPIRED");
        let is_early = |start: Seconds| self.now < start * SECOND;
        to.refuse_if(
            key.not_before.is_some_and(is_early),
            "API_KEY_NOT_YET_VALID",
        );
        let held = self.lists.get(&Owner::ApiKeys);
        self.check_age(held, "REVOCATION_UNAVAILABLE", to);
        let names = |entry: &Entry| entry.key_id == Some(key.id);
        let is_revoked = held.is_some_and(|list| list.entries.iter().any(names));
        to.refuse_if(is_revoked, "API_KEY_REVOKED");
        let arriving = self.arriving.get(&Owner::ApiKeys);
        let is_arriving = arriving.is_some_and(|entries| entries.iter().any(names));
        to.doubt_if(is_arriving, "API_KEY_REVOKED");
        to.identity = Some(Identity {
            issuer: None,
            subject: Some(key.client),
            client: Some(key.client),
            tenant: key.tenant,
            scopes: {
                let mut scopes = key.scopes.to_vec();
                scopes.sort_unstable();
                scopes
            },
            key_id: Some(key.id),
            payload: None,
        });
    }
}

fn published(held: &Fetched) -> KeySet {
    KEY_SETS[held.document].expect("what was read")
}

// === impl List ===

impl List {
    /// It is read from its start: what was forgotten is there again.
    pub fn begin_anew(&mut self, now: Micros) {
        self.entries.clear();
        self.swept = now;
    }

    /// Entries that have ended by now may be forgotten.
    pub fn sweep(&mut self, now: Micros) {
        self.swept = self.swept.max(now);
    }
}

// === impl Entry ===

impl Entry {
    fn revokes(&self, facts: &TokenFacts, iat: Option<Seconds>) -> bool {
        if let Some(jti) = self.jti {
            return facts.jti == Some(jti);
        }
        let is_older = || iat.is_none_or(|iat| Some(iat) <= self.before);
        let fits_sub = self.sub.is_none_or(|sub| facts.sub == Some(sub));
        let fits_client = self
            .client_id
            .is_none_or(|client| facts.clients().any(|c| c == client));
        let names_any = self.sub.is_some() || self.client_id.is_some();
        names_any && fits_sub && fits_client && is_older()
    }

    /// Whether no token that it could match was left when the list was last swept.
    fn may_be_forgotten(&self, owner: Owner, swept: Micros) -> bool {
        let lifetime = match owner {
            Owner::Issuer(Issuer::Short) => self.before.map(|t| t * SECOND + MAX_LIFETIME),
            _ => None,
        };
        let ends = self.exp.map(|exp| exp * SECOND).or(lifetime);
        ends.is_some_and(|ends| swept >= ends + CLOCK_TOLERANCE)
    }
}

// === impl Judgment ===

impl Judgment {
    fn refuse(&mut self, code: Code) {
        self.refusals.insert(code);
    }

    fn refuse_if(&mut self, is_refused: bool, code: Code) {
        if is_refused {
            self.refuse(code);
        }
    }

    fn doubt_if(&mut self, is_doubtful: bool, code: Code) {
        if is_doubtful {
            self.doubts.insert(code);
        }
    }

    fn bind(&mut self, certificate: Option<usize>, asked: &Asked) {
        let is_held = certificate.is_none() || certificate == asked.certificate;
        self.refuse_if(!is_held, "INVALID_TOKEN");
    }
}

// === impl Identity ===

impl Identity {
    fn of(issuer: Issuer, facts: &TokenFacts, payload: String) -> Self {
        Identity {
            issuer: Some(issuer),
            subject: facts.sub,
            client: facts.clients().next(),
            tenant: facts.tenant,
            scopes: facts.scopes(),
            key_id: None,
            payload: Some(payload),
        }
    }

    /// The headers that upstreams get, scopes in order.
    pub fn headers(&self) -> BTreeMap<String, String> {
        let scopes = Some(self.scopes.join(" ")).filter(|scopes| !scopes.is_empty());
        let text = |text: Option<&str>| text.map(str::to_owned);
        let provider = self.issuer.map_or("api_keys", Issuer::name);
        let headers = [
            ("x-auth-subject", text(self.subject)),
            ("x-auth-client-id", text(self.client)),
            ("x-auth-scopes", scopes),
            ("x-auth-tenant", text(self.tenant)),
            ("x-auth-provider", text(Some(provider))),
            ("x-auth-key-id", text(self.key_id)),
            ("x-auth-claims", self.payload.clone()),
        ];
        let given = headers.into_iter();
        given
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect()
    }
}

/// The clock of the filter.
pub fn clock(now: Micros) -> portcullis_core::time::UnixTime {
    portcullis_core::time::UnixTime::from_micros(NOW.as_micros() + now)
}
