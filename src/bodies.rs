//! Bodies: of requests that are judged by them, and of answers that are read or filtered.

use std::collections::BTreeMap;

use portcullis_core::body::Content;
use portcullis_core::decision::{Decision, Verdict};
use portcullis_core::effects;
use portcullis_core::evaluation::{Step, Waiting};
use portcullis_core::limits::MCP_LIST_BYTES;
use portcullis_core::passage::{Lists, Passage};
use portcullis_core::policy::model::BodyLimits;
use portcullis_core::request::Request;
use portcullis_core::time::UnixTime;
use portcullis_core::usage::{Answer, Ending};
use portcullis_core::verification::callout::{BodyArrival, Reply};
use proxy_wasm::hostcalls;
use proxy_wasm::types::{Action, BufferType, MapType, Status};

use crate::host_abi::HeaderMap;
use crate::reply::{answer, fail_closed};
use crate::worker::{UNCHANGEABLE, UNREADABLE, Worker, mutate};
use crate::{clock, host_abi, log};

/// The bodies that a worker has to do with, by the host's numbers for their streams.
#[derive(Default)]
pub struct Bodies {
    /// Of requests that are not decided yet, or were refused.
    arriving: BTreeMap<u32, Arriving>,
    /// Of requests in shadow mode.
    observed: BTreeMap<u32, Observed>,
    /// Of the answers to requests that went on.
    answers: BTreeMap<u32, Passing>,
    /// When the log last said that bodies do not come.
    complained: Option<UnixTime>,
}

/// A request's body.
#[derive(Default)]
struct Arriving {
    size: usize,
    is_whole: bool,
    /// Whether the host has asked about it.
    came: bool,
    /// Once the request waits for it.
    limits: Option<BodyLimits>,
}

/// A request in shadow mode, whose body is watched as it passes.
struct Observed {
    decision: Decision,
    content: Box<Content>,
    /// Its headers are gone once it goes on.
    headers: HeaderMap,
    body: Vec<u8>,
    /// Bytes that are kept; one more says that the body is too large.
    room: usize,
}

/// A request that went on, until its answer has ended.
pub struct Passing {
    pub answer: Answer,
    pub passage: Passage,
    lists: Filtering,
}

/// What becomes of the lists in an answer.
enum Filtering {
    /// Nothing: there are none.
    Nothing,
    /// It is held until it is whole.
    Whole(Lists),
    /// Its events are filtered as they pass.
    Events(Lists),
}

/// How long the log says nothing more about bodies that do not come.
const COMPLAINT: std::time::Duration = std::time::Duration::from_secs(60);

// === requests ===

impl Worker {
    /// A request is about to wait, and its body may come meanwhile.
    pub fn expect_body(&self, stream: u32, step: &Step, has_ended: bool) {
        if let Step::Await(waiting, _) = step
            && waiting.reads_body()
        {
            let body = Arriving {
                is_whole: has_ended,
                ..Arriving::default()
            };
            self.bodies.borrow_mut().arriving.insert(stream, body);
        }
    }

    /// The body of a request that waits for it; `None` where more of it has to come.
    pub(crate) fn body(&self, stream: u32, limits: &BodyLimits) -> Option<BodyArrival> {
        let mut bodies = self.bodies.borrow_mut();
        let body = bodies.arriving.entry(stream).or_default();
        body.limits = Some(*limits);
        if body.size > limits.max_bytes {
            return Some(BodyArrival::TooLarge);
        }
        if !body.is_whole {
            return None;
        }
        if body.size == 0 {
            return Some(BodyArrival::Whole(Vec::new()));
        }
        let bytes = hostcalls::get_buffer(BufferType::HttpRequestBody, 0, body.size);
        Some(match bytes {
            Ok(Some(bytes)) if bytes.len() == body.size => BodyArrival::Whole(bytes),
            // The host has told another size.
            _ => BodyArrival::Late,
        })
    }

    /// More of a request's body came: `size` is all of it so far.
    pub fn request_body(&self, stream: u32, size: usize, is_whole: bool) -> Action {
        {
            let mut bodies = self.bodies.borrow_mut();
            let Some(body) = bodies.arriving.get_mut(&stream) else {
                drop(bodies);
                // Others are of requests that nobody judges by their bodies.
                let observed = self.observe_body(stream, size, is_whole);
                return observed.unwrap_or(Action::Continue);
            };
            body.came = true;
            body.size = size;
            body.is_whole |= is_whole;
        }
        self.body_came(stream)
    }

    /// Goes on with a request that waits for its body, if that is here.
    fn body_came(&self, stream: u32) -> Action {
        let limits = self
            .bodies
            .borrow()
            .arriving
            .get(&stream)
            .and_then(|b| b.limits);
        let Some(arrival) = limits.and_then(|limits| self.body(stream, &limits)) else {
            return Action::Pause;
        };
        let waiting = self.requests.borrow_mut().take_awaiting_body(stream);
        // It may wait for something else, or be refused already.
        let Some(waiting) = waiting else {
            return Action::Pause;
        };
        let Ok(headers) = host_abi::header_map(MapType::HttpRequestHeaders) else {
            return fail_closed(UNREADABLE);
        };
        let headers = headers.pairs();
        let request = Request::from_headers(&headers);
        let now = clock::now();
        let reply = Reply::Body(arrival);
        let step = waiting.resume(&mut self.state.borrow_mut(), &request, reply, now);
        host_abi::activate_root(self.root());
        self.advance(stream, step, &request, now)
    }

    /// The request's trailers came: its body is whole. `None` where nobody judges by it.
    pub(crate) fn body_ended_by_trailers(&self, stream: u32) -> Option<Action> {
        if let Some(action) = self.observe_body(stream, 0, true) {
            return Some(action);
        }
        let size = self.bodies.borrow().arriving.get(&stream)?.size;
        Some(self.request_body(stream, size, true))
    }

    /// A body did not come in time. If bytes of it came all the same, the host was not set up to show them.
    pub(crate) fn complain_of_late_body(&self, stream: u32, request: &Request<'_>, now: UnixTime) {
        let mut bodies = self.bodies.borrow_mut();
        if bodies.arriving.get(&stream).is_none_or(|body| body.came) {
            return;
        }
        let lengths = request.headers.iter();
        let lengths = lengths.map(|(name, value)| name.len().saturating_add(value.len()));
        let headers: usize = lengths.sum();
        let total = hostcalls::get_property(vec!["request", "total_size"]);
        let total = total.ok().flatten().and_then(|total| total.try_into().ok());
        let total = total.map_or(0, u64::from_le_bytes);
        let is_recent = |last: UnixTime| now.since(last) < COMPLAINT;
        if total > headers as u64 && !bodies.complained.is_some_and(is_recent) {
            bodies.complained = Some(now);
            log::error(&format!(
                "{}: bodies of requests do not reach this filter, so each is refused with 408: set \
                 allow_on_headers_stop_iteration in its PluginConfig",
                plugin()
            ));
        }
    }

    /// A request goes on, if its headers could be `changed`.
    pub(crate) fn pass(
        &self,
        stream: u32,
        passage: Option<Box<Passage>>,
        changed: Result<(), Status>,
        now: UnixTime,
    ) -> Result<(), Status> {
        let mut passage = *passage.unwrap_or_default();
        let changed = changed.and_then(|()| match passage.body.take() {
            Some(body) => hostcalls::set_buffer(BufferType::HttpRequestBody, 0, usize::MAX, &body),
            None => Ok(()),
        });
        if changed.is_err() {
            let held = passage.charges.into_iter();
            let held = held.filter_map(|(charge, held)| Some((charge, held?)));
            self.release(held.collect(), now);
            return changed;
        }
        self.bodies.borrow_mut().arriving.remove(&stream);
        if passage.is_followed() {
            self.follow(stream, passage);
        }
        Ok(())
    }

    /// Follows the answer to a request.
    fn follow(&self, stream: u32, passage: Passage) {
        let passing = Passing {
            answer: Answer::new(passage.usage),
            passage,
            lists: Filtering::Nothing,
        };
        self.bodies.borrow_mut().answers.insert(stream, passing);
    }

    /// The stream is gone. What was held back for a request that still waited is given back.
    pub(crate) fn forget_bodies(&self, stream: u32, waited: Option<Waiting>) {
        let mut bodies = self.bodies.borrow_mut();
        bodies.arriving.remove(&stream);
        bodies.observed.remove(&stream);
        drop(bodies);
        if let Some(mut waited) = waited {
            self.release(waited.take_reservations(), clock::now());
        }
    }
}

/// The name of this plugin, for a log that many write to.
fn plugin() -> String {
    let name = hostcalls::get_property(vec!["plugin_name"]).ok().flatten();
    String::from_utf8_lossy(&name.unwrap_or_default()).into_owned()
}

// === shadow mode ===

impl Worker {
    /// Whether nothing follows the headers of a request that was about to wait.
    pub(crate) fn has_body_ended(&self, stream: u32) -> bool {
        let bodies = self.bodies.borrow();
        bodies
            .arriving
            .get(&stream)
            .is_some_and(|body| body.is_whole)
    }

    /// Lets a request go on, and watches what its body would have decided.
    pub(crate) fn observe(
        &self,
        stream: u32,
        request: &Request<'_>,
        decision: Decision,
        content: Box<Content>,
        has_ended: bool,
        now: UnixTime,
    ) -> Action {
        let effects = effects::of(&self.policy, request, &decision, now);
        if let effects::Outcome::Continue(mutations) = &effects.outcome
            && mutations.iter().try_for_each(mutate).is_err()
        {
            return fail_closed(UNCHANGEABLE);
        }
        drop(effects);
        let body = content.rule().body;
        let observed = Observed {
            decision,
            content,
            headers: HeaderMap::of(request),
            body: Vec::new(),
            room: body.map_or(0, |limits| limits.max_bytes.saturating_add(1)),
        };
        let mut bodies = self.bodies.borrow_mut();
        bodies.arriving.remove(&stream);
        bodies.observed.insert(stream, observed);
        drop(bodies);
        if has_ended || body.is_none() {
            self.conclude(stream, now);
        }
        Action::Continue
    }

    /// More of a watched body passes.
    fn observe_body(&self, stream: u32, size: usize, is_whole: bool) -> Option<Action> {
        let mut bodies = self.bodies.borrow_mut();
        let observed = bodies.observed.get_mut(&stream)?;
        let room = observed.room.saturating_sub(observed.body.len()).min(size);
        if room > 0 {
            let chunk = hostcalls::get_buffer(BufferType::HttpRequestBody, 0, room);
            observed
                .body
                .extend(chunk.ok().flatten().unwrap_or_default());
        }
        drop(bodies);
        if is_whole {
            self.conclude(stream, clock::now());
        }
        Some(Action::Continue)
    }

    /// Counts what a watched request would have met.
    fn conclude(&self, stream: u32, now: UnixTime) {
        let observed = self.bodies.borrow_mut().observed.remove(&stream);
        let Some(observed) = observed else {
            return;
        };
        let Observed {
            mut decision,
            content,
            headers,
            body,
            room,
        } = observed;
        let headers = headers.pairs();
        let request = Request::from_headers(&headers);
        let arrival = match room > 0 && body.len() >= room {
            true => BodyArrival::TooLarge,
            false => BodyArrival::Whole(body),
        };
        let (denial, passage) = content.observe(&request, arrival, now);
        let denial = denial.or_else(|| self.would_refuse(&passage, &decision, now));
        if let Some(denial) = denial {
            decision.verdict = Verdict::Deny(denial);
        }
        decision.passage = Some(passage);
        self.report(&effects::of(&self.policy, &request, &decision, now), now);
        if let Some(passage) = decision.passage.filter(|passage| passage.is_followed()) {
            self.follow(stream, *passage);
        }
    }
}

// === answers ===

impl Worker {
    /// The headers of an answer came, from the upstream or from Envoy.
    pub fn answer_begins(&self, stream: u32, has_ended: bool) -> Action {
        let mut bodies = self.bodies.borrow_mut();
        let Some(passing) = bodies.answers.get_mut(&stream) else {
            return Action::Continue;
        };
        let map = MapType::HttpResponseHeaders;
        let Ok(headers) = host_abi::header_map(map) else {
            return Action::Continue;
        };
        let headers = headers.pairs();
        let value = |name: &[u8]| headers.iter().find_map(|(n, v)| (*n == name).then_some(*v));
        let status = value(b":status").and_then(|status| std::str::from_utf8(status).ok());
        let status = status.and_then(|status| status.parse().ok()).unwrap_or(0);
        let (kind, encoding) = (value(b"content-type"), value(b"content-encoding"));
        let outcome = passing.answer.begins(status, kind, encoding, has_ended);
        let now = clock::now();
        if let Some(outcome) = outcome {
            self.settle(&mut passing.passage, &outcome, now);
        }
        self.show_budgets(&passing.passage, now);
        match passing.passage.lists.take() {
            Some(lists) => passing.filter(lists, status, kind, encoding, has_ended),
            None => Action::Continue,
        }
    }

    /// More of an answer's body came.
    pub fn answer_body(&self, stream: u32, size: usize, has_ended: bool) -> Action {
        let mut bodies = self.bodies.borrow_mut();
        let Some(passing) = bodies.answers.get_mut(&stream) else {
            return Action::Continue;
        };
        if !matches!(passing.lists, Filtering::Nothing) {
            return passing.filter_body(size, has_ended);
        }
        let chunk = match size {
            0 => None,
            _ if !passing.answer.wants_bytes() => None,
            _ => hostcalls::get_buffer(BufferType::HttpResponseBody, 0, size)
                .ok()
                .flatten(),
        };
        let outcome = passing
            .answer
            .read(chunk.as_deref().unwrap_or_default(), has_ended);
        if let Some(outcome) = outcome {
            self.settle(&mut passing.passage, &outcome, clock::now());
        }
        Action::Continue
    }

    /// An answer's trailers came, so its body is over. What was not held of it is gone.
    pub fn answer_trailers(&self, stream: u32) -> Action {
        {
            let mut bodies = self.bodies.borrow_mut();
            if let Some(passing) = bodies.answers.get_mut(&stream) {
                match passing.lists {
                    // More than this was refused when it came.
                    Filtering::Whole(_) => return passing.filter_body(MCP_LIST_BYTES, true),
                    // An event that did not end is none, and there is no body any more to write it to.
                    Filtering::Events(_) => {
                        passing.lists = Filtering::Nothing;
                        return Action::Continue;
                    }
                    Filtering::Nothing => {}
                }
            }
        }
        // Bytes that came before have been read: only the end is new.
        self.answer_body(stream, 0, true)
    }

    /// The stream has ended, however it did.
    pub fn answer_ended(&self, stream: u32) {
        let passing = self.bodies.borrow_mut().answers.remove(&stream);
        let Some(mut passing) = passing else {
            return;
        };
        if passing.answer.is_settled() {
            return;
        }
        let property = |path| hostcalls::get_property(path).ok().flatten();
        let details = property(vec!["response", "code_details"]).unwrap_or_default();
        let status = property(vec!["response", "code"]);
        let status = status.and_then(|code| Some(u64::from_le_bytes(code.try_into().ok()?)));
        // An address is there as soon as a host is chosen; this, once there was a connection.
        let connected = property(vec!["upstream", "cx_pool_ready_duration"]);
        let ending = Ending {
            details: &details,
            is_upstream_reached: connected.is_some(),
            status: status.and_then(|status| status.try_into().ok()),
        };
        if let Some(outcome) = passing.answer.ends(&ending) {
            self.settle(&mut passing.passage, &outcome, clock::now());
        }
    }
}

// === lists ===

impl Passing {
    /// Begins with an answer that has lists, if it is one.
    fn filter(
        &mut self,
        lists: Lists,
        status: u16,
        kind: Option<&[u8]>,
        encoding: Option<&[u8]>,
        has_ended: bool,
    ) -> Action {
        // An error lists nothing, and neither does an answer without a body.
        if has_ended || !(200..300).contains(&status) {
            return Action::Continue;
        }
        let is_plain = encoding.is_none_or(|e| e.trim_ascii().eq_ignore_ascii_case(b"identity"));
        let media = kind.unwrap_or_default().split(|b| *b == b';').next();
        let media = media.unwrap_or_default().trim_ascii().to_ascii_lowercase();
        let (filtering, action) = match media.as_slice() {
            b"application/json" if is_plain => (Filtering::Whole(lists), Action::Pause),
            b"text/event-stream" if is_plain => (Filtering::Events(lists), Action::Continue),
            _ => return answer(&effects::unreadable_list()),
        };
        self.lists = filtering;
        // Its length is about to change.
        match hostcalls::remove_map_value(MapType::HttpResponseHeaders, "content-length") {
            Ok(()) => action,
            Err(_) => answer(&effects::unreadable_list()),
        }
    }

    /// More of an answer with lists came: of a stream what is new, else all of it so far.
    fn filter_body(&mut self, size: usize, has_ended: bool) -> Action {
        let body = |size| match size {
            0 => Some(Vec::new()),
            _ => hostcalls::get_buffer(BufferType::HttpResponseBody, 0, size)
                .ok()
                .flatten(),
        };
        let replace = |bytes: &[u8]| {
            hostcalls::set_buffer(BufferType::HttpResponseBody, 0, usize::MAX, bytes)
        };
        match &mut self.lists {
            Filtering::Nothing => Action::Continue,
            Filtering::Whole(_) if size > MCP_LIST_BYTES => answer(&effects::unreadable_list()),
            Filtering::Whole(_) if !has_ended => Action::Pause,
            Filtering::Whole(lists) => {
                let filtered = body(size).map(|body| lists.json(&body));
                self.lists = Filtering::Nothing;
                match filtered {
                    Some(Ok(None)) => Action::Continue,
                    Some(Ok(Some(shorter))) if replace(&shorter).is_ok() => Action::Continue,
                    _ => answer(&effects::unreadable_list()),
                }
            }
            Filtering::Events(lists) => {
                // What cannot be read or written does not pass.
                let passing = lists.events(&body(size).unwrap_or_default(), has_ended);
                match replace(&passing) {
                    Ok(()) => Action::Continue,
                    Err(_) => answer(&effects::unreadable_list()),
                }
            }
        }
    }
}
