//! A document at its source: fetched by one worker of the process, held by all.

use std::time::Duration;

use crate::list_share::{self, Publishing};
use crate::shared_data::SharedDocument;
use crate::{call, clock, log};
use portcullis_core::deadline::Deadline;
use portcullis_core::fetch_lease::{FetchLease, Plan};
use portcullis_core::policy::Policy;
use portcullis_core::policy::provider::CredentialSource;
use portcullis_core::revocation::{Poll, Progress, Unpublished};
use portcullis_core::time::UnixTime;
use portcullis_core::verification::State;
use portcullis_core::verification::callout::CallFault;
use portcullis_core::verification::source::{Source, SourceId};
use proxy_wasm::types::Status;

/// One source as this worker sees it.
pub struct Fetcher {
    source: Source,
    shared: SharedDocument,
    /// Which document this worker holds.
    held: Option<u64>,
    /// What this worker does for all workers.
    work: Work,
    /// Whether there is more of a list to read than one look takes.
    following: bool,
    /// Whether the last call could not be started: logged once, not on every tick.
    unreachable: bool,
}

enum Work {
    None,
    Fetch(Attempt),
    /// A list that was fetched is on its way into shared data.
    Publish(FetchLease),
}

struct Attempt {
    lease: FetchLease,
    token: u32,
    began: UnixTime,
    deadline: Deadline,
    /// Of a list, which comes in pages.
    poll: Option<Poll>,
}

/// One page of a list that is being fetched.
struct Page {
    poll: Poll,
    lease: FetchLease,
    began: UnixTime,
}

/// What a source can do for a request now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Availability {
    /// The state has something newer than it had.
    Fresh,
    /// Somebody is fetching.
    InFlight,
    /// Not to be asked again before.
    NotBefore(UnixTime),
}

/// Why a fetch brought nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FetchFault {
    /// The call failed.
    Call(CallFault),
    /// The answer is no document, or not ours to use.
    Unusable,
}

impl Fetcher {
    /// Makes what all workers share of it, where nobody has yet.
    pub fn new(source: Source) -> Self {
        let shared = SharedDocument::new(source.id.name(), &source.endpoint);
        shared.create();
        if let SourceId::Revocation(_) = source.id {
            shared.create_head();
        }
        Fetcher {
            source,
            shared,
            held: None,
            work: Work::None,
            following: false,
            unreachable: false,
        }
    }

    /// Whose document it is.
    pub fn id(&self) -> SourceId {
        self.source.id
    }

    /// How long a request waits at most.
    pub fn timeout(&self) -> Duration {
        self.source.endpoint.timeout
    }

    /// Whether there is more to do than to wait.
    pub fn is_busy(&self) -> bool {
        self.following || matches!(self.work, Work::Publish(_))
    }

    /// Looks at what other workers brought, and starts a fetch where one is due, or where there
    /// is a demand for one and it is allowed.
    pub fn tend(
        &mut self,
        policy: &Policy,
        state: &mut State,
        demand: bool,
        now: UnixTime,
    ) -> Availability {
        if let Work::Publish(lease) = self.work {
            return self.go_on(state, lease, now);
        }
        if let Some(found) = self.look(policy, state, now) {
            return found;
        }
        match self.shared.acquire(&self.source.schedule, demand, now) {
            (Plan::InFlight, _) => Availability::InFlight,
            // What ended the attempt of another worker may have come between the two looks.
            (Plan::NotBefore(time), _) => match self.look(policy, state, now) {
                Some(found) => found,
                None if self.is_being_written() => Availability::InFlight,
                None => Availability::NotBefore(time),
            },
            (Plan::Fetch(acquired), before) => self.start(state, acquired, before, now),
        }
    }

    /// Looks at what other workers brought.
    fn look(&mut self, policy: &Policy, state: &mut State, now: UnixTime) -> Option<Availability> {
        let SourceId::Revocation(source) = self.source.id else {
            let is_new = self.adopt_newer(policy, state, now);
            return is_new.then_some(Availability::Fresh);
        };
        let before = self.held;
        let replica = state.list_mut(source)?;
        let is_complete = list_share::follow(replica, &self.shared, now);
        self.held = replica.version();
        self.following = !is_complete;
        match (self.held != before, is_complete) {
            (true, _) => Some(Availability::Fresh),
            (false, false) => Some(Availability::InFlight),
            (false, true) => None,
        }
    }

    /// The document that another worker published since, if it holds up.
    fn adopt_newer(&mut self, policy: &Policy, state: &mut State, now: UnixTime) -> bool {
        let Some(published) = self.shared.lease().document() else {
            return false;
        };
        if self.held == Some(published) {
            return false;
        }
        let Some((text, at)) = self.shared.document(published) else {
            return false;
        };
        let Ok((document, _)) = self.source.id.parse_document(policy, &text) else {
            return false;
        };
        self.held = Some(published);
        state.adopt(self.source.id, document, at.min(now));
        true
    }

    /// Whether the lease names a document that is not there yet: its worker is about to write it.
    fn is_being_written(&self) -> bool {
        if let SourceId::Revocation(_) = self.source.id {
            return false;
        }
        let published = self.shared.lease().document();
        published.is_some_and(|id| self.held != Some(id) && self.shared.document(id).is_none())
    }

    fn start(
        &mut self,
        state: &mut State,
        acquired: FetchLease,
        before: FetchLease,
        now: UnixTime,
    ) -> Availability {
        let poll = match self.source.id {
            SourceId::Revocation(source) => {
                state.list_mut(source).and_then(|r| list_share::poll(r))
            }
            SourceId::Keys(_) | SourceId::ApiKeys => None,
        };
        let Err(status) = self.send(acquired, poll, now) else {
            self.unreachable = false;
            return Availability::InFlight;
        };
        self.shared.settle(&acquired, acquired.withdrawn(&before));
        if !std::mem::replace(&mut self.unreachable, true) {
            let cluster = &self.source.endpoint.cluster;
            self.warn(&format!("cluster {cluster} cannot be called: {status:?}"));
        }
        match self.held {
            // Envoy may learn of the cluster and its hosts after the first requests came, so
            // these wait while each tick tries again.
            None => Availability::InFlight,
            Some(_) => Availability::NotBefore(now),
        }
    }

    fn send(
        &mut self,
        lease: FetchLease,
        poll: Option<Poll>,
        began: UnixTime,
    ) -> Result<(), Status> {
        let since = poll.as_ref().and_then(Poll::since);
        let token = call::send(&self.source.call(since.as_deref()))?;
        self.work = Work::Fetch(Attempt {
            lease,
            token,
            began,
            deadline: Deadline::after(clock::instant(), self.timeout()),
            poll,
        });
        Ok(())
    }

    /// Whether this call is the fetcher's.
    pub fn awaits(&self, token: u32) -> bool {
        matches!(&self.work, Work::Fetch(attempt) if attempt.token == token)
    }

    /// Takes the answer to this worker's call, and tells the others.
    pub fn call_answered(
        &mut self,
        policy: &Policy,
        state: &mut State,
        has_headers: bool,
        now: UnixTime,
    ) -> Result<Availability, FetchFault> {
        let Work::Fetch(attempt) = std::mem::replace(&mut self.work, Work::None) else {
            return Ok(Availability::InFlight);
        };
        let Attempt {
            lease,
            began,
            deadline,
            poll,
            ..
        } = attempt;
        let answer = call::receive(has_headers, self.source.id.bytes());
        let taken = match answer {
            Ok(text) => match (self.source.id, poll) {
                (SourceId::Revocation(source), Some(poll)) => {
                    let lease = lease.extended(&self.source.schedule, now);
                    let page = Page { poll, lease, began };
                    self.take_page(state, source, page, &text, now)
                }
                _ => self.take_document(policy, state, &text, lease, now),
            },
            // Where the time is up in the middle of a body, Envoy reports a reset.
            Err(CallFault::BrokenOff) if deadline.has_passed(clock::instant()) => {
                Err(FetchFault::Call(CallFault::Timeout))
            }
            Err(fault) => Err(FetchFault::Call(fault)),
        };
        if let Err(fault) = &taken {
            if let FetchFault::Call(fault) = fault {
                self.warn(&format!("the fetch failed: {fault:?}"));
            }
            let jitter = getrandom::u32().unwrap_or_default();
            let failed = lease.failed(&self.source.schedule, now, jitter);
            self.shared.settle(&lease, failed);
        }
        taken
    }

    fn take_document(
        &mut self,
        policy: &Policy,
        state: &mut State,
        text: &[u8],
        lease: FetchLease,
        now: UnixTime,
    ) -> Result<Availability, FetchFault> {
        let (document, warnings) =
            self.source
                .id
                .parse_document(policy, text)
                .map_err(|unusable| {
                    self.warn(&format!("the fetch failed: {}", unusable.0));
                    FetchFault::Unusable
                })?;
        for warning in warnings {
            self.warn(&warning);
        }
        // First the lease: of two attempts only one can end well there, and its document counts.
        let Some(id) = self.succeed(lease, now) else {
            self.warn("the fetch took too long, and another worker fetches");
            return Ok(Availability::InFlight);
        };
        self.shared.publish(id, text, now);
        self.held = Some(id);
        state.adopt(self.source.id, document, now);
        Ok(Availability::Fresh)
    }

    /// Nothing of a list counts before its last page is there.
    fn take_page(
        &mut self,
        state: &mut State,
        source: CredentialSource,
        Page { poll, lease, began }: Page,
        text: &[u8],
        now: UnixTime,
    ) -> Result<Availability, FetchFault> {
        let progress = poll.take(text, now).map_err(|invalid| {
            self.warn(&format!("the poll failed: {invalid}"));
            FetchFault::Unusable
        })?;
        match progress {
            Progress::More(poll) => {
                if !self.shared.settle(&lease, lease) {
                    self.warn("the poll took too long, and another worker polls");
                    return Err(FetchFault::Unusable);
                }
                self.send(lease, Some(poll), began)
                    .map_err(|_| FetchFault::Call(CallFault::NotSent))?;
                Ok(Availability::InFlight)
            }
            Progress::Complete(update) => {
                let replica = state.list_mut(source).ok_or(FetchFault::Unusable)?;
                list_share::publish(replica, &self.shared, update, began, now).map_err(|why| {
                    self.warn(match why {
                        Unpublished::Superseded => "the poll was overtaken",
                        Unpublished::TooLong => "the poll failed: the list has too many entries",
                    });
                    FetchFault::Unusable
                })?;
                Ok(self.go_on(state, lease, now))
            }
        }
    }

    fn go_on(&mut self, state: &mut State, lease: FetchLease, now: UnixTime) -> Availability {
        let SourceId::Revocation(source) = self.source.id else {
            return Availability::InFlight;
        };
        let Some(replica) = state.list_mut(source) else {
            return Availability::InFlight;
        };
        match list_share::go_on(replica, &self.shared, now) {
            Publishing::Underway => {
                // If another worker took over, the head has changed, and `list_share::go_on` stops this one.
                let lease = lease.extended(&self.source.schedule, now);
                self.shared.settle(&lease, lease);
                self.work = Work::Publish(lease);
                Availability::InFlight
            }
            Publishing::Done => {
                self.work = Work::None;
                self.held = replica.version();
                // If a newer attempt holds the lease, it continues from this list.
                let _ = self.succeed(lease, now);
                Availability::Fresh
            }
            Publishing::Lost => {
                self.work = Work::None;
                self.warn("the list is not shared: another worker took over, or Envoy refused");
                let jitter = getrandom::u32().unwrap_or_default();
                let failed = lease.failed(&self.source.schedule, now, jitter);
                self.shared.settle(&lease, failed);
                Availability::InFlight
            }
        }
    }

    /// Ends this worker's attempt well: the name of the document that it brought, where no other
    /// attempt was begun in the meantime.
    fn succeed(&self, lease: FetchLease, now: UnixTime) -> Option<u64> {
        // Without random numbers the time is the name: unique as long as nobody sets the clock.
        let time = now.as_micros().cast_unsigned();
        let document = getrandom::u64().unwrap_or(time).max(1);
        let jitter = getrandom::u32().unwrap_or_default();
        let succeeded = lease.succeeded(&self.source.schedule, document, now, jitter);
        self.shared.settle(&lease, succeeded).then_some(document)
    }

    fn warn(&self, what: &str) {
        log::warn(&format!("{}: {what}", self.source.path));
    }
}
