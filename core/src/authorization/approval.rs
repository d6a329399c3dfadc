//! A person's approval, as the authorization details of a token carry it (RFC 9396).

use std::borrow::Cow;

use crate::authorization::request_part;
use crate::json::{Object, Quoted, Value};
use crate::mcp::Message;
use crate::policy::Policy;
use crate::policy::demands::{Approval, Identifier};
use crate::request::RequestTarget;
use crate::secret::Digest;

/// What a request is about.
#[derive(Clone, Copy)]
pub struct Purpose<'a> {
    /// The policy that the request began with.
    pub policy: &'a Policy,
    /// Where it goes.
    pub target: &'a RequestTarget<'a>,
    /// What it asks of an MCP server, where its rule is for one.
    pub message: Option<&'a Message<'a>>,
}

/// What has to be approved.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// The kind of approval.
    pub kind: &'a str,
    /// What it is for.
    pub identifier: Wanted<'a>,
    /// The protected resource that the request is for (RFC 9728), where it is for one.
    pub resource: Option<&'a str>,
}

/// What an approval must be for.
#[derive(Clone, Debug)]
pub enum Wanted<'a> {
    /// The kind is enough.
    Anything,
    /// Something that the request does not name as it should: nothing approves it.
    Unnamed,
    /// This.
    This(Cow<'a, str>),
}

/// How often an approval counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Counts {
    /// As long as the token lives.
    Always,
    /// For one request.
    Once,
}

// === impl Purpose ===

impl Purpose<'_> {
    /// What has to be approved before a request for this purpose may pass.
    pub fn subject<'s>(&'s self, approval: &'s Approval) -> Subject<'s> {
        let resource = self.policy.resources.covering(self.target);
        Subject {
            kind: &approval.kind,
            identifier: match &approval.identifier {
                Identifier::Named => match self.message.and_then(Message::name) {
                    Some(name) => Wanted::This(Cow::Borrowed(name)),
                    None => Wanted::Anything,
                },
                Identifier::Part(part) => match request_part::text(self.target, part) {
                    Some(text) => Wanted::This(text),
                    None => Wanted::Unnamed,
                },
            },
            resource: resource.map(|resource| &*resource.identifier),
        }
    }
}

// === impl Subject ===

impl Subject<'_> {
    /// Whether the claim `authorization_details` has this approval. Of several, one that counts always.
    pub fn approved_in(&self, details: &Value<'_>) -> Option<Counts> {
        let objects = details.as_array()?.iter().filter_map(Value::as_object);
        let mut found = None;
        for counts in objects.filter_map(|object| self.approved_by(object)) {
            match counts {
                Counts::Always => return Some(Counts::Always),
                Counts::Once => found = Some(Counts::Once),
            }
        }
        found
    }

    fn approved_by(&self, object: &Object<'_>) -> Option<Counts> {
        let is = |name, wanted| object.get(name).and_then(Value::as_str) == Some(wanted);
        let is_identified = match &self.identifier {
            Wanted::Anything => true,
            Wanted::Unnamed => false,
            Wanted::This(wanted) => is("identifier", wanted),
        };
        let is_meant = is("type", self.kind)
            && is_identified
            && object.get("locations").is_none_or(|l| self.is_among(l));
        // What says how often in another way than we read may say once.
        let counts = match object.get("once") {
            None | Some(Value::Bool(false)) => Counts::Always,
            Some(Value::Bool(true)) => Counts::Once,
            Some(_) => return None,
        };
        is_meant.then_some(counts)
    }

    fn is_among(&self, locations: &Value<'_>) -> bool {
        let locations = locations.as_array().unwrap_or_default();
        let is_ours = |location: &Value<'_>| {
            let location = location.as_str();
            location.is_some() && location == self.resource
        };
        locations.iter().any(is_ours)
    }

    /// What stands for the use of the approval that a token carries. Each part begins with its length: no
    /// two different lists of parts are the same bytes.
    pub fn use_of(&self, issuer: &str, token_id: &str) -> Digest {
        let parts = [
            issuer,
            token_id,
            self.kind,
            self.identifier.text().unwrap_or_default(),
        ];
        let mut bytes = Vec::new();
        for part in parts {
            bytes.extend_from_slice(&part.len().to_le_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        Digest::sha256(&bytes)
    }

    /// The object to ask an authorization server for.
    pub fn to_ask_for(&self) -> String {
        let mut object = format!("{{\"type\":{}", Quoted(self.kind));
        if let Some(identifier) = self.identifier.text() {
            object.push_str(&format!(",\"identifier\":{}", Quoted(identifier)));
        }
        if let Some(resource) = self.resource {
            object.push_str(&format!(",\"locations\":[{}]", Quoted(resource)));
        }
        object.push('}');
        object
    }
}

// === impl Wanted ===

impl Wanted<'_> {
    fn text(&self) -> Option<&str> {
        match self {
            Wanted::This(text) => Some(text),
            Wanted::Anything | Wanted::Unnamed => None,
        }
    }
}

#[cfg(test)]
mod tests;
