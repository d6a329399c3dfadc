#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use crate::json::{self, Value};
use crate::usage::counts::Field;

use super::*;

const APIS: [Api; 5] = [
    Api::Chat,
    Api::Completions,
    Api::Embeddings,
    Api::Messages,
    Api::Responses,
];

/// What a reader says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Said {
    usage: Option<Usage>,
    named: Usage,
    events: u64,
    is_told: bool,
    is_final: bool,
}

fn said(reader: &UsageReader) -> Said {
    Said {
        usage: reader.usage(),
        named: reader.named(),
        events: reader.events(),
        is_told: reader.is_told(),
        is_final: reader.is_final(),
    }
}

/// Reads a body in chunks of several sizes, which must make no difference.
fn read(api: Api, framing: Framing, body: &[u8]) -> Said {
    let whole = read_by(api, framing, body, body.len().max(1));
    let sizes = [1, 2, 3, 5, 7, 13, 64, 1000].into_iter();
    for size in sizes.filter(|size| *size < body.len()) {
        let cut = read_by(api, framing, body, size);
        assert_eq!(cut, whole, "{} by {size}", String::from_utf8_lossy(body));
    }
    whole
}

fn read_by(api: Api, framing: Framing, body: &[u8], size: usize) -> Said {
    let mut reader = UsageReader::new(api, framing);
    for chunk in body.chunks(size) {
        let before = reader;
        reader.read(chunk);
        if before.is_final() {
            assert_eq!(said(&reader), said(&before));
        }
        // Whatever comes, a usage is no less than what was named.
        assert!(reader.usage().is_none_or(|usage| usage == reader.named()));
    }
    said(&reader)
}

fn json(api: Api, body: &str) -> Said {
    read(api, Framing::Json, body.as_bytes())
}

fn stream(api: Api, body: &str) -> Said {
    read(api, Framing::EventStream, body.as_bytes())
}

fn usage(input: u64, output: u64) -> Usage {
    Usage {
        input,
        output,
        total: input + output,
    }
}

// === JSON ===

#[test]
fn each_api_has_its_fields() {
    let cases = [
        (
            Api::Chat,
            r#"{"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"#,
            usage(1, 2),
        ),
        (
            Api::Completions,
            r#"{"usage":{"prompt_tokens":1,"completion_tokens":2}}"#,
            usage(1, 2),
        ),
        (
            Api::Embeddings,
            r#"{"usage":{"prompt_tokens":7,"total_tokens":7}}"#,
            usage(7, 0),
        ),
        (
            Api::Embeddings,
            r#"{"usage":{"prompt_tokens":7,"completion_tokens":null}}"#,
            usage(7, 0),
        ),
        (
            Api::Embeddings,
            r#"{"usage":{"prompt_tokens":7,"completion_tokens":1}}"#,
            usage(7, 1),
        ),
        (
            Api::Responses,
            r#"{"usage":{"input_tokens":5,"output_tokens":8,"total_tokens":13}}"#,
            usage(5, 8),
        ),
        (
            Api::Messages,
            r#"{"usage":{"input_tokens":5,"output_tokens":8}}"#,
            usage(5, 8),
        ),
        // Anthropic's cached input is beside the rest of it, OpenAI's is a part.
        (
            Api::Messages,
            r#"{"usage":{"input_tokens":5,"cache_creation_input_tokens":100,"cache_read_input_tokens":1000,"output_tokens":8}}"#,
            usage(1105, 8),
        ),
        (
            Api::Messages,
            r#"{"usage":{"input_tokens":5,"cache_creation_input_tokens":null,"cache_read_input_tokens":0,"output_tokens":8}}"#,
            usage(5, 8),
        ),
        (
            Api::Messages,
            r#"{"usage":{"cache_creation":{"ephemeral_5m_input_tokens":9,"input_tokens":9},"input_tokens":5,"output_tokens":8}}"#,
            usage(5, 8),
        ),
        (
            Api::Chat,
            r#"{"usage":{"prompt_tokens":9,"completion_tokens":9,"total_tokens":18,
                "prompt_tokens_details":{"cached_tokens":8,"prompt_tokens":4},"cache_read_input_tokens":5}}"#,
            usage(9, 9),
        ),
        (
            Api::Responses,
            r#"{"usage":{"input_tokens":9,"input_tokens_details":{"cached_tokens":8},"output_tokens":9,"output_tokens_details":{"reasoning_tokens":4}}}"#,
            usage(9, 9),
        ),
    ];
    for (api, body, expected) in cases {
        let said = json(api, body);
        assert_eq!(said.usage, Some(expected), "{body}");
        assert!(said.is_told && said.is_final, "{body}");
    }
}

#[test]
fn the_larger_total_counts() {
    for (total, expected) in [
        ("4", 4),
        ("3", 3),
        ("2", 3),
        ("0", 3),
        ("null", 3),
        ("-9", 3),
        ("9.5", 3),
        ("\"9\"", 3),
    ] {
        let body = format!(
            r#"{{"usage":{{"prompt_tokens":1,"completion_tokens":2,"total_tokens":{total}}}}}"#
        );
        assert_eq!(
            json(Api::Chat, &body).usage.unwrap().total,
            expected,
            "{total}"
        );
    }
    let most = 1_u64 << 53;
    let body = format!(
        r#"{{"usage":{{"input_tokens":{most},"cache_creation_input_tokens":{most},"cache_read_input_tokens":{most},"output_tokens":{most}}}}}"#
    );
    assert_eq!(
        json(Api::Messages, &body).usage,
        Some(usage(3 * most, most))
    );
}

#[test]
fn input_and_output_must_both_be_there() {
    let cases = [
        (
            Api::Chat,
            r#"{"usage":{"prompt_tokens":1,"total_tokens":3}}"#,
            (1, 0, 3),
        ),
        (
            Api::Chat,
            r#"{"usage":{"completion_tokens":2,"total_tokens":3}}"#,
            (0, 2, 3),
        ),
        (Api::Chat, r#"{"usage":{"total_tokens":3}}"#, (0, 0, 3)),
        (Api::Chat, r#"{"usage":{}}"#, (0, 0, 0)),
        (Api::Chat, r#"{"usage":null}"#, (0, 0, 0)),
        (Api::Chat, "{}", (0, 0, 0)),
        (
            Api::Chat,
            r#"{"usage":{"prompt_tokens":1,"completion_tokens":null}}"#,
            (1, 0, 1),
        ),
        // Names of the other provider.
        (
            Api::Chat,
            r#"{"usage":{"input_tokens":1,"output_tokens":2}}"#,
            (0, 0, 0),
        ),
        (
            Api::Completions,
            r#"{"usage":{"input_tokens":1,"output_tokens":2}}"#,
            (0, 0, 0),
        ),
        (
            Api::Messages,
            r#"{"usage":{"prompt_tokens":1,"completion_tokens":2}}"#,
            (0, 0, 0),
        ),
        (
            Api::Responses,
            r#"{"usage":{"prompt_tokens":1,"completion_tokens":2}}"#,
            (0, 0, 0),
        ),
        (
            Api::Responses,
            r#"{"usage":{"input_tokens":1,"prompt_tokens":2}}"#,
            (1, 0, 1),
        ),
        (
            Api::Embeddings,
            r#"{"usage":{"total_tokens":3}}"#,
            (0, 0, 3),
        ),
        (
            Api::Messages,
            r#"{"usage":{"cache_read_input_tokens":3,"output_tokens":2}}"#,
            (3, 2, 5),
        ),
        // Other kinds of usage: audio is counted in seconds.
        (
            Api::Chat,
            r#"{"usage":{"type":"duration","seconds":9}}"#,
            (0, 0, 0),
        ),
        (
            Api::Chat,
            r#"{"usage":[{"prompt_tokens":1,"completion_tokens":2}]}"#,
            (0, 0, 0),
        ),
        (
            Api::Chat,
            r#"{"usage":"{\"prompt_tokens\":1,\"completion_tokens\":2}"}"#,
            (0, 0, 0),
        ),
        (
            Api::Chat,
            r#"{"Usage":{"prompt_tokens":1,"completion_tokens":2}}"#,
            (0, 0, 0),
        ),
        (
            Api::Chat,
            r#"{"usage ":{"prompt_tokens":1,"completion_tokens":2}}"#,
            (0, 0, 0),
        ),
    ];
    for (api, body, (input, output, total)) in cases {
        let said = json(api, body);
        let named = Usage {
            input,
            output,
            total,
        };
        assert_eq!((said.usage, said.named), (None, named), "{body}");
        assert!(!said.is_told && !said.is_final, "{body}");
    }
}

#[test]
fn usage_counts_at_the_top_and_in_response_and_message_only() {
    const OBJECT: &str = r#"{"prompt_tokens":1,"completion_tokens":2}"#;
    let counts = [
        r#"{"usage":U}"#,
        r#"{"response":{"usage":U}}"#,
        r#"{"message":{"usage":U}}"#,
        r#"{"message":{"a":{"b":[]},"usage":U,"c":{}},"d":1}"#,
        r#" { "a" : [ { } , "]" ] , "usage" : U } "#,
        "\u{feff}{\"usage\":U}",
        "\r\n\t {\"usage\"\n:\r\n\tU\n}\n\n",
        r#"{"us\u0061ge":U}"#,
        r#"{"\u0075\u0073\u0061\u0067\u0065":U}"#,
        r#"{"a":"\\","usage":U}"#,
        r#"{"a":"\\\"","usage":U}"#,
        r#"{"a":"}","b":"{","c":"\u007d\"}","usage":U}"#,
        r#"{"a":1e999,"b":-1,"c":true,"d":null,"e":[],"usage":U}"#,
        r#"{"usage":{"prompt_tokens":5},"usage":U}"#,
        r#"{"usage":null,"usage":U,"usage":null,"usage":[],"usage":7,"usage":{}}"#,
    ];
    for body in counts {
        let said = json(Api::Chat, &body.replace('U', OBJECT));
        assert_eq!(said.usage, Some(usage(1, 2)), "{body}");
        assert!(said.is_final, "{body}");
    }
    let escaped = OBJECT.replace('"', "\\\"");
    let counts_nothing = [
        r#"{"choices":[{"usage":U}]}"#,
        r#"{"choices":{"usage":U}}"#,
        r#"{"delta":{"usage":U}}"#,
        r#"{"data":{"usage":U}}"#,
        r#"{"usage":{"usage":U}}"#,
        r#"{"usage":[U]}"#,
        r#"{"response":[{"usage":U}]}"#,
        r#"{"response":{"message":{"usage":U}}}"#,
        r#"{"message":{"response":{"usage":U}}}"#,
        r#"{"message":{"content":[{"usage":U}]}}"#,
        r#"{"response":{"output":[{"type":"message","usage":U}]}}"#,
        r#"{"a":{"response":{"usage":U}}}"#,
        r#"U"#,
        r#"[{"usage":U}]"#,
        r#"[[[{"usage":U}]]]"#,
        r#"{}{"usage":U}"#,
        r#"{},"usage":U"#,
        r#"null{"usage":U}"#,
        r#""usage":U"#,
        r#"data: {"usage":U}"#,
        r#"{"a":"{\"usage\":E}"}"#,
        r#"{"choices":[{"message":{"tool_calls":[{"function":{"arguments":"{\"usage\":E}"}}]}}]}"#,
        r#"{"choices":[{"message":{"content":"\",\"usage\":E"}}]}"#,
        r#"{"usage\u0000":U}"#,
        r#"{"usage\":U}"#,
        // What is no JSON may say so or not; it must not get out of its depth.
        r#"{"a":[}],"usage":U}"#,
        r#"{"a" "usage":U}"#,
        r#"{"a":,"usage":U}"#,
        r#"{'usage':U}"#,
        r#"{usage:U}"#,
        r#"{"a":1 "usage":U}"#,
        "{\u{0}\"usage\":U}",
    ];
    for body in counts_nothing {
        let body = body.replace('U', OBJECT).replace('E', &escaped);
        let said = json(Api::Chat, &body);
        assert_eq!((said.usage, said.named), (None, usage(0, 0)), "{body}");
        assert!(!said.is_final, "{body}");
    }
}

#[test]
fn the_last_value_of_each_field_counts() {
    // `null` is no value. What is no number of tokens is none, so the field has none, and what was named stays.
    let cases = [
        ("1", "2", Some(2), 2),
        ("2", "1", Some(1), 1),
        ("1", "0", Some(0), 0),
        ("1", "null", Some(1), 1),
        ("null", "1", Some(1), 1),
        ("null", "null", None, 0),
        ("1", "-2", None, 1),
        ("1", "1.5", None, 1),
        ("1", "9007199254740993", None, 1),
        ("1", "1e400", None, 1),
        ("1", "\"2\"", None, 1),
        ("1", "true", None, 1),
        ("1", "[2]", None, 1),
        ("1", "{\"prompt_tokens\":2}", None, 1),
        ("1", "02", None, 1),
        ("-2", "1", Some(1), 1),
        ("\"2\"", "1", Some(1), 1),
        ("[2]", "1.0", Some(1), 1),
        ("{}", "10e-1", Some(1), 1),
    ];
    for (first, second, expected, named) in cases {
        let body = format!(
            r#"{{"usage":{{"prompt_tokens":{first},"completion_tokens":3}},"message":{{"usage":{{"prompt_tokens":{second}}}}}}}"#
        );
        let said = json(Api::Chat, &body);
        let expected = expected.map(|input| usage(input, 3));
        assert_eq!(
            (said.usage, said.named),
            (expected, usage(named, 3)),
            "{body}"
        );
        let body = format!(
            r#"{{"usage":{{"completion_tokens":3,"prompt_tokens":{first},"prompt_tokens":{second}}}}}"#
        );
        let said = json(Api::Chat, &body);
        assert_eq!(
            (said.usage, said.named),
            (expected, usage(named, 3)),
            "{body}"
        );
    }
}

/// A part of the input that cannot be read makes the sum unknown.
#[test]
fn cached_input_that_cannot_be_read_is_not_left_out() {
    for value in ["-1", "0.5", "\"1\"", "{}", "true", "1e99"] {
        for name in ["cache_creation_input_tokens", "cache_read_input_tokens"] {
            let body =
                format!(r#"{{"usage":{{"input_tokens":1,"output_tokens":2,"{name}":{value}}}}}"#);
            let said = json(Api::Messages, &body);
            assert_eq!((said.usage, said.named), (None, usage(1, 2)), "{body}");
        }
    }
}

#[test]
fn an_object_is_final_at_its_end_and_told_behind_its_usage() {
    let body = r#"{"a":[],"usage":{"prompt_tokens":1,"completion_tokens":2},"b":{"c":1}}"#;
    let told = body.find("},\"b").unwrap() + 1;
    for end in 0..=body.len() {
        let said = json(Api::Chat, &body[..end]);
        assert_eq!(said.is_final, end == body.len(), "{}", &body[..end]);
        assert_eq!(said.is_told, end >= told, "{}", &body[..end]);
    }
    // A number that is cut may be another one.
    let cut = json(
        Api::Chat,
        r#"{"usage":{"prompt_tokens":12,"completion_tokens":34"#,
    );
    assert_eq!((cut.usage, cut.named), (None, usage(12, 0)));
    // Whatever follows the object.
    for behind in [
        " ",
        "\n\n",
        ",",
        "{\"usage\":{\"prompt_tokens\":9}}",
        "\0",
        "x",
    ] {
        let said = json(Api::Chat, &format!("{body}{behind}"));
        assert_eq!(
            (said.usage, said.is_final),
            (Some(usage(1, 2)), true),
            "{behind:?}"
        );
    }
}

// === event streams ===

const CHAT: &str = r#"data: {"choices":[{"delta":{"content":"a"}}],"usage":null}

data: {"choices":[{"delta":{},"finish_reason":"stop"}],"usage":null}

"#;
const CHAT_END: &str = r#"data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}

"#;
const CHAT_DONE: &str = "data: [DONE]\n\n";

const MESSAGE_START: &str = r#"event: message_start
data: {"type":"message_start","message":{"type":"message","content":[],"usage":{"input_tokens":25,"cache_read_input_tokens":100,"output_tokens":1}}}

"#;
const MESSAGE_TEXT: &str = r#"event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}}

"#;
const MESSAGE_DELTA: &str = r#"event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":8}}

"#;
const MESSAGE_STOP: &str = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

const RESPONSE_CREATED: &str = r#"event: response.created
data: {"type":"response.created","response":{"status":"in_progress","usage":null}}

event: response.output_text.delta
data: {"type":"response.output_text.delta","delta":"a"}

"#;
const RESPONSE_END: &str = r#"event: response.completed
data: {"type":"response.completed","response":{"status":"completed","output":[{"type":"message"}],"usage":{"input_tokens":5,"output_tokens":8,"total_tokens":13}}}

"#;

/// How far a stream has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Is {
    Unsaid,
    /// There is usage, but more may come.
    Partial,
    Told,
    Final,
}

fn check_standing(api: Api, body: &str, expected: Is) {
    let said = stream(api, body);
    let is = match said {
        Said { usage: None, .. } => {
            assert!(!said.is_told && !said.is_final, "{body}");
            Is::Unsaid
        }
        Said { is_final: true, .. } => Is::Final,
        Said { is_told: true, .. } => Is::Told,
        Said { .. } => Is::Partial,
    };
    assert_eq!(is, expected, "{api:?} {body}");
}

#[test]
fn a_chat_ends_with_a_chunk_without_choices_or_with_done() {
    let without_choices = CHAT_END.replace("\"choices\":[],", "");
    let with_a_choice = CHAT_END.replace("[]", "[0]");
    let end = CHAT_END.trim_end();
    let cases = [
        (CHAT.to_owned(), Is::Unsaid),
        (format!("{CHAT}{CHAT_DONE}"), Is::Unsaid),
        (format!("{CHAT}{CHAT_END}"), Is::Final),
        (format!("{CHAT}{CHAT_END}{CHAT_DONE}"), Is::Final),
        // At the end of the object, not of the event.
        (format!("{CHAT}{end}"), Is::Final),
        (
            format!("{CHAT}{}", end.strip_suffix('}').unwrap()),
            Is::Partial,
        ),
        // Azure begins with a chunk without choices.
        (
            format!("data: {{\"choices\":[],\"prompt_filter_results\":[]}}\n\n{CHAT}"),
            Is::Unsaid,
        ),
        // Some count in every chunk, or in the last one with a choice.
        (CHAT_END.replace("[]", "[{\"delta\":{}}]"), Is::Partial),
        (CHAT_END.replace("[]", "[null]"), Is::Partial),
        (CHAT_END.replace("[]", "[[]]"), Is::Partial),
        (CHAT_END.replace("[]", "{}"), Is::Partial),
        (CHAT_END.replace("[]", "\"[]\""), Is::Partial),
        (CHAT_END.replace("[]", "0"), Is::Partial),
        (CHAT_END.replace("[]", " [ ] "), Is::Final),
        (CHAT_END.replace("choices", "choice\\u0073"), Is::Final),
        (CHAT_END.replace("[]", "null"), Is::Told),
        (without_choices.clone(), Is::Told),
        (format!("{with_a_choice}{CHAT_DONE}"), Is::Final),
        (format!("{with_a_choice}data: [DONE]"), Is::Final),
        (format!("{with_a_choice}data: [DONE"), Is::Partial),
        (format!("{with_a_choice}data: [done]\n\n"), Is::Partial),
        (format!("{with_a_choice}data: \"[DONE]\"\n\n"), Is::Partial),
        (format!("{with_a_choice}event: [DONE]\n\n"), Is::Partial),
        (format!("{with_a_choice}: [DONE]\n\n"), Is::Partial),
        // The order of the members does not matter.
        (
            without_choices.replace("}}", "},\"choices\":[]}"),
            Is::Final,
        ),
        (
            without_choices.replace("}}", "},\"choices\":[1]}"),
            Is::Partial,
        ),
        (CHAT_END.replace(":2", ":2.5"), Is::Unsaid),
        (
            CHAT_END.replace("completion_tokens", "output_tokens"),
            Is::Unsaid,
        ),
        // The numbers of another event are not this one's.
        (
            format!(
                "{with_a_choice}{}",
                CHAT_END.replace(",\"completion_tokens\":2", "")
            ),
            Is::Partial,
        ),
    ];
    for (body, expected) in cases {
        check_standing(Api::Chat, &body, expected);
        check_standing(Api::Completions, &body, expected);
    }
    let embeddings = "data: {\"usage\":{\"prompt_tokens\":1}}\n\n";
    check_standing(Api::Embeddings, embeddings, Is::Told);
}

#[test]
fn messages_end_with_the_reason_for_the_stop_or_with_message_stop() {
    let without_reason = MESSAGE_DELTA.replace("\"end_turn\"", "null");
    let error = "event: error\ndata: {\"type\":\"error\",\"error\":{}}\n\n";
    let after_the_start = [
        ("", Is::Unsaid),
        (MESSAGE_TEXT, Is::Unsaid),
        (error, Is::Unsaid),
        (MESSAGE_START, Is::Unsaid),
        (MESSAGE_DELTA, Is::Final),
        (MESSAGE_STOP, Is::Final),
        ("data: {\"type\":\"message_st\\u006fp\"}", Is::Final),
        ("data: {\"type\":\"message_stop\"", Is::Unsaid),
        ("data: {\"type\":\"message_stopped\"}\n\n", Is::Unsaid),
        ("data: {\"types\":\"message_stop\"}\n\n", Is::Unsaid),
        ("data: {\"type\":[\"message_stop\"]}\n\n", Is::Unsaid),
        ("data: {\"a\":{\"type\":\"message_stop\"}}\n\n", Is::Unsaid),
        ("event: message_stop\ndata: {}\n\n", Is::Unsaid),
        // There may be such an event before the last one.
        (&without_reason, Is::Told),
        (&MESSAGE_DELTA.replace("\"delta\"", "\"x\""), Is::Told),
        (
            &MESSAGE_DELTA.replace("{\"stop_reason\":\"end_turn\"}", "[\"stop_reason\"]"),
            Is::Told,
        ),
        (&MESSAGE_DELTA.replace(":8", ":8.5"), Is::Unsaid),
        (
            &MESSAGE_DELTA.replace("output_tokens", "input_tokens"),
            Is::Unsaid,
        ),
    ];
    for (body, expected) in after_the_start {
        check_standing(Api::Messages, &format!("{MESSAGE_START}{body}"), expected);
        check_standing(Api::Messages, body, Is::Unsaid);
    }
    let both = format!("{MESSAGE_DELTA}{MESSAGE_STOP}");
    check_standing(Api::Messages, &both, Is::Unsaid);
}

#[test]
fn a_response_ends_with_an_event_that_says_so() {
    let kind = "\"type\":\"response.completed\"";
    let without_type = RESPONSE_END.replace(&format!("{kind},"), "");
    let cases = [
        (RESPONSE_CREATED.to_owned(), Is::Unsaid),
        (format!("{RESPONSE_CREATED}{RESPONSE_END}"), Is::Final),
        (RESPONSE_END.replace("completed", "incomplete"), Is::Final),
        (RESPONSE_END.replace("completed", "failed"), Is::Final),
        (RESPONSE_END.replace("completed", "in_progress"), Is::Told),
        (RESPONSE_END.replace("completed", "cancelled"), Is::Told),
        (
            RESPONSE_END.replace(kind, "\"type\":\"response.comple\\u0074ed\""),
            Is::Final,
        ),
        (
            without_type.replace("}}}", &format!("}}}},{kind}}}")),
            Is::Final,
        ),
        (without_type, Is::Told),
        (RESPONSE_END.replace("13}}}", "13}}"), Is::Partial),
        (RESPONSE_END.replace(":8", ":null"), Is::Unsaid),
    ];
    for (body, expected) in cases {
        check_standing(Api::Responses, &body, expected);
    }
}

#[test]
fn a_stream_says_its_usage() {
    let first_delta = MESSAGE_DELTA
        .replace("\"end_turn\"", "null")
        .replace(":8", ":5");
    let new_input = MESSAGE_DELTA.replace(
        "{\"output",
        "{\"input_tokens\":7,\"cache_read_input_tokens\":null,\"output",
    );
    let large = CHAT_END.replace(":2", ":700").replace(":3", ":701");
    let cases = [
        (
            Api::Chat,
            format!("{CHAT}{CHAT_END}{CHAT_DONE}"),
            usage(1, 2),
        ),
        (
            Api::Messages,
            format!("{MESSAGE_START}{MESSAGE_TEXT}{MESSAGE_DELTA}{MESSAGE_STOP}"),
            usage(125, 8),
        ),
        (
            Api::Messages,
            format!("{MESSAGE_START}{MESSAGE_STOP}"),
            usage(125, 1),
        ),
        (
            Api::Responses,
            format!("{RESPONSE_CREATED}{RESPONSE_END}"),
            usage(5, 8),
        ),
        // They are cumulative: the last number counts, nothing is added.
        (
            Api::Messages,
            format!("{MESSAGE_START}{first_delta}{MESSAGE_DELTA}"),
            usage(125, 8),
        ),
        (
            Api::Messages,
            format!("{MESSAGE_START}{new_input}"),
            usage(107, 8),
        ),
        (
            Api::Chat,
            format!("{}{CHAT_END}", large.replace("[]", "[1]")),
            usage(1, 2),
        ),
        // What follows the final usage changes nothing.
        (Api::Chat, format!("{CHAT_END}{large}"), usage(1, 2)),
        (
            Api::Messages,
            format!("{MESSAGE_START}{MESSAGE_DELTA}{first_delta}"),
            usage(125, 8),
        ),
        (
            Api::Responses,
            format!("{RESPONSE_END}{}", RESPONSE_END.replace(":8", ":9")),
            usage(5, 8),
        ),
    ];
    for (api, body, expected) in cases {
        for end in ["\n", "\r\n", "\r"] {
            let body = body.replace('\n', end);
            assert_eq!(stream(api, &body).usage, Some(expected), "{body:?}");
            let marked = format!("\u{feff}{body}");
            assert_eq!(stream(api, &marked).usage, Some(expected), "{body:?}");
        }
    }
}

#[test]
fn a_byte_order_mark_is_skipped_at_the_beginning_only() {
    let marks: [&[u8]; 6] = [
        b"\xef",
        b"\xef\xbb",
        b"\xef\xbb\xbf\xef\xbb\xbf",
        b"\xfe\xff",
        b"\xbb\xbf",
        b"x",
    ];
    for mark in marks {
        let body = [mark, CHAT_END.as_bytes()].concat();
        let said = read(Api::Chat, Framing::EventStream, &body);
        assert_eq!(said.usage, None, "{mark:x?}");
        let object = br#"{"usage":{"prompt_tokens":1,"completion_tokens":2}}"#;
        let said = read(Api::Chat, Framing::Json, &[mark, object].concat());
        assert_eq!(said.usage, None, "{mark:x?}");
    }
    let said = stream(Api::Chat, &format!("\n\u{feff}{CHAT_END}"));
    assert_eq!((said.usage, said.events), (None, 0));
}

#[test]
fn data_of_several_lines_is_one_text() {
    let bodies = [
        "data: {\"choices\":[],\ndata: \"usage\":{\ndata:\"prompt_tokens\":1\ndata\n\
         data:   ,\"completion_tokens\":2}}\n\n",
        "data: {\"choices\":[]\nevent: a\n: comment\nid: 1\n\
         data: ,\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\n",
        "data:\ndata:\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}\n\
         data:}\ndata: x\n\n",
    ];
    for body in bodies {
        let said = stream(Api::Chat, body);
        assert_eq!(
            (said.usage, said.is_final),
            (Some(usage(1, 2)), true),
            "{body}"
        );
    }
    // A line feed stands between them: a number ends there.
    let cut = "data: {\"usage\":{\"prompt_tokens\":1\ndata: 2,\"completion_tokens\":2}}\n\n";
    assert_eq!(stream(Api::Chat, cut).usage, None);
    // An event that ends takes nothing along.
    let cut = "data: {\"usage\":{\"prompt_tokens\":1,\n\ndata: \"completion_tokens\":2}}\n\n";
    let said = stream(Api::Chat, cut);
    assert_eq!(
        (said.usage, said.named, said.events),
        (None, usage(1, 0), 2)
    );
}

#[test]
fn usage_that_is_not_an_events_own_counts_nothing() {
    let object = r#"{"prompt_tokens":1,"completion_tokens":2}"#;
    let bodies = [
        r#"data: {"choices":[{"usage":U}]}"#,
        r#"data: [{"choices":[],"usage":U}]"#,
        r#"data: {"a":"{\"usage\":U}"}"#,
        r#"data: x{"choices":[],"usage":U}"#,
        r#": data: {"choices":[],"usage":U}"#,
        r#"event: {"choices":[],"usage":U}"#,
        r#"data {"choices":[],"usage":U}"#,
        r#"Data: {"choices":[],"usage":U}"#,
        r#" data: {"choices":[],"usage":U}"#,
        r#"{"choices":[],"usage":U}"#,
        "id: 1\rdat\ra: {\"usage\":U}",
        "data: [DONE]\ndata: {\"usage\":U}",
    ];
    for body in bodies {
        let body = format!("{}\n\n", body.replace('U', object));
        let said = stream(Api::Chat, &body);
        assert_eq!((said.usage, said.named), (None, usage(0, 0)), "{body}");
        assert!(!said.is_final, "{body}");
    }
}

#[test]
fn events_with_data_are_counted() {
    let cases = [
        ("", 0, 0),
        (": comment\n\n", 0, 0),
        ("event: ping\n\n", 0, 0),
        ("\n\n\n", 0, 0),
        ("data: [DONE]\n\n", 0, 0),
        ("data:[DONE]\n\n", 0, 0),
        ("data: [DONE] \n\n", 0, 0),
        ("data: [DONE]", 0, 0),
        ("data: {}\n\n", 1, 1),
        (
            "data: {}\n\ndata: {}\n\n: comment\n\ndata: [DONE]\n\n",
            2,
            2,
        ),
        ("data: a\ndata: b\n\n", 1, 1),
        ("data\n\n", 1, 1),
        ("data: [DONE\n\n", 1, 1),
        ("data: [DONE\ndata: ]\n\n", 1, 1),
        ("data: {\"a\":\"[DONE]\"}\n\n", 1, 1),
        (
            "data: {\"usage\":1}\n\ndata: {\"usage\":null}\n\ndata: {\"a\":",
            2,
            3,
        ),
        // What did not end counts where the stream came to its end.
        ("data: {}", 0, 1),
        ("data: {}\n", 0, 1),
        ("data", 0, 1),
        ("dat", 0, 0),
        ("data: {}\n\ndata", 1, 2),
        ("data: {}\n\nevent: x", 1, 1),
    ];
    for (body, expected, at_the_end) in cases {
        assert_eq!(stream(Api::Chat, body).events, expected, "{body:?}");
        for (framing, expected) in [(Framing::EventStream, at_the_end), (Framing::Json, 0)] {
            let mut reader = UsageReader::new(Api::Chat, framing);
            reader.read(body.as_bytes());
            reader.end();
            assert_eq!(reader.events(), expected, "{body:?}");
        }
    }
}

// === size ===

#[test]
fn a_reader_is_small() {
    let bytes = size_of::<UsageReader>();
    assert!(bytes <= 320, "{bytes}");
}

/// Of most bodies that are large in one way.
const MEGABYTE: usize = 1 << 20;

/// A piece as often as it makes a megabyte.
fn megabyte_of(piece: &str) -> String {
    piece.repeat(MEGABYTE / piece.len())
}

#[test]
fn answers_of_megabytes_are_read() {
    const OBJECT: &str = r#""usage":{"prompt_tokens":1,"completion_tokens":2}"#;
    let text = megabyte_of(r#"It said: \"usage\":{\"prompt_tokens\":9} \\ \u00e4 "#).repeat(4);
    let half = MEGABYTE / 2;
    let eighth = MEGABYTE / 8;
    let bodies = [
        format!("\"a\":\"{text}\""),
        format!("\"a\":[{}1]", megabyte_of("-0.017608326,\n")),
        format!("\"a\":{}{}", "[".repeat(half), "]".repeat(half)),
        format!(
            "\"a\":[{}1{}]",
            "{\"usage\":".repeat(eighth),
            "}".repeat(eighth)
        ),
        format!("{}\"b\":1", megabyte_of("\"a\":1,")),
        format!("\"{text}\":1"),
        format!("\"a\":{}", megabyte_of("1234567890")),
        format!("\"a\":1{}", megabyte_of(" ")),
    ];
    for body in bodies {
        for json in [
            format!("{{{body},{OBJECT}}}"),
            format!("{{{OBJECT},{body}}}"),
        ] {
            let said = read_by(Api::Chat, Framing::Json, json.as_bytes(), 16 << 10);
            let expected = (Some(usage(1, 2)), true);
            assert_eq!((said.usage, said.is_final), expected, "{json:.60}");
            let event = format!("data: {}\n\n{CHAT_DONE}", json.replace('\n', "\ndata:"));
            let said = read_by(Api::Chat, Framing::EventStream, event.as_bytes(), 16 << 10);
            assert_eq!((said.usage, said.is_final), expected, "{event:.60}");
        }
    }
    let events = megabyte_of(CHAT);
    let count = 2 * u64::try_from(MEGABYTE / CHAT.len()).unwrap();
    let whole = format!("{events}{CHAT_END}");
    let said = read_by(Api::Chat, Framing::EventStream, whole.as_bytes(), 1000);
    assert_eq!((said.usage, said.events), (Some(usage(1, 2)), count));
    let said = read_by(Api::Chat, Framing::EventStream, events.as_bytes(), 1000);
    assert_eq!((said.usage, said.events), (None, count));
}

#[test]
fn a_number_of_megabytes_is_no_usage_unless_it_is_small() {
    let digits = megabyte_of("1234567890");
    let zeros = "0".repeat(MEGABYTE);
    let cases = [
        (digits.clone(), None),
        (format!("1{zeros}"), None),
        (format!("0.{digits}"), None),
        (format!("1e{digits}"), None),
        (format!("1e-{digits}"), None),
        (format!("-{digits}"), None),
        (format!("7.{zeros}"), Some(7)),
        (format!("7e-{zeros}"), Some(7)),
        (format!("7{zeros}e-{MEGABYTE}"), Some(7)),
    ];
    for (number, expected) in cases {
        let body = format!(r#"{{"usage":{{"prompt_tokens":1,"completion_tokens":{number}}}}}"#);
        let said = read_by(Api::Chat, Framing::Json, body.as_bytes(), 1000);
        let expected = expected.map(|output| usage(1, output));
        assert_eq!(said.usage, expected, "{number:.20}");
    }
}

// === random answers ===

/// xorshift64: the same on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % bound
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    fn space(&mut self) -> &'static str {
        self.of(&["", "", "", " ", "\n", "\r\n\t"])
    }

    fn string(&mut self) -> &'static str {
        self.of(&[
            "usage",
            "us\\u0061ge",
            "response",
            "message",
            "delta",
            "choices",
            "type",
            "stop_reason",
            "message_stop",
            "response.completed",
            "a",
            "",
            "\\\"usage\\\":{",
            "}]\\\\",
            "g\\u0067",
            "\u{e4}{[",
        ])
    }

    fn field(&mut self) -> &'static str {
        self.of(&[
            "prompt_tokens",
            "completion_tokens",
            "input_tokens",
            "output_tokens",
            "total_tokens",
            "cache_read_input_tokens",
            "cache_creation_input_tokens",
            "cached_tokens",
        ])
    }

    fn number(&mut self) -> &'static str {
        if self.below(20) == 0 {
            return self.of(&["-1", "0.5", "1e30"]);
        }
        self.of(&[
            "0",
            "1",
            "2",
            "30",
            "4.0",
            "5e1",
            "678",
            "9007199254740991",
            "9007199254740992",
            "9007199254740994",
        ])
    }

    fn value(&mut self, depth: usize) -> String {
        match self.below(if depth > 4 { 5 } else { 9 }) {
            0 => self.number().to_owned(),
            1 => self.of(&["null", "true", "false"]).to_owned(),
            2 | 3 => format!("\"{}\"", self.string()),
            4 if depth > 4 => "[]".to_owned(),
            4 => {
                let items = (0..self.below(3)).map(|_| self.value(depth + 1));
                let items: Vec<String> = items.collect();
                format!("[{}{}]", self.space(), items.join(","))
            }
            _ => self.object(depth + 1),
        }
    }

    fn object(&mut self, depth: usize) -> String {
        let members = (0..self.below(6)).map(|_| {
            let (name, value) = match self.below(6) {
                0 => (self.string(), self.value(depth)),
                1 => (self.field(), self.number().to_owned()),
                2 => ("choices", "[ ]".to_owned()),
                3 => ("delta", r#"{"stop_reason":"a"}"#.to_owned()),
                _ => ("usage", self.usage()),
            };
            let [a, b, c, d] = [(); 4].map(|()| self.space());
            format!("{a}\"{name}\"{b}:{c}{value}{d}")
        });
        let members: Vec<String> = members.collect();
        format!("{{{}{}}}", self.space(), members.join(","))
    }

    fn usage(&mut self) -> String {
        let members = (0..self.below(9)).map(|_| {
            let value = match self.below(20) {
                0 => self.value(4),
                _ => self.number().to_owned(),
            };
            format!("\"{}\":{value}", self.field())
        });
        let members: Vec<String> = members.collect();
        format!("{{{}}}", members.join(" , "))
    }
}

/// The same by the letter of the contract, from the tree of an object that is there as a whole.
fn take(api: Api, counts: &mut Counts, object: &Value<'_>, is_part: bool) {
    for (name, value) in object.as_object().unwrap().iter() {
        match (name, value) {
            ("response" | "message", Value::Object(_)) if !is_part => {
                take(api, counts, value, true);
            }
            ("usage", Value::Object(members)) => {
                for (name, value) in members.iter() {
                    let field = Field::of(api, name.as_bytes());
                    let tokens = match value {
                        Value::Null => continue,
                        Value::Number(number) => number.as_f64().and_then(whole),
                        _ => None,
                    };
                    if let Some(field) = field {
                        counts.take(field, tokens);
                    }
                }
            }
            _ => {}
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the number is whole and in range"
)]
fn whole(number: f64) -> Option<u64> {
    let is_whole = number.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&number);
    is_whole.then_some(number as u64)
}

fn tree(object: &str) -> Value<'_> {
    json::parse_leniently(object.as_bytes()).unwrap_or_else(|e| panic!("{e}: {object}"))
}

#[test]
fn random_objects_are_read_as_their_trees_are() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut with_usage = 0;
    for n in 0..3000 {
        let body = random.object(0);
        let api = APIS[n % APIS.len()];
        let mut counts = Counts::default();
        take(api, &mut counts, &tree(&body), false);
        let said = json(api, &body);
        let expected = (counts.usage(api), counts.named());
        assert_eq!((said.usage, said.named), expected, "{api:?} {body}");
        with_usage += usize::from(said.usage.is_some());
    }
    assert!(with_usage > 300, "{with_usage}");
}

#[test]
fn random_streams_are_read_as_the_trees_of_their_events_are() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let (mut with_usage, mut finals) = (0, 0);
    for n in 0..2000 {
        let api = APIS[n % APIS.len()];
        let mut counts = Counts::default();
        let mut events = 0;
        let mut body = String::new();
        let mut reader = UsageReader::new(api, Framing::EventStream);
        for _ in 0..random.below(5) {
            let object = random.object(0);
            let before = random.of(&["", "", "event: a\n", ": usage\n\n", "id: 7\r\n"]);
            let line = random.of(&["data: ", "data:"]);
            let data = object
                .replace("\r\n", "\n")
                .replace('\n', &format!("\n{line}"));
            let end = random.of(&["\n\n", "\r\n\r\n", "\r\r", "\n\r\n"]);
            let event = format!("{before}{line}{data}{end}");
            // Nothing is read behind the final usage.
            if !reader.is_final() {
                take(api, &mut counts, &tree(&object), false);
                events += 1;
            }
            reader.read(event.as_bytes());
            body.push_str(&event);
        }
        let said = stream(api, &body);
        // It is final at the end of an object, before its event ends.
        let ended = said.events + u64::from(said.is_final);
        assert_eq!(
            (said.named, ended),
            (counts.named(), events),
            "{api:?} {body}"
        );
        let begins_with_usage = api == Api::Messages && reader.standing == Standing::Partial;
        let expected = counts.usage(api).filter(|_| !begins_with_usage);
        assert_eq!(said.usage, expected, "{api:?} {body}");
        with_usage += usize::from(said.usage.is_some());
        finals += usize::from(said.is_final);
    }
    assert!(with_usage > 200 && finals > 10, "{with_usage} {finals}");
}

/// Bytes of any kind in any order: read alike however they are cut, and without a panic.
#[test]
fn nonsense_is_read_alike_however_it_is_cut() {
    let parts: [&[u8]; 36] = [
        b"{",
        b"}",
        b"[",
        b"]",
        b"\"",
        b"\\",
        b"\\u",
        b"\\u0061",
        b":",
        b",",
        b" ",
        b"\n",
        b"\n\n",
        b"\r",
        b"data:",
        b"data: {",
        b"\"usage\":{",
        b"{\"usage\":{\"prompt_tokens\":1",
        b"data: {\"usage\":{\"input_tokens\":2,",
        b"\"prompt_tokens\":",
        b"\"completion_tokens\":",
        b"\"output_tokens\":",
        b"\"input_tokens\":",
        b"1",
        b"-",
        b".5",
        b"e9",
        b"null",
        b"\"choices\":[]",
        b"\"type\":\"message_stop\"",
        b"\"message\":{",
        b"\"delta\":{\"stop_reason\":\"a\"}",
        b"[DONE]",
        b"\xff",
        b"\xef\xbb\xbf",
        b"\0",
    ];
    let mut random = Random(0xd1b5_4a32_d192_ed03);
    let mut naming = 0;
    for n in 0..5000 {
        let body: Vec<&[u8]> = (0..random.below(40)).map(|_| random.of(&parts)).collect();
        let body = body.concat();
        let api = APIS[n % APIS.len()];
        for framing in [Framing::Json, Framing::EventStream] {
            naming += usize::from(read(api, framing, &body).named != usage(0, 0));
        }
    }
    assert!(naming > 50, "{naming}");
}
