//! Before anything is measured: each variant does the whole job, and refuses what it has to. After it: every request was
//! charged.

use bench::Result;
use bench::envoy::Envoy;
use bench::setup::key_id;
use serde_json::{Value, json};

use crate::bodies::framing;
use crate::bodies::messages::{self, Answer, MOST_TOKENS, chat};
use crate::bodies::variants::{Kind, Variant};
use crate::bodies::wire::{Reply, Wire};

/// Those that judge.
const GATES: [Variant; 2] = [Variant::ExtProc, Variant::Portcullis];

/// What is left of the budget, as each of [`GATES`] says.
pub type Left = [u64; GATES.len()];

/// An error that names the variant, where one does another job than the others.
pub fn prove_all(envoy: &Envoy, wire: &Wire) -> Result<()> {
    for variant in Variant::ALL {
        let port = envoy.port(variant.listener())?;
        prove(variant, prove_passage(wire, port))?;
        let is_early = wire.comes_through_early(port)?;
        if is_early != (variant == Variant::None) {
            return Err(format!("{}: a body was not held", variant.listener()).into());
        }
    }
    for variant in GATES {
        let port = envoy.port(variant.listener())?;
        prove(variant, prove_identity(wire, port))?;
        prove(variant, prove_refusals(wire, port))?;
    }
    Ok(())
}

/// What each says is left before a probe is answered.
pub fn left(envoy: &Envoy, wire: &Wire) -> Result<Left> {
    let mut left = Left::default();
    for (left, variant) in left.iter_mut().zip(GATES) {
        let port = envoy.port(variant.listener())?;
        let reply = wire.ask(port, PROBE, &messages::known_key(), &chat(PROBE))?;
        *left = prove(variant, remaining(&reply))?;
    }
    Ok(left)
}

const PROBE: Kind = Kind::Short;

/// Since then, each has charged what the answers said, to the token. `sent` is how many requests there were.
pub fn prove_charged(
    envoy: &Envoy,
    wire: &Wire,
    before: &Left,
    sent: impl Fn(Kind) -> u64,
) -> Result<()> {
    let tokens = |kind: Kind| wire.answer(kind).map_or(0, |answer| answer.tokens);
    let used: u64 = Kind::ALL.map(|kind| sent(kind) * tokens(kind)).iter().sum();
    // And the probe before.
    let expected = used + tokens(PROBE);
    for ((before, after), variant) in before.iter().zip(left(envoy, wire)?).zip(GATES) {
        let charged = before.saturating_sub(after);
        if charged != expected {
            let name = variant.listener();
            return Err(format!("{name} charged {charged} tokens, not {expected}").into());
        }
    }
    Ok(())
}

/// Requests and answers go through as they are.
fn prove_passage(wire: &Wire, port: u16) -> Result<()> {
    for kind in Kind::ALL {
        let body = chat(kind);
        let reply = wire.ask(port, kind, &messages::known_key(), &body)?;
        expect("the status", &reply.status, &200)?;
        let answer = wire.answer(kind).map(|Answer { body, .. }| body);
        if Some(&reply.body) != answer {
            return Err(format!("the answer {kind:?} is another one").into());
        }
        if wire.seen().body != body {
            return Err("the request's body is another one".into());
        }
    }
    Ok(())
}

/// The upstream learns who calls, and gets neither the key nor a client's own copy of such a header.
fn prove_identity(wire: &Wire, port: u16) -> Result<()> {
    let more = format!("x-auth-subject: somebody-else\r\n{}", messages::known_key());
    let reply = wire.ask(port, Kind::Short, &more, &chat(Kind::Short))?;
    expect("the status", &reply.status, &200)?;
    let head = wire.seen().head;
    let client = "client-00000";
    let id = key_id(0);
    for (name, value) in [
        ("x-auth-subject", Some(client)),
        ("x-auth-client-id", Some(client)),
        ("x-auth-scopes", Some("data:read")),
        ("x-auth-tenant", Some("acme")),
        ("x-auth-provider", Some("api_keys")),
        ("x-auth-key-id", Some(id.as_str())),
        ("x-api-key", None),
        ("accept-encoding", None),
    ] {
        expect(name, &framing::header(&head, name), &value)?;
    }
    Ok(())
}

fn prove_refusals(wire: &Wire, port: u16) -> Result<()> {
    let amended = |name: &str, value: Value| -> Result<Vec<u8>> {
        let mut body: Value = serde_json::from_slice(&chat(Kind::Short))?;
        let members = body.as_object_mut().ok_or("no object")?;
        members.insert(name.to_owned(), value);
        Ok(body.to_string().into_bytes())
    };
    let key = messages::known_key();
    let good = chat(Kind::Short);
    let another = "x-api-key: nobody's";
    let model = amended("model", json!("gpt-5"))?;
    let mini = amended("model", json!("o4-mini"))?;
    let most = amended("max_completion_tokens", json!(MOST_TOKENS))?;
    let more = amended("max_completion_tokens", json!(MOST_TOKENS + 1))?;
    for (what, more, body, status) in [
        ("no key", "x-none: 1", good.as_slice(), 401),
        ("another key", another, &good, 401),
        ("another model", &key, &model, 403),
        ("a model by its end", &key, &mini, 200),
        ("the most tokens", &key, &most, 200),
        ("more tokens", &key, &more, 400),
        ("no JSON", &key, b"{\"model\": \"gpt-4o\"", 400),
    ] {
        let before = wire.arrived();
        let reply = wire.ask(port, Kind::Short, more, body)?;
        expect(what, &reply.status, &status)?;
        let arrived = wire.arrived() - before;
        expect(what, &arrived, &usize::from(status == 200))?;
    }
    Ok(())
}

/// `r` of the `RateLimit` header.
fn remaining(reply: &Reply) -> Result<u64> {
    let value = framing::header(&reply.head, "ratelimit");
    let mut parameters = value.unwrap_or_default().split(';');
    let remaining = parameters.find_map(|parameter| parameter.strip_prefix("r="));
    Ok(remaining.ok_or("no RateLimit in the answer")?.parse()?)
}

fn expect<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, expected: &T) -> Result<()> {
    match found == expected {
        true => Ok(()),
        false => Err(format!("{what}: {found:?}, not {expected:?}").into()),
    }
}

fn prove<T>(variant: Variant, proof: Result<T>) -> Result<T> {
    proof.map_err(|error| format!("{} does another job: {error}", variant.listener()).into())
}
