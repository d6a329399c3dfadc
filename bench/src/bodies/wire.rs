//! Both ends of Envoy: the clients that send requests, and the model's server that answers them.
//!
//! They take turns. The server writes an event of a stream when the client has got the one before it, as it is with a
//! model that takes its time for each word. So Envoy reads every event by itself, and each run has the same number of
//! reads. All of it is on one thread, which takes as little of the machine as it can: bytes are ready, and little is parsed.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bench::Result;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::bodies::framing::{self, Head};
use crate::bodies::messages::{self, Answer, LANE};
use crate::bodies::variants::Kind;

/// The clients' connections and the model's server.
pub struct Wire {
    runtime: Runtime,
    lanes: Arc<Vec<Lane>>,
    /// Where the model's server listens.
    pub upstream_port: u16,
}

/// What one connection of a client and the model's server share.
struct Lane {
    /// The requests, ready, and their answers.
    requests: [Vec<u8>; Kind::ALL.len()],
    answers: Arc<[Answer; Kind::ALL.len()]>,
    /// What is asked for.
    kind: AtomicUsize,
    /// The client has got an event.
    next: Notify,
    /// How many requests the server has got the heads of.
    begun: AtomicUsize,
    /// The last request that the server has got whole.
    seen: Mutex<Seen>,
}

/// A request as the model's server got it.
#[derive(Clone, Default)]
pub struct Seen {
    /// In lower case, as Envoy writes names.
    pub head: String,
    pub body: Vec<u8>,
}

/// An answer as a client got it.
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

/// A connection to a listener.
pub struct Client {
    stream: TcpStream,
    lane: usize,
    received: Vec<u8>,
}

/// The longest wait for an answer, or for more of it.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a request is watched that must not arrive.
const WATCHED: Duration = Duration::from_millis(100);

// === impl Wire ===

impl Wire {
    /// Starts the model's server, for so many connections of clients to each listener.
    pub fn start(connections: usize) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let answers = Arc::new(Kind::ALL.map(messages::answer));
        let lane = |number| Lane {
            requests: Kind::ALL.map(|kind| {
                messages::request(number, &messages::known_key(), &messages::chat(kind))
            }),
            answers: Arc::clone(&answers),
            kind: AtomicUsize::new(0),
            next: Notify::new(),
            begun: AtomicUsize::new(0),
            seen: Mutex::default(),
        };
        let lanes = Arc::new((0..connections.max(1)).map(lane).collect::<Vec<_>>());
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let upstream_port = listener.local_addr()?.port();
        let shared = Arc::clone(&lanes);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let lanes = Arc::clone(&shared);
                tokio::spawn(async move {
                    if let Err(error) = serve(stream, &lanes).await {
                        eprintln!("bench: the model's server: {error}");
                    }
                });
            }
        });
        Ok(Wire {
            runtime,
            lanes,
            upstream_port,
        })
    }

    /// Connects the clients to a listener.
    pub fn connect(&self, port: u16) -> Result<Vec<Client>> {
        let lanes = 0..self.lanes.len();
        let connect = |lane| self.runtime.block_on(Client::open(port, lane));
        lanes.map(connect).collect()
    }

    /// Sends so many requests for this kind of answer, each as soon as the one before it on its connection is answered.
    pub fn run(&self, clients: &mut Vec<Client>, kind: Kind, count: usize) -> Result<()> {
        let begun = Arc::new(AtomicUsize::new(0));
        let send = |mut client: Client| {
            let (lanes, begun) = (Arc::clone(&self.lanes), Arc::clone(&begun));
            async move {
                while begun.fetch_add(1, Ordering::Relaxed) < count {
                    let lane = lanes.get(client.lane).ok_or("no such lane")?;
                    let head = client.exchange(lane.request(kind), lane, kind).await?;
                    if head.status != 200 {
                        return Err(format!("a request was answered {}", head.status).into());
                    }
                }
                Ok::<_, bench::Error>(client)
            }
        };
        *clients = self.runtime.block_on(async {
            let sending: Vec<_> = clients.drain(..).map(|c| tokio::spawn(send(c))).collect();
            let mut done = Vec::with_capacity(sending.len());
            for task in sending {
                done.push(task.await??);
            }
            Ok::<_, bench::Error>(done)
        })?;
        Ok(())
    }

    /// Sends one request on a connection of its own. `more` are its headers beside those that each request has.
    pub fn ask(&self, port: u16, kind: Kind, more: &str, body: &[u8]) -> Result<Reply> {
        let lane = self.lanes.first().ok_or("no lane")?;
        self.runtime.block_on(async {
            let mut client = Client::open(port, 0).await?;
            let request = messages::request(0, more, body);
            let head = client.exchange(&request, lane, kind).await?;
            Ok(client.reply(&head))
        })
    }

    /// Sends a request but for the last byte, and that one later. Whether its head got through before its end was here.
    pub fn comes_through_early(&self, port: u16) -> Result<bool> {
        let lane = self.lanes.first().ok_or("no lane")?;
        self.runtime.block_on(async {
            let mut client = Client::open(port, 0).await?;
            let request = lane.request(Kind::Short);
            let (most, last) = request.split_at(request.len() - 1);
            let before = lane.begun.load(Ordering::Relaxed);
            framing::write_all(&client.stream, most).await?;
            tokio::time::sleep(WATCHED).await;
            let is_early = lane.begun.load(Ordering::Relaxed) > before;
            let head = client.exchange(last, lane, Kind::Short).await?;
            let after = lane.begun.load(Ordering::Relaxed);
            match (head.status, after - before) {
                (200, 1) => Ok(is_early),
                (status, _) => Err(format!("a slow request was answered {status}").into()),
            }
        })
    }

    /// The last request that `ask` sent and that the model's server got.
    pub fn seen(&self) -> Seen {
        let lane = self.lanes.first();
        lane.map(|lane| lane.lock_seen().clone())
            .unwrap_or_default()
    }

    /// The answer of the model's server.
    pub fn answer(&self, kind: Kind) -> Option<&Answer> {
        self.lanes.first()?.answers.get(kind as usize)
    }

    /// How many requests the model's server got in all from `ask`.
    pub fn arrived(&self) -> usize {
        let lane = self.lanes.first();
        lane.map_or(0, |lane| lane.begun.load(Ordering::Relaxed))
    }
}

// === impl Lane ===

impl Lane {
    fn request(&self, kind: Kind) -> &[u8] {
        let request = self.requests.get(kind as usize);
        request.map(Vec::as_slice).unwrap_or_default()
    }

    fn lock_seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Client ===

impl Client {
    async fn open(port: u16, lane: usize) -> Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        stream.set_nodelay(true)?;
        Ok(Client {
            stream,
            lane,
            received: Vec::with_capacity(160 * 1024),
        })
    }

    /// Sends a request and receives its answer. The head is returned; all of it is in `received`.
    async fn exchange(&mut self, request: &[u8], lane: &Lane, kind: Kind) -> Result<Head> {
        lane.kind.store(kind as usize, Ordering::Relaxed);
        self.received.clear();
        framing::write_all(&self.stream, request).await?;
        let head = loop {
            match framing::response(&self.received)? {
                Some(head) => break head,
                None => self.more().await?,
            }
        };
        let (mut events, mut from) = (0, head.bytes);
        loop {
            let news = self.received.get(from..).unwrap_or_default();
            for _ in news.windows(2).filter(|pair| pair == b"\n\n") {
                events += 1;
                if events < kind.events() {
                    lane.next.notify_one();
                }
            }
            // The last byte may be the first of a pair.
            from = self.received.len().saturating_sub(1).max(head.bytes);
            if head.end(&self.received).is_some() {
                return Ok(head);
            }
            self.more().await?;
        }
    }

    async fn more(&mut self) -> Result<()> {
        let read = timeout(PATIENCE, framing::read(&self.stream, &mut self.received)).await;
        match read.map_err(|_| "an answer, or its next event, did not come")?? {
            true => Ok(()),
            false => Err("Envoy closed the connection".into()),
        }
    }

    fn reply(&self, head: &Head) -> Reply {
        Reply {
            status: head.status,
            head: head.text(&self.received),
            body: head.body(&self.received),
        }
    }
}

/// Serves one connection of Envoy.
async fn serve(stream: TcpStream, lanes: &[Lane]) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut received = Vec::with_capacity(16 * 1024);
    loop {
        let head = loop {
            match framing::request(&received)? {
                Some(head) => break head,
                None if framing::read(&stream, &mut received).await? => {}
                // Envoy has let go of it.
                None => return Ok(()),
            }
        };
        let text = head.text(&received);
        let number = framing::header(&text, LANE).and_then(|number| number.parse().ok());
        let lane = number.and_then(|number: usize| lanes.get(number));
        let lane = lane.ok_or("a request without its lane")?;
        lane.begun.fetch_add(1, Ordering::Relaxed);
        let end = loop {
            match head.end(&received) {
                Some(end) => break end,
                None if framing::read(&stream, &mut received).await? => {}
                None => return Ok(()),
            }
        };
        let body = head.body(&received);
        *lane.lock_seen() = Seen { head: text, body };
        received.drain(..end);
        let kind = lane.kind.load(Ordering::Relaxed);
        let answer = lane.answers.get(kind).ok_or("no such answer")?;
        for (i, write) in answer.writes.iter().enumerate() {
            if i > 0 {
                lane.next.notified().await;
            }
            framing::write_all(&stream, write).await?;
        }
    }
}
