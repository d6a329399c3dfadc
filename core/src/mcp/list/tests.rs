#![allow(clippy::arithmetic_side_effects)]

use super::*;

use std::fmt::Write as _;

const ALL: [Message<'_>; 3] = [
    Message::Other("tools/list"),
    Message::Other("prompts/list"),
    Message::Other("resources/list"),
];
const TOOLS: [Message<'_>; 1] = [Message::Other("tools/list")];

fn filter(messages: &[Message<'_>]) -> ListFilter {
    ListFilter::for_answer_to(messages).expect("it asks for a list")
}

/// What has `no` in its name does not stay.
fn stays(message: &Message<'_>) -> bool {
    !message
        .name()
        .expect("what is listed has a name")
        .contains("no")
}

fn json(messages: &[Message<'_>], body: &str) -> Result<Option<String>, UnreadableList> {
    let rest = filter(messages).json(body.as_bytes(), &mut stays)?;
    Ok(rest.map(|rest| String::from_utf8(rest).expect("UTF-8")))
}

/// What passes of a stream that comes in pieces of this size.
fn events(messages: &[Message<'_>], stream: &str, size: usize) -> String {
    let mut filter = filter(messages);
    let mut passed = Vec::new();
    for piece in stream.as_bytes().chunks(size) {
        passed.extend(filter.events(piece, false, &mut stays));
    }
    passed.extend(filter.events(b"", true, &mut stays));
    String::from_utf8(passed).expect("UTF-8")
}

// === which answers ===

#[test]
fn answers_to_lists_alone_are_filtered() {
    for message in [
        Message::Other("resources/templates/list"),
        Message::Other("server/discover"),
        Message::Other("tools/List"),
        Message::Other("tools/list "),
        Message::Other("initialize"),
        Message::Tool("tools/list".into()),
        Message::Prompt("prompts/list".into()),
        Message::Resource("resources/list".into()),
    ] {
        assert!(
            ListFilter::for_answer_to([&message]).is_none(),
            "{message:?}"
        );
    }
    assert!(ListFilter::for_answer_to([]).is_none());
    let batch = [
        Message::Tool("a".into()),
        Message::Other("tools/list"),
        Message::Other("tools/list"),
        Message::Other("prompts/list"),
    ];
    assert_eq!(filter(&batch).asked, [Listed::Tools, Listed::Prompts]);
}

#[test]
fn what_was_not_asked_for_stays() {
    let entries = r#"[{"name":"no","uri":"no"},{"name":"yes","uri":"yes"}]"#;
    let answer = format!(
        r#"{{"jsonrpc":"2.0","id":1,"result":{{"tools":{entries},"prompts":{entries},"resources":{entries}}}}}"#
    );
    let short = r#"[{"name":"yes","uri":"yes"}]"#;
    for (message, member) in ALL.iter().zip(["tools", "prompts", "resources"]) {
        let expected = answer.replace(
            &format!(r#""{member}":{entries}"#),
            &format!(r#""{member}":{short}"#),
        );
        let rest = json(std::slice::from_ref(message), &answer);
        assert_eq!(rest, Ok(Some(expected)), "{member}");
    }
    let expected = answer.replace(entries, short);
    assert_eq!(json(&ALL, &answer), Ok(Some(expected)));
    // Somewhere else it is no list.
    for answer in [
        r#"{"jsonrpc":"2.0","id":1,"result":{"content":[],"structuredContent":{"tools":[{"name":"no"}]}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"tools":[{"name":"no"}],"result":{}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/x","params":{"tools":[{"name":"no"}]}}"#,
    ] {
        assert_eq!(json(&ALL, answer), Ok(None), "{answer}");
    }
}

// === what is cut out ===

#[test]
fn an_entry_goes_with_one_comma() {
    let entry = |name: &str| format!(r#"{{"name":"{name}"}}"#);
    let (a, b, no, not) = (&entry("a"), &entry("b"), &entry("no"), &entry("not"));
    for (entries, expected) in [
        (format!("[{no}]"), "[]".to_owned()),
        (format!("[ {no}\n]"), "[ \n]".to_owned()),
        (format!("[{no},{not}]"), "[]".to_owned()),
        (format!("[{no}\t,  {not}]"), "[\t  ]".to_owned()),
        (format!("[{no},{a}]"), format!("[{a}]")),
        (format!("[{a},{no}]"), format!("[{a}]")),
        (format!("[{a},{no},{b}]"), format!("[{a},{b}]")),
        (format!("[{a},{no},{not},{b}]"), format!("[{a},{b}]")),
        (format!("[{no},{a},{not},{b},{no}]"), format!("[{a},{b}]")),
        (format!("[{a},{b},{no},{not}]"), format!("[{a},{b}]")),
        (format!("[ {a} , {no} , {b} ]"), format!("[ {a} ,   {b} ]")),
        (format!("[ {no} , {a} ]"), format!("[   {a} ]")),
        (format!("[ {a} , {no} ]"), format!("[ {a}   ]")),
    ] {
        let answer = |entries: &str| {
            format!(
                "{{\"jsonrpc\":\"2.0\",\"id\":1,\r\n \"result\" : {{\"tools\" :{entries}, \"nextCursor\":\"x,[\"}}}}\n"
            )
        };
        let rest = json(&TOOLS, &answer(&entries));
        assert_eq!(rest, Ok(Some(answer(&expected))), "{entries}");
    }
}

#[test]
fn entries_are_known_by_their_names_alone() {
    for (entry, is_kept) in [
        (r#"{"name":"a","title":"no"}"#, true),
        (
            r#"{"description":"no, ]} \"name\":\"no\"","name":"a"}"#,
            true,
        ),
        (
            r#"{"inputSchema":{"properties":{"name":{"default":"no"}}},"name":"a"}"#,
            true,
        ),
        (r#"{"name":"a","uri":"no","Name":"no"}"#, true),
        (r#"{"title":"a","name":"no"}"#, false),
        (r#"{"name":"\u006eo"}"#, false),
        (r#"{"n\u0061me":"n\u006f"}"#, false),
        (
            r#"{"name":"ⓝno","inputSchema":{"a":["]","}",{"b":"\\\""}]}}"#,
            false,
        ),
        (r#"{"name":"","title":"a"}"#, true),
    ] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"tools":[{entry}]}}}}"#);
        let expected = (!is_kept).then(|| body.replace(entry, ""));
        assert_eq!(json(&TOOLS, &body), Ok(expected), "{entry}");
    }
}

#[test]
fn each_kind_is_asked_about_by_the_message_that_uses_it() {
    let body = r#"{"jsonrpc":"2.0","id":1,"result":{"resources":[{"uri":"a:b","name":"c"}],"tools":[{"name":"d"}],"prompts":[{"name":"e\n"}]}}"#;
    let mut seen = Vec::new();
    let mut keep = |message: &Message<'_>| {
        seen.push(format!("{message:?}"));
        true
    };
    assert_eq!(filter(&ALL).json(body.as_bytes(), &mut keep), Ok(None));
    let expected = [r#"Tool("d")"#, r#"Prompt("e\n")"#, r#"Resource("a:b")"#];
    assert_eq!(seen, expected);
}

#[test]
fn a_batch_of_answers_loses_entries_in_each() {
    let messages = [ALL[0].clone(), ALL[1].clone()];
    let body = r#"[
        {"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"no"},{"name":"a"}]}},
        {"jsonrpc":"2.0","method":"notifications/message","params":{"tools":[{"name":"no"}]}},
        {"jsonrpc":"2.0","id":2,"error":{"code":-1,"message":"tools","data":{"tools":[{"name":"no"}]}}},
        {"jsonrpc":"2.0","id":3,"result":{"prompts":[{"name":"b"},{"name":"no"}],"tools":[{"name":"no"}]}}
    ]"#;
    let expected = r#"[
        {"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a"}]}},
        {"jsonrpc":"2.0","method":"notifications/message","params":{"tools":[{"name":"no"}]}},
        {"jsonrpc":"2.0","id":2,"error":{"code":-1,"message":"tools","data":{"tools":[{"name":"no"}]}}},
        {"jsonrpc":"2.0","id":3,"result":{"prompts":[{"name":"b"}],"tools":[]}}
    ]"#;
    assert_eq!(json(&messages, body), Ok(Some(expected.to_owned())));
    assert_eq!(json(&messages, "[]"), Ok(None));
}

#[test]
fn what_loses_nothing_is_left_alone() {
    for body in [
        r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}"#,
        r#" {"jsonrpc":"2.0","id":1,"result":{"tools":[ {"name":"a"} ,{"name":"b"}],"nextCursor":null}} "#,
        // Whatever lists nothing.
        r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"tools":null}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","inputRequests":{}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":null,"error":{"code":-32601,"message":"no"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"roots/list"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1}}"#,
        "{}",
    ] {
        assert_eq!(json(&ALL, body), Ok(None), "{body}");
    }
}

#[test]
fn what_cannot_be_read_is_unreadable() {
    for body in [
        "",
        " ",
        "no",
        "null",
        "7",
        "true",
        r#""tools""#,
        "[7]",
        "[[]]",
        r#"{"result":{"tools":[]}"#,
        r#"{"result":{"tools":[]}}{"result":{"tools":[{"name":"no"}]}}"#,
        r#"{"result":{"tools":[{"name":"a"},]}}"#,
        "\u{feff}{\"result\":{\"tools\":[]}}",
        "data: {\"result\":{\"tools\":[]}}\n\n",
        // The same member twice: a client reads one of them.
        r#"{"result":{},"result":{"tools":[{"name":"no"}]}}"#,
        r#"{"result":{"tools":[],"tools":[{"name":"no"}]}}"#,
        r#"{"result":{"tools":[{"name":"a","name":"no"}]}}"#,
        r#"{"result":{"tools":[{"name":"a","na\u006de":"no"}]}}"#,
        // Other types than clients read.
        r#"{"result":[{"name":"no"}]}"#,
        r#"{"result":"no"}"#,
        r#"{"result":true}"#,
        r#"{"result":{"tools":{"name":"no"}}}"#,
        r#"{"result":{"tools":"no"}}"#,
        r#"{"result":{"tools":7}}"#,
        r#"{"result":{"tools":[null]}}"#,
        r#"{"result":{"tools":["no"]}}"#,
        r#"{"result":{"tools":[["no"]]}}"#,
        r#"{"result":{"tools":[{}]}}"#,
        r#"{"result":{"tools":[{"Name":"no"}]}}"#,
        r#"{"result":{"tools":[{"name":null}]}}"#,
        r#"{"result":{"tools":[{"name":7}]}}"#,
        r#"{"result":{"tools":[{"name":["no"]}]}}"#,
        r#"{"result":{"tools":[{"name":"a"},{"title":"no"}]}}"#,
        r#"{"result":{"resources":[{"name":"no"}]}}"#,
        r#"{"result":{"tools":[{"name":"\ud800"}]}}"#,
        // One of several.
        r#"[{"result":{"tools":[]}},{"result":{"tools":[{}]}}]"#,
        r#"[{"result":{"tools":[]}},null]"#,
    ] {
        assert_eq!(json(&ALL, body), Err(UnreadableList), "{body}");
    }
    let invalid = b"{\"result\":{\"tools\":[{\"name\":\"\xff\"}]}}";
    assert_eq!(filter(&ALL).json(invalid, &mut stays), Err(UnreadableList));
    let deep = format!(
        r#"{{"result":{{"tools":[{{"name":"a","x":{}{}}}]}}}}"#,
        "[".repeat(200),
        "]".repeat(200)
    );
    assert_eq!(json(&ALL, &deep), Err(UnreadableList));
}

#[test]
fn an_answer_that_is_too_long_is_unreadable() {
    let body = |bytes: usize| {
        let answer = r#"{"result":{"tools":[{"name":"no"}],"x":""}}"#;
        let padding = "x".repeat(bytes - answer.len());
        answer.replace("\"\"", &format!("\"{padding}\""))
    };
    assert!(matches!(json(&TOOLS, &body(MCP_LIST_BYTES)), Ok(Some(_))));
    assert_eq!(json(&TOOLS, &body(MCP_LIST_BYTES + 1)), Err(UnreadableList));
}

// === streams ===

#[test]
fn a_stream_loses_entries_and_nothing_else() {
    let stream = concat!(
        ": hello\n\n",
        "id: 1\nevent: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"tools\":[{\"name\":\"no\"}]}}\n\n",
        "id: 2\ndata:\n\n",
        "retry: 10\r\nid: 3\r\nevent: message\r\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\r\n",
        ": between\r\n",
        "data:{\"tools\":[{\"name\":\"no\",\r\ndata:   \"title\":\"x\"},\r\ndata: {\"name\":\"a\"}]\r\ndata\r\ndata: }}\r\n\r\n",
        "data: {\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":1,\"message\":\"no\"}}\n\n",
        "id: 4\nretry: 0\n\n",
    );
    let expected = concat!(
        ": hello\n\n",
        "id: 1\nevent: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"tools\":[{\"name\":\"no\"}]}}\n\n",
        "id: 2\ndata:\n\n",
        "retry: 10\r\nid: 3\r\nevent: message\r\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\r\n",
        ": between\r\n",
        "data:{\"tools\":[\r\ndata: {\"name\":\"a\"}]\r\ndata\r\ndata: }}\r\n\r\n",
        "data: {\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":1,\"message\":\"no\"}}\n\n",
        "id: 4\nretry: 0\n\n",
    );
    for size in 1..=stream.len() {
        assert_eq!(events(&TOOLS, stream, size), expected, "{size}");
    }
}

#[test]
fn an_event_that_cannot_be_read_does_not_pass() {
    let good = "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[{\"name\":\"a\"}]}}\n\n";
    for event in [
        "data: no\n\n",
        "data: [DONE]\n\n",
        "data: null\n\n",
        "id: 7\nevent: ping\ndata: 2026-07-28\n\n",
        "data: {\"result\":{\"tools\":[{}]}}\n\n",
        "data: {\"result\":{\"tools\":[],\"tools\":[{\"name\":\"no\"}]}}\n\n",
        "data: {\"result\":{}}\ndata: {\"result\":{\"tools\":[{\"name\":\"no\"}]}}\n\n",
        "data: {\"result\":{\"tools\":[{\"name\":\"n\ndata: o\"}]}}\n\n",
        "data: {\"result\":\r\n\r\n",
        "data: \u{feff}{}\n\n",
    ] {
        let stream = format!("{good}{event}{good}");
        let expected = format!("{good}{good}");
        for size in 1..=stream.len() {
            assert_eq!(events(&TOOLS, &stream, size), expected, "{event:?} {size}");
        }
    }
    let invalid = b"data: {\"x\":\"\xff\"}\n\n";
    let passed = filter(&TOOLS).events(invalid, true, &mut stays);
    assert_eq!(passed, b"");
}

/// A client should drop such an event, and some do not.
#[test]
fn an_event_that_ends_with_the_stream_is_filtered_too() {
    let event = "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[{\"name\":\"no\"}]}}";
    for end in ["", "\n", "\r", "\r\n", "\nid: 1", "\n:"] {
        let stream = format!("{event}{end}");
        let expected = stream.replace(r#"{"name":"no"}"#, "");
        for size in 1..=stream.len() {
            assert_eq!(events(&TOOLS, &stream, size), expected, "{end:?}");
        }
        let cut_off = &stream[..event.len() - 3];
        assert_eq!(events(&TOOLS, cut_off, 7), "");
    }
    assert_eq!(events(&TOOLS, "\u{feff}data: no\n\n:\n\n", 1), ":\n\n");
}

#[test]
fn what_is_complete_passes_at_once() {
    let mut filter = filter(&TOOLS);
    let mut pass = |piece: &str, end: bool| {
        String::from_utf8(filter.events(piece.as_bytes(), end, &mut stays)).expect("UTF-8")
    };
    assert_eq!(
        pass("data: {\"jsonrpc\":\"2.0\",\"method\":\"x\"}\n", false),
        ""
    );
    assert_eq!(
        pass("\n", false),
        "data: {\"jsonrpc\":\"2.0\",\"method\":\"x\"}\n\n"
    );
    assert_eq!(pass(":\n\ndata: {\"result\":{\"tools\":[", false), ":\n\n");
    assert_eq!(pass("{\"name\":\"no\"}", false), "");
    assert_eq!(
        pass("]}}\n\n", false),
        "data: {\"result\":{\"tools\":[]}}\n\n"
    );
    assert_eq!(pass("", true), "");
}

// === anything at all ===

/// SplitMix64: the same numbers in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) as usize % bound
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

/// Writes JSON with as much white space as there can be, and reads what was meant.
struct Writer {
    random: Random,
    spaces: &'static [&'static str],
}

impl Writer {
    fn space(&mut self) -> &'static str {
        self.random.one_of(self.spaces)
    }

    fn string(&mut self) -> String {
        const PIECES: [&str; 16] = [
            "a",
            "no",
            "\\u006eo",
            "\\\"",
            "\\\\",
            ",",
            "]",
            "}",
            "[{",
            "\u{e9}",
            "\\u00e9",
            "\\ud83d\\ude00",
            "\u{2028}",
            ":",
            "data: ",
            "\\n",
        ];
        let length = self.random.below(4);
        let pieces: Vec<&str> = (0..length).map(|_| self.random.one_of(&PIECES)).collect();
        format!("\"{}\"", pieces.concat())
    }

    fn value(&mut self, depth: usize) -> String {
        match self.random.below(if depth == 0 { 4 } else { 6 }) {
            0 => self
                .random
                .one_of(&["null", "true", "-1.5e3", "0", "18446744073709551615"])
                .to_owned(),
            1..=3 => self.string(),
            4 => {
                let elements = (0..self.random.below(4))
                    .map(|_| self.value(depth - 1))
                    .collect();
                self.sequence('[', elements, ']')
            }
            _ => {
                let names = ["name", "tools", "result", "", "uri", "x,"];
                let first = self.random.below(names.len());
                let count = self.random.below(4);
                let names = names.iter().cycle().skip(first).take(count);
                let members = names.map(|name| self.member(name, depth - 1)).collect();
                self.sequence('{', members, '}')
            }
        }
    }

    fn member(&mut self, name: &str, depth: usize) -> String {
        let value = self.value(depth);
        self.member_of(name, &value)
    }

    fn member_of(&mut self, name: &str, value: &str) -> String {
        format!("\"{name}\"{}:{}{value}", self.space(), self.space())
    }

    fn sequence(&mut self, open: char, items: Vec<String>, close: char) -> String {
        let mut text = open.to_string() + self.space();
        for (i, item) in items.iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            let _ = write!(text, "{comma}{}{item}{}", self.space(), self.space());
        }
        text.push(close);
        text
    }

    fn entry(&mut self, named: &str) -> String {
        let name = self.string();
        let mut members = vec![self.member_of(named, &name)];
        members.push(self.member("inputSchema", 3));
        if self.random.below(2) == 0 {
            members.push(self.member("title", 1));
        }
        let first = self.random.below(members.len());
        members.rotate_left(first);
        self.sequence('{', members, '}')
    }

    /// What stands before the list, its text, and what comes behind it.
    fn answer(&mut self, member: &str, named: &str) -> [String; 3] {
        let entries = (0..self.random.below(6))
            .map(|_| self.entry(named))
            .collect();
        let list = self.sequence('[', entries, ']');
        let list_member = self.member_of(member, "LIST");
        let mut members = vec![
            list_member,
            self.member("nextCursor", 1),
            self.member("_meta", 3),
        ];
        let first = self.random.below(members.len());
        members.rotate_left(first);
        let result = self.sequence('{', members, '}');
        let mut members = vec![
            self.member_of("jsonrpc", "\"2.0\""),
            self.member_of("id", "1"),
            self.member_of("result", &result),
        ];
        let first = self.random.below(members.len());
        members.rotate_left(first);
        let answer = self.sequence('{', members, '}');
        let (before, behind) = answer.split_once("LIST").expect("a list");
        let (before, behind) = (before.to_owned(), behind.to_owned());
        [
            before + self.space(),
            list,
            self.space().to_owned() + &behind,
        ]
    }
}

fn read(text: &str) -> Value<'_> {
    json::parse(text.as_bytes()).unwrap_or_else(|e| panic!("{e}: {text}"))
}

const KINDS: [(&str, &str); 3] = [("tools", "name"), ("prompts", "name"), ("resources", "uri")];

#[test]
fn whatever_the_list_its_rest_reads_as_what_stays() {
    let mut writer = Writer {
        random: Random(1),
        spaces: &["", "", " ", "\t", "\n", "\r\n  "],
    };
    let mut shortened = 0;
    for round in 0..3000 {
        let kind = round % KINDS.len();
        let (member, named) = KINDS[kind];
        let [before, list, behind] = writer.answer(member, named);
        let answer = format!("{before}{list}{behind}");
        let rest = json(&ALL[kind..=kind], &answer).expect("it can be read");
        let list_value = read(&list);
        let entries = list_value.as_array().expect("a list");
        let stays = |entry: &&Value<'_>| {
            let name = entry
                .as_object()
                .and_then(|entry| entry.get(named)?.as_str());
            !name.expect("a name").contains("no")
        };
        let staying: Vec<_> = entries.iter().filter(stays).cloned().collect();
        let Some(rest) = rest else {
            assert_eq!(staying.len(), entries.len(), "{answer}");
            continue;
        };
        shortened += 1;
        let short = rest
            .strip_prefix(&before)
            .and_then(|rest| rest.strip_suffix(&behind));
        let short = short.unwrap_or_else(|| panic!("{answer}\n{rest}"));
        assert_eq!(
            read(short),
            Value::Array(staying.clone()),
            "{list}\n{short}"
        );
        // Nothing is gone but entries and commas: white space is left of all.
        let written = parts::elements(&list).expect("a list");
        let gone = written
            .iter()
            .zip(entries)
            .filter(|(_, entry)| !stays(entry));
        let gone: usize = gone.map(|(written, _)| written.len()).sum();
        let commas = entries.len() - 1 - staying.len().saturating_sub(1);
        assert_eq!(short.len(), list.len() - gone - commas, "{list}\n{short}");
    }
    assert!(shortened > 1000, "{shortened}");
}

/// The data of each event, as a client reads it: line by line, after the letter of the standard.
fn client(stream: &str) -> Vec<String> {
    let stream = stream.replace("\r\n", "\n").replace('\r', "\n");
    let mut events = Vec::new();
    let mut data: Option<String> = None;
    for line in stream.split('\n') {
        if line.is_empty() {
            events.extend(data.take());
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        if field == "data" {
            let value = value.strip_prefix(' ').unwrap_or(value);
            let so_far = data.take().map_or_else(String::new, |data| data + "\n");
            data = Some(so_far + value);
        }
    }
    events
}

/// The lines of a stream that are no data.
fn other_lines(stream: &str) -> Vec<&str> {
    let lines = stream.split(['\r', '\n']);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with("data"))
        .collect()
}

#[test]
fn whatever_the_stream_a_client_reads_what_stays() {
    let mut writer = Writer {
        random: Random(2),
        spaces: &["", "", "", " ", "\n", "\n  "],
    };
    let (mut dropped, mut shortened) = (0, 0);
    for _ in 0..400 {
        let end = writer.random.one_of(&["\n", "\r", "\r\n"]);
        let mut stream = String::new();
        let mut expected = Vec::new();
        let mut others = Vec::new();
        for n in 0..writer.random.below(6) {
            let [before, list, behind] = writer.answer("tools", "name");
            let data = match writer.random.below(6) {
                0 => r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"tools":[{"name":"no"}]}}"#.to_owned(),
                1 => String::new(),
                2 => format!("{before}{list}"),
                _ => format!("{before}{list}{behind}"),
            };
            let is_read = json::parse(data.as_bytes()).is_ok() || data.is_empty();
            let mut lines: Vec<String> = data
                .split('\n')
                .map(|line| format!("data: {line}"))
                .collect();
            for other in [
                format!(": {n}"),
                format!("id: {n}"),
                "event: message".to_owned(),
                "retry".to_owned(),
            ] {
                if writer.random.below(3) == 0 {
                    let at = writer.random.below(lines.len() + 1);
                    lines.insert(at, other);
                }
            }
            let event = lines
                .iter()
                .fold(String::new(), |event, line| event + line + end)
                + end;
            stream += &event;
            if !is_read {
                dropped += 1;
                continue;
            }
            others.extend(other_lines(&event).into_iter().map(str::to_owned));
            expected.push(match data.is_empty() {
                true => data,
                false => {
                    let rest = json(&TOOLS, &data).expect("it can be read");
                    shortened += usize::from(rest.is_some());
                    read(&rest.unwrap_or(data)).to_string()
                }
            });
        }
        let whole = events(&TOOLS, &stream, stream.len().max(1));
        let found = client(&whole)
            .into_iter()
            .map(|data| match data.is_empty() {
                true => data,
                false => read(&data).to_string(),
            });
        assert_eq!(found.collect::<Vec<_>>(), expected, "{stream}\n{whole}");
        assert_eq!(other_lines(&whole), others, "{stream}\n{whole}");
        for size in [1, 2, 3, 5, 8, 13, 64, 1000] {
            assert_eq!(events(&TOOLS, &stream, size), whole, "{size} {stream:?}");
        }
    }
    assert!(dropped > 50 && shortened > 100, "{dropped} {shortened}");
}
