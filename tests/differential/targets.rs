//! Generated paths and hosts, and what is odd about them.

use std::net::Ipv6Addr;

use portcullis_testing::printable;

use super::random::Random;
use crate::envoy::harness::client::{Request, request};

/// What a request names: a method, a path and a host, in whichever form.
#[derive(Clone, Debug)]
pub struct Target {
    pub method: &'static str,
    /// What stands in the request line.
    pub line: Vec<u8>,
    pub hosts: Vec<Vec<u8>>,
    /// Headers that some servers let override what the request names.
    pub headers: Vec<(&'static str, &'static str)>,
    pub body: bool,
}

impl Target {
    /// `GET`, a path and a host.
    pub fn plain(path: &[u8], host: &[u8]) -> Self {
        Self {
            method: "GET",
            line: path.to_vec(),
            hosts: vec![host.to_vec()],
            headers: Vec::new(),
            body: false,
        }
    }

    pub fn request(&self) -> Request {
        // HTTP/1.1 without the header would only get Envoy's 400.
        let first = self.hosts.first().map(Vec::as_slice).unwrap_or_default();
        let mut request = request(self.method, &self.line).host(first);
        for host in self.hosts.iter().skip(1) {
            request = request.header("host", host);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if self.body {
            request = request.body("{}");
        }
        request
    }

    pub fn shown(&self) -> String {
        let hosts: Vec<String> = self.hosts.iter().map(|host| printable(host)).collect();
        format!(
            "{} `{}` of host `{}`",
            self.method,
            printable(&self.line),
            hosts.join("` and `")
        )
    }

    /// What an absolute form names instead of the header's host (RFC 9112 §3.2.2), and the path behind it.
    fn absolute(&self) -> Option<(&[u8], &[u8])> {
        let at = self.line.windows(3).position(|window| window == b"://")?;
        let (scheme, rest) = (&self.line[..at], &self.line[at + 3..]);
        if scheme.is_empty() || !scheme.iter().all(u8::is_ascii_alphabetic) {
            return None;
        }
        let end = rest.iter().position(|byte| b"/?#".contains(byte));
        Some(rest.split_at(end.unwrap_or(rest.len())))
    }

    /// The host that counts, as Envoy hands it on: of several in HTTP/1 all that are not empty, joined with commas, in
    /// HTTP/2 `:authority`; that of an absolute form without user information.
    pub fn host(&self, http2: bool) -> Vec<u8> {
        if http2 {
            return self.hosts.first().cloned().unwrap_or_default();
        }
        if let Some((authority, _)) = self.absolute() {
            let user = authority.iter().rposition(|byte| *byte == b'@');
            return authority[user.map_or(0, |at| at + 1)..].to_vec();
        }
        let hosts = self.hosts.iter().map(|host| host.trim_ascii());
        let hosts: Vec<&[u8]> = hosts.filter(|host| !host.is_empty()).collect();
        hosts.join(&b',')
    }

    /// With the query.
    pub fn path(&self) -> &[u8] {
        self.absolute().map_or(&self.line, |(_, path)| path)
    }
}

// === what is odd about a path ===

/// A byte of a path, after its escape was decoded once.
#[derive(Clone, Copy, PartialEq)]
struct Unit {
    byte: u8,
    escaped: bool,
}

/// A path without its query, in the reading of a server that decodes escapes once.
pub struct PathReading {
    units: Vec<Unit>,
    malformed_escape: bool,
}

impl PathReading {
    pub fn of(target: &Target) -> Self {
        let path = target.path();
        let end = path.iter().position(|byte| *byte == b'?');
        let mut rest = &path[..end.unwrap_or(path.len())];
        let mut reading = Self {
            units: Vec::new(),
            malformed_escape: false,
        };
        while let [byte, tail @ ..] = rest {
            let escape = rest.get(1..3).filter(|_| *byte == b'%');
            let value = escape.and_then(|digits| {
                let digits = std::str::from_utf8(digits).ok()?;
                let hexadecimal = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
                u8::from_str_radix(digits, 16).ok().filter(|_| hexadecimal)
            });
            reading.malformed_escape |= *byte == b'%' && value.is_none();
            reading.units.push(Unit {
                byte: value.unwrap_or(*byte),
                escaped: value.is_some(),
            });
            rest = if value.is_some() { &rest[3..] } else { tail };
        }
        reading
    }

    /// Names between slashes and backslashes, escaped ones as well, without parameters.
    fn names(&self) -> Vec<Vec<u8>> {
        let segments = self.units.split(|unit| matches!(unit.byte, b'/' | b'\\'));
        let name = |segment: &[Unit]| {
            let name = segment.split(|unit| unit.byte == b';').next();
            name.into_iter().flatten().map(|unit| unit.byte).collect()
        };
        segments.map(name).collect()
    }

    /// Whether it must be refused, whatever a rule allows.
    pub fn is_odd(&self) -> bool {
        self.units.first()
            != Some(&Unit {
                byte: b'/',
                escaped: false,
            })
            || self.has_dot_segment()
            || self.has_backslash()
            || self.has_control()
            || self.has_malformed_escape()
            || self.has_double_escape()
            || self.has_overlong_form()
            || self.has_raw_non_ascii()
    }

    /// Whether it must be refused where its rule does not allow it.
    pub fn needs_allowance(&self) -> bool {
        self.has_empty_segment() || self.has_encoded_slash() || self.has_semicolon()
    }

    pub fn has_dot_segment(&self) -> bool {
        self.names()
            .iter()
            .any(|name| matches!(name.as_slice(), b"." | b".."))
    }

    pub fn has_empty_segment(&self) -> bool {
        let names = self.names();
        names.len() > 2 && names[1..names.len() - 1].iter().any(Vec::is_empty)
    }

    pub fn has_encoded_slash(&self) -> bool {
        self.has(|unit| unit.escaped && unit.byte == b'/')
    }

    pub fn has_backslash(&self) -> bool {
        self.has(|unit| unit.byte == b'\\')
    }

    pub fn has_semicolon(&self) -> bool {
        self.has(|unit| unit.byte == b';')
    }

    pub fn has_control(&self) -> bool {
        let space = Unit {
            byte: b' ',
            escaped: false,
        };
        self.has(|unit| unit.byte < 0x20 || unit.byte == 0x7f || *unit == space)
    }

    pub fn has_malformed_escape(&self) -> bool {
        self.malformed_escape
    }

    /// `%25` before what is an escape's rest after one decoding.
    pub fn has_double_escape(&self) -> bool {
        let hexadecimal = |unit: &Unit| unit.byte.is_ascii_hexdigit();
        self.units.windows(3).any(|window| {
            window[0]
                == Unit {
                    byte: b'%',
                    escaped: true,
                }
                && hexadecimal(&window[1])
                && hexadecimal(&window[2])
        })
    }

    pub fn has_raw_non_ascii(&self) -> bool {
        self.has(|unit| !unit.escaped && !unit.byte.is_ascii())
    }

    /// RFC 3629 §3: more bytes than the character needs.
    pub fn has_overlong_form(&self) -> bool {
        let follows = |window: &[Unit], lead, next: std::ops::RangeInclusive<u8>| {
            window[0]
                == Unit {
                    byte: lead,
                    escaped: true,
                }
                && window[1].escaped
                && next.contains(&window[1].byte)
        };
        self.has(|unit| unit.escaped && matches!(unit.byte, 0xc0 | 0xc1))
            || self.units.windows(2).any(|window| {
                follows(window, 0xe0, 0x80..=0x9f) || follows(window, 0xf0, 0x80..=0x8f)
            })
    }

    /// An escape that RFC 3986 §2.3 calls the same as its character.
    pub fn has_escaped_unreserved(&self) -> bool {
        self.has(|unit| {
            unit.escaped && (unit.byte.is_ascii_alphanumeric() || b"-._~".contains(&unit.byte))
        })
    }

    pub fn bytes(&self) -> usize {
        self.units.len()
    }

    fn has(&self, odd: impl Fn(&Unit) -> bool) -> bool {
        self.units.iter().any(odd)
    }
}

// === what is odd about a host ===

pub struct HostReading {
    name: Vec<u8>,
    port: Option<Vec<u8>>,
}

impl HostReading {
    /// As our filter sees it: where Envoy strips a trailing dot, it takes one, at the end or else before the port.
    pub fn of(target: &Target, http2: bool, strip_trailing_host_dot: bool) -> Self {
        let host = target.host(http2);
        let mut host = host.trim_ascii();
        let mut stripped = !strip_trailing_host_dot;
        if !stripped && let Some(rest) = host.strip_suffix(b".") {
            (host, stripped) = (rest, true);
        }
        let colon = host.iter().rposition(|byte| *byte == b':');
        let (mut name, port) = match colon.filter(|_| host.last() != Some(&b']')) {
            Some(colon) => (&host[..colon], Some(host[colon + 1..].to_vec())),
            None => (host, None),
        };
        if !stripped && let Some(rest) = name.strip_suffix(b".") {
            name = rest;
        }
        Self {
            name: name.to_vec(),
            port,
        }
    }

    /// Whether it must be refused, for one reason or another.
    pub fn is_odd(&self) -> bool {
        self.is_empty()
            || self.has_comma()
            || self.has_empty_port()
            || self.has_bad_port()
            || self.has_trailing_dot()
            || self.has_empty_label()
            || self.is_odd_literal()
            || self.has_odd_character()
            || self.is_long()
    }

    pub fn has_port(&self) -> bool {
        self.port.is_some()
    }

    pub fn has_empty_port(&self) -> bool {
        self.port.as_ref().is_some_and(Vec::is_empty)
    }

    pub fn has_bad_port(&self) -> bool {
        let number = |port: &[u8]| {
            let digits = !port.is_empty() && port.iter().all(u8::is_ascii_digit);
            digits && std::str::from_utf8(port).is_ok_and(|port| port.parse::<u16>().is_ok())
        };
        self.port
            .as_deref()
            .is_some_and(|port| !port.is_empty() && !number(port))
    }

    pub fn has_comma(&self) -> bool {
        self.name.contains(&b',') || self.port.as_ref().is_some_and(|port| port.contains(&b','))
    }

    pub fn has_trailing_dot(&self) -> bool {
        self.name.last() == Some(&b'.')
    }

    pub fn has_empty_label(&self) -> bool {
        let name = self.name.strip_suffix(b".").unwrap_or(&self.name);
        name.split(|byte| *byte == b'.').any(<[u8]>::is_empty)
    }

    pub fn is_empty(&self) -> bool {
        self.name.is_empty()
    }

    pub fn is_literal(&self) -> bool {
        self.name.first() == Some(&b'[')
    }

    /// A name with other characters than letters, digits, hyphens, dots and underscores.
    pub fn has_odd_character(&self) -> bool {
        let usual = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._".contains(byte);
        !self.is_literal() && !self.name.iter().all(usual)
    }

    pub fn is_long(&self) -> bool {
        self.name.len() > 253
    }

    /// Brackets around something else than an IPv6 address in the one form that RFC 5952 recommends.
    pub fn is_odd_literal(&self) -> bool {
        let text = String::from_utf8_lossy(&self.name).to_ascii_lowercase();
        let address = text
            .strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'));
        let canonical = address.and_then(|text| text.parse::<Ipv6Addr>().ok());
        self.is_literal() && canonical.is_none_or(|address| format!("[{address}]") != text)
    }
}

// === generator ===

const SEGMENTS: &[&[u8]] = &[
    b"admin",
    b"public",
    b"v1",
    b"chat",
    b"internal",
    b"users",
    b"42",
    b"files",
    b"healthz",
    b"items",
    b"0af",
    b"lenient",
    b"strict",
    b"only",
    b"with%20space",
    b"",
    b".",
    b"..",
    b"...",
    b"a.b",
    b".a",
    b"a.",
    b"%2e",
    b"%2E%2e",
    b".%2e",
    b"%2e.",
    b"%61dmin",
    b"%41dmin",
    b"Admin",
    b"ADMIN",
    b"adm%69n",
    b"admi%6E",
    b"%70ublic",
    b"%2Fadmin",
    b"admin%2f",
    b"..%2f",
    b"%2f..",
    b"%5c",
    b"\\",
    b"%5C..",
    b"\\..",
    b"..\\",
    b";",
    b"admin;x=1",
    b"..;",
    b";..",
    b".;x",
    b"%3b",
    b"%3B..",
    b"..%3b",
    b"%25",
    b"%252e",
    b"%252F",
    b"%2525",
    b"%25%32%65",
    b"%00",
    b"%0a",
    b"%0D",
    b"%7f",
    b"%1f",
    b"%c0%af",
    b"%C0%AE",
    b"%e0%80%af",
    b"%f0%80%80%af",
    b"\xc3\xa9",
    b"%c3%a9",
    b"%C3%A9",
    b"%e2%82%ac",
    b"\xff",
    b"%ff",
    b"~",
    b"%7e",
    b"%7E",
    b"_",
    b"%5f",
    b"-",
    b"%2d",
    b"!$&'()*+,=:@",
    b"%21",
    b"%3a",
    b"%40",
    b"%2a",
    b"+",
    b"%20",
    b"%2B",
    b"%09",
    b"%",
    b"%2",
    b"%zz",
    b"%u0061",
    b"%-1",
    b"*",
    b"**",
    b"{id}",
    b"<",
    b">",
    b"\"",
    b"|",
    b"^",
    b"`",
    b"[x]",
    b"%7Bid%7D",
    b"%23",
    b"#",
    b"%3f",
    b"%3Fx=1",
    b"api.example.com",
    b"http:",
    b"%ef%bc%8f",
    b"%e2%88%95",
    b"\xef\xbc\x8f",
];

const SEPARATORS: &[&[u8]] = &[
    b"/",
    b"/",
    b"/",
    b"/",
    b"/",
    b"/",
    b"/",
    b"/",
    b"/",
    b"/",
    b"//",
    b"///",
    b"/./",
    b"/../",
    b"\\",
    b"%2f",
    b"%2F",
    b"%5c",
    b";/",
    b"/;/",
    b"/%2e/",
    b"/%2E%2E/",
    b"/..;/",
    b"/.;x/",
];

const ENDS: &[&[u8]] = &[
    b"",
    b"",
    b"",
    b"",
    b"",
    b"",
    b"",
    b"",
    b"/",
    b"/",
    b"//",
    b"?q=1",
    b"?",
    b"??",
    b"?a=/../admin",
    b"?a=b#c",
    b"#f",
    b"%",
    b"/.",
    b"/..",
    b"/%2e%2e",
    b";",
    b";x=1",
    b"?a=%2f..",
    b"?access_token=x",
    b"?a;b",
];

/// What the rules are about, and what is next to it.
const PATHS: &[&str] = &[
    "/",
    "/admin",
    "/admin/x",
    "/adminx",
    "/public",
    "/public/a",
    "/publicly",
    "/healthz",
    "/healthz/",
    "/v1",
    "/v1/",
    "/v10",
    "/v1/chat",
    "/v1/chat/completions",
    "/v1/internal",
    "/v1/internal/x",
    "/v1/public/a",
    "/v1/other",
    "/users/42",
    "/users/42/",
    "/users/",
    "/users",
    "/users/42/files",
    "/users/42/files/",
    "/users/42/files/a/b",
    "/users//files/a",
    "/users/a.b/files/c",
    "/items/0af",
    "/items/0AF",
    "/items/xyz",
    "/items/",
    "/with%20space",
    "/with+space",
    "/lenient",
    "/lenient/",
    "/lenient/a",
    "/lenient/strict/a",
    "/lenient/strict",
    "/only",
    "/only/x",
    "/x/y/z",
];

const HOSTS: &[&str] = &[
    "www.example.com",
    "www.example.com",
    "www.example.com",
    "api.example.com",
    "api.example.com",
    "api.example.com",
    "api.example.com",
    "api-2.example.com",
    "x.example.com",
    "a.b.example.com",
    "deep.example.com",
    "a.deep.example.com",
    "a.b.deep.example.com",
    "example.com",
    "partial.example.net",
    "other.test",
    "[::1]",
    "192.0.2.1",
    "localhost",
];

const ODD_HOSTS: &[&[u8]] = &[
    b"",
    b" ",
    b".",
    b"..",
    b":",
    b":80",
    b".example.com",
    b"..example.com",
    b"a..example.com",
    b".www.example.com",
    b"www..example.com",
    b"*",
    b"*.example.com",
    b"*.deep.example.com",
    b"a_b.example.com",
    b"_.example.com",
    b"-.example.com",
    b"xn--bcher-kva.example.com",
    b"b\xc3\xbccher.example.com",
    b"\xff.example.com",
    b"www%2eexample.com",
    b"www.example.com%00",
    b"www.example.com%2f",
    b"www.example.com/",
    b"www.example.com/admin",
    b"www.example.com\\",
    b"www.example.com#",
    b"www.example.com?x",
    b"user@www.example.com",
    b"www.example.com@evil.test",
    b"www.example.com,api.example.com",
    b"www.example.com, api.example.com",
    b"www.example.com api.example.com",
    b"www.example.com\tx",
    b"www.example.com;",
    b"http://www.example.com",
    b"www.example.com:80:80",
    b"www:80.example.com",
    b"[0:0:0:0:0:0:0:1]",
    b"[0::1]",
    b"[::0001]",
    b"[::0:1]",
    b"[::0.0.0.1]",
    b"[0000:0000:0000:0000:0000:0000:0000:0001]",
    b"[0:0:0:0:0:0:0:1]:80",
    b"[::0001]:8443",
    b"::1",
    b"[::1",
    b"::1]",
    b"[::1]x",
    b"[::1].",
    b"[::1]:",
    b"[::1]:80",
    b"[::1]:443.",
    b"[::1%25lo]",
    b"[::1%lo]",
    b"[]",
    b"[v1.a]",
    b"[::ffff:192.0.2.1]",
    b"[::FFFF:C000:201]",
    b"[::2]",
    b"[2001:DB8::1]",
    b"192.0.2.01",
    b"192.0.513",
    b"0xc0.0.2.1",
    b"3221225985",
    b"192.0.2.1.",
    b"192.0.2.1:80",
    b"www.example.com\xc2\xad",
    b"www\xe3\x80\x82example.com",
    b"www.example.com.:80",
    b"www.example.com.:80.",
    b"www.example.com..:80",
    b"www.example.com..",
    b"www.example.com...",
    b"www.example.com.",
    b"www.example.com:",
    b"www.example.com.:",
    b"www.example.com.:.",
    b"www.example.com:.",
    b"www.example.com:080",
    b"www.example.com:00000000080",
];

const PORTS: &[&str] = &[
    ":80",
    ":80",
    ":8443",
    ":443",
    ":0",
    ":00080",
    ":65535",
    ":65536",
    ":99999999999",
    ":",
    ":a",
    ":-1",
    ":+80",
    ": 80",
    ":80 ",
    ":8 0",
    ":80a",
    ":0x50",
    "::80",
    ":80.",
];

/// What some servers let override what a request names; to Envoy's router and to us it means nothing.
const OVERRIDES: &[(&str, &str)] = &[
    ("x-original-url", "/admin"),
    ("x-rewrite-url", "/public"),
    ("x-forwarded-host", "www.example.com"),
    ("x-forwarded-uri", "/public"),
    ("x-host", "www.example.com"),
    ("x-http-method-override", "POST"),
    ("x-envoy-original-path", "/public"),
    ("x-envoy-original-host", "www.example.com"),
    ("forwarded", "host=www.example.com"),
];

/// Each piece that the generator knows, by itself: what every run tries.
pub fn corpus() -> Vec<Target> {
    let join = |parts: &[&[u8]]| parts.concat();
    let mut all = Vec::new();
    for host in HOSTS
        .iter()
        .map(|host| host.as_bytes())
        .chain(ODD_HOSTS.iter().copied())
    {
        all.push(Target::plain(b"/x", host));
    }
    for host in [
        "www.example.com",
        "[::1]",
        "a.deep.example.com",
        "other.test",
    ] {
        for port in PORTS {
            all.push(Target::plain(
                b"/public",
                format!("{host}{port}").as_bytes(),
            ));
        }
    }
    for segment in SEGMENTS {
        for host in ["www.example.com", "api.example.com", "partial.example.net"] {
            all.push(Target::plain(&join(&[b"/", segment]), host.as_bytes()));
            all.push(Target::plain(
                &join(&[b"/v1/", segment, b"/x"]),
                host.as_bytes(),
            ));
        }
        all.push(Target::plain(
            &join(&[b"/lenient/", segment, b"/strict"]),
            b"api.example.com",
        ));
    }
    for path in PATHS {
        for host in [
            "www.example.com",
            "api.example.com",
            "partial.example.net",
            "other.test",
        ] {
            all.push(Target::plain(path.as_bytes(), host.as_bytes()));
            all.push(Target {
                method: "POST",
                ..Target::plain(path.as_bytes(), host.as_bytes())
            });
        }
        for end in ENDS {
            all.push(Target::plain(
                &join(&[path.as_bytes(), end]),
                b"api.example.com",
            ));
        }
    }
    let long = |length| [b"/items/".as_slice(), &vec![b'a'; length]].concat();
    for length in [100, 4000, 5000, 20_000] {
        all.push(Target::plain(&long(length), b"api.example.com"));
    }
    let labels = "a.".repeat(130);
    all.push(Target::plain(
        b"/x",
        format!("{labels}example.com").as_bytes(),
    ));
    all
}

pub fn generate(random: &mut Random) -> Target {
    let method = random.pick(&["GET", "GET", "GET", "GET", "POST", "POST", "PUT", "DELETE"]);
    let mut target = Target {
        method,
        line: path(random),
        hosts: vec![host(random)],
        headers: Vec::new(),
        body: method == "POST" && random.once_in(2),
    };
    match random.below(50) {
        0 => target.hosts.push(host(random)),
        1 => target.hosts.clear(),
        2..4 => {
            let scheme = random.pick(&["http://", "https://", "HTTP://", "ws://", "http:/", "//"]);
            target.line = [scheme.as_bytes(), &host(random), &target.line].concat();
        }
        4 => {
            target.line = random
                .pick(&[b"*".as_slice(), b"", b"?x", b"admin"])
                .to_vec()
        }
        5 => target.method = random.pick(&["get", "Post", "PURGE", "PATCH", "TRACE"]),
        6..10 => target.headers.push(random.pick(OVERRIDES)),
        _ => {}
    }
    target
}

/// One of those that the rules are about, changed in a few places, or one put together from pieces.
fn path(random: &mut Random) -> Vec<u8> {
    let mut path = random.pick(PATHS).as_bytes().to_vec();
    if random.once_in(3) {
        path = b"/".to_vec();
        for number in 0..=random.below(4) {
            if number > 0 {
                path.extend(random.pick(SEPARATORS));
            }
            path.extend(random.pick(SEGMENTS));
        }
    }
    for _ in 0..random.below(3) {
        change(&mut path, random);
    }
    path.extend(random.pick(ENDS));
    if random.once_in(100) {
        path.remove(0);
    }
    path
}

fn change(path: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(path.len());
    match random.below(6) {
        0 => {
            let escape = match random.once_in(2) {
                true => format!("%{:02X}", path[at]),
                false => format!("%{:02x}", path[at]),
            };
            path.splice(at..=at, escape.into_bytes());
        }
        1 if path[at].is_ascii_alphabetic() => path[at] ^= 0x20,
        2 => {
            let at = at.max(1);
            path.splice(at..at, random.pick(SEGMENTS).iter().copied());
        }
        3 => {
            let slash = path
                .iter()
                .rposition(|byte| *byte == b'/')
                .unwrap_or_default();
            path.splice(slash..=slash, random.pick(SEPARATORS).iter().copied());
        }
        4 => path.insert(at.max(1), any_byte(random, 8)),
        _ => {
            path.push(b'/');
            path.extend(random.pick(SEGMENTS));
        }
    }
}

/// A byte that ends no line; once in so many times one outside printable ASCII.
fn any_byte(random: &mut Random, odd: usize) -> u8 {
    let limit = if random.once_in(odd) { 256 } else { 127 };
    match u8::try_from(random.below(limit)).expect("a byte") {
        byte if limit == 127 => byte.max(b'!'),
        b'\r' | b'\n' => b'\t',
        byte => byte,
    }
}

fn host(random: &mut Random) -> Vec<u8> {
    if random.once_in(5) {
        return random.pick(ODD_HOSTS).to_vec();
    }
    let mut host = random.pick(HOSTS).as_bytes().to_vec();
    if random.once_in(4) {
        for byte in &mut host {
            if random.once_in(3) {
                byte.make_ascii_uppercase();
            }
        }
    }
    match random.below(12) {
        0 => host.push(b'.'),
        1 => host.extend(b".."),
        _ => {}
    }
    if random.once_in(3) {
        host.extend(random.pick(PORTS).as_bytes());
    }
    if random.once_in(25) {
        host.push(b'.');
    }
    if random.once_in(25) {
        host.insert(random.below(host.len() + 1), any_byte(random, 4));
    }
    host
}
