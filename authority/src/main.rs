//! The authority: a small but complete OAuth 2.0 authorization server for Portcullis' tour and tests.
//!
//! ```text
//! TOML ──▶ config ──▶ settings ┐             ┌─ public port: endpoint/, a file per endpoint
//!                              ├─▶ app ──▶ server
//! SQLite ─▶ store ──▶ keys ────┤             └─ admin port:  endpoint/admin/, never to be exposed
//! Redis ──▶ cache ─────────────┘
//! ```
//!
//! No file uses a file that uses it; `tests/architecture.rs` checks that.

#![deny(missing_docs)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::indexing_slicing))]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod access_token;
mod algorithm;
mod app;
mod blocking;
mod browser_guard;
mod cache;
mod cli;
mod client;
mod clock;
mod config;
mod document_cache;
mod dpop;
mod endpoint;
mod fault_injection;
mod form;
mod grant_type;
mod health_probe;
mod issuer;
mod json_body;
mod keys;
mod ledger;
mod made_up;
mod media_type;
mod prove;
mod refusal;
mod request_body;
mod response;
mod revocation;
mod scope;
mod secret;
mod server;
mod status_list;
mod store;

use std::io::{self, Read};
use std::process::ExitCode;

use app::App;
use cli::Command;

fn main() -> ExitCode {
    let result = match cli::parse(std::env::args().skip(1)) {
        Ok(Command::Serve(options)) => serve(options),
        Ok(Command::HashSecret) => hash_secret(),
        Ok(Command::Proof(options)) => prove(&options),
        Ok(Command::Health { url }) => health_probe::check(&url).map_err(|error| error.to_string()),
        Ok(Command::Help) => {
            println!("{}", cli::USAGE);
            Ok(())
        }
        Err(error) => Err(format!("{error}\n\n{}", cli::USAGE)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("authority: {message}");
            ExitCode::FAILURE
        }
    }
}

fn serve(options: cli::Serve) -> Result<(), String> {
    let settings = config::load(options).map_err(|error| error.to_string())?;
    let app = App::open(settings).map_err(|error| error.to_string())?;
    server::run(app).map_err(|error| error.to_string())
}

fn hash_secret() -> Result<(), String> {
    let plain = standard_input("secret")?;
    println!("{}", secret::SecretHash::digest(plain.as_bytes()));
    Ok(())
}

fn prove(options: &cli::Proof) -> Result<(), String> {
    let token = match options.token {
        true => Some(standard_input("access token")?),
        false => None,
    };
    let subject = prove::Subject {
        method: &options.method,
        url: &options.url,
        token: token.as_deref(),
    };
    println!("{}", prove::proof(&options.key, &subject)?);
    Ok(())
}

/// A secret, which no list of processes shows there.
fn standard_input(what: &str) -> Result<String, String> {
    let mut input = String::new();
    io::stdin()
        .read_to_string(&mut input)
        .map_err(|error| error.to_string())?;
    let text = input.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(format!("no {what} on standard input"));
    }
    Ok(text.to_owned())
}
