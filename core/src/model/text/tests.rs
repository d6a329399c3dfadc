#![allow(clippy::arithmetic_side_effects)]

use super::*;
use crate::json;

fn text(body: &str) -> String {
    of(&json::parse_object(body.as_bytes()).unwrap_or_else(|e| panic!("{body}: {e}")))
}

#[test]
fn the_text_is_that_of_every_message_and_role() {
    for (body, expected) in [
        (
            r#"{"model":"m","messages":[{"role":"system","content":"a"},{"role":"developer","content":"b"},{"role":"user","content":"c"},{"role":"assistant","content":"d"},{"role":"tool","tool_call_id":"x","content":"e"}]}"#,
            "a\nb\nc\nd\ne",
        ),
        (
            r#"{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"https://x/"}},{"type":"text","text":"b"}]}]}"#,
            "a\nb",
        ),
        (
            r#"{"messages":[{"role":"assistant","content":null,"refusal":"no","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]}]}"#,
            "no",
        ),
        (
            r#"{"messages":[{"role":"assistant","content":[{"type":"refusal","refusal":"no"}]}]}"#,
            "no",
        ),
        // Anthropic's.
        (
            r#"{"system":"s","messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"text","text":"r"}]}]}]}"#,
            "s\nr",
        ),
        (
            r#"{"messages":[{"role":"user","content":[{"type":"tool_result","content":"r"},{"type":"document","title":"t","context":"c","source":{"type":"text","media_type":"text/plain","data":"d"}}]}],"system":[{"type":"text","text":"s"},{"type":"text","text":"u"}]}"#,
            "r\nt\nc\nd\ns\nu",
        ),
        (
            r#"{"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","data":"AAAA"}},{"type":"document","source":{"type":"content","content":[{"type":"text","text":"d"}]}},{"type":"search_result","source":"https://x/","title":"t","content":[{"type":"text","text":"r"}]}]}]}"#,
            "d\nt\nr",
        ),
        (
            r#"{"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"h","signature":"g"},{"type":"tool_use","id":"t","name":"f","input":{"text":"i"}}]}]}"#,
            "h",
        ),
        // The responses API's.
        (r#"{"instructions":"i","input":"a"}"#, "i\na"),
        (r#"{"input":"a","instructions":"i"}"#, "a\ni"),
        (
            r#"{"input":[{"role":"user","content":"a"},{"type":"message","role":"user","content":[{"type":"input_text","text":"b"}]},{"type":"function_call","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c","output":"o"},{"type":"function_call_output","call_id":"c","output":[{"type":"input_text","text":"p"}]},{"type":"reasoning","summary":[{"type":"summary_text","text":"r"}]}]}"#,
            "a\nb\no\np\nr",
        ),
        (
            r#"{"prompt":{"id":"pmpt_1","version":"2","variables":{"a":"x","b":{"type":"input_text","text":"y"},"c":{"type":"input_file","file_id":"f"}}}}"#,
            "x\ny",
        ),
        // What tools answered.
        (
            r#"{"input":[{"type":"file_search_call","results":[{"file_id":"f","text":"a"}]},{"type":"code_interpreter_call","code":"c","outputs":[{"type":"logs","logs":"b"}]},{"type":"shell_call_output","output":[{"stdout":"d","stderr":"e","outcome":{"type":"exit","exit_code":0}}]}]}"#,
            "a\nb\nd\ne",
        ),
        (
            r#"{"messages":[{"role":"assistant","reasoning_content":"r","content":"a"}]}"#,
            "r\na",
        ),
        // Completions and embeddings.
        (r#"{"prompt":"a"}"#, "a"),
        (r#"{"prompt":["a","b"],"suffix":"c"}"#, "a\nb"),
        (r#"{"input":["a","b"]}"#, "a\nb"),
        (r#"{"prompt":[1,2,3]}"#, ""),
        (r#"{"prompt":[[1],[2]]}"#, ""),
        // Each member in the body's order.
        (
            r#"{"input":"1","system":"2","prompt":"3","messages":[{"content":"4"}],"instructions":"5"}"#,
            "1\n2\n3\n4\n5",
        ),
        // Other members are no prompt.
        (
            r#"{"text":"a","content":"b","metadata":{"prompt":"c"},"user":"d"}"#,
            "",
        ),
        (
            r#"{"messages":[],"prompt":null,"input":1,"system":true}"#,
            "",
        ),
        ("{}", ""),
        // As it was meant, without escapes, and as careless readers find it.
        (
            r#"{"prompt":"\u0061\n\u00e9\ud83d\ude00"}"#,
            "a\n\u{e9}\u{1f600}",
        ),
        (
            r#"{"messages":[{"role":"user","content":"a","Content":"b","c\u006fntent ":"c"}]}"#,
            "a\nb",
        ),
        (r#"{"messages":["a",["b"]]}"#, "a\nb"),
        (
            r#"{"messages":[{"content":""},{"content":"b"},{"content":""}]}"#,
            "\nb\n",
        ),
    ] {
        assert_eq!(text(body), expected, "{body}");
    }
}

/// The same by its definition.
fn cut_in_the_middle(text: &str) -> String {
    let half = CLASSIFIED_BYTES / 2;
    if text.len() <= CLASSIFIED_BYTES {
        return text.to_owned();
    }
    let end = (0..=half)
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap();
    let start = (text.len() - half..)
        .find(|at| text.is_char_boundary(*at))
        .unwrap();
    format!("{}{}", &text[..end], &text[start..])
}

#[test]
fn of_a_long_text_only_the_ends_are_left() {
    let half = CLASSIFIED_BYTES / 2;
    for piece in [
        "a",
        "\u{e9}",
        "\u{20ac}",
        "\u{1f600}",
        "ab\u{20ac}",
        "\u{1f600}x",
    ] {
        for lead in ["", "x", "xx", "xxx"] {
            for length in [
                half - 1,
                half,
                half + 1,
                2 * half - 4,
                2 * half - 1,
                2 * half,
                2 * half + 1,
                2 * half + 2,
                2 * half + 5,
                3 * half,
                10 * half,
            ] {
                let mut long = lead.to_owned();
                while long.len() + piece.len() <= length {
                    long.push_str(piece);
                }
                let body = format!(r#"{{"prompt":"{long}"}}"#);
                let classified = text(&body);
                assert_eq!(
                    classified,
                    cut_in_the_middle(&long),
                    "{piece} {lead} {length}"
                );
                assert!(classified.len() <= CLASSIFIED_BYTES);
            }
        }
    }
}

#[test]
fn the_ends_are_those_of_all_pieces_together() {
    let mut seed = 7_u64;
    let mut next = |end: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 33) as usize % end
    };
    let mut cut = 0;
    for _ in 0..400 {
        let longest = [1, 40, 3_000, 20_000][next(4)];
        let mut pieces = Vec::new();
        for _ in 0..next(200) {
            let unit = ["", "a", "\u{e9}", "\u{20ac}", "\u{1f600}"][next(5)];
            pieces.push(unit.repeat(next(longest)));
        }
        let quoted: Vec<String> = pieces.iter().map(|piece| format!("\"{piece}\"")).collect();
        let whole = pieces.join("\n");
        cut += usize::from(whole.len() > CLASSIFIED_BYTES);
        let body = format!(r#"{{"input":[{}]}}"#, quoted.join(","));
        assert_eq!(text(&body), cut_in_the_middle(&whole));
    }
    assert!((50..350).contains(&cut), "{cut}");
}
