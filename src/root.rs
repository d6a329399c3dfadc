//! One plugin configuration in one VM.

use std::rc::Rc;

use portcullis_core::policy;
use portcullis_core::secret::FingerprintKey;
use portcullis_core::verification::State;
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{BufferType, ContextType};

use crate::host_signatures::verifier;
use crate::log;
use crate::stream::Stream;
use crate::worker::Worker;

/// The context that ticks, gets the answers to calls, and makes one [`Stream`] for each request.
pub struct Root {
    id: u32,
    /// `None` until a configuration was loaded.
    worker: Option<Rc<Worker>>,
}

impl Root {
    /// A root without a configuration yet.
    pub fn new(id: u32) -> Self {
        Root { id, worker: None }
    }

    fn load(&self) -> Result<Worker, String> {
        let configuration = hostcalls::get_buffer(BufferType::PluginConfiguration, 0, usize::MAX)
            .map_err(|status| format!("the configuration cannot be read: {status:?}"))?
            .unwrap_or_default();
        let environment = |name: &str| std::env::var(name).ok();
        let compiled =
            policy::compile(&configuration, &environment).map_err(|faults| faults.to_string())?;
        for warning in &compiled.warnings {
            log::warn(&warning.to_string());
        }
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|e| format!("no random numbers: {e}"))?;
        let state = State::new(&compiled.policy, verifier(), FingerprintKey::new(random));
        Ok(Worker::new(self.id, compiled.policy, state))
    }
}

impl Context for Root {
    fn on_http_call_response(
        &mut self,
        token: u32,
        headers: usize,
        _body: usize,
        _trailers: usize,
    ) {
        if let Some(worker) = &self.worker {
            worker.call_answered(token, headers > 0);
        }
    }
}

impl RootContext for Root {
    /// Where this is false Envoy keeps the last good configuration, or does not start.
    fn on_configure(&mut self, _configuration_len: usize) -> bool {
        match self.load() {
            Ok(worker) => {
                worker.start();
                self.worker = Some(Rc::new(worker));
                true
            }
            Err(faults) => {
                faults.lines().for_each(log::critical);
                false
            }
        }
    }

    fn on_tick(&mut self) {
        if let Some(worker) = &self.worker {
            worker.tick();
        }
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, stream: u32) -> Option<Box<dyn HttpContext>> {
        let worker = self.worker.as_ref().map(Rc::clone);
        Some(Box::new(Stream::new(stream, worker)))
    }
}
