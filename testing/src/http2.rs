//! The same requests over HTTP/2, with trailers.

use std::future::poll_fn;
use std::io;

use h2::SendStream;
use h2::client;
use h2::ext::Protocol;
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::time::{sleep, timeout};

use crate::PATIENCE;
use crate::client::{Answer, BETWEEN_PIECES, Pieces, Request};

/// Sends a request with prior knowledge (RFC 9113 §3.3): each piece is a DATA frame or more.
pub fn send(request: &Request, port: u16) -> io::Result<Answer> {
    send_for(request, None, port)
}

/// Asks for a WebSocket: `CONNECT` with a `:protocol` (RFC 8441 §4).
pub fn open_socket(request: &Request, port: u16) -> io::Result<Answer> {
    send_for(request, Some(Protocol::from_static("websocket")), port)
}

fn send_for(request: &Request, protocol: Option<Protocol>, port: u16) -> io::Result<Answer> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        let exchanged = timeout(PATIENCE, exchange(request, protocol, stream)).await;
        exchanged
            .map_err(io::Error::other)?
            .map_err(io::Error::other)
    })
}

async fn exchange(
    request: &Request,
    protocol: Option<Protocol>,
    stream: TcpStream,
) -> Result<Answer, h2::Error> {
    let (client, connection) = client::handshake(stream).await?;
    tokio::spawn(connection);
    let mut client = client.ready().await?;
    let (mut head, pieces) = request.parts();
    if let Some(protocol) = protocol {
        // Only a server that has said so takes it.
        while !client.is_extended_connect_protocol_enabled() {
            sleep(BETWEEN_PIECES).await;
        }
        *head.method_mut() = http::Method::CONNECT;
        head.extensions_mut().insert(protocol);
    }
    let is_all = pieces.body.is_empty() && pieces.trailers.is_empty();
    let (answer, body) = client.send_request(head, is_all)?;
    if !is_all {
        // A request that is refused before its body is sent still gets its answer.
        tokio::spawn(upload(body, pieces));
    }
    let (head, mut body) = answer.await?.into_parts();
    let headers = head.headers.iter();
    let mut answer = Answer {
        status: head.status.as_u16(),
        headers: headers
            .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
            .collect(),
        body: Vec::new(),
    };
    while let Some(chunk) = body.data().await {
        let chunk = chunk?;
        body.flow_control().release_capacity(chunk.len())?;
        answer.body.extend_from_slice(&chunk);
    }
    Ok(answer)
}

async fn upload(mut body: SendStream<bytes::Bytes>, pieces: Pieces) -> Result<(), h2::Error> {
    let last = pieces.body.len().saturating_sub(1);
    for (i, piece) in pieces.body.iter().enumerate() {
        let mut rest = bytes::Bytes::copy_from_slice(piece);
        while !rest.is_empty() {
            body.reserve_capacity(rest.len());
            let Some(room) = poll_fn(|context| body.poll_capacity(context)).await else {
                return Ok(());
            };
            body.send_data(rest.split_to(room?.min(rest.len())), false)?;
        }
        if i < last {
            sleep(BETWEEN_PIECES).await;
        }
    }
    if pieces.trailers.is_empty() {
        return body.send_data(bytes::Bytes::new(), true);
    }
    let mut trailers = http::HeaderMap::new();
    for (name, value) in &pieces.trailers {
        let name = http::HeaderName::from_bytes(name.as_bytes()).expect("a name");
        trailers.append(name, http::HeaderValue::from_str(value).expect("a value"));
    }
    body.send_trailers(trailers)
}
