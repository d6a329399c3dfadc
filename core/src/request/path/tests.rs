use super::*;

fn read(path: &str) -> Result<(String, PathQuirks), PathFault> {
    CanonicalPath::parse(path.as_bytes()).map(|p| (p.as_str().into(), p.quirks()))
}

const ES: PathQuirks = PathQuirks::ENCODED_SLASH;
const DS: PathQuirks = PathQuirks::DOUBLE_SLASH;
const SC: PathQuirks = PathQuirks::SEMICOLON;

#[test]
fn a_path_with_more_than_one_reading_is_refused() {
    use PathFault::*;
    for (path, fault) in [
        ("", NotAbsolute),
        ("*", NotAbsolute),
        ("a", NotAbsolute),
        (" /a", NotAbsolute),
        ("%2Fa", NotAbsolute),
        ("\\a", NotAbsolute),
        ("http://a.example/b", NotAbsolute),
        // Dot segments, in every spelling and place.
        ("/.", DotSegment),
        ("/..", DotSegment),
        ("/./a", DotSegment),
        ("/a/.", DotSegment),
        ("/a/..", DotSegment),
        ("/a/../b", DotSegment),
        ("/a/./b", DotSegment),
        ("/a/%2e%2e/b", DotSegment),
        ("/a/%2E%2e/b", DotSegment),
        ("/a/.%2e/b", DotSegment),
        ("/a/%2e./b", DotSegment),
        ("/a/%2e/b", DotSegment),
        ("/a/%2e", DotSegment),
        ("/a//../b", DotSegment),
        // Behind what a rule could allow.
        ("/a%2F..%2Fb", DotSegment),
        ("/a%2f..", DotSegment),
        ("/..%2fa", DotSegment),
        ("/%2e%2e%2fa", DotSegment),
        ("/a/..;/b", DotSegment),
        ("/a/..;x=y/b", DotSegment),
        ("/a/..;", DotSegment),
        ("/..;x/", DotSegment),
        ("/a/.;/b", DotSegment),
        ("/a/%2e%2e;/b", DotSegment),
        ("/a/..%3B/b", DotSegment),
        ("/a/..%3b%2Fb", DotSegment),
        ("/public;/../admin", DotSegment),
        // Backslashes.
        ("/a\\b", Backslash),
        ("/public\\..\\admin", Backslash),
        ("/a%5cb", Backslash),
        ("/a%5C..%5Cb", Backslash),
        ("/\\a", Backslash),
        // Controls and white space.
        ("/a\0b", Control),
        ("/a%00b", Control),
        ("/a%00", Control),
        ("/a%0d%0ab", Control),
        ("/a%1fb", Control),
        ("/a%7fb", Control),
        ("/a%7F", Control),
        ("/a\tb", Control),
        ("/a b", Control),
        ("/a\r\nb", Control),
        ("/a\x7f", Control),
        // Escapes that are none, or that hide another.
        ("/%", Escape),
        ("/a%2", Escape),
        ("/a%zz", Escape),
        ("/a%2g", Escape),
        ("/a%g2", Escape),
        ("/a%+1", Escape),
        ("/a% 1", Escape),
        ("/a%u002e", Escape),
        ("/a%%32e", Escape),
        ("/a%252e", DoubleEscape),
        ("/a%252F", DoubleEscape),
        ("/a%25%32%65", DoubleEscape),
        ("/a%25%32e", DoubleEscape),
        ("/a%252%65", DoubleEscape),
        ("/a%2561dmin", DoubleEscape),
        ("/a%252500", DoubleEscape),
        ("/a%25252e", DoubleEscape),
        // What lax UTF-8 decoders take for `/`, `.` and `\`.
        ("/a%c0%afb", Overlong),
        ("/a%C0%AE%C0%AE/b", Overlong),
        ("/a%c1%9cb", Overlong),
        ("/a%c0%2fb", Overlong),
        ("/a%e0%80%afb", Overlong),
        ("/a%F0%80%80%AFb", Overlong),
        ("/caf\u{e9}", NonAscii),
        ("/a?b", Query),
        ("/a#b", Fragment),
    ] {
        assert_eq!(read(path), Err(fault), "{path}");
    }
    for bytes in [&b"/caf\xe9"[..], b"/\xff", b"/a\x80b", b"/\xc0\xaf"] {
        let fault = CanonicalPath::parse(bytes).unwrap_err();
        assert_eq!(fault, NonAscii, "{bytes:?}");
    }
}

#[test]
fn what_a_rule_may_allow_is_noted() {
    for (path, canonical, quirks) in [
        ("/a%2Fb", "/a%2Fb", ES),
        ("/a%2fb", "/a%2Fb", ES),
        ("/a%2F", "/a%2F", ES),
        ("/%2F", "/%2F", ES | DS),
        ("/%2Fadmin", "/%2Fadmin", ES | DS),
        ("/a/%2fb", "/a/%2Fb", ES | DS),
        ("/a%2f/b", "/a%2F/b", ES | DS),
        ("/a%2f%2Fb", "/a%2F%2Fb", ES | DS),
        ("//", "//", DS),
        ("//admin", "//admin", DS),
        ("///", "///", DS),
        ("/a//", "/a//", DS),
        ("/a//b", "/a//b", DS),
        ("/a;b", "/a;b", SC),
        ("/a;x=y/b", "/a;x=y/b", SC),
        ("/a%3bb", "/a%3Bb", SC),
        ("/;", "/;", SC),
        ("/a/;x", "/a/;x", SC),
        ("/a;..", "/a;..", SC),
        // Without its parameters the segment is empty.
        ("/;x/admin", "/;x/admin", SC | DS),
        ("/a/;/b", "/a/;/b", SC | DS),
        ("/a;x%2Fb//c", "/a;x%2Fb//c", SC | ES | DS),
    ] {
        assert_eq!(read(path), Ok((canonical.into(), quirks)), "{path}");
    }
}

#[test]
fn equivalent_spellings_become_one() {
    for (path, canonical) in [
        ("/", "/"),
        ("/a", "/a"),
        ("/a/", "/a/"),
        ("/Admin", "/Admin"),
        ("/%61dmin", "/admin"),
        ("/adm%69n", "/admin"),
        ("/%41%5a%61%7a%30%39%2d%5f%7E", "/AZaz09-_~"),
        ("/a%2eb", "/a.b"),
        ("/...", "/..."),
        ("/%2e%2e%2e", "/..."),
        ("/.well-known/x", "/.well-known/x"),
        ("/..a/b..", "/..a/b.."),
        // Reserved characters and their escapes differ (RFC 3986 §2.2).
        ("/a:b@c!$&'()*+,=", "/a:b@c!$&'()*+,="),
        ("/a%3ab%40c", "/a%3Ab%40c"),
        ("/caf%c3%a9", "/caf%C3%A9"),
        ("/caf%C3%A9", "/caf%C3%A9"),
        ("/caf%e9", "/caf%E9"),
        ("/%e2%82%ac/%f0%9f%98%80", "/%E2%82%AC/%F0%9F%98%80"),
        ("/a%20b", "/a%20b"),
        ("/100%25", "/100%25"),
        ("/a%25b", "/a%25b"),
        ("/a%25zz", "/a%25zz"),
        ("/a%25%25", "/a%25%25"),
        ("/a%3fb%23c", "/a%3Fb%23c"),
        ("/%61/b/%c3%a9/c/%62", "/a/b/%C3%A9/c/b"),
    ] {
        assert_eq!(
            read(path),
            Ok((canonical.into(), PathQuirks::NONE)),
            "{path}"
        );
    }
}

#[test]
fn a_canonical_path_is_borrowed() {
    for (path, borrowed) in [
        ("/v1/chat/completions", true),
        ("/a%2Fb//;%C3%A9", true),
        ("/%61", false),
        ("/%c3", false),
    ] {
        let read = CanonicalPath::parse(path.as_bytes()).unwrap();
        assert_eq!(matches!(read.text, Cow::Borrowed(_)), borrowed, "{path}");
    }
}

/// What the most lenient servers would make of an accepted path without quirks, in whichever
/// order they decode and split: the same segments, none of them dots or empty.
#[test]
fn an_accepted_path_has_one_reading() {
    const PIECES: [&str; 30] = [
        "/", "/", "/", ".", "..", "a", "B", "2", "e", "f", "5", "c", "%", "%2", "%2e", "%2E",
        "%2f", "%5c", "%25", "%32", "%65", ";", "%3b", "\\", "%c3%a9", "%c0%ae", "%00", "%61",
        "%7e", "%41",
    ];
    let mut seed = 1_u64;
    let mut accepted = 0;
    for _ in 0..200_000 {
        let mut path = String::from("/");
        for _ in 0..next(&mut seed) % 8 {
            path.push_str(PIECES[next(&mut seed) % PIECES.len()]);
        }
        let Ok(canonical) = CanonicalPath::parse(path.as_bytes()) else {
            continue;
        };
        let again = CanonicalPath::parse(canonical.as_str().as_bytes());
        assert_eq!(again.as_ref(), Ok(&canonical), "{path}");

        let once = decoded(path.as_bytes());
        let segments = |bytes: &[u8]| -> Vec<Vec<u8>> {
            let ends = |b: &u8| matches!(b, b'/' | b'\\');
            bytes.split(ends).skip(1).map(<[u8]>::to_vec).collect()
        };
        for segment in segments(&once) {
            let name = segment.split(|b| *b == b';').next().unwrap();
            assert!(!matches!(name, b"." | b".."), "{path}");
        }
        assert_eq!(decoded(&once), once, "{path}");
        if canonical.quirks().is_empty() {
            accepted += 1;
            let of_parts: Vec<_> = segments(path.as_bytes())
                .iter()
                .map(|segment| decoded(segment))
                .collect();
            assert_eq!(segments(&once), of_parts, "{path}");
            let (_, before) = of_parts.split_last().unwrap();
            assert!(!before.iter().any(Vec::is_empty), "{path}");
        }
    }
    assert!(accepted > 10_000, "{accepted}");
}

fn decoded(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        let value = |digits: &[u8]| {
            let digits = std::str::from_utf8(digits).ok()?;
            let hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
            u8::from_str_radix(digits, 16).ok().filter(|_| hex)
        };
        match tail.get(..2).and_then(value) {
            Some(value) if *first == b'%' => {
                out.push(value);
                rest = &tail[2..];
            }
            _ => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    out
}

fn next(seed: &mut u64) -> usize {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    (*seed >> 33) as usize
}

#[test]
fn the_longest_paths_cost_one_pass() {
    for piece in [
        "/", "a", "%61", "%c3", "%2F", "%3b", "%25", ";", "...", "/a", "..a/", "%25%25", "/%2f",
    ] {
        let path = format!("/x{}", piece.repeat(1_000_000 / piece.len()));
        let read = CanonicalPath::parse(path.as_bytes()).unwrap();
        assert!(read.as_str().len() <= path.len(), "{piece}");
    }
}

#[test]
fn quirks_have_the_names_of_the_configuration() {
    let names = [
        ("encoded_slash", ES),
        ("double_slash", DS),
        ("semicolon", SC),
    ];
    assert_eq!(PathQuirks::NAMES, names);
    for (name, quirk) in names {
        assert_eq!(quirk.to_string(), name);
    }
    assert_eq!((SC | ES).to_string(), "encoded_slash, semicolon");
    assert!(ES.is_within(ES | SC));
    assert!(!(ES | DS).is_within(ES));
    assert!(PathQuirks::NONE.is_within(PathQuirks::NONE));
}
