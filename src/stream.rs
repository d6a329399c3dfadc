//! One HTTP request.

use std::rc::Rc;

use portcullis_core::evaluation::Step;
use portcullis_core::request::Request;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, MapType};

use crate::host_abi;
use crate::reply::fail_closed;
use crate::worker::{UNREADABLE, Worker};

/// Envoy sends no requests to a root that it did not configure.
const NOT_CONFIGURED: &str = "no configuration was loaded";

/// A stream's context, which lives from its headers to its end.
pub struct Stream {
    id: u32,
    /// `None` where no configuration was loaded.
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
    #[cfg_attr(not(feature = "ai"), expect(unused_variables))]
    fn on_http_request_headers(&mut self, _headers: usize, end_of_stream: bool) -> Action {
        if !host_abi::is_in_front() {
            return fail_closed("the module was linked without scripts/link_module.sh");
        }
        let Some(worker) = &self.worker else {
            return fail_closed(NOT_CONFIGURED);
        };
        let Ok(headers) = host_abi::header_map(MapType::HttpRequestHeaders) else {
            return fail_closed(UNREADABLE);
        };
        let headers = headers.pairs();
        let request = Request::from_headers(&headers);
        #[cfg(feature = "test-hooks")]
        if let Some(action) = crate::test_hooks::intercept(&request) {
            return action;
        }
        let now = crate::clock::now();
        match worker.begin(&request, now) {
            Step::Decided(decision) => worker.apply(self.id, &request, decision, now),
            #[cfg(feature = "ai")]
            Step::Observe(decision, content) => {
                worker.observe(self.id, &request, decision, content, end_of_stream, now)
            }
            step @ Step::Await(..) => {
                #[cfg(feature = "ai")]
                worker.expect_body(self.id, &step, end_of_stream);
                host_abi::activate_root(worker.root());
                worker.advance(self.id, step, &request, now)
            }
        }
    }

    fn on_http_request_trailers(&mut self, _trailers: usize) -> Action {
        match &self.worker {
            Some(worker) => worker.trailers(self.id),
            None => fail_closed(NOT_CONFIGURED),
        }
    }

    #[cfg(feature = "ai")]
    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        self.with_worker(|worker| worker.request_body(self.id, size, end_of_stream))
    }

    #[cfg(feature = "ai")]
    fn on_http_response_headers(&mut self, _headers: usize, end_of_stream: bool) -> Action {
        self.with_worker(|worker| worker.answer_begins(self.id, end_of_stream))
    }

    #[cfg(feature = "ai")]
    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        self.with_worker(|worker| worker.answer_body(self.id, size, end_of_stream))
    }

    #[cfg(feature = "ai")]
    fn on_http_response_trailers(&mut self, _trailers: usize) -> Action {
        self.with_worker(|worker| worker.answer_trailers(self.id))
    }

    #[cfg(feature = "ai")]
    fn on_log(&mut self) {
        if let Some(worker) = &self.worker {
            worker.answer_ended(self.id);
        }
    }
}

#[cfg(feature = "ai")]
impl Stream {
    fn with_worker(&self, callback: impl FnOnce(&Worker) -> Action) -> Action {
        match &self.worker {
            Some(worker) => callback(worker),
            // Nothing of this stream was let through, so nothing is left to decide.
            None => Action::Continue,
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
