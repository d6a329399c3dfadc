//! Answers that list tools, prompts or resources, without what their reader may not use.

use std::borrow::Cow;
use std::ops::Range;

use crate::json::{self, Object, Value, parts};
use crate::limits::MCP_LIST_BYTES;
use crate::mcp::event::{Event, EventStream};
use crate::mcp::message::Message;

/// Takes entries out of the lists in one answer; every other byte stays.
#[derive(Debug)]
pub struct ListFilter {
    asked: Vec<Listed>,
    stream: EventStream,
}

/// The answer is not one that a client could read, or could be read in another way than ours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct UnreadableList;

/// Says whether an entry stays, by the message that uses what it lists.
pub type Keep<'k> = dyn FnMut(&Message<'_>) -> bool + 'k;

/// What a list is of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Listed {
    Prompts,
    Resources,
    Tools,
}

// === impl ListFilter ===

impl ListFilter {
    /// A filter for the answer to these messages of one request; `None` where they ask for no list.
    pub fn for_answer_to<'m>(messages: impl IntoIterator<Item = &'m Message<'m>>) -> Option<Self> {
        let mut asked = Vec::new();
        for listed in messages.into_iter().filter_map(Listed::asked_by) {
            if !asked.contains(&listed) {
                asked.push(listed);
            }
        }
        let stream = EventStream::default();
        (!asked.is_empty()).then_some(ListFilter { asked, stream })
    }

    /// A whole answer that is JSON, without the entries that do not stay; `None` where all do.
    pub fn json(
        &self,
        body: &[u8],
        keep: &mut Keep<'_>,
    ) -> Result<Option<Vec<u8>>, UnreadableList> {
        if body.len() > MCP_LIST_BYTES {
            return Err(UnreadableList);
        }
        let cuts = cuts(&self.asked, body, keep)?;
        Ok((!cuts.is_empty()).then(|| parts::without(body, &cuts)))
    }

    /// The next part of an answer that is a stream of events: what of it may pass now. An event passes when it is
    /// complete, which it is at the `end` of the stream too. One that cannot be read does not pass.
    pub fn events(&mut self, chunk: &[u8], end: bool, keep: &mut Keep<'_>) -> Vec<u8> {
        let asked = &self.asked;
        self.stream
            .read(chunk, end, &mut |event| filtered(asked, event, keep))
    }
}

fn filtered<'e>(asked: &[Listed], event: &Event<'e>, keep: &mut Keep<'_>) -> Option<Cow<'e, [u8]>> {
    let data = event.data();
    // It says nothing: a comment, an id from which to go on.
    if data.trim_ascii().is_empty() {
        return Some(Cow::Borrowed(event.raw()));
    }
    let cuts = cuts(asked, &data, keep).ok()?;
    Some(match cuts.is_empty() {
        true => Cow::Borrowed(event.raw()),
        false => Cow::Owned(event.without(&cuts)),
    })
}

// === impl Listed ===

impl Listed {
    fn asked_by(message: &Message<'_>) -> Option<Self> {
        match message {
            Message::Other("prompts/list") => Some(Listed::Prompts),
            Message::Other("resources/list") => Some(Listed::Resources),
            Message::Other("tools/list") => Some(Listed::Tools),
            _ => None,
        }
    }

    /// The member of a result that is the list.
    fn member(self) -> &'static str {
        match self {
            Listed::Prompts => "prompts",
            Listed::Resources => "resources",
            Listed::Tools => "tools",
        }
    }

    /// The message that uses what this entry lists.
    fn use_of<'e>(self, entry: &'e Value<'_>) -> Option<Message<'e>> {
        let text = |member| Some(Cow::Borrowed(entry.as_object()?.get(member)?.as_str()?));
        match self {
            Listed::Prompts => text("name").map(Message::Prompt),
            Listed::Resources => text("uri").map(Message::Resource),
            Listed::Tools => text("name").map(Message::Tool),
        }
    }
}

/// What to cut out of a message of JSON-RPC, or of a batch of them: entries, and for each entry a comma.
fn cuts(
    asked: &[Listed],
    text: &[u8],
    keep: &mut Keep<'_>,
) -> Result<Vec<Range<usize>>, UnreadableList> {
    let value = json::parse(text).map_err(|_| UnreadableList)?;
    let text = std::str::from_utf8(text).map_err(|_| UnreadableList)?;
    let (messages, written) = match &value {
        Value::Array(messages) => (messages.as_slice(), parts::elements(text)),
        message => (std::slice::from_ref(message), Some(vec![text])),
    };
    let mut cuts = Vec::new();
    for (message, written) in messages.iter().zip(written.ok_or(UnreadableList)?) {
        let message = message.as_object().ok_or(UnreadableList)?;
        for list in shortened(asked, message, keep)? {
            cuts.extend(list.cuts(written, text).ok_or(UnreadableList)?);
        }
    }
    cuts.sort_unstable_by_key(|cut| cut.start);
    Ok(cuts)
}

/// A list of which not everything stays.
struct Shortened {
    listed: Listed,
    /// Whether each of its entries stays.
    stays: Vec<bool>,
}

/// The lists in a message that lose something. Whatever is no result passes: errors, notifications and requests of
/// the server.
fn shortened(
    asked: &[Listed],
    message: &Object<'_>,
    keep: &mut Keep<'_>,
) -> Result<Vec<Shortened>, UnreadableList> {
    let result = match message.get("result") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Object(result)) => result,
        Some(_) => return Err(UnreadableList),
    };
    let mut lists = Vec::new();
    for listed in asked {
        let entries = match result.get(listed.member()) {
            None | Some(Value::Null) => continue,
            Some(Value::Array(entries)) => entries,
            Some(_) => return Err(UnreadableList),
        };
        let stays = entries
            .iter()
            .map(|entry| listed.use_of(entry).map(|message| keep(&message)));
        let stays: Vec<bool> = stays.collect::<Option<_>>().ok_or(UnreadableList)?;
        if stays.contains(&false) {
            let listed = *listed;
            lists.push(Shortened { listed, stays });
        }
    }
    Ok(lists)
}

// === impl Shortened ===

impl Shortened {
    /// What to cut out of `text` so that this list of a message in it is shorter.
    fn cuts(&self, message: &str, text: &str) -> Option<Vec<Range<usize>>> {
        let result = parts::member(message, "result")?;
        let entries = parts::elements(parts::member(result, self.listed.member())?)?;
        let ranges = entries.into_iter().map(|entry| parts::range(entry, text));
        let ranges: Vec<Range<usize>> = ranges.collect::<Option<_>>()?;
        let last = self.stays.iter().rposition(|stays| *stays);
        let mut cuts = Vec::new();
        for (i, (entry, stays)) in ranges.iter().zip(&self.stays).enumerate() {
            if !stays {
                cuts.push(entry.clone());
            }
            // An entry that stays has a comma behind it where another one that stays comes.
            let has_comma = *stays && last > Some(i);
            if let Some(next) = ranges.get(i.saturating_add(1))
                && !has_comma
            {
                let gap = text.get(entry.end..next.start)?;
                let comma = entry.end.checked_add(gap.find(',')?)?;
                cuts.push(comma..comma.checked_add(1)?);
            }
        }
        Some(cuts)
    }
}

#[cfg(test)]
mod tests;
