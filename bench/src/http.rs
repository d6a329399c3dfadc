//! The client that sends the load: it writes requests that are ready as bytes, and reads as little of an answer as it can.
//!
//! Written by hand, because it shares the machine with the Envoy that it measures: a library would build every request
//! anew, and take that time from Envoy's CPUs and caches.

use std::fmt;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::Result;

/// A connection that stays open, or is opened again where an answer closes it.
pub struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    is_closed: bool,
}

/// What a client needs to know of an answer.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Verdict {
    /// The status code.
    pub status: u16,
    /// As in `"code":"NO_RULE"`; empty where the body names none.
    pub code: String,
}

/// A complete answer at the start of what was received: its status, and how many bytes its head and its body have.
struct Answer {
    status: u16,
    head: usize,
    body: usize,
}

/// The longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// More than Envoy's own answers have.
const MAX_HEADERS: usize = 32;

// === impl Connection ===

impl Connection {
    /// Connects to this port of the loopback.
    pub fn open(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Connection {
            stream,
            received: Vec::with_capacity(16 * 1024),
            is_closed: false,
        })
    }

    /// How long the next answer is awaited.
    pub fn set_patience(&self, patience: Duration) -> Result<()> {
        // Zero would mean no limit.
        let patience = patience.max(Duration::from_millis(1));
        Ok(self.stream.set_read_timeout(Some(patience))?)
    }

    /// Writes a whole request.
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        if self.is_closed {
            *self = Connection::open(self.stream.peer_addr()?.port())?;
        }
        Ok(self.stream.write_all(bytes)?)
    }

    /// The status of the next answer, without its headers and body.
    pub fn receive_status(&mut self) -> Result<u16> {
        let answer = self.await_answer()?;
        self.received.drain(..answer.head + answer.body);
        Ok(answer.status)
    }

    /// The status of the next answer, and the code in its body.
    pub fn receive_verdict(&mut self) -> Result<Verdict> {
        let Answer { status, head, body } = self.await_answer()?;
        let text = self.received.get(head..head + body).unwrap_or_default();
        let code = code(&String::from_utf8_lossy(text)).to_owned();
        self.received.drain(..head + body);
        Ok(Verdict { status, code })
    }

    /// The status of the next answer, and its header of this name; empty where it has none.
    pub fn receive_header(&mut self, name: &str) -> Result<(u16, String)> {
        let Answer { status, head, body } = self.await_answer()?;
        let head_bytes = self.received.get(..head).unwrap_or_default();
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        response.parse(head_bytes)?;
        let value = header(&response, name).unwrap_or_default();
        let value = String::from_utf8_lossy(value).into_owned();
        self.received.drain(..head + body);
        Ok((status, value))
    }

    fn await_answer(&mut self) -> Result<Answer> {
        let (answer, closes) = loop {
            match parse_head(&self.received)? {
                Some(found) => break found,
                None => self.read_some()?,
            }
        };
        // Envoy closes after each 400.
        self.is_closed = closes;
        while self.received.len() < answer.head + answer.body {
            self.read_some()?;
        }
        Ok(answer)
    }

    fn read_some(&mut self) -> Result<()> {
        let mut bytes = [0; 16 * 1024];
        let count = self.stream.read(&mut bytes)?;
        if count == 0 {
            return Err("the peer closed the connection".into());
        }
        self.received
            .extend_from_slice(bytes.get(..count).unwrap_or_default());
        Ok(())
    }
}

/// The answer that begins here, and whether it is the last one of its connection. None, while its head is not complete.
fn parse_head(bytes: &[u8]) -> Result<Option<(Answer, bool)>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(bytes)? else {
        return Ok(None);
    };
    // Every answer of this Envoy states its length: it makes all of them itself.
    let length = header(&response, "content-length").unwrap_or(b"0");
    let answer = Answer {
        status: response.code.ok_or("no status line came back")?,
        head,
        body: std::str::from_utf8(length)?.parse()?,
    };
    let closes = header(&response, "connection").is_some_and(|value| value == b"close");
    Ok(Some((answer, closes)))
}

fn header<'a>(response: &httparse::Response<'_, 'a>, name: &str) -> Option<&'a [u8]> {
    let mut headers = response.headers.iter();
    let found = headers.find(|header| header.name.eq_ignore_ascii_case(name));
    found.map(|header| header.value)
}

fn code(body: &str) -> &str {
    let rest = body.split_once("\"code\":\"");
    let code = rest.and_then(|(_, rest)| rest.split_once('"'));
    code.map_or("", |(code, _)| code)
}

// === impl Verdict ===

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        match self.code.as_str() {
            "" => Ok(()),
            code => write!(f, " {code}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_the_one_in_the_body() {
        let body = r#"{"error":"access_denied","error_description":"x","code":"NO_RULE"}"#;
        assert_eq!(code(body), "NO_RULE");
        assert_eq!(code(r#"{"ok":true}"#), "");
        assert_eq!(code(""), "");
    }
}
