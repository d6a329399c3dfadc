//! As much HTTP as the tests need.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

const TIMEOUT: Duration = Duration::from_secs(20);

#[derive(Clone)]
pub struct Request {
    head: String,
    hosts: Vec<String>,
    body: Vec<u8>,
}

#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

// === impl Request ===

impl Request {
    pub fn new(method: &str, path: &str) -> Self {
        Self {
            head: format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n"),
            hosts: vec!["localhost".to_owned()],
            body: Vec::new(),
        }
    }

    /// In place of localhost: one Host header for each.
    pub fn hosts(mut self, hosts: &[&str]) -> Self {
        self.hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.head.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    pub fn basic(self, id: &str, secret: &str) -> Self {
        let credentials = STANDARD.encode(format!("{id}:{secret}"));
        self.header("authorization", &format!("Basic {credentials}"))
    }

    pub fn form(self, body: impl Into<String>) -> Self {
        self.header("content-type", "application/x-www-form-urlencoded")
            .body(body)
    }

    pub fn json(self, body: impl Into<String>) -> Self {
        self.header("content-type", "application/json").body(body)
    }

    pub fn body(mut self, body: impl Into<String>) -> Self {
        self.body = body.into().into_bytes();
        self
    }

    pub fn try_send(self, address: &str) -> io::Result<Response> {
        let mut stream = self.connect(address)?;
        stream.write_all(&self.body)?;
        Response::read(stream)
    }

    /// RFC 9110 §10.1.1: when the server says that it waits for the body, its answer is under way.
    pub fn try_send_around(self, address: &str, pause: impl FnOnce()) -> io::Result<Response> {
        const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
        let waiting = self.header("expect", "100-continue");
        let mut stream = waiting.connect(address)?;
        let mut interim = [0; CONTINUE.len()];
        stream.read_exact(&mut interim)?;
        assert_eq!(interim, CONTINUE);
        pause();
        stream.write_all(&waiting.body)?;
        Response::read(stream)
    }

    fn connect(&self, address: &str) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        let hosts = self.hosts.iter().map(|host| format!("host: {host}\r\n"));
        let (head, hosts) = (&self.head, hosts.collect::<String>());
        let head = format!("{head}{hosts}content-length: {}\r\n\r\n", self.body.len());
        stream.write_all(head.as_bytes())?;
        Ok(stream)
    }
}

// === impl Response ===

impl Response {
    fn read(mut stream: TcpStream) -> io::Result<Self> {
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Self::parse(&answer).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// `None`: cut off. Every answer of the server says how long it is.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let status = lines
            .next()?
            .strip_prefix("HTTP/1.1 ")?
            .get(..3)?
            .parse()
            .ok()?;
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let response = Self {
            status,
            headers,
            body: body.to_owned(),
        };
        let length = response
            .header("content-length")
            .map(|length| length.parse::<usize>());
        match length {
            Some(Ok(length)) if length != body.len() => None,
            _ => Some(response),
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }
}
