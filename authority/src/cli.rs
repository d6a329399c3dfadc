//! The command line. It is parsed by hand: there are three commands and six flags.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// What `--help` prints.
pub const USAGE: &str = "\
usage: authority serve --config FILE [--listen ADDRESS] [--admin ADDRESS] [--database FILE] [--issuer URL] [--faults]
       authority hash-secret     reads a client secret on stdin, prints its hash for the TOML
       authority health URL      asks URL once; exit status 0 if it answers 200";

/// What to do.
pub enum Command {
    /// Run the server.
    Serve(Serve),
    /// Hash a client secret.
    HashSecret,
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
    /// The issuer identifier.
    pub issuer: Option<String>,
    /// Whether faults may be injected and claims made up. No key of the file can say so: a configuration that is copied
    /// from a test must not bring them along.
    pub faults: bool,
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
            "--issuer" => serve.issuer = Some(value("--issuer")?),
            "--faults" => serve.faults = true,
            _ => return Err(InvalidUsage::UnknownArgument(flag)),
        }
    }
    serve.config = config.ok_or(InvalidUsage::MissingArgument("--config FILE"))?;
    Ok(serve)
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
