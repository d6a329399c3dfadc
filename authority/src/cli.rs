//! The command line. It is parsed by hand: there are four commands and nine flags.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// What `--help` prints.
pub const USAGE: &str = "\
usage: authority serve --config FILE [--listen ADDRESS] [--admin ADDRESS] [--database FILE] [--cache URL] [--issuer URL] [--faults]
       authority hash-secret     reads a client secret on stdin, prints its hash for the TOML
       authority proof METHOD URL --key FILE [--token]     prints a DPoP proof by the key in FILE, which is made where
                                 there is none; --token: for a request with the access token on stdin
       authority health URL      asks URL once; exit status 0 if it answers 200";

/// What to do.
pub enum Command {
    /// Run the server.
    Serve(Serve),
    /// Hash a client secret.
    HashSecret,
    /// Make a DPoP proof.
    Proof(Proof),
    /// Ask a server whether it is healthy.
    Health {
        /// The URL to ask.
        url: String,
    },
    /// Explain the command line.
    Help,
}

/// The flags of `serve`. Each but `--config` and `--faults` overrides the TOML key of the same name.
#[derive(Default)]
pub struct Serve {
    /// The TOML file.
    pub config: PathBuf,
    /// The public port.
    pub listen: Option<SocketAddr>,
    /// The admin port.
    pub admin: Option<SocketAddr>,
    /// The database file.
    pub database: Option<PathBuf>,
    /// The URL of the cache.
    pub cache: Option<String>,
    /// The issuer identifier.
    pub issuer: Option<String>,
    /// Whether faults may be injected and claims made up. No key of the file can say so: a configuration that is copied
    /// from a test must not bring them along.
    pub faults: bool,
}

/// The arguments of `proof`.
pub struct Proof {
    /// The method of the request.
    pub method: String,
    /// Its URL.
    pub url: String,
    /// The key's file.
    pub key: PathBuf,
    /// Whether an access token goes with the request.
    pub token: bool,
}

/// Why a command line is refused.
#[derive(Debug)]
pub enum InvalidUsage {
    /// The value of a flag is no address.
    InvalidAddress {
        /// The flag.
        flag: &'static str,
        /// Its value.
        found: String,
    },
    /// A required argument is missing.
    MissingArgument(&'static str),
    /// A flag has no value.
    MissingValue(&'static str),
    /// No such command or flag.
    UnknownArgument(String),
}

/// Parses the arguments after the name of the program.
pub fn parse(mut args: impl Iterator<Item = String>) -> Result<Command, InvalidUsage> {
    let command = args
        .next()
        .ok_or(InvalidUsage::MissingArgument("a command"))?;
    let command = match command.as_str() {
        "serve" => return parse_serve(args).map(Command::Serve),
        "proof" => return parse_proof(args).map(Command::Proof),
        "hash-secret" => Command::HashSecret,
        "health" => Command::Health {
            url: args.next().ok_or(InvalidUsage::MissingArgument("a URL"))?,
        },
        "help" | "--help" | "-h" => Command::Help,
        _ => return Err(InvalidUsage::UnknownArgument(command)),
    };
    match args.next() {
        None => Ok(command),
        Some(extra) => Err(InvalidUsage::UnknownArgument(extra)),
    }
}

fn parse_serve(mut args: impl Iterator<Item = String>) -> Result<Serve, InvalidUsage> {
    let mut serve = Serve::default();
    let mut config = None;
    while let Some(flag) = args.next() {
        let mut value = |flag| args.next().ok_or(InvalidUsage::MissingValue(flag));
        match flag.as_str() {
            "--config" => config = Some(PathBuf::from(value("--config")?)),
            "--listen" => serve.listen = Some(address("--listen", value("--listen")?)?),
            "--admin" => serve.admin = Some(address("--admin", value("--admin")?)?),
            "--database" => serve.database = Some(PathBuf::from(value("--database")?)),
            "--cache" => serve.cache = Some(value("--cache")?),
            "--issuer" => serve.issuer = Some(value("--issuer")?),
            "--faults" => serve.faults = true,
            _ => return Err(InvalidUsage::UnknownArgument(flag)),
        }
    }
    serve.config = config.ok_or(InvalidUsage::MissingArgument("--config FILE"))?;
    Ok(serve)
}

fn parse_proof(mut args: impl Iterator<Item = String>) -> Result<Proof, InvalidUsage> {
    let mut positional = |what| args.next().ok_or(InvalidUsage::MissingArgument(what));
    let (method, url) = (positional("a method")?, positional("a URL")?);
    let (mut key, mut token) = (None, false);
    while let Some(flag) = args.next() {
        match flag.as_str() {
            "--key" => {
                let file = args.next().ok_or(InvalidUsage::MissingValue("--key"))?;
                key = Some(PathBuf::from(file));
            }
            "--token" => token = true,
            _ => return Err(InvalidUsage::UnknownArgument(flag)),
        }
    }
    Ok(Proof {
        method,
        url,
        key: key.ok_or(InvalidUsage::MissingArgument("--key FILE"))?,
        token,
    })
}

fn address(flag: &'static str, found: String) -> Result<SocketAddr, InvalidUsage> {
    found
        .parse()
        .map_err(|_| InvalidUsage::InvalidAddress { flag, found })
}

// === impl InvalidUsage ===

impl fmt::Display for InvalidUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidAddress { flag, found } => {
                write!(
                    f,
                    "{flag}: found {found:?}, expected an address such as 127.0.0.1:9000"
                )
            }
            Self::MissingArgument(what) => write!(f, "{what} is missing"),
            Self::MissingValue(flag) => write!(f, "{flag} needs a value"),
            Self::UnknownArgument(found) => write!(f, "unknown argument {found:?}"),
        }
    }
}
