//! Requests on connections of their own. hyper sends them as they are: also with two Host headers, or none, or with a body in
//! a GET.

use std::error::Error;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt;
use http_body_util::channel::Channel;
use hyper::body::{Bytes, Frame};
use hyper::client::conn::http1;
use hyper::ext::on_informational;
use hyper::header::{HOST, HeaderName, HeaderValue};
use hyper::{HeaderMap, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::time::timeout;

const TIMEOUT: Duration = Duration::from_secs(20);

/// The server hung up, or did not answer in time.
pub type NoAnswer = Box<dyn Error + Send + Sync>;

#[derive(Clone)]
pub struct Request {
    method: String,
    target: String,
    headers: HeaderMap,
    body: String,
}

#[derive(Debug)]
pub struct Response {
    pub status: u16,
    headers: HeaderMap,
    pub body: String,
}

// === impl Request ===

impl Request {
    pub fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: HeaderMap::from_iter([(HOST, HeaderValue::from_static("localhost"))]),
            body: String::new(),
        }
    }

    /// One Host header for each of these, in place of localhost.
    pub fn hosts(mut self, hosts: &[&str]) -> Self {
        self.headers.remove(HOST);
        hosts
            .iter()
            .fold(self, |request, host| request.header("host", host))
    }

    /// Beside other headers of this name.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::try_from(name).unwrap();
        self.headers
            .append(name, HeaderValue::try_from(value).unwrap());
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
        self.body = body.into();
        self
    }

    pub fn try_send(self, address: &str) -> Result<Response, NoAnswer> {
        let (mut sender, body) = Channel::new(1);
        let sent = sender.try_send(Frame::data(self.body.clone().into()));
        assert!(sent.is_ok());
        drop(sender);
        self.exchange(address, body, || {})
    }

    /// Calls `pause` between the head and the body, once the server has said that it waits for the body (RFC 9110 §10.1.1).
    pub fn try_send_around(
        self,
        address: &str,
        pause: impl FnOnce(),
    ) -> Result<Response, NoAnswer> {
        let (mut sender, body) = Channel::new(1);
        let data = Bytes::from(self.body.clone());
        let (waits, is_waiting) = mpsc::channel();
        let request = self.header("expect", "100-continue");
        thread::scope(|scope| {
            let on_continue = move || waits.send(()).unwrap();
            let answer = scope.spawn(|| request.exchange(address, body, on_continue));
            is_waiting.recv_timeout(TIMEOUT).unwrap();
            pause();
            assert!(sender.try_send(Frame::data(data)).is_ok());
            drop(sender);
            answer.join().unwrap()
        })
    }

    fn exchange(
        self,
        address: &str,
        body: Channel<Bytes>,
        on_continue: impl Fn() + Send + Sync + 'static,
    ) -> Result<Response, NoAnswer> {
        let length = self.body.len().to_string();
        let this = self.header("content-length", &length);
        let mut request = hyper::Request::new(body);
        *request.method_mut() = this.method.parse().unwrap();
        *request.uri_mut() = this.target.parse().unwrap();
        *request.headers_mut() = this.headers;
        on_informational(&mut request, move |interim| {
            assert_eq!(interim.status(), StatusCode::CONTINUE);
            on_continue();
        });

        let exchange = async {
            let stream = TcpStream::connect(address).await?;
            let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
            let connection = tokio::spawn(connection);
            let (head, body) = sender.send_request(request).await?.into_parts();
            let body = body.collect().await?.to_bytes();
            connection.abort();
            Ok(Response {
                status: head.status.as_u16(),
                headers: head.headers,
                body: String::from_utf8(body.into())?,
            })
        };
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        runtime
            .unwrap()
            .block_on(async { timeout(TIMEOUT, exchange).await? })
    }
}

// === impl Response ===

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        Some(self.headers.get(name)?.to_str().unwrap())
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        self.json_as()
    }

    #[track_caller]
    pub fn json_as<T: DeserializeOwned>(&self) -> T {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }
}
