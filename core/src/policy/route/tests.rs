use super::*;
use crate::policy::route::header::HeaderTest;
use crate::request::AmbiguousTarget;
use crate::request::Request;
use crate::request::header_name::HeaderName;

const NONE: PathQuirks = PathQuirks::NONE;

/// A rule as an operator writes it.
#[derive(Clone, Copy, Debug)]
enum Path<'a> {
    Any,
    Exact(&'a str),
    Prefix(&'a str),
    Template(&'a str),
    Regex(&'a str),
}

use Path::{Any, Exact, Prefix, Regex, Template};

#[derive(Clone, Debug)]
struct Rule<'a> {
    path: Path<'a>,
    methods: Vec<&'a str>,
    hosts: Vec<&'a str>,
    /// Those that must be there.
    headers: Vec<&'a str>,
    allowed: PathQuirks,
}

impl<'a> Rule<'a> {
    fn new(path: Path<'a>) -> Self {
        Rule {
            path,
            methods: vec![],
            hosts: vec![],
            headers: vec![],
            allowed: NONE,
        }
    }

    fn methods(mut self, methods: &[&'a str]) -> Self {
        self.methods = methods.into();
        self
    }

    fn hosts(mut self, hosts: &[&'a str]) -> Self {
        self.hosts = hosts.into();
        self
    }

    fn headers(mut self, headers: &[&'a str]) -> Self {
        self.headers = headers.into();
        self
    }

    fn allowing(mut self, allowed: PathQuirks) -> Self {
        self.allowed = allowed;
        self
    }

    fn parse(&self) -> Result<Match, InvalidMatch> {
        let path = match self.path {
            Any => None,
            Exact(text) => Some(PathMatch::exact(text)?),
            Prefix(text) => Some(PathMatch::prefix(text)?),
            Template(text) => Some(PathMatch::template(text)?),
            Regex(text) => Some(PathMatch::regex(text)?),
        };
        let methods: Result<_, _> = self.methods.iter().map(|m| Method::parse(m)).collect();
        let hosts: Result<_, _> = self.hosts.iter().map(|h| HostPattern::parse(h)).collect();
        let present = |name: &&str| HeaderMatch::new(HeaderName::new(name), HeaderTest::Present);
        let headers = self.headers.iter().map(present).collect();
        Match::new(path, methods?, hosts?, headers, self.allowed)
    }
}

/// Each route leads to its own number.
fn compile(rules: &[Rule<'_>]) -> Routes<usize> {
    let matches = rules.iter().map(|r| r.parse().unwrap());
    Routes::compile(matches.zip(0..))
}

fn find(
    routes: &Routes<usize>,
    method: &str,
    host: &str,
    path: &str,
) -> Result<Option<usize>, Unroutable> {
    let headers = [
        (&b":method"[..], method.as_bytes()),
        (b":authority", host.as_bytes()),
        (b":path", path.as_bytes()),
    ];
    match RequestTarget::from_request(&Request::from_headers(&headers)) {
        Ok(target) => routes.find(&target).map(Option::<&usize>::copied),
        Err(AmbiguousTarget::Path) => Err(Unroutable::AmbiguousPath),
        Err(AmbiguousTarget::Host) => panic!("{host}"),
    }
}

fn get(routes: &Routes<usize>, path: &str) -> Result<Option<usize>, Unroutable> {
    find(routes, "GET", "a.example", path)
}

#[test]
fn no_rule_matches_nothing() {
    assert_eq!(get(&compile(&[]), "/"), Ok(None));
    assert_eq!(get(&compile(&[]), "//"), Err(Unroutable::AmbiguousPath));
}

#[test]
fn a_path_matches_as_a_whole() {
    let rows: &[(Path<'_>, &[&str], &[&str])] = &[
        (
            Exact("/healthz"),
            &[
                "/",
                "/healthz/",
                "/healthzz",
                "/Healthz",
                "/healthz/x",
                "/x/healthz",
            ],
            &["/healthz", "/healthz?x", "/%68ealthz"],
        ),
        (Exact("/"), &["/a", "/a/"], &["/", "/?a"]),
        (Exact("/a/"), &["/a", "/", "/a/b"], &["/a/"]),
        (Exact("/%61b"), &["/a", "/%2561b"], &["/ab", "/a%62"]),
        (
            Exact("/caf%c3%a9"),
            &["/cafe"],
            &["/caf%C3%A9", "/caf%c3%A9"],
        ),
        (
            Prefix("/v1"),
            &[
                "/", "/v", "/v10", "/v1.0", "/V1", "/v1%20", "/v1:x", "/x/v1",
            ],
            &["/v1", "/v1/", "/v1/x", "/v1/x/y", "/v1?x", "/%761/x"],
        ),
        (
            Prefix("/v1/"),
            &["/", "/v10", "/v10/"],
            &["/v1", "/v1/", "/v1/x"],
        ),
        (Prefix("/a/b"), &["/a", "/a/", "/a/bc"], &["/a/b", "/a/b/c"]),
        (Prefix("/"), &[], &["/", "/a", "/a/b/"]),
        (
            Template("/users/{id}"),
            &["/users", "/users/", "/users/1/", "/users/1/2", "/user/1"],
            &["/users/1", "/users/%2A", "/users/{id}"],
        ),
        (
            Template("/users/{id}/files/**"),
            &[
                "/users/1",
                "/users//files",
                "/users/1/filesx",
                "/users/1/2/files",
            ],
            &[
                "/users/1/files",
                "/users/1/files/",
                "/users/1/files/a",
                "/users/1/files/a/b/c",
            ],
        ),
        (
            Template("/*/x"),
            &["/x", "/a", "/a/b/x", "/a/x/"],
            &["/a/x", "/%2a/x"],
        ),
        (Template("/{a}/"), &["/a", "/", "/a/b"], &["/a/"]),
        (Template("/**"), &[], &["/", "/a", "/a/b"]),
        (
            Regex("/health"),
            &["/healthz", "/health/", "/a/health", "/a?/health", "/Health"],
            &["/health", "/health?x"],
        ),
        (
            Regex("/v[12]/(?:a|b)"),
            &["/v3/a", "/v1/c", "/v1/ab", "/v1/a/", "/x/v1/a"],
            &["/v1/a", "/v2/b"],
        ),
        (Regex("/a|/b"), &["/", "/ab", "/a/b", "/xb"], &["/a", "/b"]),
        (Regex("/ab?/c"), &["/b/c", "/abb/c"], &["/a/c", "/ab/c"]),
        (Regex("/a/?b"), &["/a", "/a/", "/a//b"], &["/ab", "/a/b"]),
        (Regex("/a/?"), &["/", "/ab", "/a/b"], &["/a", "/a/"]),
        (Regex("^/a/[0-9]+$"), &["/a/", "/a/x", "/a/1/"], &["/a/1"]),
        (Regex("(?i)/admin"), &["/admins", "/a/admin"], &["/Admin"]),
        (Regex("(?m)^/a$"), &["/a/b", "/b"], &["/a"]),
        (Regex("/[^/]+"), &["/", "/a/b"], &["/a"]),
        (Regex(".*"), &[], &["/", "/a"]),
    ];
    for (path, others, matches) in rows {
        let routes = compile(&[Rule::new(*path)]);
        for text in *others {
            let found = get(&routes, text);
            assert!(matches!(found, Ok(None) | Err(_)), "{path:?} {text}");
        }
        for text in *matches {
            assert_eq!(get(&routes, text), Ok(Some(0)), "{path:?} {text}");
        }
    }
}

#[test]
fn hosts_match_without_case_port_and_trailing_dot() {
    let rows: &[(&[&str], &[&str], &[&str])] = &[
        (
            &["API.example.com."],
            &[
                "example.com",
                "x.api.example.com",
                "api.example.com.x",
                "api-example.com",
            ],
            &["api.example.com", "Api.Example.Com:8443"],
        ),
        (
            &["*.example.com"],
            &[
                "example.com",
                "xexample.com",
                "a.example.org",
                "com",
                "a.example.com.x",
            ],
            &["a.example.com", "A.B.example.com:80", "a.b.c.example.com"],
        ),
        (
            &["a.example", "b.example"],
            &["c.example"],
            &["a.example", "b.example"],
        ),
        (
            &["[::1]"],
            &["[::2]", "localhost", "127.0.0.1"],
            &["[::1]:80", "[::1]"],
        ),
        (&["127.0.0.1"], &["127.0.0.2", "0.0.1"], &["127.0.0.1:80"]),
        (&["*"], &[], &["a.example", "[::1]"]),
        (&["x.example", "*"], &[], &["a.example"]),
    ];
    for (patterns, others, matches) in rows {
        let routes = compile(&[Rule::new(Any).hosts(patterns)]);
        for host in *others {
            let found = find(&routes, "GET", host, "/");
            assert_eq!(found, Ok(None), "{patterns:?} {host}");
        }
        for host in *matches {
            let found = find(&routes, "GET", host, "/");
            assert_eq!(found, Ok(Some(0)), "{patterns:?} {host}");
        }
    }
}

#[test]
fn methods_match_with_case() {
    let routes = compile(&[Rule::new(Any).methods(&["POST", "PURGE"])]);
    for method in ["GET", "post", "Post", "POS", "POSTS", "HEAD", "OPTIONS", ""] {
        assert_eq!(find(&routes, method, "a", "/"), Ok(None), "{method}");
    }
    for method in ["POST", "PURGE"] {
        assert_eq!(find(&routes, method, "a", "/"), Ok(Some(0)), "{method}");
    }
}

#[test]
fn the_first_rule_that_matches_wins() {
    let routes = compile(&[
        Rule::new(Exact("/a/b")).methods(&["POST"]),
        Rule::new(Template("/a/{x}")).hosts(&["*.example"]),
        Rule::new(Regex("/a/[a-c]+")),
        Rule::new(Exact("/a/b")),
        Rule::new(Prefix("/a")).hosts(&["a.example"]),
        Rule::new(Prefix("/a")),
        Rule::new(Any).methods(&["GET"]),
    ]);
    for (method, host, path, expected) in [
        ("POST", "a.example", "/a/b", Some(0)),
        ("GET", "a.example", "/a/b", Some(1)),
        ("GET", "b.test", "/a/b", Some(2)),
        ("GET", "b.test", "/a/cab", Some(2)),
        ("GET", "b.test", "/a/d", Some(5)),
        ("GET", "a.example", "/a", Some(4)),
        ("GET", "b.test", "/a", Some(5)),
        ("GET", "b.test", "/b", Some(6)),
        ("POST", "b.test", "/b", None),
    ] {
        assert_eq!(find(&routes, method, host, path), Ok(expected), "{path}");
    }
}

#[test]
fn a_preflight_meets_the_rule_of_the_method_it_asks_about() {
    let routes = compile(&[
        Rule::new(Any).methods(&["OPTIONS"]),
        Rule::new(Any).methods(&["POST"]),
    ]);
    let headers = [
        (&b":method"[..], &b"OPTIONS"[..]),
        (b":authority", b"a.example"),
        (b":path", b"/"),
        (b"origin", b"https://app.example"),
        (b"access-control-request-method", b"POST"),
    ];
    let target = RequestTarget::from_request(&Request::from_headers(&headers)).unwrap();
    assert_eq!(routes.find(&target), Ok(Some(&0)));
    assert_eq!(routes.find(&target.preflighted().unwrap()), Ok(Some(&1)));
}

#[test]
fn an_odd_path_meets_only_rules_that_allow_it() {
    const ES: PathQuirks = PathQuirks::ENCODED_SLASH;
    const DS: PathQuirks = PathQuirks::DOUBLE_SLASH;
    const SC: PathQuirks = PathQuirks::SEMICOLON;
    let ambiguous = Err(Unroutable::AmbiguousPath);
    let routes = compile(&[
        Rule::new(Prefix("/v1/semi/strict")),
        Rule::new(Prefix("/v1/slash")).allowing(ES),
        Rule::new(Prefix("/v1/double")).allowing(DS),
        Rule::new(Prefix("/v1/semi")).allowing(SC),
        Rule::new(Prefix("/v1/all")).allowing(ES | DS | SC),
        Rule::new(Exact("/o/a%2fb")).allowing(ES),
        Rule::new(Template("/{one}/t")).allowing(ES | DS | SC),
        Rule::new(Regex("/r/[^/]*")).allowing(ES),
        Rule::new(Prefix("/w")).allowing(SC).methods(&["POST"]),
        Rule::new(Prefix("/w")),
        Rule::new(Prefix("/v1")),
    ]);
    for (path, expected) in [
        ("/v1/x%2Fy", ambiguous),
        ("/v1//x", ambiguous),
        ("//v1/x", ambiguous),
        ("//v1/slash", ambiguous),
        ("/v1/x;y", ambiguous),
        ("/v2/x;y", ambiguous),
        ("/v1/slash//x", ambiguous),
        ("/v1/slash/x;y", ambiguous),
        ("/v1/slash%2Fx", ambiguous),
        ("/v1/slash/%2Fx", ambiguous),
        ("/v1/slash/x%2F", Ok(Some(1))),
        ("/v1/slash/x%2Fy", Ok(Some(1))),
        ("/v1/slash/x%2f..%2fy", ambiguous),
        ("/v1/slash/..%2fy", ambiguous),
        ("/v1//double/x", ambiguous),
        ("/v1/double//x", Ok(Some(2))),
        ("/v1/double/x%2Fy", ambiguous),
        ("/v1/double//../x", ambiguous),
        ("/v1/semi/x;y", Ok(Some(3))),
        ("/v1/semi/x%3by", Ok(Some(3))),
        ("/v1/semi;x", ambiguous),
        ("/v1/semi/..;/y", ambiguous),
        ("/v1/semi/;x/y", ambiguous),
        ("/v1/semi//y", ambiguous),
        ("/v1/all//a%2Fb;c", Ok(Some(4))),
        ("/v1/all/%2e%2e;/x", ambiguous),
        ("/v1/all/a%252fb", ambiguous),
        ("/v1/all/a%5cb", ambiguous),
        ("/o/a%2Fb", Ok(Some(5))),
        ("/o/a/b", Ok(None)),
        ("/a%2Fb/t", Ok(Some(6))),
        ("//t", ambiguous),
        ("/r/a%2Fb", Ok(Some(7))),
        ("/r//", ambiguous),
        ("/w/a;b", ambiguous),
        ("/w/a", Ok(Some(9))),
        ("/v1/all/x", Ok(Some(4))),
        ("/v1/x", Ok(Some(10))),
        // The first rule that is for the path decides, and not a laxer one behind it.
        ("/v1/semi/strict/x", Ok(Some(0))),
        ("/v1/semi/strict/x;y", ambiguous),
        ("/v1/semi/strict/;x", ambiguous),
    ] {
        assert_eq!(get(&routes, path), expected, "{path}");
    }
}

#[test]
fn a_rule_must_allow_what_its_own_path_has() {
    for path in [
        Exact("//a"),
        Exact("/a;b"),
        Prefix("/a%2Fb"),
        Template("/a//{b}"),
        Prefix("//"),
    ] {
        let odd = Rule::new(path).parse().unwrap_err();
        assert!(matches!(odd, InvalidMatch::PathQuirks { .. }), "{path:?}");
        let all = PathQuirks::ENCODED_SLASH | PathQuirks::DOUBLE_SLASH | PathQuirks::SEMICOLON;
        assert!(Rule::new(path).allowing(all).parse().is_ok(), "{path:?}");
    }
    let odd = Rule::new(Exact("//a")).parse().unwrap_err();
    assert_eq!(
        odd.to_string(),
        "a path that matches only with danger_allow_in_path: [double_slash] on its rule"
    );
}

#[test]
fn methods_and_hosts_that_match_nothing_are_no_rule() {
    for (text, message) in [
        ("", "\"\"; expected a method, a token of RFC 9110 §5.6.2"),
        (
            "GET POST",
            "\"GET POST\"; expected a method, a token of RFC 9110 §5.6.2",
        ),
        (
            "GET,POST",
            "\"GET,POST\"; expected a method, a token of RFC 9110 §5.6.2",
        ),
        (
            "G\u{c9}T",
            "\"G\u{c9}T\"; expected a method, a token of RFC 9110 §5.6.2",
        ),
        (
            "post",
            "\"post\"; expected \"POST\": methods are compared with case",
        ),
        (
            "Get",
            "\"Get\"; expected \"GET\": methods are compared with case",
        ),
    ] {
        assert_eq!(Method::parse(text).unwrap_err().to_string(), message);
    }
    assert!(Method::parse("GET").is_ok() && Method::parse("m-search").is_ok());

    for text in [
        "",
        "*.",
        "**",
        "**.example.com",
        "*example.com",
        "*.*.example.com",
        "a.*.example.com",
        "a.*",
        "*:80",
        ".example.com",
        "a..example.com",
        "a.example.com..",
        "a.example.com:80",
        "https://a.example.com",
        "a.example.com/x",
        "a.example.com, b.example.com",
        "user@a.example.com",
        "::1",
        "[::1]:80",
        "*.[::1]",
        "[::1",
        "\u{e4}.example.com",
    ] {
        assert!(HostPattern::parse(text).is_err(), "{text}");
    }
    assert_eq!(
        HostPattern::parse("a.example:80").unwrap_err().to_string(),
        "\"a.example:80\" has a character that no host name has; expected a host name, `*.` and \
         a domain, or an IPv6 address in brackets, without port: ports are not compared"
    );
}

/// Generated rules and requests: the index finds what a walk over all rules finds.
#[test]
fn the_index_agrees_with_a_walk_over_all_rules() {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut found = [0_usize; 3];
    for _ in 0..3_000 {
        let count = dice.roll(24);
        let texts: Vec<(usize, String)> = (0..count).map(|_| rule_path(&mut dice)).collect();
        let rules: Vec<Rule<'_>> = texts
            .iter()
            .map(|text| {
                rule(&mut dice, text).headers(dice.pick(&[&[][..], &[], &["x-a"], &["x-b"]]))
            })
            .filter(|rule| rule.parse().is_ok())
            .collect();
        let routes = compile(&rules);
        for _ in 0..24 {
            let (method, host) = (dice.pick(METHODS), dice.pick(AUTHORITIES));
            let path = request_path(&mut dice);
            let sent = dice.pick(&[&[][..], &["x-a"], &["x-a", "x_b"], &["x-b", "x.b"]]);
            let headers = request(method, host, &path, sent);
            let target = RequestTarget::from_request(&Request::from_headers(&headers)).unwrap();
            let expected = walk(&rules, &target);
            let actual = routes.find(&target).map(Option::<&usize>::copied);
            assert_eq!(
                actual, expected,
                "{method} {host} {path} {sent:?}\n{rules:#?}"
            );
            match actual {
                Ok(Some(_)) => found[0] += 1,
                Ok(None) => found[1] += 1,
                Err(_) => found[2] += 1,
            }
        }
    }
    assert!(found.iter().all(|count| *count > 5_000), "{found:?}");
}

/// What the warning about evaded rules rests on: it must never be silent where a request without the header
/// meets the other rule.
#[test]
fn a_match_that_is_evaded_is_found() {
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    let (mut evaded, mut covered, mut silent) = (0, 0, 0);
    for _ in 0..20_000 {
        let texts = [rule_path(&mut dice), rule_path(&mut dice)];
        let [first, later] = texts.each_ref().map(|text| rule(&mut dice, text));
        let first = first.headers(&["x-a"]);
        let later = later.headers(dice.pick(&[&[][..], &[], &["x-b"], &["x-a"]]));
        let (Ok(strict), Ok(wide)) = (first.parse(), later.parse()) else {
            continue;
        };
        silent += usize::from(!strict.is_evaded_to(&wide));
        for _ in 0..24 {
            let (method, host) = (dice.pick(METHODS), dice.pick(AUTHORITIES));
            let path = request_path(&mut dice);
            let takes = |rule: &Rule<'_>, sent: &[&'static str]| {
                let headers = request(method, host, &path, sent);
                let target = RequestTarget::from_request(&Request::from_headers(&headers)).unwrap();
                let open = rule.clone().allowing(ODD);
                walk(&[open], &target) == Ok(Some(0))
            };
            if !takes(&first, &["x-a", "x-b"]) {
                continue;
            }
            if takes(&later, &["x-b"]) {
                assert!(
                    strict.is_evaded_to(&wide),
                    "{method} {host} {path} {first:?} {later:?}"
                );
                evaded += 1;
            }
            if wide.covers(&strict) {
                assert!(
                    takes(&later, &[]),
                    "{method} {host} {path} {first:?} {later:?}"
                );
                covered += 1;
            }
        }
    }
    let counts = (evaded, covered, silent);
    assert!(
        evaded > 1_000 && covered > 1_000 && silent > 1_000,
        "{counts:?}"
    );
}

const METHODS: &[&str] = &["GET", "POST", "PUT"];

const AUTHORITIES: &[&str] = &["a.test", "b.a.test", "c.b.a.test", "B.test:80", "[::1]"];

fn request<'r>(
    method: &'r str,
    host: &'r str,
    path: &'r str,
    sent: &[&'static str],
) -> Vec<(&'r [u8], &'r [u8])> {
    let pseudo = [(":method", method), (":authority", host), (":path", path)];
    let sent = sent.iter().map(|name| (*name, "1"));
    let all = pseudo.into_iter().chain(sent);
    all.map(|(n, v)| (n.as_bytes(), v.as_bytes())).collect()
}

fn rule<'t>(dice: &mut Dice, (kind, text): &'t (usize, String)) -> Rule<'t> {
    let path = match kind {
        0 => Any,
        1 => Exact(text),
        2 => Prefix(text),
        3 => Template(text),
        _ => Regex(text),
    };
    let allowed = dice.pick(&[NONE, NONE, PathQuirks::DOUBLE_SLASH, ODD]);
    Rule::new(path)
        .methods(dice.pick(&[&[][..], &[], &["GET"], &["POST", "PUT"]]))
        .hosts(dice.pick(HOSTS))
        .allowing(allowed)
}

const ODD: PathQuirks = PathQuirks::DOUBLE_SLASH;

const HOSTS: &[&[&str]] = &[
    &[],
    &[],
    &["a.test"],
    &["*.a.test"],
    &["*.test", "b.test"],
    &["[::1]", "*.b.a.test"],
    &["*"],
];

/// First match by the letter, over what the operator wrote.
fn walk(rules: &[Rule<'_>], target: &RequestTarget<'_>) -> Result<Option<usize>, Unroutable> {
    let host = |pattern: &&str| match pattern.strip_prefix('*') {
        Some(end) => target.host().ends_with(end),
        None => target.host() == *pattern,
    };
    let path = target.path();
    let folded = |name: &[u8]| String::from_utf8_lossy(name).replace(['_', '.'], "-");
    let is_once = |wanted: &&str| {
        let headers = target.request().headers.iter();
        headers.filter(|(name, _)| folded(name) == **wanted).count() == 1
    };
    let matches = |rule: &Rule<'_>| {
        rule.headers.iter().all(is_once)
            && (rule.methods.is_empty()
                || rule.methods.iter().any(|m| m.as_bytes() == target.method()))
            && (rule.hosts.is_empty() || rule.hosts.iter().any(host))
            && match rule.path {
                Any => true,
                Exact(text) => path == text,
                Prefix(text) => {
                    let text = text.strip_suffix('/').unwrap_or(text);
                    path.strip_prefix(text)
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                }
                Template(text) => fits(
                    &text.split('/').collect::<Vec<_>>(),
                    &path.split('/').collect::<Vec<_>>(),
                ),
                Regex(text) => regex_lite::Regex::new(&format!("^(?:{text})$"))
                    .unwrap()
                    .is_match(path),
            }
    };
    let found = rules.iter().position(matches);
    let allowed = found.map_or(NONE, |rule| rules[rule].allowed);
    match target.quirks().is_within(allowed) {
        true => Ok(found),
        false => Err(Unroutable::AmbiguousPath),
    }
}

fn fits(template: &[&str], path: &[&str]) -> bool {
    match (template, path) {
        (["**"], _) => true,
        ([], []) => true,
        ([first, template @ ..], [segment, path @ ..]) => {
            let wild = *first == "*" || first.starts_with('{');
            (first == segment || wild && !segment.is_empty()) && fits(template, path)
        }
        _ => false,
    }
}

fn rule_path(dice: &mut Dice) -> (usize, String) {
    let kind = dice.roll(5);
    let segments: &[&str] = match kind {
        3 => &["a", "b", "", "*", "*", "%2A"],
        4 => &[
            "a", "b", "[ab]", "a?", "", ".*", "(?:a|b)", "b+", "[^/]*", "ab{0}",
        ],
        _ => &["a", "b", "ab", ""],
    };
    let mut path = String::new();
    for _ in 0..=dice.roll(3) {
        path.push('/');
        path.push_str(dice.pick(segments));
    }
    if kind == 3 && dice.roll(3) == 0 {
        path.push_str("/**");
    }
    if kind == 4 && dice.roll(8) == 0 {
        path.push_str("|/b");
    }
    (kind, path)
}

fn request_path(dice: &mut Dice) -> String {
    let mut path = String::new();
    for _ in 0..=dice.roll(4) {
        path.push('/');
        path.push_str(dice.pick(&["a", "a", "b", "b", "ab", "bb", "%61", "%2A", ""]));
    }
    path
}

/// xorshift64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 33) as usize).checked_rem(sides).unwrap()
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.roll(of.len())]
    }
}

/// Every rule that a search asks about is counted: of a thousand, a handful.
#[test]
fn a_thousand_rules_are_not_walked() {
    let texts: Vec<String> = (0..1000).map(|i| format!("/v1/r{i}/x")).collect();
    let hosts: Vec<String> = (0..1000).map(|i| format!("h{i}.test")).collect();
    let of = |path: fn(&str) -> Path<'_>| -> Vec<Match> {
        let rule = |t: &String| Rule::new(path(t)).parse().unwrap();
        texts.iter().map(rule).collect()
    };
    let by_host = |host: &String| Rule::new(Any).hosts(&[host]).parse().unwrap();
    for (matches, host) in [
        (of(|t| Exact(t)), "a.test"),
        (of(|t| Prefix(t)), "a.test"),
        (of(|t| Template(t)), "a.test"),
        (of(|t| Regex(t)), "a.test"),
        (hosts.iter().map(by_host).collect(), "h999.test"),
    ] {
        let routes = Routes::compile(matches.into_iter().zip(0..));
        let found = find(&routes, "GET", host, "/v1/r999/x");
        assert_eq!(found, Ok(Some(999)));
        let asked = std::cell::Cell::new(0);
        let mut search = Search::new("/v1/r999/x", |_| {
            asked.set(asked.get() + 1);
            true
        });
        search.visit(&routes.every_host);
        if let Some(tree) = routes.hosts.get(host) {
            search.visit(tree);
        }
        let found: Result<_, Unroutable> = search.finish(|_| Ok(true));
        assert_eq!(found, Ok(Some(999)));
        assert_eq!(asked.get(), 1);
    }
}

#[test]
fn long_paths_and_deep_rules_cost_no_more_than_their_length() {
    let deep = "/a".repeat(30_000);
    let wild = "/*".repeat(30_000);
    // Each segment may be literal or not: as many ways as a power of two, without an index that
    // visits no node twice.
    let mixed: Vec<String> = (0..200_usize)
        .map(|i| {
            let segment = |bit: usize| if i >> bit & 1 == 0 { "/a" } else { "/*" };
            (0..8).map(segment).collect::<String>() + &"/*".repeat(100) + "/b"
        })
        .collect();
    let mut rules: Vec<Rule<'_>> = mixed.iter().map(|t| Rule::new(Template(t))).collect();
    rules.push(Rule::new(Exact(&deep)));
    rules.push(Rule::new(Template(&wild)));
    let odd = PathQuirks::DOUBLE_SLASH | PathQuirks::ENCODED_SLASH | PathQuirks::SEMICOLON;
    rules.push(Rule::new(Prefix("/")).allowing(odd));
    let routes = compile(&rules);
    let last = rules.len() - 1;
    for (path, expected) in [
        (deep.clone(), 200),
        ("/b".repeat(30_000), 201),
        (format!("{deep}/"), last),
        (format!("/{}", "a".repeat(64 * 1024)), last),
        ("/".repeat(64 * 1024), last),
        ("/%2F".repeat(16 * 1024), last),
        ("/a;".repeat(20 * 1024), last),
        ("/%61".repeat(16 * 1024), last),
    ] {
        let start = path.get(..8);
        assert_eq!(get(&routes, &path), Ok(Some(expected)), "{start:?}");
    }
}

/// The cost of an expression grows with the path: an earlier rule may decide without one, and no
/// later rule may decide in its stead.
#[test]
fn no_expression_is_tried_on_a_long_path() {
    let routes = compile(&[
        Rule::new(Prefix("/before")),
        Rule::new(Regex("/(?:[a-z]+/?)*x")).methods(&["GET"]),
        Rule::new(Prefix("/")),
    ]);
    let path = |start: &str, length: usize| format!("{start:a<length$}");
    let long = REGEX_PATH_BYTES + 1;
    for (method, path, expected) in [
        ("GET", path("/", REGEX_PATH_BYTES), Ok(Some(2))),
        ("GET", path("/", REGEX_PATH_BYTES - 1) + "x", Ok(Some(1))),
        ("GET", path("/", long), Err(Unroutable::PathTooLong)),
        ("GET", path("/", 60_000), Err(Unroutable::PathTooLong)),
        ("GET", path("/before/", 60_000), Ok(Some(0))),
        ("POST", path("/", 60_000), Ok(Some(2))),
    ] {
        let found = find(&routes, method, "a.example", &path);
        assert_eq!(found, expected, "{method} {}", path.len());
    }
}
