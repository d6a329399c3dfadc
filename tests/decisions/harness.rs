//! A filter without a host, requests, and answers that are checked against the contract as they
//! are made.

// The contract's codes and the issuer of the tests on a real Envoy serve here too, with a clock that stands still.
#[path = "../envoy/harness/codes.rs"]
mod codes;

#[allow(dead_code)]
#[path = "../envoy/harness/keys.rs"]
pub mod keys;

#[allow(dead_code)]
#[path = "../envoy/harness/policy.rs"]
pub mod policy;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use portcullis_core::effects::{self, Counter, HeaderMutation, LocalReply, Outcome};
use portcullis_core::evaluation::{self, Step, Waiting};
use portcullis_core::keys::{KeySet, Origin};
#[cfg(feature = "ai")]
use portcullis_core::passage::Passage;
use portcullis_core::policy::provider::CredentialSource;
use portcullis_core::policy::{Policy, ProviderId, compile};
use portcullis_core::request::Request;
use portcullis_core::revocation::{Progress, SharedKey};
use portcullis_core::secret::FingerprintKey;
use portcullis_core::spent::{Mark, Spending, Spent};
use portcullis_core::time::UnixTime;
use portcullis_core::verification::State;
#[cfg(feature = "ai")]
use portcullis_core::verification::callout::BodyArrival;
use portcullis_core::verification::callout::{Callout, Fetch, Reply};
use portcullis_core::verification::signature::Verifier;
use portcullis_core::verification::source::{Document, SourceId};
use portcullis_core::verification::spending::{self, Expense};
use serde_json::Value;

use crate::tables::Tables;
pub use crate::tables::{Ask, PASSES, get, preflight};

pub const NOW: i64 = 1_700_000_000;

/// Which backend judges the tables here.
pub const IS_NATIVE: bool = true;

pub fn now() -> i64 {
    NOW
}

/// What the VM's environment holds in these tests.
pub const PEPPER: &str = "0123456789abcdef0123";

const FINGERPRINTS: FingerprintKey = FingerprintKey::new(*b"the same always.");

// === the filter ===

/// Buckets by the scope of their table and their number; workers have it in common.
pub type SharedSpent = Rc<RefCell<HashMap<(Box<str>, usize), Vec<u8>>>>;

pub struct Filter {
    pub policy: Rc<Policy>,
    pub state: State,
    pub now: UnixTime,
    /// What the connection's client showed.
    pub certificate: Option<[u8; 32]>,
    /// What workers share of what counts once.
    pub spent: SharedSpent,
    /// What workers share of the first provider's list.
    list_head: Option<Vec<u8>>,
    writer: u64,
}

/// What came of the fetch of the first provider's keys.
pub const fn fetched(fetch: Fetch) -> Reply {
    Reply::Source(SourceId::Keys(ProviderId(0)), fetch)
}

pub enum Stage {
    Answered(Answer),
    Waits(Waiting, Callout),
}

impl Filter {
    pub fn new(config: Value) -> Self {
        Self::from_text(&config.to_string()).unwrap_or_else(|faults| panic!("{faults}\n{config:#}"))
    }

    /// The same with another verifier than that in Rust.
    pub fn verifying_with(mut self, verifier: Verifier) -> Self {
        self.state = State::new(&self.policy, verifier, FINGERPRINTS);
        self
    }

    /// The faults, one to a line, where the text is no configuration.
    pub fn from_text(text: &str) -> Result<Self, String> {
        let environment = |name: &str| (name == "PEPPER").then(|| PEPPER.to_owned());
        let compiled = compile(text.as_bytes(), &environment).map_err(|e| e.to_string())?;
        let state = State::new(&compiled.policy, Verifier::software(), FINGERPRINTS);
        Ok(Filter {
            policy: Rc::new(compiled.policy),
            state,
            now: UnixTime::from_secs(NOW),
            certificate: None,
            spent: SharedSpent::default(),
            list_head: None,
            writer: 0,
        })
    }

    pub fn at(&mut self, seconds: i64) -> &mut Self {
        self.now = UnixTime::from_secs(seconds);
        self
    }

    /// Keys that were fetched just now for the provider of that index.
    pub fn adopt(&mut self, provider: usize, set: &Value) {
        let set = KeySet::parse(set.to_string().as_bytes(), Origin::Remote);
        let (set, _) = set.expect("a key set");
        let source = SourceId::Keys(ProviderId(provider));
        self.state.adopt(source, Document::Keys(set), self.now);
    }

    /// The first provider's revocation list, fetched just now.
    pub fn revoke(&mut self, page: &str) {
        let issuer = CredentialSource::Provider(ProviderId(0));
        let list = self.state.list_mut(issuer).expect("a list");
        let progress = list.poll([7; 16]).take(page.as_bytes(), self.now);
        let Ok(Progress::Complete(update)) = progress else {
            panic!("{page}");
        };
        self.writer += 1;
        let head = self.list_head.as_deref();
        let mark = list.publish(update, head, self.writer, self.now, self.now);
        self.list_head = Some(mark.expect("nobody else publishes"));
        while let Some(write) = list.next_write(self.now) {
            if write.key == SharedKey::Head {
                self.list_head = Some(write.bytes);
            }
        }
    }

    /// The cursor that the first provider's list is polled with next; none asks for the whole list.
    pub fn next_poll(&mut self) -> Option<String> {
        let issuer = CredentialSource::Provider(ProviderId(0));
        let list = self.state.list_mut(issuer).expect("a list");
        list.poll([7; 16]).since()
    }

    pub fn begin(&mut self, ask: &Ask) -> Stage {
        let headers = borrowed(ask);
        let request = Request::from_headers(&headers);
        let step = evaluation::begin(&self.policy, &mut self.state, &request, self.now);
        self.stage(step, ask)
    }

    pub fn resume(&mut self, waiting: Waiting, ask: &Ask, reply: Reply) -> Stage {
        let headers = borrowed(ask);
        let request = Request::from_headers(&headers);
        let step = waiting.resume(&mut self.state, &request, reply, self.now);
        self.stage(step, ask)
    }

    /// The answer of a filter that needs nothing but the client's certificate, and what its process knows.
    pub fn ask(&mut self, ask: &Ask) -> Answer {
        let stage = self.begin(ask);
        self.answer(stage, ask, b"")
    }

    /// The same to a request with a body.
    #[cfg(feature = "ai")]
    pub fn ask_with_body(&mut self, ask: &Ask, body: &[u8]) -> Answer {
        let stage = self.begin(ask);
        self.answer(stage, ask, body)
    }

    fn answer(
        &mut self,
        mut stage: Stage,
        ask: &Ask,
        #[cfg_attr(not(feature = "ai"), expect(unused_variables))] body: &[u8],
    ) -> Answer {
        for _ in 0..6 {
            match stage {
                Stage::Answered(answer) => return answer,
                Stage::Waits(waiting, Callout::ClientCertificate) => {
                    let reply = Reply::ClientCertificate(self.certificate);
                    stage = self.resume(waiting, ask, reply);
                }
                Stage::Waits(waiting, Callout::Spend(expense)) => {
                    let reply = self.spend(&expense);
                    stage = self.resume(waiting, ask, reply);
                }
                #[cfg(feature = "ai")]
                Stage::Waits(waiting, Callout::Body(limits)) => {
                    let arrival = match body.len() <= limits.max_bytes {
                        true => BodyArrival::Whole(body.to_vec()),
                        false => BodyArrival::TooLarge,
                    };
                    stage = self.resume(waiting, ask, Reply::Body(arrival));
                }
                Stage::Waits(_, callout) => panic!("waits for {callout:?}"),
            }
        }
        panic!("something is asked for twice")
    }

    /// Spends something, as a worker does with the map of its process.
    fn spend(&mut self, expense: &Expense) -> Reply {
        let mut books = spending::books(&self.policy).into_iter();
        let book = books.find(|book| book.id == expense.id).expect("a table");
        let mark = Mark::new(&FingerprintKey::new([7; 16]), &expense.digest);
        let key = (book.scope, book.table.bucket_of(mark));
        let mut map = self.spent.borrow_mut();
        let held = map.get(&key).map(Vec::as_slice);
        let spent = match book.table.spend(held, mark, expense.until, self.now) {
            Spending::Again => Spent::Again,
            Spending::Full => Spent::Unrecorded,
            Spending::First { bucket, .. } => {
                map.insert(key, bucket);
                Spent::First
            }
        };
        Reply::Spent(expense.id, spent)
    }

    /// The answer of a filter that asks an introspection endpoint, which says `answer`; and how often it asked.
    pub fn ask_with(&mut self, ask: &Ask, answer: &Value) -> (Answer, usize) {
        let (mut stage, mut asked) = (self.begin(ask), 0);
        for _ in 0..4 {
            let (waiting, reply) = match stage {
                Stage::Answered(answer) => return (answer, asked),
                Stage::Waits(waiting, Callout::ClientCertificate) => {
                    (waiting, Reply::ClientCertificate(self.certificate))
                }
                Stage::Waits(waiting, Callout::Spend(expense)) => {
                    let reply = self.spend(&expense);
                    (waiting, reply)
                }
                Stage::Waits(waiting, Callout::Ask(question, _)) => {
                    asked += 1;
                    let (policy, body) = (Rc::clone(&self.policy), answer.to_string());
                    let body = Ok(body.as_bytes());
                    let reply = self.state.learn(&policy, &question, body, self.now);
                    (waiting, reply)
                }
                Stage::Waits(_, callout) => panic!("waits for {callout:?}"),
            };
            stage = self.resume(waiting, ask, reply);
        }
        panic!("it asks without end")
    }

    /// Asks each row twice: what is remembered must not change the answer.
    pub fn table(&mut self, rows: &[(&str, Ask, &str)]) {
        let mut wrong = String::new();
        for (what, ask, expected) in rows {
            wrong += &self.judge(what, ask, expected);
        }
        assert!(wrong.is_empty(), "{wrong}");
    }

    fn judge(&mut self, what: &str, ask: &Ask, expected: &str) -> String {
        let mut wrong = String::new();
        for time in ["at first", "then"] {
            let found = self.ask(ask).code();
            if found != expected {
                wrong += &format!("{what}: {time} {found}, not {expected}\n");
            }
        }
        wrong
    }

    fn stage(&self, step: Step, ask: &Ask) -> Stage {
        #[cfg_attr(not(feature = "ai"), expect(unused_mut))]
        let mut decision = match step {
            Step::Await(waiting, callout) => return Stage::Waits(waiting, callout),
            Step::Decided(decision) => decision,
            // What the body says comes later, and holds nothing up.
            #[cfg(feature = "ai")]
            Step::Observe(decision, _) => decision,
        };
        let headers = borrowed(ask);
        let request = Request::from_headers(&headers);
        let effects = effects::of(&self.policy, &request, &decision, self.now);
        let code = match effects.counter {
            Counter::Allowed | Counter::Metadata => None,
            Counter::Denied(code) | Counter::ShadowDenied(code) => Some(code.name()),
        };
        let (reply, upstream) = match effects.outcome {
            Outcome::Answer { mutations, reply } => {
                // What access logs show of a refused request.
                let logged = edited(ask, &mutations);
                for (name, _) in &logged.0 {
                    assert!(!self.policy.forward.is_identity(name.as_bytes()), "{name}");
                }
                (Some(reply), None)
            }
            Outcome::Continue(mutations) => (None, Some(edited(ask, &mutations))),
        };
        if let Some(record) = &effects.audit {
            assert_eq!(record.is_denial(), code.is_some());
        }
        let answer = Answer {
            code,
            reply,
            upstream,
            state: effects
                .filter_state
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            audit: effects
                .audit
                .map(|record| record.line(Some(b"192.0.2.7:1234"))),
            #[cfg(feature = "ai")]
            passage: decision.passage.take(),
        };
        answer.check(ask);
        Stage::Answered(answer)
    }
}

/// Judges the tables of a topic.
pub fn hold(topic: fn(&mut Tables)) {
    let mut wrong = String::new();
    for table in Tables::of(topic) {
        let mut filter = Filter::new(table.policy);
        for row in table.rows {
            wrong += &filter.judge(&row.what, &row.ask, row.expected);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

fn borrowed(ask: &Ask) -> Vec<(&[u8], &[u8])> {
    ask.0
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_slice()))
        .collect()
}

/// The request after the mutations, as a host applies them.
fn edited(ask: &Ask, mutations: &[HeaderMutation<'_>]) -> Ask {
    let mut headers = ask.0.clone();
    let text = |name: &[u8]| String::from_utf8(name.to_vec()).unwrap();
    for mutation in mutations {
        match mutation {
            HeaderMutation::Add(name, value) => headers.push((text(name), value.to_vec())),
            HeaderMutation::Remove(name) => headers.retain(|(n, _)| n.as_bytes() != *name),
            HeaderMutation::Set(name, value) => {
                headers.retain(|(n, _)| n.as_bytes() != *name);
                headers.push((text(name), value.to_vec()));
            }
        }
    }
    Ask(headers)
}

// === answers ===

#[derive(Debug)]
pub struct Answer {
    code: Option<&'static str>,
    pub reply: Option<LocalReply>,
    /// What goes on to the upstream.
    pub upstream: Option<Ask>,
    pub state: HashMap<String, String>,
    pub audit: Option<String>,
    /// What becomes of the bodies of a request that passes.
    #[cfg(feature = "ai")]
    pub passage: Option<Box<Passage>>,
}

impl Answer {
    pub fn code(&self) -> &'static str {
        self.code.unwrap_or(PASSES)
    }

    pub fn passes(&self) -> bool {
        self.code.is_none()
    }

    pub fn status(&self) -> Option<u16> {
        self.reply.as_ref().map(|reply| reply.status)
    }

    /// A header of the refusal, which no refusal has twice.
    pub fn header(&self, name: &str) -> Option<&str> {
        let reply = self.reply.as_ref()?;
        let mut values = reply.headers.iter().filter(|(n, _)| *n == name);
        let value = values.next()?;
        assert!(values.next().is_none(), "{name} twice");
        Some(&value.1)
    }

    /// Every challenge of the refusal.
    pub fn challenges(&self) -> Vec<&str> {
        let headers = self.reply.iter().flat_map(|reply| &reply.headers);
        let challenges = headers.filter(|(name, _)| *name == "www-authenticate");
        challenges.map(|(_, value)| value.as_str()).collect()
    }

    /// The values of a header that the upstream gets.
    pub fn forwarded(&self, name: &str) -> Vec<String> {
        let upstream = self.upstream.as_ref().expect("a request that goes on");
        upstream
            .0
            .iter()
            .filter(|(n, _)| n == name)
            .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
            .collect()
    }

    pub fn audit(&self) -> Value {
        serde_json::from_str(self.audit.as_ref().expect("an audit line")).expect("JSON")
    }

    /// What holds of every answer.
    fn check(&self, ask: &Ask) {
        if let Some(reply) = self.reply.as_ref().filter(|_| self.code.is_some()) {
            self.check_refusal(reply, ask);
        }
        if let Some(line) = &self.audit {
            assert_eq!(line.lines().count(), 1, "{line}");
            assert!(self.audit().is_object(), "{line}");
            check_secrecy(line, ask);
        }
        for value in self.state.values() {
            assert!(!value.contains(char::is_control), "{value:?}");
            check_secrecy(value, ask);
        }
    }

    fn check_refusal(&self, reply: &LocalReply, ask: &Ask) {
        let code = self.code();
        let (status, error) = codes::class(code);
        assert_eq!(reply.status, status, "{code}");
        assert_eq!(self.header("cache-control"), Some("no-store"), "{code}");
        let details = format!("portcullis_{}", code.to_ascii_lowercase());
        assert_eq!(reply.details, details);
        let challenged = status == 401
            || ["insufficient_scope", "insufficient_authorization_details"].contains(&error);
        let challenges = self.challenges();
        assert_eq!(!challenges.is_empty(), challenged, "{code}");
        let schemes = challenges
            .iter()
            .map(|text| text.split(' ').next().unwrap());
        let schemes: Vec<&str> = schemes.collect();
        assert!(
            [&[][..], &["ApiKey"], &["Bearer"], &["Bearer", "DPoP"]].contains(&schemes.as_slice()),
            "{challenges:?}"
        );
        let errors = challenges.iter().filter(|text| text.contains("error="));
        let names_error = schemes.contains(&"Bearer") && code != "MISSING_TOKEN";
        assert_eq!(errors.count(), usize::from(names_error), "{challenges:?}");
        assert_eq!(self.header("retry-after").is_some(), status == 503);
        match reply.grpc_status {
            Some(grpc) => {
                let expected = match status {
                    400 => 3,
                    401 => 16,
                    403 => 7,
                    405 => 12,
                    _ => 14,
                };
                assert_eq!(grpc, expected, "{code}");
                assert_eq!(self.header("x-portcullis-code"), Some(code));
            }
            None => {
                assert_eq!(self.header("content-type"), Some("application/json"));
                let body: Value = serde_json::from_str(&reply.body).expect("JSON");
                check_body(&body, error, code);
            }
        }
        check_secrecy(&reply.body, ask);
        for (name, value) in &reply.headers {
            assert!(!value.contains(char::is_control), "{name}: {value:?}");
            check_secrecy(value, ask);
        }
    }
}

/// Plain, or as an error of JSON-RPC with the same members in its data.
fn check_body(body: &Value, error: &str, code: &str) {
    let members = body.as_object().map(serde_json::Map::len);
    let description = &body["error_description"];
    assert!(description.is_string());
    assert_eq!(body["code"], code);
    let data = match body.get("jsonrpc") {
        None => body,
        Some(version) => {
            assert_eq!(version, "2.0");
            let id = body.get("id").expect("an id");
            assert!(cfg!(feature = "ai") || id.is_null(), "no body was read");
            assert_eq!(&body["error"]["message"], description);
            assert!(body["error"]["code"].is_i64());
            assert_eq!(members, Some(5));
            &body["error"]["data"]
        }
    };
    assert_eq!(
        (&data["error"], &data["code"]),
        (&error.into(), &code.into())
    );
    let asks = data.get("authorization_details").is_some();
    assert_eq!(asks, code == "APPROVAL_REQUIRED");
    if body.get("jsonrpc").is_none() {
        assert_eq!(members, Some(if asks { 4 } else { 3 }));
    }
}

/// Nothing of what may be a credential stands in what we write.
fn check_secrecy(text: &str, ask: &Ask) {
    const PLACES: [&str; 6] = [
        "authorization",
        "dpop",
        "x-api-key",
        "x-token",
        "cookie",
        "x-key",
    ];
    for (name, value) in &ask.0 {
        let value = String::from_utf8_lossy(value);
        let parts = value.split([' ', ',', ';', '=']).filter(|p| p.len() > 12);
        if PLACES.contains(&name.as_str()) {
            for part in parts {
                assert!(!text.contains(part), "{name} leaks into {text}");
            }
        }
    }
}
