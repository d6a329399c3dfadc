//! One answer, from its headers to its end.

use crate::api::Api;
use crate::usage::cost::Outcome;
use crate::usage::reader::{Framing, UsageReader};

/// An answer, as far as it has come. It gives its [`Outcome`] exactly once: as soon as nothing that follows
/// changes it, and at the end of the stream at the latest.
#[derive(Clone, Debug)]
pub struct Answer {
    api: Option<Api>,
    state: State,
}

/// What the host knows of a stream that is over.
#[derive(Clone, Copy, Debug)]
pub struct Ending<'a> {
    /// Envoy's response code details, empty where it gives none.
    pub details: &'a [u8],
    /// Whether the request had a connection to the upstream. A host that was only chosen is not enough: the
    /// connection may never have come about.
    pub is_upstream_reached: bool,
    /// The status that the client was sent, if one was sent.
    pub status: Option<u16>,
}

#[derive(Clone, Debug)]
enum State {
    /// There is no answer yet.
    Awaited,
    /// It says what it used, in a body that is being read.
    Read(Box<UsageReader>),
    /// Its status is 300 or above: the upstream's own, or that of a reply which Envoy made.
    Refused { has_ended: bool },
    /// The outcome was given.
    Settled,
}

/// The first status that costs nothing.
const REDIRECT: u16 = 300;

// === impl Answer ===

impl Answer {
    /// An answer of this API that is awaited. Of one without an API nothing is read, and where it came it counts
    /// as a request.
    pub fn new(api: Option<Api>) -> Self {
        Answer {
            api,
            state: State::Awaited,
        }
    }

    /// The headers are there. With a status of 300 or above the outcome waits for the end of the stream: Envoy's
    /// own reply to a request that timed out looks like an upstream's here, and that request costs something.
    pub fn begins(
        &mut self,
        status: u16,
        content_type: Option<&[u8]>,
        content_encoding: Option<&[u8]>,
        end_of_stream: bool,
    ) -> Option<Outcome> {
        if matches!(self.state, State::Settled) {
            return None;
        }
        if status >= REDIRECT {
            self.state = State::Refused {
                has_ended: end_of_stream,
            };
            return None;
        }
        let framing = content_type
            .and_then(framing)
            .filter(|_| is_plain(content_encoding));
        let (Some(api), Some(framing), false) = (self.api, framing, end_of_stream) else {
            return self.settle(Outcome::UNSAID);
        };
        self.state = State::Read(Box::new(UsageReader::new(api, framing)));
        None
    }

    /// Whether its outcome was given.
    pub fn is_settled(&self) -> bool {
        matches!(self.state, State::Settled)
    }

    /// Whether the body's bytes are read. Where they are not, [`Answer::read`] may be given none.
    pub fn wants_bytes(&self) -> bool {
        matches!(self.state, State::Read(_))
    }

    /// The next bytes of the body, or just its end.
    pub fn read(&mut self, chunk: &[u8], end_of_stream: bool) -> Option<Outcome> {
        match &mut self.state {
            State::Read(reader) => {
                reader.read(chunk);
                if reader.is_final() || end_of_stream {
                    let outcome = ended(reader);
                    return self.settle(outcome);
                }
                None
            }
            State::Refused { has_ended } => {
                *has_ended |= end_of_stream;
                None
            }
            State::Awaited | State::Settled => None,
        }
    }

    /// The stream is over, however it ended.
    pub fn ends(&mut self, ending: &Ending<'_>) -> Option<Outcome> {
        let outcome = match &mut self.state {
            State::Awaited => unanswered(ending),
            State::Read(reader) => match ending.cause() {
                // Trailers end a body without a sign in it.
                Cause::Upstream => ended(reader),
                _ => broken(reader),
            },
            State::Refused { has_ended } => refused(ending, *has_ended),
            State::Settled => return None,
        };
        self.settle(outcome)
    }

    fn settle(&mut self, outcome: Outcome) -> Option<Outcome> {
        self.state = State::Settled;
        Some(outcome)
    }
}

/// Of an answer that came to its end.
fn ended(reader: &mut UsageReader) -> Outcome {
    match reader.usage() {
        Some(usage) => Outcome::Used(usage),
        None => {
            reader.end();
            unknown(reader)
        }
    }
}

/// Of an answer that something broke off.
fn broken(reader: &UsageReader) -> Outcome {
    match reader.usage() {
        Some(usage) if reader.is_told() => Outcome::Used(usage),
        _ => unknown(reader),
    }
}

fn unknown(reader: &UsageReader) -> Outcome {
    Outcome::Unknown {
        named: reader.named(),
        events: reader.events(),
    }
}

/// Of a request whose answer was not seen.
fn unanswered(ending: &Ending<'_>) -> Outcome {
    match (ending.cause(), ending.status) {
        (Cause::Reset, _) => Outcome::Nothing,
        (Cause::Upstream | Cause::BrokenOff, Some(REDIRECT..)) => Outcome::Nothing,
        (Cause::Upstream | Cause::BrokenOff, Some(_)) => Outcome::UNSAID,
        _ => ending.unless_unreached(),
    }
}

/// Of an answer with a status of 300 or above.
fn refused(ending: &Ending<'_>, has_ended: bool) -> Outcome {
    match ending.cause() {
        // It is the upstream's: Envoy's replies end at once, and it makes none for a client that is gone.
        _ if !has_ended => Outcome::Nothing,
        Cause::Upstream | Cause::BrokenOff | Cause::Reset | Cause::Client => Outcome::Nothing,
        Cause::Other => ending.unless_unreached(),
    }
}

/// What response code details say about who ended a stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Cause {
    /// The upstream answered, and all went well.
    Upstream,
    /// The upstream reset the request before it answered, or there was no connection.
    Reset,
    /// The upstream broke off its answer.
    BrokenOff,
    /// The client left.
    Client,
    /// Everything else: timeouts, and what another filter or another version of Envoy says.
    Other,
}

// === impl Ending ===

impl Ending<'_> {
    fn cause(&self) -> Cause {
        /// Some have more behind them: `upstream_reset_before_response_started{connection_termination}`,
        /// `downstream_local_disconnect(…)`.
        const BEGINNINGS: [(&[u8], Cause); 4] = [
            (b"upstream_reset_before_response_started", Cause::Reset),
            (b"upstream_reset_after_response_started", Cause::BrokenOff),
            (b"downstream_remote_disconnect", Cause::Client),
            (b"downstream_local_disconnect", Cause::Client),
        ];
        match self.details {
            // The first answer of a request that Envoy redirects by itself.
            b"via_upstream" | b"internal_redirect" => Cause::Upstream,
            details => BEGINNINGS
                .iter()
                .find_map(|(beginning, cause)| details.starts_with(beginning).then_some(*cause))
                .unwrap_or(Cause::Other),
        }
    }

    /// A request that went up may have used what it was thought to use.
    fn unless_unreached(&self) -> Outcome {
        match self.is_upstream_reached {
            true => Outcome::UNSAID,
            false => Outcome::Nothing,
        }
    }
}

/// How a body of this type is written. Parameters do not matter: JSON and event streams are UTF-8.
fn framing(content_type: &[u8]) -> Option<Framing> {
    let essence = content_type.split(|byte| *byte == b';').next()?;
    let essence = essence.trim_ascii().to_ascii_lowercase();
    let is_json = essence == b"application/json" || essence.ends_with(b"+json");
    if essence == b"text/event-stream" {
        Some(Framing::EventStream)
    } else {
        is_json.then_some(Framing::Json)
    }
}

/// Whether the body is what the type says, without an encoding around it.
fn is_plain(content_encoding: Option<&[u8]>) -> bool {
    let encodings = content_encoding.unwrap_or_default();
    encodings.split(|byte| *byte == b',').all(|encoding| {
        let encoding = encoding.trim_ascii();
        encoding.is_empty() || encoding.eq_ignore_ascii_case(b"identity")
    })
}

#[cfg(test)]
mod tests;
