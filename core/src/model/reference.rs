//! What a body refers to and does not contain.
//!
//! The shapes are those of OpenAI's and Anthropic's APIs. What names something is looked for at any depth and
//! in any case of letters, so that a new kind of message hides nothing.

use crate::json::{Object, Value};
use crate::model::member::{is_given, names};

/// Whether a body points at what its provider stores: earlier answers, conversations, prompts, files, and
/// containers, vector stores and skills, which hold files.
pub fn to_stored_state(body: &Object<'_>) -> bool {
    let is_pointer = |item: &Value<'_>| item.as_object().is_some_and(is_bare_id);
    let items = body.get("input").and_then(Value::as_array);
    is_given(body, "previous_response_id")
        || is_given(body, "conversation")
        || body.get("prompt").is_some_and(is_stored_prompt)
        || points(body)
        || items.is_some_and(|items| items.iter().any(is_pointer))
        // Nobody but the client reads its metadata.
        || body.iter().any(|(name, value)| name != "metadata" && any_object(value, &points))
}

/// Whether what a body costs is not to be seen from its size: it refers to what is stored or fetched, has
/// images, audio or files, or tools whose results the provider adds by itself.
pub fn to_elsewhere(body: &Object<'_>) -> bool {
    let has_medium = |name: &str| {
        body.get(name)
            .is_some_and(|value| any_object(value, &is_medium))
    };
    has_hosted_tools(body)
        || is_given(body, "web_search_options")
        || body.get("mcp_servers").is_some_and(is_some_list)
        || ["messages", "input", "system"].into_iter().any(has_medium)
        || to_stored_state(body)
}

/// Whether any object in a value is such a one. What a model called a client's own function with is that
/// function's business.
fn any_object(value: &Value<'_>, is_such: &impl Fn(&Object<'_>) -> bool) -> bool {
    match value {
        Value::Array(items) => items.iter().any(|item| any_object(item, is_such)),
        Value::Object(object) => {
            let is_call = kind(object) == Some("tool_use");
            let inner = |(name, value)| !(is_call && name == "input") && any_object(value, is_such);
            is_such(object) || object.iter().any(inner)
        }
        _ => false,
    }
}

fn kind<'o>(object: &'o Object<'_>) -> Option<&'o str> {
    object.get("type").and_then(Value::as_str)
}

/// A list with something in it, or what is no list and might be taken for one.
fn is_some_list(value: &Value<'_>) -> bool {
    match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        _ => true,
    }
}

/// The prompt of a completion is a text, or its tokens, or a list of either. In the responses API it is an
/// object that names a stored one.
fn is_stored_prompt(prompt: &Value<'_>) -> bool {
    match prompt {
        Value::Null | Value::String(_) | Value::Number(_) => false,
        Value::Array(items) => items.iter().any(is_stored_prompt),
        Value::Bool(_) | Value::Object(_) => true,
    }
}

/// Whether an object has the id of something stored. The schema of a function that takes a `file_id` has none:
/// there it is no string.
fn points(object: &Object<'_>) -> bool {
    const ONE: [&str; 3] = ["container_id", "file_id", "skill_id"];
    const MANY: [&str; 2] = ["file_ids", "vector_store_ids"];
    let is_id = |name: &str, value: &Value<'_>| match value {
        Value::String(_) => {
            let ids = ONE.iter().chain(&MANY).chain(&["container"]);
            ids.into_iter().any(|ours| names(name, ours))
        }
        Value::Array(items) => !items.is_empty() && MANY.iter().any(|ours| names(name, ours)),
        // Of an earlier answer in speech, or of a container that is used again.
        Value::Object(inner) => {
            let is_one = names(name, "audio") || names(name, "container");
            is_one && inner.get("id").and_then(Value::as_str).is_some()
        }
        _ => false,
    };
    object.iter().any(|(name, value)| is_id(name, value))
}

/// Whether an item of the responses API is an id alone, whose content the provider looks up.
fn is_bare_id(item: &Object<'_>) -> bool {
    let lacks = |names: &[&str]| !names.iter().any(|name| is_given(item, name));
    match kind(item) {
        Some("item_reference") => true,
        Some("image_generation_call") => lacks(&["result"]),
        Some("reasoning") => lacks(&["content", "encrypted_content"]),
        Some(_) => false,
        None => is_given(item, "id") && lacks(&["content"]),
    }
}

/// Whether it is an image, audio, video or file, or tools that come with the messages.
fn is_medium(object: &Object<'_>) -> bool {
    const KINDS: [&str; 9] = [
        "computer_screenshot",
        "container_upload",
        "document",
        "file",
        "image",
        "image_generation_call",
        "input_audio",
        "input_file",
        "input_image",
    ];
    const MEMBERS: [&str; 6] = [
        "audio_url",
        "file",
        "file_data",
        "image_url",
        "input_audio",
        "video_url",
    ];
    let is_one = |name: &str| MEMBERS.iter().any(|ours| names(name, ours));
    kind(object).is_some_and(|kind| KINDS.contains(&kind))
        || object
            .iter()
            .any(|(name, value)| is_one(name) && !matches!(value, Value::Null))
        || has_hosted_tools(object)
}

/// Whether there are tools that are no functions of the client.
fn has_hosted_tools(object: &Object<'_>) -> bool {
    match object.get("tools") {
        None => false,
        Some(Value::Array(tools)) => tools.iter().any(is_hosted),
        Some(tools) => is_some_list(tools),
    }
}

/// OpenAI's custom tools are functions that take a text, Anthropic's `custom` is what a tool without a type
/// is, and a namespace holds functions. All others bring something along that the body does not show.
fn is_hosted(tool: &Value<'_>) -> bool {
    let Value::Object(tool) = tool else {
        return true;
    };
    match tool.get("type") {
        None | Some(Value::Null) => false,
        Some(kind) => match kind.as_str() {
            Some("function" | "custom") => false,
            Some("namespace") => has_hosted_tools(tool),
            _ => true,
        },
    }
}

#[cfg(test)]
mod tests;
