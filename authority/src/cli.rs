//! The command line: three commands and five flags, so it is parsed by hand.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

pub const USAGE: &str = "\
usage: authority serve --config FILE [--listen ADDRESS] [--admin ADDRESS] [--database FILE] [--issuer URL]
       authority hash-secret     reads a client secret on stdin, prints its hash for the TOML
       authority health URL      asks URL once; exit status 0 if it answers 200";

pub enum Command {
    Serve(Serve),
    HashSecret,
    Health { url: String },
    Help,
}

/// Each flag but `config` overrides the TOML key of its name.
#[derive(Default)]
pub struct Serve {
    pub config: PathBuf,
    pub listen: Option<SocketAddr>,
    pub admin: Option<SocketAddr>,
    pub database: Option<PathBuf>,
    pub issuer: Option<String>,
}

#[derive(Debug)]
pub enum InvalidUsage {
    InvalidAddress { flag: &'static str, found: String },
    MissingArgument(&'static str),
    MissingValue(&'static str),
    UnknownArgument(String),
}

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
