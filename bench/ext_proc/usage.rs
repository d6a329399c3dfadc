//! What an answer says it used.

use serde::Deserialize;

/// Reads an answer piece by piece.
pub enum Reader {
    /// One JSON object, which is complete at the end.
    Json(Vec<u8>),
    /// Events, with the beginning of a line whose end has not come yet.
    Events(Vec<u8>),
}

/// What has usage in it: a whole answer, or one event.
#[derive(Deserialize)]
struct Answer {
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Usage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
}

impl Reader {
    /// For an answer of this media type.
    pub fn of(content_type: &[u8]) -> Self {
        match content_type.starts_with(b"text/event-stream") {
            true => Reader::Events(Vec::new()),
            false => Reader::Json(Vec::new()),
        }
    }

    /// Reads a piece; the tokens in all, where it completes what says so.
    pub fn read(&mut self, piece: &[u8], is_last: bool) -> Option<u64> {
        match self {
            Reader::Json(body) => {
                body.extend_from_slice(piece);
                is_last.then(|| tokens(body))?
            }
            Reader::Events(begun) => {
                let mut used = None;
                for line in piece.split_inclusive(|byte| *byte == b'\n') {
                    if !line.ends_with(b"\n") {
                        begun.extend_from_slice(line);
                        continue;
                    }
                    let found = match begun.is_empty() {
                        true => of_line(line),
                        false => {
                            begun.extend_from_slice(line);
                            let found = of_line(begun);
                            begun.clear();
                            found
                        }
                    };
                    used = found.or(used);
                }
                used
            }
        }
    }
}

/// The tokens that one line of a stream of events names.
fn of_line(line: &[u8]) -> Option<u64> {
    let data = line.strip_prefix(b"data:")?.trim_ascii();
    match data {
        b"[DONE]" => None,
        _ => tokens(data),
    }
}

fn tokens(json: &[u8]) -> Option<u64> {
    let usage = serde_json::from_slice::<Answer>(json).ok()?.usage?;
    let sum = usage.prompt_tokens.saturating_add(usage.completion_tokens);
    Some(usage.total_tokens.max(sum))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "data: {\"usage\":null}\n\ndata: {\"usage\":{\"prompt_tokens\":2,\
        \"completion_tokens\":3,\"total_tokens\":5}}\n\ndata: [DONE]\n\n";

    #[test]
    fn usage_is_found_however_a_stream_is_cut() {
        for at in 0..=STREAM.len() {
            let (one, two) = STREAM.as_bytes().split_at(at);
            let mut reader = Reader::of(b"text/event-stream; charset=utf-8");
            let first = reader.read(one, false);
            let second = reader.read(two, true);
            assert_eq!(first.or(second), Some(5), "cut at {at}");
        }
    }

    #[test]
    fn usage_of_json_is_known_at_its_end() {
        let mut reader = Reader::of(b"application/json");
        assert_eq!(
            reader.read(b"{\"usage\":{\"prompt_tokens\":2,", false),
            None
        );
        let rest = b"\"completion_tokens\":3,\"total_tokens\":4}}";
        assert_eq!(reader.read(rest, true), Some(5));
        let mut reader = Reader::of(b"application/json");
        assert_eq!(reader.read(b"{\"choices\":[]}", true), None);
    }
}
