//! One HTTP request.

use std::rc::Rc;

use portcullis_core::evaluation::Step;
use portcullis_core::request::Request;
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, Bytes, MapType};

use crate::host_abi;
use crate::worker::{Worker, fail_closed};

/// A stream's context, which lives from its headers to its end.
pub struct Stream {
    id: u32,
    /// `None` where the configuration was not loaded: Envoy sends no requests to such a root.
    worker: Option<Rc<Worker>>,
}

impl Stream {
    /// A stream of the root whose worker this is.
    pub fn new(id: u32, worker: Option<Rc<Worker>>) -> Self {
        Stream { id, worker }
    }
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _headers: usize, _end_of_stream: bool) -> Action {
        let Some(worker) = self.worker.as_ref().filter(|_| host_abi::is_in_front()) else {
            return fail_closed();
        };
        let Ok(headers) = hostcalls::get_map_bytes(MapType::HttpRequestHeaders) else {
            return fail_closed();
        };
        let headers = borrowed(&headers);
        let request = Request::from_headers(&headers);
        #[cfg(feature = "test-hooks")]
        if let Some(action) = crate::test_hooks::intercept(&request) {
            return action;
        }
        let now = crate::clock::now();
        match worker.begin(&request, now) {
            Step::Decided(decision) => worker.apply(&request, &decision, now),
            step @ Step::Await(..) => {
                host_abi::activate_root(worker.root());
                worker.advance(self.id, step, &request, now)
            }
        }
    }

    fn on_http_request_trailers(&mut self, _trailers: usize) -> Action {
        match &self.worker {
            Some(worker) => worker.trailers(self.id),
            None => fail_closed(),
        }
    }
}

impl Drop for Stream {
    /// The stream is gone, and with it whatever it waited for.
    fn drop(&mut self) {
        if let Some(worker) = &self.worker {
            worker.forget(self.id);
        }
    }
}

/// Headers as the core reads them.
pub fn borrowed(headers: &[(String, Bytes)]) -> Vec<(&[u8], &[u8])> {
    let pairs = headers.iter();
    pairs
        .map(|(name, value)| (name.as_bytes(), value.as_slice()))
        .collect()
}
