//! The table: every kind of disagreement, and why it is one. `docs/differential.md` repeats it.

use serde_json::{Map, Value};

use super::routing::{self, Ours, Router};
use super::targets::{HostReading, PathReading};
use super::tokens::{self, Outcome};
use crate::envoy::harness::policy::AUDIENCE;

/// Paths and hosts: we refuse what Envoy's router would route, or judge what it has no route for.
pub struct TargetClass {
    /// What is odd about the request.
    pub odd: &'static str,
    /// Our code; none where a rule judges.
    pub ours: Option<&'static str>,
    pub router: &'static str,
    pub why: &'static str,
    pub has: fn(&routing::Comparison) -> bool,
}

fn path(case: &routing::Comparison) -> PathReading {
    PathReading::of(&case.target)
}

fn host(case: &routing::Comparison) -> HostReading {
    HostReading::of(
        &case.target,
        case.http2,
        case.reading.strip_trailing_host_dot,
    )
}

const AMBIGUOUS_PATH: Option<&str> = Some("AMBIGUOUS_PATH");
const AMBIGUOUS_HOST: Option<&str> = Some("AMBIGUOUS_HOST");

/// The first that fits counts.
pub const TARGETS: &[TargetClass] = &[
    TargetClass {
        odd: "remaining dot segments: without `normalize_path`, before parameters (`..;`), between escaped slashes or backslashes",
        ours: AMBIGUOUS_PATH,
        router: "routes the path unchanged",
        why: "A server that resolves them later serves another path than the one that was judged (CVE-2019-9901; RFC 3986 §5.2.4)",
        has: |case| path(case).has_dot_segment(),
    },
    TargetClass {
        odd: "an empty segment (`//`)",
        ours: AMBIGUOUS_PATH,
        router: "routes the path unchanged",
        why: "Many servers merge slashes (CVE-2021-31920). A rule may allow it",
        has: |case| path(case).has_empty_segment(),
    },
    TargetClass {
        odd: "an encoded slash (`%2F`)",
        ours: AMBIGUOUS_PATH,
        router: "routes the path unchanged",
        why: "Some servers treat it as a slash (CVE-2021-29492). A rule may allow it",
        has: |case| path(case).has_encoded_slash(),
    },
    TargetClass {
        odd: "a backslash, plain or encoded",
        ours: AMBIGUOUS_PATH,
        router: "routes the path unchanged; with `normalize_path` a plain one becomes a slash before either sees it",
        why: "Some servers treat it as a slash (CVE-2021-29492)",
        has: |case| path(case).has_backslash(),
    },
    TargetClass {
        odd: "a semicolon, plain or encoded",
        ours: AMBIGUOUS_PATH,
        router: "routes the path unchanged",
        why: "In servlet containers it begins parameters, which are not part of the path (RFC 3986 §3.3). A rule may allow it",
        has: |case| path(case).has_semicolon(),
    },
    TargetClass {
        odd: "an encoded control character",
        ours: AMBIGUOUS_PATH,
        router: "routes the path unchanged, except NUL",
        why: "Servers end or split the path there",
        has: |case| path(case).has_control(),
    },
    TargetClass {
        odd: "a `%` without two hex digits",
        ours: AMBIGUOUS_PATH,
        router: "routes the path unchanged",
        why: "Not valid (RFC 3986 §2.1): servers keep, drop or refuse it",
        has: |case| path(case).has_malformed_escape(),
    },
    TargetClass {
        odd: "an escape of an escape (`%252e`)",
        ours: AMBIGUOUS_PATH,
        router: "routes the path unchanged",
        why: "Two servers in a row decode it to another path (RFC 3986 §2.4)",
        has: |case| path(case).has_double_escape(),
    },
    TargetClass {
        odd: "an overlong form of UTF-8 (`%C0%AF`)",
        ours: AMBIGUOUS_PATH,
        router: "routes the path unchanged",
        why: "Lenient decoders read a slash (RFC 3629 §10; CVE-2008-2938)",
        has: |case| path(case).has_overlong_form(),
    },
    TargetClass {
        odd: "a byte outside ASCII that is not escaped",
        ours: AMBIGUOUS_PATH,
        router: "over HTTP/2 and without `normalize_path` routes the path unchanged; else answers 400",
        why: "URIs are ASCII (RFC 3986 §2): servers escape it, or decode it as UTF-8 or as Latin-1",
        has: |case| path(case).has_raw_non_ascii(),
    },
    TargetClass {
        odd: "two hosts, joined by a comma",
        ours: AMBIGUOUS_HOST,
        router: "looks for a virtual host of that name, which wildcards match",
        why: "RFC 9112 §3.2 requires a 400",
        has: |case| host(case).has_comma(),
    },
    TargetClass {
        odd: "no host, or nothing before the port",
        ours: AMBIGUOUS_HOST,
        router: "routes it by the virtual host `*`",
        why: "No host is named",
        has: |case| host(case).is_empty(),
    },
    TargetClass {
        odd: "an empty port (`example.com:`)",
        ours: AMBIGUOUS_HOST,
        router: "ignores it like any other port",
        why: "Valid (RFC 3986 §3.2.3), but some parsers take the colon as a part of the host",
        has: |case| host(case).has_empty_port(),
    },
    TargetClass {
        odd: "a port that is not a number",
        ours: AMBIGUOUS_HOST,
        router: "ignores what follows the last colon",
        why: "Only digits are valid (RFC 3986 §3.2.3). Some parsers take the rest as the host (`www:80@evil`)",
        has: |case| host(case).has_bad_port(),
    },
    TargetClass {
        odd: "a trailing dot that remains after Envoy removed one",
        ours: AMBIGUOUS_HOST,
        router: "looks for a virtual host of that name; there is none",
        why: "DNS may resolve it as the name without dots, so it would get the rule of one host and the route of another",
        has: |case| host(case).has_trailing_dot(),
    },
    TargetClass {
        odd: "an empty label (`a..example.com`)",
        ours: AMBIGUOUS_HOST,
        router: "routes it, by a wildcard if one matches",
        why: "Not a host name (RFC 1035 §2.3.1)",
        has: |case| host(case).has_empty_label(),
    },
    TargetClass {
        odd: "brackets around anything but an IPv6 address in its recommended form",
        ours: AMBIGUOUS_HOST,
        router: "compares the text: `[0::1]` is another host than `[::1]`",
        why: "Two spellings of one address (RFC 5952 §2) would get the rule of one host and the route of another",
        has: |case| host(case).is_odd_literal(),
    },
    TargetClass {
        odd: "a character that host names cannot have",
        ours: AMBIGUOUS_HOST,
        router: "routes it, by a wildcard if one matches",
        why: "Parsers end the host there, or begin it (RFC 1123 §2.1)",
        has: |case| host(case).has_odd_character(),
    },
    TargetClass {
        odd: "more than 253 bytes",
        ours: AMBIGUOUS_HOST,
        router: "routes it, by a wildcard if one matches",
        why: "Too long for DNS (RFC 1035 §2.3.4)",
        has: |case| host(case).is_long(),
    },
    TargetClass {
        odd: "a path beyond 4 KiB that a `regex` rule would be tried on",
        ours: Some("REQUEST_TOO_LARGE"),
        router: "runs its regular expressions on it",
        why: "They cost time for each byte, before any credential is checked",
        has: |case| path(case).bytes() > 4096,
    },
    TargetClass {
        odd: "a host whose virtual host has no route for the path",
        ours: None,
        router: "404",
        why: "Our rules for every host come next. The request reaches no upstream",
        has: |case| case.reached == Some(Router::NoRoute),
    },
];

impl TargetClass {
    pub fn fits(&self, case: &routing::Comparison) -> bool {
        let ours = match &case.ours {
            Ours::Refused(code) => self.ours == Some(code.as_str()),
            Ours::Judged(_) => self.ours.is_none(),
            Ours::Passed(_) | Ours::Envoy(_) => false,
        };
        let routed = matches!(case.router, Router::Route(_) | Router::NoRoute);
        ours && routed && !case.is_weaker() && (self.has)(case)
    }
}

/// What a listener without a setting that every shipped configuration has reads in another way than we do: there the
/// weaker of two rules may be the client's choice.
pub struct Gap {
    pub without: &'static str,
    pub request: &'static str,
    pub what: &'static str,
    pub has: fn(&routing::Comparison) -> bool,
}

pub const PATH_GAP: Gap = Gap {
    without: "normalize_path",
    request: "`GET /%61dmin`",
    what: "We judge it by the rule of `/admin` (RFC 3986 §6.2.2); Envoy routes it unchanged, by the route of `/`",
    has: |case| !case.reading.normalize_path && path(case).has_escaped_unreserved(),
};

pub const PORT_GAP: Gap = Gap {
    without: "ignore_port_in_host_matching",
    request: "`Host: www.example.com:8443`",
    what: "We judge it by the rule of `www.example.com`; Envoy routes it by a wildcard or the virtual host `*`",
    has: |case| !case.reading.ignore_port_in_host_matching && host(case).has_port(),
};

/// Tokens.
pub struct TokenClass {
    /// What is odd about the token, by the names of the mutations.
    pub odd: &'static [&'static str],
    /// Our codes; none where we let it in.
    pub ours: &'static [&'static str],
    /// How what `jwt_authn` says begins; nothing where it lets it in.
    pub theirs: &'static str,
    pub why: &'static str,
    pub has: fn(&tokens::Comparison<'_>) -> bool,
}

fn always(_: &tokens::Comparison<'_>) -> bool {
    true
}

/// Whether header or claims are no JSON object to another reader, or hold a date or a `typ` that JWTs have not.
fn is_odd_json(case: &tokens::Comparison<'_>) -> bool {
    let read = |text: &[u8]| serde_json::from_slice::<Map<String, Value>>(text).ok();
    let (Some(header), Some(claims)) = (read(&case.sealed.header), read(&case.sealed.claims))
    else {
        return true;
    };
    let dates = ["exp", "nbf", "iat"].map(|name| claims.get(name).and_then(Value::as_f64));
    dates
        .into_iter()
        .flatten()
        .any(|date| date > 253_402_300_799.0)
        || header.get("typ").is_some_and(|typ| !typ.is_string())
}

/// Whether the header says that the token is of another kind.
fn is_of_another_kind(case: &tokens::Comparison<'_>) -> bool {
    let header: Option<Value> = serde_json::from_slice(&case.sealed.header).ok();
    let typ = header.and_then(|header| Some(header.get("typ")?.as_str()?.to_ascii_lowercase()));
    let typ = typ
        .as_deref()
        .map(|typ| typ.strip_prefix("application/").unwrap_or(typ));
    typ.is_some_and(|typ| !["jwt", "at+jwt"].contains(&typ))
}

fn is_negative(case: &tokens::Comparison<'_>, date: &str) -> bool {
    let claims: Option<Value> = serde_json::from_slice(&case.sealed.claims).ok();
    let date = claims.and_then(|claims| claims[date].as_f64());
    date.is_some_and(|date| date < 0.0)
}

/// Whether the subject would not arrive as it is.
fn has_odd_subject(case: &tokens::Comparison<'_>) -> bool {
    let claims: Option<Value> = serde_json::from_slice(&case.sealed.claims).ok();
    let subject = claims.as_ref().and_then(|claims| claims["sub"].as_str());
    subject.is_some_and(|subject| subject.trim() != subject || subject.contains(char::is_control))
}

/// Whether some audience is ours but for a scheme and a slash.
fn has_folded_audience(case: &tokens::Comparison<'_>) -> bool {
    let claims: Option<Value> = serde_json::from_slice(&case.sealed.claims).ok();
    let audiences = match claims.map(|mut claims| claims["aud"].take()) {
        Some(Value::Array(audiences)) => audiences,
        Some(audience) => vec![audience],
        None => Vec::new(),
    };
    let folded = |audience: &str| {
        let name = audience
            .split_once("://")
            .map_or(audience, |(_, name)| name);
        (name != audience && name.trim_end_matches('/') == AUDIENCE)
            || name == format!("{AUDIENCE}/")
    };
    audiences.iter().filter_map(Value::as_str).any(folded)
}

/// The first that fits counts.
pub const TOKENS: &[TokenClass] = &[
    TokenClass {
        odd: &["a comma in the value", "two Authorization headers"],
        ours: &["AMBIGUOUS_CREDENTIALS"],
        theirs: "",
        why: "Envoy joins duplicate headers with a comma, and `jwt_authn` takes the first token that it finds. The next server may take the other one (RFC 9110 §5.3, RFC 6750 §2)",
        has: always,
    },
    TokenClass {
        odd: &[
            "another scheme (`XBearer`)",
            "the scheme further on (`Token Bearer …`)",
        ],
        ours: &["MISSING_TOKEN"],
        theirs: "",
        why: "`jwt_authn` looks for its prefix anywhere in the value. A scheme is at the beginning (RFC 9110 §11.4)",
        has: always,
    },
    TokenClass {
        odd: &["tab after the scheme"],
        ours: &["MALFORMED_TOKEN"],
        theirs: "",
        why: "Only spaces separate scheme and token (RFC 9110 §11.4)",
        has: always,
    },
    TokenClass {
        odd: &["text before the token", "text behind the token"],
        ours: &["MALFORMED_TOKEN"],
        theirs: "",
        why: "`jwt_authn` takes the characters that tokens can have and ignores the rest. The whole value is the token (RFC 6750 §2.1)",
        has: always,
    },
    TokenClass {
        odd: &["more than 16 KiB"],
        ours: &["REQUEST_TOO_LARGE"],
        theirs: "",
        why: "`limits.token_bytes`, before anything is hashed or parsed",
        has: always,
    },
    TokenClass {
        odd: &["dots too many or too few"],
        ours: &["MALFORMED_TOKEN"],
        theirs: "",
        why: "`jwt_authn` drops empty segments. A JWS has exactly three (RFC 7515 §7.1)",
        has: always,
    },
    TokenClass {
        odd: &["padding", "trailing bits", "white space in a segment"],
        ours: &["MALFORMED_TOKEN"],
        theirs: "",
        why: "`jwt_authn` accepts several spellings of the signature, and ends the token at the first other character. There is one valid spelling (RFC 7515 §2, RFC 4648 §3.5)",
        has: always,
    },
    TokenClass {
        odd: &[
            "ECDSA with a byte more",
            "a character more in a segment",
            "signature changed",
        ],
        ours: &["INVALID_SIGNATURE"],
        theirs: "",
        why: "`jwt_authn` ignores bytes after r and s. The signature of ES* is exactly as long as both (RFC 7518 §3.4)",
        has: |case| case.algorithm.starts_with("ES"),
    },
    TokenClass {
        odd: &["text that only lax readers take for JSON"],
        ours: &["MALFORMED_TOKEN"],
        theirs: "",
        why: "Protobuf's reader takes single quotes, names without quotes, trailing commas and raw control characters. RFC 8259 has none of these, and other parsers read them differently",
        has: |case| is_odd_json(case),
    },
    TokenClass {
        odd: &["`crit`", "`b64`", "`b64` with `crit`"],
        ours: &["INVALID_TOKEN"],
        theirs: "",
        why: "Extensions that must be understood or refused (RFC 7515 §4.1.11, RFC 7797 §6): `jwt_authn` does neither",
        has: always,
    },
    TokenClass {
        odd: &["`typ` of another kind of token"],
        ours: &["INVALID_TOKEN"],
        theirs: "",
        why: "A logout token or a DPoP proof is not an access token (RFC 8725 §3.11, RFC 9068 §4)",
        has: is_of_another_kind,
    },
    TokenClass {
        odd: &["`typ` that is no string"],
        ours: &["MALFORMED_TOKEN"],
        theirs: "",
        why: "It must be a string (RFC 7515 §4.1.9)",
        has: always,
    },
    TokenClass {
        odd: &["`alg` of another key", "noise in signed JSON"],
        ours: &["UNSUPPORTED_ALGORITHM"],
        theirs: "",
        why: "For a key without `alg`, `jwt_authn` uses the key's type and not the token's algorithm. The algorithm must fit the key (RFC 8725 §3.1)",
        has: |case| case.algorithm == "HS256",
    },
    TokenClass {
        odd: &["empty `kid`"],
        ours: &["UNKNOWN_KEY"],
        theirs: "",
        why: "It names a key that does not exist; `jwt_authn` treats it as absent and tries all keys (RFC 7515 §4.1.4)",
        has: always,
    },
    TokenClass {
        odd: &["key without `kid`"],
        ours: &["UNKNOWN_KEY"],
        theirs: "",
        why: "A key without a name is not the key that the token names (RFC 7515 §4.1.4)",
        has: always,
    },
    TokenClass {
        odd: &["key for another use"],
        ours: &["UNKNOWN_KEY"],
        theirs: "",
        why: "`use: enc`, or `key_ops` without `verify` (RFC 7517 §4.2, §4.3)",
        has: always,
    },
    TokenClass {
        odd: &["short HMAC key"],
        ours: &["UNKNOWN_KEY"],
        theirs: "",
        why: "It must be at least as long as the hash (RFC 7518 §3.2)",
        has: always,
    },
    TokenClass {
        odd: &["key of low order"],
        ours: &["UNKNOWN_KEY"],
        theirs: "",
        why: "Anybody can sign for an Ed25519 key of low order (RFC 8032 §8.9)",
        has: always,
    },
    TokenClass {
        odd: &[
            "audience with a scheme or a slash at its end",
            "noise in signed JSON",
        ],
        ours: &["INVALID_AUDIENCE"],
        theirs: "",
        why: "`jwt_authn` drops the scheme and a trailing slash. Audiences compare byte for byte (RFC 7519 §2, §4.1.3)",
        has: has_folded_audience,
    },
    TokenClass {
        odd: &["`exp` beyond the year 9999", "`iat` beyond the year 9999"],
        ours: &["MALFORMED_TOKEN"],
        theirs: "",
        why: "Milliseconds, or a value that may overflow: NumericDates are seconds (RFC 7519 §2)",
        has: always,
    },
    TokenClass {
        odd: &["`cnf`"],
        ours: &["INVALID_TOKEN"],
        theirs: "",
        why: "Bound to a key or a certificate that the client has not shown (RFC 7800 §3.1, RFC 8705 §3)",
        has: always,
    },
    TokenClass {
        odd: &[
            "subject with a control character",
            "subject with outer white space",
        ],
        ours: &["INVALID_TOKEN"],
        theirs: "",
        why: "`jwt_authn` writes it into a header unchanged, with line feeds: upstreams would read another caller or another header (RFC 9110 §5.5)",
        has: always,
    },
    TokenClass {
        odd: &["noise in the token"],
        ours: &[
            "MALFORMED_TOKEN",
            "AMBIGUOUS_CREDENTIALS",
            "INVALID_SIGNATURE",
        ],
        theirs: "",
        why: "`jwt_authn` takes the changed last characters as the token's end, or ignores them: as above",
        has: always,
    },
    TokenClass {
        odd: &["noise in signed JSON"],
        ours: &["INVALID_TOKEN"],
        theirs: "",
        why: "The noise made another `typ`, or a subject that would change in transit: as above",
        has: |case| is_of_another_kind(case) || has_odd_subject(case),
    },
    TokenClass {
        odd: &["noise in signed JSON"],
        ours: &["MALFORMED_TOKEN"],
        theirs: "",
        why: "The noise made invalid JSON, or a date beyond the year 9999: as above",
        has: is_odd_json,
    },
    TokenClass {
        odd: &["`Ed25519` for `EdDSA`"],
        ours: &[],
        theirs: "Jwt header [alg] is not supported",
        why: "RFC 9864's name of the algorithm, which `jwt_authn` does not know yet",
        has: always,
    },
    TokenClass {
        odd: &["negative `nbf`", "noise in signed JSON"],
        ours: &[],
        theirs: "Jwt payload [nbf] field is not a positive 64 bit integer",
        why: "A time before 1970 has passed, and a NumericDate may be negative (RFC 7519 §2)",
        has: |case| is_negative(case, "nbf"),
    },
    TokenClass {
        odd: &["negative `iat`", "noise in signed JSON"],
        ours: &[],
        theirs: "Jwt payload [iat] field is not a positive 64 bit integer",
        why: "A time before 1970 has passed, and a NumericDate may be negative (RFC 7519 §2)",
        has: |case| is_negative(case, "iat"),
    },
];

impl TokenClass {
    pub fn fits(&self, case: &tokens::Comparison<'_>) -> bool {
        let odd = case
            .mutations
            .iter()
            .any(|mutation| self.odd.contains(&mutation.quirk));
        let ours = match &case.ours {
            Outcome::Refused(code) => self.ours.contains(&code.as_str()),
            ours => ours.passed() && self.ours.is_empty(),
        };
        let theirs = match &case.theirs {
            Outcome::Refused(message) => {
                !self.theirs.is_empty() && message.starts_with(self.theirs)
            }
            theirs => theirs.passed() && self.theirs.is_empty(),
        };
        odd && ours && theirs && (self.has)(case)
    }
}
