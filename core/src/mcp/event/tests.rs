#![allow(clippy::arithmetic_side_effects, clippy::single_range_in_vec_init)]

use super::*;

/// What passes of a stream that comes in these pieces, where nothing is rewritten but events with `drop` in them do
/// not pass; and the events.
fn read(pieces: &[&[u8]]) -> (String, Vec<String>) {
    let mut stream = EventStream::default();
    let mut events = Vec::new();
    let mut passed = Vec::new();
    for (i, piece) in pieces.iter().enumerate() {
        let is_last = i + 1 == pieces.len();
        passed.extend(stream.read(piece, is_last, &mut |event| {
            events.push(text(event.raw()));
            let is_dropped = text(event.raw()).contains("drop");
            (!is_dropped).then_some(Cow::Borrowed(event.raw()))
        }));
    }
    (text(&passed), events)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

const STREAMS: [(&str, &[&str]); 13] = [
    ("", &[]),
    ("\n", &["\n"]),
    ("data: a\n\ndata: b\n\n", &["data: a\n\n", "data: b\n\n"]),
    ("data: a\r\rdata: b\r\r", &["data: a\r\r", "data: b\r\r"]),
    (
        "data: a\r\n\r\ndata: b\r\n\r\n",
        &["data: a\r\n\r\n", "data: b\r\n\r\n"],
    ),
    (
        "data: a\n\rdata: b\r\n\n",
        &["data: a\n\r", "data: b\r\n\n"],
    ),
    (
        "data: a\r\r\ndata: b\n\r\n",
        &["data: a\r\r\n", "data: b\n\r\n"],
    ),
    // A CR ends the line, and the second LF is an empty one.
    ("data: a\r\n\n\n\r", &["data: a\r\n\n", "\n", "\r"]),
    (
        ": a\nid: 1\nevent: b\ndata: c\ndata: d\n\n",
        &[": a\nid: 1\nevent: b\ndata: c\ndata: d\n\n"],
    ),
    // What is not over at the end.
    ("data: a\n\ndata: b\n", &["data: a\n\n", "data: b\n"]),
    ("data: a\n\ndata: b", &["data: a\n\n", "data: b"]),
    (
        "data: a\r\n\r\ndata: b\r",
        &["data: a\r\n\r\n", "data: b\r"],
    ),
    // A space is something.
    (
        "data: a\n \n\ndata: b\n\n",
        &["data: a\n \n\n", "data: b\n\n"],
    ),
];

#[test]
fn a_stream_is_cut_behind_empty_lines() {
    for (stream, events) in STREAMS {
        let (passed, found) = read(&[stream.as_bytes()]);
        assert_eq!(found, events, "{stream:?}");
        assert_eq!(passed, stream);
    }
}

#[test]
fn it_does_not_matter_in_which_pieces_it_comes() {
    for (stream, _) in STREAMS {
        for stream in [stream.to_owned(), stream.replace("data: a", "data: drop")] {
            let bytes = stream.as_bytes();
            let (whole, events) = read(&[bytes]);
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            assert_eq!(read(&single).0, whole, "{stream:?}");
            for at in 0..=bytes.len() {
                for second in at..=bytes.len() {
                    let pieces = [&bytes[..at], &bytes[at..second], &bytes[second..]];
                    let (passed, found) = read(&pieces);
                    assert_eq!(passed, whole, "{pieces:?}");
                    // A LF that comes later belongs to its CR all the same.
                    assert_eq!(found.len(), events.len(), "{pieces:?}");
                }
            }
        }
    }
}

#[test]
fn what_is_complete_passes_at_once() {
    let mut stream = EventStream::default();
    let mut pass = |piece: &str, end: bool| {
        let passed = stream.read(piece.as_bytes(), end, &mut |event| {
            Some(Cow::Borrowed(event.raw()))
        });
        text(&passed)
    };
    assert_eq!(pass("data: a\n", false), "");
    assert_eq!(pass("\ndata: b\n\nda", false), "data: a\n\ndata: b\n\n");
    assert_eq!(pass("", false), "");
    assert_eq!(pass("ta: c\r", false), "");
    assert_eq!(pass("\r", false), "data: c\r\r");
    assert_eq!(pass("", false), "");
    assert_eq!(pass("\n:\n", false), "\n");
    assert_eq!(pass("", true), ":\n");
    assert_eq!(pass("", true), "");
}

#[test]
fn an_event_that_is_too_long_does_not_pass_and_is_not_held() {
    let mut stream = EventStream::default();
    let mut passed = Vec::new();
    let mut read = |piece: &[u8], end: bool| {
        let pass = stream.read(piece, end, &mut |event| Some(Cow::Borrowed(event.raw())));
        assert!(stream.held.capacity() <= 2 * MCP_LIST_BYTES);
        passed.extend(pass);
    };
    let line = [b"data: ".as_slice(), &[b'x'; 64 * 1024], b"\n"].concat();
    read(b"data: a\n\n", false);
    for _ in 0..MCP_LIST_BYTES / line.len() * 3 {
        read(&line, false);
    }
    read(b"data: y\n", false);
    read(b"\ndata: b\n\n", false);
    // In one piece too, and exactly at the limit.
    let longest = [
        b"data: ".as_slice(),
        &vec![b'x'; MCP_LIST_BYTES - 8],
        b"\n\n",
    ]
    .concat();
    assert_eq!(longest.len(), MCP_LIST_BYTES);
    let too_long = [b":".as_slice(), &longest].concat();
    read(&too_long, false);
    read(&longest, false);
    read(b"data: c\n\n", false);
    read(&too_long, true);
    let expected = [
        b"data: a\n\ndata: b\n\n".as_slice(),
        &longest,
        b"data: c\n\n",
    ]
    .concat();
    assert!(passed == expected, "{} of {}", passed.len(), expected.len());
}

#[test]
fn data_is_what_a_client_reads() {
    for (raw, expected) in [
        ("data: a\n\n", "a"),
        ("data:a\n\n", "a"),
        ("data:  a \n\n", " a "),
        ("data:\ta\n\n", "\ta"),
        ("data: a", "a"),
        ("data\n\n", ""),
        ("data:\n\n", ""),
        ("data: \n\n", ""),
        ("data: a\ndata: b\n\n", "a\nb"),
        ("data: a\r\ndata\rdata:b\n\r", "a\n\nb"),
        (
            "id: 1\ndata: a\n: b\nevent: c\ndata: d\nretry: 1\n\n",
            "a\nd",
        ),
        // Other fields, and none.
        ("Data: a\n\n", ""),
        ("data : a\n\n", ""),
        (" data: a\n\n", ""),
        ("datax: a\n\n", ""),
        ("dat: a\n\n", ""),
        (": data: a\n\n", ""),
        ("\n", ""),
        ("", ""),
    ] {
        let event = Event::read(raw.as_bytes(), true);
        assert_eq!(text(&event.data()), expected, "{raw:?}");
    }
}

#[test]
fn a_byte_order_mark_hides_no_data() {
    let stream = "\u{feff}data: a\n\n\u{feff}data: b\n\n";
    for size in 1..=stream.len() {
        let mut events = EventStream::default();
        let mut data = Vec::new();
        for piece in stream.as_bytes().chunks(size) {
            events.read(piece, false, &mut |event| {
                data.push(text(&event.data()));
                None
            });
        }
        // Only at the beginning it is one.
        assert_eq!(data, ["a", ""], "{size}");
    }
}

#[test]
fn parts_of_the_data_are_cut_out_of_its_lines() {
    for (raw, cuts, expected) in [
        ("data: abcdef\n\n", &[1..2, 3..5][..], "data: acf\n\n"),
        (
            "id: abc\r\ndata:abc\r\n: abc\r\n\r\n",
            &[0..2],
            "id: abc\r\ndata:c\r\n: abc\r\n\r\n",
        ),
        ("data: abc", &[2..3], "data: ab"),
        // In the data: "abc\ndef\n\nghi".
        (
            "data: abc\ndata: def\ndata\ndata: ghi\n\n",
            &[2..5],
            "data: ab\ndata: ef\ndata\ndata: ghi\n\n",
        ),
        // A line of which nothing is left goes.
        (
            "data: abc\ndata: def\ndata\ndata: ghi\n\n",
            &[2..10],
            "data: ab\ndata\ndata: hi\n\n",
        ),
        (
            "data: abc\ndata: def\ndata\ndata: ghi\n\n",
            &[4..7],
            "data: abc\ndata\ndata: ghi\n\n",
        ),
        (
            "data: abc\nid: 7\ndata: def\n: x\ndata\ndata: ghi\n\n",
            &[0..1, 4..5, 5..7, 9..12],
            "data: bc\nid: 7\n: x\ndata\n\n",
        ),
        (
            "data: abc\ndata: def\n\n",
            &[3..4],
            "data: abc\ndata: def\n\n",
        ),
        ("data: abc\ndata: def\n\n", &[], "data: abc\ndata: def\n\n"),
    ] {
        let event = Event::read(raw.as_bytes(), false);
        assert_eq!(text(&event.without(cuts)), expected, "{raw:?} {cuts:?}");
    }
    let with_mark = Event::read("\u{feff}data: abc\n\n".as_bytes(), true);
    assert_eq!(text(&with_mark.without(&[0..1])), "\u{feff}data: bc\n\n");
}
