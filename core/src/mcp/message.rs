//! A message, as the Streamable HTTP transport of 2026-07-28 mirrors it into headers.
//!
//! A server of that version refuses a body that says something else than these headers ("Server Validation").
//! To other versions the headers mean nothing, so there we do not read them either.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::limits::MCP_VERSION_BYTES;
use crate::request::Request;
use crate::request::header_name::same_name;

/// The version whose servers check the headers.
pub const VERSION: &str = "2026-07-28";

/// The headers that say what a message asks.
pub const HEADERS: [&str; 3] = ["mcp-protocol-version", "mcp-method", "mcp-name"];

/// What a request asks of an MCP server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Message<'a> {
    /// `prompts/get`: a prompt by its name.
    Prompt(Cow<'a, str>),
    /// `resources/read`: a resource by its URI.
    Resource(Cow<'a, str>),
    /// `tools/call`: a tool by its name.
    Tool(Cow<'a, str>),
    /// Any other method.
    Other(&'a str),
}

/// Why the headers do not say what a request asks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unreadable<'a> {
    /// A header that is required is not there, is there twice, is empty or malformed.
    Headers,
    /// The message is of a version whose headers nobody has to check.
    Version {
        /// The version: at most [`MCP_VERSION_BYTES`] printable characters.
        requested: &'a str,
    },
}

// === impl Message ===

impl<'a> Message<'a> {
    /// Reads the message that the headers name.
    pub fn read(request: &Request<'a>) -> Result<Self, Unreadable<'a>> {
        let [version, method, name] = headers(request)?;
        let version = version.and_then(plain).ok_or(Unreadable::Headers)?;
        if version != VERSION {
            return Err(match version.len() <= MCP_VERSION_BYTES {
                true => Unreadable::Version { requested: version },
                false => Unreadable::Headers,
            });
        }
        let method = method.and_then(plain).ok_or(Unreadable::Headers)?;
        // Where the method has no name, nothing reads the header.
        Message::of(method, |_| {
            name.and_then(decoded).ok_or(Unreadable::Headers)
        })
    }

    /// A message of this method. Where the method is about something, `name` finds what that is: by the member of
    /// `params` that names it ("Standard Request Headers").
    pub fn of<E>(
        method: &'a str,
        name: impl FnOnce(&'static str) -> Result<Cow<'a, str>, E>,
    ) -> Result<Self, E> {
        let (message, member): (fn(Cow<'a, str>) -> Self, _) = match method {
            "prompts/get" => (Message::Prompt, "name"),
            "resources/read" => (Message::Resource, "uri"),
            "tools/call" => (Message::Tool, "name"),
            _ => return Ok(Message::Other(method)),
        };
        name(member).map(message)
    }

    /// The name or the URI that the message is about, where it is about one.
    pub fn name(&self) -> Option<&str> {
        match self {
            Message::Prompt(name) | Message::Resource(name) | Message::Tool(name) => Some(name),
            Message::Other(_) => None,
        }
    }
}

/// The values of [`HEADERS`]. What a careless upstream reads as one of them counts as a second one. Alone it
/// is none: a server that is not careless finds no header there, and then checks none against the body.
pub(super) fn headers<'a>(request: &Request<'a>) -> Result<[Option<&'a [u8]>; 3], Unreadable<'a>> {
    let mut found = HEADERS.map(|name| (name, None));
    for (name, value) in request.headers {
        let is_one = |ours: &str| same_name(ours.as_bytes(), name);
        let Some((ours, slot)) = found.iter_mut().find(|(ours, _)| is_one(ours)) else {
            continue;
        };
        let value = (ours.as_bytes() == *name).then_some(*value);
        if slot.replace(value).is_some() {
            return Err(Unreadable::Headers);
        }
    }
    Ok(found.map(|(_, value)| value.flatten()))
}

/// A value without any encoding: printable ASCII and tabs, no white space around it, not empty.
fn plain(value: &[u8]) -> Option<&str> {
    let is_legal = |b: &u8| matches!(b, b' '..=b'~' | b'\t');
    let is_plain = !value.is_empty() && value.iter().all(is_legal) && value.trim_ascii() == value;
    std::str::from_utf8(value).ok().filter(|_| is_plain)
}

/// A name as the body has it ("Value Encoding"): what no header can hold comes as `=?base64?…?=`, and so
/// does what looks like that. The markers count as they are written here alone.
fn decoded(value: &[u8]) -> Option<Cow<'_, str>> {
    const BEGIN: &str = "=?base64?";
    const END: &str = "?=";
    let text = plain(value)?;
    if !(text.starts_with(BEGIN) && text.ends_with(END)) {
        return Some(Cow::Borrowed(text));
    }
    // In `=?base64?=` they share a character. No encoder writes that.
    let encoded = text.strip_prefix(BEGIN)?.strip_suffix(END)?;
    let decoded = STANDARD.decode(encoded).ok()?;
    let name = String::from_utf8(decoded).ok()?;
    (!name.is_empty()).then_some(Cow::Owned(name))
}

#[cfg(test)]
mod tests;
