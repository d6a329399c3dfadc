//! What a decision does to a request: plain data, which the shell applies.

mod local_reply;
mod metadata;
mod refusal;

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::rc::Rc;

use crate::config::FilterStateField;
use crate::credential;
#[cfg(feature = "ai")]
use crate::decision::Denial;
use crate::decision::{Code, Decision, Verdict};
use crate::json::{Quoted, quotable_prefix};
use crate::limits::AUDIT_FIELD_BYTES;
use crate::mcp::Message;
#[cfg(feature = "ai")]
use crate::passage::Passage;
use crate::policy::forward::ForwardCredential;
use crate::policy::location::CredentialLocation;
use crate::policy::requirement::Rule;
use crate::policy::{Audit, Mode, Policy};
use crate::request::Request;
use crate::request::path::with_upper_case_escapes;
use crate::time::UnixTime;
use crate::verification::principal::Principal;
use crate::verification::{Provenance, Verified};

pub use crate::effects::local_reply::LocalReply;
#[cfg(feature = "ai")]
pub use crate::effects::refusal::of_unreadable_list as unreadable_list;

/// What a decision does to a request, and what it leaves behind.
pub struct Effects<'a> {
    /// Whether the request goes on, and how it is changed.
    pub outcome: Outcome<'a>,
    /// What is counted.
    pub counter: Counter,
    /// Properties for later filters and access logs, as the policy lists them.
    pub filter_state: Vec<(&'static str, &'a str)>,
    /// What is logged, where the policy wants this decision logged.
    pub audit: Option<AuditRecord<'a>>,
}

/// Whether a request goes on.
#[derive(Debug)]
pub enum Outcome<'a> {
    /// The request goes on, changed in this order.
    Continue(Vec<HeaderMutation<'a>>),
    /// The request goes nowhere: it is answered here.
    Answer {
        /// Removes a client's own identity headers, so that no log shows them.
        mutations: Vec<HeaderMutation<'a>>,
        /// The answer.
        reply: LocalReply,
    },
}

/// A change to the request's headers.
#[derive(Debug, Eq, PartialEq)]
pub enum HeaderMutation<'a> {
    /// Adds a header, whether there is one of that name or not.
    Add(&'a [u8], Cow<'a, [u8]>),
    /// Removes every header of that name.
    Remove(&'a [u8]),
    /// Replaces every header of that name.
    Set(&'a [u8], Cow<'a, [u8]>),
}

/// What a decision adds to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Counter {
    /// Requests that passed.
    Allowed,
    /// Requests for the metadata of a resource, which are answered here.
    Metadata,
    /// Requests that were refused.
    Denied(Code),
    /// Requests that would have been refused, in shadow mode.
    ShadowDenied(Code),
}

/// What is logged about a decision. It is formatted only if it is written.
pub struct AuditRecord<'a> {
    record: Record<'a>,
    request: Request<'a>,
    now: UnixTime,
}

/// What a decision does.
pub fn of<'a>(
    policy: &'a Policy,
    request: &Request<'a>,
    decision: &'a Decision,
    now: UnixTime,
) -> Effects<'a> {
    let rule = decision.rule.as_deref();
    let (outcome, counter, word) = match (&decision.verdict, policy.mode) {
        (Verdict::Allow(permit), mode) => {
            let mut mutations = remove_identity(policy, request);
            // For the identity headers, the credential, and what else may come.
            mutations.reserve(policy.forward.headers.len().saturating_add(2));
            if let Some(caller) = permit.caller() {
                add_identity(policy, caller, &mut mutations);
            }
            // Last: to remove a header, Envoy first makes an index of all of them, which it would
            // then have to keep with each that is added. No header is both, see
            // `policy::compile::forward`.
            if mode == Mode::Enforce {
                strip_credentials(policy, request, &mut mutations);
                spell_path(request, &mut mutations);
                #[cfg(feature = "ai")]
                if let Some(passage) = &decision.passage {
                    carry_body(request, passage, &mut mutations);
                }
            }
            (Outcome::Continue(mutations), Counter::Allowed, "allow")
        }
        (Verdict::Metadata(document), _) => {
            let reply = metadata::reply(request, document);
            let mutations = remove_identity(policy, request);
            (
                Outcome::Answer { mutations, reply },
                Counter::Metadata,
                "allow",
            )
        }
        // The metadata of a resource is answered here in shadow mode too, and so is who asks for it wrongly.
        (Verdict::Deny(denial), mode)
            if mode == Mode::Enforce
                || (rule.is_none() && denial.code == Code::MethodNotAllowed) =>
        {
            let reply = refusal::reply(policy, request, rule, denial);
            let mutations = remove_identity(policy, request);
            let counter = Counter::Denied(denial.code);
            (Outcome::Answer { mutations, reply }, counter, "deny")
        }
        (Verdict::Deny(denial), _) => (
            Outcome::Continue(remove_identity(policy, request)),
            Counter::ShadowDenied(denial.code),
            "shadow_deny",
        ),
    };
    let (caller, code) = match &decision.verdict {
        Verdict::Allow(permit) => (permit.caller(), None),
        Verdict::Metadata(_) => (None, None),
        Verdict::Deny(denial) => (denial.caller.as_ref(), Some(denial.code)),
    };
    let record = Record {
        decision: word,
        code,
        rule,
        caller,
        #[cfg(feature = "ai")]
        model: match &decision.verdict {
            Verdict::Deny(Denial {
                content: Some(content),
                ..
            }) => content.model.as_deref(),
            // In shadow mode a refused request has one too.
            _ => decision.passage.as_ref().and_then(|p| p.model.as_deref()),
        },
        #[cfg(feature = "ai")]
        tools: match &decision.verdict {
            Verdict::Deny(denial) => denial.content.as_ref().and_then(|c| c.tools.as_deref()),
            _ => decision.passage.as_ref().and_then(|p| p.tools.as_deref()),
        },
    };
    let wanted = match policy.audit {
        Audit::All => true,
        Audit::Denied => code.is_some(),
        Audit::None => false,
    };
    Effects {
        outcome,
        counter,
        filter_state: record.filter_state(&policy.filter_state),
        audit: wanted.then_some(AuditRecord {
            record,
            request: *request,
            now,
        }),
    }
}

/// The names of the trailers that are removed: some upstreams take trailers for headers.
pub fn removed_trailers<'a>(
    policy: &'a Policy,
    trailers: &'a [(&'a [u8], &'a [u8])],
) -> impl Iterator<Item = &'a [u8]> {
    // RFC 9110 §6.5.1: no credential is sent in a trailer, so every trailer with a credential's name is
    // removed. This one was not verified, so it is removed also where credentials are kept.
    let is_credential = move |name: &[u8]| {
        let is_at = |location: &Rc<CredentialLocation>| match location.as_ref() {
            CredentialLocation::Header { name: n, .. } => n.as_bytes() == name,
            CredentialLocation::Cookie { .. } => name == b"cookie",
            CredentialLocation::Query { .. } => false,
        };
        let is_proof = || policy.takes_proofs && name == b"dpop";
        policy.mode == Mode::Enforce && (policy.locations.iter().any(is_at) || is_proof())
    };
    // A tenant that was compared with the caller's must not be replaced behind the check.
    let is_compared = move |name: &[u8]| {
        policy.mode == Mode::Enforce && policy.compared_headers.iter().any(|h| h.is(name))
    };
    let names = trailers.iter().map(|(name, _)| *name);
    names.filter(move |name| {
        policy.forward.is_identity(name) || is_credential(name) || is_compared(name)
    })
}

// === the request that goes on ===

/// Removes a client's own copies of identity headers, on every rule: an upstream trusts them also where
/// we set none.
pub fn remove_identity<'a>(policy: &'a Policy, request: &Request<'a>) -> Vec<HeaderMutation<'a>> {
    request
        .headers
        .iter()
        .filter(|(name, _)| policy.forward.is_identity(name))
        .map(|(name, _)| HeaderMutation::Remove(name))
        .collect()
}

fn strip_credentials<'a>(
    policy: &'a Policy,
    request: &Request<'a>,
    mutations: &mut Vec<HeaderMutation<'a>>,
) {
    if policy.forward.credential == ForwardCredential::Keep {
        return;
    }
    let stripped = credential::strip(policy, request);
    mutations.extend(
        stripped
            .headers
            .into_iter()
            .map(|name| HeaderMutation::Remove(name.as_bytes())),
    );
    if let Some(path) = stripped.path {
        mutations.push(HeaderMutation::Set(b":path", path.into()));
    }
    if let Some(cookies) = stripped.cookies {
        mutations.push(HeaderMutation::Remove(b"cookie"));
        mutations.extend(
            cookies
                .into_iter()
                .map(|cookie| HeaderMutation::Add(b"cookie", cookie.into())),
        );
    }
}

/// An answer whose bytes are read must not be compressed, and a body that was changed has another length.
#[cfg(feature = "ai")]
fn carry_body<'a>(
    request: &Request<'a>,
    passage: &Passage,
    mutations: &mut Vec<HeaderMutation<'a>>,
) {
    let reads_answer = passage.usage.is_some() || passage.lists.is_some();
    if reads_answer && request.header("accept-encoding").is_some() {
        mutations.push(HeaderMutation::Remove(b"accept-encoding"));
    }
    // Without one, the body is sent in chunks.
    if let Some(body) = &passage.body
        && request.header("content-length").is_some()
    {
        let length = body.len().to_string().into_bytes();
        mutations.push(HeaderMutation::Set(b"content-length", length.into()));
    }
}

/// Envoy's router must read the path that the rules were matched with.
fn spell_path<'a>(request: &Request<'a>, mutations: &mut Vec<HeaderMutation<'a>>) {
    let Some(path) = with_upper_case_escapes(request.raw_path()) else {
        return;
    };
    let is_path =
        |mutation: &&mut HeaderMutation<'_>| matches!(mutation, HeaderMutation::Set(b":path", _));
    match mutations.iter_mut().find(is_path) {
        // Of the same length: only case differs.
        Some(HeaderMutation::Set(_, stripped)) => {
            for (to, from) in stripped.to_mut().iter_mut().zip(path) {
                *to = from;
            }
        }
        _ => {
            let query = request.path.get(path.len()..).unwrap_or_default();
            mutations.push(HeaderMutation::Set(
                b":path",
                [&path, query].concat().into(),
            ));
        }
    }
}

/// The client's own copies are gone by now, so to add is to set; and to add spares Envoy the search
/// for what it would replace, for which it first makes an index of all headers.
fn add_identity<'a>(
    policy: &'a Policy,
    caller: &'a Verified,
    mutations: &mut Vec<HeaderMutation<'a>>,
) {
    let principal = caller.principal();
    let names = policy.forward.headers.iter().map(|(name, _)| name);
    for (name, value) in names.zip(principal.forwarded.values()) {
        if let Some(value) = value {
            mutations.push(HeaderMutation::Add(
                name.as_bytes(),
                value.as_bytes().into(),
            ));
        }
    }
    if let (Some(name), Some(payload)) = (&policy.forward.payload_header, caller.payload()) {
        mutations.push(HeaderMutation::Add(
            name.as_bytes(),
            payload.as_bytes().into(),
        ));
    }
}

// === the record ===

struct Record<'a> {
    decision: &'static str,
    code: Option<Code>,
    rule: Option<&'a Rule>,
    caller: Option<&'a Verified>,
    #[cfg(feature = "ai")]
    model: Option<&'a str>,
    /// The tools that the request calls, where only its body says it.
    #[cfg(feature = "ai")]
    tools: Option<&'a str>,
}

impl<'a> Record<'a> {
    fn filter_state(&self, wanted: &[FilterStateField]) -> Vec<(&'static str, &'a str)> {
        let values = wanted.iter().filter_map(|field| self.property(*field));
        values.collect()
    }

    /// The tool that a request calls, where its rule is for an MCP server.
    fn tool<'r>(&'r self, request: &Request<'r>) -> Option<Cow<'r, str>> {
        self.rule?.mcp.as_ref()?;
        #[cfg(feature = "ai")]
        if let Some(tools) = self.tools {
            return Some(Cow::Borrowed(tools));
        }
        match Message::read(request) {
            Ok(Message::Tool(name)) => Some(name),
            _ => None,
        }
    }

    /// The property of a field, where it has a value. Access logs write values as they are, and a line
    /// break in a claim would begin a line of the caller's own: so none has control characters.
    fn property(&self, field: FilterStateField) -> Option<(&'static str, &'a str)> {
        let principal = self.caller.map(Verified::principal);
        let loggable = |text: &&str| !text.is_empty() && !text.contains(char::is_control);
        let fact = |fact: fn(&Principal) -> Option<&str>| principal.and_then(fact).filter(loggable);
        let (name, value) = match field {
            FilterStateField::Subject => ("portcullis.subject", fact(|p| p.subject.as_deref())),
            FilterStateField::ClientId => {
                ("portcullis.client_id", fact(|p| p.client_id.as_deref()))
            }
            FilterStateField::Tenant => ("portcullis.tenant", fact(|p| p.tenant.as_deref())),
            FilterStateField::Scopes => ("portcullis.scopes", fact(|p| Some(p.scopes.as_str()))),
            FilterStateField::Actor => ("portcullis.actor", fact(|p| p.actor.as_deref())),
            FilterStateField::Rule => ("portcullis.rule", self.rule.map(|rule| &*rule.label)),
            FilterStateField::Decision => ("portcullis.decision", Some(self.decision)),
            FilterStateField::Code => ("portcullis.code", self.code.map(Code::name)),
            #[cfg(feature = "ai")]
            FilterStateField::Model => ("portcullis.model", self.model.filter(loggable)),
            // Answers say these.
            #[cfg(feature = "ai")]
            FilterStateField::InputTokens | FilterStateField::OutputTokens => return None,
        };
        Some((name, value?))
    }
}

// === impl AuditRecord ===

impl AuditRecord<'_> {
    /// Whether the request was refused, or would have been in shadow mode.
    pub fn is_denial(&self) -> bool {
        self.record.code.is_some()
    }

    /// One JSON object on one line. `address`: the client's, where the host knows it.
    pub fn line(&self, address: Option<&[u8]>) -> String {
        let AuditRecord {
            record,
            request,
            now,
        } = self;
        let principal = record.caller.map(Verified::principal);
        let (source, age) = match record.caller.map(Verified::provenance) {
            None => (None, None),
            Some(Provenance::Local) => (Some("local"), None),
            Some(Provenance::Cache { age }) => (Some("cache"), Some(age.as_millis())),
            Some(Provenance::Callout { age }) => (Some("callout"), Some(age.as_millis())),
        };
        let mut line = AuditLine::begin();
        line.text("time", Some(&now.to_string()));
        line.text("decision", Some(record.decision));
        line.text("code", record.code.map(Code::name));
        line.text("rule", record.rule.map(|rule| &*rule.label));
        line.text("provider", principal.map(Principal::provider_name));
        line.text("subject", principal.and_then(|p| p.subject.as_deref()));
        line.text("client_id", principal.and_then(|p| p.client_id.as_deref()));
        line.text("key_id", principal.and_then(|p| p.key_id.as_deref()));
        line.text("source", source);
        line.number("age_ms", age);
        line.bytes("address", address);
        line.bytes("method", Some(request.method));
        line.bytes("path", Some(request.raw_path()));
        line.bytes("request_id", request.header("x-request-id"));
        if let Some(actor) = principal.and_then(|p| p.actor.as_deref()) {
            line.text("actor", Some(actor));
        }
        if let Some(tool) = record.tool(request) {
            line.text("tool", Some(&tool));
        }
        line.end()
    }
}

// === impl AuditLine ===

/// Builds a JSON object and cuts long members, because clients choose many of the values.
struct AuditLine(String);

impl AuditLine {
    fn begin() -> Self {
        let mut line = String::with_capacity(512);
        line.push('{');
        AuditLine(line)
    }

    fn bytes(&mut self, name: &str, value: Option<&[u8]>) {
        let cut = value.map(|value| value.get(..AUDIT_FIELD_BYTES).unwrap_or(value));
        self.text(name, cut.map(String::from_utf8_lossy).as_deref());
    }

    fn text(&mut self, name: &str, value: Option<&str>) {
        match value.map(|value| quotable_prefix(value, AUDIT_FIELD_BYTES)) {
            Some(value) => self.member(name, Quoted(value)),
            None => self.member(name, "null"),
        }
    }

    fn number(&mut self, name: &str, value: Option<u128>) {
        match value {
            Some(value) => self.member(name, value),
            None => self.member(name, "null"),
        }
    }

    fn member(&mut self, name: &str, value: impl fmt::Display) {
        let separator = if self.0.len() == 1 { "" } else { "," };
        // Writing to a string cannot fail.
        let _ = write!(self.0, "{separator}\"{name}\":{value}");
    }

    fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}
