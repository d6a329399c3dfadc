//! Two listeners over one state: the public endpoints, and the admin ones on a port of their own.

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

use crate::clock::UnixTime;
use crate::config::Settings;
use crate::document_cache::DocumentCache;
use crate::endpoint;
use crate::fault_injection::Faults;
use crate::keys::{self, KeyRing, Keys};
use crate::refusal::{Internal, Refusal};
use crate::revocation::Since;
use crate::status_list::ListNumber;
use crate::store::{self, RevocationList, Store};

/// How long requests in flight may take to end after SIGTERM.
const DRAIN: Duration = Duration::from_secs(5);

/// Of a request's head, which browsers and proxies keep well below. No token comes in a header.
const MAX_HEAD: usize = 16 * 1024;
const MAX_HEADERS: usize = 64;

/// What is kept of the lists that are polled: some pages of the largest, all of the usual ones.
const MAX_LISTS: usize = 32 * 1024 * 1024;

/// The status lists of some hundred million tokens, or of fewer where many are revoked.
const MAX_STATUSES: usize = 16 * 1024 * 1024;

pub struct App {
    pub settings: Settings,
    pub faults: Faults,
    pub keys: KeyRing,
    pub lists: Arc<DocumentCache<PolledList>>,
    pub statuses: Arc<DocumentCache<ListNumber>>,
    pub store: Store,
}

/// What resource servers poll.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum PolledList {
    ApiKeys,
    Revocations(RevocationList, Since),
}

#[derive(Debug)]
pub enum Error {
    Bind(SocketAddr, io::Error),
    Io(io::Error),
    Keys(keys::Error),
    Store(store::Error),
}

pub fn run(settings: Settings) -> Result<(), Error> {
    if settings.database.is_none() {
        eprintln!("authority: no database: keys, tokens and revocations end with this process");
    }
    let store = Store::open(settings.database.as_deref()).map_err(Error::Store)?;
    let keys = KeyRing::open(&store, UnixTime::now()).map_err(Error::Keys)?;
    let app = Arc::new(App {
        settings,
        faults: Faults::default(),
        keys,
        lists: Arc::new(DocumentCache::new(MAX_LISTS)),
        statuses: Arc::new(DocumentCache::new(MAX_STATUSES)),
        store,
    });
    let runtime = runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(app))
}

async fn serve(app: Arc<App>) -> Result<(), Error> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let public = bind(app.settings.listen).await?;
    let admin = bind(app.settings.admin).await?;
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
    // Whoever is still not done by then is cut off; what was answered is on disk.
    let _ = tokio::time::timeout(DRAIN, servers).await;
    Ok(())
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address)
        .await
        .map_err(|error| Error::Bind(address, error))
}

/// As `axum::serve`, but with limits, of which that has none. The channel says "stop" by closing; what was begun by then is
/// still done.
async fn listen(
    mut listener: TcpListener,
    router: Router,
    timeout: Duration,
    mut stopped: watch::Receiver<()>,
) {
    let mut http = http1::Builder::new();
    // A client that sends its head byte by byte would hold its connection for ever, and one that sends nothing too.
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
        // That a client leaves, is too slow or speaks no HTTP is no fault of ours.
        tokio::spawn(async { drop(connection.await) });
    }
    drop(listener);
    connections.shutdown().await;
}

/// Whoever started us with port 0 reads here where we are.
fn announce(public: SocketAddr, admin: SocketAddr) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "listening http://{public}\nadmin http://{admin}")?;
    stdout.flush()
}

// === impl App ===

impl App {
    /// Those of the ring, unless a fault says otherwise.
    pub fn signing_keys(&self) -> Arc<Keys> {
        self.faults.decoys().unwrap_or_else(|| self.keys.current())
    }

    /// With the state.
    pub async fn blocking<T, F>(self: &Arc<Self>, job: F) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: FnOnce(&Self) -> Result<T, Refusal> + Send + 'static,
    {
        let app = Arc::clone(self);
        blocking(move || job(&app)).await
    }
}

/// Runs what takes the disk or a private key on a thread that may block.
pub async fn blocking<T, F>(job: F) -> Result<T, Refusal>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, Refusal> + Send + 'static,
{
    let done = tokio::task::spawn_blocking(job).await;
    done.unwrap_or(Err(Refusal::Internal(Internal::Panicked)))
}

// === impl Error ===

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind(address, error) => write!(f, "{address}: {error}"),
            Self::Io(error) => write!(f, "{error}"),
            Self::Keys(error) => write!(f, "signing keys: {error}"),
            Self::Store(error) => write!(f, "database: {error}"),
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
