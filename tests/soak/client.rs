//! A client that sends its bodies in pieces, reads an answer that comes before it has sent them all, and may leave.

use std::fmt::Write as _;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use portcullis_testing::printable;

use crate::harness::client::{Answer, Request, request};
use crate::history::{Moment, now};

/// What ends a request that nobody else ends: a hung one.
const FOR_EVER: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, Default)]
pub struct Message {
    pub method: &'static str,
    pub path: String,
    pub host: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub pieces: Pieces,
    /// Where it is chunked.
    pub trailers: Vec<(String, String)>,
}

/// How a body is sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pieces {
    pub bytes: usize,
    pub pause: Duration,
    pub chunked: bool,
}

/// How a request ended.
pub enum End {
    Answered(Answer),
    /// Without an answer.
    Broken(io::Error),
    /// The client did not wait for it.
    Left,
}

pub struct Connection {
    stream: TcpStream,
    pub opened: Moment,
    /// When the first answer was there.
    pub answered: Option<Moment>,
}

impl Connection {
    pub fn open(port: u16) -> io::Result<Self> {
        let opened = now();
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(Duration::from_millis(100)))?;
        Ok(Self {
            stream,
            opened,
            answered: None,
        })
    }

    /// Sends a message and waits for its answer, or leaves after `patience`.
    pub fn send(&mut self, message: &Message, patience: Option<Duration>) -> End {
        let began = Instant::now();
        let leaves = || patience.is_some_and(|patience| began.elapsed() >= patience);
        match self.write(message, &leaves) {
            Ok(true) => return End::Left,
            Ok(false) => {}
            // What the gateway said before it closed is its answer.
            Err(error) if self.has_answer(Duration::ZERO) => drop(error),
            Err(error) => return End::Broken(error),
        }
        while !self.has_answer(Duration::from_millis(20)) {
            if leaves() {
                return End::Left;
            }
            if began.elapsed() > FOR_EVER {
                return End::Broken(io::Error::other("no answer: the request hangs"));
            }
        }
        match self.read() {
            Ok(answer) => {
                self.answered.get_or_insert_with(now);
                End::Answered(answer)
            }
            Err(error) => End::Broken(error),
        }
    }

    fn read(&mut self) -> io::Result<Answer> {
        self.stream.set_read_timeout(Some(FOR_EVER))?;
        Answer::read(&mut self.stream, false)
    }

    /// Whether the client left before all was sent. A client that gets its answer early stops sending.
    fn write(&mut self, message: &Message, leaves: &impl Fn() -> bool) -> io::Result<bool> {
        let Message { body, pieces, .. } = message;
        self.write_all(message.head().as_bytes(), leaves)?;
        for piece in body.chunks(pieces.bytes.max(1)) {
            if self.has_answer(pieces.pause) {
                return Ok(false);
            }
            let sent = match pieces.chunked {
                true => {
                    let head = format!("{:x}\r\n", piece.len());
                    self.write_all(&[head.as_bytes(), piece, b"\r\n"].concat(), leaves)?
                }
                false => self.write_all(piece, leaves)?,
            };
            if !sent {
                return Ok(leaves());
            }
        }
        if pieces.chunked && !body.is_empty() {
            let trailers = message.trailers.iter();
            let lines: String = trailers
                .map(|(name, value)| format!("{name}: {value}\r\n"))
                .collect();
            self.write_all(format!("0\r\n{lines}\r\n").as_bytes(), leaves)?;
        }
        Ok(false)
    }

    /// False where the client left or was answered before the last byte. The gateway may hold back for as long as it decides.
    fn write_all(&mut self, mut bytes: &[u8], leaves: &impl Fn() -> bool) -> io::Result<bool> {
        let began = Instant::now();
        while !bytes.is_empty() {
            match self.stream.write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if is_timeout(&error) => {
                    if leaves() || self.has_answer(Duration::ZERO) {
                        return Ok(false);
                    }
                    if began.elapsed() > FOR_EVER {
                        return Err(io::Error::other(
                            "the gateway takes no more: the request hangs",
                        ));
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Waits so long for the first byte of an answer, or for the end of the connection.
    fn has_answer(&self, wait: Duration) -> bool {
        // A timeout of zero is an error.
        let wait = wait.max(Duration::from_millis(1));
        if self.stream.set_read_timeout(Some(wait)).is_err() {
            return true;
        }
        match self.stream.peek(&mut [0]) {
            Ok(_) => true,
            Err(error) => !is_timeout(&error),
        }
    }

    /// Whether it may carry another request.
    pub fn is_open_after(&self, answer: &Answer) -> bool {
        answer.header("connection").is_none_or(|it| it != "close")
    }

    /// The other side has closed, or says something that nobody asked for.
    pub fn is_over(&self) -> bool {
        self.has_answer(Duration::ZERO)
    }

    /// Ends the connection at once.
    pub fn leave(mut self) {
        // What is left unread makes it a reset, as from a client that crashed.
        let _ = self.stream.set_nonblocking(true);
        let _ = self.stream.read(&mut [0; 16]);
    }
}

fn is_timeout(error: &io::Error) -> bool {
    [
        ErrorKind::WouldBlock,
        ErrorKind::TimedOut,
        ErrorKind::Interrupted,
    ]
    .contains(&error.kind())
}

impl Message {
    fn head(&self) -> String {
        let Self {
            method,
            path,
            host,
            headers,
            body,
            pieces,
            trailers: _,
        } = self;
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n");
        for (name, value) in headers {
            write!(head, "{name}: {value}\r\n").expect("a string takes it");
        }
        if !body.is_empty() {
            match pieces.chunked {
                true => head.push_str("transfer-encoding: chunked\r\n"),
                false => {
                    write!(head, "content-length: {}\r\n", body.len()).expect("a string takes it")
                }
            }
        }
        head + "\r\n"
    }

    pub fn to_http2(&self) -> Request {
        let mut http2 = request(self.method, &self.path).host(&self.host);
        for (name, value) in &self.headers {
            http2 = http2.header(name, value);
        }
        if !self.pieces.chunked {
            return http2.body(&self.body);
        }
        let pieces = self.body.chunks(self.pieces.bytes);
        let http2 = pieces.fold(http2, Request::piece);
        let trailers = self.trailers.iter();
        trailers.fold(http2, |http2, (name, value)| http2.trailer(name, value))
    }

    /// What a report shows of it.
    pub fn summary(&self) -> String {
        let mut head = self.head();
        let end = head.len().min(1500);
        head.truncate(end);
        head += &format!("{:?}", self.trailers);
        format!(
            "{} + {} bytes as {:?}",
            printable(head.as_bytes()),
            self.body.len(),
            self.pieces
        )
    }
}
