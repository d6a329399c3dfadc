//! HTTP/1.1 and HTTP/2 with prior knowledge, on one port.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, TRAILER};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::channel::Channel;
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use portcullis_testing::service::Call;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use crate::chunks::{Chunk, chunks};
use crate::delivery::Delivery;
use crate::form::{self, Form};
use crate::journal::{End, Journal};
use crate::question::Question;
use crate::steering::{Api, Steering};

type Body = Either<Full<Bytes>, Channel<Bytes, io::Error>>;

/// Serves every connection, for ever.
pub async fn serve(listener: TcpListener, journal: Arc<Journal>) {
    loop {
        // What fails here is one connection, or the number of open files, which gets smaller again.
        if let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(serve_connection(connection, Arc::clone(&journal)));
        }
    }
}

async fn serve_connection(connection: TcpStream, journal: Arc<Journal>) {
    let _ = connection.set_nodelay(true);
    let service = service_fn(|request| respond(request, Arc::clone(&journal)));
    let server = auto::Builder::new(TokioExecutor::new());
    // An error is a connection that ended early, by the client's wish or the request's.
    let _ = server
        .serve_connection(TokioIo::new(connection), service)
        .await;
}

/// An error ends the connection, or the stream of HTTP/2, without an answer.
async fn respond(
    request: Request<Incoming>,
    journal: Arc<Journal>,
) -> Result<Response<Body>, io::Error> {
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/healthz") => return Ok(json(StatusCode::OK, &json!({ "ok": true }))),
        (&Method::GET, "/requests") => return Ok(json(StatusCode::OK, &journal.json())),
        _ => {}
    }
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?;
    let trailers = body.trailers().map(fields).unwrap_or_default();
    let path = head.uri.path_and_query();
    let call = Call {
        method: head.method.to_string(),
        path: path.map_or_else(String::new, ToString::to_string),
        headers: fields(&head.headers),
        body: body.to_bytes().to_vec(),
        trailers,
    };
    let body = call.body.clone();
    let number = journal.enter(call);

    let path = head.uri.path();
    let refuse = |api: Option<Api>, status: StatusCode, message: &str| {
        journal.begin(number, status.as_u16());
        journal.end(number, End::Complete);
        Ok(json(status, &form::error(api, status.as_u16(), message)))
    };
    let steering = match Steering::read(&head.headers) {
        Ok(steering) => steering,
        Err(unknown) => return refuse(None, StatusCode::BAD_REQUEST, &unknown),
    };
    let Some(api) = steering.api.or_else(|| Api::of_path(path)) else {
        let message = format!("Unknown request URL: {} {path}", head.method);
        return refuse(None, StatusCode::NOT_FOUND, &message);
    };
    if head.method != Method::POST {
        let message = "Only POST is known here";
        return refuse(Some(api), StatusCode::METHOD_NOT_ALLOWED, message);
    }
    let question = match Question::read(number, path, api, &body, &steering) {
        Ok(question) => question,
        Err(message) => return refuse(Some(api), StatusCode::BAD_REQUEST, &message),
    };
    sleep(steering.answer_delay).await;
    if steering.is_silent {
        std::future::pending::<Infallible>().await;
    }
    if steering.resets {
        return Err(io::Error::other("no answer, as the request wants"));
    }
    let status = steering.status.unwrap_or(StatusCode::OK);
    if status.as_u16() >= 300 {
        let mut refused = refuse(Some(api), status, "Refused, as the request wants")?;
        refused
            .headers_mut()
            .extend(steering.headers.iter().cloned());
        return Ok(refused);
    }
    let form = form::answer(api, &question);
    Ok(deliver(form, &question, status, journal.clone()))
}

/// Begins an answer that is sent as the request wants it.
fn deliver(
    form: Form,
    question: &Question<'_>,
    status: StatusCode,
    journal: Arc<Journal>,
) -> Response<Body> {
    let steering = question.steering;
    let is_stream = matches!(form, Form::Stream(_));
    let chunks = chunks(form, steering);
    journal.begin(question.number, status.as_u16());
    let (sender, body) = Channel::new(1);
    let mut response = Response::new(Either::Right(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let content_type = if is_stream {
        "text/event-stream; charset=utf-8"
    } else {
        "application/json"
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if steering.is_gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    // HTTP/1.1 has trailers only where the length is not announced (RFC 9112 §7.1).
    if !is_stream && steering.trailers.is_empty() {
        let length: usize = chunks.iter().map(Chunk::len).sum();
        headers.insert(CONTENT_LENGTH, length.into());
    }
    for (name, _) in &steering.trailers {
        headers.append(TRAILER, HeaderValue::from(name.clone()));
    }
    headers.extend(steering.headers.iter().cloned());
    let delivery = Delivery {
        journal,
        number: question.number,
        chunks,
        delay: steering.chunk_delay,
        break_after: steering.break_after,
        trailers: steering.trailers.iter().cloned().collect(),
    };
    tokio::spawn(delivery.run(sender));
    response
}

fn json(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::from(format!("{body:#}\n"))));
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

fn fields(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    let pairs = headers.iter();
    pairs
        .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
        .collect()
}
