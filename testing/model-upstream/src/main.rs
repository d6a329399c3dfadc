//! The model provider of the tests and the tour as a process of its own.

use std::env;
use std::process::ExitCode;

use portcullis_model_upstream::run;
use portcullis_testing::client::get;

const USAGE: &str = "model-upstream [--listen HOST:PORT]   default 127.0.0.1:0, a free port; prints `listening http://HOST:PORT`
model-upstream health PORT            whether one on this machine is up";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let listen = |address| run(address, |bound| println!("listening http://{bound}"));
    let outcome = match arguments[..] {
        [] => listen("127.0.0.1:0"),
        ["--listen", address] => listen(address),
        ["health", port] => health(port),
        ["--help"] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("model-upstream: {message}");
            ExitCode::FAILURE
        }
    }
}

/// For containers, which have no other HTTP client.
fn health(port: &str) -> Result<(), String> {
    let port = port.parse().map_err(|_| format!("no port: {port}"))?;
    match get("/healthz").send(port) {
        Ok(answer) if answer.status == 200 => Ok(()),
        Ok(answer) => Err(format!("it answers {}", answer.status)),
        Err(error) => Err(error.to_string()),
    }
}
