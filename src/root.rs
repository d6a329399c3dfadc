//! One plugin configuration in one VM.

use std::cell::RefCell;
use std::rc::Rc;

use crate::host::{self, LogLevel};
use crate::worker::Worker;
use portcullis_core::policy;
use portcullis_core::secret::FingerprintKey;
use portcullis_core::verification::State;
use portcullis_core::verification::signature::Verifier;

/// What the host is to do with a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    Continue,
    Pause,
}

pub struct Root {
    id: u32,
    worker: RefCell<Option<Rc<Worker>>>,
}

impl Root {
    pub fn new(id: u32) -> Self {
        Root {
            id,
            worker: RefCell::new(None),
        }
    }

    /// Loads the configuration. Where this is false Envoy keeps the last good one, or does not
    /// start.
    pub fn configure(&self) -> bool {
        match self.load() {
            Ok(worker) => {
                worker.start();
                *self.worker.borrow_mut() = Some(Rc::new(worker));
                true
            }
            Err(faults) => {
                for fault in faults.lines() {
                    host::log(LogLevel::Critical, &format!("portcullis: {fault}"));
                }
                false
            }
        }
    }

    fn load(&self) -> Result<Worker, String> {
        let configuration = host::plugin_configuration()
            .map_err(|failed| format!("the configuration cannot be read: {failed:?}"))?;
        let environment = |name: &str| std::env::var(name).ok();
        let compiled =
            policy::compile(&configuration, &environment).map_err(|faults| faults.to_string())?;
        for warning in &compiled.warnings {
            host::log(LogLevel::Warn, &format!("portcullis: {warning}"));
        }
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|e| format!("no random numbers: {e}"))?;
        let state = State::new(&compiled.policy, verifier(), FingerprintKey::new(random));
        Ok(Worker::new(self.id, compiled.policy, state))
    }

    fn worker(&self) -> Option<Rc<Worker>> {
        self.worker.borrow().as_ref().map(Rc::clone)
    }

    pub fn request(&self, stream: u32) -> Action {
        match self.worker() {
            Some(worker) => worker.request(stream),
            // Envoy sends no requests to a root that it did not configure.
            None => Worker::fail_closed(),
        }
    }

    pub fn trailers(&self, stream: u32) -> Action {
        match self.worker() {
            Some(worker) => worker.trailers(stream),
            None => Worker::fail_closed(),
        }
    }

    pub fn tick(&self) {
        if let Some(worker) = self.worker() {
            worker.tick();
        }
    }

    /// `has_headers`: without, the answer broke off, and reading it would be an error.
    pub fn answer(&self, token: u32, has_headers: bool) {
        if let Some(worker) = self.worker() {
            worker.answer(token, has_headers);
        }
    }

    /// The stream is gone.
    pub fn forget(&self, stream: u32) {
        if let Some(worker) = self.worker() {
            worker.forget(stream);
        }
    }
}

/// Envoy's own cryptography for what it verifies rightly, Rust for the rest.
pub fn verifier() -> Verifier {
    Verifier::choose(Box::new(verify_by_host))
}

/// An argument of `verify_signature` and its answer, where the host gives one.
pub fn verify_by_host(argument: &[u8]) -> Option<Vec<u8>> {
    host::call_foreign_function("verify_signature", argument).ok()
}
