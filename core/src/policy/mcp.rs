//! What a rule lets pass of the Model Context Protocol.

use std::rc::Rc;

use crate::mcp::{Message, uri};
use crate::pattern::Pattern;
use crate::policy::demands::Demands;
use crate::request::Request;
use crate::request::origin::Origin;

/// Which messages pass, and what each asks of its caller. What is not listed does not pass.
#[derive(Debug)]
pub struct Mcp {
    /// Web pages of these origins may send messages.
    pub origins: Vec<Origin>,
    /// Tools that may be called, by their names.
    pub tools: Vec<Entry>,
    /// Prompts that may be got, by their names.
    pub prompts: Vec<Entry>,
    /// Resources that may be read, by their URIs.
    pub resources: Vec<Entry>,
    /// Methods that name none of these.
    pub methods: Vec<Box<str>>,
    /// Whether a message's body must say what its headers say.
    pub verifies_body: bool,
    /// Whether answers lose the list entries that their caller may not use.
    pub filters_lists: bool,
}

/// A tool, a prompt or a resource, or several.
#[derive(Debug)]
pub struct Entry {
    /// Its name or URI.
    pub pattern: Pattern,
    /// What its rule and it ask together; `None` where it asks for nothing itself.
    pub demands: Option<Rc<Demands>>,
}

/// A message that no rule permits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NotAllowed;

// === impl Mcp ===

impl Mcp {
    /// Whether the page that sends a request may do so, where one does: browsers name it. Otherwise any site
    /// could reach a server that a browser's machine can reach (DNS rebinding). What is no single origin is
    /// none of ours.
    pub fn allows_origin(&self, request: &Request<'_>) -> bool {
        let mut origins = request.values("origin");
        match (origins.next(), origins.next()) {
            (None, _) => true,
            (Some(origin), None) => {
                Origin::parse(origin).is_some_and(|origin| self.origins.contains(&origin))
            }
            (Some(_), Some(_)) => false,
        }
    }

    /// What a message asks beyond what its rule asks of all; of several entries, the first that matches
    /// decides.
    pub fn demands_of(&self, message: &Message<'_>) -> Result<Option<&Rc<Demands>>, NotAllowed> {
        let (entries, name) = match message {
            Message::Other(method) => {
                let is_listed = self.methods.iter().any(|listed| **listed == **method);
                return is_listed.then_some(None).ok_or(NotAllowed);
            }
            Message::Resource(uri) if !uri::is_unambiguous(uri) => return Err(NotAllowed),
            Message::Prompt(name) => (&self.prompts, name),
            Message::Resource(uri) => (&self.resources, uri),
            Message::Tool(name) => (&self.tools, name),
        };
        let first = entries.iter().find(|entry| entry.pattern.matches(name));
        Ok(first.ok_or(NotAllowed)?.demands.as_ref())
    }

    /// All entries.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.tools
            .iter()
            .chain(&self.prompts)
            .chain(&self.resources)
    }
}
