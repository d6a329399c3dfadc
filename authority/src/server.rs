//! The two listeners: public endpoints, and admin endpoints on their own port.

use std::fmt;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::app::App;
use crate::endpoint;

/// How long requests in flight may take after SIGTERM.
const DRAIN: Duration = Duration::from_secs(5);

/// Limits of a request's head. Browsers and proxies stay well below, and no token comes in a header.
const MAX_HEAD: usize = 16 * 1024;
const MAX_HEADERS: usize = 64;

/// Why the server cannot start.
#[derive(Debug)]
pub enum Error {
    /// An address cannot be listened on.
    Bind(SocketAddr, io::Error),
    /// The operating system refused something else.
    Io(io::Error),
}

/// Serves until SIGTERM or SIGINT.
pub fn run(app: App) -> Result<(), Error> {
    let runtime = runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(Arc::new(app)))
}

async fn serve(app: Arc<App>) -> Result<(), Error> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let public = bind(app.settings.listen).await?;
    let admin = bind(app.settings.admin).await?;
    if let Some(cache) = &app.cache
        && let Err(error) = cache.settings().await
    {
        // It starts all the same: what comes up first is chance.
        eprintln!("authority: cache: {error}");
    }
    announce(public.local_addr()?, admin.local_addr()?)?;

    let (stop, stopped) = watch::channel(());
    let timeout = app.settings.read_timeout;
    let servers = async {
        tokio::join!(
            listen(
                public,
                endpoint::public(Arc::clone(&app)),
                timeout,
                stopped.clone()
            ),
            listen(
                admin,
                endpoint::admin(Arc::clone(&app)),
                timeout,
                stopped.clone()
            ),
        )
    };
    tokio::pin!(servers);
    tokio::select! {
        _ = &mut servers => return Ok(()),
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    drop(stop);
    // Requests that are still running after that are cut off. What was answered is on disk.
    let _ = tokio::time::timeout(DRAIN, servers).await;
    Ok(())
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address)
        .await
        .map_err(|error| Error::Bind(address, error))
}

/// Like `axum::serve`, which has no limits. Stops when the channel closes, after the requests that have begun.
async fn listen(
    mut listener: TcpListener,
    router: Router,
    timeout: Duration,
    mut stopped: watch::Receiver<()>,
) {
    let mut http = http1::Builder::new();
    // Without the timeout, a client that sends nothing, or its head byte by byte, would hold its connection for ever.
    http.timer(TokioTimer::new())
        .header_read_timeout(timeout)
        .max_header_size(MAX_HEAD)
        .max_headers(MAX_HEADERS);
    let service = TowerToHyperService::new(router);
    let connections = GracefulShutdown::new();
    loop {
        let (stream, _) = tokio::select! {
            accepted = Listener::accept(&mut listener) => accepted,
            _ = stopped.changed() => break,
        };
        let connection = http.serve_connection(TokioIo::new(stream), service.clone());
        let connection = connections.watch(connection);
        // An error is the client's: it left, was too slow, or did not speak HTTP.
        tokio::spawn(async { drop(connection.await) });
    }
    drop(listener);
    connections.shutdown().await;
}

/// Prints the addresses, for callers that asked for port 0.
fn announce(public: SocketAddr, admin: SocketAddr) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "listening http://{public}\nadmin http://{admin}")?;
    stdout.flush()
}

// === impl Error ===

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind(address, error) => write!(f, "{address}: {error}"),
            Self::Io(error) => write!(f, "{error}"),
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
