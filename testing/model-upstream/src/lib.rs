//! A model provider for the tests and the tour. It speaks OpenAI's chat completions, completions, embeddings and responses
//! and Anthropic's messages, as JSON and as streams, and says what it received and how many tokens it claimed.
//!
//! It has no state that a test must set up: the headers of a request say what becomes of it.
//!
//! | header | what it does |
//! |---|---|
//! | `x-model-output-tokens` | says so many words, and claims a token for each; default: 16, or the smallest maximum that the request names |
//! | `x-model-input-tokens` | claims so many; default: one for each word of the input |
//! | `x-model-cached-tokens` | claims so many more that came from a cache: OpenAI's within the input tokens, Anthropic's beside them |
//! | `x-model-answer-delay-ms` | waits before the answer's headers |
//! | `x-model-chunk-delay-ms` | waits between two chunks |
//! | `x-model-chunk-bytes` | cuts the answer into chunks of so many bytes; default: an event is a chunk, and so is half of a JSON answer |
//! | `x-model-answer-header`, `x-model-answer-trailer` | adds `name: value` to the answer; may come more than once |
//! | `x-model-api` | `chat`, `completions`, `embeddings`, `messages` or `responses`; default: by the path's end |
//! | `x-model-fault` | faults from the list below, between commas |
//!
//! | fault | what goes wrong |
//! |---|---|
//! | `none` | nothing |
//! | `no-usage` | the answer does not say how many tokens it took |
//! | `float-usage` | it says 1234.0 |
//! | `wrong-usage` | it says so in a form that nobody can read: input as a string, output below zero, no total |
//! | `gzip` | the answer is compressed, although nobody asked |
//! | `huge:<bytes>` | a JSON answer has so many bytes, its usage at their end; in a stream the first event with text has |
//! | `break-after:<n>` | the connection ends after n chunks |
//! | `status:<code>` | the answer has this status: from 300 on an error in the provider's form |
//! | `reset-before-answer` | the connection ends without an answer |
//! | `silent` | no answer ever comes |
//!
//! What it does not know among these is answered with 400, so that no test rests on a misspelled header. Answers are
//! compressed where `accept-encoding` lists gzip, as providers do. The text, the ids and the times are always the same.
//!
//! `GET /requests` lists the last requests with their answers' ends and the tokens claimed so far; `GET /healthz` is 200.

#![deny(missing_docs)]

pub mod journal;

mod chunks;
mod delivery;
mod form;
mod question;
mod server;
mod steering;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

use tokio::net::TcpListener;
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use self::journal::{Claimed, Exchange, Journal};

/// Listens on a port of this machine until dropped, which also ends its connections.
pub struct ModelUpstream {
    journal: Arc<Journal>,
    port: u16,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl ModelUpstream {
    /// Starts one on a free port.
    pub fn start() -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let (started, port) = mpsc::channel();
        let journal = Arc::new(Journal::default());
        let shared = Arc::clone(&journal);
        let thread = thread::spawn(move || {
            runtime().block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await;
                let listener = listener.expect("a free port");
                let address = listener.local_addr().expect("a bound socket");
                let _ = started.send(address.port());
                tokio::spawn(server::serve(listener, shared));
                // An error says that the owner is gone.
                let _ = stopped.await;
            });
        });
        Self {
            journal,
            port: port.recv().expect("a bound socket"),
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The last requests, oldest first, and what became of each.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.journal.exchanges()
    }

    /// How many requests came so far.
    pub fn received(&self) -> u64 {
        self.journal.received()
    }

    /// The tokens that all answers so far claimed.
    pub fn claimed(&self) -> Claimed {
        self.journal.claimed()
    }
}

impl Drop for ModelUpstream {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Serves until the process is asked to terminate, which a container's first process must see to itself. Tells where it
/// listens before the first request.
pub fn run(address: &str, listens: impl FnOnce(SocketAddr)) -> Result<(), String> {
    let served: io::Result<()> = runtime().block_on(async {
        let listener = TcpListener::bind(address).await?;
        let mut terminate = signal(SignalKind::terminate())?;
        listens(listener.local_addr()?);
        tokio::spawn(server::serve(listener, Arc::default()));
        terminate.recv().await;
        Ok(())
    });
    served.map_err(|error| format!("{address}: {error}"))
}

fn runtime() -> runtime::Runtime {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("the system has room for sockets and a clock")
}
