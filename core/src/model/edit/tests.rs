#![allow(clippy::arithmetic_side_effects)]

use super::*;
use crate::json;

fn bound<'n>(name: &'n str, include_usage: bool) -> Changes<'n> {
    Changes {
        bound: Some((name, 64)),
        include_usage,
    }
}

const USAGE: Changes<'static> = Changes {
    bound: None,
    include_usage: true,
};

/// The edited text; empty where the body goes on as it is.
fn edit(text: &str, api: Api, changes: &Changes<'_>) -> String {
    let body = json::parse_object(text.as_bytes()).unwrap_or_else(|e| panic!("{text}: {e}"));
    let edited = edited(text.as_bytes(), &body, api, changes).unwrap();
    String::from_utf8(edited.unwrap_or_default()).unwrap()
}

#[test]
fn a_bound_is_put_in_where_the_body_names_no_maximum() {
    let new = bound("max_completion_tokens", false);
    let old = bound("max_tokens", false);
    let (chat, completions) = (Api::Chat, Api::Completions);
    let (messages, responses) = (Api::Messages, Api::Responses);
    for (api, changes, text, expected) in [
        (chat, new, r#"{}"#, r#"{"max_completion_tokens":64}"#),
        (chat, new, "{ }", r#"{ "max_completion_tokens":64}"#),
        (
            chat,
            new,
            " \r\n\t{\n}\n ",
            " \r\n\t{\n\"max_completion_tokens\":64}\n ",
        ),
        (
            chat,
            new,
            r#"{"a":1}"#,
            r#"{"a":1,"max_completion_tokens":64}"#,
        ),
        (
            chat,
            new,
            "{\"a\": 1\n}\n",
            "{\"a\": 1\n,\"max_completion_tokens\":64}\n",
        ),
        (
            chat,
            new,
            r#"{"a":{}}"#,
            r#"{"a":{},"max_completion_tokens":64}"#,
        ),
        (
            chat,
            new,
            r#"{"a":"}"}"#,
            r#"{"a":"}","max_completion_tokens":64}"#,
        ),
        (chat, old, r#"{"a":1}"#, r#"{"a":1,"max_tokens":64}"#),
        // It has one.
        (chat, new, r#"{"max_completion_tokens":5}"#, ""),
        (chat, new, r#"{"max_tokens":5}"#, ""),
        (chat, new, r#"{"max_tokens":0}"#, ""),
        (chat, new, r#"{"max\u005ftokens":5}"#, ""),
        (chat, old, r#"{"max_completion_tokens":5}"#, ""),
        (
            chat,
            new,
            r#"{"max_completion_tokens":null,"max_tokens":5}"#,
            "",
        ),
        (
            chat,
            new,
            r#"{"max_tokens":null,"max_completion_tokens":5}"#,
            "",
        ),
        // Its name has another API, or another object.
        (
            chat,
            new,
            r#"{"max_output_tokens":5}"#,
            r#"{"max_output_tokens":5,"max_completion_tokens":64}"#,
        ),
        (
            chat,
            new,
            r#"{"a":{"max_tokens":5}}"#,
            r#"{"a":{"max_tokens":5},"max_completion_tokens":64}"#,
        ),
        (
            chat,
            new,
            r#"{"a":"max_tokens"}"#,
            r#"{"a":"max_tokens","max_completion_tokens":64}"#,
        ),
        (
            chat,
            new,
            r#"{"max_tokens ":5}"#,
            r#"{"max_tokens ":5,"max_completion_tokens":64}"#,
        ),
        // `null` under the name that is put in.
        (
            chat,
            new,
            r#"{"max_completion_tokens":null}"#,
            r#"{"max_completion_tokens":64}"#,
        ),
        (
            chat,
            new,
            "{ \"max_completion_tokens\" :\n null , \"a\": 1 }",
            "{ \"max_completion_tokens\" :\n 64 , \"a\": 1 }",
        ),
        (
            chat,
            new,
            r#"{"a":null,"max_completion_tokens":null,"b":null}"#,
            r#"{"a":null,"max_completion_tokens":64,"b":null}"#,
        ),
        (
            chat,
            new,
            r#"{"\u006dax_completion_tokens":null}"#,
            r#"{"\u006dax_completion_tokens":64}"#,
        ),
        (
            chat,
            new,
            r#"{"a":{"max_completion_tokens":null},"max_completion_tokens":null}"#,
            r#"{"a":{"max_completion_tokens":null},"max_completion_tokens":64}"#,
        ),
        (
            chat,
            new,
            r#"{"a":[":",{"b":"\"}"}],"max_completion_tokens":null}"#,
            r#"{"a":[":",{"b":"\"}"}],"max_completion_tokens":64}"#,
        ),
        (chat, old, r#"{"max_tokens":null}"#, r#"{"max_tokens":64}"#),
        (
            chat,
            old,
            r#"{"max_tokens":null,"max_completion_tokens":null}"#,
            r#"{"max_tokens":64,"max_completion_tokens":null}"#,
        ),
        // `null` under another one.
        (
            chat,
            new,
            r#"{"max_tokens":null}"#,
            r#"{"max_tokens":null,"max_completion_tokens":64}"#,
        ),
        (
            chat,
            old,
            r#"{"max_completion_tokens":null}"#,
            r#"{"max_completion_tokens":null,"max_tokens":64}"#,
        ),
        // Only chat completions have two names.
        (completions, new, r#"{"a":1}"#, r#"{"a":1,"max_tokens":64}"#),
        (
            completions,
            new,
            r#"{"max_tokens":null}"#,
            r#"{"max_tokens":64}"#,
        ),
        (completions, new, r#"{"max_tokens":1}"#, ""),
        (
            completions,
            new,
            r#"{"max_completion_tokens":1}"#,
            r#"{"max_completion_tokens":1,"max_tokens":64}"#,
        ),
        (messages, new, r#"{"a":1}"#, r#"{"a":1,"max_tokens":64}"#),
        (messages, new, r#"{"max_tokens":1}"#, ""),
        (
            messages,
            new,
            r#"{"max_output_tokens":1}"#,
            r#"{"max_output_tokens":1,"max_tokens":64}"#,
        ),
        (
            responses,
            new,
            r#"{"a":1}"#,
            r#"{"a":1,"max_output_tokens":64}"#,
        ),
        (
            responses,
            old,
            r#"{"max_output_tokens":null}"#,
            r#"{"max_output_tokens":64}"#,
        ),
        (responses, old, r#"{"max_output_tokens":1}"#, ""),
        (
            responses,
            old,
            r#"{"max_tokens":1}"#,
            r#"{"max_tokens":1,"max_output_tokens":64}"#,
        ),
        // Embeddings have no output.
        (Api::Embeddings, new, r#"{"a":1}"#, ""),
        (Api::Embeddings, old, r#"{"max_tokens":null}"#, ""),
    ] {
        assert_eq!(edit(text, api, &changes), expected, "{text} {api:?}");
    }
}

#[test]
fn a_stream_is_made_to_say_what_it_used() {
    const ON: &str = r#""stream":true"#;
    const ASKED: &str = r#""stream_options":{"include_usage":true}"#;
    let put_in = format!("{ON},{ASKED}");
    for (members, expected) in [
        (ON, put_in.as_str()),
        (r#""stream":true,"stream_options":null"#, &put_in),
        (r#""stream":true,"stream_options":{}"#, &put_in),
        (
            r#""stream":true,"stream_options":{"include_usage":false}"#,
            &put_in,
        ),
        (
            r#""stream":true,"stream_options":{"include_usage":null}"#,
            &put_in,
        ),
        (
            r#""stream":true,"stream_options":{"include_usage":"true"}"#,
            &put_in,
        ),
        (
            r#""stream":true,"stream_options":{"include_usage":1}"#,
            &put_in,
        ),
        (
            r#""stream":true,"stream_options":{"include_usage":[{}]}"#,
            &put_in,
        ),
        (r#""stream":true,"stream_options":"usage""#, &put_in),
        (r#""stream":true,"stream_options":false"#, &put_in),
        (r#""stream":true,"stream_options":true"#, &put_in),
        (r#""stream":true,"stream_options":1e3"#, &put_in),
        (
            r#""stream":true,"stream_options":[{"include_usage":true}]"#,
            &put_in,
        ),
        (
            r#""stream_options" : { "include_obfuscation" : false } , "stream":true"#,
            r#""stream_options" : { "include_obfuscation" : false ,"include_usage":true} , "stream":true"#,
        ),
        (
            r#""stream_options":{ "include_usage" : false , "a":"}" },"stream":true"#,
            r#""stream_options":{ "include_usage" : true , "a":"}" },"stream":true"#,
        ),
        (
            r#""a":{"stream_options":{}},"stream_options":{"a":{"include_usage":true}},"stream":true"#,
            r#""a":{"stream_options":{}},"stream_options":{"a":{"include_usage":true},"include_usage":true},"stream":true"#,
        ),
        (
            r#""\u0073tream_options":{"include\u005fusage":false},"stream":true"#,
            r#""\u0073tream_options":{"include\u005fusage":true},"stream":true"#,
        ),
        // A lenient server streams.
        (
            r#""stream":"true""#,
            r#""stream":"true","stream_options":{"include_usage":true}"#,
        ),
        (
            r#""stream":1"#,
            r#""stream":1,"stream_options":{"include_usage":true}"#,
        ),
        // It asks for it itself.
        (&put_in, ""),
        (
            r#""stream":true,"stream_options":{"a":1,"include_usage" : true }"#,
            "",
        ),
        (
            r#""stream":true,"stream_options":{"include\u005fusage":true}"#,
            "",
        ),
        // It does not stream.
        (r#""stream":false"#, ""),
        (r#""stream":null"#, ""),
        (r#""stream":0"#, ""),
        (r#""stream":0.0"#, ""),
        (r#""a":{"stream":true}"#, ""),
        (r#""stream":false,"stream_options":null"#, ""),
        (r#""stream_options":{"include_usage":false}"#, ""),
        ("", ""),
    ] {
        let text = format!("{{{members}}}");
        let expected = match expected {
            "" => String::new(),
            expected => format!("{{{expected}}}"),
        };
        for api in [Api::Chat, Api::Completions] {
            assert_eq!(edit(&text, api, &USAGE), expected, "{text} {api:?}");
        }
        // These streams say it unasked, or there are none.
        for api in [Api::Responses, Api::Messages, Api::Embeddings] {
            assert_eq!(edit(&text, api, &USAGE), "", "{text} {api:?}");
        }
        assert_eq!(edit(&text, Api::Chat, &Changes::default()), "", "{text}");
    }
}

#[test]
fn both_are_put_in_together() {
    let both = bound("max_completion_tokens", true);
    for (text, expected) in [
        (
            r#"{"stream":true }"#,
            r#"{"stream":true ,"max_completion_tokens":64,"stream_options":{"include_usage":true}}"#,
        ),
        (
            r#"{"stream_options":null,"stream":true,"max_completion_tokens": null }"#,
            r#"{"stream_options":{"include_usage":true},"stream":true,"max_completion_tokens": 64 }"#,
        ),
        (
            r#"{"max_completion_tokens":null,"stream_options":{"a":1},"stream":true}"#,
            r#"{"max_completion_tokens":64,"stream_options":{"a":1,"include_usage":true},"stream":true}"#,
        ),
        (
            r#"{"stream":true,"stream_options":{}}"#,
            r#"{"stream":true,"stream_options":{"include_usage":true},"max_completion_tokens":64}"#,
        ),
        (
            r#"{"stream":true,"max_tokens":3}"#,
            r#"{"stream":true,"max_tokens":3,"stream_options":{"include_usage":true}}"#,
        ),
    ] {
        assert_eq!(edit(text, Api::Chat, &both), expected, "{text}");
    }
}

/// A text and what becomes of it, both written at once.
#[derive(Default)]
struct Twin {
    before: String,
    after: String,
}

impl Twin {
    fn both(&mut self, text: &str) {
        self.before.push_str(text);
        self.after.push_str(text);
    }

    fn each(&mut self, before: &str, after: &str) {
        self.before.push_str(before);
        self.after.push_str(after);
    }
}

/// xorshift64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % end
    }

    fn one<'c>(&mut self, choices: &[&'c str]) -> &'c str {
        choices[self.below(choices.len())]
    }

    fn space(&mut self) -> &'static str {
        self.one(&["", "", "", " ", "\n", "\t", "\r\n  "])
    }

    /// A name as some client may write it.
    fn name(&mut self, name: &str) -> String {
        match self.below(4) {
            0 => {
                let escape = |c: char| format!("\\u{:04x}", u32::from(c));
                let escaped: String = name.chars().map(escape).collect();
                format!("\"{escaped}\"")
            }
            _ => format!("\"{name}\""),
        }
    }

    fn value(&mut self, depth: usize) -> String {
        match self.below(if depth == 0 { 4 } else { 6 }) {
            0 => self.one(&["null", "true", "false"]).to_owned(),
            1 => self
                .one(&["0", "-1", "1.5e3", "4096.0", "12345678901"])
                .to_owned(),
            2 | 3 => self
                .one(&[
                    r#""""#,
                    r#""}""#,
                    r#""{\"max_tokens\":null""#,
                    r#""\\""#,
                    r#""a:b,c]""#,
                    r#""\"}\\\"""#,
                    "\"caf\u{e9} \u{1f600}\"",
                    r#""\ud83d\ude00\u0000""#,
                ])
                .to_owned(),
            4 => {
                let mut items = Vec::new();
                for _ in 0..self.below(4) {
                    let (before, after) = (self.space(), self.space());
                    items.push(format!("{before}{}{after}", self.value(depth - 1)));
                }
                format!("[{}{}]", items.join(","), self.space_if(items.is_empty()))
            }
            _ => {
                const NAMES: [&str; 5] =
                    ["max_tokens", "stream_options", "include_usage", "a", "}"];
                let mut members = Vec::new();
                for name in NAMES.iter().take(self.below(5)) {
                    let name = self.name(name);
                    let spaces = [self.space(), self.space(), self.space(), self.space()];
                    let [a, b, c, d] = spaces;
                    members.push(format!("{a}{name}{b}:{c}{}{d}", self.value(depth - 1)));
                }
                let space = self.space_if(members.is_empty());
                format!("{{{}{space}}}", members.join(","))
            }
        }
    }

    fn space_if(&mut self, is_empty: bool) -> &'static str {
        if is_empty { self.space() } else { "" }
    }

    /// Some of these, in any order.
    fn some<'c>(&mut self, choices: &[&'c str]) -> Vec<&'c str> {
        let mut rest = choices.to_vec();
        let mut chosen = Vec::new();
        for _ in 0..self.below(choices.len() + 1) {
            chosen.push(rest.swap_remove(self.below(rest.len())));
        }
        chosen
    }
}

/// Writes an object of these members, and what must have become of it. `value` writes a member's value;
/// `added` is what is missing in the end.
fn object(
    random: &mut Random,
    twin: &mut Twin,
    names: &[&str],
    mut value: impl FnMut(&mut Random, &mut Twin, &str),
    added: &[String],
) {
    twin.both("{");
    for (i, name) in names.iter().enumerate() {
        twin.both(if i == 0 { "" } else { "," });
        twin.both(random.space());
        let name_text = random.name(name);
        twin.both(&name_text);
        twin.both(random.space());
        twin.both(":");
        twin.both(random.space());
        value(random, twin, name);
        twin.both(random.space());
    }
    if names.is_empty() {
        twin.both(random.space());
    }
    if !added.is_empty() {
        let comma = if names.is_empty() { "" } else { "," };
        twin.each("", comma);
        twin.each("", &added.join(","));
    }
    twin.both("}");
}

/// Bodies of a chat completion in every shape, with the bytes that each must become.
#[test]
fn nothing_else_changes() {
    const NAMES: [&str; 7] = [
        "max_completion_tokens",
        "max_tokens",
        "max_output_tokens",
        "stream",
        "stream_options",
        "messages",
        "a\u{e9}}",
    ];
    const PUT_IN: &str = "max_completion_tokens";
    let changes = bound(PUT_IN, true);
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut edits, mut same) = (0, 0);
    for round in 0..6_000 {
        let names = random.some(&NAMES);
        let has = |name: &str| names.contains(&name);
        let is_null = [random.below(2) == 0, random.below(2) == 0];
        let maxima = [PUT_IN, "max_tokens"];
        let given = |at: usize| has(maxima[at]) && !is_null[at];
        let lacks_bound = !given(0) && !given(1);
        let streams = has("stream") && random.below(3) > 0;

        let mut added = Vec::new();
        if lacks_bound && !has(PUT_IN) {
            added.push(r#""max_completion_tokens":64"#.to_owned());
        }
        if streams && !has("stream_options") {
            added.push(r#""stream_options":{"include_usage":true}"#.to_owned());
        }
        let mut twin = Twin::default();
        twin.both(random.space());
        let value = |random: &mut Random, twin: &mut Twin, name: &str| match name {
            PUT_IN | "max_tokens" => {
                let at = usize::from(name == "max_tokens");
                match (is_null[at], name == PUT_IN && lacks_bound) {
                    (true, true) => twin.each("null", "64"),
                    (true, false) => twin.both("null"),
                    (false, _) => twin.both("7"),
                }
            }
            "stream" if streams => twin.both("true"),
            "stream" => twin.both(random.one(&["false", "null"])),
            "stream_options" => match random.below(3) {
                0 => {
                    let other = random.one(&["null", "[]", "\"{}\"", "1", "false"]);
                    let options = r#"{"include_usage":true}"#;
                    twin.each(other, if streams { options } else { other });
                }
                _ => {
                    let names = random.some(&["include_usage", "include_obfuscation", "b"]);
                    let is_missing = streams && !names.contains(&"include_usage");
                    let added = [r#""include_usage":true"#.to_owned()];
                    let value = |random: &mut Random, twin: &mut Twin, name: &str| {
                        let value = random.value(1);
                        match name == "include_usage" && streams {
                            true => twin.each(&value, "true"),
                            false => twin.both(&value),
                        }
                    };
                    let added = if is_missing { &added[..] } else { &[] };
                    object(random, twin, &names, value, added);
                }
            },
            _ => {
                let value = random.value(3);
                twin.both(&value);
            }
        };
        object(&mut random, &mut twin, &names, value, &added);
        twin.both(random.space());

        let edited = edit(&twin.before, Api::Chat, &changes);
        let Twin { before, after } = twin;
        match before == after {
            true => {
                same += 1;
                assert_eq!(edited, "", "round {round}: {before}");
            }
            false => {
                edits += 1;
                assert_eq!(edited, after, "round {round}: {before}");
                // Once is enough.
                assert_eq!(
                    edit(&edited, Api::Chat, &changes),
                    "",
                    "round {round}: {before}"
                );
            }
        }
        let read = json::parse_object(after.as_bytes()).unwrap();
        let names_before = json::parse_object(before.as_bytes()).unwrap();
        let names_before: Vec<&str> = names_before.iter().map(|(name, _)| name).collect();
        let names_after: Vec<&str> = read.iter().map(|(name, _)| name).collect();
        assert!(names_after.starts_with(&names_before), "{after}");
    }
    assert!(edits > 2_000 && same > 1_000, "{edits} {same}");
}

#[test]
fn every_value_is_found_in_its_place() {
    let mut random = Random(42);
    for _ in 0..4_000 {
        let names = random.some(&["a", "b\\\"", ":", ",", "}", "{"]);
        let mut values = Vec::new();
        let mut text = String::from("{");
        for (i, name) in names.iter().enumerate() {
            let value = random.value(3);
            let start = text.len();
            let [a, b, c] = [random.space(), random.space(), random.space()];
            let comma = if i == 0 { "" } else { "," };
            text.push_str(&format!("{comma}{a}\"{name}\"{b}:{c}"));
            assert!(text.len() > start);
            values.push(text.len()..text.len() + value.len());
            text.push_str(&value);
            text.push_str(random.space());
        }
        text.push('}');
        for (index, place) in values.iter().enumerate() {
            assert_eq!(
                span::of_value(text.as_bytes(), index).as_ref(),
                Some(place),
                "{text}"
            );
        }
        assert_eq!(
            span::of_value(text.as_bytes(), values.len()),
            None,
            "{text}"
        );
        assert_eq!(span::of_value(text.as_bytes(), usize::MAX), None, "{text}");
    }
}

/// A text that does not have what its members say is refused, not let pass without its bound.
#[test]
fn a_text_of_another_body_is_refused() {
    let body = json::parse_object(br#"{"a":1,"max_tokens":null}"#).unwrap();
    for text in [
        "",
        "[]",
        "{}",
        r#"{"a":1}"#,
        r#"{"a":1"#,
        r#"{"a":1,"max_tokens""#,
    ] {
        let edited = edited(text.as_bytes(), &body, Api::Messages, &bound("", false));
        assert_eq!(edited, Err(MalformedBody), "{text}");
    }
    let empty = json::parse_object(b"{}").unwrap();
    let edited = edited(b"", &empty, Api::Messages, &bound("", false));
    assert_eq!(edited, Err(MalformedBody));
}
