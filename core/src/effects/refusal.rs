//! What a client reads that is refused: the status, the challenge and the body.

use std::fmt::Write as _;
use std::rc::Rc;
#[cfg(feature = "ai")]
use std::time::Duration;

use crate::authorization::approval::Purpose;
#[cfg(feature = "ai")]
use crate::charging;
use crate::credential;
use crate::decision::{Class, Code, Denial};
use crate::effects::local_reply::LocalReply;
use crate::json::Quoted;
use crate::keys::Algorithm;
use crate::mcp::{self, Message, Unreadable};
use crate::policy::Policy;
use crate::policy::demands::Demands;
use crate::policy::requirement::{RefusalForm, Rule};
use crate::request::{Request, RequestTarget};

/// The answer to a request that is refused.
pub fn reply(
    policy: &Policy,
    request: &Request<'_>,
    rule: Option<&Rule>,
    denial: &Denial,
) -> LocalReply {
    let code = denial.code;
    let class = code.class();
    let details = format!("portcullis_{}", code.name().to_ascii_lowercase());
    let mut headers = vec![("cache-control", "no-store".to_owned())];
    if let Some(rule) = rule.filter(|_| class.is_challenged()) {
        let challenges = challenges(policy, request, rule, denial).into_iter();
        headers.extend(challenges.map(|challenge| ("www-authenticate", challenge)));
    }
    if class == Class::MethodNotAllowed {
        let allowed = match rule {
            Some(_) => "POST",
            // Before any rule: the metadata of a resource.
            None => "GET, HEAD, OPTIONS",
        };
        headers.push(("allow", allowed.to_owned()));
    }
    if let Some(retry_after) = denial.retry_after {
        let seconds = retry_after.as_secs().saturating_add(1);
        // A window's end is known exactly.
        #[cfg(feature = "ai")]
        let seconds = match denial.code {
            Code::BudgetExceeded => charging::whole_seconds(retry_after),
            _ => seconds,
        };
        headers.push(("retry-after", seconds.to_string()));
    }
    #[cfg(feature = "ai")]
    add_budgets(&mut headers, rule, denial);
    if request.is_grpc() {
        headers.push(("x-portcullis-code", code.name().to_owned()));
        return LocalReply {
            status: class.status(),
            headers,
            // Envoy sends the body as grpc-message.
            body: code.description().to_owned(),
            grpc_status: Some(class.grpc_status()),
            details,
        };
    }
    headers.push(("content-type", "application/json".to_owned()));
    let form = rule.map_or(RefusalForm::Plain, |rule| rule.refusal_form);
    LocalReply {
        status: class.status(),
        headers,
        body: body(form, denial, &details_of(policy, request, rule, denial)),
        grpc_status: None,
        details,
    }
}

/// How budgets stand; and whether the clients of model providers try again by themselves, which they do after 408, 429
/// and 5xx, however long that takes.
#[cfg(feature = "ai")]
fn add_budgets(headers: &mut Vec<(&'static str, String)>, rule: Option<&Rule>, denial: &Denial) {
    /// Beyond that, these clients do not heed `retry-after`.
    const HEEDED: Duration = Duration::from_secs(60);
    let is_model_api = rule.is_some_and(|rule| rule.refusal_form == RefusalForm::ModelApi);
    let is_futile = match denial.code {
        Code::BodyTimeout => true,
        Code::BudgetExceeded => denial.retry_after.is_some_and(|after| after > HEEDED),
        _ => false,
    };
    if is_model_api && is_futile {
        headers.push(("x-should-retry", "false".to_owned()));
    }
    let standings = denial.content.as_ref().map(|content| &content.standings);
    if let Some((policy, state)) = standings.and_then(|all| charging::rate_limit_headers(all)) {
        headers.push(("ratelimit-policy", policy));
        headers.push(("ratelimit", state));
    }
}

/// The answer to a request for a list that the upstream answered and nobody can read.
#[cfg(feature = "ai")]
pub fn of_unreadable_list() -> LocalReply {
    let denial = Denial::from(Code::ListUnreadable);
    LocalReply {
        status: denial.code.class().status(),
        headers: vec![
            ("cache-control", "no-store".to_owned()),
            ("content-type", "application/json".to_owned()),
        ],
        body: body(RefusalForm::JsonRpc, &denial, &Details::default()),
        grpc_status: None,
        details: "portcullis_list_unreadable".to_owned(),
    }
}

/// What a body says beyond its code.
#[derive(Debug)]
struct Details {
    /// As an error of JSON-RPC.
    json_rpc_code: i32,
    /// More members, each after a comma.
    members: String,
}

fn body(form: RefusalForm, denial: &Denial, details: &Details) -> String {
    let error = Quoted(denial.code.class().error());
    let description = Quoted(denial.code.description());
    let code = Quoted(denial.code.name());
    let Details {
        json_rpc_code,
        members,
    } = details;
    match form {
        RefusalForm::Plain => format!(
            r#"{{"error":{error},"error_description":{description},"code":{code}{members}}}"#
        ),
        // Clients of MCP show the message of an error that has an `id`, and nothing of ours otherwise.
        RefusalForm::JsonRpc => format!(
            concat!(
                r#"{{"jsonrpc":"2.0","id":{},"error":{{"code":{},"message":{},"#,
                r#""data":{{"error":{},"code":{}{}}}}},"error_description":{},"code":{}}}"#
            ),
            message_id(denial),
            json_rpc_code,
            description,
            error,
            code,
            members,
            description,
            code,
        ),
        // Both clients read `error.message`; OpenAI's `error.code` too, and Anthropic's the outer `type`.
        #[cfg(feature = "ai")]
        RefusalForm::ModelApi => format!(
            concat!(
                r#"{{"type":"error","error":{{"type":{},"message":{},"code":{},"param":null{}}},"#,
                r#""error_description":{},"code":{}}}"#
            ),
            error, description, code, members, description, code,
        ),
    }
}

/// The id of the message that is refused, as JSON, where its body was read.
fn message_id(denial: &Denial) -> &str {
    #[cfg(feature = "ai")]
    if let Some(content) = &denial.content {
        return content.message_id.as_deref().unwrap_or("null");
    }
    let _ = denial;
    "null"
}

/// A refusal as an error of JSON-RPC, among the codes that its §5.1 leaves to servers.
const JSON_RPC_REFUSED: i32 = -32010;

/// MCP's `HeaderMismatch`, which also says that a header is missing.
const JSON_RPC_HEADERS: i32 = -32020;

/// MCP's `UnsupportedProtocolVersionError`.
const JSON_RPC_VERSION: i32 = -32022;

fn details_of(
    policy: &Policy,
    request: &Request<'_>,
    rule: Option<&Rule>,
    denial: &Denial,
) -> Details {
    match (denial.code, rule) {
        (Code::McpHeadersRequired, _) => match Message::read(request) {
            Err(Unreadable::Version { requested }) => Details {
                json_rpc_code: JSON_RPC_VERSION,
                members: format!(
                    r#","supported":[{}],"requested":{}"#,
                    Quoted(mcp::VERSION),
                    Quoted(requested),
                ),
            },
            _ => Details {
                json_rpc_code: JSON_RPC_HEADERS,
                members: String::new(),
            },
        },
        #[cfg(feature = "ai")]
        (Code::McpHeaderMismatch, _) => Details {
            json_rpc_code: JSON_RPC_HEADERS,
            members: String::new(),
        },
        (Code::ApprovalRequired, Some(rule)) => Details {
            members: approvals(policy, request, rule, denial),
            ..Details::default()
        },
        _ => Details::default(),
    }
}

/// What to ask the authorization server for (RFC 9396 §2): all of it, as scopes are.
fn approvals(policy: &Policy, request: &Request<'_>, rule: &Rule, denial: &Denial) -> String {
    #[cfg(feature = "ai")]
    if let Some(content) = denial.content.as_ref().filter(|c| !c.to_approve.is_empty()) {
        let objects = content.to_approve.join(",");
        return format!(r#","authorization_details":[{objects}]"#);
    }
    let Ok(target) = RequestTarget::from_request(request) else {
        return String::new();
    };
    let message = rule.mcp.as_ref().and_then(|_| Message::read(request).ok());
    let purpose = Purpose {
        policy,
        target: &target,
        message: message.as_ref(),
    };
    let mut objects: Vec<String> = Vec::new();
    for approval in &demands(request, rule, denial).approvals {
        let object = purpose.subject(approval).to_ask_for();
        if !objects.contains(&object) {
            objects.push(object);
        }
    }
    format!(r#","authorization_details":[{}]"#, objects.join(","))
}

/// RFC 6750 §3; RFC 9449 §7.1, where tokens may be bound to a key. Nothing in it needs escaping: the realm was
/// checked at load, scope-tokens hold neither quotes nor backslashes, no URI does, and descriptions are ours.
fn challenges(policy: &Policy, request: &Request<'_>, rule: &Rule, denial: &Denial) -> Vec<String> {
    let realm = &policy.realm;
    if rule.accepts.providers.is_empty() {
        return vec![format!("ApiKey realm=\"{realm}\"")];
    }
    let class = denial.code.class();
    let error = || {
        let (error, description) = (class.error(), denial.code.description());
        format!(", error=\"{error}\", error_description=\"{description}\"")
    };
    // RFC 6750 §3.1: no error code for a request without any authentication.
    let error = Some(error).filter(|_| class != Class::Unauthorized);
    let error = error.map_or_else(String::new, |error| error());
    let mut parameters = String::new();
    demand(&mut parameters, demands(request, rule, denial), class);
    let target = RequestTarget::from_request(request).ok();
    let resource = target.and_then(|target| policy.resources.covering(&target));
    if let Some(resource) = resource {
        let uri = &resource.metadata_uri;
        // Writing to a string cannot fail.
        let _ = write!(parameters, ", resource_metadata=\"{uri}\"");
    }
    let algorithms = rule.accepts.proof_algorithms();
    if algorithms.is_empty() {
        return vec![format!("Bearer realm=\"{realm}\"{error}{parameters}")];
    }
    let algorithms: Vec<_> = algorithms.iter().map(Algorithm::name).collect();
    let algorithms = algorithms.join(" ");
    // The error is about the scheme that the client used.
    let presented = credential::find(policy, rule, request).ok().flatten();
    let (bearer, dpop) = match presented.is_some_and(|found| found.location.is_dpop()) {
        true => ("", error.as_str()),
        false => (error.as_str(), ""),
    };
    vec![
        format!("Bearer realm=\"{realm}\"{bearer}{parameters}"),
        format!("DPoP realm=\"{realm}\", algs=\"{algorithms}\"{dpop}{parameters}"),
    ]
}

/// What the request asks of its caller, also where it was refused before that was looked at: clients of MCP ask for one
/// token by a challenge, send the message once more and give up then. So a challenge for want of a token, or of one that
/// is still good, names all that the message needs.
fn demands<'d>(request: &Request<'_>, rule: &'d Rule, denial: &'d Denial) -> &'d Demands {
    let of_message = || {
        let mcp = rule.mcp.as_ref()?;
        let message = Message::read(request).ok()?;
        mcp.demands_of(&message).ok()?.map(Rc::as_ref)
    };
    let of_denial = denial.demands.as_deref();
    of_denial.or_else(of_message).unwrap_or(&rule.demands)
}

/// What the client's next token has to have.
fn demand(challenge: &mut String, demands: &Demands, class: Class) {
    let scopes = demands.scopes_to_ask_for().join(" ");
    if !scopes.is_empty() {
        let _ = write!(challenge, ", scope=\"{scopes}\"");
    }
    // RFC 9470 §3.
    if class != Class::InsufficientAuthentication {
        return;
    }
    let Some(authentication) = &demands.authentication else {
        return;
    };
    if let Some((_, contexts)) = &authentication.contexts {
        let contexts = contexts.join(" ");
        let _ = write!(challenge, ", acr_values=\"{contexts}\"");
    }
    if let Some((_, max_age)) = authentication.max_age {
        let seconds = max_age.as_secs();
        let _ = write!(challenge, ", max_age=\"{seconds}\"");
    }
}

// === impl Details ===

impl Default for Details {
    fn default() -> Self {
        Details {
            json_rpc_code: JSON_RPC_REFUSED,
            members: String::new(),
        }
    }
}
