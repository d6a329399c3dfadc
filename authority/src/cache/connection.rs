//! The connection to Redis, which all requests share, and what Redis promises to keep.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ConnectionInfo, IntoConnectionInfo, ScriptInvocation};
use serde::Serialize;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;

/// How long Redis may take, to accept a connection and to answer. A filter asks again sooner.
const TIMEOUT: Duration = Duration::from_secs(1);

/// After it could not be reached, Redis is left alone for so long.
const PAUSE: Duration = Duration::from_millis(250);

/// Where Redis is, and the credentials for it. No `Debug`: they are secret.
pub struct Address(ConnectionInfo);

/// A Redis.
pub struct Cache {
    client: Client,
    link: Mutex<Link>,
}

#[derive(Default)]
struct Link {
    connection: Option<MultiplexedConnection>,
    /// Counts connections: one that failed is given up once, not also its successor.
    number: u64,
    /// When Redis could not be reached.
    failed_at: Option<Instant>,
    /// What was said about its settings.
    said: Option<Settings>,
}

/// Whether Redis keeps what it has answered. `None`: it does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Settings {
    /// Whether it writes a log of what changes.
    appendonly: Option<bool>,
    /// Whether that is on disk before it answers.
    appendfsync_always: Option<bool>,
    /// Whether it refuses what is new where its memory is full, and forgets nothing.
    noeviction: Option<bool>,
}

/// Why Redis did not do what it was asked.
#[derive(Debug)]
pub enum Error {
    /// It answered what the script does not.
    Answer,
    /// It could not be reached a moment ago.
    Away,
    /// Anything else.
    Redis(redis::RedisError),
}

// === impl Address ===

impl Address {
    /// Parses `redis://[[user]:password@]host[:port][/database]`.
    pub fn parse(url: &str) -> Option<Self> {
        // The library also knows TLS and Unix sockets by other schemes; without its features they would fail only later.
        let is_tcp = url.starts_with("redis://");
        is_tcp.then(|| url.into_connection_info().ok().map(Self))?
    }
}

// === impl Cache ===

impl Cache {
    /// Connects when it is first used.
    pub fn new(Address(info): Address) -> Result<Self, Error> {
        Ok(Self {
            client: Client::open(info)?,
            link: Mutex::default(),
        })
    }

    /// What Redis says about its settings now.
    pub async fn settings(&self) -> Result<Settings, Error> {
        let (number, mut connection) = self.connection().await?;
        match Settings::ask(&mut connection).await {
            Ok(settings) => Ok(settings),
            Err(error) => Err(self.give_up(number, error).await),
        }
    }

    /// Runs a script that may run twice. It does where the connection breaks, as it does when Redis was restarted.
    pub async fn invoke_repeatable(&self, script: &ScriptInvocation<'_>) -> Result<String, Error> {
        let (number, mut connection) = self.connection().await?;
        let error = match script.invoke_async(&mut connection).await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let is_broken = error.is_connection_dropped();
        let error = self.give_up(number, error).await;
        if !is_broken {
            return Err(error);
        }
        let (number, mut connection) = self.connection().await?;
        match script.invoke_async(&mut connection).await {
            Ok(answer) => Ok(answer),
            Err(error) => Err(self.give_up(number, error).await),
        }
    }

    async fn connection(&self) -> Result<(u64, MultiplexedConnection), Error> {
        let mut link = self.link.lock().await;
        if let Some(connection) = &link.connection {
            return Ok((link.number, connection.clone()));
        }
        if link.failed_at.is_some_and(|at| at.elapsed() < PAUSE) {
            return Err(Error::Away);
        }
        match self.connect(&mut link).await {
            Ok(connection) => {
                link.failed_at = None;
                link.number = link.number.saturating_add(1);
                link.connection = Some(connection.clone());
                Ok((link.number, connection))
            }
            Err(error) => {
                link.failed_at = Some(Instant::now());
                Err(error.into())
            }
        }
    }

    async fn connect(
        &self,
        link: &mut MutexGuard<'_, Link>,
    ) -> redis::RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(TIMEOUT))
            .set_response_timeout(Some(TIMEOUT));
        let client = &self.client;
        let mut connection = client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        let settings = Settings::ask(&mut connection).await?;
        if link.said != Some(settings) {
            settings.say();
            link.said = Some(settings);
        }
        Ok(connection)
    }

    /// Whatever went wrong: the next request connects anew, perhaps to another server.
    async fn give_up(&self, number: u64, error: redis::RedisError) -> Error {
        let mut link = self.link.lock().await;
        if link.number == number {
            link.connection = None;
        }
        error.into()
    }
}

// === impl Settings ===

impl Settings {
    async fn ask(connection: &mut MultiplexedConnection) -> redis::RedisResult<Self> {
        let mut command = redis::cmd("CONFIG");
        command.arg("GET");
        command.arg(&["appendonly", "appendfsync", "maxmemory-policy"]);
        let found: HashMap<String, String> = match command.query_async(connection).await {
            Ok(found) => found,
            // Hosted ones often forbid to ask, or have no such command.
            Err(error) if matches!(error.code(), Some("NOPERM" | "ERR")) => {
                return Ok(Self::default());
            }
            Err(error) => return Err(error),
        };
        let is = |name: &str, expected: &str| found.get(name).map(|value| value == expected);
        Ok(Self {
            appendonly: is("appendonly", "yes"),
            appendfsync_always: is("appendfsync", "always"),
            noeviction: is("maxmemory-policy", "noeviction"),
        })
    }

    fn say(self) {
        let Self {
            appendonly,
            appendfsync_always,
            noeviction,
        } = self;
        for (is_so, wanted, otherwise) in [
            (
                appendonly,
                "appendonly yes",
                "when it restarts, what was granted is granted again",
            ),
            (
                appendfsync_always,
                "appendfsync always",
                "after a crash, what was granted in the last seconds is granted again",
            ),
            (
                noeviction,
                "maxmemory-policy noeviction",
                "where its memory is full, it forgets what was granted",
            ),
        ] {
            match is_so {
                Some(true) => {}
                Some(false) => {
                    eprintln!("authority: cache: Redis is not set to {wanted}: {otherwise}")
                }
                None => {
                    eprintln!("authority: cache: Redis does not say whether it is set to {wanted}")
                }
            }
        }
    }
}

// === impl Error ===

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer => f.write_str("the script's answer cannot be read"),
            Self::Away => f.write_str("could not be reached a moment ago"),
            Self::Redis(error) => write!(f, "{error}"),
        }
    }
}

impl From<redis::RedisError> for Error {
    fn from(error: redis::RedisError) -> Self {
        Self::Redis(error)
    }
}
