//! Messages as bodies have them.
//!
//! A message of 2026-07-28 stands in its headers, and its body must say the same. Older versions put nothing into
//! headers but their version, so their messages stand in the body alone.

use std::borrow::Cow;

use crate::json::{self, Object, Value, parts};
use crate::limits::{MCP_BATCH, MCP_ID_BYTES};
use crate::mcp::message::{Message, Unreadable, VERSION, headers};
use crate::request::Request;

/// The versions whose messages stand in the body alone. A request that names none is of the first of them.
const OLDER: [&str; 3] = ["2025-03-26", "2025-06-18", "2025-11-25"];

/// The member of `_meta` that repeats the version ("Protocol Version Header").
const VERSION_MEMBER: &str = "io.modelcontextprotocol/protocolVersion";

/// The version that a request's headers name, where its body is verified.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum HeaderVersion<'a> {
    /// [`VERSION`]: the headers name this message, and the body must say the same.
    Current(Message<'a>),
    /// One whose messages stand in the body alone.
    Older,
}

/// The body of a request: JSON, strictly.
#[derive(Debug)]
pub struct McpBody<'b> {
    text: &'b str,
    value: Value<'b>,
}

/// The body is no JSON, or no messages of an older version.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MalformedBody;

/// The body says something else than the headers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HeaderMismatch;

/// A message of an older version.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum OldMessage<'m> {
    /// Every client needs it, and it names nothing that rules know: it begins a session, keeps it alive, tells the
    /// server something or answers a request of the server.
    Free,
    /// A request that rules list or not.
    Judged(Message<'m>),
}

// === impl HeaderVersion ===

impl<'a> HeaderVersion<'a> {
    /// Reads the version, and the message where that stands in the headers too.
    pub fn of(request: &Request<'a>) -> Result<Self, Unreadable<'a>> {
        let [version, _, _] = headers(request)?;
        match version {
            None => Ok(HeaderVersion::Older),
            Some(version) if OLDER.iter().any(|older| older.as_bytes() == version) => {
                Ok(HeaderVersion::Older)
            }
            Some(_) => Message::read(request).map(HeaderVersion::Current),
        }
    }
}

// === impl McpBody ===

impl<'b> McpBody<'b> {
    /// Reads a body.
    pub fn parse(body: &'b [u8]) -> Result<Self, MalformedBody> {
        let text = std::str::from_utf8(body).map_err(|_| MalformedBody)?;
        let value = json::parse(body).map_err(|_| MalformedBody)?;
        Ok(McpBody { text, value })
    }

    /// The `id` of the request, as it is written, for an answer to it. A batch has none, nor has a notification.
    pub fn id(&self) -> Option<&'b str> {
        let id = self.value.as_object()?.get("id")?;
        let is_id = matches!(id, Value::Number(_) | Value::String(_));
        let text = parts::member(self.text, "id").filter(|_| is_id)?;
        (text.len() <= MCP_ID_BYTES).then_some(text)
    }

    /// Whether it says what the headers say: it is this message, of the version that has these headers.
    pub fn agrees(&self, headers: &Message<'_>) -> Result<(), HeaderMismatch> {
        let object = self.value.as_object().ok_or(HeaderMismatch)?;
        let is_same = message(object).is_ok_and(|own| own.as_ref() == Some(headers))
            && version(object) == Ok(Some(VERSION));
        is_same.then_some(()).ok_or(HeaderMismatch)
    }

    /// The messages of an older version: one, or all of a batch. Batches belong to 2025-03-26; where a server takes
    /// one in another version, it is read alike.
    pub fn messages(&self) -> Result<Vec<OldMessage<'_>>, MalformedBody> {
        let messages = match &self.value {
            Value::Array(messages) => messages,
            message => std::slice::from_ref(message),
        };
        if messages.is_empty() || messages.len() > MCP_BATCH {
            return Err(MalformedBody);
        }
        messages.iter().map(OldMessage::read).collect()
    }
}

// === impl OldMessage ===

impl<'m> OldMessage<'m> {
    fn read(value: &'m Value<'_>) -> Result<Self, MalformedBody> {
        let object = value.as_object().ok_or(MalformedBody)?;
        match message(object)? {
            Some(Message::Other("initialize" | "ping")) => Ok(OldMessage::Free),
            Some(Message::Other(method)) if method.starts_with("notifications/") => {
                Ok(OldMessage::Free)
            }
            Some(message) => Ok(OldMessage::Judged(message)),
            None => match (object.get("result"), object.get("error")) {
                (None, None) => Err(MalformedBody),
                _ => Ok(OldMessage::Free),
            },
        }
    }
}

/// The message that an object of JSON-RPC is; `None` where it has no method, as answers do.
fn message<'m>(object: &'m Object<'_>) -> Result<Option<Message<'m>>, MalformedBody> {
    if text(object, "jsonrpc")? != Some("2.0") {
        return Err(MalformedBody);
    }
    let Some(method) = text(object, "method")? else {
        return Ok(None);
    };
    let name = |member| {
        let params = member_of(object, "params")?.and_then(Value::as_object);
        let name = text(params.ok_or(MalformedBody)?, member)?;
        name.map(Cow::Borrowed).ok_or(MalformedBody)
    };
    Message::of(method, name).map(Some)
}

/// The version that the message says it is of.
fn version<'m>(object: &'m Object<'_>) -> Result<Option<&'m str>, MalformedBody> {
    let within = |object, name| member_of(object, name).map(|v| v.and_then(Value::as_object));
    let Some(params) = within(object, "params")? else {
        return Ok(None);
    };
    let Some(meta) = within(params, "_meta")? else {
        return Ok(None);
    };
    text(meta, VERSION_MEMBER)
}

/// The member of this name, which must be a string where it is there.
fn text<'m>(object: &'m Object<'_>, name: &str) -> Result<Option<&'m str>, MalformedBody> {
    let text = |value: &'m Value<'_>| value.as_str().ok_or(MalformedBody);
    member_of(object, name)?.map(text).transpose()
}

/// The member of this name. What a careless server takes for it is a second one.
fn member_of<'m, 'b>(
    object: &'m Object<'b>,
    name: &str,
) -> Result<Option<&'m Value<'b>>, MalformedBody> {
    let mut found = None;
    for (member, value) in object.iter() {
        if member == name {
            found = Some(value);
        } else if is_taken_for(member, name) {
            return Err(MalformedBody);
        }
    }
    Ok(found)
}

/// Whether some server reads a member as the one of this name: without case, as Go's encoding/json does under the folds of
/// Unicode (CVE-2026-27896), and without NULs at its end (GO-2026-4770).
fn is_taken_for(member: &str, name: &str) -> bool {
    let folded = member.trim_end_matches('\0').chars().map(|c| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    });
    folded.eq(name.chars().map(|c| c.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests;
