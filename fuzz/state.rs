//! Simulates one worker over time: requests that wait, answers in any order, keys and lists that change, a
//! clock that jumps both ways. The input is a program of events. After each event, the decisions of the filter
//! are compared with a [`Model`].
//!
//! A program is text: a letter for each event, followed by one character for each operand: `0` to `9`, `a` to
//! `z` and `A` to `Z` stand for 0 to 61. Other characters are skipped, so a program may have lines.
//!
//! | | |
//! |---|---|
//! | `r` rule, credential | a GET; `w` a POST, which asks for the scope `write` |
//! | `c` certificate | what the clients of later requests show; the last is none |
//! | `i` which, how, who, scopes, times | an endpoint answers one of the questions about tokens |
//! | `s` which, list | a status list comes for one of those who wait for one |
//! | `f` which | one of the calls that requests wait for fails |
//! | `k` issuer, set | this worker fetches a JWK Set; `K` another one does |
//! | `p` list | this worker fetches API keys; `P` another one does |
//! | `l` source | this worker looks at what others fetched |
//! | `e` list, entry | the authority puts an entry on a revocation list |
//! | `x` list, how | it begins the list anew: without its entries, or with them |
//! | `q` list | this worker polls; `Q` another one does |
//! | `g` list | this worker begins a poll, and `h` list takes the next page of it |
//! | `b` list | a poll of this worker brings what cannot be honoured |
//! | `y` list, steps | this worker reads what others polled; the last step is the end |
//! | `v` | this worker's VM is lost, and begins anew |
//! | `+` time, `-` time | the clock goes on, or back |

mod cast;
mod model;

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::time::Duration;

use portcullis_core::decision::{Decision, Verdict};
use portcullis_core::effects::{self, Outcome};
use portcullis_core::evaluation::{self, Step, Waiting};
use portcullis_core::policy::{self, Policy};
use portcullis_core::request::Request;
use portcullis_core::revocation::{ListReplica, Poll, Progress, SharedKey, Update};
use portcullis_core::secret::FingerprintKey;
use portcullis_core::time::UnixTime;
use portcullis_core::verification::callout::{
    CallFault, Callout, Fetch, Question, Reply, Standing,
};
use portcullis_core::verification::signature::Verifier;
use portcullis_core::verification::source::SourceId;
use portcullis_core::verification::{Provenance, State};

use crate::targets::{NOW, SHARED_KEYS, check_effects, edited, provider};

use self::cast::{
    API_KEY_ENTRIES, API_KEY_LISTS, Answer, CERTIFICATES, Credential, Entry, Issuer, KEY_SETS,
    RULES, STATUS_LISTS, Says, TOKEN_ENTRIES, TOKENS,
};
use self::model::{Asked, Fetched, List, Micros, Model, OWNERS, Owner, SECOND, Told, clock};

/// Limits of a program.
const STEPS: usize = 64;
const WAITING: usize = 8;

/// Each kind of callout is asked for once, so no request waits longer than this.
const KINDS: usize = 6;

/// Entries on one page of a revocation list.
const PAGE: usize = 2;

/// What a clock may do at once.
const TIMES: [Micros; 16] = [
    1000,
    SECOND,
    4 * SECOND,
    5 * SECOND,
    6 * SECOND,
    20 * SECOND,
    29 * SECOND,
    30 * SECOND,
    31 * SECOND,
    60 * SECOND,
    61 * SECOND,
    600 * SECOND,
    601 * SECOND,
    3600 * SECOND,
    3601 * SECOND,
    86_400 * SECOND,
];

/// Runs a program. Says whether the last request that was decided passed.
pub fn run(policy: Rc<Policy>, program: &[u8]) -> bool {
    let mut world = World::new(policy);
    let mut rest = program;
    for _ in 0..STEPS {
        if !world.step(&mut rest) {
            break;
        }
        world.check_memory();
    }
    world.end();
    world.last_passed
}

struct World {
    policy: Rc<Policy>,
    /// How many hold the policy beside those who wait.
    holders: usize,
    state: State,
    /// What another worker knows.
    other: State,
    model: Model,
    waiting: Vec<Pending>,
    /// What the clients of new requests show.
    certificate: Option<usize>,
    keys: BTreeMap<Issuer, Shared>,
    api_keys: Shared,
    lists: BTreeMap<Owner, SharedList>,
    last_passed: bool,
}

struct Pending {
    asked: Asked,
    told: Told,
    waiting: Waiting,
    callout: Callout,
    /// What it was asked for so far.
    kinds: Vec<&'static str>,
}

/// A document that workers share, as the one that fetched last found it.
#[derive(Default)]
struct Shared {
    published: Option<Fetched>,
    /// Whether this worker has it.
    is_held: bool,
}

/// A revocation list: at the authority, and between the workers.
#[derive(Default)]
struct SharedList {
    entries: Vec<Entry>,
    epoch: usize,
    values: HashMap<SharedKey, Vec<u8>>,
    published: Option<List>,
    writer: u64,
    /// What this worker has begun.
    poll: Option<Polling>,
}

/// A poll, and what its pages brought.
struct Polling {
    poll: Poll,
    brought: List,
}

/// What a page leads to.
enum Served {
    More(Polling),
    Complete(Update, List),
}

// === the program ===

impl World {
    fn new(policy: Rc<Policy>) -> Self {
        World {
            holders: Rc::strong_count(&policy),
            state: fresh(&policy, NOW),
            other: fresh(&policy, NOW),
            policy,
            model: Model::default(),
            waiting: Vec::new(),
            certificate: None,
            keys: [Issuer::Corp, Issuer::Plain]
                .map(|issuer| (issuer, Shared::default()))
                .into(),
            api_keys: Shared::default(),
            lists: OWNERS.map(|owner| (owner, SharedList::default())).into(),
            last_passed: false,
        }
    }

    fn now(&self) -> UnixTime {
        clock(self.model.now)
    }

    /// The next thing that happens; nothing more where the program ends.
    fn step(&mut self, rest: &mut &[u8]) -> bool {
        let Some((letter, tail)) = rest.split_first() else {
            return false;
        };
        *rest = tail;
        let mut operand = |bound: usize| {
            let (byte, tail) = rest.split_first().unwrap_or((&b'0', &[]));
            *rest = tail;
            let value = match byte {
                b'0'..=b'9' => byte - b'0',
                b'a'..=b'z' => byte - b'a' + 10,
                b'A'..=b'Z' => byte - b'A' + 36,
                other => *other,
            };
            usize::from(value) % bound
        };
        const ANY: usize = 256;
        match letter {
            b'r' | b'w' => {
                let asked = Asked {
                    rule: operand(RULES.len()),
                    write: *letter == b'w',
                    credential: Credential::nth(operand(ANY)),
                    certificate: self.certificate,
                };
                self.begin(asked);
            }
            b'c' => {
                let shown = operand(CERTIFICATES.len() + 1);
                self.certificate = Some(shown).filter(|shown| *shown < CERTIFICATES.len());
            }
            b'i' => {
                let which = operand(WAITING);
                let choice = [operand(ANY), operand(ANY), operand(ANY), operand(ANY)];
                self.answer(which, choice);
            }
            b's' => {
                let (which, list) = (operand(WAITING), operand(STATUS_LISTS.len() + 1));
                self.serve_statuses(which, list);
            }
            b'f' => {
                let which = operand(WAITING);
                self.fail(which);
            }
            b'k' | b'K' => {
                let issuer = [Issuer::Corp, Issuer::Plain][operand(2)];
                let set = operand(KEY_SETS.len());
                self.fetch_keys(issuer, set, *letter == b'k');
            }
            b'p' | b'P' => {
                let list = operand(API_KEY_LISTS.len());
                self.fetch_api_keys(list, *letter == b'p');
            }
            b'l' => match operand(3) {
                0 => self.look_at_keys(Issuer::Corp),
                1 => self.look_at_keys(Issuer::Plain),
                _ => self.look_at_api_keys(),
            },
            b'e' => {
                let (owner, entry) = (OWNERS[operand(OWNERS.len())], operand(ANY));
                let entry = match owner {
                    Owner::ApiKeys => API_KEY_ENTRIES[entry % API_KEY_ENTRIES.len()],
                    Owner::Issuer(_) => TOKEN_ENTRIES[entry % TOKEN_ENTRIES.len()],
                };
                self.list(owner).entries.push(entry);
            }
            b'x' => {
                let (owner, keeps) = (OWNERS[operand(OWNERS.len())], operand(2) == 1);
                let list = self.list(owner);
                list.epoch += 1;
                if !keeps {
                    list.entries.clear();
                }
            }
            b'q' => {
                let owner = OWNERS[operand(OWNERS.len())];
                self.begin_poll(owner);
                while self.list(owner).poll.is_some() {
                    self.take_page(owner);
                }
            }
            b'Q' => {
                self.poll_elsewhere(OWNERS[operand(OWNERS.len())]);
            }
            b'g' => self.begin_poll(OWNERS[operand(OWNERS.len())]),
            b'h' => self.take_page(OWNERS[operand(OWNERS.len())]),
            b'b' => self.take_bad_page(OWNERS[operand(OWNERS.len())]),
            b'y' => {
                let (owner, steps) = (OWNERS[operand(OWNERS.len())], operand(4));
                self.follow(owner, Some(steps).filter(|steps| *steps < 3));
            }
            b'v' => self.lose_vm(),
            b'+' => self.move_clock(TIMES[operand(TIMES.len())]),
            b'-' => self.move_clock(-TIMES[operand(TIMES.len())]),
            _ => {}
        }
        true
    }

    /// Ends every wait: the calls in flight fail, one after the other.
    fn end(&mut self) {
        for _ in 0..=WAITING * KINDS {
            if self.waiting.is_empty() {
                break;
            }
            self.fail(0);
        }
        assert!(self.waiting.is_empty(), "a request that waits for ever");
        self.check_memory();
        self.check_caches();
    }

    fn list(&mut self, owner: Owner) -> &mut SharedList {
        self.lists.get_mut(&owner).expect("a list")
    }

    /// Workers look at the clock several times a second, whether anybody asks or not.
    fn move_clock(&mut self, by: Micros) {
        self.model.move_clock(by);
        let now = self.now();
        self.state.see(now);
        self.other.see(now);
    }

    fn lose_vm(&mut self) {
        self.state = fresh(&self.policy, self.now());
        // Their streams wait for a VM that is gone.
        self.waiting.clear();
        self.model.forget();
        for shared in self.keys.values_mut().chain([&mut self.api_keys]) {
            shared.is_held = false;
        }
        for list in self.lists.values_mut() {
            list.poll = None;
        }
    }
}

/// What a worker knows that has begun now.
fn fresh(policy: &Policy, now: UnixTime) -> State {
    let mut state = State::new(policy, Verifier::software(), FingerprintKey::new([7; 16]));
    state.see(now);
    state
}

fn issuer_of(policy: &Policy, owner: Owner) -> policy::CredentialSource {
    match owner {
        Owner::ApiKeys => policy::CredentialSource::ApiKeys,
        Owner::Issuer(issuer) => {
            policy::CredentialSource::Provider(provider(policy, issuer.name()))
        }
    }
}

// === requests ===

impl World {
    fn begin(&mut self, asked: Asked) {
        if self.waiting.len() >= WAITING {
            return;
        }
        let headers = headers(&asked);
        let headers = borrowed(&headers);
        let request = Request::from_headers(&headers);
        let now = self.now();
        let step = evaluation::begin(&self.policy, &mut self.state, &request, now);
        self.advance(asked, Told::default(), Vec::new(), step, &request);
    }

    fn advance(
        &mut self,
        asked: Asked,
        told: Told,
        mut kinds: Vec<&'static str>,
        mut step: Step,
        request: &Request<'_>,
    ) {
        loop {
            self.model.use_statuses(&asked, &told);
            let (waiting, callout) = match step {
                Step::Decided(decision) => {
                    return self.check(&asked, &told, &decision, request);
                }
                Step::Await(waiting, callout) => (waiting, callout),
            };
            let kind = kind(&callout);
            assert!(!kinds.contains(&kind), "{kind}: asked for twice");
            kinds.push(kind);
            self.check_callout(&asked, &told, &callout);
            let Callout::ClientCertificate = callout else {
                return self.waiting.push(Pending {
                    asked,
                    told,
                    waiting,
                    callout,
                    kinds,
                });
            };
            let shown = asked.certificate.map(|shown| CERTIFICATES[shown]);
            let reply = Reply::ClientCertificate(shown);
            step = waiting.resume(&mut self.state, request, reply, clock(self.model.now));
        }
    }

    /// Continues all requests that wait for this reply.
    fn wake(
        &mut self,
        is_awaited: impl Fn(&Callout) -> bool,
        reply: &Reply,
        mut tell: impl FnMut(&mut Told),
    ) {
        let (woken, waiting) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|pending: &Pending| is_awaited(&pending.callout));
        self.waiting = waiting;
        for pending in Vec::from_iter::<Vec<Pending>>(woken) {
            let Pending {
                asked,
                mut told,
                waiting,
                kinds,
                ..
            } = pending;
            tell(&mut told);
            let headers = headers(&asked);
            let headers = borrowed(&headers);
            let request = Request::from_headers(&headers);
            let now = self.now();
            let step = waiting.resume(&mut self.state, &request, reply.clone(), now);
            self.advance(asked, told, kinds, step, &request);
        }
    }

    fn wake_for(&mut self, source: SourceId, fetch: Fetch) {
        let awaited = |callout: &Callout| matches!(callout, Callout::Source(s) if *s == source);
        self.wake(awaited, &Reply::Source(source, fetch), |_| {});
    }

    /// Compares a verdict with the model's.
    fn check(&mut self, asked: &Asked, told: &Told, decision: &Decision, request: &Request<'_>) {
        let judgment = self.model.judge(asked, told);
        let at = || format!("{asked:?} {told:?} {judgment:?} {:?}", self.model);
        let now = self.now();
        check_effects(&self.policy, request, decision, now);
        let effects = effects::of(&self.policy, request, decision, now);
        let mutations = match (&decision.verdict, &effects.outcome) {
            (Verdict::Deny(denial), Outcome::Answer { mutations, .. }) => {
                let left = edited(request, mutations);
                assert!(identity_of(&left).is_empty(), "logs would show it");
                let code = denial.code.name();
                let is_known = judgment.refusals.contains(code) || judgment.doubts.contains(code);
                assert!(is_known, "refused with {code}: {}", at());
                self.last_passed = false;
                return;
            }
            (Verdict::Allow(permit), Outcome::Continue(mutations)) => {
                assert!(judgment.refusals.is_empty(), "passes: {}", at());
                let is_known = judgment.identity.is_some();
                assert_eq!(permit.caller().is_some(), is_known, "{}", at());
                mutations
            }
            (Verdict::Allow(_), Outcome::Answer { .. }) => panic!("allowed, and refused"),
            (Verdict::Metadata(_), _) => panic!("no resource is configured"),
            (Verdict::Deny(_), Outcome::Continue(_)) => panic!("refused, and allowed"),
        };
        self.last_passed = true;
        let onward = edited(request, mutations);
        let found = identity_of(&onward);
        let expected = judgment
            .identity
            .as_ref()
            .map(|identity| identity.headers());
        assert_eq!(found, expected.unwrap_or_default(), "{}", at());
        for name in [&b"authorization"[..], b"x-api-key"] {
            assert!(
                onward.iter().all(|(n, _)| *n != name),
                "a credential goes on"
            );
        }
    }

    /// No service is asked about a token that is refused anyway: an attacker must not cause calls.
    fn check_callout(&self, asked: &Asked, told: &Told, callout: &Callout) {
        let Callout::Ask(question, call) = callout else {
            return;
        };
        let judgment = self.model.judge(asked, told);
        match question {
            Question::Introspection { provider, .. } => {
                assert!(judgment.may_ask_issuer, "{asked:?} {judgment:?}");
                let name = &self.policy.providers[provider.0].name;
                if call.standing == Standing::Known {
                    let issuer = self.introspects(question);
                    let token = asked.credential.token();
                    let is_verified =
                        issuer != Issuer::Opaque && token.is_some_and(|t| t.issuer == issuer);
                    let was_active = self.model.was_active(issuer, asked.credential);
                    assert!(is_verified || was_active, "a stranger passes for known");
                }
                assert_eq!(&*call.endpoint.path, format!("/introspect/{name}"));
                let token = asked.credential.bearer().expect("a token").as_bytes();
                let body = [b"token=", token, b"&token_type_hint=access_token"].concat();
                assert_eq!(call.body, body, "asks about another token");
            }
            Question::StatusList { uri, .. } => {
                assert!(judgment.may_ask_status, "{asked:?} {judgment:?}");
                assert!(uri.ends_with(&*call.endpoint.path), "{uri}");
            }
        }
    }

    /// The caller keeps waiting requests; the core must not.
    fn check_memory(&self) {
        let holders = Rc::strong_count(&self.policy);
        assert_eq!(holders, self.holders + self.waiting.len());
    }

    /// Sends each token once more. All of them are in the cache already, because new tokens come last.
    fn check_caches(&mut self) {
        let limits = &self.policy.limits;
        let most = [
            limits.token_cache_entries,
            limits.introspection_cache_entries,
        ];
        let mut remembered = [0, 0];
        for n in 0..64 {
            let credential = Credential::nth(n);
            let (rule, counter) = match credential {
                Credential::Token(n) if TOKENS[n].issuer == Issuer::Short => ("/short", 0),
                Credential::Opaque(_) => ("/opaque", 1),
                _ => continue,
            };
            let asked = Asked {
                rule: RULES.iter().position(|r| r.path == rule).expect("a rule"),
                write: false,
                credential,
                certificate: None,
            };
            let headers = headers(&asked);
            let headers = borrowed(&headers);
            let request = Request::from_headers(&headers);
            let now = self.now();
            let step = evaluation::begin(&self.policy, &mut self.state, &request, now);
            let Step::Decided(decision) = step else {
                continue;
            };
            let caller = match &decision.verdict {
                Verdict::Allow(permit) => permit.caller(),
                Verdict::Metadata(_) => None,
                Verdict::Deny(denial) => denial.caller.as_ref(),
            };
            if let Some(Provenance::Cache { .. }) = caller.map(|caller| caller.provenance()) {
                remembered[counter] += 1;
            }
        }
        assert!(
            remembered[0] <= most[0] && remembered[1] <= most[1],
            "{remembered:?}"
        );
    }
}

/// The headers of an identity, however they are spelled, and scopes in order.
fn identity_of(headers: &[(&[u8], &[u8])]) -> BTreeMap<String, String> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    let mut found = BTreeMap::new();
    for (name, value) in headers {
        if name.starts_with(b"x") && name.get(2..6) == Some(b"auth") {
            let mut words: Vec<&[u8]> = value.split(|b| *b == b' ').collect();
            words.sort_unstable();
            found.insert(text(name), text(&words.join(&b' ')));
        }
    }
    found
}

fn kind(callout: &Callout) -> &'static str {
    match callout {
        Callout::ClientCertificate => "a certificate",
        Callout::Source(SourceId::Keys(_)) => "keys",
        Callout::Source(SourceId::ApiKeys) => "API keys",
        Callout::Source(SourceId::Revocation(_)) => "a revocation list",
        Callout::Ask(Question::Introspection { .. }, _) => "introspection",
        Callout::Ask(Question::StatusList { .. }, _) => "a status list",
        Callout::Spend(_) => "what counts once",
    }
}

type Headers = Vec<(&'static str, String)>;

/// With an identity of its own, in three spellings.
fn headers(asked: &Asked) -> Headers {
    let method = if asked.write { "POST" } else { "GET" };
    let mut headers = vec![
        (":method", method.to_owned()),
        (":authority", "api.example.com".to_owned()),
        (":path", RULES[asked.rule].path.to_owned()),
        ("x-auth-subject", "root".to_owned()),
        ("x_auth_scopes", "admin".to_owned()),
        ("x.auth.tenant", "other".to_owned()),
    ];
    if let Some(token) = asked.credential.bearer() {
        headers.push(("authorization", format!("Bearer {token}")));
    }
    if let Some(key) = asked.credential.api_key() {
        headers.push(("x-api-key", cast::api_key_secret(key)));
    }
    headers
}

fn borrowed(headers: &Headers) -> Vec<(&[u8], &[u8])> {
    let borrowed = headers.iter();
    borrowed
        .map(|(n, v)| (n.as_bytes(), v.as_bytes()))
        .collect()
}

// === answers ===

impl World {
    /// Those who wait for an answer of that kind, each question once.
    fn nth_question(
        &self,
        which: usize,
        is_kind: fn(&Question) -> bool,
    ) -> Option<(Question, Asked)> {
        let mut questions: Vec<(Question, Asked)> = Vec::new();
        for pending in &self.waiting {
            if let Callout::Ask(question, _) = &pending.callout
                && is_kind(question)
                && questions.iter().all(|(known, _)| known != question)
            {
                questions.push((question.clone(), pending.asked));
            }
        }
        let count = questions.len().max(1);
        questions.into_iter().nth(which % count)
    }

    fn answer(&mut self, which: usize, choice: [usize; 4]) {
        let is_kind = |question: &Question| matches!(question, Question::Introspection { .. });
        let Some((question, asked)) = self.nth_question(which, is_kind) else {
            return;
        };
        let issuer = self.introspects(&question);
        let token = asked.credential.token().map(|token| &token.facts);
        let answer = Answer::new(issuer, choice, token, self.model.seconds());
        let text = match answer.says {
            Says::Nothing => Err(CallFault::Timeout),
            _ => Ok(answer.text.clone()),
        };
        let said = self.model.hear(issuer, asked.credential, answer);
        let text = text.as_ref().map(|text| text.as_bytes()).map_err(|f| *f);
        let now = self.now();
        let reply = self.state.learn(&self.policy, &question, text, now);
        let awaited = |callout: &Callout| matches!(callout, Callout::Ask(q, _) if *q == question);
        self.wake(awaited, &reply, |told| told.answer = Some(Rc::clone(&said)));
    }

    fn introspects(&self, question: &Question) -> Issuer {
        let Question::Introspection { provider, .. } = question else {
            panic!("{question:?}");
        };
        let name = &self.policy.providers[provider.0].name;
        let issuer = Issuer::CONFIGURED.into_iter().find(|i| i.name() == &**name);
        issuer.expect("a provider")
    }

    fn serve_statuses(&mut self, which: usize, list: usize) {
        let is_kind = |question: &Question| matches!(question, Question::StatusList { .. });
        let Some((question, asked)) = self.nth_question(which, is_kind) else {
            return;
        };
        let token = asked.credential.token().expect("a token");
        let (at, _) = token.status.expect("a status");
        let list = Some(list).filter(|list| *list < STATUS_LISTS.len());
        let text = match list {
            Some(list) => Ok(cast::status_list_text(list).as_bytes()),
            None => Err(CallFault::Status(500)),
        };
        let now = self.now();
        let reply = self.state.learn(&self.policy, &question, text, now);
        let statuses = self.model.receive_statuses(at, list);
        let awaited = |callout: &Callout| matches!(callout, Callout::Ask(q, _) if *q == question);
        self.wake(awaited, &reply, |told| told.statuses = Some(statuses));
    }

    fn fail(&mut self, which: usize) {
        let count = self.waiting.len().max(1);
        let Some(pending) = self.waiting.get(which % count) else {
            return;
        };
        match &pending.callout {
            Callout::Source(source) => {
                let retry_after = Duration::from_secs(1);
                self.wake_for(*source, Fetch::Failed { retry_after });
            }
            Callout::Ask(Question::Introspection { .. }, _) => {
                let position = self.position(which % count);
                self.answer(position, [14, 0, 0, 0]);
            }
            Callout::Ask(Question::StatusList { .. }, _) => {
                let position = self.position(which % count);
                self.serve_statuses(position, STATUS_LISTS.len());
            }
            Callout::ClientCertificate | Callout::Spend(_) => panic!("nobody is asked"),
        }
    }

    /// Among the questions of its kind, each once, that of this request.
    fn position(&self, index: usize) -> usize {
        let question_of = |pending: &Pending| match &pending.callout {
            Callout::Ask(question, _) => Some(question.clone()),
            _ => None,
        };
        let wanted = question_of(&self.waiting[index]).expect("a question");
        let mut seen: Vec<Question> = Vec::new();
        for question in self.waiting[..index].iter().filter_map(question_of) {
            if question.service() == wanted.service() && !seen.contains(&question) {
                seen.push(question);
            }
        }
        let known = seen.iter().position(|question| *question == wanted);
        known.unwrap_or(seen.len())
    }
}

// === documents ===

impl World {
    fn fetch_keys(&mut self, issuer: Issuer, set: usize, is_own: bool) {
        let source = self.keys_of(issuer);
        if KEY_SETS[set].is_none() {
            let read = source.parse_document(&self.policy, cast::key_set_text(set).as_bytes());
            assert!(read.is_err(), "what nobody can read");
            return self.wake_for(source, FAILED);
        }
        let shared = self.keys.get_mut(&issuer).expect("remote keys");
        *shared = Shared {
            published: Some(self.model.fetched(set)),
            is_held: false,
        };
        if is_own {
            self.look_at_keys(issuer);
        }
    }

    /// Takes what was fetched last, unless it has it.
    fn look_at_keys(&mut self, issuer: Issuer) {
        let shared = self.keys.get_mut(&issuer).expect("remote keys");
        let Some(fetched) = shared.published.filter(|_| !shared.is_held) else {
            return;
        };
        shared.is_held = true;
        self.model.keys.insert(issuer, self.model.taken(fetched));
        let text = cast::key_set_text(fetched.document);
        self.adopt(self.keys_of(issuer), text, fetched.at);
    }

    fn fetch_api_keys(&mut self, list: usize, is_own: bool) {
        let source = SourceId::ApiKeys;
        if API_KEY_LISTS[list].is_none() {
            let read =
                source.parse_document(&self.policy, cast::api_key_list_text(list).as_bytes());
            assert!(read.is_err(), "what nobody can read");
            return self.wake_for(source, FAILED);
        }
        self.api_keys = Shared {
            published: Some(self.model.fetched(list)),
            is_held: false,
        };
        if is_own {
            self.look_at_api_keys();
        }
    }

    fn look_at_api_keys(&mut self) {
        let shared = &mut self.api_keys;
        let Some(fetched) = shared.published.filter(|_| !shared.is_held) else {
            return;
        };
        shared.is_held = true;
        self.model.api_keys = Some(self.model.taken(fetched));
        let text = cast::api_key_list_text(fetched.document);
        self.adopt(SourceId::ApiKeys, text, fetched.at);
    }

    fn adopt(&mut self, source: SourceId, text: &str, at: Micros) {
        let read = source.parse_document(&self.policy, text.as_bytes());
        let (document, warnings) = read.expect("a document");
        assert!(warnings.is_empty(), "{warnings:?}");
        self.state
            .adopt(source, document, clock(at.min(self.model.now)));
        self.wake_for(source, Fetch::Arrived);
    }

    fn keys_of(&self, issuer: Issuer) -> SourceId {
        SourceId::Keys(provider(&self.policy, issuer.name()))
    }
}

const FAILED: Fetch = Fetch::Failed {
    retry_after: Duration::ZERO,
};

// === revocation lists ===

impl World {
    fn replica(&mut self, owner: Owner) -> &mut ListReplica {
        let issuer = issuer_of(&self.policy, owner);
        self.state.list_mut(issuer).expect("a list")
    }

    /// Reads so many values of what others published, or all of it.
    fn follow(&mut self, owner: Owner, steps: Option<usize>) {
        let now = self.now();
        let issuer = issuer_of(&self.policy, owner);
        let list = self.lists.get_mut(&owner).expect("a list");
        let replica = self.state.list_mut(issuer).expect("a list");
        // What is read in part may count in part.
        let arriving = list.published.iter().flat_map(|list| &list.entries);
        let possible = self.model.arriving.entry(owner).or_default();
        possible.extend(arriving.copied());
        let was_at_it = replica.wants().is_some();
        let before = replica.version();
        replica.refresh();
        let is_done = read(replica, &list.values, steps, now);
        if is_done && was_at_it {
            // It may have read of a list that was not the last one any more.
            replica.refresh();
            read(replica, &list.values, None, now);
        }
        let replica = &*replica;
        if replica.wants().is_some() {
            return;
        }
        self.model.arriving.remove(&owner);
        let Some(published) = list.published.clone() else {
            assert!(replica.store().is_none(), "follows what is not there");
            return;
        };
        assert_eq!(replica.version(), Some(list.writer), "not the last");
        if replica.version() == before {
            return;
        }
        let followed = self.model.followed(&published);
        self.model.lists.insert(owner, followed);
        self.wake_for(SourceId::Revocation(issuer), Fetch::Arrived);
    }

    fn begin_poll(&mut self, owner: Owner) {
        self.follow(owner, None);
        // No two polls begin at the same time.
        self.move_clock(1);
        let poll = self.replica(owner).poll([7; 16]);
        let brought = self.model.polled(self.model.lists.get(&owner));
        self.list(owner).poll = Some(Polling { poll, brought });
    }

    fn take_page(&mut self, owner: Owner) {
        let now = self.model.now;
        let Some(polling) = self.list(owner).poll.take() else {
            return;
        };
        match self.list(owner).serve(polling, now) {
            Served::More(polling) => self.list(owner).poll = Some(polling),
            Served::Complete(update, brought) => {
                let list = self.lists.get_mut(&owner).expect("a list");
                let issuer = issuer_of(&self.policy, owner);
                let replica = self.state.list_mut(issuer).expect("a list");
                let is_taken = list.publish(replica, update, &brought, now);
                let fetch = if is_taken {
                    self.model.lists.insert(owner, brought);
                    Fetch::Arrived
                } else {
                    FAILED
                };
                self.wake_for(SourceId::Revocation(issuer), fetch);
            }
        }
    }

    /// Another worker polls, from the first page to the last.
    fn poll_elsewhere(&mut self, owner: Owner) {
        self.move_clock(1);
        let now = self.model.now;
        let issuer = issuer_of(&self.policy, owner);
        let list = self.lists.get_mut(&owner).expect("a list");
        let replica = self.other.list_mut(issuer).expect("a list");
        replica.refresh();
        read(replica, &list.values, None, clock(now));
        let mut polling = Polling {
            poll: replica.poll([9; 16]),
            brought: self.model.polled(list.published.as_ref()),
        };
        let (update, brought) = loop {
            match list.serve(polling, now) {
                Served::More(next) => polling = next,
                Served::Complete(update, brought) => break (update, brought),
            }
        };
        let is_taken = list.publish(replica, update, &brought, now);
        assert!(is_taken, "nobody else publishes");
    }

    /// An update that cannot be used changes nothing.
    fn take_bad_page(&mut self, owner: Owner) {
        self.follow(owner, None);
        let poll = self.replica(owner).poll([7; 16]);
        let page = br#"{"cursor":"bad","reset":true,"revoked":[{"sub":"alice"}]}"#;
        assert!(poll.take(page, self.now()).is_err(), "what has no meaning");
        self.list(owner).poll = None;
        let issuer = issuer_of(&self.policy, owner);
        self.wake_for(SourceId::Revocation(issuer), FAILED);
    }
}

/// Whether everything was read.
fn read(
    replica: &mut ListReplica,
    values: &HashMap<SharedKey, Vec<u8>>,
    steps: Option<usize>,
    now: UnixTime,
) -> bool {
    for _ in 0..steps.unwrap_or(4 * SHARED_KEYS) {
        let Some(key) = replica.wants() else {
            return true;
        };
        replica.feed(values.get(&key).map(Vec::as_slice), now);
    }
    assert!(
        steps.is_some() || replica.wants().is_none(),
        "reads for ever"
    );
    replica.wants().is_none()
}

impl SharedList {
    /// The authority's answer to a poll: its next page, or what all of them brought.
    fn serve(&self, polling: Polling, now: Micros) -> Served {
        let Polling { poll, mut brought } = polling;
        let since = poll.since();
        let parsed = since.as_deref().map(|since| {
            let (epoch, from) = since.split_once('-').expect("our own cursor");
            let number = |text: &str| text.parse::<usize>().expect("our own cursor");
            (number(epoch), number(from))
        });
        let known = parsed.filter(|(epoch, _)| *epoch == self.epoch);
        let from = known.map_or(0, |(_, from)| from);
        if known.is_none() {
            brought.begin_anew(now);
        }
        brought.sweep(now);
        let to = self.entries.len().min(from + PAGE);
        let page = &self.entries[from..to];
        brought.entries.extend(page);
        let entries: Vec<String> = page.iter().map(|entry| entry.to_json()).collect();
        let body = format!(
            "{{\"cursor\":\"{}-{to}\",\"more\":{},\"reset\":{},\"revoked\":[{}]}}",
            self.epoch,
            to < self.entries.len(),
            known.is_none() && since.is_some(),
            entries.join(",")
        );
        match poll.take(body.as_bytes(), clock(now)) {
            Ok(Progress::More(poll)) => Served::More(Polling { poll, brought }),
            Ok(Progress::Complete(update)) => Served::Complete(update, brought),
            Err(invalid) => panic!("{invalid}: {body}"),
        }
    }

    /// Whether nobody else was faster.
    fn publish(
        &mut self,
        replica: &mut ListReplica,
        update: Update,
        brought: &List,
        now: Micros,
    ) -> bool {
        let writer = self.writer + 1;
        let head = self.values.get(&SharedKey::Head).map(Vec::as_slice);
        let (as_of, now) = (clock(brought.as_of), clock(now));
        let Ok(mark) = replica.publish(update, head, writer, as_of, now) else {
            return false;
        };
        self.values.insert(SharedKey::Head, mark);
        while let Some(write) = replica.next_write(now) {
            self.values.insert(write.key, write.bytes);
        }
        self.published = Some(brought.clone());
        self.writer = writer;
        true
    }
}
