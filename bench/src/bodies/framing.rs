//! Where an HTTP/1.1 message begins and ends (RFC 9112 §6), for messages that come one after the other.

use bench::Result;
use tokio::net::TcpStream;

/// The head of a message.
pub struct Head {
    /// Of an answer; else 0.
    pub status: u16,
    /// How long it is.
    pub bytes: usize,
    framing: Framing,
}

/// Where the body ends.
enum Framing {
    Length(usize),
    Chunked,
}

/// More than anyone here sends.
const MAX_HEADERS: usize = 48;

/// How much is read at once.
const PIECE: usize = 64 * 1024;

/// What ends the last chunk of a body without trailers.
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// The head of an answer; none, while it is not complete.
pub fn response(bytes: &[u8]) -> Result<Option<Head>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    match response.parse(bytes)? {
        httparse::Status::Partial => Ok(None),
        httparse::Status::Complete(bytes) => Ok(Some(Head {
            status: response.code.unwrap_or_default(),
            bytes,
            framing: Framing::of(response.headers)?,
        })),
    }
}

/// The head of a request; none, while it is not complete.
pub fn request(bytes: &[u8]) -> Result<Option<Head>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes)? {
        httparse::Status::Partial => Ok(None),
        httparse::Status::Complete(bytes) => Ok(Some(Head {
            status: 0,
            bytes,
            framing: Framing::of(request.headers)?,
        })),
    }
}

/// The value of a header, by its name in lower case.
pub fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let fields = head.lines().filter_map(|line| line.split_once(": "));
    let mut named = fields.filter(|(found, _)| *found == name);
    named.next().map(|(_, value)| value)
}

/// Reads what is there, or waits for it; false at the connection's end.
pub async fn read(stream: &TcpStream, received: &mut Vec<u8>) -> Result<bool> {
    let begin = received.len();
    loop {
        stream.readable().await?;
        received.resize(begin + PIECE, 0);
        let read = stream.try_read(received.get_mut(begin..).unwrap_or_default());
        received.truncate(begin + *read.as_ref().unwrap_or(&0));
        match read {
            Ok(count) => return Ok(count > 0),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Writes all of it.
pub async fn write_all(stream: &TcpStream, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        match stream.try_write(bytes) {
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                stream.writable().await?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

// === impl Head ===

impl Head {
    /// Where the message ends that begins the bytes; none, while its end is not there.
    pub fn end(&self, bytes: &[u8]) -> Option<usize> {
        let body = bytes.get(self.bytes..)?;
        match self.framing {
            Framing::Length(length) => (body.len() >= length).then_some(self.bytes + length),
            Framing::Chunked => {
                // A chunk ends with a line feed, and no data here has a carriage return.
                let is_whole = body == LAST_CHUNK
                    || body
                        .strip_suffix(LAST_CHUNK)
                        .is_some_and(|before| before.ends_with(b"\r\n"));
                is_whole.then_some(bytes.len())
            }
        }
    }

    /// The head as text.
    pub fn text(&self, bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes.get(..self.bytes).unwrap_or_default()).into_owned()
    }

    /// The body of a message that is complete.
    pub fn body(&self, bytes: &[u8]) -> Vec<u8> {
        let body = bytes.get(self.bytes..).unwrap_or_default();
        match self.framing {
            Framing::Length(length) => body.get(..length).unwrap_or_default().to_vec(),
            Framing::Chunked => joined(body),
        }
    }
}

/// The data of all chunks.
fn joined(mut chunks: &[u8]) -> Vec<u8> {
    let mut data = Vec::with_capacity(chunks.len());
    while let Ok(httparse::Status::Complete((head, length))) = httparse::parse_chunk_size(chunks) {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let end = head.saturating_add(length);
        data.extend_from_slice(chunks.get(head..end).unwrap_or_default());
        // The line feed behind the data.
        chunks = chunks.get(end.saturating_add(2)..).unwrap_or_default();
    }
    data
}

// === impl Framing ===

impl Framing {
    fn of(headers: &[httparse::Header<'_>]) -> Result<Self> {
        let value = |name: &str| {
            let mut named = headers
                .iter()
                .filter(|it| it.name.eq_ignore_ascii_case(name));
            named.next().map(|it| it.value)
        };
        if value("transfer-encoding") == Some(b"chunked") {
            return Ok(Framing::Chunked);
        }
        let length = std::str::from_utf8(value("content-length").unwrap_or(b"0"))?;
        Ok(Framing::Length(length.parse()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_ends_where_its_framing_says() {
        for (message, body) in [
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab\n\nc",
                "ab\n\nc",
            ),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\nA\r\n0123456\n\n0\r\n0\r\n\r\n",
                "ab0123456\n\n0",
            ),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
                "",
            ),
        ] {
            let bytes = message.as_bytes();
            for cut in 0..bytes.len() {
                let begun = &bytes[..cut];
                let head = response(begun).unwrap();
                assert!(head.is_none_or(|head| head.end(begun).is_none()), "{cut}");
            }
            let head = response(bytes).unwrap().unwrap();
            assert_eq!(head.end(bytes), Some(bytes.len()));
            assert_eq!(head.body(bytes), body.as_bytes());
        }
    }
}
