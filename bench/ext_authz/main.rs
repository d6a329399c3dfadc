//! A small authorization service, as an operator would write it for Envoy's `ext_authz` filter: the alternative that
//! Portcullis is measured beside.
//!
//! It does the job that the policies of the side-by-side ask of Portcullis, with the libraries that are usual for it
//! (hyper, tonic), and on one thread: a second one would only add wake-ups between threads to each request. HTTP/1
//! and gRPC come over the same port. It ends when it is killed.

mod authorizer;
mod grpc;
mod http;
mod introspection;
mod settings;

use std::convert::Infallible;
use std::io::{self, Write as _};
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::sync::Arc;

use bench::Result;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tonic::body::Body;

use crate::authorizer::Authorizer;
use crate::settings::Settings;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ext-authz-service: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Reads its settings from standard input, and writes its port to standard output.
fn run() -> Result<()> {
    let settings: Settings = serde_json::from_reader(io::stdin())?;
    let authorizer = Arc::new(Authorizer::new(settings)?);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        println!("{}", listener.local_addr()?.port());
        io::stdout().flush()?;
        accept(listener, authorizer).await
    })
}

async fn accept(listener: TcpListener, authorizer: Arc<Authorizer>) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let authorizer = Arc::clone(&authorizer);
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&authorizer), request));
            let server = auto::Builder::new(TokioExecutor::new());
            let served = server.serve_connection(TokioIo::new(stream), service).await;
            if let Err(error) = served {
                eprintln!("ext-authz-service: a connection ended: {error}");
            }
        });
    }
}

async fn answer(
    authorizer: Arc<Authorizer>,
    request: Request<Incoming>,
) -> std::result::Result<Response<Body>, Infallible> {
    Ok(match request.version() {
        Version::HTTP_2 => grpc::answer(authorizer, request).await,
        _ => http::answer(&authorizer, &request).await,
    })
}
