//! The configuration file (TOML, unknown keys refused), compiled once into [`Settings`].

mod client;
mod invalid;
mod made_up;

use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use crate::algorithm::Algorithm;
use crate::cache::connection::Address;
use crate::cli;
use crate::client::{Client, Clients};
use crate::clock::HumanDuration;
use crate::config::client::ClientEntry;
use crate::config::invalid::{Invalid, seconds};
use crate::issuer::Issuer;

const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9000);
const DEFAULT_ADMIN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9001);
const DEFAULT_READ_TIMEOUT: Duration = Duration::from_secs(10);
const DEFAULT_KEY_GRACE: Duration = Duration::from_secs(60 * 60);
const DEFAULT_STATUS_TTL: Duration = Duration::from_secs(10);
const DEFAULT_STATUS_LIFETIME: Duration = Duration::from_secs(60);

/// The compiled configuration. It is valid: [`load`] refuses any other.
pub struct Settings {
    /// `iss` of all tokens, and the base of all URLs.
    pub issuer: Issuer,
    /// Where the public endpoints listen.
    pub listen: SocketAddr,
    /// Where the admin endpoints listen: a loopback address.
    pub admin: SocketAddr,
    /// Names that the admin port accepts in `Host`, besides those of loopback.
    pub admin_hosts: Arc<[String]>,
    /// The database file. `None`: the state lives in memory.
    pub database: Option<PathBuf>,
    /// The Redis that instances share. `None`: there are no other instances.
    pub cache: Option<Address>,
    /// How long a rotated key stays published.
    pub key_grace: Duration,
    /// How long a client may take for the head of a request, and again for the body.
    pub read_timeout: Duration,
    /// How status lists are made.
    pub status_list: StatusListSettings,
    /// Whether faults may be injected.
    pub faults: bool,
    /// Who may ask for tokens and introspect them.
    pub clients: Clients,
}

/// How the status lists at `/status/{n}` are made.
pub struct StatusListSettings {
    /// What they are signed with.
    pub algorithm: Algorithm,
    /// After how long a reader asks again.
    pub ttl: Duration,
    /// After how long a list expires.
    pub lifetime: Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    issuer: String,
    /// The audience of clients that name none.
    audience: String,
    listen: Option<SocketAddr>,
    admin: Option<SocketAddr>,
    #[serde(default)]
    admin_hosts: Vec<String>,
    database: Option<PathBuf>,
    cache: Option<String>,
    /// How long a client may take to send a request's head, and again to send its body.
    read_timeout: Option<HumanDuration>,
    /// How long a rotated key stays published.
    key_grace: Option<HumanDuration>,
    #[serde(default)]
    status_list: StatusListEntry,
    #[serde(default)]
    clients: Vec<ClientEntry>,
}

/// The section `[status_list]`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct StatusListEntry {
    algorithm: Option<Algorithm>,
    /// After how long a reader asks again, so how long a revocation may take to have effect.
    ttl: Option<HumanDuration>,
    /// After how long a list expires.
    lifetime: Option<HumanDuration>,
}

/// Why a configuration is refused.
#[derive(Debug)]
pub enum Error {
    /// Keys with invalid values: all of them.
    Invalid(Vec<Invalid>),
    /// The file cannot be read.
    Read(PathBuf, io::Error),
    /// It is not TOML, or a key is unknown, missing or of the wrong type.
    Syntax {
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
}

/// Reads the file, applies the flags, and checks the result.
pub fn load(options: cli::Serve) -> Result<Settings, Error> {
    let cli::Serve {
        config,
        listen,
        admin,
        database,
        cache,
        issuer,
        faults,
    } = options;
    let text = match fs::read_to_string(&config) {
        Ok(text) => text,
        Err(error) => return Err(Error::Read(config, error)),
    };
    let mut file = parse(&text)?;
    file.listen = listen.or(file.listen);
    file.admin = admin.or(file.admin);
    file.database = database.or(file.database);
    file.cache = cache.or(file.cache);
    file.issuer = issuer.unwrap_or(file.issuer);
    compile(file, faults).map_err(Error::Invalid)
}

fn parse(text: &str) -> Result<File, Error> {
    toml::from_str(text).map_err(|error| {
        // The error's own `Display` quotes the line, which may have a secret in it.
        let before = text.get(..error.span().map_or(0, |span| span.start));
        let line = before.unwrap_or_default().matches('\n').count();
        Error::Syntax {
            line: line.saturating_add(1),
            message: error.message().to_owned(),
        }
    })
}

fn compile(file: File, has_faults: bool) -> Result<Settings, Vec<Invalid>> {
    let File {
        issuer,
        audience,
        listen,
        admin,
        admin_hosts,
        database,
        cache,
        read_timeout,
        key_grace,
        status_list,
        clients,
    } = file;
    let mut faults = Vec::new();
    let admin = admin.unwrap_or(DEFAULT_ADMIN);

    let issuer = Issuer::parse(issuer);
    if issuer.is_none() {
        let problem = "expected an http(s) URL without query, fragment or white space";
        faults.push(Invalid::new("issuer", problem));
    }
    if audience.is_empty() {
        faults.push(Invalid::new("audience", "expected a name"));
    }
    if !admin.ip().is_loopback() {
        let problem =
            "expected a loopback address: everybody who can reach the admin port is the operator";
        faults.push(Invalid::new("admin", problem));
    }
    for (index, host) in admin_hosts.iter().enumerate() {
        if !is_host(host) {
            let problem = "expected a name without a port";
            faults.push(Invalid::new(&format!("admin_hosts[{index}]"), problem));
        }
    }
    let has_cache = cache.is_some();
    let cache = cache.and_then(|url| Address::parse(&url));
    if has_cache && cache.is_none() {
        let problem = "expected redis://[[user]:password@]host[:port][/database]";
        faults.push(Invalid::new("cache", problem));
    }
    if clients.is_empty() {
        faults.push(Invalid::new("clients", "expected at least one"));
    }
    let clients: Vec<Client> = clients
        .into_iter()
        .enumerate()
        .map(|(index, entry)| client::compile(index, entry, &audience, has_faults, &mut faults))
        .collect();
    check_names(&clients, &mut faults);
    let read_timeout = seconds(
        read_timeout,
        DEFAULT_READ_TIMEOUT,
        "read_timeout",
        &mut faults,
    );
    let key_grace = seconds(key_grace, DEFAULT_KEY_GRACE, "key_grace", &mut faults);
    let status_list = compile_status_list(status_list, &mut faults);
    if clients
        .iter()
        .any(|client| client.token_lifetime > key_grace)
    {
        let problem = "a token would outlive the key that it was signed with";
        faults.push(Invalid::new("key_grace", problem));
    }

    let (Some(issuer), true) = (issuer, faults.is_empty()) else {
        return Err(faults);
    };
    Ok(Settings {
        issuer,
        listen: listen.unwrap_or(DEFAULT_LISTEN),
        admin,
        admin_hosts: admin_hosts.into(),
        database,
        cache,
        key_grace,
        read_timeout,
        status_list,
        faults: has_faults,
        clients: Clients::new(clients),
    })
}

/// That each client has a name of its own, and that those whose tokens another may exchange are there.
fn check_names(clients: &[Client], faults: &mut Vec<Invalid>) {
    let mut names = HashSet::new();
    for (index, client) in clients.iter().enumerate() {
        if !names.insert(client.id.as_str()) {
            let problem = "already taken by another client";
            faults.push(Invalid::of_client(index, "id", problem));
        }
    }
    for (index, client) in clients.iter().enumerate() {
        for (name, other) in client.may_exchange.iter().enumerate() {
            if !names.contains(other.as_str()) {
                let key = format!("may_exchange[{name}]");
                faults.push(Invalid::of_client(index, &key, "there is no such client"));
            }
        }
    }
}

fn compile_status_list(entry: StatusListEntry, faults: &mut Vec<Invalid>) -> StatusListSettings {
    let StatusListEntry {
        algorithm,
        ttl,
        lifetime,
    } = entry;
    let ttl = seconds(ttl, DEFAULT_STATUS_TTL, "status_list.ttl", faults);
    let default = DEFAULT_STATUS_LIFETIME.max(ttl);
    let lifetime = seconds(lifetime, default, "status_list.lifetime", faults);
    if lifetime < ttl {
        let problem = "a list would be void before a reader asks for the next";
        faults.push(Invalid::new("status_list.lifetime", problem));
    }
    StatusListSettings {
        algorithm: algorithm.unwrap_or(Algorithm::Es256),
        ttl,
        lifetime,
    }
}

/// A name without a port: any port may be forwarded to ours.
fn is_host(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
}

// === impl StatusListSettings ===

impl StatusListSettings {
    /// How long a list is served after it was signed. Its last reader keeps it for another `ttl`, within its lifetime.
    pub fn served_for(&self) -> Duration {
        let spare = self.lifetime.saturating_sub(self.ttl);
        spare.min(self.ttl).max(Duration::from_secs(1))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(faults) => {
                f.write_str("invalid configuration")?;
                faults.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
            }
            Self::Read(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Syntax { line, message } => {
                write!(f, "invalid configuration\n  line {line}: {message}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::TokenFormat;
    use crate::config::client::DEFAULT_TOKEN_LIFETIME;

    const HASH: &str = "sha256:5765dbcd1f68e5c4ddf61d672a14821b850e58463b3f48ff63eb2f6bd5493752";
    const EMPTY: &str = "sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855";

    /// A valid configuration with `from` replaced by `to`.
    fn with(from: &str, to: &str) -> Result<Settings, Error> {
        with_flags(from, to, false)
    }

    fn with_flags(from: &str, to: &str, has_faults: bool) -> Result<Settings, Error> {
        let good = format!(
            r#"
            issuer = "http://authority"
            audience = "api-gateway"
            key_grace = "1h"
            [status_list]
            ttl = "10s"
            [[clients]]
            id = "reader"
            secret_hash = "{HASH}"
            scopes = "data:read"
            [[clients]]
            id = "gateway"
            secret_hash = "{HASH}"
            introspect = true
            "#
        );
        assert!(good.contains(from), "{from}");
        compile(parse(&good.replacen(from, to, 1))?, has_faults).map_err(Error::Invalid)
    }

    #[test]
    fn defaults_are_filled_in() {
        let settings = with("", "").unwrap();
        assert_eq!(settings.listen, DEFAULT_LISTEN);
        assert_eq!(settings.admin, DEFAULT_ADMIN);
        assert!(settings.admin_hosts.is_empty());
        assert_eq!(settings.database, None);
        assert!(settings.cache.is_none());
        assert_eq!(settings.read_timeout, DEFAULT_READ_TIMEOUT);
        assert_eq!(settings.status_list.lifetime, DEFAULT_STATUS_LIFETIME);
        let reader = settings
            .clients
            .iter()
            .find(|client| client.id == "reader")
            .unwrap();
        assert_eq!(reader.subject, "reader");
        assert_eq!(reader.audiences, ["api-gateway"]);
        assert_eq!(reader.algorithm, Algorithm::Rs256);
        assert_eq!(reader.token_lifetime, DEFAULT_TOKEN_LIFETIME);
        assert_eq!(reader.format, TokenFormat::Jwt);
        assert!(!reader.may_introspect);
    }

    #[test]
    fn invalid_keys_are_refused_by_their_paths() {
        let client = "id = \"reader\"";
        let plus = |line: &str| format!("{client}\n{line}");
        for (from, to, expected) in [
            // The syntax.
            ("issuer = ", "isuer = ", "unknown field `isuer`"),
            (
                "issuer = \"http://authority\"",
                "",
                "missing field `issuer`",
            ),
            ("audience = \"api-gateway\"", "", "missing field `audience`"),
            (client, "", "missing field `id`"),
            (
                client,
                &plus("secret = \"s3cret\""),
                "line 9: unknown field `secret`",
            ),
            (
                client,
                &plus("algorithm = \"HS256\""),
                "unknown variant `HS256`",
            ),
            (
                client,
                &plus("algorithm = \"rs256\""),
                "unknown variant `rs256`",
            ),
            (
                client,
                &plus("access_token_format = \"saml\""),
                "unknown variant `saml`",
            ),
            (
                client,
                &plus("token_lifetime = 60"),
                "invalid type: integer",
            ),
            (
                client,
                &plus("token_lifetime = \"60\""),
                "expected a duration",
            ),
            (client, &plus("audiences = \"a\""), "invalid type: string"),
            (
                "introspect = true",
                "introspect = \"true\"",
                "invalid type: string",
            ),
            ("ttl", "tttl", "unknown field `tttl`"),
            // The values.
            ("http://authority", "authority", "issuer: "),
            ("http://authority", "http://", "issuer: "),
            ("http://authority", "http:///x", "issuer: "),
            ("http://authority", "ftp://authority", "issuer: "),
            ("http://authority", "http://authority?x", "issuer: "),
            ("http://authority", "http://authority#x", "issuer: "),
            ("http://authority", "http://a b", "issuer: "),
            (
                "audience = \"api-gateway\"",
                "audience = \"\"",
                "audience: ",
            ),
            ("key_grace", "admin = \"0.0.0.0:1\"\nkey_grace", "admin: "),
            ("key_grace", "admin = \"[::]:9001\"\nkey_grace", "admin: "),
            (
                "key_grace",
                "admin_hosts = [\"a\", \"b:9001\"]\nkey_grace",
                "admin_hosts[1]: ",
            ),
            (
                "key_grace",
                "admin_hosts = [\"\"]\nkey_grace",
                "admin_hosts[0]: ",
            ),
            ("key_grace", "cache = \"redis\"\nkey_grace", "cache: "),
            ("key_grace", "cache = \"redis://\"\nkey_grace", "cache: "),
            (
                "key_grace",
                "cache = \"rediss://127.0.0.1\"\nkey_grace",
                "cache: ",
            ),
            (
                "key_grace",
                "cache = \"redis://:s3cret@127.0.0.1/x\"\nkey_grace",
                "cache: ",
            ),
            (
                "key_grace",
                "read_timeout = \"0s\"\nkey_grace",
                "read_timeout: ",
            ),
            ("key_grace = \"1h\"", "key_grace = \"1m\"", "key_grace: "),
            ("key_grace = \"1h\"", "key_grace = \"0s\"", "key_grace: "),
            ("ttl = \"10s\"", "ttl = \"0s\"", "status_list.ttl: "),
            ("ttl = \"10s\"", "ttl = \"10500ms\"", "status_list.ttl: "),
            (
                "ttl = \"10s\"",
                "ttl = \"10s\"\nlifetime = \"9s\"",
                "status_list.lifetime: ",
            ),
            (client, "id = \"\"", "clients[0].id: "),
            (client, "id = \"gateway\"", "clients[1].id: already taken"),
            (HASH, "reader-secret", "clients[0].secret_hash: "),
            (HASH, "sha256:00", "clients[0].secret_hash: "),
            (HASH, EMPTY, "clients[0].secret_hash: the hash of the empty"),
            ("\"data:read\"", "\"\"", "clients[0].scopes: required"),
            ("\"data:read\"", "\"a  b\"", "clients[0].scopes: "),
            ("\"data:read\"", "\"a a\"", "clients[0].scopes: "),
            (
                "introspect = true",
                "introspect = false",
                "clients[1].scopes: required",
            ),
            (client, &plus("audiences = []"), "clients[0].audiences: "),
            (
                client,
                &plus("audiences = [\"\"]"),
                "clients[0].audiences: ",
            ),
            (client, &plus("subject = \"\""), "clients[0].subject: "),
            (
                client,
                &plus("token_lifetime = \"0s\""),
                "clients[0].token_lifetime: ",
            ),
            (
                client,
                &plus("token_lifetime = \"1500ms\""),
                "clients[0].token_lifetime: ",
            ),
            (client, &plus("token_lifetime = \"2h\""), "key_grace: "),
            (
                client,
                &plus("may_exchange = \"gateway\""),
                "invalid type: string",
            ),
            (
                client,
                &plus("may_exchange = [\"gateway\", \"nobody\"]"),
                "clients[0].may_exchange[1]: there is no such client",
            ),
            (
                "introspect = true",
                "introspect = true\nmay_exchange = [\"reader\"]",
                "clients[1].may_exchange: ",
            ),
        ] {
            let error = with(from, to)
                .err()
                .map(|error| error.to_string())
                .unwrap_or_default();
            assert!(
                error.contains(expected),
                "{to}: expected {expected:?}, found {error:?}"
            );
            assert!(
                !error.contains(HASH) && !error.contains("s3cret"),
                "{error}"
            );
        }
    }

    /// What one key of the reader makes of the configuration, with faults and without.
    fn made_up(key: &str) -> (Result<Settings, String>, Result<Settings, String>) {
        let reader = "id = \"reader\"";
        let key = format!("{reader}\n{key}");
        let load =
            |has_faults| with_flags(reader, &key, has_faults).map_err(|error| error.to_string());
        (load(true), load(false))
    }

    #[test]
    fn claims_are_made_up_only_with_faults() {
        for key in ["acr", "auth_age", "authorization_details"] {
            let value = match key {
                "authorization_details" => "[{type = \"tool_call\"}]",
                _ => "\"5m\"",
            };
            let (with_faults, without) = made_up(&format!("{key} = {value}"));
            assert!(with_faults.is_ok(), "{key}");
            let error = without.err().unwrap();
            assert!(
                error.contains(&format!("clients[0].{key}: tokens would say"))
                    && error.contains("--faults"),
                "{error}"
            );
        }
    }

    #[test]
    fn claims_that_are_made_up_are_claims_nevertheless() {
        for (key, expected) in [
            ("acr = \"\"", "clients[0].acr: "),
            ("auth_age = \"1500ms\"", "clients[0].auth_age: "),
            ("auth_age = 60", "invalid type: integer"),
            (
                "authorization_details = []",
                "clients[0].authorization_details: ",
            ),
            (
                "authorization_details = [\"tool_call\"]",
                "invalid type: string",
            ),
            (
                "authorization_details = [{type = \"a\"}, {identifier = \"b\"}]",
                "clients[0].authorization_details[1].type: ",
            ),
            (
                "authorization_details = [{type = \"\"}]",
                "clients[0].authorization_details[0].type: ",
            ),
            (
                "authorization_details = [{type = 7}]",
                "clients[0].authorization_details[0].type: ",
            ),
            (
                "authorization_details = [{type = \"a\", since = [{day = 2026-12-01}]}]",
                "clients[0].authorization_details[0]: JSON has neither",
            ),
            (
                "authorization_details = [{type = \"a\", amount = {value = inf}}]",
                "clients[0].authorization_details[0]: JSON has neither",
            ),
        ] {
            let error = made_up(key).0.err().unwrap_or_default();
            assert!(error.contains(expected), "{key}: {error:?}");
        }
    }

    #[test]
    fn all_faults_are_reported_at_once() {
        let error = with(
            "issuer = \"http://authority\"\n            audience = \"api-gateway\"",
            "issuer = \"\"\naudience = \"\"",
        )
        .err()
        .unwrap()
        .to_string();
        assert!(
            error.contains("issuer: ") && error.contains("audience: "),
            "{error}"
        );
    }
}
