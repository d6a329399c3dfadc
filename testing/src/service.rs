//! A scripted HTTP service: an upstream, an identity provider, and all that can go wrong with either.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::{Value, json};

use crate::{PATIENCE, poll, printable};

/// A request that a service received.
#[derive(Clone, Debug)]
pub struct Call {
    /// The method.
    pub method: String,
    /// With the query.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
    /// The trailers in their order.
    pub trailers: Vec<(String, Vec<u8>)>,
}

impl Call {
    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<String> {
        let found = self.headers.iter().find(|(other, _)| other == name)?;
        Some(String::from_utf8_lossy(&found.1).into_owned())
    }

    /// The values of a header that may be there more than once.
    pub fn all(&self, name: &str) -> Vec<String> {
        let named = self.headers.iter().filter(|(other, _)| other == name);
        named
            .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
            .collect()
    }

    /// Reads a call up to its body; `None` at the end of the connection.
    pub fn read_head(reader: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut line = Vec::new();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        let text = String::from_utf8_lossy(&line).into_owned();
        let mut words = text.split_whitespace().map(str::to_owned);
        let (Some(method), Some(path)) = (words.next(), words.next()) else {
            return Err(io::Error::other("no request line"));
        };
        Ok(Some(Call {
            method,
            path,
            headers: read_fields(reader)?,
            body: Vec::new(),
            trailers: Vec::new(),
        }))
    }

    /// Reads the body and the trailers, by length or in chunks (RFC 9112 §6).
    pub fn read_body(&mut self, reader: &mut impl BufRead) -> io::Result<()> {
        if self.header("transfer-encoding").as_deref() == Some("chunked") {
            let mut line = Vec::new();
            loop {
                line.clear();
                reader.read_until(b'\n', &mut line)?;
                let size = String::from_utf8_lossy(line.trim_ascii()).into_owned();
                let size = u64::from_str_radix(&size, 16).map_err(io::Error::other)?;
                if size == 0 {
                    break;
                }
                reader.by_ref().take(size).read_to_end(&mut self.body)?;
                reader.read_until(b'\n', &mut Vec::new())?;
            }
            self.trailers = read_fields(reader)?;
        } else if let Some(length) = self.header("content-length") {
            let length = length.parse().map_err(io::Error::other)?;
            reader.by_ref().take(length).read_to_end(&mut self.body)?;
        }
        Ok(())
    }

    /// The path without its query.
    pub fn route(&self) -> &str {
        self.path.split('?').next().unwrap_or_default()
    }
}

/// What a service does with a call.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Sends a response.
    Answer {
        /// The status code.
        status: u16,
        /// The headers, without those that frame the body.
        headers: Vec<(String, String)>,
        /// The body.
        body: Vec<u8>,
    },
    /// Waits first.
    After(Duration, Box<Reply>),
    /// Hangs up before a status line.
    HangUp,
    /// Announces more than it sends, then resets the connection.
    Truncated(Vec<u8>),
    /// Sends the headers, then a byte at a time and never the last one.
    Trickle,
}

impl Reply {
    /// A 200 with JSON.
    pub fn json(body: &Value) -> Self {
        Self::with(200, "application/json", body.to_string())
    }

    /// A response with this status and body.
    pub fn with(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self::Answer {
            status,
            headers,
            body: body.into(),
        }
    }

    /// A redirection to another address.
    pub fn redirect(to: &str) -> Self {
        Self::Answer {
            status: 302,
            headers: vec![("location".to_owned(), to.to_owned())],
            body: Vec::new(),
        }
    }

    /// Adds a header to the response.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// Sends the reply after a delay.
    pub fn after(self, delay: Duration) -> Self {
        Self::After(delay, Box::new(self))
    }
}

type Script = Arc<dyn Fn(&Call) -> Reply + Send + Sync>;

/// Listens on a port of its own until dropped; may be stopped and resumed on the same port.
pub struct Service {
    shared: Arc<Shared>,
    acceptor: Option<Acceptor>,
    port: u16,
}

struct Shared {
    script: Mutex<Script>,
    calls: Mutex<Vec<Call>>,
    connections: Mutex<Vec<Weak<TcpStream>>>,
}

struct Acceptor {
    stopping: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Service {
    /// Starts a service that answers by this script.
    pub fn start(script: impl Fn(&Call) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("a bound socket").port();
        let shared = Arc::new(Shared {
            script: Mutex::new(Arc::new(script)),
            calls: Mutex::default(),
            connections: Mutex::default(),
        });
        let acceptor = Some(Acceptor::start(listener, Arc::clone(&shared)));
        Self {
            shared,
            acceptor,
            port,
        }
    }

    /// An upstream that answers with what it received.
    pub fn echo() -> Self {
        Self::start(|call| {
            let pairs = |pairs: &[(String, Vec<u8>)]| -> Vec<_> {
                let pair = |(name, value): &(String, Vec<u8>)| json!([name, printable(value)]);
                pairs.iter().map(pair).collect()
            };
            let echo = Reply::json(&json!({
                "method": call.method, "path": call.path, "headers": pairs(&call.headers),
                "body_bytes": call.body.len(), "trailers": pairs(&call.trailers),
            }));
            let delay = call
                .header("x-upstream-delay-ms")
                .and_then(|delay| delay.parse().ok());
            echo.header("x-echo", "yes")
                .after(Duration::from_millis(delay.unwrap_or_default()))
        })
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Answers by another script from now on.
    pub fn script(&self, script: impl Fn(&Call) -> Reply + Send + Sync + 'static) {
        *lock(&self.shared.script) = Arc::new(script);
    }

    /// All calls so far.
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.shared.calls).clone()
    }

    /// Forgets all calls, so that a long test does not keep them in memory.
    pub fn forget_calls(&self) {
        lock(&self.shared.calls).clear();
    }

    /// How often this path was requested, with any query.
    pub fn count(&self, route: &str) -> usize {
        lock(&self.shared.calls)
            .iter()
            .filter(|call| call.route() == route)
            .count()
    }

    /// Waits until the path was requested `count` times; panics if that never happens.
    pub fn await_count(&self, route: &str, count: usize) {
        let reached = poll(PATIENCE, || (self.count(route) >= count).then_some(()));
        assert!(
            reached.is_some(),
            "{route} was to be called {count} times, but was {} times",
            self.count(route)
        );
    }

    /// Refuses connections and resets those that are open.
    pub fn stop(&mut self) {
        if let Some(acceptor) = self.acceptor.take() {
            acceptor.stop(self.port);
        }
        for connection in lock(&self.shared.connections)
            .drain(..)
            .filter_map(|open| open.upgrade())
        {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    /// Accepts connections again, on the same port.
    pub fn resume(&mut self) {
        let listener = poll(PATIENCE, || {
            TcpListener::bind(("127.0.0.1", self.port)).ok()
        })
        .expect("its port is free again");
        self.acceptor = Some(Acceptor::start(listener, Arc::clone(&self.shared)));
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Acceptor {
    fn start(listener: TcpListener, shared: Arc<Shared>) -> Self {
        let stopping = Arc::new(AtomicBool::new(false));
        let asked_to_stop = Arc::clone(&stopping);
        let thread = thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                if asked_to_stop.load(Ordering::SeqCst) {
                    break;
                }
                let shared = Arc::clone(&shared);
                // A caller that hangs up ends only its own connection.
                thread::spawn(move || shared.serve(connection));
            }
        });
        Self { stopping, thread }
    }

    fn stop(self, port: u16) {
        self.stopping.store(true, Ordering::SeqCst);
        // Wakes the thread from accept().
        let _ = TcpStream::connect(("127.0.0.1", port));
        let _ = self.thread.join();
    }
}

impl Shared {
    fn serve(&self, connection: TcpStream) -> io::Result<()> {
        let connection = Arc::new(connection);
        {
            let mut connections = lock(&self.connections);
            connections.retain(|open| open.strong_count() > 0);
            connections.push(Arc::downgrade(&connection));
        }
        let mut reader = BufReader::new(&*connection);
        let call = Call::read_head(&mut reader)?;
        let mut call = call.ok_or_else(|| io::Error::other("no request"))?;
        call.read_body(&mut reader)?;
        lock(&self.calls).push(call.clone());
        let script = Arc::clone(&lock(&self.script));
        perform(script(&call), &connection)?;
        connection.shutdown(Shutdown::Both)
    }
}

/// Header or trailer fields, up to the line that ends them.
fn read_fields(reader: &mut impl BufRead) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut fields = Vec::new();
    loop {
        let mut line = Vec::new();
        reader.read_until(b'\n', &mut line)?;
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            return Ok(fields);
        };
        // Values reach the case as they came: only the white space around them is not theirs.
        let name = String::from_utf8_lossy(&line[..colon]).to_ascii_lowercase();
        fields.push((name, line[colon + 1..].trim_ascii().to_vec()));
    }
}

fn perform(reply: Reply, mut connection: &TcpStream) -> io::Result<()> {
    match reply {
        Reply::Answer {
            status,
            headers,
            body,
        } => {
            let mut head = format!(
                "HTTP/1.1 {status} Scripted\r\ncontent-length: {}\r\nconnection: close\r\n",
                body.len()
            );
            for (name, value) in headers {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            head.push_str("\r\n");
            connection.write_all(&[head.as_bytes(), &body].concat())
        }
        Reply::After(delay, reply) => {
            thread::sleep(delay);
            perform(*reply, connection)
        }
        Reply::HangUp => Ok(()),
        Reply::Truncated(body) => {
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n",
                body.len() + 100
            );
            connection.write_all(&[head.as_bytes(), &body].concat())
        }
        Reply::Trickle => {
            connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n{")?;
            loop {
                thread::sleep(Duration::from_millis(100));
                connection.write_all(b" ")?;
            }
        }
    }
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
