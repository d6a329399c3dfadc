#![allow(clippy::arithmetic_side_effects, clippy::panic, clippy::unwrap_used)]

use super::*;

/// The data of a stream's events; `None` is that of an event that was skipped.
#[derive(Debug, Default, Eq, PartialEq)]
struct Events {
    ended: Vec<Option<Vec<u8>>>,
    /// Whether another one has begun.
    has_begun: bool,
}

fn read(stream: &[u8], chunk: usize) -> Events {
    let mut events = Events::default();
    let mut reader = EventStream::new();
    let mut data = Vec::new();
    for mut chunk in stream.chunks(chunk) {
        while let Some(piece) = reader.next(&mut chunk) {
            match piece {
                Piece::Data(bytes) => {
                    assert!(!bytes.is_empty());
                    data.extend_from_slice(bytes);
                }
                Piece::End => events.ended.push(Some(std::mem::take(&mut data))),
                Piece::Silent => events.ended.push(None),
            }
        }
        assert_eq!(chunk, b"");
    }
    events.has_begun = reader.is_in_event();
    events
}

/// The same by the letter of the specification, for a stream that is there as a whole: lines, then fields.
fn specified(stream: &[u8]) -> Events {
    let text = String::from_utf8(stream.to_vec()).unwrap();
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut events = Events::default();
    let mut data: Option<String> = None;
    let mut lines: Vec<&str> = text.split('\n').collect();
    let unended = lines.pop().unwrap();
    let take = |line: &str, data: &mut Option<String>| {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        if name == "data" {
            let value = value.strip_prefix(' ').unwrap_or(value);
            *data = Some(match data.take() {
                Some(before) => format!("{before}\n{value}"),
                None => value.to_owned(),
            });
        }
    };
    for line in lines {
        match line {
            "" => events
                .ended
                .extend(data.take().map(|data| Some(data.into_bytes()))),
            _ => take(line, &mut data),
        }
    }
    take(unended, &mut data);
    events.has_begun = data.is_some();
    events
}

/// Compares with the specification at every size of chunks. An event that is skipped must be silent.
fn check(stream: &[u8]) {
    let expected = specified(stream);
    for chunk in 1..=stream.len().max(1) {
        let events = read(stream, chunk);
        let shown = String::from_utf8_lossy(stream);
        assert_eq!(events.has_begun, expected.has_begun, "{shown:?} by {chunk}");
        assert_eq!(
            events.ended.len(),
            expected.ended.len(),
            "{shown:?} by {chunk}"
        );
        for (event, expected) in events.ended.iter().zip(&expected.ended) {
            match event {
                Some(_) => assert_eq!(event, expected, "{shown:?} by {chunk}"),
                None => assert!(
                    is_silent(expected.as_ref().unwrap()),
                    "{shown:?} by {chunk}"
                ),
            }
        }
    }
}

/// No name or type begins with a quote that is escaped, or, outside a string, has a backslash in front.
fn is_silent(data: &[u8]) -> bool {
    let text = std::str::from_utf8(data).unwrap();
    let text = text.replace(r"\\", "").replace("\\\"", "");
    let text = text.replace(r#""usage":null"#, "");
    let speaks = [r#""usage""#, r"\u", "\"message_stop"].map(|word| text.contains(word));
    text.starts_with('{') && speaks == [false; 3]
}

#[test]
fn lines_are_read_as_specified() {
    let streams: [&[u8]; 32] = [
        b"",
        b"\n\n\r\r\n",
        b"data: a\n\n",
        b"data:a\n\n",
        b"data:  a\n\n",
        b"data: a",
        b"data: a\n",
        b"data: a\r\n\r\n",
        b"data: a\r\rdata: b\r\r",
        b"data: a\n\r\n",
        b"data: a\r\n\n",
        b"data: a\r\r\n",
        b"data: a\ndata: b\n\n",
        b"data: a\r\ndata:b\r\n\r\ndata: c\r\n\r\n",
        b"data\n\n",
        b"data\ndata\n\ndata:",
        b"data:\n\n",
        b"data:\ndata: \n\n",
        b"data",
        b"dat",
        b"dat\n\n",
        b"datas: a\n\n",
        b"data : a\n\n",
        b" data: a\n\n",
        b"DATA: a\n\n",
        b": a comment\n\n: and another\ndata: a\n\n",
        b"event: ping\n\n",
        b"event: a\nid: 1\nretry: 10\ndata: a\n\n",
        b"id\n\ndata: a\nid\n\n",
        b"d\nda\ndat\ndata\ndatad\n\n",
        b"data: data: data\n\ndata: :\n\n",
        b"data: \xc3\xa4\n\n\n\n\ndata: b\n\n",
    ];
    streams.into_iter().for_each(check);
}

#[test]
fn events_that_say_nothing_are_skipped() {
    let silent: [&[u8]; 10] = [
        b"data: {}\n\n",
        b"data:{}\n\n",
        b"data: {}\r\n\r\n",
        b"data: {\"choices\":[{\"delta\":{\"content\":\"gauging \\\"usage\\\"\\n\"}}],\"usage\":null}\n\n",
        b"data: {\"usages\":1,\"a_usage\":2}\n\n",
        b"data: {\"message\":\"message_stop\\\"}\n\n".split_at(12).0,
        b"data: {\"type\":\"message_start\"}\n\n",
        b"event: ping\ndata: {\"type\": \"ping\"}\n\n",
        b"data: {\"a\":\"\\\\\"}\n\n",
        b"data: {\"g\":\"ggg\\g\"}\n\n",
    ];
    for stream in silent {
        let events = read(stream, stream.len()).ended;
        let is_whole = stream.ends_with(b"\n");
        assert_eq!(
            events,
            vec![None; usize::from(is_whole)],
            "{}",
            String::from_utf8_lossy(stream)
        );
        check(stream);
    }
}

#[test]
fn events_that_may_say_something_are_read() {
    let read_ones: [&[u8]; 14] = [
        b"data: {\"usage\":{}}\n\n",
        b"data: {\"usage\": null}\n\n",
        b"data: {\"usage\":nul}\n\n",
        b"data: {\"usage\":null,\"usage\":{}}\n\n",
        b"data: {\"a\":\"\\\\\",\"usage\":{}}\n\n",
        b"data: {\"us\\u0061ge\":{}}\n\n",
        b"data: {\"type\":\"message_stop\"}\n\n",
        b"data: {\"type\":\"message_st\\u006fp\"}\n\n",
        b"data: [DONE]\n\n",
        b"data: \n\n",
        b"data: \"usage\"\n\n",
        b"data: {\ndata: \"usage\":{}}\n\n",
        b"data: {\"a\":\"\\\ndata: \"usage\":{}}\n\n",
        b"data: {\"gg\":\"g\",\"usage\":{}}\r\r",
    ];
    for stream in read_ones {
        let events = read(stream, stream.len()).ended;
        let shown = String::from_utf8_lossy(stream);
        assert!(events.iter().all(Option::is_some), "{shown}");
        assert_eq!(events.len(), 1, "{shown}");
        check(stream);
    }
}

#[test]
fn streams_of_random_lines_are_read_as_specified() {
    const PARTS: [&str; 24] = [
        "data",
        "data:",
        "data: ",
        ":",
        " ",
        "\n",
        "\n\n",
        "\r",
        "\r\n",
        "\r\n\r\n",
        "{",
        "}",
        "{}",
        "\"",
        "usage",
        "\"usage\"",
        "\"usage\":null",
        "\\",
        "\\\\",
        "\\u",
        "\"message_stop",
        "[DONE]",
        "event: a\n",
        "g",
    ];
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 20).unwrap() % below
    };
    for _ in 0..2000 {
        let stream: String = (0..random(14))
            .map(|_| PARTS[random(PARTS.len())])
            .collect();
        check(stream.as_bytes());
    }
}
