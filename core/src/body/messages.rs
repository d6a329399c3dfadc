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
use crate::policy::mcp::Mcp;
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
        let Some(body) = body.filter(|_| self.mcp.verifies_body) else {
            found.filter = ListFilter::for_answer_to([&Message::read(self.request)?]);
            return Ok(());
        };
        let body = McpBody::parse(body)?;
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
        let mut asked = Vec::new();
        for message in judged {
            if let Some(demands) = self.mcp.demands_of(message)? {
                asked.push((message, demands));
            }
        }
        // One challenge names what all of them need.
        for (_, demands) in &asked {
            found.demands = Some(match &found.demands {
                None => Rc::clone(demands),
                Some(others) => Rc::new(others.and(Demands::clone(demands)).map_err(|_| {
                    // No authentication is what two of them want.
                    Denial::from(Code::InsufficientAuthentication)
                })?),
            });
        }
        for (message, demands) in asked {
            let purpose = Purpose {
                policy: self.policy,
                target: self.target,
                message: Some(message),
            };
            match &mut sender {
                Sender::Known(sender) => sender.also(self.rule, demands, &purpose, self.now)?,
                Sender::Stranger(sender) => {
                    sender.authorize(Some(demands))?;
                }
            }
        }
        Ok(())
    }
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
