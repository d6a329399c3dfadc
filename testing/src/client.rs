//! An HTTP/1.1 client that sends exactly the bytes a case names: doubled headers, values that are no UTF-8,
//! paths that a library would tidy up.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::{PATIENCE, printable};

/// A request, built piece by piece and sent without changes.
#[derive(Clone)]
pub struct Request {
    method: String,
    path: Vec<u8>,
    host: Option<Vec<u8>>,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    body: Vec<u8>,
    /// Replaces `body`: pieces that are sent one by one, and trailers.
    pieces: Option<Pieces>,
}

/// A body that is sent in pieces, and its trailers.
#[derive(Clone, Default)]
pub struct Pieces {
    /// The pieces of the body.
    pub body: Vec<Vec<u8>>,
    /// The trailers.
    pub trailers: Vec<(String, String)>,
}

/// A `GET` of a path.
pub fn get(path: impl AsRef<[u8]>) -> Request {
    request("GET", path)
}

/// A request with any method, for the host `api.example.com`.
pub fn request(method: &str, path: impl AsRef<[u8]>) -> Request {
    Request {
        method: method.to_owned(),
        path: path.as_ref().to_vec(),
        host: Some(b"api.example.com".to_vec()),
        headers: Vec::new(),
        body: Vec::new(),
        pieces: None,
    }
}

/// Long enough for Envoy to read one piece before the next.
pub const BETWEEN_PIECES: Duration = Duration::from_millis(10);

impl Request {
    /// Adds a header; a second one of the same name is a second line.
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers
            .push((name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// Adds `Authorization: Bearer`.
    pub fn bearer(self, token: impl AsRef<[u8]>) -> Self {
        self.header("authorization", [b"Bearer ", token.as_ref()].concat())
    }

    /// Replaces the host.
    pub fn host(mut self, host: impl AsRef<[u8]>) -> Self {
        self.host = Some(host.as_ref().to_vec());
        self
    }

    /// Sets a body of known length.
    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self
    }

    /// A body of no known length (RFC 9112 §7.1): each piece by itself, with a moment between them.
    pub fn piece(mut self, piece: impl AsRef<[u8]>) -> Self {
        let pieces = self.pieces.get_or_insert_default();
        pieces.body.push(piece.as_ref().to_vec());
        self
    }

    /// Adds a trailer, which is sent after the pieces.
    pub fn trailer(mut self, name: &str, value: &str) -> Self {
        let pieces = self.pieces.get_or_insert_default();
        pieces.trailers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The request for an HTTP/2 client.
    pub fn parts(&self) -> (http::Request<()>, Pieces) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let host = self.host.as_deref().unwrap_or_default();
        let mut head = http::Request::builder()
            .method(self.method.as_str())
            .uri(format!("http://{}{}", text(host), text(&self.path)))
            .version(http::Version::HTTP_2);
        for (name, value) in &self.headers {
            head = head.header(name.as_slice(), value.as_slice());
        }
        let mut pieces = self.pieces.clone().unwrap_or_default();
        if !self.body.is_empty() {
            head = head.header("content-length", self.body.len());
            pieces.body = vec![self.body.clone()];
        }
        (head.body(()).expect("a request"), pieces)
    }

    /// Sends the request on a new connection and reads the answer.
    pub fn send(&self, port: u16) -> io::Result<Answer> {
        let mut stream = self.begin(port)?;
        Answer::read(&mut stream, self.method == "HEAD")
    }

    /// Sends the request and leaves the answer to the caller, who may also hang up.
    pub fn begin(&self, port: u16) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        stream.write_all(&self.bytes("close"))?;
        if let Some(Pieces { body, trailers }) = &self.pieces {
            for piece in body {
                thread::sleep(BETWEEN_PIECES);
                let size = format!("{:x}\r\n", piece.len());
                stream.write_all(&[size.as_bytes(), piece, b"\r\n"].concat())?;
            }
            thread::sleep(BETWEEN_PIECES);
            let trailers = trailers
                .iter()
                .map(|(name, value)| format!("{name}: {value}\r\n"));
            let end = format!("0\r\n{}\r\n", trailers.collect::<String>());
            stream.write_all(end.as_bytes())?;
        }
        Ok(stream)
    }

    /// What must never come back nor be logged: every run of token characters as long as a signature or a key.
    pub fn secrets(&self) -> impl Iterator<Item = &[u8]> {
        let values = self.headers.iter().map(|(_, value)| value.as_slice());
        values
            .chain([self.path.as_slice()])
            .flat_map(|text| {
                text.split(|byte| !byte.is_ascii_alphanumeric() && !b"-_".contains(byte))
            })
            .filter(|run| run.len() >= 40)
    }

    fn bytes(&self, connection: &str) -> Vec<u8> {
        let mut bytes = [self.method.as_bytes(), b" ", &self.path, b" HTTP/1.1\r\n"].concat();
        let mut line =
            |name: &[u8], value: &[u8]| bytes.extend([name, b": ", value, b"\r\n"].concat());
        if let Some(host) = &self.host {
            line(b"host", host);
        }
        for (name, value) in &self.headers {
            line(name, value);
        }
        line(b"connection", connection.as_bytes());
        if self.pieces.is_some() {
            line(b"transfer-encoding", b"chunked");
        }
        if !self.body.is_empty() {
            line(b"content-length", self.body.len().to_string().as_bytes());
        }
        bytes.extend(b"\r\n");
        bytes.extend(&self.body);
        bytes
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_escaped(out, &self.bytes("close"))
    }
}

/// A connection that stays open, so all its requests go to one worker of Envoy.
pub struct Connection(TcpStream);

impl Connection {
    /// Connects to a local port.
    pub fn open(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self(stream))
    }

    /// Sends a request and reads its answer.
    pub fn send(&mut self, request: &Request) -> io::Result<Answer> {
        self.0.write_all(&request.bytes("keep-alive"))?;
        Answer::read(&mut self.0, request.method == "HEAD")
    }
}

/// An HTTP response.
#[derive(Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers in their order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// Reads a response. The response to a `HEAD` request has no body.
    pub fn read(stream: &mut TcpStream, to_head: bool) -> io::Result<Self> {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        reader.read_until(b'\n', &mut line)?;
        let status = String::from_utf8_lossy(&line)
            .split_whitespace()
            .nth(1)
            .and_then(|status| status.parse().ok())
            .ok_or_else(|| io::Error::other(format!("no status line: `{}`", printable(&line))))?;
        let mut headers = Vec::new();
        loop {
            line.clear();
            reader.read_until(b'\n', &mut line)?;
            let trimmed = line.trim_ascii_end();
            if trimmed.is_empty() {
                break;
            }
            let colon = trimmed
                .iter()
                .position(|byte| *byte == b':')
                .ok_or_else(|| io::Error::other("no colon"))?;
            let name = String::from_utf8_lossy(&trimmed[..colon]).to_ascii_lowercase();
            headers.push((name, trimmed[colon + 1..].trim_ascii().to_vec()));
        }
        let mut answer = Answer {
            status,
            headers,
            body: Vec::new(),
        };
        if !to_head && status != 204 && status != 304 {
            answer.body = answer.read_body(&mut reader)?;
        }
        Ok(answer)
    }

    fn read_body(&self, reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        if self
            .header("transfer-encoding")
            .is_some_and(|coding| coding.contains("chunked"))
        {
            loop {
                let mut size = String::new();
                reader.read_line(&mut size)?;
                let size = u64::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
                reader.by_ref().take(size).read_to_end(&mut body)?;
                reader.read_line(&mut String::new())?;
                if size == 0 {
                    break;
                }
            }
        } else if let Some(length) = self
            .header("content-length")
            .and_then(|length| length.parse().ok())
        {
            reader.take(length).read_to_end(&mut body)?;
        } else {
            reader.read_to_end(&mut body)?;
        }
        Ok(body)
    }

    /// The header's only value; `None` where it is absent or there more than once.
    pub fn header(&self, name: &str) -> Option<String> {
        match self.all(name).as_slice() {
            [only] => Some(only.clone()),
            _ => None,
        }
    }

    /// All values of a header.
    pub fn all(&self, name: &str) -> Vec<String> {
        let values = self.headers.iter().filter(|(other, _)| other == name);
        values
            .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
            .collect()
    }

    /// The body as JSON.
    pub fn json(&self) -> Result<Value, String> {
        serde_json::from_slice(&self.body).map_err(|error| format!("the body is no JSON: {error}"))
    }

    /// The request as the echoing upstream received it; otherwise how the request ended.
    pub fn seen(&self) -> Result<Seen, String> {
        if self.header("x-echo").is_none() {
            return Err(format!(
                "the upstream was to answer, but {} came from the gateway",
                self.status
            ));
        }
        let seen = self.json()?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let pairs = seen["headers"].as_array().into_iter().flatten();
        Ok(Seen {
            path: text(&seen["path"]),
            headers: pairs.map(|pair| (text(&pair[0]), text(&pair[1]))).collect(),
            trailers: seen["trailers"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|pair| (text(&pair[0]), text(&pair[1])))
                .collect(),
            body_bytes: seen["body_bytes"].as_u64().unwrap_or_default(),
        })
    }

    /// Whether the bytes occur in the headers or the body.
    pub fn contains(&self, secret: &[u8]) -> bool {
        let values = self.headers.iter().map(|(_, value)| value.as_slice());
        values
            .chain([self.body.as_slice()])
            .any(|text| text.windows(secret.len()).any(|window| window == secret))
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{}", self.status)?;
        for (name, value) in &self.headers {
            writeln!(out, "{name}: {}", printable(value))?;
        }
        writeln!(out)?;
        write_escaped(out, &self.body)
    }
}

/// A request as the upstream received it, in printable ASCII.
#[derive(Debug)]
pub struct Seen {
    /// The path with its query.
    pub path: String,
    /// The headers in their order.
    pub headers: Vec<(String, String)>,
    /// The trailers in their order.
    pub trailers: Vec<(String, String)>,
    /// The length of the body.
    pub body_bytes: u64,
}

impl Seen {
    /// All values of a header.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let values = self.headers.iter().filter(|(other, _)| other == name);
        values.map(|(_, value)| value.as_str()).collect()
    }
}

fn write_escaped(out: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    for line in bytes.split(|byte| *byte == b'\n') {
        let shown = &line[..line.len().min(2000)];
        writeln!(
            out,
            "{}",
            printable(shown.strip_suffix(b"\r").unwrap_or(shown))
        )?;
    }
    Ok(())
}
