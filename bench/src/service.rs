//! A service that an Envoy asks: a process of its own, so that its CPU can be read.

use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::Result;
use crate::machine::cpu_of_process;

/// The running service. It is ended when this value is dropped.
pub struct Service {
    process: Child,
    /// Where it listens.
    pub port: u16,
}

impl Service {
    /// Starts the program of this name, which lies beside this one, with settings, and waits until it listens. It reads
    /// them from its standard input, and writes its port to its standard output.
    pub fn start(name: &str, settings: &Value) -> Result<Self> {
        let program = env::current_exe()?.with_file_name(name);
        let process = Command::new(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut service = Service { process, port: 0 };
        let mut input = service.process.stdin.take().ok_or("no standard input")?;
        input.write_all(settings.to_string().as_bytes())?;
        drop(input);
        let output = service.process.stdout.take().ok_or("no standard output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let port = line.trim().parse();
        service.port = port.map_err(|_| format!("{name} did not start"))?;
        Ok(service)
    }

    /// Nanoseconds that it was on a CPU.
    pub fn cpu(&self) -> Result<u64> {
        cpu_of_process(self.process.id())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
