//! `authority health URL`: a health check for container images without curl.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(2);

/// Why a server does not count as healthy.
#[derive(Debug)]
pub enum Unhealthy {
    /// The URL is not `http://…`.
    InvalidUrl,
    /// There is no answer.
    Io(io::Error),
    /// The status is not 200. Holds the beginning of the status line.
    Status(String),
}

/// Asks once; healthy is status 200.
pub fn check(url: &str) -> Result<(), Unhealthy> {
    let rest = url.strip_prefix("http://").ok_or(Unhealthy::InvalidUrl)?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let path = if path.is_empty() { "/" } else { path };
    let host = if authority.contains(':') {
        authority.to_owned()
    } else {
        format!("{authority}:80")
    };

    let address = host
        .to_socket_addrs()?
        .next()
        .ok_or(Unhealthy::InvalidUrl)?;
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n"
    )?;

    // The length of `HTTP/1.1 200`; nothing after that matters.
    let mut status_line = [0; 12];
    stream.read_exact(&mut status_line)?;
    if status_line == *b"HTTP/1.1 200" {
        Ok(())
    } else {
        Err(Unhealthy::Status(
            String::from_utf8_lossy(&status_line).into_owned(),
        ))
    }
}

// === impl Unhealthy ===

impl fmt::Display for Unhealthy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidUrl => f.write_str("expected a URL such as http://127.0.0.1:9000/health"),
            Self::Io(error) => write!(f, "no answer: {error}"),
            Self::Status(found) => write!(f, "answered {found:?}"),
        }
    }
}

impl From<io::Error> for Unhealthy {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
