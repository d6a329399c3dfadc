//! A small service for Envoy's `ext_proc` filter, as AI gateways have one: it judges the bodies of requests for a model,
//! and counts the tokens that the answers say they used. Portcullis is measured beside it.
//!
//! It does the job that policies/models.yaml asks of Portcullis, with the libraries that are usual for it (hyper, tonic),
//! and on one thread: a second one would only add wake-ups between threads to each message. It ends when it is killed.

mod budget;
mod exchange;
mod messages;
mod settings;
mod usage;

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io::{self, Write as _};
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;

use bench::Result;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio_stream::{Stream, StreamExt as _};
use tonic::body::Body;
use tonic::server::{Grpc, StreamingService};
use tonic::{Status, Streaming};
use tonic_prost::ProstCodec;

use crate::exchange::{Exchange, Gate};
use crate::messages::{ProcessingRequest, ProcessingResponse};
use crate::settings::Settings;

const PROCESS: &str = "/envoy.service.ext_proc.v3.ExternalProcessor/Process";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ext-proc-service: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Reads its settings from standard input, and writes its port to standard output.
fn run() -> Result<()> {
    let settings: Settings = serde_json::from_reader(io::stdin())?;
    let gate = Arc::new(Gate::new(settings)?);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        println!("{}", listener.local_addr()?.port());
        io::stdout().flush()?;
        accept(listener, gate).await
    })
}

async fn accept(listener: TcpListener, gate: Arc<Gate>) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let gate = Arc::clone(&gate);
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&gate), request));
            let server = http2::Builder::new(TokioExecutor::new());
            let served = server.serve_connection(TokioIo::new(stream), service).await;
            if let Err(error) = served {
                eprintln!("ext-proc-service: a connection ended: {error}");
            }
        });
    }
}

async fn answer(
    gate: Arc<Gate>,
    request: Request<Incoming>,
) -> std::result::Result<Response<Body>, Infallible> {
    if request.uri().path() != PROCESS {
        return Ok(Status::unimplemented("only Process").into_http());
    }
    let mut grpc = Grpc::new(ProstCodec::default());
    Ok(grpc.streaming(Process(gate), request).await)
}

/// `envoy.service.ext_proc.v3.ExternalProcessor/Process`: one call for each HTTP request, in which every message of Envoy
/// gets one answer.
struct Process(Arc<Gate>);

impl StreamingService<ProcessingRequest> for Process {
    type Response = ProcessingResponse;
    type ResponseStream =
        Pin<Box<dyn Stream<Item = std::result::Result<ProcessingResponse, Status>> + Send>>;
    type Future = Ready<std::result::Result<tonic::Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: tonic::Request<Streaming<ProcessingRequest>>) -> Self::Future {
        let mut exchange = Exchange::new(Arc::clone(&self.0));
        let answers = request
            .into_inner()
            .map(move |message| Ok(exchange.answer(message?)));
        ready(Ok(tonic::Response::new(Box::pin(answers))))
    }
}
