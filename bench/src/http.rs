//! As much of HTTP/1.1 as the load needs: requests that are bytes already, answers with a length.

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

pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

/// What a client needs to know of an answer.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Verdict {
    pub status: u16,
    /// As in `"code":"NO_RULE"`; empty where the body names none.
    pub code: String,
}

/// What nobody waits longer for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request that asks to close the connection, as nothing follows.
pub fn get(port: u16, path: &str) -> Result<Answer> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n");
    let mut connection = Connection::open(port)?;
    connection.send(request.as_bytes())?;
    connection.receive()
}

// === impl Connection ===

impl Connection {
    pub fn open(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Connection::over(stream))
    }

    /// How long the next answer is awaited.
    pub fn set_patience(&self, patience: Duration) -> Result<()> {
        // None at all would be no limit.
        let patience = patience.max(Duration::from_millis(1));
        Ok(self.stream.set_read_timeout(Some(patience))?)
    }

    pub fn over(stream: TcpStream) -> Self {
        Connection {
            stream,
            received: Vec::with_capacity(16 * 1024),
            is_closed: false,
        }
    }

    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        if self.is_closed {
            *self = Connection::open(self.stream.peer_addr()?.port())?;
        }
        Ok(self.stream.write_all(bytes)?)
    }

    /// The status of the next answer; its headers and its body are of no interest.
    pub fn receive_status(&mut self) -> Result<u16> {
        let (status, head, length) = self.await_answer()?;
        self.received.drain(..head + length);
        Ok(status)
    }

    /// The status of the next answer, and the code in its body.
    pub fn receive_verdict(&mut self) -> Result<Verdict> {
        let (status, head, length) = self.await_answer()?;
        let body = self.received.get(head..head + length).unwrap_or_default();
        let code = code(&String::from_utf8_lossy(body)).to_owned();
        self.received.drain(..head + length);
        Ok(Verdict { status, code })
    }

    /// Status, bytes of the head, bytes of the body of an answer that is there as a whole.
    fn await_answer(&mut self) -> Result<(u16, usize, usize)> {
        let head = self.await_head()?;
        let text = self.received.get(..head).unwrap_or_default();
        let (status, length) = (status(text)?, content_length(text)?);
        // Envoy closes after each 400.
        let closes = b"\r\nconnection: close\r\n";
        self.is_closed = text.windows(closes.len()).any(|w| w == closes);
        self.await_bytes(head + length)?;
        Ok((status, head, length))
    }

    pub fn receive(&mut self) -> Result<Answer> {
        let length = self.await_head()?;
        let head = String::from_utf8_lossy(self.received.get(..length).unwrap_or_default());
        let head = head.to_ascii_lowercase();
        self.received.drain(..length);
        let body = if head.contains("transfer-encoding: chunked") {
            self.read_chunks()?
        } else {
            let length = content_length(head.as_bytes())?;
            self.await_bytes(length)?;
            self.received.drain(..length).collect()
        };
        Ok(Answer {
            status: status(head.as_bytes())?,
            head,
            body,
        })
    }

    /// The head and the body of a request; none where the peer hung up.
    pub fn receive_request(&mut self) -> Option<(String, Vec<u8>)> {
        let length = self.await_head().ok()?;
        let head = String::from_utf8_lossy(self.received.get(..length)?).to_ascii_lowercase();
        self.received.drain(..length);
        let length = content_length(head.as_bytes()).ok()?;
        self.await_bytes(length).ok()?;
        Some((head, self.received.drain(..length).collect()))
    }

    fn read_chunks(&mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let end = self.await_text(b"\r\n")?;
            let line = String::from_utf8_lossy(self.received.get(..end).unwrap_or_default());
            let size = usize::from_str_radix(line.trim(), 16)?;
            self.received.drain(..end);
            self.await_bytes(size + 2)?;
            body.extend(self.received.drain(..size));
            self.received.drain(..2);
            if size == 0 {
                return Ok(body);
            }
        }
    }

    /// Where the head of what comes next ends.
    fn await_head(&mut self) -> Result<usize> {
        self.await_text(b"\r\n\r\n")
    }

    fn await_text(&mut self, text: &[u8]) -> Result<usize> {
        loop {
            let found = self.received.windows(text.len()).position(|w| w == text);
            match found {
                Some(at) => return Ok(at + text.len()),
                None => self.read_some()?,
            }
        }
    }

    fn await_bytes(&mut self, count: usize) -> Result<()> {
        while self.received.len() < count {
            self.read_some()?;
        }
        Ok(())
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

// === impl Answer ===

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            (found == name).then_some(value)
        })
    }
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

fn code(body: &str) -> &str {
    let rest = body.split_once("\"code\":\"");
    let code = rest.and_then(|(_, rest)| rest.split_once('"'));
    code.map_or("", |(code, _)| code)
}

/// Out of `HTTP/1.1 200 OK`.
fn status(head: &[u8]) -> Result<u16> {
    let digits = head.get(9..12).unwrap_or_default();
    let status = std::str::from_utf8(digits)?.parse();
    Ok(status.map_err(|_| "no status line came back")?)
}

/// None stated: no body.
fn content_length(head: &[u8]) -> Result<usize> {
    const NAME: &[u8] = b"content-length:";
    let line = head.split(|b| *b == b'\n').find(|line| {
        line.get(..NAME.len())
            .is_some_and(|name| name.eq_ignore_ascii_case(NAME))
    });
    match line {
        Some(line) => {
            let value = line.get(NAME.len()..).unwrap_or_default().trim_ascii();
            Ok(std::str::from_utf8(value)?.parse()?)
        }
        None => Ok(0),
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
