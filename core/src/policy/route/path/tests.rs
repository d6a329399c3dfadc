use super::*;
use crate::request::path::PathFault;

type Parse = fn(&str) -> Result<PathMatch, InvalidMatch>;

const EXACT: Parse = PathMatch::exact;
const PREFIX: Parse = PathMatch::prefix;
const TEMPLATE: Parse = PathMatch::template;
const REGEX: Parse = PathMatch::regex;

#[test]
fn a_path_that_could_match_nothing_is_no_rule() {
    use InvalidPath::*;
    for (parse, text, fault) in [
        (EXACT, "", Ambiguous(PathFault::NotAbsolute)),
        (EXACT, "v1", Ambiguous(PathFault::NotAbsolute)),
        (EXACT, "/a/../b", Ambiguous(PathFault::DotSegment)),
        (EXACT, "/a?b=c", Ambiguous(PathFault::Query)),
        (EXACT, "/a#b", Ambiguous(PathFault::Fragment)),
        (EXACT, "/a%zz", Ambiguous(PathFault::Escape)),
        (EXACT, "/caf\u{e9}", Ambiguous(PathFault::NonAscii)),
        (EXACT, "/a b", Ambiguous(PathFault::Control)),
        (EXACT, "/a/*", Pattern),
        (EXACT, "/a/{b}", Pattern),
        (PREFIX, "", Ambiguous(PathFault::NotAbsolute)),
        (PREFIX, "v1/", Ambiguous(PathFault::NotAbsolute)),
        (PREFIX, "/a/%2e%2e", Ambiguous(PathFault::DotSegment)),
        (PREFIX, "/a\\b", Ambiguous(PathFault::Backslash)),
        (PREFIX, "/a%252e", Ambiguous(PathFault::DoubleEscape)),
        (PREFIX, "/admin/*", Pattern),
        (PREFIX, "/admin/**", Pattern),
        (PREFIX, "*", Ambiguous(PathFault::NotAbsolute)),
        (TEMPLATE, "{a}", Ambiguous(PathFault::NotAbsolute)),
        (TEMPLATE, "**", Ambiguous(PathFault::NotAbsolute)),
        (TEMPLATE, "/a/./{b}", Ambiguous(PathFault::DotSegment)),
        (TEMPLATE, "/a/**/b", TemplateRest),
        (TEMPLATE, "/**/", TemplateRest),
        (TEMPLATE, "/**/**", TemplateRest),
        (TEMPLATE, "/{a}/{a}", TemplateRepeats),
        (TEMPLATE, "/{}", TemplateSegment),
        (TEMPLATE, "/{a b}", Ambiguous(PathFault::Control)),
        (TEMPLATE, "/{a=**}", TemplateSegment),
        (TEMPLATE, "/{a}{b}", TemplateSegment),
        (TEMPLATE, "/a{b}", TemplateSegment),
        (TEMPLATE, "/{a}.json", TemplateSegment),
        (TEMPLATE, "/{a", TemplateSegment),
        (TEMPLATE, "/a}", TemplateSegment),
        (TEMPLATE, "/{{a}}", TemplateSegment),
        (TEMPLATE, "/*.json", TemplateSegment),
        (TEMPLATE, "/***", TemplateSegment),
        (REGEX, "v1/.*", RegexNotAbsolute),
        (REGEX, "^v1", RegexNotAbsolute),
        (REGEX, "/caf\u{e9}", RegexNotCanonical),
        (REGEX, "/caf%c3%a9", RegexNotCanonical),
        (REGEX, "/%61dmin", RegexNotCanonical),
        (REGEX, "/a%2Eb", RegexNotCanonical),
        (REGEX, "/a%5Cb", RegexNotCanonical),
    ] {
        let invalid = InvalidMatch::Path {
            found: text.into(),
            fault,
        };
        assert_eq!(parse(text).unwrap_err(), invalid, "{text}");
    }
}

#[test]
fn an_expression_that_is_none_or_too_large_is_no_rule() {
    for text in [
        "/(",
        "/a)|(/b",
        "/[",
        "/a{2,1}",
        "/(?P<a>b)(?P<a>c)",
        "/(a)\\1",
        "/(?=a)",
        "/\\p{L}",
        "/(?:a{1000}){1000}",
        &format!("/{}a{}", "(".repeat(1000), ")".repeat(1000)),
        &format!("/{}", "a".repeat(100_000)),
        // Its comment would swallow the closing anchor.
        "(?x) /a # a",
    ] {
        let fault = match PathMatch::regex(text).unwrap_err() {
            InvalidMatch::Path { fault, .. } => fault,
            other => panic!("{other:?}"),
        };
        assert!(matches!(fault, InvalidPath::Regex(_)), "{text}: {fault}");
    }
}

/// An escape that an expression itself leaves open is none that is spelled wrongly.
#[test]
fn an_expression_may_leave_digits_of_an_escape_open() {
    for (text, path) in [
        ("/a%[0-9A-F]{2}", "/a%2F"),
        ("/a%2[0-9A-F]", "/a%2F"),
        ("/a%(?:2F|3B)", "/a%3B"),
        ("/a%2F", "/a%2F"),
    ] {
        let matching = PathMatch::regex(text).unwrap_or_else(|e| panic!("{e}"));
        assert!(matching.into_regex().unwrap().is_match(path), "{text}");
    }
}

#[test]
fn messages_say_what_was_found_and_what_is_expected() {
    for (parse, text, message) in [
        (
            EXACT,
            "v1",
            "\"v1\" has no `/` at its start; expected a path that a request could have, without query",
        ),
        (
            PREFIX,
            "/v1/*",
            "\"/v1/*\" has `*`, `{` or `}`, which mean nothing here; expected a plain path, or `template`",
        ),
        (
            TEMPLATE,
            "/a/**/b",
            "\"/a/**/b\" has segments after `**`; expected it at the end",
        ),
        (
            REGEX,
            "v1",
            "\"v1\" matches no path; expected an expression that begins with `/`",
        ),
    ] {
        assert_eq!(parse(text).unwrap_err().to_string(), message);
    }
}

#[test]
fn the_literal_start_of_an_expression_is_never_too_long() {
    for (pattern, prefix) in [
        ("", ""),
        (".*", ""),
        ("/a|/b", ""),
        ("/v1/(a|b)", ""),
        ("(?i)/a", ""),
        ("[/]a", ""),
        ("\\/a", ""),
        ("/a?", "/"),
        ("/ab*", "/a"),
        ("/ab{0}", "/a"),
        ("/ab+", "/a"),
        ("/a/?b", "/a"),
        ("/a.b", "/a"),
        ("/v1/[0-9]+", "/v1/"),
        ("/v1/users/\\d+", "/v1/users/"),
        ("^/v1/a$", "/v1/a"),
        ("/v1/a", "/v1/a"),
        ("/%C3%A9/.*", "/%C3%A9/"),
    ] {
        assert_eq!(literal_prefix(pattern), prefix, "{pattern}");
    }
}
