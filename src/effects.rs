//! What a decision does to a request: plain data, which the shell applies.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::credential;
use crate::decision::{Class, Code, Decision, Denial, Verdict};
use crate::json::Quoted;
use crate::policy::forward::ForwardCredential;
use crate::policy::requirement::Rule;
use crate::policy::{Audit, Mode, Policy};
use crate::request::Request;
use crate::time::UnixTime;
use crate::verification::{Provenance, Verified};

#[derive(Debug)]
pub struct Effects<'a> {
    pub outcome: Outcome<'a>,
    pub counter: Counter,
    /// Properties `portcullis.<name>` for later filters and access logs.
    pub filter_state: Vec<(&'static str, &'a str)>,
    pub audit: Option<AuditLine>,
}

#[derive(Debug)]
pub enum Outcome<'a> {
    /// The request goes on, changed in this order.
    Continue(Vec<Edit<'a>>),
    Reply(LocalReply),
}

#[derive(Debug, Eq, PartialEq)]
pub enum Edit<'a> {
    Add(&'a [u8], Cow<'a, [u8]>),
    Remove(&'a [u8]),
    /// Replaces every header of that name.
    Set(&'a [u8], Cow<'a, [u8]>),
}

#[derive(Debug, Eq, PartialEq)]
pub struct LocalReply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
    /// Where the request is gRPC; Envoy's own mapping knows no 3 for a 400.
    pub grpc_status: Option<u32>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Counter {
    Allowed,
    Denied(Code),
    ShadowDenied(Code),
}

/// One JSON object on one line.
#[derive(Debug)]
pub struct AuditLine {
    pub denied: bool,
    pub text: String,
}

/// What a decision does.
pub fn of<'a>(
    policy: &'a Policy,
    request: &Request<'a>,
    decision: &'a Decision,
    now: UnixTime,
) -> Effects<'a> {
    let rule = decision.rule.and_then(|index| policy.rules.get(index));
    let (outcome, counter, word) = match (&decision.verdict, policy.mode) {
        (Verdict::Allow(permit), mode) => {
            let mut edits = remove_identity(policy, request);
            if let Some(caller) = permit.caller() {
                add_identity(policy, caller, &mut edits);
            }
            // Last: to remove a header, Envoy first makes an index of all of them, which it would
            // then have to keep with each that is added. No header is both, see
            // `policy::compile::forward`.
            if mode == Mode::Enforce {
                strip_credentials(policy, request, &mut edits);
            }
            (Outcome::Continue(edits), Counter::Allowed, "allow")
        }
        (Verdict::Deny(denial), Mode::Enforce) => (
            Outcome::Reply(refuse(policy, request, rule, denial)),
            Counter::Denied(denial.code),
            "deny",
        ),
        (Verdict::Deny(denial), Mode::Shadow) => (
            Outcome::Continue(remove_identity(policy, request)),
            Counter::ShadowDenied(denial.code),
            "shadow_deny",
        ),
    };
    let (caller, code) = match &decision.verdict {
        Verdict::Allow(permit) => (permit.caller(), None),
        Verdict::Deny(denial) => (denial.caller.as_ref(), Some(denial.code)),
    };
    let record = Record {
        decision: word,
        code,
        rule: rule.map(|rule| rule.label.as_ref()),
        caller,
    };
    let wanted = match policy.audit {
        Audit::All => true,
        Audit::Denied => code.is_some(),
        Audit::None => false,
    };
    Effects {
        outcome,
        counter,
        filter_state: record.filter_state(),
        audit: wanted.then(|| record.audit_line(policy, request, now)),
    }
}

// === the request that goes on ===

/// A client's own copies of identity headers, on every rule: also where nobody sets them,
/// an upstream that trusts them would be deceived. `_` counts as `-`: CGI, WSGI and their kin
/// read both as one name.
fn remove_identity<'a>(policy: &'a Policy, request: &Request<'a>) -> Vec<Edit<'a>> {
    request
        .headers
        .iter()
        .filter(|(name, _)| policy.forward.is_identity(name))
        .map(|(name, _)| Edit::Remove(name))
        .collect()
}

fn strip_credentials<'a>(policy: &'a Policy, request: &Request<'a>, edits: &mut Vec<Edit<'a>>) {
    if policy.forward.credential == ForwardCredential::Keep {
        return;
    }
    let stripped = credential::strip(policy, request);
    edits.extend(
        stripped
            .headers
            .into_iter()
            .map(|name| Edit::Remove(name.as_bytes())),
    );
    if let Some(path) = stripped.path {
        edits.push(Edit::Set(b":path", path.into()));
    }
    if let Some(cookies) = stripped.cookies {
        edits.push(Edit::Remove(b"cookie"));
        edits.extend(
            cookies
                .into_iter()
                .map(|cookie| Edit::Add(b"cookie", cookie.into())),
        );
    }
}

/// The client's own copies are gone by now, so to add is to set; and to add spares Envoy the search
/// for what it would replace, for which it first makes an index of all headers.
fn add_identity<'a>(policy: &'a Policy, caller: &'a Verified, edits: &mut Vec<Edit<'a>>) {
    let principal = caller.principal();
    let names = policy.forward.headers.iter().map(|(name, _)| name);
    for (name, value) in names.zip(&principal.outgoing.headers) {
        if let Some(value) = value {
            edits.push(Edit::Add(name.as_bytes(), value.as_bytes().into()));
        }
    }
    if let (Some(name), Some(payload)) = (&policy.forward.payload_header, &principal.payload) {
        edits.push(Edit::Add(name.as_bytes(), payload.as_bytes().into()));
    }
}

// === the refusal ===

fn refuse(
    policy: &Policy,
    request: &Request<'_>,
    rule: Option<&Rule>,
    denial: &Denial,
) -> LocalReply {
    let code = denial.code;
    let class = code.class();
    let mut headers = vec![("cache-control", "no-store".to_owned())];
    if let (Some(rule), Class::InvalidToken | Class::Unauthorized | Class::InsufficientScope) =
        (rule, class)
    {
        headers.push(("www-authenticate", challenge(policy, rule, code)));
    }
    if let Some(retry_after) = denial.retry_after {
        let seconds = retry_after.as_secs().saturating_add(1);
        headers.push(("retry-after", seconds.to_string()));
    }
    if request.is_grpc() {
        headers.push(("x-portcullis-code", code.name().to_owned()));
        return LocalReply {
            status: class.status(),
            headers,
            // Envoy sends the body as grpc-message.
            body: code.description().to_owned(),
            grpc_status: Some(class.grpc_status()),
        };
    }
    headers.push(("content-type", "application/json".to_owned()));
    LocalReply {
        status: class.status(),
        headers,
        body: format!(
            r#"{{"error":{},"error_description":{},"code":{}}}"#,
            Quoted(class.error()),
            Quoted(code.description()),
            Quoted(code.name()),
        ),
        grpc_status: None,
    }
}

/// RFC 6750 §3. Nothing in it needs escaping: the realm was checked at load, scope-tokens hold
/// neither quotes nor backslashes, and descriptions are ours.
fn challenge(policy: &Policy, rule: &Rule, code: Code) -> String {
    let realm = &policy.realm;
    if rule.accepts.providers.is_empty() {
        return format!("ApiKey realm=\"{realm}\"");
    }
    let mut challenge = format!("Bearer realm=\"{realm}\"");
    let class = code.class();
    // RFC 6750 §3.1: no error code for a request without any authentication.
    if class != Class::Unauthorized {
        let (error, description) = (class.error(), code.description());
        // Writing to a string cannot fail.
        let _ = write!(
            challenge,
            ", error=\"{error}\", error_description=\"{description}\""
        );
    }
    if !rule.scopes.is_empty() {
        let _ = write!(challenge, ", scope=\"{}\"", rule.scopes);
    }
    challenge
}

// === the record ===

struct Record<'a> {
    decision: &'static str,
    code: Option<Code>,
    rule: Option<&'a str>,
    caller: Option<&'a Verified>,
}

impl<'a> Record<'a> {
    fn filter_state(&self) -> Vec<(&'static str, &'a str)> {
        let mut state = Vec::with_capacity(7);
        let mut put = |name, value: Option<&'a str>| state.extend(value.map(|v| (name, v)));
        if let Some(caller) = self.caller {
            let recorded = &caller.principal().outgoing.recorded;
            put("portcullis.subject", recorded.subject.as_deref());
            put("portcullis.client_id", recorded.client_id.as_deref());
            put("portcullis.tenant", recorded.tenant.as_deref());
            put("portcullis.scopes", recorded.scopes.as_deref());
        }
        put("portcullis.rule", self.rule);
        put("portcullis.decision", Some(self.decision));
        put("portcullis.code", self.code.map(Code::name));
        state
    }

    fn audit_line(&self, policy: &Policy, request: &Request<'_>, now: UnixTime) -> AuditLine {
        let principal = self.caller.map(Verified::principal);
        let (source, age) = match self.caller.map(Verified::provenance) {
            None => (None, None),
            Some(Provenance::Local) => (Some("local"), None),
            Some(Provenance::Cache { age }) => (Some("cache"), Some(age.as_millis())),
            Some(Provenance::Callout { age }) => (Some("callout"), Some(age.as_millis())),
        };
        let header = |name| request.header(name).map(String::from_utf8_lossy);
        let method = String::from_utf8_lossy(request.method);
        let path = String::from_utf8_lossy(request.raw_path());
        let time = now.to_string();
        let members = [
            ("time", Some(time.as_str())),
            ("decision", Some(self.decision)),
            ("code", self.code.map(Code::name)),
            ("rule", self.rule),
            ("provider", principal.map(|p| p.provider(policy))),
            ("subject", principal.and_then(|p| p.subject.as_deref())),
            ("client_id", principal.and_then(|p| p.client_id.as_deref())),
            ("key_id", principal.and_then(|p| p.key_id.as_deref())),
            ("source", source),
        ];
        let mut text = String::with_capacity(512);
        for (i, (name, value)) in members.into_iter().enumerate() {
            let separator = if i == 0 { '{' } else { ',' };
            let _ = match value {
                Some(value) => write!(text, "{separator}\"{name}\":{}", Quoted(value)),
                None => write!(text, "{separator}\"{name}\":null"),
            };
        }
        let _ = match age {
            Some(age) => write!(text, ",\"age_ms\":{age}"),
            None => write!(text, ",\"age_ms\":null"),
        };
        let _ = write!(
            text,
            ",\"method\":{},\"path\":{},\"request_id\":",
            Quoted(&method),
            Quoted(&path)
        );
        let _ = match header("x-request-id") {
            Some(id) => write!(text, "{}}}", Quoted(&id)),
            None => write!(text, "null}}"),
        };
        AuditLine {
            denied: self.code.is_some(),
            text,
        }
    }
}
