//! What the body of an MCP message decides: whether it says what its headers say, and, in older versions, what it asks.

use std::rc::Rc;

use crate::authorization::approval::Purpose;
use crate::authorization::{Authorized, Stranger};
use crate::decision::{Code, Denial};
use crate::mcp::Message;
use crate::mcp::body::{HeaderMismatch, HeaderVersion, MalformedBody, McpBody, OldMessage};
use crate::mcp::list::ListFilter;
use crate::policy::Policy;
use crate::policy::demands::Demands;
use crate::policy::mcp::{Mcp, NotAllowed};
use crate::policy::requirement::Rule;
use crate::request::{Request, RequestTarget};
use crate::time::UnixTime;

/// A message, while its body is judged.
pub struct McpCall<'a> {
    pub policy: &'a Policy,
    pub rule: &'a Rule,
    pub mcp: &'a Mcp,
    pub request: &'a Request<'a>,
    pub target: &'a RequestTarget<'a>,
    pub now: UnixTime,
}

/// Who sends it, and what it asks of its sender, as far as that is found out.
pub enum Sender<'a> {
    /// Its headers let its sender pass.
    Known(&'a mut Authorized),
    /// It has no credential.
    Stranger(&'a Stranger),
}

/// What was found out about a message.
#[derive(Default)]
pub struct Findings {
    /// Its own id, as JSON.
    pub id: Option<Box<str>>,
    /// What it asks of its sender, where only its body says it.
    pub demands: Option<Rc<Demands>>,
    /// What to ask an authorization server for, where it asks for approvals and only its body says which: objects of
    /// JSON.
    pub approvals: Vec<String>,
    /// The tools that it calls, where only its body says it.
    pub tools: Option<Box<str>>,
    /// What takes entries out of its answer, where that has lists.
    pub filter: Option<ListFilter>,
}

impl McpCall<'_> {
    /// Judges a message. What was found out until a refusal stays in `found`.
    pub fn judge(
        &self,
        body: Option<&[u8]>,
        sender: Sender<'_>,
        found: &mut Findings,
    ) -> Result<(), Denial> {
        if !self.mcp.verifies_body {
            found.filter = ListFilter::for_answer_to([&Message::read(self.request)?]);
            return Ok(());
        }
        let body = McpBody::parse(body.unwrap_or_default())?;
        found.id = body.id().map(Box::from);
        match HeaderVersion::of(self.request)? {
            HeaderVersion::Current(message) => {
                body.agrees(&message)?;
                found.filter = ListFilter::for_answer_to([&message]);
                Ok(())
            }
            HeaderVersion::Older => self.judge_older(&body.messages()?, sender, found),
        }
    }

    fn judge_older(
        &self,
        messages: &[OldMessage<'_>],
        mut sender: Sender<'_>,
        found: &mut Findings,
    ) -> Result<(), Denial> {
        let judged = messages.iter().filter_map(|message| match message {
            OldMessage::Free => None,
            OldMessage::Judged(message) => Some(message),
        });
        found.filter = ListFilter::for_answer_to(judged.clone());
        found.tools = tools(judged.clone());
        let asked = judged.map(|message| Ok((message, self.mcp.demands_of(message)?)));
        let asked: Vec<_> = asked.collect::<Result<_, NotAllowed>>()?;
        // One challenge names what all of them need, each entry once.
        let mut merged = Vec::new();
        for (message, demands) in &asked {
            for approval in &demands.unwrap_or(&self.rule.demands).approvals {
                let object = self.purpose(message).subject(approval).to_ask_for();
                if !found.approvals.contains(&object) {
                    found.approvals.push(object);
                }
            }
            let Some(demands) = demands.filter(|demands| !merged.contains(&Rc::as_ptr(demands)))
            else {
                continue;
            };
            merged.push(Rc::as_ptr(demands));
            found.demands = Some(match &found.demands {
                None => Rc::clone(demands),
                Some(others) => Rc::new(others.and(Demands::clone(demands)).map_err(|_| {
                    // No authentication is what two of them want.
                    Denial::from(Code::InsufficientAuthentication)
                })?),
            });
        }
        for (message, demands) in asked {
            match &mut sender {
                Sender::Known(sender) => {
                    let demands = demands.unwrap_or(&self.rule.demands);
                    sender.also(self.rule, demands, &self.purpose(message), self.now)?;
                }
                Sender::Stranger(sender) => {
                    sender.authorize(demands.map(Rc::as_ref))?;
                }
            }
        }
        Ok(())
    }

    fn purpose<'p>(&'p self, message: &'p Message<'p>) -> Purpose<'p> {
        Purpose {
            policy: self.policy,
            target: self.target,
            message: Some(message),
        }
    }
}

/// The names of the tools that messages call, for the log.
fn tools<'m>(messages: impl Iterator<Item = &'m Message<'m>>) -> Option<Box<str>> {
    let names = messages.filter_map(|message| match message {
        Message::Tool(name) => Some(&**name),
        _ => None,
    });
    let names: Vec<&str> = names.collect();
    (!names.is_empty()).then(|| names.join(", ").into())
}

impl From<MalformedBody> for Denial {
    fn from(_: MalformedBody) -> Self {
        Code::MalformedBody.into()
    }
}

impl From<HeaderMismatch> for Denial {
    fn from(_: HeaderMismatch) -> Self {
        Code::McpHeaderMismatch.into()
    }
}
