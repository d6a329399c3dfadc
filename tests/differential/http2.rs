//! As much HTTP/2 as it takes to send exactly the bytes that a case names, and to read the answer's body: a library would
//! refuse half of the cases by itself. Headers go out as literals; of those that come in only `:status` is read.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use super::targets::Target;
use crate::envoy::harness::PATIENCE;
use crate::envoy::harness::client::Answer;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY: u8 = 0x20;

/// More than all answers of a connection have together.
const WINDOW: u32 = 1 << 30;

pub struct Connection {
    stream: TcpStream,
    last: u32,
}

struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

impl Connection {
    pub fn open(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let mut connection = Self { stream, last: 0 };
        connection
            .stream
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")?;
        // SETTINGS_HEADER_TABLE_SIZE 0: no answer refers to an earlier one.
        connection.write(SETTINGS, 0, 0, &[0, 1, 0, 0, 0, 0])?;
        connection.write(WINDOW_UPDATE, 0, 0, &WINDOW.to_be_bytes())?;
        Ok(connection)
    }

    /// The answer; nothing where the stream was reset. After an error the connection is of no more use.
    pub fn send(&mut self, target: &Target, token: Option<&str>) -> io::Result<Option<Answer>> {
        let mut block = Vec::new();
        literal(&mut block, ":method", target.method.as_bytes());
        literal(&mut block, ":scheme", b"http");
        if let Some(host) = target.hosts.first() {
            literal(&mut block, ":authority", host);
        }
        literal(&mut block, ":path", &target.line);
        for host in target.hosts.iter().skip(1) {
            literal(&mut block, "host", host);
        }
        for (name, value) in &target.headers {
            literal(&mut block, name, value.as_bytes());
        }
        if let Some(token) = token {
            literal(
                &mut block,
                "authorization",
                format!("Bearer {token}").as_bytes(),
            );
        }
        // Streams that clients open have odd numbers (RFC 9113 §5.1.1).
        self.last = if self.last == 0 { 1 } else { self.last + 2 };
        let last = self.last;
        if target.body {
            self.write(HEADERS, END_HEADERS, last, &block)?;
            self.write(DATA, END_STREAM, last, b"{}")?;
        } else {
            self.write(HEADERS, END_HEADERS | END_STREAM, last, &block)?;
        }
        self.answer(last)
    }

    fn answer(&mut self, stream: u32) -> io::Result<Option<Answer>> {
        let mut answer = Answer {
            status: 0,
            headers: Vec::new(),
            body: Vec::new(),
        };
        loop {
            let frame = self.read()?;
            match frame.kind {
                SETTINGS if frame.flags & ACK == 0 => self.write(SETTINGS, ACK, 0, &[])?,
                PING if frame.flags & ACK == 0 => self.write(PING, ACK, 0, &frame.payload)?,
                GOAWAY => return Err(io::Error::other("the connection ends")),
                RST_STREAM if frame.stream == stream => return Ok(None),
                HEADERS if frame.stream == stream => answer.status = status(&frame),
                DATA if frame.stream == stream => answer.body.extend(frame.content()),
                _ => {}
            }
            let ends = matches!(frame.kind, HEADERS | DATA) && frame.flags & END_STREAM != 0;
            if ends && frame.stream == stream {
                return Ok(Some(answer));
            }
        }
    }

    fn write(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> io::Result<()> {
        let length = u32::try_from(payload.len()).map_err(io::Error::other)?;
        let frame = [
            &length.to_be_bytes()[1..],
            &[kind, flags],
            &stream.to_be_bytes(),
            payload,
        ];
        self.stream.write_all(&frame.concat())
    }

    fn read(&mut self) -> io::Result<Frame> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head)?;
        let [a, b, c, kind, flags, number @ ..] = head;
        let length = u32::from_be_bytes([0, a, b, c]);
        let mut payload = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        self.stream.read_exact(&mut payload)?;
        Ok(Frame {
            kind,
            flags,
            stream: u32::from_be_bytes(number) & 0x7fff_ffff,
            payload,
        })
    }
}

impl Frame {
    /// The payload without padding and priority (RFC 9113 §6.1, §6.2).
    fn content(&self) -> &[u8] {
        let mut content = self.payload.as_slice();
        if self.flags & PADDED != 0 {
            let padding = usize::from(content[0]);
            content = &content[1..content.len() - padding];
        }
        if self.kind == HEADERS && self.flags & PRIORITY != 0 {
            content = &content[5..];
        }
        content
    }
}

/// A header that no table keeps, name and value as they are (RFC 7541 §6.2.2).
fn literal(block: &mut Vec<u8>, name: &str, value: &[u8]) {
    block.push(0);
    for text in [name.as_bytes(), value] {
        // An integer of seven bits and what is beyond (RFC 7541 §5.1).
        match text.len() {
            length @ ..127 => block.push(u8::try_from(length).expect("seven bits")),
            length => {
                block.push(127);
                let mut rest = length - 127;
                while rest >= 128 {
                    block.push(u8::try_from(rest % 128).expect("seven bits") | 0x80);
                    rest /= 128;
                }
                block.push(u8::try_from(rest).expect("seven bits"));
            }
        }
        block.extend(text);
    }
}

/// `:status`, which comes first, where it is one of those that the static table has (RFC 7541 appendix A); else 0.
fn status(headers: &Frame) -> u16 {
    // Before it may stand the new size of the dynamic table.
    let mut fields = headers.content().iter().filter(|byte| *byte & 0xe0 != 0x20);
    match fields.next() {
        Some(0x88) => 200,
        Some(0x8c) => 400,
        Some(0x8d) => 404,
        _ => 0,
    }
}
