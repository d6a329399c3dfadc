//! Which rule do we judge a request by, and which route of which virtual host answers it?

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};

use serde_json::json;

use super::http2;
use super::pair::{self, Channel, Listener, Reading, portcullis};
use super::rules::{self, Access};
use super::targets::{HostReading, PathReading, Target};
use crate::envoy::harness::client::Answer;
use crate::envoy::harness::envoy::Envoy;
use crate::envoy::harness::keys::Key;
use crate::envoy::harness::now;
use crate::envoy::harness::policy::provider;

/// What became of a request at the listener with our filter.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Ours {
    /// This rule asked for its own scope, which the token did not have; no name where nothing tells it.
    Judged(String),
    /// Refused before any rule, or by a rule that refuses all.
    Refused(String),
    /// No rule asked for a scope.
    Passed(Router),
    /// Envoy refused before our filter saw it.
    Envoy(u16),
}

/// What Envoy's router did with a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Router {
    Route(String),
    NoRoute,
    /// Envoy refused before it looked for a route; 0 where it answered nothing.
    Envoy(u16),
}

/// One request, read by both.
pub struct Comparison {
    pub target: Target,
    pub reading: Reading,
    pub http2: bool,
    pub ours: Ours,
    pub router: Router,
    /// What a token reached that the rule we judged by lets in, and no other rule.
    pub reached: Option<Router>,
}

/// An Envoy with a listener of each kind for each reading.
pub struct Gateway {
    envoy: Envoy,
    readings: Vec<Reading>,
    key: Key,
    tokens: BTreeMap<String, String>,
}

impl Gateway {
    pub fn start(readings: &[Reading]) -> Self {
        let key = Key::new("ES256", "k");
        let policy = rules::policy(provider([&key]));
        let mut listeners = Vec::new();
        for (number, reading) in readings.iter().enumerate() {
            for (name, filter) in [
                ("ours", Some(portcullis(&policy, *reading))),
                ("router", None),
            ] {
                listeners.push(Listener {
                    name: format!("{name}-{number}"),
                    reading: *reading,
                    filter,
                    virtual_hosts: rules::virtual_hosts(),
                });
            }
        }
        Self {
            envoy: pair::start(&listeners),
            readings: readings.to_vec(),
            key,
            tokens: BTreeMap::new(),
        }
    }

    /// A token with these scopes, made once.
    fn token(&mut self, scopes: &str) -> String {
        let Self { key, tokens, .. } = self;
        let new = || key.token(json!({ "scope": scopes, "exp": now() + 36_000 }));
        tokens.entry(scopes.to_owned()).or_insert_with(new).clone()
    }

    /// Sends the targets through both listeners of one reading.
    pub fn compare(&mut self, reading: usize, targets: &[Target], http2: bool) -> Vec<Comparison> {
        let channel = |listener: &str| {
            let port = self
                .envoy
                .listener(&format!("{listener}-{reading}"))
                .expect("a listener");
            Line::to(port, http2)
        };
        let (mut router, mut ours) = (channel("router"), channel("ours"));
        let targets = targets.iter().map(|target| {
            let router = Router::of(router.send(target, None).as_ref());
            let (ours, reached) = self.judge(&mut ours, target, &router);
            Comparison {
                target: target.clone(),
                reading: self.readings[reading],
                http2,
                ours,
                router,
                reached,
            }
        });
        targets.collect()
    }

    fn judge(
        &mut self,
        line: &mut Line,
        target: &Target,
        router: &Router,
    ) -> (Ours, Option<Router>) {
        let answer = line.send(target, Some(&self.token("none")));
        let ours = Ours::of(answer.as_ref());
        let rule = match &ours {
            Ours::Judged(rule) => rule.clone(),
            Ours::Passed(router) => return (ours.clone(), Some(router.clone())),
            Ours::Refused(_) | Ours::Envoy(_) => return (ours, None),
        };
        if !rule.is_empty() {
            let answer = line.send(target, Some(&self.token(&rule)));
            return (ours, Some(Router::of(answer.as_ref())));
        }
        // Nothing names the rule: is it the route's? And if not, does the scope of another one lead somewhere?
        let route = match router {
            Router::Route(route) => route.as_str(),
            Router::NoRoute | Router::Envoy(_) => "",
        };
        if !route.is_empty() {
            let answer = Router::of(line.send(target, Some(&self.token(route))).as_ref());
            if answer == *router {
                return (Ours::Judged(route.to_owned()), Some(answer));
            }
        }
        let others = self.token(&rules::scopes_but(route));
        let answer = line.send(target, Some(&others));
        (ours, Some(Router::of(answer.as_ref())))
    }
}

/// The way to one listener.
enum Line {
    Http1(Channel),
    Http2(u16, Option<http2::Connection>),
}

impl Line {
    fn to(port: u16, http2: bool) -> Self {
        match http2 {
            true => Self::Http2(port, None),
            false => Self::Http1(Channel::to(port)),
        }
    }

    /// Nothing where Envoy resets the stream.
    fn send(&mut self, target: &Target, token: Option<&str>) -> Option<Answer> {
        let answer = match self {
            Self::Http1(channel) => {
                let request = token
                    .iter()
                    .fold(target.request(), |request, token| request.bearer(token));
                channel.send(&request).map(Some)
            }
            Self::Http2(port, open) => send_http2(*port, open, target, token),
        };
        answer.unwrap_or_else(|error| panic!("{error}: {}", target.shown()))
    }
}

fn send_http2(
    port: u16,
    open: &mut Option<http2::Connection>,
    target: &Target,
    token: Option<&str>,
) -> io::Result<Option<Answer>> {
    if let Some(mut connection) = open.take()
        && let Ok(answer) = connection.send(target, token)
    {
        *open = Some(connection);
        return Ok(answer);
    }
    // Envoy may have ended the last one.
    let mut connection = http2::Connection::open(port)?;
    match connection.send(target, token) {
        Ok(answer) => {
            *open = Some(connection);
            Ok(answer)
        }
        // It ends the connection, with or without a word, for what breaks HTTP/2 itself.
        Err(error) => match error.kind() {
            ErrorKind::Other
            | ErrorKind::UnexpectedEof
            | ErrorKind::ConnectionReset
            | ErrorKind::BrokenPipe => Ok(None),
            _ => Err(error),
        },
    }
}

impl Router {
    fn of(answer: Option<&Answer>) -> Self {
        match answer.map(|answer| (answer.status, &answer.body)) {
            Some((200, name)) => Self::Route(String::from_utf8_lossy(name).into_owned()),
            Some((404, _)) => Self::NoRoute,
            Some((status, _)) => Self::Envoy(status),
            None => Self::Envoy(0),
        }
    }
}

impl Ours {
    fn of(answer: Option<&Answer>) -> Self {
        let refusal = answer.and_then(|answer| Some((answer, answer.json().ok()?)));
        let Some((answer, body)) = refusal else {
            return match Router::of(answer) {
                Router::Envoy(status) => Self::Envoy(status),
                passed => Self::Passed(passed),
            };
        };
        let code = body["code"].as_str().expect("a refusal has a code");
        if code != "INSUFFICIENT_SCOPE" {
            return Self::Refused(code.to_owned());
        }
        let challenge = answer.header("www-authenticate").unwrap_or_default();
        let scope = challenge
            .split_once("scope=\"")
            .and_then(|(_, rest)| rest.split_once('"'));
        Self::Judged(scope.map(|(scope, _)| scope.to_owned()).unwrap_or_default())
    }
}

impl Comparison {
    /// Whether the request gets to a route by another rule than that route's: what must never be.
    pub fn is_weaker(&self) -> bool {
        match (&self.ours, &self.reached) {
            (Ours::Judged(rule), Some(Router::Route(route))) => rule != route,
            (Ours::Passed(_), Some(Router::Route(route))) => {
                rules::access(route) != Access::Anonymous
            }
            _ => false,
        }
    }

    /// What is wrong whatever the table says, and wherever Envoy routes it: a request that can be read in two ways is
    /// judged by a rule. With `normalize_path` our filter sees another path than was sent.
    pub fn is_ambiguous_but_judged(&self) -> bool {
        // A 404 may be Envoy's own, before our filter.
        if matches!(
            self.ours,
            Ours::Refused(_) | Ours::Envoy(_) | Ours::Passed(Router::NoRoute)
        ) {
            return false;
        }
        let path = PathReading::of(&self.target);
        let lenient = match &self.ours {
            // Over HTTP/2 nothing names a rule that is not the route's.
            Ours::Judged(rule) => rule.is_empty() || rules::is_lenient(rule),
            _ => false,
        };
        let odd_path = path.is_odd() || path.needs_allowance() && !lenient;
        let strips = self.reading.strip_trailing_host_dot;
        HostReading::of(&self.target, self.http2, strips).is_odd()
            || odd_path && !self.reading.normalize_path
    }

    pub fn agrees(&self) -> bool {
        if self
            .reached
            .as_ref()
            .is_some_and(|reached| *reached != self.router)
        {
            return false;
        }
        match (&self.ours, &self.router) {
            (Ours::Judged(rule), Router::Route(route)) => rule == route,
            (Ours::Passed(_), Router::Route(_)) => !self.is_weaker(),
            (Ours::Passed(_), Router::NoRoute) => true,
            (Ours::Refused(code), Router::Route(route)) => {
                code == "RULE_DENIES" && rules::access(route) == Access::Deny
            }
            (Ours::Envoy(status), Router::Envoy(other)) => status == other,
            _ => false,
        }
    }

    pub fn shown(&self) -> String {
        let Self {
            target,
            reading,
            http2,
            ours,
            router,
            reached,
        } = self;
        format!(
            "{}: {ours:?}, router {router:?}, reached {reached:?}; HTTP/2 {http2}, {reading:?}",
            target.shown()
        )
    }
}
