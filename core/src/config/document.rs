//! From the bytes of a document to its JSON object.

use crate::config::fault::{ConfigFault, Problem};
use crate::config::protobuf_struct;
use crate::json::{self, Value};
use crate::limits::CONFIGURATION_BYTES;

/// What messages call the configuration as a whole.
pub const CONFIGURATION: &str = "configuration";

/// What messages call an answer of `api_keys.remote` as a whole.
pub const API_KEY_LIST: &str = "list of API keys";

/// The configuration as Envoy hands it over: a `StringValue` as its text, which is JSON, and a
/// `Struct` as it is on the wire.
pub fn configuration(bytes: &[u8]) -> Result<Value<'_>, ConfigFault> {
    json_object(bytes, CONFIGURATION, protobuf_struct::decode)
}

/// An answer of `api_keys.remote`: JSON text.
pub fn api_key_list(bytes: &[u8]) -> Result<Value<'_>, ConfigFault> {
    json_object(bytes, API_KEY_LIST, |_| None)
}

/// Duplicate keys stay in the object, so that each can be reported with its path. `decode` is asked
/// only about what is not JSON. Nothing is both: a `Struct` with a member has the byte 0x12, the tag
/// of the member's value, and JSON text has no such control character.
fn json_object<'b>(
    bytes: &'b [u8],
    document: &'static str,
    decode: fn(&'b [u8]) -> Option<Value<'b>>,
) -> Result<Value<'b>, ConfigFault> {
    let fault = |found: String, expected: String| ConfigFault {
        path: document.into(),
        problem: Problem::Unfit {
            found: found.into(),
            expected: expected.into(),
        },
    };
    let no_object = |found: String| fault(found, "a JSON object".into());
    if bytes.len() > CONFIGURATION_BYTES {
        let found = format!("{} bytes", bytes.len());
        return Err(fault(found, format!("at most {CONFIGURATION_BYTES}")));
    }
    // Istio sends no bytes at all where a WasmPlugin has no `pluginConfig`.
    if bytes.trim_ascii().is_empty() {
        return Err(no_object("nothing".into()));
    }
    let value = match json::parse_leniently(bytes) {
        Ok(value) => value,
        Err(invalid) => decode(bytes).ok_or_else(|| no_object(invalid.to_string()))?,
    };
    match value {
        Value::Object(_) => Ok(value),
        _ => Err(no_object(value.kind().into())),
    }
}
